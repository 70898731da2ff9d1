package builtin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// undoes reports whether a clause asks for something to be taken back.
func undoes(c clause) bool {
	switch strings.ToLower(c.said) {
	case "undo", "revert", "rollback":
		return true
	case "roll", "take":
		return slices.ContainsFunc(c.items, func(it item) bool { return it.word("back") })
	}
	return false
}

// undo asks back about the inverse of what ran in this conversation and
// succeeded: the newest, or of what was named; "undo all" means each.
func (t *turn) undo(p *plan, c clause) {
	var named []thing
	for _, it := range c.items {
		if it.name != "" {
			named = append(named, t.named[strings.ToLower(it.name)]...)
		}
	}
	every := slices.ContainsFunc(c.items, func(it item) bool {
		return it.word("all", "everything", "both", "them", "these", "those", "each")
	})
	about := slices.DeleteFunc(slices.Clone(t.Executions), func(x agent.Execution) bool {
		return len(named) > 0 && !slices.ContainsFunc(x.Targets, func(k storage.Key) bool {
			return slices.ContainsFunc(named, func(th thing) bool { return th.Canonical() == k.Canonical() })
		})
	})
	done := 0
	for _, x := range about {
		if x.Status != "succeeded" {
			continue
		}
		if done > 0 && !every {
			p.say("Before it ran %s, %s: name its resource, or say “undo all”, for that.", render.Code(x.Line), render.Ago(x.At, t.now))
			break
		}
		var back kind.Doing
		undone := false
		if x.Undo != nil {
			back, undone = aws.Kinds().Doing(x.Undo.Service, x.Undo.Operation)
		}
		if !undone {
			p.say("%s ran %s; no command that I know undoes it.", render.Code(x.Line), render.Ago(x.At, t.now))
			done++
			continue
		}
		done++
		p.say("%s ran %s and succeeded.", render.Code(x.Line), render.Ago(x.At, t.now))
		for _, k := range x.Targets {
			th, ok := t.byKey(k)
			switch {
			case !ok:
				p.say("%s is not in the estate any more.", render.Code(k.ID))
			case t.cannot(back.Verb.Is, th, false) != "":
				p.say("%s", t.cannot(back.Verb.Is, th, false))
			default:
				p.wishes = append(p.wishes, step{back.Verb.Is, th})
			}
		}
	}
	if done > 0 {
		return
	}
	for _, x := range about[:min(len(about), mostDescribed)] {
		p.say("%s did nothing that could be undone: %s.", render.Code(x.Line), fate(x.Status))
	}
	what := "Nothing"
	if len(named) > 0 {
		what = "Nothing about " + nameAll(named)
	}
	p.say("%s that succeeded in this conversation can be undone; `cloudops executions` lists what ran elsewhere. Nothing was proposed.", what)
}

// fate says what became of a command that did not succeed.
func fate(status string) string {
	switch status {
	case "failed":
		return "it failed"
	case "unknown":
		return "its outcome is unknown, look at the resource first"
	case "running":
		return "it is still running"
	case "rejected":
		return "it was rejected and not run"
	case "expired":
		return "nobody decided in time and it was not run"
	}
	return "it was not run"
}

// byKey is a resource of the estate by its key.
func (t *turn) byKey(k storage.Key) (thing, bool) {
	for _, th := range t.things(t.estate.Find(k.ID)) {
		if th.Canonical() == k.Canonical() {
			return th, true
		}
	}
	return thing{}, false
}

// ranHere tells what became of what this conversation proposed.
func (t *turn) ranHere(of []thing) (lines []string) {
	for _, x := range t.Executions {
		if len(of) > 0 && !slices.ContainsFunc(x.Targets, func(k storage.Key) bool {
			return slices.ContainsFunc(of, func(th thing) bool { return th.Canonical() == k.Canonical() })
		}) {
			continue
		}
		what := fate(x.Status)
		if x.Status == "succeeded" {
			what = "it ran and succeeded"
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s.", render.Code(x.Line), what, render.Ago(x.At, t.now)))
	}
	return lines
}
