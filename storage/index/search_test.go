package index

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/storage/kind"
)

func estate() *Index {
	x := New(kinds())
	x.Put(database("pg-instance-main1", "us-west-2"))
	x.Put(database("pg-main", "us-west-2"))
	replica := database("pg-main-replica", "eu-west-1")
	replica.Type, replica.State, replica.Summary = "rds_cluster", "stopped", "postgres 14.7 · 2 instances"
	x.Put(replica)
	x.Put(instance("i-0abc", "web-1", "us-west-2"))
	stopped := instance("i-0def", "Web-2", "eu-west-1")
	stopped.State = "stopped"
	x.Put(stopped)
	x.Put(Record{
		Key:     Key{Type: "s3_bucket", ID: "prod-data", AccountID: "222222222222", Region: "us-west-2", ARN: "arn:aws:s3:::prod-data"},
		Service: "s3", Name: "prod-data", AccountName: "production", Tags: map[string]string{"Owner": "Data Team", "größe": "GROSS"},
	})
	x.Put(Record{
		Key:     Key{Type: "ec2_volume", ID: "vol-1", AccountID: "111111111111", Region: "us-west-2"},
		Service: "ec2", State: "in-use",
	})
	return x
}

func TestSearch(t *testing.T) {
	x := estate()
	for _, c := range []struct {
		query string
		f     Filter
		want  []string
	}{
		{"pg-main", Filter{}, []string{"pg-main", "pg-main-replica"}},
		{"PG-MAIN1", Filter{}, nil},
		{"main1", Filter{}, []string{"pg-instance-main1"}},
		{"main", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"i-0abc", Filter{}, []string{"i-0abc"}},
		{"arn:aws:s3:::prod-data", Filter{}, []string{"prod-data"}},
		{"arn:aws:rds", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"databases", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"production databases", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"env=production", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"ENV:Production db", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"tag:env=staging", Filter{}, []string{"i-0abc", "i-0def"}},
		{"env=stage", Filter{}, nil},
		{"stopped servers", Filter{}, []string{"i-0def"}},
		{"all the stopped servers", Filter{}, []string{"i-0def"}},
		{"stopped databases?", Filter{}, []string{"pg-main-replica"}},
		{"stopped, databases; web-2!", Filter{}, nil},
		{"stopped servers!", Filter{}, []string{"i-0def"}},
		{"web-1;", Filter{}, []string{"i-0abc"}},
		{"state=stopped type=database", Filter{}, []string{"pg-main-replica"}},
		{"instances", Filter{}, []string{"i-0abc", "i-0def"}},
		{"db instances", Filter{}, []string{"pg-instance-main1", "pg-main"}},
		{"instances db", Filter{}, []string{"pg-instance-main1", "pg-main"}},
		{"database servers in us-west-2", Filter{}, []string{"pg-instance-main1", "pg-main"}},
		{"pg-main instance", Filter{}, []string{"pg-main"}},
		{"type=instance pg-main", Filter{}, []string{"pg-main"}},
		{"vms in us-west-2", Filter{}, []string{"i-0abc"}},
		{"buckets", Filter{}, []string{"prod-data"}},
		{"cluster", Filter{}, []string{"pg-main-replica"}},
		{"rds eu-west-1", Filter{}, []string{"pg-main-replica"}},
		{"us-west web", Filter{}, []string{"i-0abc"}},
		{"222222222222 bucket", Filter{}, []string{"prod-data"}},
		{"region:eu-west-1", Filter{}, []string{"pg-main-replica", "i-0def"}},
		{"postgres", Filter{}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{`"data team"`, Filter{}, []string{"prod-data"}},
		{"GRÖSSE=gross", Filter{}, nil}, // ß has no single upper case letter
		{"größe=gross", Filter{}, []string{"prod-data"}},
		{"GRÖßE", Filter{}, []string{"prod-data"}},
		{"name=web-1", Filter{}, []string{"i-0abc"}},
		{"web nothing-like-this", Filter{}, nil},
		{"", Filter{Type: "ec2_instance"}, []string{"i-0abc", "i-0def"}},
		{"", Filter{Type: "EC2_Instance", State: "stopped"}, []string{"i-0def"}},
		{"", Filter{AccountID: "111111111111", Service: "ec2", Region: "us-west-2"}, []string{"vol-1", "i-0abc"}},
		{"", Filter{Tags: map[string]string{"env": "production", "team": "payments"}}, []string{"pg-instance-main1", "pg-main", "pg-main-replica"}},
		{"", Filter{Tags: map[string]string{"env": "production", "team": "other"}}, nil},
		{"", Filter{Tags: map[string]string{"Name": "web-1"}}, []string{"i-0abc"}},
		{"\x00", Filter{Type: "nothing"}, nil},
	} {
		got, total := x.Search(c.query, c.f, 0)
		wantIDs(t, fmt.Sprintf("%q %+v", c.query, c.f), got, c.want...)
		if total != len(c.want) {
			t.Errorf("%q: total %d, want %d", c.query, total, len(c.want))
		}
	}
}

func TestSearchLimit(t *testing.T) {
	x := New(kinds())
	for i := range 500 {
		x.Put(instance(fmt.Sprintf("i-%03d", i), fmt.Sprintf("node-%03d", (i*7)%500), "r"))
	}
	for _, c := range []struct{ limit, want int }{{0, DefaultLimit}, {1, 1}, {30, 30}, {1000, 500}, {-1, 500}} {
		got, total := x.Search("node", Filter{}, c.limit)
		if len(got) != c.want || total != 500 {
			t.Errorf("limit %d: %d of %d", c.limit, len(got), total)
		}
		for i, r := range got {
			if want := fmt.Sprintf("node-%03d", i); r.Name != want {
				t.Fatalf("limit %d: place %d has %s, want %s", c.limit, i, r.Name, want)
			}
		}
	}
}

// kinds are some types with the words that people call them.
func kinds() *kind.Set {
	of := func(typ, words, also string) kind.Kind {
		return kind.Kind{Type: typ, Service: "x", Label: kind.Noun{One: typ, Many: typ}, Words: strings.Fields(words), Also: strings.Fields(also), Unread: true}
	}
	s, err := kind.New(of("ec2_instance", "server instance vm", ""), of("rds_instance", "database db", "server instance"), of("rds_cluster", "cluster database db", ""))
	if err != nil {
		panic(err)
	}
	return s
}
