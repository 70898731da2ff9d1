package builtin_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
)

// ask puts a prompt before the backend alone, without a conversation.
func (c *chat) ask(t testing.TB, text string) agent.Reply {
	words := prompt.Split(text)
	records := c.store.Estate.Resolve(prompt.Candidates(words))
	r := agent.Request{Prompt: text}
	for _, s := range prompt.Names(words, func(n string) bool { return len(records[n]) > 0 }) {
		for _, rec := range records[s.Name] {
			r.IdentifiedResources = append(r.IdentifiedResources, agent.IdentifiedResource{
				Type: rec.Type, ID: rec.ID, Name: rec.Name, ARN: rec.ARN, Region: rec.Region, Account: rec.AccountID,
				CurrentState: rec.State, Tags: rec.Tags, Mention: s.Name, FoundBy: agent.FoundByName,
			})
		}
	}
	reply, err := c.backend.Answer(context.Background(), r, nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return reply
}

// Whatever asks for a command asks for none once it is negated, doubted,
// postponed or quoted.
func TestNoCommandOnceItIsTurned(t *testing.T) {
	c := newChat(t, estate)
	turned := []struct{ before, after string }{
		{"don't ", ""}, {"do not ", ""}, {"please don't ", ""}, {"never ", ""}, {"DO NOT ", ""}, {"dont ", ""}, {"Don’t ", ""},
		{"I don't want you to ", ""}, {"you must not ", ""}, {"can you not ", ""}, {"there is no need to ", ""},
		{"should I ", "?"}, {"should we ", "?"}, {"can I ", "?"}, {"may I ", "?"}, {"what happens if I ", "?"}, {"what if I ", "?"},
		{"how do I ", "?"}, {"how to ", ""}, {"how would one ", "?"}, {"why would I ", "?"}, {"did you ", "?"}, {"did someone ", "?"},
		{"do you think I should ", "?"}, {"is it safe to ", "?"}, {"who said to ", "?"}, {"tell me how to ", ""}, {"explain how to ", ""},
		{"", " tomorrow"}, {"", " in 10 minutes"}, {"", " at midnight"}, {"", " every night"}, {"", " later"}, {"", " if it is idle"},
		{"", " unless it is in use"}, {"", " when the backup is done"}, {"", ", no wait"}, {"", ". Never mind."}, {"", ", actually don't"},
		{"", ". Just kidding, cancel that."}, {"if it is idle, ", ""}, {"once it is idle ", ""}, {"tomorrow ", ""},
		{`"`, `"`}, {`he told me to "`, `" yesterday`},
		{"what does it mean to ", "?"}, {"we discussed whether to ", ""}, {"I was told to ", ""}, {"someone wants to ", ""},
	}
	asked := 0
	for _, turns := range conversations {
		p := turns[0].prompt
		if strings.HasPrefix(p, "aws ") || len(c.ask(t, p).Commands) == 0 || strings.ContainsAny(p, "\"\n") {
			continue
		}
		asked++
		for _, w := range turned {
			text := w.before + strings.TrimRight(p, "?.") + w.after
			if r := c.ask(t, text); len(r.Commands) > 0 {
				t.Errorf("%q: %s", text, sum(r))
			}
		}
	}
	if asked < 20 {
		t.Fatalf("only %d prompts asked for a command", asked)
	}
}

// requests is what a prompt must hold before a command can come of it.
var requests = regexp.MustCompile(`(?i)stop|halt|shut|power|turn|switch|start|boot|bring|spin|fire|cycle|bounce|take|live|aws `)

// independent matches what ends the reach of a "don't" before it.
var independent = regexp.MustCompile(`(?i)[.!?;\n\r\x{2028}\x{2029}…]|but|aws `)

func FuzzAnswer(f *testing.F) {
	c := newChat(f, estate)
	for _, turns := range conversations {
		for _, turn := range turns {
			f.Add(turn.prompt)
		}
	}
	for _, s := range []string{"", " ", "\x00", "stop \xff", "''''", `"stop`, "don''t stop web-2", "st\u200bop web-2", "stop web-2\u202e",
		"and and, or", strings.Repeat("stop ", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := c.ask(t, text)
		kinds := 0
		for _, is := range []bool{len(r.Commands) > 0, r.Information != "", r.Clarification != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Fatalf("%q: %d kinds of reply: %+v", text, kinds, r)
		}
		if len(r.Commands) == 0 {
			return
		}
		if !requests.MatchString(text) {
			t.Fatalf("%q asks for nothing and comes to %s", text, sum(r))
		}
		for _, before := range []string{"don't ", "should I "} {
			if turned := c.ask(t, before+text); !independent.MatchString(text) && len(turned.Commands) > 0 {
				t.Fatalf("%q comes to %s", before+text, sum(turned))
			}
		}
	})
}
