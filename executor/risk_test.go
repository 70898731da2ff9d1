package executor

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/executor/catalog"
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
		{"rds", "stop-db-cluster", nil, repeat(1, stage), RiskHigh, "tagged as production"},
		{"rds", "reboot-db-instance", on, repeat(1, plain), RiskHigh, "standby"},
		{"ec2", "stop-instances", nil, repeat(2, plain), RiskHigh, "2 resources"},
		{"ec2", "stop-instances", nil, append(repeat(3, plain), prod), RiskHigh, "one of the resources"},
		{"ec2", "stop-instances", nil, repeat(2, prod), RiskCritical, "2 of the resources"},
		{"ec2", "reboot-instances", nil, repeat(9, plain), RiskHigh, "9 resources"},
		{"ec2", "reboot-instances", nil, repeat(10, plain), RiskCritical, "10 resources"},
		{"ec2", "stop-instances", on, repeat(1, plain), RiskHigh, "orderly shutdown"},
		{"ec2", "stop-instances", off, repeat(1, plain), RiskMedium, "stops answering"},
		{"ec2", "stop-instances", nil, repeat(1, asg), RiskHigh, "Auto Scaling"},
		{"ec2", "start-instances", nil, repeat(1, asg), RiskMedium, "changes AWS"},
		{"ec2", "reboot-instances", nil, repeat(1, node), RiskHigh, "Kubernetes"},
	} {
		op, ok := catalog.Find(c.service, c.op)
		if !ok {
			t.Fatal(c.op)
		}
		risk, reasons := judge(op, c.params, someTargets(op.Type, c.targets...))
		if risk != c.want {
			t.Errorf("%s of %v with %v: %s, want %s (%v)", c.op, c.targets, c.params, risk, c.want, reasons)
		}
		if !strings.Contains(strings.Join(reasons, "\n"), c.says) {
			t.Errorf("%s: the reasons %q do not say %q", c.op, reasons, c.says)
		}
	}
}

func TestRiskNotes(t *testing.T) {
	stop, _ := catalog.Find("rds", "stop-db-instance")
	one := func(change func(*Target)) []Target {
		ts := someTargets("rds_instance", nil)
		change(&ts[0])
		return ts
	}
	for name, c := range map[string]struct {
		targets []Target
		want    Risk
		says    string
	}{
		"name says prod":  {one(func(t *Target) { t.Name = "Prod-db" }), RiskMedium, "part of its name"},
		"protected":       {one(func(t *Target) { t.Facts = map[string]string{"deletion_protection": "true"} }), RiskMedium, "protected from deletion"},
		"not bound":       {one(func(t *Target) { t.ImmutableID, t.CreatedAt = "", nil }), RiskHigh, "cannot be bound"},
		"cluster members": {one(func(t *Target) { t.Facts = map[string]string{"members": `["a","b"]`} }), RiskMedium, "2 instances"},
	} {
		risk, reasons := judge(stop, nil, c.targets)
		if risk != c.want || !strings.Contains(strings.Join(reasons, "\n"), c.says) {
			t.Errorf("%s: %s %q", name, risk, reasons)
		}
	}
	const hostile = "prod \x1b[31m[x](command:y)"
	ts := one(func(t *Target) {
		t.Name = hostile
		t.Tags = map[string]string{"env": hostile, hostile: hostile, "aws:cloudformation:stack-name": hostile}
		t.Facts = map[string]string{"lifecycle": hostile, "members": "1"}
	})
	if _, reasons := judge(stop, nil, ts); strings.Contains(strings.Join(reasons, ""), "\x1b") || strings.Contains(strings.Join(reasons, ""), "command:") {
		t.Errorf("foreign text in the reasons: %q", reasons)
	}
}
