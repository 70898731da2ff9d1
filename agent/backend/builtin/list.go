package builtin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
)

const (
	// mostDescribed bounds the resources that are described at length.
	mostDescribed = 3
	// mostListed bounds the lines of a list.
	mostListed = 20
)

// tell answers a clause that wants to know about resources.
func (t *turn) tell(c clause, subjects []thing) string {
	head := behindFillers(c.items)
	if isHelp(head) {
		return helpText
	}
	if len(subjects) == 0 && asksAge(head) {
		return t.freshness()
	}
	q := prompt.Read(t.about(head))
	if len(subjects) == 0 && q.Kind == "" && len(q.Regions)+len(q.Accounts) == 0 && slices.ContainsFunc(head, func(it item) bool { return it.word("regions", "accounts", "profiles") }) {
		return t.where()
	}
	if listing := q.Plural || has(head, prompt.Quantifier) && q.Kind != "" || startsAny(head, "list", "count"); listing && !has(head, prompt.Pronoun) {
		for _, it := range head {
			if it.name != "" {
				q.Words = append(q.Words, it.name) // "list production databases", where something is named production
			}
		}
		return t.list(c, q)
	}
	if len(subjects) > 0 {
		return t.describe(subjects)
	}
	rest := q
	rest.Words = nil
	switch {
	case starts(head, "what", "do") && slices.ContainsFunc(head, func(it item) bool { return it.word("have") }) && q.Empty():
		return t.overview()
	case q.Kind == "" && (len(q.Words) > 1 || len(q.Words) == 1 && wondering(head)) && rest.Empty() && len(t.search(q)) == 0 && !slices.ContainsFunc(q.Words, identifierLike):
		var words []string
		for _, w := range q.Words[:min(len(q.Words), mostDescribed)] {
			words = append(words, render.Code(w))
		}
		return fmt.Sprintf("I can't answer “%s”: nothing in the estate is called %s. Ask “what can you do?” for what I understand.",
			render.Markdown(shorten(c.text())), enumerate(words, "or"))
	case q.Kind == "" && len(q.Words) > 0 && onlyStates(rest) && len(t.search(q)) == 0:
		var out []string
		for _, w := range q.Words[:min(len(q.Words), mostDescribed)] {
			s := t.notThere(w)
			if near := t.close(w); len(near) > 0 {
				t.mention(near...)
				s += " There is " + nameAll(near) + "."
			}
			out = append(out, s)
		}
		return strings.Join(out, "\n\n")
	case !q.Empty():
		return t.list(c, q)
	case c.mode == ask || has(head, prompt.Noun|prompt.Kind|prompt.Quantifier):
		return t.overview()
	}
	return fmt.Sprintf("I can't answer “%s”. Ask “what can you do?” for what I understand. Nothing was proposed.", render.Markdown(shorten(c.text())))
}

// wondering reports whether a question is about more than what and where
// something is: "what changed", "how ...", "why ...".
func wondering(head []item) bool {
	return len(head) > 1 && head[0].word("what", "how", "why", "when", "who") && !head[1].word("is", "are", "about")
}

// identifierLike reports whether a word is more likely an id or a name than
// English.
func identifierLike(w string) bool {
	return strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' })
}

// onlyStates reports whether nothing but a state narrows.
func onlyStates(q prompt.Qualifiers) bool {
	q.States, q.StateWords = nil, nil
	return q.Empty()
}

// asksAge reports whether words ask how old the estate is, or for a scan.
func asksAge(items []item) bool {
	for i, it := range items {
		if it.word("scan", "scanned", "scans", "rescan", "refresh", "refreshed", "fresh", "stale", "outdated", "synced", "sync") ||
			it.word("old") && i > 0 && items[i-1].word("how") || it.word("date") && i > 1 && items[i-1].word("to") && items[i-2].word("up") {
			return true
		}
	}
	return false
}

// freshness says how old the estate is, and how to renew it.
func (t *turn) freshness() string {
	var newest, oldest time.Time
	for _, s := range t.ledger.Ledger() {
		switch {
		case s.At.IsZero():
			continue
		case newest.IsZero() || s.At.After(newest):
			newest = s.At
		}
		if oldest.IsZero() || s.At.Before(oldest) {
			oldest = s.At
		}
	}
	if newest.IsZero() {
		return "Nothing was scanned yet: run `cloudops scan`."
	}
	s := fmt.Sprintf("AWS was last listed %s", render.Ago(newest, t.now))
	if render.Ago(oldest, t.now) != render.Ago(newest, t.now) {
		s += fmt.Sprintf(", the oldest part %s", render.Ago(oldest, t.now))
	}
	s += ". `cloudops scan` lists it again, `cloudops status` shows each part."
	if gaps := t.gaps(prompt.Qualifiers{}); gaps != "" {
		s += " More could be " + gaps
	}
	return s
}

// where counts the estate by account and region.
func (t *turn) where() string {
	ths := t.search(prompt.Qualifiers{})
	if len(ths) == 0 {
		return "The estate is empty. " + t.complete(prompt.Qualifiers{})
	}
	return fmt.Sprintf("The estate has %s.\n\n%s", count(len(ths), ths), t.counts(ths))
}

// counts is a line for each account and region.
func (t *turn) counts(ths []thing) string {
	per := map[string][]thing{}
	for _, th := range ths {
		place := fmt.Sprintf("%s, %s", accountMarkdown(th), render.Markdown(region(th)))
		per[place] = append(per[place], th)
	}
	var out []string
	for _, place := range slices.Sorted(maps.Keys(per)) {
		out = append(out, fmt.Sprintf("- %s: %s", place, count(len(per[place]), per[place])))
	}
	return strings.Join(out, "\n")
}

func startsAny(head []item, words ...string) bool {
	return len(head) > 0 && head[0].word(words...)
}

// about is the words of a clause that can describe resources.
func (t *turn) about(head []item) []prompt.Word {
	var out []prompt.Word
	for _, it := range head {
		if it.name == "" && !it.word("is", "are", "do", "have", "many", "much", "there", "me", "tell") {
			out = append(out, it.Word)
		}
	}
	return out
}

func (t *turn) describe(ths []thing) string {
	if len(ths) > mostDescribed {
		return fmt.Sprintf("That is %s:\n\n%s", count(len(ths), ths), t.lines(ths))
	}
	var out []string
	for _, th := range ths {
		s := fmt.Sprintf("%s is %s in %s, %s", called(th), aKind(th.Type), render.Markdown(region(th)), accountMarkdown(th))
		if th.State != "" {
			s += fmt.Sprintf(". It is **%s**", render.Markdown(th.State))
		}
		s += fmt.Sprintf(" (%s).", t.confirmed(th))
		if th.Summary != "" {
			s += "\n- " + render.Markdown(th.Summary)
		}
		if th.ARN != "" {
			s += "\n- " + render.Code(th.ARN)
		}
		var tags []string
		for k, v := range th.Tags {
			tags = append(tags, render.Code(k+"="+v))
		}
		if slices.Sort(tags); len(tags) > 0 {
			s += "\n- Tags: " + strings.Join(tags, ", ")
		}
		out = append(out, s+"\n- "+abilities(th.Type))
	}
	return strings.Join(out, "\n\n")
}

func (t *turn) lines(ths []thing) string {
	var b strings.Builder
	for _, th := range ths[:min(len(ths), mostListed)] {
		fmt.Fprintf(&b, "- %s\n", t.line(th))
	}
	if n := len(ths) - mostListed; n > 0 {
		fmt.Fprintf(&b, "- … and %d more; say a type, region, account, state or tag to narrow it down\n", n)
	}
	return strings.TrimRight(b.String(), "\n")
}

// list answers a question over the estate.
func (t *turn) list(c clause, q prompt.Qualifiers) string {
	if has(c.items, prompt.Negation) {
		return "I can only list what something is, not what it is not. Ask, for example, “list stopped instances”."
	}
	// "instances" alone are those of EC2; beside a name it may be a database's.
	if base := strings.TrimSuffix(q.Kind, "s"); base == "instance" || base == "server" || base == "host" || base == "node" {
		q.Types = []string{"ec2_instance"}
	}
	ths := t.search(q)
	if len(ths) == 0 {
		return t.nothingFits(q)
	}
	t.mention(ths[:min(len(ths), mostListed)]...)
	s := fmt.Sprintf("%s%s.", count(len(ths), ths), narrowing(q))
	if gaps := t.gaps(q); gaps != "" {
		s += " More could be " + gaps
	}
	by := slices.ContainsFunc(c.items, func(it item) bool { return it.word("per", "by") }) &&
		slices.ContainsFunc(c.items, func(it item) bool { return it.word("region", "regions", "account", "accounts") })
	if by || len(ths) > mostListed && slices.ContainsFunc(c.items, func(it item) bool { return it.word("many", "count", "number") }) {
		return s + "\n\n" + t.counts(ths)
	}
	return s + "\n\n" + t.lines(ths)
}

// overview sums the estate up.
func (t *turn) overview() string {
	ths := t.search(prompt.Qualifiers{})
	if len(ths) == 0 {
		return "The estate is empty. " + t.complete(prompt.Qualifiers{})
	}
	states := map[string]int{}
	for _, th := range ths {
		states[strings.TrimSpace(kind(th.Type, 2)+" "+th.State)]++
	}
	var out []string
	for s, n := range states {
		out = append(out, fmt.Sprintf("- %s: %d", render.Markdown(s), n))
	}
	slices.Sort(out)
	s := fmt.Sprintf("The estate has %s.\n\n%s", count(len(ths), ths), strings.Join(out, "\n"))
	if gaps := t.gaps(prompt.Qualifiers{}); gaps != "" {
		s += "\n\nMore could be " + gaps
	}
	return s
}
