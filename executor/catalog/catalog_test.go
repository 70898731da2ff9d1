package catalog

import (
	"strings"
	"testing"
)

func TestTableIsSound(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range All() {
		name := o.Service + " " + o.Name
		if seen[name] {
			t.Errorf("%s stands twice", name)
		}
		seen[name] = true
		if p, ok := o.Parameter(o.Target); !ok || p.Kind == Bool {
			t.Errorf("%s: target %q is not among its parameters", name, o.Target)
		}
		if o.API == "" || len(o.Actions) == 0 {
			t.Errorf("%s: something is missing: %+v", name, o)
		}
		if o.Reviewed && o.Changes() {
			t.Errorf("%s: policy could allow a change", name)
		}
		if o.Changes() {
			if p, _ := o.Parameter(o.Target); !p.Required {
				t.Errorf("%s: a change without a target", name)
			}
		}
		for _, p := range o.Parameters {
			if p.Kind == Bool {
				continue
			}
			if !p.Match(p.Like) {
				t.Errorf("%s --%s: its own example %q does not match", name, p.Name, p.Like)
			}
			for _, hostile := range []string{"", "-x", "--x", "@x", "a@=x", "file://x", "fileb:///etc/passwd", "http://x", "https://x",
				"a b", "a\n", "\na", "a\x00", "[", "{", "*", "'", `"`, "$x", "`x`", "a/b", "a;b", "\u202ea", strings.Repeat("a", 300)} {
				if p.Match(hostile) {
					t.Errorf("%s --%s admits %q", name, p.Name, hostile)
				}
			}
		}
	}
}

func TestUnknownNamesFindNothing(t *testing.T) {
	for _, n := range [][2]string{{"", ""}, {"ec2", "terminate-instances"}, {"EC2", "stop-instances"}, {"ec2", "stop-instance"}, {"rds", "stop-instances"}} {
		if o, ok := Find(n[0], n[1]); ok {
			t.Errorf("%q finds %s", n, o.Name)
		}
	}
	if (Parameter{Pattern: ".*", Max: 10}).Match("a") {
		t.Error("a pattern outside the table matches")
	}
}
