// Package kind is what a type of resource is, as pure data: what people call
// it, how its identifiers look, its facts and states, what leads from it to
// others, what can be done to it and what forbids that.
//
// Its entry points are Kind, one value a type, and Set, all of them. The values
// stand beside the code that reads the type from AWS, in scanner/aws, one file
// a service. Whoever needs to know something of a type reads it there: search,
// chat, hovers, menus, cards, risk, editors and docs/resources.md. verb.go has
// the verbs, rule.go the rules and identifier.go the looks of identifiers;
// environment.go and region.go say what production and a region are; property.go
// has what people ask whether resources have it.
//
// Invariants: a Kind is complete in itself and never changes; New refuses one
// that contradicts itself or another; nothing here calls AWS or keeps state.
package kind

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Kind is one type of resource.
type Kind struct {
	// Type is its name here, such as rds_instance, and Service the AWS CLI's
	// name of its service.
	Type, Service string
	Label         Noun
	// Words are what people call it, in the singular: database, db. Also are
	// words that it may be called beside a name or another of its words.
	Words, Also []string
	// Unread: scans don't read it yet; whoever asks for it is told so.
	Unread bool
	// Global: one list holds the resources of all regions.
	Global bool
	// Reads is the IAM action that listing and describing it takes.
	Reads string
	// ARN is what the resource part of its ARNs begins with, such as "db:"; ""
	// where that is what the resource is called.
	ARN string
	// Forms are the looks of what AWS made up to identify it, Named of what
	// people choose; a name can be anything where that is "".
	Forms []Form
	Named string
	// UniqueName: no two resources in the whole partition have the same name.
	UniqueName bool
	// TagsApart: its tags are read by a call of their own, so that they can be
	// unknown, see TagsUnknown.
	TagsApart bool
	// IaC are the attributes of code that name it: aws_db_instance.identifier.
	IaC     []string
	Facts   []Fact
	States  []State
	Edges   []Edge
	Actions []Action
	Rules   []Rule
	// Gone are the codes of errors that say that there is no such resource.
	Gone []string

	named *regexp.Regexp
	rules []Rule // its own and those of everything
}

// Noun is a type in words, without an article and with its initials in
// capitals: "RDS instance" and "RDS instances".
type Noun struct{ One, Many string }

// Regular is a noun with the plural that the rules of English give it.
func Regular(one string) Noun {
	many := one + "s"
	switch {
	case strings.HasSuffix(one, "s"), strings.HasSuffix(one, "x"), strings.HasSuffix(one, "ch"):
		many = one + "es"
	case strings.HasSuffix(one, "y") && !strings.HasSuffix(one, "ey") && !strings.HasSuffix(one, "ay"):
		many = strings.TrimSuffix(one, "y") + "ies"
	}
	return Noun{one, many}
}

// Article is the noun for one, behind "a" or "an".
func (n Noun) Article() string {
	first, _, _ := strings.Cut(n.One, " ")
	vowel := "AEIOUaeiou"
	if first == strings.ToUpper(first) {
		vowel = "AEFHILMNORSX" // spelt out: an EC2, an RDS, an S3 thing
	}
	if n.One != "" && strings.ContainsRune(vowel, rune(n.One[0])) {
		return "an " + n.One
	}
	return "a " + n.One
}

// Fact is a property that resources of the type have, below its name in their
// metadata or constraints. Engine and engine_version are facts too.
type Fact struct {
	Name, Label string
	// Show says it in the line that sums a resource up: "{allocated_storage} GiB"
	// with the facts that it names, or a word for what is true, such as
	// "Multi-AZ". Count says instead how many items it has. The line has the
	// facts that have either, in the order of the Kind.
	Show  string
	Count Noun
	// Bound: an approval holds only while it stays the same. What a rule asks
	// for is bound too, without saying.
	Bound bool
	// Embed: it is part of what a search by meaning finds.
	Embed bool
	// Asks is the property that it tells of, if any: the resource has it where
	// the fact is one of Yes, which may end in a star, or, with none, is there and
	// not false. One that AWS always tells where it is so says no by not being
	// there; of others that is not known.
	Asks   *Property
	Yes    []string
	Always bool
	// Values are those that people ask for by name, in lower case: postgres; Short
	// are other words for them.
	Values []string
	Short  map[string]string
}

// Unread is the value of a fact that AWS did not let be read.
const Unread = "unknown"

// Phase is what a state means, whatever the type.
type Phase string

// The phases.
const (
	Up     Phase = "up"
	Down   Phase = "down"
	Moving Phase = "moving"
	Broken Phase = "broken"
	Gone   Phase = "gone"
)

// State is one state by AWS's name.
type State struct {
	Name  string
	Phase Phase
	// Words are what else people call it: a pending instance is starting.
	Words []string
}

// Edge is a fact that names another resource.
type Edge struct {
	// Fact holds its identifier, or a list of them.
	Fact string
	// Is what the resource is to the other: in, uses, member of, copy of.
	Is string
	// To is the other's type.
	To string
}

// Action is something reviewed that can be done.
type Action struct {
	Verb *Verb
	// Operation is the AWS CLI's name of what does it, in the type's service.
	Operation string
	// Undo is the verb of the action that leads back; nil if none does.
	Undo *Verb
	// Effect says in a sentence what a person will notice.
	Effect string
	// From are the states it can start in; nil means any.
	From []string
	// Already are the states in which there is nothing left to do.
	Already []string
	// Done are the states that end the wait, Failed those from which they are
	// not reached any more; nil means no wait.
	Done, Failed []string
	// Settles: the state before and after is the same, so that the wait must see
	// it twice in a row.
	Settles bool
}

// Action is what a verb does to the type.
func (k *Kind) Action(verb string) (Action, bool) {
	i := slices.IndexFunc(k.Actions, func(a Action) bool { return a.Verb.Is == verb })
	if i < 0 {
		return Action{}, false
	}
	return k.Actions[i], true
}

// Phase is what a state means; "" for one that is not known.
func (k *Kind) Phase(state string) Phase {
	i := slices.IndexFunc(k.States, func(s State) bool { return s.Name == state })
	if i < 0 {
		return ""
	}
	return k.States[i].Phase
}

// Summary is a resource in one line: its facts that have a Show or a Count.
func (k *Kind) Summary(facts map[string]string) string {
	var parts []string
	for _, f := range k.Facts {
		v := facts[f.Name]
		switch n := items(v); {
		case v == "" || v == "false":
		case f.Count.One != "" && n == 1:
			parts = append(parts, "1 "+f.Count.One)
		case f.Count.One != "" && n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, f.Count.Many))
		case f.Show != "":
			parts = append(parts, fill(f.Show, facts))
		}
	}
	return strings.Join(parts, " · ")
}

var place = regexp.MustCompile(`\{[a-z_0-9]+\}`)

// fill puts facts where a text names them in braces.
func fill(text string, facts map[string]string) string {
	return strings.TrimSpace(place.ReplaceAllStringFunc(text, func(name string) string { return facts[name[1:len(name)-1]] }))
}

// items is how many a fact that is a list has.
func items(value string) int {
	var list []any
	if json.Unmarshal([]byte(value), &list) != nil {
		return 0
	}
	return len(list)
}

// Bound are the names of the facts that an approval is bound to.
func (k *Kind) Bound() []string {
	names := k.Asked()
	for _, f := range k.Facts {
		if f.Bound && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Asked are the names of the facts that its rules ask for, in order.
func (k *Kind) Asked() []string {
	var names []string
	for _, r := range k.rules {
		for _, c := range r.When {
			if name, ok := strings.CutPrefix(c.Of, factPrefix); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Facts are those of metadata and constraints, as texts: lists as JSON.
func Facts(sources ...map[string]any) map[string]string {
	facts := map[string]string{}
	for _, source := range sources {
		for name, v := range source {
			if s, ok := v.(string); ok {
				facts[name] = s
			} else if b, err := json.Marshal(v); err == nil {
				facts[name] = strings.Trim(string(b), `"`)
			}
		}
	}
	return facts
}

// Set is all types. The zero Set holds none; it is safe for concurrent use.
type Set struct {
	kinds    []*Kind
	byType   map[string]*Kind
	byWord   map[string]meaning
	byAction map[string]Doing
	version  string
}

// meaning is what a word of people means: alone, and beside a name.
type meaning struct{ alone, all []string }

// Doing is an action and the type that it is of.
type Doing struct {
	*Kind
	Action
}

// New makes a set, and says all that is wrong with its kinds.
func New(kinds ...Kind) (*Set, error) {
	s := &Set{byType: map[string]*Kind{}, byWord: map[string]meaning{}, byAction: map[string]Doing{}}
	var wrong []error
	for _, k := range kinds {
		own := k
		own.compile()
		for _, err := range own.check() {
			wrong = append(wrong, fmt.Errorf("%s: %w", k.Type, err))
		}
		if s.byType[k.Type] != nil {
			wrong = append(wrong, fmt.Errorf("%s stands twice", k.Type))
		}
		s.kinds, s.byType[k.Type] = append(s.kinds, &own), &own
		for _, w := range k.Words {
			m := s.byWord[w]
			s.byWord[w] = meaning{append(m.alone, k.Type), append(m.all, k.Type)}
		}
		for _, w := range k.Also {
			m := s.byWord[w]
			s.byWord[w] = meaning{m.alone, append(m.all, k.Type)}
		}
		for _, a := range k.Actions {
			name := k.Service + " " + a.Operation
			if other, taken := s.byAction[name]; taken {
				wrong = append(wrong, fmt.Errorf("%s: %s is an action of %s already", k.Type, name, other.Type))
			}
			s.byAction[name] = Doing{&own, a}
		}
	}
	b, err := json.Marshal(kinds)
	if err != nil {
		wrong = append(wrong, err)
	}
	sum := sha256.Sum256(b)
	s.version = hex.EncodeToString(sum[:])
	return s, errors.Join(wrong...)
}

// compile makes ready what is asked for often.
func (k *Kind) compile() {
	whole := func(pattern string) *regexp.Regexp { return regexp.MustCompile("^(?:" + pattern + ")$") }
	k.rules = slices.Concat(k.Rules, everywhere)
	k.named = whole(k.Named)
	k.Forms = slices.Clone(k.Forms)
	for i := range k.Forms {
		k.Forms[i].whole = whole(k.Forms[i].Pattern)
	}
}

// Version identifies all that the set says.
func (s *Set) Version() string { return s.version }

// All lists the types in the order in which they were given.
func (s *Set) All() []*Kind { return s.kinds }

// Of is a type by its name; nil if there is no such type.
func (s *Set) Of(typ string) *Kind { return s.byType[typ] }

// Label is a type in words, also of one that the set does not hold.
func (s *Set) Label(typ string) Noun {
	if k := s.byType[typ]; k != nil {
		return k.Label
	}
	return Regular(strings.ReplaceAll(typ, "_", " "))
}

// Doing is the action of an operation by the AWS CLI's names.
func (s *Set) Doing(service, operation string) (Doing, bool) {
	d, ok := s.byAction[service+" "+operation]
	return d, ok
}

// Action is what a verb does to a type.
func (s *Set) Action(typ, verb string) (Doing, bool) {
	k := s.byType[typ]
	if k == nil {
		return Doing{}, false
	}
	a, ok := k.Action(verb)
	return Doing{k, a}, ok
}

// Called lists the types that a word of people means alone, and all that it may
// mean beside a name or another such word; plurals are understood. Both are nil
// for a word that means none.
func (s *Set) Called(word string) (alone, all []string) {
	w := strings.ToLower(word)
	for _, form := range [...]string{w, strings.TrimSuffix(w, "s"), strings.TrimSuffix(w, "es"), strings.TrimSuffix(w, "ies") + "y"} {
		if m, ok := s.byWord[form]; ok {
			return slices.Clone(m.alone), slices.Clone(m.all)
		}
	}
	return nil, nil
}

// Phase is what a state of a type means; "" for one that is not known.
func (s *Set) Phase(typ, state string) Phase {
	if k := s.byType[typ]; k != nil {
		return k.Phase(strings.ToLower(state))
	}
	return ""
}

// States lists the names of the states of all types.
func (s *Set) States() []string {
	var names []string
	for _, k := range s.kinds {
		for _, state := range k.States {
			names = append(names, state.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Values lists the values of facts that people ask for by name, and Short what
// other words stand for: "pg" for postgres.
func (s *Set) Values() (values []string, short map[string]string) {
	short = map[string]string{}
	for _, k := range s.kinds {
		for _, f := range k.Facts {
			values = append(values, f.Values...)
			maps.Copy(short, f.Short)
		}
	}
	slices.Sort(values)
	return slices.Compact(values), short
}

// Plural is a word of people for more than one.
func Plural(word string) string {
	switch head, y := strings.CutSuffix(word, "y"); {
	case y && head != "" && !strings.ContainsRune("aeiou", rune(head[len(head)-1])):
		return head + "ies"
	case strings.HasSuffix(word, "x"), strings.HasSuffix(word, "ch"), strings.HasSuffix(word, "sh"), strings.HasSuffix(word, "ss"):
		return word + "es"
	}
	return word + "s"
}

// check says what is wrong with a kind by itself.
func (k *Kind) check() (wrong []error) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if k.Type == "" || k.Service == "" || k.Label.One == "" || k.Label.Many == "" || len(k.Words) == 0 {
		say("it lacks a type, a service, a label or words")
	}
	if !k.Unread && k.Reads == "" {
		say("no IAM action reads it")
	}
	facts := map[string]bool{"engine": true, "engine_version": true}
	asked := map[*Property]bool{nil: true}
	for _, f := range k.Facts {
		if f.Label == "" {
			say("fact %s lacks a label", f.Name)
		}
		if f.Asks != nil && asked[f.Asks] || f.Asks == Tagged {
			say("fact %s is not the only one that tells whether it is %s", f.Name, f.Asks.Is)
		}
		if f.Asks == nil && (f.Always || f.Yes != nil) {
			say("fact %s says when it is so, and not what", f.Name)
		}
		asked[f.Asks], facts[f.Name] = true, true
	}
	for _, name := range k.Asked() {
		if !facts[name] && !slices.ContainsFunc(everywhere, func(r Rule) bool { return r.asks(name) }) {
			say("a rule asks for %s, which is no fact of it", name)
		}
	}
	for _, e := range k.Edges {
		if !facts[e.Fact] || e.Is == "" || e.To == "" {
			say("edge %s is of no fact, or incomplete", e.Fact)
		}
	}
	for _, s := range k.States {
		if s.Phase == "" {
			say("state %s lacks a phase", s.Name)
		}
	}
	for _, r := range k.Rules {
		wrong = append(wrong, r.check(k)...)
	}
	for _, a := range k.Actions {
		wrong = append(wrong, a.check(k)...)
	}
	return wrong
}

func (a Action) check(k *Kind) (wrong []error) {
	say := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(a.Operation+": "+format, args...))
	}
	if a.Verb == nil || a.Operation == "" || a.Effect == "" {
		say("it lacks a verb, an operation or an effect")
		return wrong
	}
	if a.Verb.Changes && a.From == nil {
		say("a change needs the states that it begins in")
	}
	if a.Done != nil && a.Failed == nil {
		say("it waits, and nothing but its end ends that")
	}
	for _, list := range [][]string{a.From, a.Already, a.Done, a.Failed} {
		for _, s := range list {
			if k.Phase(s) == "" {
				say("%s is no state of the type", s)
			}
		}
	}
	for _, s := range a.Failed {
		if slices.Contains(a.Done, s) || slices.Contains(a.From, s) || slices.Contains(a.Already, s) {
			say("%s is among the states that it fails in, and among others", s)
		}
	}
	if a.Undo == nil {
		return wrong
	}
	back, ok := k.Action(a.Undo.Is)
	if !ok || back.Undo != a.Verb {
		say("%s does not lead back", a.Undo.Is)
		return wrong
	}
	for _, s := range a.Done {
		if !slices.Contains(back.From, s) {
			say("it ends in %s, where %s cannot begin", s, a.Undo.Is)
		}
	}
	return wrong
}
