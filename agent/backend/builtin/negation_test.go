package builtin_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/agent"
)

// negatable is a property of databases, and the ways to say it and its opposite.
var negatable = []struct {
	have, lack string // databases, as listed returns them
	is, isNot  []string
}{
	{"users-db", "orders-copy orders-db", []string{"encrypted", "not unencrypted"}, []string{"unencrypted", "not encrypted", "non-encrypted"}},
	{"orders-db", "orders-copy users-db", []string{"public", "not private"}, []string{"private", "not public", "non-public"}},
	{"users-db", "orders-copy orders-db", []string{"multi-az"}, []string{"single-az", "not multi-az"}},
	{"users-db", "orders-db", []string{"protected"}, []string{"unprotected", "not protected", "non-protected"}},
}

// leftOut are ways to leave out the MySQL databases, which are all but users-db.
var leftOut = []string{
	" but not mysql", " but not mysql ones", " and not mysql", ", not mysql", " except mysql", ", except the mysql ones", " but mysql ones",
	" without mysql", " other than mysql", " excluding mysql ones", " but orders-db and orders-copy", ", but not the orders ones",
}

var unanswered = regexp.MustCompile("did not understand|don't know what|can't answer|can't list|in your message")

// Whatever has a "not" in it is answered as it was asked, or is said not to be
// understood: no answer drops a "not", and no choice or command does.
func TestNoNotIsDropped(t *testing.T) {
	c := newChat(t, properties())
	say := func(text string) agent.Answer {
		t.Helper()
		a, err := c.agent.Send(context.Background(), agent.Message{Client: c.client, Conversation: c.id, Prompt: text}, nil)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return a
	}
	whether := func(text, want string) {
		t.Helper()
		if a := say(text); !strings.HasPrefix(a.Text, want+": ") {
			t.Errorf("%q, want %s: %s", text, want, a.Text)
		}
	}
	list := func(text, want string) {
		t.Helper()
		a := say(text)
		got := listed(a)
		if got == want && (got != "" || strings.Contains(a.Text, "no RDS")) || unanswered.MatchString(a.Text) && got == "" {
			return
		}
		t.Errorf("%q lists %q, want %q or that it is not understood: %s", text, got, want, a.Text)
	}
	untouched := func(text string, out ...string) {
		t.Helper()
		a := say(text)
		for _, cmd := range a.Reply.Commands {
			t.Errorf("%q proposes %s", text, cmd.String())
		}
		if strings.HasPrefix(a.Text, "The estate has no") {
			t.Errorf("%q: %s", text, a.Text)
		}
		if a.Reply.Clarification == nil {
			return
		}
		for _, choice := range a.Reply.Clarification.Choices {
			for _, o := range out {
				if strings.Contains(choice.Prompt, o) {
					t.Errorf("%q offers %q", text, choice.Prompt)
				}
			}
		}
	}
	without := func(all string) string {
		return strings.Join(slices.DeleteFunc(strings.Fields(all), func(s string) bool { return strings.HasPrefix(s, "orders") }), " ")
	}
	for _, p := range negatable {
		for i, forms := range [][]string{p.is, p.isNot} {
			fit, other := p.have, p.lack
			if i == 1 {
				fit, other = other, fit
			}
			for _, form := range forms {
				for _, id := range strings.Fields(fit) {
					whether("is "+id+" "+form+"?", "Yes")
				}
				for _, id := range strings.Fields(other) {
					whether("is "+id+" "+form+"?", "No")
				}
				list("databases that are "+form, fit)
				for _, not := range leftOut {
					list("databases that are "+form+not, without(fit))
					list("how many databases are "+form+not, without(fit))
					untouched("stop all "+form+" databases"+not, "orders")
				}
			}
		}
	}
	whether("isn't users-db encrypted?", "Yes")
	whether("isn't orders-db private?", "No")
	whether("does users-db lack encryption?", "No")
	for _, both := range []string{"is users-db encrypted and stopped?", "is orders-db public and not running?", "is users-db encrypted and not public?"} {
		if a := say(both); !unanswered.MatchString(a.Text) {
			t.Errorf("%q: %s", both, a.Text)
		}
	}
	c.id = say("list databases").Conversation
	list("all of them but not mysql", "users-db")
	c.id = ""
	list("encrypted databases instead of mysql", "users-db")
	list("databases that are not public and are encrypted", "users-db")
	list("databases not public and not encrypted", "orders-copy")
	list("instances with no public address and not running", "b e")
	list("instances but not web-1", "b d e")
	list("instances except web-1", "b d e")
	list("instances except web-1 in us-west-2", "d e")
	for _, not := range []string{"non-production instances", "instances env!=production", "instances where env != production", "instances !production", "not-production instances"} {
		list(not, "d e")
		untouched("stop all "+not, "i-0000000000000000a")
	}
	for _, not := range []string{"but not production ones", ", not production", "but leave production", "but only in us-west-2", "other than production"} {
		untouched("stop all running instances "+not, "i-")
	}
	for _, verb := range []string{"unstop", "un-stop", "un-start", "unstart", "unreboot"} {
		untouched(verb+" web-1", "i-")
		untouched(verb+" batch-1", "i-")
	}
	for _, place := range []string{"in staging account", "in the staging account", "in account staging", "in profile staging", "in account 444455556666"} {
		if a := say("stop web-1 " + place); !strings.Contains(a.Text, "is not in the account") || a.Reply.Clarification != nil || len(a.Reply.Commands) > 0 {
			t.Errorf("stop web-1 %s: %s", place, a.Text)
		}
	}
}
