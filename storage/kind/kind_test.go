package kind

import (
	"slices"
	"strings"
	"testing"
)

// lamp is a small type with a bit of everything.
func lamp() Kind {
	return Kind{
		Type: "house_lamp", Service: "house", Label: Noun{"lamp", "lamps"}, Words: []string{"lamp", "light"}, Also: []string{"thing"},
		Reads: "house:DescribeLamps", ARN: "lamp/", Forms: []Form{ID("lamp"), Host(".lamp.example")}, Named: "[a-z]+",
		Facts: []Fact{
			{Name: "watts", Label: "power", Show: "{watts} W", Bound: true},
			{Name: "dimmed", Label: "dimmed", Show: "dimmed"},
			{Name: "bulbs", Label: "bulbs", Count: Noun{"bulb", "bulbs"}},
			{Name: "locked", Label: "locked", Asks: Protected},
			{Name: "keeper", Label: "keeper", Asks: Public, Always: true},
			{Name: "made", Label: "made in", Asks: Versioned, Yes: []string{"eu*"}},
		},
		States: []State{{Name: "on", Phase: Up}, {Name: "off", Phase: Down}, {Name: "burnt", Phase: Broken}},
		Edges:  []Edge{{"bulbs", "has", "house_bulb"}},
		Actions: []Action{
			{Verb: Start, Operation: "light-lamp", Undo: Stop, Effect: "It shines.", From: []string{"off"}, Done: []string{"on"}, Failed: []string{"burnt"}},
			{Verb: Stop, Operation: "quench-lamp", Undo: Start, Effect: "It is dark.", From: []string{"on"}, Done: []string{"off"}, Failed: []string{"burnt"}},
			{Verb: Describe, Operation: "describe-lamps", Effect: "Nothing changes."},
		},
		Rules: []Rule{
			{Verbs: []*Verb{Stop}, When: []Condition{If("locked"), If("keeper", "mr*")}, Effect: Forbids, Why: "it is locked", Instead: "{verb} it with {keeper}"},
			{Disrupts: true, When: []Condition{If("bulbs")}, Effect: Notes, Why: "all its {n} bulbs go out"},
			{When: []Condition{IfState("burnt")}, Effect: Raises, Why: "its state is {state}"},
		},
	}
}

func TestAKindSaysWhatItIs(t *testing.T) {
	s, err := New(lamp(), Kind{Type: "house_door", Service: "house", Label: Noun{"door", "doors"}, Words: []string{"door", "thing"}, Unread: true})
	if err != nil {
		t.Fatal(err)
	}
	k := s.Of("house_lamp")
	for facts, want := range map[string]string{
		"watts=40":                           "40 W",
		"watts=40 dimmed=true bulbs=[1,2]":   "40 W · dimmed · 2 bulbs",
		"dimmed=false bulbs=[1] keeper=anna": "1 bulb",
		"bulbs=[]":                           "",
	} {
		m := map[string]string{}
		for f := range strings.FieldsSeq(facts) {
			name, v, _ := strings.Cut(f, "=")
			m[name] = v
		}
		if got := k.Summary(m); got != want {
			t.Errorf("the summary of %s is %q, want %q", facts, got, want)
		}
	}
	if got := k.Asked(); !slices.Equal(got, []string{"bulbs", "deletion_protection", "keeper", "locked", "termination_protection"}) {
		t.Errorf("its rules ask for %q", got)
	}
	if got := k.Bound(); !slices.Contains(got, "watts") || !slices.Contains(got, "locked") || slices.Contains(got, "dimmed") {
		t.Errorf("an approval is bound to %q", got)
	}
	if k.Phase("on") != Up || k.Phase("exploded") != "" {
		t.Errorf("phases are %q and %q", k.Phase("on"), k.Phase("exploded"))
	}
	if d, ok := s.Doing("house", "quench-lamp"); !ok || d.Verb != Stop || d.Type != "house_lamp" {
		t.Errorf("quench-lamp is %+v", d)
	}
	for word, want := range map[string][2]string{
		"lamp": {"house_lamp", "house_lamp"}, "Lights": {"house_lamp", "house_lamp"},
		"thing": {"house_door", "house_lamp house_door"}, "sofa": {"", ""},
	} {
		alone, all := s.Called(word)
		if strings.Join(alone, " ") != want[0] || strings.Join(all, " ") != want[1] {
			t.Errorf("%s means %q alone and %q in all", word, alone, all)
		}
	}
	for typ, want := range map[string]string{"house_lamp": "a lamp", "house_ivy": "a house ivy", "ivy": "an ivy"} {
		if got := s.Label(typ).Article(); got != want {
			t.Errorf("%s is %q", typ, got)
		}
	}
	for one, want := range map[string]string{"queue": "queues", "address": "addresses", "box": "boxes", "key": "keys", "gateway": "gateways", "policy": "policies", "branch": "branches"} {
		if got := Regular(one).Many; got != want {
			t.Errorf("two of %s are %s", one, got)
		}
	}
	for one, want := range map[string]string{"EC2 instance": "an EC2 instance", "VPC": "a VPC", "SQS queue": "an SQS queue", "KMS key": "a KMS key", "Auto Scaling group": "an Auto Scaling group"} {
		if got := (Noun{One: one}).Article(); got != want {
			t.Errorf("%s is %q", one, got)
		}
	}
}

func TestRulesSpeakWhereTheyHold(t *testing.T) {
	s, err := New(lamp())
	if err != nil {
		t.Fatal(err)
	}
	k := s.Of("house_lamp")
	say := func(v *Verb, r View) string {
		var out []string
		for _, f := range k.Find(v, r, func(s string) string { return "<" + s + ">" }) {
			out = append(out, strings.TrimSpace(string(f.Effect)+": "+f.Why+" "+f.Instead))
		}
		return strings.Join(out, "\n")
	}
	locked := map[string]string{"locked": "true", "keeper": "mrs x", "bulbs": `["a,b","c"]`}
	for _, c := range []struct {
		verb *Verb
		view View
		want string
	}{
		{Stop, View{State: "on", Facts: locked}, "forbids: it is locked stop it with <mrs x>\nnotes: all its 2 bulbs go out"},
		{Start, View{State: "on", Facts: locked}, ""},
		{Describe, View{State: "burnt", Facts: locked}, ""},
		{Stop, View{Facts: map[string]string{"locked": "true", "keeper": "anna"}}, ""},
		{Stop, View{Facts: map[string]string{"locked": "false", "keeper": "mr y"}}, ""},
		{Start, View{State: "burnt"}, "raises: its state is burnt"},
		{Stop, View{Tags: map[string]string{"kubernetes.io/cluster/a": "owned", "eks:cluster-name": "a"}}, "raises: it is a node of a Kubernetes cluster"},
		{Start, View{Tags: map[string]string{"aws:autoscaling:groupName": "a"}, Facts: map[string]string{"deletion_protection": "true"}}, "notes: it is protected from deletion"},
	} {
		if got := say(c.verb, c.view); got != c.want {
			t.Errorf("%s of %+v: %q, want %q", c.verb.Is, c.view, got, c.want)
		}
	}
}

func TestAKindThatContradictsItselfIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Kind){
		"lacks a type":               func(k *Kind) { k.Label.Many = "" },
		"no IAM action":              func(k *Kind) { k.Reads = "" },
		"lacks a label":              func(k *Kind) { k.Facts[0].Label = "" },
		"is no fact of it":           func(k *Kind) { k.Rules[0].When[0] = If("colour") },
		"is of no fact":              func(k *Kind) { k.Edges[0].Fact = "colour" },
		"is not the only one":        func(k *Kind) { k.Facts[0].Asks = Protected },
		"and not what":               func(k *Kind) { k.Facts[0].Always = true },
		"lacks a phase":              func(k *Kind) { k.States[0].Phase = "" },
		"is no state of the type":    func(k *Kind) { k.Actions[0].From = []string{"dim"} },
		"needs the states":           func(k *Kind) { k.Actions[0].From = nil },
		"nothing but its end":        func(k *Kind) { k.Actions[0].Failed = nil },
		"and among others":           func(k *Kind) { k.Actions[0].Failed = []string{"on"} },
		"does not lead back":         func(k *Kind) { k.Actions[1].Undo = nil },
		"cannot begin":               func(k *Kind) { k.Actions[0].Done = []string{"burnt"}; k.Actions[0].Failed = []string{"on"} },
		"lacks a verb":               func(k *Kind) { k.Actions[2].Effect = "" },
		"lacks a condition":          func(k *Kind) { k.Rules[0].When = nil },
		"that it does not ask for":   func(k *Kind) { k.Rules[0].Why = "{state}" },
		"is an action of house_lamp": func(k *Kind) { k.Actions = append(k.Actions, k.Actions[2]) },
	} {
		k := lamp()
		spoil(&k)
		if _, err := New(k); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want a refusal with %q, got %v", name, err)
		}
	}
	if _, err := New(lamp(), lamp()); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("a type that stands twice: %v", err)
	}
}

func TestTheVersionIsOfAllThatIsSaid(t *testing.T) {
	a, _ := New(lamp())
	b, _ := New(lamp())
	k := lamp()
	k.Rules[0].Effect = Notes
	c, _ := New(k)
	if a.Version() != b.Version() || a.Version() == c.Version() {
		t.Errorf("versions are %s, %s and, changed, %s", a.Version(), b.Version(), c.Version())
	}
}

func TestIdentifiersTellWhatTheyAre(t *testing.T) {
	s, err := New(lamp())
	if err != nil {
		t.Fatal(err)
	}
	for identifier, want := range map[string]string{
		"lamp-0123456789abcdef0":               "house_lamp unique",
		"LAMP-01234567":                        "house_lamp unique",
		"hall.lamp.example":                    "house_lamp unique",
		"arn:aws:house:x:1:lamp/hall":          "house_lamp",
		"arn:aws:house:x:1:door/hall":          "house door",
		"hall":                                 "house_lamp a name",
		"Hall 1":                               " a name",
		"vpc-01234567":                         "vpc",
		"arn:aws:house:eu-west-1:7:lamp/h all": "house_lamp a name",
	} {
		w := s.Where(identifier)
		got := strings.Join(w.Types, " ")
		if len(w.Types) == 0 && !strings.HasPrefix(want, " ") {
			got = w.Unread
		}
		if s.Unique("house_lamp", "", "hall", identifier) {
			got += " unique"
		}
		if !s.Identifies(identifier) {
			got += " a name"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", identifier, got, want)
		}
	}
	w := s.Where("arn:aws:house:eu-west-1:7:lamp/h")
	if w.AccountID != "7" || w.Region != "eu-west-1" {
		t.Errorf("an ARN says %+v", w)
	}
}

func TestRegions(t *testing.T) {
	for word, want := range map[string][3]bool{ // shaped, is one, ends so
		"us-west-2": {true, true, true}, "us-gov-east-1": {true, true, true}, "eusc-de-east-1": {true, true, true},
		"us-isob-east-1": {true, true, true}, "ap-southeast-7": {true, true, true}, "il-central-1": {true, true, true},
		"web-west-2": {true, false, true}, "us-middle-1": {true, false, false}, "us-west": {}, "US-WEST-2": {}, "us-west-2.evil.example": {},
		"eu-db-west-1": {true, false, true}, "localhost": {}, "": {}, "pg-main-1": {true, false, false},
	} {
		if got := [3]bool{RegionShaped(word), IsRegion(word), EndsInDirection(word)}; got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
}

func TestVerbsAreTold(t *testing.T) {
	seen := map[string]string{}
	for _, v := range Verbs() {
		if v.Past == "" || v.Doing == "" || v.Icon == "" || v.Disrupts && !v.Changes {
			t.Errorf("%s is incomplete: %+v", v.Is, v)
		}
		for _, p := range v.Phrases {
			if len(strings.Fields(p)) != 2 {
				t.Errorf("%q, a phrase of %s, is no two words", p, v.Is)
			}
		}
		for _, w := range v.Slips {
			if !slices.Contains(v.Words, w) {
				t.Errorf("%s may be misspelt as %s, which is no word of it", w, v.Is)
			}
		}
		for _, w := range slices.Concat(v.Words, v.Phrases, v.Forms) {
			if other, taken := seen[w]; taken {
				t.Errorf("%q is of %s and of %s", w, v.Is, other)
			}
			seen[w] = v.Is
		}
	}
}

func TestPropertiesAreToldByFacts(t *testing.T) {
	s, err := New(lamp())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of    *Property
		facts string
		want  Answer
		value string
	}{
		{Protected, "locked=true", Yes, ""}, {Protected, "locked=false", No, ""}, {Protected, "", Unsure, ""}, {Protected, "locked=unknown", Unsure, ""},
		{Public, "keeper=anna", Yes, "anna"}, {Public, "", No, ""},
		{Versioned, "made=europe", Yes, ""}, {Versioned, "made=asia", No, ""}, {Versioned, "", Unsure, ""},
		{Encrypted, "locked=true", Unsure, ""},
		{Tagged, "", Yes, ""}, {Tagged, "tags_unknown=true", Unsure, ""},
	} {
		v := View{Tags: map[string]string{"room": "hall"}, Facts: map[string]string{}}
		for f := range strings.FieldsSeq(c.facts) {
			name, value, _ := strings.Cut(f, "=")
			v.Facts[name] = value
		}
		if is, value := s.Of("house_lamp").Has(c.of, v); is != c.want || value != c.value {
			t.Errorf("with %q, whether it is %s is %d %q, want %d %q", c.facts, c.of.Is, is, value, c.want, c.value)
		}
	}
	if got, _ := s.Of("house_lamp").Has(Tagged, View{}); got != No {
		t.Errorf("without tags it is tagged: %d", got)
	}
}

func TestPropertiesAreToldApart(t *testing.T) {
	seen := map[string]string{}
	for _, p := range Properties() {
		if p.Is == "" || p.Have == "" || p.Lack == "" || p.Has == "" || p.Lacks == "" {
			t.Errorf("%q is incomplete: %+v", p.Is, p)
		}
		for _, w := range slices.Concat(p.Words, p.Not) {
			if other, taken := seen[w]; taken {
				t.Errorf("%q asks whether it is %s and %s", w, p.Is, other)
			}
			seen[w] = p.Is
		}
	}
}

func TestPlurals(t *testing.T) {
	s, err := New(lamp(), Kind{Type: "x", Service: "x", Label: Noun{"x", "x"}, Words: []string{"box", "policy", "gateway", "batch", "sqs", "class"}, Unread: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range s.All() {
		for _, w := range k.Words {
			if alone, _ := s.Called(Plural(w)); !slices.Equal(alone, []string{k.Type}) {
				t.Errorf("%s, of %s, means %q", Plural(w), w, alone)
			}
		}
	}
}
