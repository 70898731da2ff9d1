package prompt

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
)

// Qualifiers narrow down which resources are meant. Empty fields do not.
type Qualifiers struct {
	// Types are resource types; Kind is how the prompt calls them.
	Types []string
	Kind  string
	// Plural: "instances", not "instance".
	Plural   bool
	Regions  []string
	Accounts []string
	// AccountNames are given as "the staging account".
	AccountNames []string
	// States are the words for states, see Means.
	States []string
	// Tags are given as key=value; an empty value means that the key is there.
	Tags map[string]string
	// Words are others, such as "staging" or "postgres": each must be found in
	// a tag, the name, the account's name, the id or the summary.
	Words []string
	// In are those of Words that stand where an account could, as in "in staging".
	In []string
	// Facets are properties asked for. Records don't hold them: Match leaves
	// them to who reads whole resources.
	Facets []Facet
	// Not are descriptions that must not fit; each has one field set.
	Not []Qualifiers
	// Order is Oldest or Newest, by when resources were made; "" for none.
	Order string
	// Most is how many are asked for; 0 where the prompt doesn't say.
	Most int
}

// The orders that questions may ask for.
const (
	Oldest = "oldest"
	Newest = "newest"
)

// Empty reports whether nothing narrows.
func (q Qualifiers) Empty() bool {
	return q.Kind == "" && q.Order == "" &&
		len(q.Regions)+len(q.Accounts)+len(q.AccountNames)+len(q.States)+len(q.Tags)+len(q.Words)+len(q.Facets)+len(q.Not) == 0
}

// Whole reports whether more than records is needed to tell what fits.
func (q Qualifiers) Whole() bool {
	return len(q.Facets) > 0 || q.Order != "" || slices.ContainsFunc(q.Not, func(n Qualifiers) bool { return len(n.Tags) > 0 })
}

// Read collects the qualifiers among words; names are taken out before.
func Read(ws []Word) Qualifiers {
	q, _ := Understand(ws)
	return q
}

// stateHere tells the state "up" in "which are up" from a particle or a
// preposition: "on" and "off" are states only at the end.
func stateHere(ws []Word, i int) bool {
	if !ws[i].Is(Particle) {
		return true
	}
	return i == len(ws)-1 || ws[i].After != 0 || i > 0 && ws[i].Lower != "on" && ws[i-1].isOne("is", "are", "that's")
}

func tag(t string) (key, value string, ok bool) {
	if Negated(t) {
		return "", "", false
	}
	key, value, ok = strings.Cut(t, "=")
	value = strings.TrimPrefix(value, "=")
	return key, strings.Trim(value, `"'`), ok && key != ""
}

// Negated reports whether a word holds a "not" that is not read, such as
// "non-production" and "env!=production": it is no name that nothing has.
func Negated(w string) bool {
	low := strings.ToLower(w)
	return strings.HasPrefix(low, "non") || strings.HasPrefix(low, "not-") || strings.HasPrefix(low, "un-") || strings.HasPrefix(low, "ex-") ||
		strings.HasPrefix(low, "!") || strings.Contains(low, "!=") || strings.Contains(low, "<>") || strings.Contains(low, "!~")
}

// Alone is the description by itself: "instances" are those of EC2, though beside
// a name they may be a database's.
func (q Qualifiers) Alone() Qualifiers {
	if alone, all := aws.Kinds().Called(q.Kind); len(alone) > 0 && slices.Equal(q.Types, all) {
		q.Types = alone
	}
	return q
}

// kind adds a kind word; a second one narrows the first: "db instance".
func (q *Qualifiers) kind(low string) {
	alone, of := aws.Kinds().Called(low)
	q.Plural = q.Plural || plurals[low]
	if q.Kind == "" {
		q.Kind, q.Types = low, slices.Clone(of)
		return
	}
	before, _ := aws.Kinds().Called(q.Kind)
	q.Kind += " " + low
	if of == nil {
		return
	}
	both := slices.DeleteFunc(slices.Clone(of), func(t string) bool { return !slices.Contains(q.Types, t) })
	if q.Types == nil {
		both = of
	}
	if len(both) == 0 {
		if before == nil {
			before = q.Types
		}
		both = append(slices.Clone(before), alone...) // "instances and buckets"
	}
	q.Types = both
}

// Match reports whether a resource is of the described kind.
func (q Qualifiers) Match(r index.Record) bool {
	in := func(list []string, v string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, v) })
	}
	if !in(q.Types, r.Type) || !in(q.Regions, r.Region) || !in(q.Accounts, r.AccountID) {
		return false
	}
	if len(q.States) > 0 && !slices.ContainsFunc(q.States, func(w string) bool { return Means(w, r.Type, r.State) }) {
		return false
	}
	for k, v := range q.Tags {
		if !hasTag(r.Tags, k, v) {
			return false
		}
	}
	if slices.ContainsFunc(q.Not, func(n Qualifiers) bool { return n.Match(r) }) {
		return false
	}
	if len(q.AccountNames) > 0 && !slices.ContainsFunc(q.AccountNames, func(n string) bool { return Alike(r.AccountName, n) }) {
		return false
	}
	return !slices.ContainsFunc(q.Words, func(w string) bool { return !Mentions(r, w) })
}

// hasTag reports whether there is a tag; without a value it may be a key, or
// what people call a tag by: its value.
func hasTag(tags map[string]string, key, value string) bool {
	for k, v := range tags {
		if strings.EqualFold(k, key) && (value == "" || strings.EqualFold(v, value)) || value == "" && Alike(v, key) {
			return true
		}
	}
	return false
}

// Mentions reports whether a word is found in what people call a resource by:
// a tag's value, a part of its name or id, its account's name, its summary.
func Mentions(r index.Record, word string) bool {
	if strings.EqualFold(r.Name, word) || strings.EqualFold(r.ID, word) || strings.EqualFold(r.AccountName, word) {
		return true
	}
	for k, v := range r.Tags {
		if Alike(v, word) || strings.EqualFold(k, word) {
			return true
		}
	}
	for _, text := range []string{r.Name, r.ID, r.AccountName, r.Summary} {
		if AlikeParts(text, word) {
			return true
		}
	}
	return false
}

// AlikeParts reports whether a part of a text is like a word.
func AlikeParts(text, word string) bool {
	for _, marks := range [...]string{" ·,", " -_./·,"} {
		for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(marks, c) }) {
			if Alike(part, word) {
				return true
			}
		}
	}
	return false
}

// engines are the values that people ask for by name, such as those of databases,
// and short other words for them, beside those of environments.
var engines, short = aws.Kinds().Values()

func full(s string) string {
	if e := kind.EnvironmentNamed(s); e != "" {
		return e
	}
	s = strings.ToLower(s)
	if l, ok := short[s]; ok {
		return l
	}
	return s
}

// Vocabulary reports whether a word says something of an estate even where
// nothing in it is called so: an environment, or a database's engine.
func Vocabulary(word string) bool {
	return kind.EnvironmentNamed(word) != "" || slices.Contains(engines, full(word))
}

// StateGone is the state of a resource that AWS, asked just now, has no more.
const StateGone = "gone"

// Gone reports whether a resource is on its way out, or out.
func Gone(r index.Record) bool {
	return r.State == StateGone || aws.Kinds().Phase(r.Type, r.State) == kind.Gone
}

// Closest drops, of resources that fit, those whose tags name another
// environment than the description, as long as there are some that name it:
// "the prod database" is not the staging one of the account called prod.
func (q Qualifiers) Closest(rs []index.Record) []index.Record {
	for _, w := range q.Words {
		env := kind.EnvironmentNamed(w)
		if env == "" || !slices.ContainsFunc(rs, func(r index.Record) bool { return kind.Environment(r.Tags) == env }) {
			continue
		}
		rs = slices.DeleteFunc(slices.Clone(rs), func(r index.Record) bool {
			has := kind.Environment(r.Tags)
			return has != "" && has != env && !AlikeParts(r.Name, w)
		})
	}
	return rs
}

// Alike compares a text with a word, which may be a short form or a plural.
func Alike(text, word string) bool {
	a, b := full(text), full(word)
	return a == b || len(b) > 3 && !strings.HasSuffix(b, "ss") && a == strings.TrimSuffix(b, "s")
}
