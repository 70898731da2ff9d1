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
	"github.com/cloudops/cloudops/storage/kind"
)

// thing is a resource, and when it was last known to be so.
type thing struct {
	storage.Record
	age time.Time
	// live: AWS was asked for it in this turn; unasked is why it could not be.
	live    bool
	unasked string
	// made is when it was made, where a question is about that.
	made time.Time
}

func identified(r agent.IdentifiedResource) thing {
	text := func(key string) string { s, _ := r.Metadata[key].(string); return s }
	constraints, _ := r.Metadata["constraints"].(map[string]any)
	th := thing{Record: storage.Record{
		Key:  storage.Key{Type: r.Type, ID: r.ID, AccountID: r.Account, Region: r.Region, ARN: r.ARN},
		Name: r.Name, State: r.CurrentState, Tags: r.Tags,
		Service: text("service"), AccountName: text("account_name"), Summary: text("summary"),
		Facts: kind.Facts(r.Metadata, constraints),
	}}
	th.age, _ = time.Parse(time.RFC3339, r.LastSynced)
	th.live, th.unasked = r.Live, r.NotAsked
	return th
}

func (b *Backend) things(rs []storage.Record) []thing {
	out := make([]thing, len(rs))
	for i, r := range rs {
		out[i] = thing{Record: r, age: b.ledger.Age(r)}
	}
	return out
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
	fitting := func(q prompt.Qualifiers) []thing {
		return living(slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return !q.Match(th.Record) }))
	}
	placed, _ := t.placed(p.q)
	fit := fitting(placed)
	if len(fit) == 0 {
		if fit = fitting(p.q); len(fit) > 0 {
			return fit, several // "in staging" is an account, and this is tagged so: it is asked about
		}
	}
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
	q, _ := t.placed(p.q)
	fit := slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return !q.Match(th.Record) })
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
func (t *turn) close(name string) []thing {
	low := strings.ToLower(name)
	if _, known := t.near[low]; !known {
		t.near[low] = t.closeTo(low)
	}
	return t.near[low]
}

// everything is the whole estate, read once in a turn.
func (t *turn) everything() []storage.Record {
	if t.all == nil {
		t.all, _ = t.estate.Search("", storage.Filter{}, math.MaxInt32)
	}
	return t.all
}

func (t *turn) closeTo(low string) []thing {
	const most = 3
	limit := 1
	if len(low) > 4 {
		limit = 2
	}
	type near struct {
		storage.Record
		distance int
	}
	var out []near
	for _, r := range t.everything() {
		best := limit + 1
		for _, id := range []string{r.Name, r.ID} {
			id = strings.ToLower(id)
			if id != "" {
				best = min(best, prompt.Distance(low, id, limit))
				if len(low) >= 4 && len(id) > len(low) && strings.HasPrefix(id, low) {
					best = min(best, limit)
				}
			}
		}
		if best <= limit {
			out = append(out, near{r, best})
		}
	}
	if living := slices.DeleteFunc(slices.Clone(out), func(n near) bool { return prompt.Gone(n.Record) }); len(living) > 0 {
		out = living
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
	return t.things(records)
}
