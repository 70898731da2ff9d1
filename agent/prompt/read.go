package prompt

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/index"
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
	// States are the states that a state word stands for.
	States []string
	// StateWords are those words.
	StateWords []string
	// Tags are given as key=value; an empty value means that the key is there.
	Tags map[string]string
	// Words are others, such as "staging" or "postgres": each must be found in
	// a tag, the name, the account's name, the id or the summary.
	Words []string
}

// Empty reports whether nothing narrows.
func (q Qualifiers) Empty() bool {
	return q.Kind == "" && len(q.Regions)+len(q.Accounts)+len(q.AccountNames)+len(q.States)+len(q.Tags)+len(q.Words) == 0
}

// Read collects the qualifiers among words; names are taken out before.
func Read(ws []Word) Qualifiers {
	q := Qualifiers{}
	for i, w := range ws {
		if w.Quoted {
			q.Words = append(q.Words, w.Text)
			continue
		}
		if k, v, ok := tag(w.Text); ok {
			if q.Tags == nil {
				q.Tags = map[string]string{}
			}
			q.Tags[k] = v
			continue
		}
		switch low := w.Lower; {
		case IsRegion(low):
			q.Regions = append(q.Regions, low)
		case isAccount(low):
			q.Accounts = append(q.Accounts, low)
		case places[low] != "":
			q.Regions = append(q.Regions, places[low])
		case w.Is(Kind):
			q.kind(low)
		case w.Is(State) && states[low] != nil && stateHere(ws, i):
			q.States = append(q.States, states[low]...)
			q.StateWords = append(q.StateWords, low)
		case w.Plain() && ofAccount(ws, i):
			q.AccountNames = append(q.AccountNames, w.Text)
		case w.Plain():
			q.Words = append(q.Words, w.Text)
		}
	}
	return q
}

// stateHere tells the state "up" in "which are up" from a particle or a
// preposition: "on" and "off" are states only at the end.
func stateHere(ws []Word, i int) bool {
	if !ws[i].Is(Particle) {
		return true
	}
	return i == len(ws)-1 || ws[i].After != 0
}

// ofAccount tells "the staging account" from the word staging.
func ofAccount(ws []Word, i int) bool {
	return i < len(ws)-1 && ws[i].After == 0 && ws[i+1].Lower == "account" && !ws[i+1].Quoted
}

func tag(t string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(t, "=")
	return key, strings.Trim(value, `"'`), ok && key != ""
}

// kind adds a kind word; a second one narrows the first: "db instance".
func (q *Qualifiers) kind(low string) {
	base := low
	if _, ok := types[base]; !ok {
		if base = strings.TrimSuffix(base, "es"); types[base] == nil {
			base = strings.TrimSuffix(low, "s")
		}
	}
	of := types[base]
	q.Plural = q.Plural || base != low
	if q.Kind == "" {
		q.Kind, q.Types = low, slices.Clone(of)
		return
	}
	q.Kind += " " + low
	if of == nil {
		return
	}
	both := slices.DeleteFunc(slices.Clone(of), func(t string) bool { return !slices.Contains(q.Types, t) })
	if q.Types == nil {
		both = of
	}
	if len(both) == 0 {
		both = append(slices.Clone(q.Types), of...)
	}
	q.Types = both
}

// Match reports whether a resource is of the described kind.
func (q Qualifiers) Match(r index.Record) bool {
	in := func(list []string, v string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, v) })
	}
	if !in(q.Types, r.Type) || !in(q.Regions, r.Region) || !in(q.Accounts, r.AccountID) || !in(q.States, r.State) {
		return false
	}
	for k, v := range q.Tags {
		if !hasTag(r.Tags, k, v) {
			return false
		}
	}
	if len(q.AccountNames) > 0 && !slices.ContainsFunc(q.AccountNames, func(n string) bool { return alike(r.AccountName, n) }) {
		return false
	}
	return !slices.ContainsFunc(q.Words, func(w string) bool { return !Mentions(r, w) })
}

func hasTag(tags map[string]string, key, value string) bool {
	for k, v := range tags {
		if strings.EqualFold(k, key) && (value == "" || strings.EqualFold(v, value)) {
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
		if alike(v, word) || strings.EqualFold(k, word) {
			return true
		}
	}
	for _, text := range []string{r.Name, r.ID, r.AccountName, r.Summary} {
		if alikeParts(text, word) {
			return true
		}
	}
	return false
}

// alikeParts reports whether a part of a text is like a word.
func alikeParts(text, word string) bool {
	for _, marks := range [...]string{" ·,", " -_./·,"} {
		for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(marks, c) }) {
			if alike(part, word) {
				return true
			}
		}
	}
	return false
}

// short forms that people use for one another.
var short = map[string]string{
	"prod": "production", "prd": "production", "stage": "staging", "stg": "staging", "dev": "development",
	"postgresql": "postgres", "pg": "postgres", "maria": "mariadb", "qa": "quality",
}

func full(s string) string {
	s = strings.ToLower(s)
	if l, ok := short[s]; ok {
		return l
	}
	return s
}

// environments are what tags such as env say.
var environments = map[string]bool{"production": true, "staging": true, "development": true, "quality": true, "test": true}

// environment is what a tag says of the environment that a resource belongs to.
func environment(tags map[string]string) string {
	for k, v := range tags {
		if low := strings.ToLower(k); low == "env" || low == "environment" || low == "stage" {
			return full(v)
		}
	}
	return ""
}

// Closest drops, of resources that fit, those whose tags name another
// environment than the description, as long as there are some that name it:
// "the prod database" is not the staging one of the account called prod.
func (q Qualifiers) Closest(rs []index.Record) []index.Record {
	for _, w := range q.Words {
		env := full(w)
		if !environments[env] || !slices.ContainsFunc(rs, func(r index.Record) bool { return environment(r.Tags) == env }) {
			continue
		}
		rs = slices.DeleteFunc(slices.Clone(rs), func(r index.Record) bool {
			has := environment(r.Tags)
			return has != "" && has != env && !alikeParts(r.Name, w)
		})
	}
	return rs
}

// alike compares a text with a word, which may be a short form or a plural.
func alike(text, word string) bool {
	a, b := full(text), full(word)
	return a == b || len(b) > 3 && !strings.HasSuffix(b, "ss") && a == strings.TrimSuffix(b, "s")
}
