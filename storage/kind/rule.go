package kind

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Effect is what a rule does where its conditions hold.
type Effect string

// The effects.
const (
	// Forbids: AWS would refuse.
	Forbids Effect = "forbids"
	// Doubts: AWS may refuse, and what is known of the resource does not tell.
	Doubts Effect = "doubts"
	// Raises: it is riskier.
	Raises Effect = "raises"
	// Notes: a person should know.
	Notes Effect = "notes"
)

// Rule is what is so of a resource where all of When hold.
type Rule struct {
	// Verbs are those that it is about; nil means each that changes AWS.
	Verbs []*Verb
	// Disrupts: it is only about what disrupts.
	Disrupts bool
	When     []Condition
	Effect   Effect
	// Why says so in words that follow "because". {n} stands for how many items
	// the first condition's fact has, {state} for the state.
	Why string
	// Instead says what can be done, if anything. {verb} stands for the verb,
	// {NAME} for the fact of that name, which is foreign text.
	Instead string
}

// Condition holds where a fact, tag or engine is one of some values.
type Condition struct {
	// Of is state, or what Fact and Tag return.
	Of string
	// Is lists values, one of which has to be; a star at the end stands for
	// anything. None at all: it is there, and neither empty nor false.
	Is []string
}

const (
	factPrefix = "fact "
	tagPrefix  = "tag "
	stateName  = "state"
)

// If is a condition on a fact: that it is one of the values, or, with none,
// that it is there and neither empty nor false.
func If(fact string, is ...string) Condition { return Condition{factPrefix + fact, is} }

// IfTag is a condition on a tag by its key, which may end in a star: that it is
// there at all, whatever its value.
func IfTag(key string) Condition { return Condition{Of: tagPrefix + key} }

// IfState is a condition on the state.
func IfState(is ...string) Condition { return Condition{stateName, is} }

// View is what is known of one resource.
type View struct {
	State string
	Tags  map[string]string
	// Facts are texts; what is not known is not there. See Facts.
	Facts map[string]string
}

// everywhere are the rules of every type.
var everywhere = []Rule{
	{When: []Condition{If("deletion_protection")}, Effect: Notes, Why: "it is protected from deletion"},
	{When: []Condition{If("termination_protection")}, Effect: Notes, Why: "it is protected from termination"},
	{Disrupts: true, When: []Condition{IfTag("aws:autoscaling:groupName")}, Effect: Raises,
		Why: "it belongs to an Auto Scaling group, which may replace it and delete it with its data"},
	{Disrupts: true, When: []Condition{IfTag("eks:cluster-name")}, Effect: Raises, Why: kubernetesNode},
	{Disrupts: true, When: []Condition{IfTag("kubernetes.io/cluster/*")}, Effect: Raises, Why: kubernetesNode},
	{Disrupts: true, When: []Condition{IfTag("aws:cloudformation:stack-name")}, Effect: Notes, Why: "a CloudFormation stack manages it"},
}

const kubernetesNode = "it is a node of a Kubernetes cluster"

// Finding is a rule that holds for a resource, in words. Instead carries
// foreign text.
type Finding struct {
	Effect  Effect
	Why     string
	Instead string
}

// Find lists what the rules say of doing a verb to a resource, once each. fact
// writes foreign text, of a fact, so that it can stand in a sentence.
func (k *Kind) Find(v *Verb, r View, fact func(string) string) []Finding {
	if !v.Changes {
		return nil
	}
	var out []Finding
	for _, rule := range k.rules {
		if rule.Verbs != nil && !slices.Contains(rule.Verbs, v) || rule.Disrupts && !v.Disrupts || !rule.holds(r) {
			continue
		}
		f := Finding{Effect: rule.Effect, Why: rule.why(r), Instead: rule.Instead}
		if f.Instead != "" {
			known := map[string]string{"verb": v.Is}
			for name, value := range r.Facts {
				known[name] = fact(value)
			}
			f.Instead = fill(f.Instead, known)
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func (r Rule) holds(v View) bool {
	return !slices.ContainsFunc(r.When, func(c Condition) bool { return !c.holds(v) })
}

// why fills in what a sentence says of the resource; nothing foreign but the
// state, which is one of those that the rule names.
func (r Rule) why(v View) string {
	if !strings.Contains(r.Why, "{") {
		return r.Why
	}
	n := items(v.Facts[strings.TrimPrefix(r.When[0].Of, factPrefix)])
	return strings.NewReplacer("{n}", strconv.Itoa(n), "{state}", v.State).Replace(r.Why)
}

func (r Rule) asks(fact string) bool {
	return slices.ContainsFunc(r.When, func(c Condition) bool { return c.Of == factPrefix+fact })
}

func (r Rule) check(k *Kind) (wrong []error) {
	if len(r.When) == 0 || r.Why == "" || r.Effect == "" {
		return []error{fmt.Errorf("rule %q lacks a condition, a reason or an effect", r.Why)}
	}
	for _, c := range r.When {
		if c.Of != stateName {
			continue
		}
		for _, s := range c.Is {
			if k.Phase(s) == "" {
				wrong = append(wrong, fmt.Errorf("rule %q: %s is no state of the type", r.Why, s))
			}
		}
	}
	if strings.Contains(r.Why, "{state}") && !slices.ContainsFunc(r.When, func(c Condition) bool { return c.Of == stateName }) {
		wrong = append(wrong, fmt.Errorf("rule %q says a state that it does not ask for", r.Why))
	}
	return wrong
}

func (c Condition) holds(v View) bool {
	if key, ok := strings.CutPrefix(c.Of, tagPrefix); ok {
		if !strings.HasSuffix(key, "*") {
			_, there := v.Tags[key]
			return there
		}
		for k := range v.Tags {
			if fits(k, key) {
				return true
			}
		}
		return false
	}
	value := v.State
	if name, ok := strings.CutPrefix(c.Of, factPrefix); ok {
		value = v.Facts[name]
	}
	if len(c.Is) == 0 {
		return value != "" && value != "false" && value != "[]"
	}
	return c.fits(value)
}

// fits reports whether a value is one of those listed.
func (c Condition) fits(value string) bool {
	return slices.ContainsFunc(c.Is, func(is string) bool { return fits(value, is) })
}

func fits(value, pattern string) bool {
	if head, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(value, head)
	}
	return value == pattern
}

// String is the condition for people.
func (c Condition) String() string {
	of := strings.TrimPrefix(c.Of, factPrefix)
	if len(c.Is) == 0 {
		return of + " is there"
	}
	return of + " is " + strings.Join(c.Is, " or ")
}
