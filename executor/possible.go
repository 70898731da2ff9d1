package executor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// Can is whether something can be done.
type Can string

// Unknown: AWS has the last word, since what is known does not tell.
const (
	Yes     Can = "yes"
	No      Can = "no"
	Unknown Can = "unknown"
)

// Possibility is whether a verb can be done to a resource now.
type Possibility struct {
	Verb string `json:"verb"`
	// Title is the verb for a menu and Icon VS Code's name of an icon.
	Title string `json:"title"`
	Icon  string `json:"icon"`
	// Operation is the AWS CLI's name of what does it.
	Operation string `json:"operation"`
	// Changes: it changes AWS, so that it asks first.
	Changes bool `json:"changes,omitempty"`
	Can     Can  `json:"can"`
	// Why it can't be done, or why that is unknown, in words that follow
	// "because"; Instead what could be done, if anything. Both are plain text,
	// Instead with foreign text in it that is escaped for a line of text.
	Why     string `json:"why,omitempty"`
	Instead string `json:"instead,omitempty"`

	// already: there is nothing left to do.
	already bool
}

// Possible says what may be done to a resource of a type now, and why not: the
// one answer that hovers, menus, chat, cards and plans share. It goes by what is
// known of the resource; a plan asks it again with what AWS says then.
func Possible(typ string, v kind.View) []Possibility {
	return among(aws.Kinds(), typ, v)
}

func among(kinds *kind.Set, typ string, v kind.View) []Possibility {
	k := kinds.Of(typ)
	if k == nil || len(k.Actions) == 0 {
		return nil
	}
	out := make([]Possibility, len(k.Actions))
	for i, a := range k.Actions {
		out[i] = possible(k, a, v)
	}
	return out
}

// Possible is as the function of that name, under the policy in force.
func (e *Executor) Possible(typ string, v kind.View) []Possibility {
	out := Possible(typ, v)
	policy, why := e.rules()
	for i := range out {
		if err := forbids(policy, why, out[i].Operation, out[i].Changes); err != nil && out[i].Can != No {
			out[i].Can, out[i].Why = No, strings.TrimPrefix(err.Error(), ErrRefused.Error()+": ")
		}
	}
	return out
}

// CanDo is what Possible says of one verb; ok is false where there is no such
// command for the type.
func CanDo(typ, verb string, v kind.View) (p Possibility, ok bool) {
	d, ok := aws.Kinds().Action(typ, verb)
	if !ok {
		return p, false
	}
	return possible(d.Kind, d.Action, v), true
}

func possible(k *kind.Kind, a kind.Action, v kind.View) Possibility {
	p := Possibility{
		Verb: a.Verb.Is, Title: a.Verb.Title(), Icon: a.Verb.Icon, Operation: a.Operation, Changes: a.Verb.Changes, Can: Yes,
	}
	if !a.Verb.Changes {
		return p
	}
	if slices.Contains(a.Already, v.State) {
		p.Can, p.Why, p.already = No, "it is already "+v.State, true
		return p
	}
	for _, f := range k.Find(a.Verb, v, show) {
		switch {
		case f.Effect == kind.Forbids:
			p.Can, p.Why, p.Instead = No, f.Why, f.Instead
			return p
		case f.Effect == kind.Doubts && p.Can == Yes:
			p.Can, p.Why = Unknown, f.Why
		}
	}
	switch {
	case a.From == nil || slices.Contains(a.From, v.State):
	case v.State == "" || v.State == aws.StateUnknown:
		p.Can, p.Why = Unknown, "its state is not known"
	default:
		p.Can, p.Why = No, fmt.Sprintf("it is %s; AWS can %s it only when it is %s", show(v.State), a.Verb.Is, strings.Join(a.From, " or "))
	}
	return p
}

// Constraints are those of a resource, with what may be done to it now as the
// design document names it: can_stop, and cannot_stop_because. What is unknown
// is not there.
func Constraints(r storage.Resource) map[string]any {
	c := maps.Clone(r.Constraints)
	if c == nil {
		c = map[string]any{}
	}
	for _, p := range Possible(r.Type, r.View()) {
		can, because := "can_"+p.Verb, "cannot_"+p.Verb+"_because"
		delete(c, can)
		delete(c, because)
		if !p.Changes || p.Can == Unknown {
			continue
		}
		c[can] = p.Can == Yes
		if p.Can == No && !p.already {
			c[because] = p.Why
		}
	}
	return c
}
