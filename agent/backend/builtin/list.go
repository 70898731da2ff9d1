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
	if asked := politely(head); asked != nil {
		head = asked // "can you list"
	}
	if isHelp(head) {
		return help()
	}
	if len(subjects) == 0 && asksAge(head) {
		return t.freshness()
	}
	if s, ok := t.session(head); ok && len(subjects) == 0 {
		return s
	}
	if asksRan(head) && len(names(head)) == 0 {
		return t.told()
	}
	r := t.understand(head)
	if listing := r.q.Plural || has(head, prompt.Quantifier) && r.q.Kind != "" || startsAny(head, "list", "count"); listing && !refers(head) {
		for _, it := range head {
			if it.name != "" {
				r.q.Words = append(r.q.Words, it.name) // "list production databases", where something is named production
			}
		}
		return t.list(c, r)
	}
	if len(subjects) > 0 && asksMade(head) {
		return t.when(subjects)
	}
	if len(subjects) > 0 {
		s := t.describe(subjects)
		if beyond := t.beyond(r, subjects); len(beyond) > 0 {
			return fmt.Sprintf("I can't tell about %s; this is what is known.\n\n%s", codes(beyond, "and"), s)
		}
		return s
	}
	q := r.q
	rest := q
	rest.Words, rest.In = nil, nil
	nameless := q.Kind == "" && len(q.Words) > 0 && onlyStates(rest)
	switch {
	case nameless && len(q.Words) == 1 && len(r.lost) == 1 && r.lost[0] == q.Words[0] && !wondering(head) && !prompt.Negated(q.Words[0]):
		r.lost, r.absent = nil, q.Words // "describe nosuch" is about a name
		return t.notUnderstood(c, r)
	case !r.whole():
		return t.notUnderstood(c, r)
	case q.Kind == "" && len(q.Regions)+len(q.Accounts) == 0 && slices.ContainsFunc(head, func(it item) bool { return it.word("regions", "accounts", "profiles") }):
		return t.where()
	case !q.Empty():
		return t.list(c, r)
	case starts(head, "what", "do") && slices.ContainsFunc(head, func(it item) bool { return it.word("have") }),
		c.mode == ask || has(head, prompt.Noun|prompt.Kind|prompt.Quantifier):
		return t.overview()
	}
	return fmt.Sprintf("I can't answer “%s”. Ask “what can you do?” for what I understand. Nothing was proposed.", render.Markdown(shorten(c.text())))
}

// refers reports whether words mean what was said before: "that are running"
// does not.
func refers(head []item) bool {
	return slices.ContainsFunc(head, func(it item) bool { return it.is(prompt.Pronoun) && !it.word("that", "one", "ones") })
}

// asksMade reports whether words ask how old a resource is.
func asksMade(head []item) bool {
	for i, it := range head {
		if it.word("created", "made", "launched", "born", "age") || it.word("old") && i > 0 && head[i-1].word("how") {
			return true
		}
	}
	return false
}

// when says when resources were made.
func (t *turn) when(ths []thing) string {
	whole := t.whole(ths)
	var out []string
	for _, th := range ths[:min(len(ths), mostChoices)] {
		if r := whole[th.Canonical()]; r.CreatedAt != nil {
			out = append(out, fmt.Sprintf("%s, was made %s, at %s.", placed(th), render.Ago(*r.CreatedAt, t.now), render.Clock(*r.CreatedAt)))
		} else {
			out = append(out, fmt.Sprintf("When %s was made is not known: it was not read.", called(th)))
		}
	}
	return strings.Join(out, "\n\n")
}

// beyond are the words of a question about named resources that nothing here
// answers.
func (t *turn) beyond(r understood, subjects []thing) []string {
	return slices.DeleteFunc(slices.Concat(r.unread, r.lost), func(w string) bool {
		return slices.ContainsFunc(subjects, func(th thing) bool { return prompt.Mentions(th.Record, w) }) ||
			slices.Contains([]string{"it", "them", "its", "doing", "about", "more", "ip", "address", "dns", "hostname", "ips", "addresses"}, strings.ToLower(w))
	})
}

// asksRan reports whether words ask what was run.
func asksRan(head []item) bool {
	return slices.ContainsFunc(head, func(it item) bool {
		return it.word("commands", "executions", "ran", "history", "audit", "approvals", "plans")
	})
}

// told says what became of what this conversation proposed.
func (t *turn) told() string {
	lines := t.ranHere(nil)
	if len(lines) == 0 {
		return "This conversation has run nothing. `cloudops executions` lists what ran elsewhere, `cloudops approvals` what waits to be decided."
	}
	return "Of this conversation, the newest first:\n\n- " + strings.Join(lines, "\n- ") + "\n\n`cloudops executions` lists what ran elsewhere."
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
	q.States = nil
	return q.Empty()
}

// asksAge reports whether words ask how old the estate is, or for a scan;
// "stale instances" asks for instances.
func asksAge(items []item) bool {
	whole := slices.ContainsFunc(items, func(it item) bool {
		return it.word("data", "estate", "this", "it", "information", "inventory", "everything", "list")
	})
	for i, it := range items {
		switch {
		case i+1 < len(items) && items[i+1].is(prompt.Kind):
		case it.word("scan", "scanned", "scans", "rescan", "refresh", "refreshed", "synced", "sync"),
			whole && it.word("fresh", "stale", "outdated"),
			it.word("old") && i > 0 && items[i-1].word("how"),
			it.word("date") && i > 1 && items[i-1].word("to") && items[i-2].word("up"):
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
		if !th.made.IsZero() {
			s += "\n- made " + render.Clock(th.made)
		}
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

// list answers a question over the estate. What it says of how many there are is
// said only of a question that was understood to its last word.
func (t *turn) list(c clause, r understood) string {
	if !r.whole() {
		return t.notUnderstood(c, r)
	}
	q := r.q.Alone()
	ths, doubtful := t.sift(q)
	if len(ths) == 0 {
		return strings.Join(append([]string{t.nothingFits(q) + t.others(c, q, len(doubtful))}, r.notes...), "\n\n")
	}
	t.mention(ths[:min(len(ths), mostListed)]...)
	s := fmt.Sprintf("%s%s.", count(len(ths), ths), t.narrowing(q, len(ths)))
	s += t.others(c, q, len(ths)+len(doubtful))
	if doubt := t.doubt(q, doubtful); doubt != "" {
		s += " " + doubt
	}
	if gaps := t.gaps(q); gaps != "" {
		s += " More could be " + gaps
	}
	for _, note := range r.notes {
		s += "\n\n" + note
	}
	by := slices.ContainsFunc(c.items, func(it item) bool { return it.word("per", "by") }) &&
		slices.ContainsFunc(c.items, func(it item) bool { return it.word("region", "regions", "account", "accounts") })
	if by || len(ths) > mostListed && slices.ContainsFunc(c.items, func(it item) bool { return it.word("many", "count", "number") }) {
		return s + "\n\n" + t.counts(ths)
	}
	return s + "\n\n" + t.lines(ths)
}

// others says, where it was asked whether resources are or have something, how
// many of them are not or have not: "are all databases encrypted?"
func (t *turn) others(c clause, q prompt.Qualifiers, counted int) string {
	head := behindFillers(c.items)
	if !startsAny(head, "is", "are", "do", "does", "has", "have") || len(q.States)+len(q.Facets) == 0 {
		return ""
	}
	stateless := len(q.States) > 0
	q.States, q.Facets = nil, nil
	all := slices.DeleteFunc(t.search(q), func(th thing) bool { return stateless && th.State == "" })
	switch n := len(all) - counted; n {
	case 0:
		return ""
	case 1:
		return " The other one is not so."
	default:
		return fmt.Sprintf(" The other %d are not so.", n)
	}
}

// overview sums the estate up.
func (t *turn) overview() string {
	ths := t.search(prompt.Qualifiers{})
	if len(ths) == 0 {
		return "The estate is empty. " + t.complete(prompt.Qualifiers{})
	}
	states := map[string]int{}
	for _, th := range ths {
		states[strings.TrimSpace(noun(th.Type, 2)+" "+th.State)]++
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
