package executor

import (
	"maps"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

func somePlan() (Plan, bound) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return Plan{
		ID: "plan-1",
		Command: Command{Service: "rds", Operation: "stop-db-instance", Region: "us-west-2", Profile: "prod", AccountID: "123456789012",
			Parameters: map[string]any{"db-instance-identifier": "pg", "db-snapshot-identifier": "s"}},
		Targets: []Target{{Key: storage.Key{Type: "rds_instance", ID: "pg", AccountID: "123456789012", Region: "us-west-2", ARN: "arn:x"},
			State: "available", ImmutableID: "db-1", CreatedAt: &made, Facts: map[string]string{"multi_az": "true", "engine": "postgres"}}},
		Risk: RiskHigh, Access: "Write", Actions: []string{"rds:StopDBInstance"}, Effect: "it stops",
		Identity: session.Identity{Profile: "prod", AccountID: "123456789012", ARN: "arn:me", Partition: "aws", Source: "SharedConfig"},
		Endpoint: "http://127.0.0.1:1", Expires: made.Add(time.Hour),
	}, bound{"sdk", "build", "catalog", "policy"}
}

// Whatever an approval is bound to changes the digest, each field by itself.
func TestDigestIsSensitiveToEveryBoundField(t *testing.T) {
	plan, b := somePlan()
	seen := map[string]string{plan.digest(b): "nothing"}
	for what, change := range map[string]func(*Plan, *bound){
		"plan id":          func(p *Plan, _ *bound) { p.ID = "plan-2" },
		"service":          func(p *Plan, _ *bound) { p.Command.Service = "ec2" },
		"operation":        func(p *Plan, _ *bound) { p.Command.Operation = "start-db-instance" },
		"parameter":        func(p *Plan, _ *bound) { p.Command.Parameters["db-instance-identifier"] = "pg2" },
		"other parameter":  func(p *Plan, _ *bound) { delete(p.Command.Parameters, "db-snapshot-identifier") },
		"region":           func(p *Plan, _ *bound) { p.Command.Region = "us-west-1" },
		"profile":          func(p *Plan, _ *bound) { p.Command.Profile = "other" },
		"command account":  func(p *Plan, _ *bound) { p.Command.AccountID = "210987654321" },
		"identity profile": func(p *Plan, _ *bound) { p.Identity.Profile = "other" },
		"account":          func(p *Plan, _ *bound) { p.Identity.AccountID = "210987654321" },
		"principal":        func(p *Plan, _ *bound) { p.Identity.ARN = "arn:you" },
		"partition":        func(p *Plan, _ *bound) { p.Identity.Partition = "aws-cn" },
		"credentials":      func(p *Plan, _ *bound) { p.Identity.Source = "SSO" },
		"endpoint":         func(p *Plan, _ *bound) { p.Endpoint = "" },
		"target type":      func(p *Plan, _ *bound) { p.Targets[0].Type = "rds_cluster" },
		"target id":        func(p *Plan, _ *bound) { p.Targets[0].ID = "pg2" },
		"target account":   func(p *Plan, _ *bound) { p.Targets[0].AccountID = "1" },
		"target region":    func(p *Plan, _ *bound) { p.Targets[0].Region = "x" },
		"target ARN":       func(p *Plan, _ *bound) { p.Targets[0].ARN = "arn:y" },
		"immutable id":     func(p *Plan, _ *bound) { p.Targets[0].ImmutableID = "db-2" },
		"creation":         func(p *Plan, _ *bound) { t := p.Targets[0].CreatedAt.Add(1); p.Targets[0].CreatedAt = &t },
		"no creation":      func(p *Plan, _ *bound) { p.Targets[0].CreatedAt = nil },
		"state":            func(p *Plan, _ *bound) { p.Targets[0].State = "stopped" },
		"name":             func(p *Plan, _ *bound) { p.Targets[0].Name = "x" },
		"tag":              func(p *Plan, _ *bound) { p.Targets[0].Tags = map[string]string{"protected": "true"} },
		"empty tag":        func(p *Plan, _ *bound) { p.Targets[0].Tags = map[string]string{"protected": ""} },
		"reasons":          func(p *Plan, _ *bound) { p.Reasons = []string{"x"} },
		"fact":             func(p *Plan, _ *bound) { p.Targets[0].Facts["multi_az"] = "false" },
		"new fact":         func(p *Plan, _ *bound) { p.Targets[0].Facts["x"] = "" },
		"lost fact":        func(p *Plan, _ *bound) { delete(p.Targets[0].Facts, "engine") },
		"more targets":     func(p *Plan, _ *bound) { p.Targets = append(p.Targets, p.Targets[0]) },
		"no targets":       func(p *Plan, _ *bound) { p.Targets = nil },
		"risk":             func(p *Plan, _ *bound) { p.Risk = RiskLow },
		"access":           func(p *Plan, _ *bound) { p.Access = "List" },
		"actions":          func(p *Plan, _ *bound) { p.Actions = nil },
		"effect":           func(p *Plan, _ *bound) { p.Effect = "nothing" },
		"runner":           func(_ *Plan, b *bound) { b.runner = "cli" },
		"build":            func(_ *Plan, b *bound) { b.build = "x" },
		"catalog":          func(_ *Plan, b *bound) { b.catalog = "x" },
		"policy":           func(_ *Plan, b *bound) { b.policy = "x" },
		"expiry":           func(p *Plan, _ *bound) { p.Expires = p.Expires.Add(1) },
	} {
		p, b := somePlan()
		p.Command.Parameters = maps.Clone(p.Command.Parameters)
		change(&p, &b)
		d := p.digest(b)
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", what, other)
		}
		seen[d] = what
	}
}

func TestDigestDoesNotMixFields(t *testing.T) {
	a, b := somePlan()
	c, _ := somePlan()
	a.Targets[0].Facts = map[string]string{"a": "b", "c": "d"}
	c.Targets[0].Facts = map[string]string{"a": "bc", "": "d"}
	if a.digest(b) == c.digest(b) {
		t.Error("two sets of facts encode alike")
	}
	if (Config{}).hash() != (Config{Reads: "allow"}).hash() {
		t.Error("the default is not what it stands for")
	}
	if (Config{}).hash() == (Config{Reads: "ask"}).hash() || (Config{}).hash() == (Config{ReadOnly: true}).hash() {
		t.Error("two policies have one hash")
	}
}
