package executor

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// called is an operation that there is.
func called(t *testing.T, service, name string) call {
	t.Helper()
	op, err := operation(Command{Service: service, Operation: name})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func TestEveryActionIsAnOperationThatCanRun(t *testing.T) {
	for _, k := range aws.Kinds().All() {
		for _, a := range k.Actions {
			op, ok := catalog.Find(k.Service, a.Operation)
			if !ok {
				t.Errorf("%s: %s of %s is not in the catalog", k.Type, a.Operation, k.Service)
			} else if op.Changes() != a.Verb.Changes {
				t.Errorf("%s: that %s changes AWS is %t here and %t there", k.Type, a.Operation, a.Verb.Changes, op.Changes())
			}
		}
	}
	for _, op := range catalog.All() {
		if _, ok := aws.Kinds().Doing(op.Service, op.Name); !ok {
			t.Errorf("%s %s is no action of any type", op.Service, op.Name)
		}
	}
}

func TestPossible(t *testing.T) {
	facts := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for _, p := range pairs {
			k, v, _ := strings.Cut(p, "=")
			m[k] = v
		}
		return m
	}
	for _, c := range []struct {
		typ, verb, state string
		facts            map[string]string
		want             Can
		says             string
	}{
		{"ec2_instance", "stop", "running", nil, Yes, ""},
		{"ec2_instance", "stop", "stopping", nil, No, "it is already stopping"},
		{"ec2_instance", "stop", "terminated", nil, No, "AWS can stop it only when it is running"},
		{"ec2_instance", "stop", "", nil, Unknown, "its state is not known"},
		{"ec2_instance", "stop", "unknown", nil, Unknown, "its state is not known"},
		{"ec2_instance", "stop", "running", facts("stop_protection=true"), No, "protected from being stopped"},
		{"ec2_instance", "stop", "running", facts("stop_protection=unknown"), Yes, ""},
		{"ec2_instance", "stop", "running", facts("root_device_type=instance-store"), No, "instance store"},
		{"ec2_instance", "stop", "running", facts("lifecycle=spot"), Unknown, "spot"},
		{"ec2_instance", "reboot", "running", facts("lifecycle=spot"), Yes, ""},
		{"ec2_instance", "start", "stopped", facts("stop_protection=true"), Yes, ""},
		{"ec2_instance", "describe", "terminated", nil, Yes, ""},
		// What may be rebooted and stopped is one answer: the menu said no to these once.
		{"rds_instance", "reboot", "storage-full", nil, Yes, ""},
		{"rds_instance", "reboot", "incompatible-parameters", nil, Yes, ""},
		{"rds_instance", "stop", "storage-optimization", nil, Yes, ""},
		{"rds_instance", "stop", "storage-full", nil, No, "only when it is available or storage-optimization"},
		{"rds_instance", "stop", "available", facts("cluster=x"), No, "member of a cluster"},
		{"rds_instance", "start", "stopped", facts("cluster=x"), No, "use start-db-cluster with cluster \"x\""},
		{"rds_instance", "reboot", "available", facts("cluster=x"), Yes, ""},
		{"rds_instance", "stop", "available", facts("is_read_replica=true"), No, "read replica"},
		{"rds_instance", "stop", "available", facts("has_read_replicas=true"), No, "has read replicas"},
		{"rds_instance", "stop", "available", facts("multi_az=true", "engine=sqlserver-se"), No, "SQL Server"},
		{"rds_instance", "stop", "available", facts("multi_az=true", "engine=postgres"), Yes, ""},
		{"rds_instance", "stop", "available", facts("multi_az=false", "engine=sqlserver-se"), Yes, ""},
		{"rds_cluster", "stop", "available", facts("engine_mode=serverless"), No, "pauses by itself"},
		{"rds_cluster", "stop", "available", facts("global_cluster=g"), No, "global database"},
		{"rds_cluster", "stop", "available", facts("is_read_replica=true"), No, "replicates"},
		{"rds_cluster", "reboot", "available", facts("engine=aurora-mysql"), No, "reboot its instances"},
		{"rds_cluster", "stop", "available", facts("engine=aurora-mysql"), Yes, ""},
	} {
		v := kind.View{State: c.state, Facts: c.facts}
		p, ok := CanDo(c.typ, c.verb, v)
		if !ok || p.Can != c.want || !strings.Contains(p.Why+" "+p.Instead, c.says) {
			t.Errorf("%s of a %s that is %q with %v: %+v, want %s and %q", c.verb, c.typ, c.state, c.facts, p, c.want, c.says)
		}
		all := Possible(c.typ, v)
		if !slices.Contains(all, p) {
			t.Errorf("%s of a %s: one says %+v, all %+v", c.verb, c.typ, p, all)
		}
	}
	if all := Possible("s3_bucket", kind.View{}); all != nil {
		t.Errorf("a bucket can be %+v", all)
	}
	if _, ok := CanDo("s3_bucket", "stop", kind.View{}); ok {
		t.Error("a bucket can be stopped")
	}
}

// What a menu offers is what a plan takes, in each state and with each fact
// that a rule asks for.
func TestPlansAndMenusAgree(t *testing.T) {
	for _, k := range aws.Kinds().All() {
		views := []kind.View{{}, {State: "unknown"}, {State: "\x1b[31mnew"}}
		for _, s := range k.States {
			views = append(views, kind.View{State: s.Name})
			for _, name := range k.Asked() {
				for _, value := range []string{"true", "false", "unknown", "spot", "instance-store", "serverless", "aurora", "sqlserver-ee", `["a"]`} {
					views = append(views, kind.View{State: s.Name, Facts: map[string]string{name: value}})
				}
			}
		}
		for _, a := range k.Actions {
			op := called(t, k.Service, a.Operation)
			for _, v := range views {
				p, _ := CanDo(k.Type, a.Verb.Is, v)
				err := sensible(op, Command{}, Target{Key: storage.Key{ID: "it"}, State: v.State, Facts: v.Facts})
				unknown := p.Can == Unknown && p.Why == "its state is not known"
				if (err == nil) != (p.Can == Yes || p.Can == Unknown && !unknown) {
					t.Errorf("%s of a %s with %+v: the menu says %s (%s), the plan %v", a.Verb.Is, k.Type, v, p.Can, p.Why, err)
				}
				if strings.Contains(p.Why+p.Instead, "\x1b") {
					t.Errorf("%s of a %s: foreign text in %q", a.Verb.Is, k.Type, p.Why)
				}
			}
		}
	}
}

func TestConstraintsSayWhatMayBeDone(t *testing.T) {
	r := storage.Resource{Type: "rds_instance", State: "available", Constraints: map[string]any{
		"is_read_replica": true, "can_stop": true, "cannot_start_because": "of old", // as an earlier version stored it
	}}
	got := Constraints(r)
	for name, want := range map[string]any{
		"can_stop": false, "cannot_stop_because": "it is a read replica", "can_reboot": true, "can_start": false,
		"cannot_start_because": nil, "can_describe": nil, "is_read_replica": true,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if r.Constraints["can_stop"] != true {
		t.Error("the resource itself was changed")
	}
	spot := Constraints(storage.Resource{Type: "ec2_instance", State: "running", Metadata: map[string]any{"lifecycle": "spot"}})
	if _, said := spot["can_stop"]; said || spot["can_reboot"] != true {
		t.Errorf("of a spot instance it says %v", spot)
	}
}

// What a menu of one resource costs where the catalog has 20,000 operations; the
// goal is 10 µs and 2 KB.
func BenchmarkPossible(b *testing.B) {
	kinds := []kind.Kind{*aws.Kinds().Of("rds_instance")}
	for i := range 5000 {
		k := kinds[0]
		k.Type, k.Service, k.Forms = fmt.Sprintf("synthetic_%d", i), fmt.Sprintf("synthetic%d", i), nil
		kinds = append(kinds, k)
	}
	set, err := kind.New(kinds...)
	if err != nil {
		b.Fatal(err)
	}
	v := kind.View{State: "available", Tags: map[string]string{"env": "prod", "Name": "x"}, Facts: map[string]string{"multi_az": "true", "engine": "postgres"}}
	const menus = 1000 // so that a single iteration tells something
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		for i := range menus {
			if len(among(set, kinds[i].Type, v)) != 4 {
				b.Fatal("a menu has not four entries")
			}
			n++
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "µs/menu")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n), "B/menu")
	b.ReportMetric(0, "ns/op")
}
