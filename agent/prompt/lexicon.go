package prompt

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

// Class is what a word can be in the grammar; a word may be of several.
type Class uint32

// The classes.
const (
	// Action words ask for one of the known verbs: stop, start, reboot.
	Action Class = 1 << iota
	// ActionForm words are other forms of them: stopping, stopped, restarted.
	ActionForm
	// Particle completes a verb: up, down, off, on, back.
	Particle
	// Unsupported words ask for something that is no known verb: delete, resize.
	Unsupported
	// Ask words ask to be told: describe, show, list, count, find.
	Ask
	// Question words begin or make a question: what, is, should, can.
	Question
	Negation
	// Condition words make the rest depend on something: if, when, unless.
	Condition
	// Time words put it elsewhere in time: tomorrow, later, every.
	Time
	// Now words say that it is meant now, which needs no saying.
	Now
	// Reason words begin an explanation: because.
	Reason
	// Pronoun refers back: it, that, them.
	Pronoun
	Quantifier
	// Ordinal picks from a list: first, second, last.
	Ordinal
	Article
	// Indefinite articles: a, an, some, any.
	Indefinite
	Preposition
	Conjunction
	// Kind words are types of resources: instance, database, bucket.
	Kind
	// State words are states of resources: running, stopped.
	State
	// Polite words and fillers carry no meaning here.
	Polite
	Greeting
	Yes
	// Person: i, you, we.
	Person
	// Want words begin a wish: want, need, like.
	Want
	// Here: here, there.
	Here
	// Label words say what the next word is: named, tagged, account, region.
	Label
	// Noun words are about resources without being a type: status, details.
	Noun
	// Cancel words take back: cancel, abort, nevermind.
	Cancel
)

// What verbs, types and states are called is told by them, see known.
var classes = lexicon()

func lexicon() map[string]Class {
	m := map[string]Class{}
	for _, e := range []struct {
		class Class
		words string
	}{
		{Particle, "up down off on back again out"},
		{Unsupported, `delete terminate destroy remove drop kill nuke wipe erase purge empty resize scale modify change update edit alter
			create launch deploy provision make add attach detach mount unmount tag untag rename snapshot backup restore
			failover promote upgrade downgrade patch rotate encrypt decrypt grant revoke open close ssh connect move copy clone migrate
			disable enable hibernate suspend pause resume allocate release associate disassociate reset rollback install uninstall
			download upload invoke publish send subscribe unsubscribe approve execute run kick rebuild replace reconfigure configure
			set put push pull undo revert roll block unblock allow deny protect unprotect`},
		{Ask, "describe show list display print get give tell explain find search lookup look inspect check count summarize summarise see view enumerate examine fetch help report"},
		{Question, `what which who whom whose why when where how is are am was were do does did has have had can could would will
			should shall may might must whats ought`},
		{Negation, "not no never neither nor without none nothing nobody avoid refrain except excluding missing lacking lack lacks outside rather prevent forbid hardly "},
		{Condition, "if when whenever unless once until till while after before as provided assuming whether otherwise unlike during"},
		{Time, `tomorrow tonight later yesterday daily nightly weekly monthly hourly midnight noon morning evening afternoon night
			weekend weekends weekday weekdays monday tuesday wednesday thursday friday saturday sunday minute minutes hour hours hrs day days week
			weeks month months year years soon eventually someday o'clock schedule scheduled always periodically often afterwards`},
		{Now, "now immediately today asap quickly straightaway instantly"},
		{Reason, "because cause cuz since therefore"},
		{Pronoun, "it this that them those these they its one ones same itself themselves former latter other others"},
		{Quantifier, "all every everything each both any anything either everyone whole entire"},
		{Ordinal, "first second third fourth fifth sixth seventh eighth ninth tenth last 1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th"},
		{Article, "the my our your their his her"},
		{Indefinite, "a an some any another"},
		{Preposition, "in on at of from with for to by into within inside under across through via about like than between over onto per"},
		{Conjunction, "and or but then also plus & + instead though however yet so"},
		{State, "idle busy healthy unhealthy"},
		{Polite, `please pls plz kindly just ok okay so well now alright right actually really simply maybe perhaps quick real cheers hey yo oh
			um uh hmm cloudops assistant bot friend buddy mate sir dear again anyway anyways too also first finally next then thanks thank thx ty
			ahead go away directly possibly anymore regardless only still already currently gracefully cleanly safely completely fully properly temporarily bit moment`},
		{Greeting, "hi hello hey howdy greetings hiya yo morning afternoon evening bye goodbye thanks thank thx ty cheers welcome good"},
		{Yes, "yes yep yeah yup sure ok okay correct right exactly affirmative confirm confirmed proceed absolutely definitely y"},
		{Person, "i you u we me us he she"},
		{Want, "want need like wish love prefer try going have got trying able help make sure ensure let"},
		{Here, "here there"},
		{Label, "named called name tagged tag tags labelled labeled account accounts region regions profile env id identifier arn option number choice type kind zone state"},
		{Noun, "ip ips address addresses dns hostname status state states details detail info information facts summary overview uptime health estate inventory account everything"},
		{Cancel, "cancel abort nevermind wait scratch forget ignore disregard kidding oops"},
	} {
		for _, w := range strings.Fields(e.words) {
			m[w] |= e.class
		}
	}
	known(m)
	return m
}

// known adds the words of verbs, types and states. A word of a verb is none that
// asks for something else.
func known(m map[string]Class) {
	add := func(c Class, words ...string) {
		for _, w := range words {
			m[w] |= c
		}
	}
	for _, v := range kind.Verbs() {
		add(Action, v.Words...)
		add(ActionForm, v.Forms...)
		for _, p := range v.Phrases {
			first, _, _ := strings.Cut(p, " ")
			add(Action, first)
			add(ActionForm, kind.Bent(first)...)
		}
	}
	for w, c := range m {
		if c&Action != 0 {
			m[w] &^= Unsupported
		}
	}
	for _, w := range kindWords {
		add(Kind, w)
	}
	for w := range plurals {
		add(Kind, w)
	}
	for w := range states {
		add(State, w)
	}
}

// kindWords are what people call types of resources, and any; types that are not
// read have no words here, so that who asks for one is told so.
var kindWords = func() []string {
	words := strings.Fields("resource thing stuff")
	for _, k := range aws.Kinds().All() {
		if !k.Unread {
			words = slices.Concat(words, k.Words, k.Also)
		}
	}
	return words
}()

// plurals are the same for more than one.
var plurals = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range kindWords {
		m[kind.Plural(w)] = true
	}
	return m
}()

// phases are what people call phases, whatever the type.
var phases = map[kind.Phase][]string{
	kind.Up:     strings.Fields("running up online alive on started"),
	kind.Down:   strings.Fields("stopped down off offline dead"),
	kind.Broken: {"failed"},
}

// inState is a state of a type.
type inState struct{ typ, name string }

// states are what a state word stands for: a phase, or a state by its name or
// what else it is called.
var states = func() map[string]map[inState]bool {
	m := map[string]map[inState]bool{}
	for _, k := range aws.Kinds().All() {
		for _, s := range k.States {
			for _, w := range slices.Concat([]string{s.Name}, s.Words, phases[s.Phase]) {
				if m[w] == nil {
					m[w] = map[inState]bool{}
				}
				m[w][inState{k.Type, s.Name}] = true
			}
		}
	}
	return m
}()

// Means reports whether a state word is said of a resource of a type that is in
// a state.
func Means(word, typ, state string) bool {
	return states[word][inState{typ, strings.ToLower(state)}]
}

func isAccount(w string) bool { return len(w) == 12 && strings.Trim(w, "0123456789") == "" }
