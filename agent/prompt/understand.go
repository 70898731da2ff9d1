package prompt

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

// Use is how a word of a question was understood.
type Use uint8

// The uses. A question whose every word has one other than Unread, and whose
// words of text mean something in the estate, was understood.
const (
	// Unread: nothing was made of the word, so that what it means is not in the
	// answer.
	Unread Use = iota
	// Form words make the sentence and narrow nothing.
	Form
	// Narrows: a type, place, state, tag or property, or the "not" before one.
	Narrows
	// Text is looked for in names, tags and facts.
	Text
)

// Understand collects the qualifiers among words, and says of each word how it
// was understood; names are taken out before.
func Understand(ws []Word) (Qualifiers, []Use) {
	u := understanding{ws: ws, uses: make([]Use, len(ws)), not: -1}
	for i := 0; i < len(ws); {
		n := u.word(i)
		if n > 0 && ws[i+n-1].After != 0 {
			u.not = -1
		}
		i += max(n, 1)
	}
	u.contradictions()
	return u.q, u.uses
}

type understanding struct {
	ws   []Word
	uses []Use
	q    Qualifiers
	// not is the place of a negation that waits for what it negates; -1 is none.
	not int
}

// into is the qualifiers that the words from a place on go into: those of a
// negation before them, if there is one.
func (u *understanding) into(at, n int, use Use) *Qualifiers {
	for i := range n {
		u.uses[at+i] = use
	}
	if u.not < 0 {
		return &u.q
	}
	u.uses[u.not], u.not = Narrows, -1
	u.q.Not = append(u.q.Not, Qualifiers{})
	return &u.q.Not[len(u.q.Not)-1]
}

// word reads what begins at a place, and returns how many words that is.
func (u *understanding) word(i int) int {
	w := u.ws[i]
	if w.Quoted {
		q := u.into(i, 1, Text)
		q.Words = append(q.Words, w.Text)
		return 1
	}
	if k, v, ok := tag(w.Text); ok {
		q := u.into(i, 1, Narrows)
		if q.Tags == nil {
			q.Tags = map[string]string{}
		}
		q.Tags[k] = v
		return 1
	}
	if f, n := facetAt(u.ws, i); n > 0 {
		u.facet(f, i, n)
		return n
	}
	if n := u.tags(i); n > 0 {
		return n
	}
	if n := u.account(i); n > 0 {
		return n
	}
	switch low := w.Lower; {
	case kind.IsRegion(low), kind.RegionIn(low) != "":
		q := u.into(i, 1, Narrows)
		q.Regions = append(q.Regions, cmp.Or(kind.RegionIn(low), low))
	case isAccount(low):
		q := u.into(i, 1, Narrows)
		q.Accounts = append(q.Accounts, low)
	case w.Is(Kind):
		u.not = -1 // "no instances" says something else
		u.uses[i] = Narrows
		u.q.kind(low)
	case w.Is(State) && states[low] != nil && stateHere(u.ws, i):
		q := u.into(i, 1, Narrows)
		q.States = append(q.States, low)
	case strings.HasPrefix(low, "non-") && states[low[4:]] != nil:
		u.uses[i] = Narrows
		u.q.Not = append(u.q.Not, Qualifiers{States: []string{low[4:]}})
	case (low == "run" || low == "runs") && i > 0 && !u.ws[i-1].Is(Ask|Person|Preposition|Polite):
		q := u.into(i, 1, Narrows)
		q.States = append(q.States, "running")
	case u.order(i):
	case w.isOne("top") && i+1 < len(u.ws) && strings.Trim(u.ws[i+1].Lower, "0123456789") == "":
		u.uses[i] = Form
	case w.Plain() && strings.Trim(low, "0123456789") == "":
		u.number(i)
	case slices.Contains(formWords, low):
		u.uses[i] = Form
	case w.Plain():
		in := u.not < 0 && u.behindIn(i)
		q := u.into(i, 1, Text)
		q.Words = append(q.Words, w.Text)
		if in {
			q.In = append(q.In, w.Text)
		}
	case negates(u.ws, i):
		u.not = i
	case u.form(i):
		u.uses[i] = Form
	}
	return 1
}

// facet notes a facet, turned around by a negation before it.
func (u *understanding) facet(f Facet, at, n int) {
	for i := range n {
		u.uses[at+i] = Narrows
	}
	if f.Had != nil && u.had(at) {
		f.Property = f.Had
	}
	if u.not >= 0 {
		u.uses[u.not], u.not = Narrows, -1
		f.Lacking = !f.Lacking
	}
	if !slices.Contains(u.q.Facets, f) {
		u.q.Facets = append(u.q.Facets, f)
	}
}

// had reports whether what stands at a place is had, as in "with replicas" and
// "does it have a replica", rather than been.
func (u *understanding) had(at int) bool {
	for at--; at >= 0 && u.ws[at].After == 0; at-- {
		switch {
		case u.ws[at].isOne("with", "without", "have", "has", "having", "lacking", "lack", "lacks", "missing"):
			return true
		case !u.ws[at].Is(Article|Indefinite|Negation) && !u.ws[at].isOne("read"):
			return false
		}
	}
	return false
}

// tags reads "a Name tag", "tagged owner", "the tag env", "tags" and "a name".
func (u *understanding) tags(i int) int {
	w := u.ws[i]
	calls := func(w Word) bool { return w.Quoted || w.Plain() || w.Is(Label) && !w.isOne("tag", "tags", "tagged") }
	key, n := "", 1
	switch {
	case calls(w) && i+1 < len(u.ws) && w.After == 0 && u.ws[i+1].isOne("tag", "tags"):
		key, n = w.Text, 2
	case w.isOne("tag", "tags", "tagged"):
		at := i + 1
		for at < len(u.ws) && u.ws[at-1].After == 0 && u.ws[at].isOne("with", "as", "by", "the", "a", "an", "called", "named") {
			at++
		}
		if at == len(u.ws) || u.ws[at-1].After != 0 || u.ws[at].Is(Preposition) {
			u.facet(Facet{Property: kind.Tagged}, i, 1)
			return 1
		}
		if strings.Contains(u.ws[at].Text, "=") {
			return 0
		}
		if !calls(u.ws[at]) {
			u.facet(Facet{Property: kind.Tagged}, i, 1) // "with no tags please"
			return 1
		}
		key, n = u.ws[at].Text, at-i+1
	case w.isOne("name", "names") && u.not >= 0:
		key = "Name"
	case w.isOne("unnamed"):
		key, u.not = "Name", i
	default:
		return 0
	}
	q := u.into(i, n, Narrows)
	if q.Tags == nil {
		q.Tags = map[string]string{}
	}
	q.Tags[key] = ""
	return n
}

// account reads "the staging account", "account dev" and "profile dev".
func (u *understanding) account(i int) int {
	w := u.ws[i]
	next := i+1 < len(u.ws) && w.After == 0
	switch {
	case w.Plain() && next && u.ws[i+1].isOne("account", "profile"):
		q := u.into(i, 2, Narrows)
		q.AccountNames = append(q.AccountNames, w.Text)
		return 2
	case w.isOne("account", "profile") && next:
		at := i + 1
		for at+1 < len(u.ws) && u.ws[at].After == 0 && u.ws[at].isOne("named", "called", "name", "id", "ending", "with", "in", "number") {
			at++
		}
		if v := u.ws[at]; !v.Plain() || facetWords[v.Lower] || slices.Contains(formWords, v.Lower) {
			return 0
		}
		q := u.into(i, at-i+1, Narrows)
		q.AccountNames = append(q.AccountNames, u.ws[at].Text)
		return at - i + 1
	}
	return 0
}

// behindIn reports whether a word stands where an account could: "in staging".
func (u *understanding) behindIn(i int) bool {
	for i--; i >= 0 && u.ws[i].After == 0; i-- {
		switch {
		case u.ws[i].Is(Article):
		case u.ws[i].isOne("in", "from", "within", "inside", "under"):
			return true
		default:
			return false
		}
	}
	return false
}

var (
	oldest = strings.Fields("oldest earliest")
	newest = strings.Fields("newest latest youngest")
)

// order reads "oldest" and "most recent".
func (u *understanding) order(i int) bool {
	switch {
	case slices.Contains(oldest, u.ws[i].Lower):
		u.q.Order = Oldest
	case slices.Contains(newest, u.ws[i].Lower), u.ws[i].isOne("recent") && i > 0 && u.ws[i-1].isOne("most"):
		u.q.Order = Newest
	case u.ws[i].isOne("most") && i+1 < len(u.ws) && u.ws[i+1].isOne("recent"):
	default:
		return false
	}
	u.uses[i] = Narrows
	return true
}

// number reads the 3 of "the 3 oldest" and of "account 4445"; others are unread.
func (u *understanding) number(i int) {
	near := func(at int) bool {
		return at >= 0 && at < len(u.ws) && (slices.Contains(oldest, u.ws[at].Lower) || slices.Contains(newest, u.ws[at].Lower) || u.ws[at].isOne("most"))
	}
	n, err := strconv.Atoi(u.ws[i].Lower)
	switch {
	case err == nil && n > 0 && n < 1000 && (near(i-1) || near(i+1)):
		u.q.Most, u.uses[i] = n, Narrows
	default:
		use := Unread // a part of a name, or "5 instances", which is no list of five
		if len(u.ws[i].Lower) > 3 {
			use = Text
		}
		in := u.not < 0 && use == Text && u.behindIn(i)
		q := u.into(i, 1, use)
		q.Words = append(q.Words, u.ws[i].Text)
		if in {
			q.In = append(q.In, u.ws[i].Text)
		}
	}
}

// negates reports whether a word can make a "not" of what follows. A "no" can
// only where something that resources have follows: "no tags", "no public ip".
func negates(ws []Word, i int) bool {
	if ws[i].isOne("no") {
		for _, w := range ws[i+1 : min(len(ws), i+3)] {
			if facetWords[w.Lower] && !strings.HasSuffix(w.Lower, "ed") && !w.isOne("private") ||
				w.isOne("tag", "tags", "name", "ip", "replicas") {
				return true
			}
		}
		return false
	}
	return ws[i].isOne("not", "without", "except", "excluding", "missing", "lacking", "lack", "lacks", "outside")
}

// formWords are words of questions that the grammar's classes leave out.
var formWords = strings.Fields("many much exist exists existing total altogether use using be been being")

// meaning are words of classes that are form elsewhere, whose meaning would be
// lost in a list.
var meaning = strings.Fields(`why when who whom whose should can could would will shall may might must ought was were did had
	like about between over under than through by per both either same former latter other others another explain help wish love prefer
	try trying able first last possibly anymore finally instead`)

// form reports whether a word only makes the sentence.
func (u *understanding) form(i int) bool {
	w := u.ws[i]
	next := func(words ...string) bool {
		at := i + 1
		for at < len(u.ws) && u.ws[at].Is(Article|Quantifier) {
			at++
		}
		return at < len(u.ws) && u.ws[at].isOne(words...)
	}
	switch {
	case w.isOne("how"):
		return next("many", "much")
	case w.isOne("by", "per"):
		return next("region", "account", "regions", "accounts")
	case slices.Contains(meaning, w.Lower), w.Is(Ordinal):
		return false
	case w.isOne("env", "id", "identifier", "arn", "profile", "option", "choice", "zone"):
		return i+1 < len(u.ws) && w.After == 0 && u.ws[i+1].Plain() // "env production", not "with env"
	case w.Is(Noun) && !w.Is(Label|Quantifier):
		return w.isOne("status", "state", "states", "details", "detail", "info", "information", "facts", "summary", "overview", "estate", "inventory", "account")
	case w.Is(Particle):
		return w.isOne("on", "up") // "up to date", "on aws": a state is taken above
	}
	return w.Is(Question|Ask|Article|Indefinite|Preposition|Polite|Greeting|Yes|Person|Want|Here|Label|Now|Conjunction|Pronoun|Quantifier) &&
		!w.Is(Time|Condition|Negation|Reason|Action|Cancel)
}

// contradictions drops facets that are asked for both ways: "encrypted and
// unencrypted" are all.
func (u *understanding) contradictions() {
	u.q.Facets = slices.DeleteFunc(slices.Clone(u.q.Facets), func(f Facet) bool {
		return slices.Contains(u.q.Facets, Facet{Property: f.Property, Lacking: !f.Lacking})
	})
}

// isOne reports whether a word, unquoted, is one of some words.
func (w Word) isOne(words ...string) bool { return !w.Quoted && slices.Contains(words, w.Lower) }

// AsksState reports whether a prompt asks how something is now, as in "is web-1
// running?" and "status of web-1".
func AsksState(ws []Word) bool {
	asks := slices.ContainsFunc(ws, func(w Word) bool { return w.Is(Question | Ask) }) || len(ws) > 0 && ws[len(ws)-1].After == '?'
	for i, w := range ws {
		if w.isOne("status", "state", "states", "health", "healthy", "unhealthy", "alive", "dead") ||
			asks && !w.Is(Action) && (w.Is(State) && stateHere(ws, i) || w.Is(ActionForm) && w.Is(State)) {
			return true
		}
	}
	return false
}

// Kinds lists the resource types that a run of words means which is no word of
// the grammar, such as "security groups": what people ask for though it is not
// read. n is how many words it has.
func Kinds(ws []Word, at int) (types []string, n int) {
	for n := min(3, len(ws)-at); n > 0; n-- {
		var parts []string
		for i, w := range ws[at : at+n] {
			if w.Quoted || i < n-1 && w.After != 0 {
				parts = nil
				break
			}
			parts = append(parts, w.Lower)
		}
		if alone, _ := aws.Kinds().Called(strings.Join(parts, "-")); alone != nil && len(parts) == n {
			return alone, n
		}
	}
	return nil, 0
}
