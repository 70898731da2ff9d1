// Package builtin answers requests offline and deterministically, by a small
// grammar of English.
//
// Its entry point is New; the result is an agent.Backend. A prompt is taken
// apart into clauses (clause.go) and the things they are about (phrase.go),
// these are looked up (target.go), and what is asked becomes commands or a
// question back (act.go) or words (inform.go, list.go).
//
// Invariants: only a clause that asks for it in so many words becomes a
// command, and only for resources of the estate; whatever is negated,
// conditional, a question or not understood becomes words instead. Names, tags
// and quoted text are data.
package builtin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// Ledger says how old and how complete the estate is; *scanner.Scanner is one.
type Ledger interface {
	Ledger() []scanner.ShardState
	Age(storage.Record) time.Time
	// Gaps says where a resource that a filter fits could hide.
	Gaps(storage.Filter) []string
}

// Backend is the builtin backend. Safe for concurrent use.
type Backend struct {
	estate *storage.Estate
	ledger Ledger
	now    func() time.Time
}

var _ agent.Backend = (*Backend)(nil)

// New returns a backend that looks questions over the estate up in it.
func New(estate *storage.Estate, ledger Ledger) *Backend {
	return &Backend{estate: estate, ledger: ledger, now: time.Now}
}

// Answer implements agent.Backend.
func (b *Backend) Answer(ctx context.Context, r agent.Request, stream func(text string)) (agent.Reply, error) {
	if err := ctx.Err(); err != nil {
		return agent.Reply{}, err
	}
	reply := b.turn(ctx, r).reply()
	if reply.Information != "" && stream != nil {
		stream(reply.Information)
	}
	return reply, nil
}

// turn is one request being answered.
type turn struct {
	*Backend
	agent.Request
	// ctx is that of the turn, which ends with it.
	ctx context.Context
	now time.Time
	// named are the resources by the lower-case texts that name them.
	named map[string][]thing
	// before are those that earlier turns mentioned, in their order.
	before []thing
	// near are the resources that are called nearly so, by what was looked for, and all
	// is the estate, once they were asked for.
	near map[string][]thing
	all  []storage.Record
	// calledAccounts are the accounts by their ids, once they were asked for.
	calledAccounts map[string][]string
	// mentions are the canonical keys of what the reply is about.
	mentions []string
}

func (b *Backend) turn(ctx context.Context, r agent.Request) *turn {
	t := &turn{Backend: b, Request: r, ctx: ctx, now: b.now(), named: map[string][]thing{}, near: map[string][]thing{}}
	for _, res := range r.IdentifiedResources {
		th := identified(res)
		texts := []string{res.ID, res.Name, res.ARN}
		switch res.FoundBy {
		case agent.FoundByHistory:
			t.before = append(t.before, th)
		case agent.FoundByName:
			texts = append(texts, res.Mention)
		}
		for i, text := range texts {
			low := strings.ToLower(text)
			if text != "" && !contains(texts[:i], text) {
				t.named[low] = append(t.named[low], th)
			}
		}
	}
	return t
}

func contains(texts []string, text string) bool {
	for _, t := range texts {
		if strings.EqualFold(t, text) {
			return true
		}
	}
	return false
}

func (t *turn) known(name string) bool {
	return len(t.named[strings.ToLower(name)]) > 0 || t.Omitted[name] > 0
}

// longestAnswer to a question of ours, in bytes.
const longestAnswer = 2048

// reply answers the prompt: as the answer to a question of ours, if it is one.
func (t *turn) reply() agent.Reply {
	reply, answered := agent.Reply{}, false
	if len(t.Prompt) <= longestAnswer {
		reply, answered = t.answerToQuestion()
	}
	if !answered && len(t.Prompt) <= longestAnswer {
		reply, answered = t.theOther()
	}
	if !answered {
		reply = t.interpret(t.Prompt)
	}
	reply.Mentions = t.mentions
	return reply
}

// mostWords bounds what is read as one prompt.
const mostWords = 400

// interpret answers a prompt by itself.
func (t *turn) interpret(text string) agent.Reply {
	if reply, ok := commandLine(text); ok {
		return reply
	}
	if n := len(prompt.Split(text)); n > mostWords {
		return information(fmt.Sprintf("That has %d words; I read at most %d at once. Nothing was proposed: say what you want without the rest.", n, mostWords))
	}
	if reply, ok := t.followUp(text); ok {
		return reply
	}
	cs, how := t.mended(text, parse(prompt.Split(text), t.known))
	reply := t.act(cs)
	if reply.Information != "" {
		reply.Information = how + reply.Information
	}
	return reply
}

func information(text string) agent.Reply { return agent.Reply{Information: text} }

// mention remembers what the reply is about; callers bound how many.
func (t *turn) mention(ths ...thing) {
	for _, th := range ths {
		key := th.Canonical()
		if !contains(t.mentions, key) {
			t.mentions = append(t.mentions, key)
		}
	}
}

// pending is our question in the turn before, if that was one.
func (t *turn) pending() *agent.Clarification {
	for i := len(t.ChatHistory) - 1; i >= 0; i-- {
		switch h := t.ChatHistory[i]; {
		case h.Role == storage.RoleAssistant && h.Reply != nil:
			return h.Reply.Clarification
		case h.Role == storage.RoleAssistant || h.Role == storage.RoleUser:
			return nil
		}
	}
	return nil
}

// quiet reports whether words carry nothing but politeness.
func quiet(words []item) bool {
	for _, w := range words {
		if !w.is(prompt.Polite | prompt.Article | prompt.Preposition | prompt.Person | prompt.Want | prompt.Conjunction | prompt.Label | prompt.Kind) {
			return false
		}
	}
	return true
}
