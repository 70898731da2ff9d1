package builtin

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage"
)

// thing is a resource, and when it was last known to be so.
type thing struct {
	storage.Record
	age time.Time
}

func identified(r agent.IdentifiedResource) thing {
	text := func(key string) string { s, _ := r.Metadata[key].(string); return s }
	th := thing{Record: storage.Record{
		Key:  storage.Key{Type: r.Type, ID: r.ID, AccountID: r.Account, Region: r.Region, ARN: r.ARN},
		Name: r.Name, State: r.CurrentState, Tags: r.Tags,
		Service: text("service"), AccountName: text("account_name"), Summary: text("summary"),
	}}
	th.age, _ = time.Parse(time.RFC3339, r.LastSynced)
	return th
}

func (b *Backend) things(rs []storage.Record) []thing {
	out := make([]thing, len(rs))
	for i, r := range rs {
		out[i] = thing{Record: r, age: b.ledger.Age(r)}
	}
	return out
}

// search lists what a description fits, in a stable order.
func (b *Backend) search(q prompt.Qualifiers) []thing {
	types := q.Types
	if len(types) == 0 {
		types = []string{""}
	}
	var out []storage.Record
	for _, typ := range types {
		f := storage.Filter{Type: typ}
		if len(q.Regions) == 1 {
			f.Region = q.Regions[0]
		}
		if len(q.Accounts) == 1 {
			f.AccountID = q.Accounts[0]
		}
		rs, _ := b.estate.Search("", f, math.MaxInt32)
		out = append(out, slices.DeleteFunc(rs, func(r storage.Record) bool { return !q.Match(r) })...)
	}
	out = q.Closest(out)
	slices.SortFunc(out, func(x, y storage.Record) int {
		return cmp.Or(strings.Compare(x.Type, y.Type), strings.Compare(x.AccountID, y.AccountID),
			strings.Compare(x.Region, y.Region), strings.Compare(x.Name, y.Name), strings.Compare(x.ID, y.ID))
	})
	return b.things(out)
}

// outcome is what looking up a phrase came to.
type outcome int

const (
	found outcome = iota
	// several could be meant.
	several
	// all: a whole kind is meant.
	all
	// unknown: nothing of that name, or nothing that fits.
	unknown
	// elsewhere: it is there, but not as the phrase says.
	elsewhere
	// nothing was named.
	missing
	// tooMany were found to be sent.
	tooMany
	// unclear: part of the phrase was not understood.
	unclear
)

// look finds what a phrase means. near are the qualifiers of the last phrase
// of its clause, which may belong to all: "web-1 and web-2 in eu-west-1".
func (t *turn) look(p phrase, near prompt.Qualifiers, earlier []thing) ([]thing, outcome) {
	switch {
	case len(p.left) > 0 && p.name != "":
		return t.named[strings.ToLower(p.name)], unclear
	case len(p.left) > 0:
		return nil, unclear
	case p.name != "" && p.all:
		return t.named[strings.ToLower(p.name)], all
	case p.name != "":
		return t.byName(p, near)
	case p.ordinal != 0:
		return t.byOrdinal(p)
	case p.refers:
		return t.byReference(p, earlier)
	case p.all || p.q.Plural && p.q.Kind != "":
		return t.search(p.q), all
	case p.q.Kind == "" && len(p.q.Words) > 0:
		if ths := t.search(p.q); len(ths) > 0 && (p.all || plural(p.q.Words)) {
			return ths, all // "stop all workers"
		}
		return nil, unknown
	case p.q.Empty():
		return nil, missing
	}
	// "the staging database": one that fits is meant, several are asked about.
	ths := t.search(p.q)
	rest := p.q
	rest.Kind, rest.Types = "", nil
	switch {
	case len(ths) == 0 && rest.Empty():
		return nil, missing
	case len(ths) == 0:
		return nil, unknown
	case len(ths) == 1 && !p.loose && !rest.Empty():
		return ths, found
	}
	return ths, several
}

// plural reports whether the last word could be one.
func plural(words []string) bool {
	last := strings.ToLower(words[len(words)-1])
	return len(last) > 3 && strings.HasSuffix(last, "s") && !strings.HasSuffix(last, "ss")
}

func (t *turn) byName(p phrase, near prompt.Qualifiers) ([]thing, outcome) {
	if t.Omitted[p.name] > 0 {
		return t.named[strings.ToLower(p.name)], tooMany
	}
	ths := t.named[strings.ToLower(p.name)]
	fit := slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return !p.q.Match(th.Record) })
	switch {
	case len(fit) == 0:
		return ths, elsewhere
	case len(fit) > 1:
		rs := make([]storage.Record, len(fit))
		for i, th := range fit {
			rs[i] = th.Record
		}
		if n := agent.Narrow(rs, near); len(n) == 1 {
			i := slices.IndexFunc(fit, func(th thing) bool { return th.Canonical() == n[0].Canonical() })
			return fit[i : i+1], found
		}
		return fit, several
	}
	return fit, found
}

func (t *turn) byOrdinal(p phrase) ([]thing, outcome) {
	n := p.ordinal
	if n < 0 {
		n = len(t.before)
	}
	if n < 1 || n > len(t.before) {
		return nil, missing
	}
	return t.before[n-1 : n], found
}

// byReference finds what "it" or "them" means: what the prompt named before,
// else what the turns before mentioned.
func (t *turn) byReference(p phrase, earlier []thing) ([]thing, outcome) {
	ths := earlier
	if len(ths) == 0 {
		ths = t.before
	}
	fit := slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return !p.q.Match(th.Record) })
	switch {
	case len(ths) == 0:
		return nil, missing
	case len(fit) == 0:
		return ths, elsewhere
	case len(fit) == 1, p.plural && len(fit) <= mostAtOnce:
		return fit, found
	case p.plural:
		return fit, all
	}
	return fit, several
}

// close lists identifiers that are a slip of the finger away, the closest first.
func (b *Backend) close(name string) []thing {
	const most = 3
	limit := 1
	if len(name) > 4 {
		limit = 2
	}
	low := strings.ToLower(name)
	type near struct {
		storage.Record
		distance int
	}
	var out []near
	rs, _ := b.estate.Search("", storage.Filter{}, math.MaxInt32)
	for _, r := range rs {
		best := limit + 1
		for _, id := range []string{r.Name, r.ID} {
			id = strings.ToLower(id)
			if id != "" {
				best = min(best, distance(low, id, limit))
				if len(low) >= 4 && len(id) > len(low) && strings.HasPrefix(id, low) {
					best = min(best, limit)
				}
			}
		}
		if best <= limit {
			out = append(out, near{r, best})
		}
	}
	slices.SortStableFunc(out, func(x, y near) int {
		return cmp.Or(x.distance-y.distance, strings.Compare(x.Name, y.Name), strings.Compare(x.Canonical(), y.Canonical()))
	})
	var records []storage.Record
	for _, n := range out[:min(len(out), most)] {
		if n.distance == out[0].distance {
			records = append(records, n.Record)
		}
	}
	return b.things(records)
}

// distance is how many letters must be changed, added, dropped or swapped with
// their neighbour; more than limit is limit+1.
func distance(a, b string, limit int) int {
	const longest = 64
	if len(a) > longest || len(b) > longest || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, prev, older := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], older[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit {
			return limit + 1
		}
	}
	return min(rows[len(a)%3][len(b)], limit+1)
}
