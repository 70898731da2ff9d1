package builtin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// canList says by what the estate can be listed.
var canList = func() string {
	var properties []string
	for _, p := range kind.Properties() {
		properties = append(properties, p.Is)
	}
	return "I can list by type, state, region, account, name, tag and engine, by age (oldest, newest), and by what is " +
		enumerate(properties, "or") + ", or is not."
}()

// understood is how a question over the estate was understood. "None" and a number
// are said only where nothing was lost.
type understood struct {
	q prompt.Qualifiers
	// lost are the words of which nothing was made.
	lost []string
	// absent are names that nothing has.
	absent []string
	// unread are kinds of resources that this version does not read.
	unread []string
	// strangers are names of accounts that none has.
	strangers []string
	// either: an "or" stands between what a list can't take either of.
	either bool
	// notes say how what can be read in two ways was read.
	notes []string
}

func (r understood) whole() bool {
	return len(r.lost)+len(r.absent)+len(r.unread)+len(r.strangers) == 0 && !r.either
}

// understand accounts for every word of a question.
func (t *turn) understand(items []item) understood {
	items = slices.Clone(items)
	for i := range items[:max(len(items)-1, 0)] {
		if items[i].is(prompt.Negation) && items[i+1].name != "" {
			items[i].After = ',' // "not web-1 in us-west-2" is no "not in us-west-2"
		}
	}
	words := plainWords(items)
	q, uses := prompt.Understand(words)
	r := understood{q: q}
	text := slices.Contains(uses, prompt.Text)
	var all []storage.Record
	if text {
		all = t.everything()
	}
	last := 0 // the place behind the last kind that is not read
	for i := 0; i < len(words); i++ {
		w := words[i]
		if uses[i] != prompt.Text && uses[i] != prompt.Unread {
			continue
		}
		mentioned := uses[i] == prompt.Text && slices.ContainsFunc(all, func(r storage.Record) bool { return prompt.Mentions(r, w.Text) })
		kinds, n := prompt.Kinds(words, i)
		kinds = slices.DeleteFunc(slices.Clone(kinds), scanner.Reads)
		switch {
		case len(kinds) > 0 && (q.Kind == "" || !mentioned):
			if kind := spelt(words[i : i+n]); last == i && i > 0 {
				r.unread[len(r.unread)-1] += " " + kind
			} else {
				r.unread = append(r.unread, kind)
			}
			i += n - 1
			last = i + 1
		case mentioned, uses[i] == prompt.Text && prompt.Vocabulary(w.Text):
		case uses[i] == prompt.Text && len(t.accountsCalled(w.Text)) > 0:
			if !slices.Contains(r.q.In, w.Text) {
				r.q.In = append(slices.Clone(r.q.In), w.Text)
			}
		case uses[i] == prompt.Text && (w.Quoted || identifierLike(w.Text) && !prompt.Negated(w.Text)):
			r.absent = append(r.absent, w.Text)
		default:
			r.lost = append(r.lost, w.Text)
		}
	}
	if i := slices.IndexFunc(items, func(it item) bool { return it.joint == "or" }); i > 0 && !alternative(items, i) {
		r.either = true
	}
	for _, part := range append([]prompt.Qualifiers{q}, q.Not...) {
		for _, name := range part.AccountNames {
			if len(t.accountsCalled(name)) == 0 {
				r.strangers = append(r.strangers, name)
			}
		}
	}
	if r.whole() {
		r.q, r.notes = t.placed(r.q)
	}
	return r
}

func spelt(ws []prompt.Word) string {
	var out []string
	for _, w := range ws {
		out = append(out, w.Text)
	}
	return strings.Join(out, " ")
}

// alternative reports whether an "or" stands between what a list takes either
// of: two types, states, regions or accounts, and not two of them at once.
func alternative(items []item, at int) bool {
	dimensions := func(q prompt.Qualifiers) []bool {
		return []bool{q.Kind != "", len(q.States) > 0, len(q.Regions) > 0, len(q.Accounts)+len(q.AccountNames) > 0}
	}
	after := at + 1
	for after < len(items) && items[after].joint == "" {
		after++
	}
	right := prompt.Read(plainWords(items[at:after]))
	if len(right.Words)+len(right.Tags)+len(right.Facets)+len(right.Not) > 0 {
		return false
	}
	shared := 0
	left := dimensions(prompt.Read(plainWords(items[:at])))
	for i, has := range dimensions(right) {
		if has && left[i] {
			shared++
		}
	}
	return shared == 1
}

// notUnderstood says which words of a question were not understood, and so why
// it is not answered.
func (t *turn) notUnderstood(c clause, r understood) string {
	var out []string
	if len(r.unread) > 0 {
		out = append(out, fmt.Sprintf("This version of cloudops does not read %s, so it knows nothing of them. It reads %s.", codes(r.unread, "and"), typesThat(func(k *kind.Kind) bool { return !k.Unread })))
	}
	if len(r.lost) > 0 {
		s := fmt.Sprintf("I can't answer “%s”: I don't know what %s %s here", render.Markdown(shorten(c.text())), codes(r.lost, "and"), means(len(r.lost)))
		if notEnglish(c.items) {
			s += ", and I read English only"
		}
		out = append(out, s+". "+canList+" Ask “what can you do?” for more.")
	}
	if r.either {
		out = append(out, "I can't list what fits either of two descriptions: ask for each of them.")
	}
	for _, name := range r.strangers {
		s := fmt.Sprintf("No account that I know is called %s.", render.Code(name))
		if known := t.accountNames(); known != "" {
			s += " There is " + known + "."
		}
		out = append(out, s)
	}
	if len(out) > 0 {
		return strings.Join(out, "\n\n")
	}
	for _, name := range r.absent[:min(len(r.absent), mostDescribed)] {
		s := t.notThere(name)
		if near := t.close(name); len(near) > 0 {
			t.mention(near...)
			s += " There is " + nameAll(near) + "."
		}
		out = append(out, s)
	}
	return strings.Join(append(out, t.complete(prompt.Qualifiers{})), "\n\n")
}

func means(n int) string {
	if n == 1 {
		return "means"
	}
	return "mean"
}

func codes(words []string, last string) string {
	var out []string
	for _, w := range words {
		if c := render.Code(w); !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return enumerate(out[:min(len(out), 6)], last)
}

// notEnglish reports whether few words of a text are the grammar's.
func notEnglish(items []item) bool {
	strange, plain := 0, 0
	for _, it := range items {
		switch {
		case it.name != "" || it.Quoted || identifierLike(it.Lower) && !strings.ContainsFunc(it.Lower, func(r rune) bool { return r > 0x7f }):
		case it.Plain():
			strange++
		case len(it.Lower) > 3:
			plain++
		}
	}
	return strange > 1 && strange > 2*plain || strange > 0 && slices.ContainsFunc(items, func(it item) bool {
		return it.name == "" && strings.ContainsFunc(it.Text, func(r rune) bool { return r > 0x24f })
	})
}

// accounts are the accounts known, each with the names that people may use.
func (t *turn) accounts() map[string][]string {
	all := map[string][]string{}
	rs := t.everything()
	add := func(id, name string) {
		if !slices.Contains(all[id], name) {
			all[id] = append(all[id], name)
		}
	}
	for _, r := range rs {
		add(r.AccountID, r.AccountName)
	}
	for _, a := range t.Accounts {
		for _, p := range a.Profiles {
			add(a.ID, p)
		}
	}
	return all
}

// accountsCalled finds the accounts that people call so: by name or profile, by
// a short form of that or a part, by the id or its beginning or end.
func (t *turn) accountsCalled(name string) []string {
	if t.calledAccounts == nil {
		t.calledAccounts = t.accounts()
	}
	digits := len(name) >= 3 && strings.Trim(name, "0123456789") == ""
	for _, fits := range []func(id, called string) bool{
		func(id, called string) bool { return strings.EqualFold(called, name) || id == name },
		func(_, called string) bool { return called != "" && prompt.Alike(called, name) },
		func(id, called string) bool {
			return digits && (strings.HasPrefix(id, name) || strings.HasSuffix(id, name)) || prompt.AlikeParts(called, name)
		},
	} {
		var out []string
		for id, names := range t.calledAccounts {
			if slices.ContainsFunc(names, func(n string) bool { return fits(id, n) }) {
				out = append(out, id)
			}
		}
		if len(out) > 0 {
			slices.Sort(out)
			return out
		}
	}
	return nil
}

// placed turns what accounts are called into their ids. Where "in prod" is an
// account and an environment too, the account is meant, and a note says so.
func (t *turn) placed(q prompt.Qualifiers) (prompt.Qualifiers, []string) {
	var notes []string
	of := func(q prompt.Qualifiers) prompt.Qualifiers {
		for _, name := range q.AccountNames {
			ids := t.accountsCalled(name)
			if len(ids) == 0 {
				return q // nothing fits, and it is said so
			}
			q.Accounts = append(slices.Clone(q.Accounts), ids...)
		}
		q.AccountNames = nil
		return q
	}
	q = of(q)
	q.Not = slices.Clone(q.Not)
	for i := range q.Not {
		q.Not[i] = of(q.Not[i])
	}
	in := q.In
	q.In = nil
	for _, name := range in {
		ids := t.accountsCalled(name)
		if len(ids) == 0 || len(ids) > 1 && kind.EnvironmentNamed(name) == "" && !identifierLike(name) {
			continue
		}
		tagged := q
		q.Words = slices.DeleteFunc(slices.Clone(q.Words), func(w string) bool { return w == name })
		q.Accounts = append(slices.Clone(q.Accounts), ids...)
		if other := len(t.search(tagged)); kind.EnvironmentNamed(name) != "" && !t.sameFit(tagged, q) {
			notes = append(notes, fmt.Sprintf("I read “in %s” as the account. %d match %s by a tag, name or account: ask for “%s %s” for those.",
				render.Markdown(name), other, render.Code(name), render.Markdown(name), render.Markdown(cmp.Or(q.Kind, "resources"))))
		}
	}
	return q, notes
}

func (t *turn) sameFit(x, y prompt.Qualifiers) bool {
	keys := func(q prompt.Qualifiers) (out []string) {
		for _, th := range t.search(q) {
			out = append(out, th.Canonical())
		}
		return out
	}
	return slices.Equal(keys(x), keys(y))
}

// accountNames lists the accounts known, as Markdown.
func (t *turn) accountNames() string {
	var out []string
	for id, names := range t.accounts() {
		s := render.Code(id)
		if names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" || n == id }); len(names) > 0 {
			s = fmt.Sprintf("%s (%s)", render.Markdown(strings.Join(names, ", ")), id)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return enumerate(out[:min(len(out), mostChoices)], "and")
}

// session answers what profile, account or region is in use.
func (t *turn) session(head []item) (string, bool) {
	about := slices.ContainsFunc(head, func(it item) bool { return it.word("profile", "account", "region", "identity") })
	mine := slices.ContainsFunc(head, func(it item) bool {
		return it.word("i", "my", "using", "current", "selected", "active", "default", "am")
	})
	if !about || !mine || has(head, prompt.Kind) {
		return "", false
	}
	u := t.UserContext
	s := "This session has no profile of its own, so the default one is used"
	if u.Profile != "" {
		s = "This session uses the profile " + render.Code(u.Profile)
	}
	for _, a := range t.Accounts {
		if slices.Contains(a.Profiles, u.Profile) {
			s += ", which is account " + render.Markdown(a.ID)
		}
	}
	if u.DefaultRegion != "" {
		s += ", with the default region " + render.Markdown(u.DefaultRegion)
	}
	return s + ". `cloudops profiles` lists the others.", true
}

// mended reads a question whose words are misspelt, and says how. What asks for
// anything to be done is left as it is written.
func (t *turn) mended(text string, cs []clause) ([]clause, string) {
	if slices.ContainsFunc(cs, func(c clause) bool {
		head := behindFillers(c.items)
		return c.mode != ask && c.mode != question && c.mode != statement || len(head) > 0 && len(slips(head[0])) > 0 && len(names(head)) > 0
	}) {
		return cs, ""
	}
	var all []storage.Record
	words, made := prompt.Mend(prompt.Split(text), func(w string) bool {
		if all == nil {
			all = t.everything()
		}
		return t.known(w) || len(t.accountsCalled(w)) > 0 || slices.ContainsFunc(all, func(r storage.Record) bool { return prompt.Mentions(r, w) })
	})
	if len(made) == 0 {
		return cs, ""
	}
	again := parse(words, t.known)
	if slices.ContainsFunc(again, func(c clause) bool { return c.mode != ask && c.mode != question }) {
		return cs, ""
	}
	var said []string
	for _, m := range made {
		said = append(said, fmt.Sprintf("%s as %s", render.Code(m.Written), render.Code(m.Read)))
	}
	return again, "I read " + enumerate(said, "and") + ".\n\n"
}

// followUp reads "and in eu-west-1?" as the question before, with what it says
// in the place of what was said.
func (t *turn) followUp(text string) (agent.Reply, bool) {
	words := prompt.Split(text)
	rest, continues := leadIn(words)
	if len(rest) == 0 || len(prompt.Names(words, t.known)) > 0 {
		return agent.Reply{}, false
	}
	now := t.understand(asItems(rest))
	if now.q.Empty() || !now.whole() || !continues {
		return agent.Reply{}, false
	}
	q, ok := t.asked(len(t.ChatHistory), 0)
	if !ok {
		return agent.Reply{}, false
	}
	r := understood{}
	r.q, r.notes = t.placed(over(q, now.q))
	return information(t.list(clause{mode: ask, items: asItems(words)}, r)), true
}

// leadIn cuts what continues a question off its words: "and", "what about".
func leadIn(words []prompt.Word) (rest []prompt.Word, continues bool) {
	starts := func(ws ...string) bool {
		for i, w := range ws {
			if i >= len(words) || words[i].Quoted || words[i].Lower != w {
				return false
			}
		}
		return true
	}
	for _, lead := range [][]string{{"and", "what", "about"}, {"and", "how", "about"}, {"what", "about"}, {"how", "about"}, {"and", "only"}, {"and"}, {"only"}, {"just"}} {
		if starts(lead...) {
			return words[len(lead):], true
		}
	}
	return words, false
}

func asItems(words []prompt.Word) []item {
	var out []item
	for _, w := range words {
		out = append(out, item{Word: w})
	}
	return out
}

// mostFollowed bounds how many questions that continue one another are read.
const mostFollowed = 8

// asked is what the newest question before a turn of the history was about, if
// it was one over the estate.
func (t *turn) asked(before, depth int) (prompt.Qualifiers, bool) {
	at := before - 1
	for at >= 0 && t.ChatHistory[at].Role != storage.RoleUser {
		at--
	}
	if at < 0 || depth == mostFollowed {
		return prompt.Qualifiers{}, false
	}
	words := prompt.Split(t.ChatHistory[at].Content)
	if rest, continues := leadIn(words); continues {
		earlier, ok := t.asked(at, depth+1)
		now := t.understand(asItems(rest))
		return over(earlier, now.q), ok && now.whole()
	}
	cs := parse(words, t.known)
	if len(cs) != 1 || cs[0].mode != ask && cs[0].mode != question || slices.ContainsFunc(cs[0].items, func(it item) bool { return it.name != "" }) {
		return prompt.Qualifiers{}, false
	}
	r := t.understand(behindFillers(cs[0].items))
	return r.q, r.whole() && !r.q.Empty()
}

// over lays what a question says anew over what the one before said.
func over(q, now prompt.Qualifiers) prompt.Qualifiers {
	if now.Kind != "" {
		q.Kind, q.Types, q.Plural = now.Kind, now.Types, now.Plural
	}
	if len(now.Regions) > 0 {
		q.Regions = now.Regions
	}
	if len(now.Accounts)+len(now.AccountNames)+len(now.In) > 0 {
		q.Accounts, q.AccountNames, q.In = now.Accounts, now.AccountNames, now.In
	}
	if len(now.States) > 0 {
		q.States = now.States
	}
	if len(now.Words) > 0 {
		q.Words = now.Words
	}
	if len(now.Tags) > 0 {
		q.Tags = now.Tags
	}
	if len(now.Facets) > 0 {
		q.Facets = now.Facets
	}
	if len(now.Not) > 0 {
		q.Not = now.Not
	}
	if now.Order != "" {
		q.Order, q.Most = now.Order, now.Most
	}
	return q
}
