package executor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage"
)

func someTargets(typ string, tags ...map[string]string) []Target {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var ts []Target
	for i, m := range tags {
		id := "t" + string(rune('a'+i))
		ts = append(ts, Target{Key: storage.Key{Type: typ, ID: id, AccountID: "123456789012", Region: "us-west-2"},
			Tags: m, ImmutableID: "im-" + id, CreatedAt: &made})
	}
	return ts
}

func TestRiskDecisions(t *testing.T) {
	plain := map[string]string{"env": "dev"}
	prod := map[string]string{"env": "production"}
	odd := map[string]string{" Environment ": " PROD "}
	stage := map[string]string{"Stage": "Production"}
	short := map[string]string{"env": "prd"} // as chat reads it, too
	near := map[string]string{"env": "preprod", "environment": "non-production", "team": "production"}
	asg := map[string]string{"aws:autoscaling:groupName": "workers"}
	node := map[string]string{"kubernetes.io/cluster/main": "owned"}
	repeat := func(n int, m map[string]string) (all []map[string]string) {
		for range n {
			all = append(all, m)
		}
		return all
	}
	on := map[string]any{"force": true, "skip-os-shutdown": true, "force-failover": true}
	off := map[string]any{"force": false, "skip-os-shutdown": false}
	for _, c := range []struct {
		service, op string
		params      map[string]any
		targets     []map[string]string
		want        Risk
		says        string
	}{
		{"ec2", "describe-instances", nil, nil, RiskLow, "only reads"},
		{"rds", "describe-db-instances", nil, repeat(1, prod), RiskLow, "only reads"},
		{"ec2", "describe-instances", nil, repeat(40, prod), RiskLow, "only reads"},
		{"ec2", "start-instances", nil, repeat(1, plain), RiskMedium, "changes AWS"},
		{"rds", "start-db-instance", nil, repeat(1, prod), RiskMedium, "production"},
		{"ec2", "start-instances", nil, repeat(2, prod), RiskHigh, "2 resources"},
		{"ec2", "start-instances", nil, repeat(10, plain), RiskCritical, "10 resources"},
		{"rds", "stop-db-instance", nil, repeat(1, nil), RiskMedium, "stops answering"},
		{"rds", "stop-db-instance", nil, repeat(1, plain), RiskMedium, "stops answering"},
		{"rds", "stop-db-instance", nil, repeat(1, near), RiskMedium, "stops answering"},
		{"rds", "stop-db-instance", nil, repeat(1, prod), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-instance", nil, repeat(1, odd), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-instance", nil, repeat(1, short), RiskHigh, "tagged as production"},
		{"rds", "stop-db-cluster", nil, repeat(1, stage), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-instance", on, repeat(1, plain), RiskHigh, "standby"},
		{"ec2", "stop-instances", nil, repeat(2, plain), RiskHigh, "2 resources"},
		{"ec2", "stop-instances", nil, append(repeat(3, plain), prod), RiskHigh, "one of the resources"},
		{"ec2", "stop-instances", nil, repeat(2, prod), RiskCritical, "2 of the resources"},
		{"ec2", "stop-instances", nil, repeat(1, prod), RiskHigh, "tagged as production"},
		{"ec2", "reboot-instances", nil, repeat(1, prod), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-cluster", nil, repeat(1, prod), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-cluster", nil, repeat(1, plain), RiskMedium, "stops answering"},
		{"rds", "start-db-cluster", nil, repeat(1, prod), RiskMedium, "production"},
		{"ec2", "reboot-instances", nil, repeat(9, plain), RiskHigh, "9 resources"},
		{"ec2", "reboot-instances", nil, repeat(10, plain), RiskCritical, "10 resources"},
		{"ec2", "stop-instances", on, repeat(1, plain), RiskHigh, "orderly shutdown"},
		{"ec2", "stop-instances", off, repeat(1, plain), RiskMedium, "stops answering"},
		{"ec2", "stop-instances", nil, repeat(1, asg), RiskHigh, "Auto Scaling"},
		{"ec2", "start-instances", nil, repeat(1, asg), RiskMedium, "changes AWS"},
		{"ec2", "reboot-instances", nil, repeat(1, node), RiskHigh, "Kubernetes"},
	} {
		op := called(t, c.service, c.op)
		risk, reasons := judge(op, c.params, someTargets(op.does.Type, c.targets...))
		if risk != c.want {
			t.Errorf("%s of %v with %v: %s, want %s (%v)", c.op, c.targets, c.params, risk, c.want, reasons)
		}
		if !strings.Contains(strings.Join(reasons, "\n"), c.says) {
			t.Errorf("%s: the reasons %q do not say %q", c.op, reasons, c.says)
		}
	}
}

func TestRiskNotes(t *testing.T) {
	one := func(typ string, change func(*Target)) []Target {
		ts := someTargets(typ, nil)
		change(&ts[0])
		return ts
	}
	fact := func(name, value string) func(*Target) {
		return func(t *Target) { t.Facts = map[string]string{name: value} }
	}
	tag := func(name string) func(*Target) {
		return func(t *Target) { t.Tags = map[string]string{name: "x"} }
	}
	state := func(s string) func(*Target) { return func(t *Target) { t.State = s } }
	for _, c := range []struct {
		service, op string
		target      func(*Target)
		want        Risk
		says        string // "" where nothing is to be said besides what holds for all
	}{
		{"rds", "stop-db-instance", func(t *Target) { t.Name = "Prod-db" }, RiskMedium, "part of its name"},
		{"rds", "stop-db-instance", func(t *Target) { t.ID = "prod-db" }, RiskMedium, "part of its name"},
		{"rds", "stop-db-instance", fact("deletion_protection", "true"), RiskMedium, "protected from deletion"},
		{"rds", "stop-db-instance", fact("deletion_protection", "false"), RiskMedium, ""},
		{"ec2", "stop-instances", fact("termination_protection", "true"), RiskMedium, "protected from termination"},
		{"ec2", "stop-instances", fact("stop_protection", "unknown"), RiskMedium, "could not be read"},
		{"ec2", "start-instances", fact("stop_protection", "unknown"), RiskMedium, ""},
		{"rds", "stop-db-instance", func(t *Target) { t.ImmutableID, t.CreatedAt = "", nil }, RiskHigh, "cannot be bound"},
		{"rds", "start-db-instance", func(t *Target) { t.ImmutableID, t.CreatedAt = "", nil }, RiskHigh, "cannot be bound"},
		{"rds", "stop-db-instance", func(t *Target) { t.ImmutableID = "" }, RiskMedium, ""},
		{"rds", "stop-db-instance", func(t *Target) { t.CreatedAt = nil }, RiskMedium, ""},
		{"ec2", "stop-instances", tag("aws:autoscaling:groupName"), RiskHigh, "Auto Scaling"},
		{"ec2", "stop-instances", tag("eks:cluster-name"), RiskHigh, "Kubernetes"},
		{"ec2", "stop-instances", tag("kubernetes.io/cluster/main"), RiskHigh, "Kubernetes"},
		{"ec2", "stop-instances", tag("aws:cloudformation:stack-name"), RiskMedium, "CloudFormation stack"},
		{"rds", "reboot-db-instance", tag("aws:cloudformation:stack-name"), RiskMedium, "CloudFormation stack"},
		{"ec2", "stop-instances", fact("lifecycle", "spot"), RiskHigh, "spot instance"},
		{"ec2", "reboot-instances", fact("lifecycle", "spot"), RiskHigh, "spot instance"},
		{"ec2", "start-instances", fact("lifecycle", "spot"), RiskMedium, ""},
		{"ec2", "reboot-instances", fact("root_device_type", "instance-store"), RiskHigh, "instance store"},
		{"ec2", "reboot-instances", fact("root_device_type", "ebs"), RiskMedium, ""},
		{"rds", "reboot-db-instance", fact("has_read_replicas", "true"), RiskMedium, "read replicas"},
		{"rds", "reboot-db-instance", fact("has_read_replicas", "false"), RiskMedium, ""},
		{"rds", "stop-db-cluster", fact("members", `["a","b"]`), RiskMedium, "all its 2 instances"},
		{"rds", "start-db-cluster", fact("members", `["a","b"]`), RiskMedium, ""},
		{"rds", "reboot-db-instance", state("storage-full"), RiskMedium, "its state is storage-full"},
		{"rds", "reboot-db-instance", state("incompatible-parameters"), RiskMedium, "its state is incompatible-parameters"},
		{"rds", "reboot-db-instance", state("incompatible-option-group"), RiskMedium, "its state is incompatible-option-group"},
	} {
		op := called(t, c.service, c.op)
		ts := one(op.does.Type, c.target)
		risk, reasons := judge(op, nil, ts)
		if risk != c.want || c.says == "" && len(reasons) != 1 || !strings.Contains(strings.Join(reasons, "\n"), c.says) {
			t.Errorf("%s of %+v: %s %q, want %s and %q", c.op, ts[0], risk, reasons, c.want, c.says)
		}
	}
	// Of several targets it says which one it means.
	ec2stop := called(t, "ec2", "stop-instances")
	two := someTargets("ec2_instance", nil, map[string]string{"aws:cloudformation:stack-name": "x"})
	if _, reasons := judge(ec2stop, nil, two); !slices.Contains(reasons, "tb: a CloudFormation stack manages it") {
		t.Errorf("two targets: %q", reasons)
	}

	stop := called(t, "rds", "stop-db-instance")
	const hostile = "prod \x1b[31m[x](command:y)"
	ts := one(stop.does.Type, func(t *Target) {
		t.Name = hostile
		t.Tags = map[string]string{"env": hostile, hostile: hostile, "aws:cloudformation:stack-name": hostile}
		t.Facts = map[string]string{"lifecycle": hostile, "members": "1"}
	})
	if _, reasons := judge(stop, nil, ts); strings.Contains(strings.Join(reasons, ""), "\x1b") || strings.Contains(strings.Join(reasons, ""), "command:") {
		t.Errorf("foreign text in the reasons: %q", reasons)
	}
}
