package index

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unicode"

	"github.com/cloudops/cloudops/storage/kind"
)

// DefaultLimit is how many records Search returns when no limit is given.
const DefaultLimit = 10

// How well a word fits what it was found in. The scores of a query's words add up.
const (
	fitID        = 100 // the whole identifier, name or alias
	fitIDPrefix  = 60
	fitIDPart    = 40 // after - _ . : or /
	fitIDInside  = 20
	fitTag       = 50 // key=value, or the whole value
	fitTagPrefix = 25
	fitTagInside = 10
	fitType      = 45 // the type, or what people call it
	fitTypePart  = 30
	fitField     = 35 // state, region, service or account
	fitFieldPart = 15
	fitSummary   = 5
)

// fillers count only in a query of nothing else.
var fillers = [...]string{
	"a", "all", "an", "and", "any", "are", "at", "by", "for", "from", "in", "is", "my", "named", "of", "on", "or",
	"our", "show", "tagged", "that", "the", "to", "which", "with",
}

// Search ranks the records that match all words of a query, best first, equals
// by name, then key. A word matches identifiers, names and aliases (whole,
// beginning, part), tags ("env=production", "production"), types and what
// people call them ("databases", "servers"), service, state, region, account
// id or name, and the summary. "state=stopped" and "region:us-west-2" match
// that field only. Quotes keep words together. An empty query lists all that
// the filter lets through. Limit 0 means DefaultLimit, below 0 no limit; total
// counts the matches before the limit. A word means what it means alone:
// "instances" are those of EC2. Beside a word of other types it means those of
// them that it may mean too, such as "db instances"; where nothing fits, all.
func (x *Index) Search(query string, f Filter, limit int) (found []Record, total int) {
	if limit == 0 {
		limit = DefaultLimit
	}
	s, ts := x.snapshot(), terms(query, x.kinds)
	together(ts)
	if found, total = s.search(ts, f, limit); total > 0 {
		return found, total
	}
	wider := false
	for i := range ts {
		for t := &ts[i]; t != nil; t = t.typ {
			wider = wider || len(t.all) > len(t.types)
			t.types = t.all
		}
	}
	if !wider {
		return nil, 0
	}
	return s.search(ts, f, limit)
}

// together has words mean what they do beside one another.
func together(ts []term) {
	for i := range ts {
		var both []string
		for j := range ts {
			for _, typ := range ts[j].types {
				if i != j && slices.Contains(ts[i].all, typ) && !slices.Contains(both, typ) {
					both = append(both, typ)
				}
			}
		}
		if both != nil {
			ts[i].types = both
		}
	}
}

func (s *snapshot) search(ts []term, f Filter, limit int) (found []Record, total int) {
	m := newMatcher(s.strs, ts, f)
	best := ranking{limit: limit}
	for row := range s.rows {
		b := s.body(row)
		if b == nil {
			continue
		}
		score, ok := m.match(b)
		if !ok {
			continue
		}
		total++
		best.offer(hit{row, score, m.name}, s)
	}
	for _, h := range best.sorted(s) {
		r, err := decodeRecord(s.body(h.row), s.strs)
		if err != nil {
			continue
		}
		r.LastSynced = moment(s.synced[h.row])
		found = append(found, r)
	}
	return found, total
}

// term is one word of a query, folded.
type term struct {
	// field and value are set for field=value and field:value.
	field, value string
	// text is the whole word, bytes the same.
	text  string
	bytes []byte
	// types are what the word calls alone, all what beside others.
	types, all []string
	// stem is the word without a plural s.
	stem string
	// typ is the value of type=value.
	typ *term
}

// terms splits a query at spaces outside quotes.
func terms(query string, kinds *kind.Set) []term {
	var raw []string
	var word strings.Builder
	quote := rune(0)
	flush := func() {
		if word.Len() > 0 {
			raw = append(raw, word.String())
			word.Reset()
		}
	}
	for _, r := range query {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '`'):
			quote = r
		case quote == 0 && unicode.IsSpace(r):
			flush()
		case r == 0:
			// It separates identifiers, see match.
		default:
			word.WriteRune(r)
		}
	}
	flush()
	var kept, dropped []term
	for _, w := range raw {
		w = strings.TrimRight(string(appendFold(nil, w)), ",;!?")
		if w == "" {
			continue
		}
		if _, filler := slices.BinarySearch(fillers[:], w); filler {
			dropped = append(dropped, newTerm(w, kinds))
		} else {
			kept = append(kept, newTerm(w, kinds))
		}
	}
	if len(kept) == 0 {
		kept = dropped
	}
	// More words than these only cost time.
	return kept[:min(len(kept), 16)]
}

func newTerm(w string, kinds *kind.Set) term {
	t := term{text: w, bytes: []byte(w), stem: w}
	if i := strings.IndexAny(w, "=:"); i > 0 && i < len(w)-1 {
		t.field, t.value = w[:i], w[i+1:]
		if t.field == "tag" {
			if k, v, found := strings.Cut(t.value, "="); found && k != "" && v != "" {
				t.field, t.value = k, v
			}
		}
	}
	if t.field == "type" {
		v := newTerm(t.value, kinds)
		t.typ = &v
	}
	if len(w) > 2 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") {
		t.stem = w[:len(w)-1]
	}
	t.types, t.all = kinds.Called(w)
	return t
}

// matcher scores encoded records. What a word says about an interned string is
// worked out once.
type matcher struct {
	strs   []string
	folded [][]byte // of strs, made when needed
	terms  []term
	filter Filter
	// memo holds a class per term and word.
	memo [][]memo
	// name is the folded name, or ID, of the record matched last.
	name []byte
	ids  []byte
	buf  [2][]byte
	best []int
}

// memo is what one term is to one string: the fit plus one, by what the string
// is; 0 where that is not worked out yet.
type memo struct{ typ, field, text, key, value uint8 }

func newMatcher(strs []string, ts []term, f Filter) *matcher {
	m := &matcher{strs: strs, folded: make([][]byte, len(strs)), terms: ts, best: make([]int, len(ts))}
	for range ts {
		m.memo = append(m.memo, make([]memo, len(strs)))
	}
	fold := func(s string) string { return string(appendFold(nil, s)) }
	m.filter = Filter{
		Type: fold(f.Type), AccountID: fold(f.AccountID), Region: fold(f.Region), Service: fold(f.Service),
		State: fold(f.State),
	}
	if len(f.Tags) > 0 {
		m.filter.Tags = map[string]string{}
		for k, v := range f.Tags {
			m.filter.Tags[fold(k)] = fold(v)
		}
	}
	return m
}

// text is a folded string of an encoded record; scratch says which buffer to use.
func (m *matcher) text(b []byte, p span, scratch int) []byte {
	if p.number > 0 {
		w := &m.folded[p.number-1]
		if *w == nil {
			*w = appendFold([]byte{}, m.strs[p.number-1])
		}
		return *w
	}
	m.buf[scratch] = appendFold(m.buf[scratch][:0], b[p.lo:p.hi])
	return m.buf[scratch]
}

// match scores a record; ok is false where the filter or a word says no.
func (m *matcher) match(b []byte) (score int, ok bool) {
	rd := reader{b: b, words: len(m.strs)}
	l := rd.layout()
	if rd.err != nil {
		return 0, false
	}
	is := func(want string, p span) bool { return want == "" || want == string(m.text(b, p, 0)) }
	f := &m.filter
	if !is(f.Type, l.typ) || !is(f.AccountID, l.account) || !is(f.Region, l.region) ||
		!is(f.Service, l.service) || !is(f.State, l.state) {
		return 0, false
	}
	for i := range m.best {
		m.best[i] = 0
	}
	// All identifiers in one buffer, a zero byte around each.
	ids := append(m.ids[:0], 0)
	ids = appendFold(ids, b[l.name.lo:l.name.hi])
	nameEnd := len(ids)
	ids = append(ids, 0)
	if l.flags&flagNameIsID == 0 {
		ids = append(appendFold(ids, b[l.id.lo:l.id.hi]), 0)
	}
	m.name = append(m.name[:0], ids[1:nameEnd]...)
	wantedTags := len(f.Tags)
	if l.flags&flagNameTag != 0 {
		// As an identifier it is compared below.
		wantedTags -= m.wants([]byte("name"), m.name)
	}
	if len(m.name) == 0 {
		m.name = append(m.name, m.text(b, l.id, 0)...)
	}
	if l.flags&flagTags != 0 {
		for range rd.count(2) {
			k, v := rd.word(), rd.word()
			wantedTags -= m.tag(b, k, v)
		}
	}
	if wantedTags > 0 {
		return 0, false
	}
	rd.pairs(l.flags&flagFacts, func(k, v span) {})
	for range rd.count(1) {
		a := rd.string()
		ids = append(appendFold(ids, b[a.lo:a.hi]), 0)
	}
	if rd.err != nil {
		return 0, false
	}
	m.ids = ids
	for i := range m.terms {
		t := &m.terms[i]
		best := max(m.best[i], fitIdentifiers(ids, t.bytes))
		if best < fitID && l.flags&flagARN != 0 {
			best = max(best, m.arn(b, &l, t))
		}
		best = max(best, m.fields(b, &l, i))
		if best == 0 {
			return 0, false
		}
		score += best
	}
	return score, true
}

// fitIdentifiers is how well a word fits any of the identifiers.
func fitIdentifiers(ids, word []byte) int {
	best := 0
	for at := 0; ; at++ {
		i := bytes.Index(ids[at:], word)
		if i < 0 {
			return best
		}
		at += i
		switch before := ids[at-1]; {
		case before == 0 && ids[at+len(word)] == 0:
			return fitID
		case before == 0:
			best = max(best, fitIDPrefix)
		case strings.IndexByte("-_.:/ ", before) >= 0:
			best = max(best, fitIDPart)
		default:
			best = max(best, fitIDInside)
		}
	}
}

// arn is how well a word fits the ARN. Its head is of many resources, so that
// only a word that looks like an ARN is looked for in it.
func (m *matcher) arn(b []byte, l *layout, t *term) int {
	if strings.HasPrefix(t.text, "arn:") {
		head, tail := m.text(b, l.head, 0), m.text(b, l.tail, 1)
		switch {
		case len(head)+len(tail) == len(t.text) && t.text[:len(head)] == string(head) && t.text[len(head):] == string(tail):
			return fitID
		case strings.HasPrefix(string(head)+string(tail), t.text):
			return fitIDPrefix
		}
		return 0
	}
	if l.flags&flagARNEndsInID == 0 && bytes.Contains(m.text(b, l.tail, 1), t.bytes) {
		return fitIDInside
	}
	return 0
}

// fields is how well a word fits type, service, state, region, account and summary.
func (m *matcher) fields(b []byte, l *layout, i int) int {
	t := &m.terms[i]
	only := func(name string) bool { return t.field == name }
	fit := func(p span) int { return m.field(b, p, i, t.text) }
	switch {
	case t.typ != nil:
		return fitTypeOf(m.text(b, l.typ, 0), t.typ)
	case only("state"), only("status"):
		return fitWord(m.text(b, l.state, 0), t.value, fitField, fitFieldPart)
	case only("region"):
		return fitWord(m.text(b, l.region, 0), t.value, fitField, fitFieldPart)
	case only("service"):
		return fitWord(m.text(b, l.service, 0), t.value, fitField, fitFieldPart)
	case only("account"), only("account_id"):
		return max(fitWord(m.text(b, l.account, 0), t.value, fitField, fitFieldPart),
			fitWord(m.text(b, l.accountName, 0), t.value, fitField, fitFieldPart))
	case only("name"):
		return fitWord(m.name, t.value, fitID, fitIDPrefix)
	case only("id"):
		return fitWord(m.text(b, l.id, 0), t.value, fitID, fitIDPrefix)
	}
	said := 0
	if t.all == nil { // or "s3" would be all of its service, and "instances" a cluster of "2 instances"
		said = max(fit(l.service), m.summary(b, l.summary, i))
	}
	return max(m.typ(b, l.typ, i), said, fit(l.state), fit(l.region), fit(l.account), fit(l.accountName))
}

// fitWord is whole for equality and part for a beginning.
func fitWord(s []byte, word string, whole, part int) int {
	switch {
	case string(s) == word:
		return whole
	case strings.HasPrefix(string(s), word):
		return part
	}
	return 0
}

func (m *matcher) typ(b []byte, p span, i int) int {
	t := &m.terms[i]
	if p.number > 0 {
		c := &m.memo[i][p.number-1].typ
		if *c == 0 {
			*c = uint8(fitTypeOf(m.text(b, p, 0), t)) + 1
		}
		return int(*c) - 1
	}
	return fitTypeOf(m.text(b, p, 0), t)
}

func fitTypeOf(typ []byte, t *term) int {
	if string(typ) == t.text {
		return fitType
	}
	for _, c := range t.types {
		if string(typ) == c {
			return fitType
		}
	}
	if t.all != nil {
		return 0
	}
	for part := range bytes.SplitSeq(typ, []byte("_")) {
		if string(part) == t.stem || string(part) == t.text {
			return fitTypePart
		}
	}
	if len(t.text) > 2 && bytes.HasPrefix(typ, []byte(t.text)) {
		return fitTypePart
	}
	return 0
}

func (m *matcher) field(b []byte, p span, i int, word string) int {
	if p.number > 0 {
		c := &m.memo[i][p.number-1].field
		if *c == 0 {
			*c = uint8(fitWord(m.text(b, p, 0), word, fitField, fitFieldPart)) + 1
		}
		return int(*c) - 1
	}
	return fitWord(m.text(b, p, 0), word, fitField, fitFieldPart)
}

func (m *matcher) summary(b []byte, p span, i int) int {
	fit := func() int {
		if bytes.Contains(m.text(b, p, 0), m.terms[i].bytes) {
			return fitSummary
		}
		return 0
	}
	if p.number > 0 {
		c := &m.memo[i][p.number-1].text
		if *c == 0 {
			*c = uint8(fit()) + 1
		}
		return int(*c) - 1
	}
	return fit()
}

// tag notes how the words fit a tag, and counts it if the filter wants it.
func (m *matcher) tag(b []byte, k, v span) (wanted int) {
	if len(m.filter.Tags) > 0 {
		wanted = m.wants(m.text(b, k, 0), m.text(b, v, 1))
	}
	for i := range m.terms {
		t := &m.terms[i]
		var fit int
		if t.field != "" && string(m.text(b, k, 0)) == t.field {
			fit = fitWord(m.text(b, v, 1), t.value, fitTag, fitTagPrefix)
		} else {
			fit = max(m.tagKey(b, k, i), m.tagValue(b, v, i))
		}
		m.best[i] = max(m.best[i], fit)
	}
	return wanted
}

// wants counts a tag that the filter asks for.
func (m *matcher) wants(key, value []byte) int {
	if want, found := m.filter.Tags[string(key)]; found && want == string(value) {
		return 1
	}
	return 0
}

func (m *matcher) tagKey(b []byte, p span, i int) int {
	if p.number > 0 {
		c := &m.memo[i][p.number-1].key
		if *c == 0 {
			*c = uint8(fitWord(m.text(b, p, 0), m.terms[i].text, fitTagPrefix, fitTagInside)) + 1
		}
		return int(*c) - 1
	}
	return fitWord(m.text(b, p, 0), m.terms[i].text, fitTagPrefix, fitTagInside)
}

func (m *matcher) tagValue(b []byte, p span, i int) int {
	if p.number > 0 {
		c := &m.memo[i][p.number-1].value
		if *c == 0 {
			*c = uint8(fitValue(m.text(b, p, 0), &m.terms[i])) + 1
		}
		return int(*c) - 1
	}
	return fitValue(m.text(b, p, 0), &m.terms[i])
}

func fitValue(value []byte, t *term) int {
	if fit := fitWord(value, t.text, fitTag, fitTagPrefix); fit > 0 {
		return fit
	}
	if bytes.Contains(value, t.bytes) {
		return fitTagInside
	}
	return 0
}

// hit is a match; name is folded and borrowed until it is kept.
type hit struct {
	row   int
	score int
	name  []byte
}

// ranking keeps the best hits, at most twice the limit of them.
type ranking struct {
	limit int
	hits  []hit
	// worst is the hit that a new one has to beat, once there are enough.
	full  bool
	worst hit
}

func (k *ranking) offer(h hit, s *snapshot) {
	if k.full && !k.before(h, k.worst, s) {
		return
	}
	h.name = slices.Clone(h.name)
	k.hits = append(k.hits, h)
	if k.limit > 0 && len(k.hits) >= 2*k.limit {
		k.cut(s)
	}
}

func (k *ranking) cut(s *snapshot) {
	sort.Slice(k.hits, func(i, j int) bool { return k.before(k.hits[i], k.hits[j], s) })
	if k.limit > 0 && len(k.hits) >= k.limit {
		clear(k.hits[k.limit:])
		k.hits = k.hits[:k.limit]
		k.full, k.worst = true, k.hits[k.limit-1]
	}
}

func (k *ranking) sorted(s *snapshot) []hit {
	k.cut(s)
	return k.hits
}

// before is the order of results.
func (k *ranking) before(a, b hit, s *snapshot) bool {
	if a.score != b.score {
		return a.score > b.score
	}
	if c := bytes.Compare(a.name, b.name); c != 0 {
		return c < 0
	}
	return canonicalOf(s, a.row) < canonicalOf(s, b.row)
}

func canonicalOf(s *snapshot, row int) string {
	r, err := decodeRecord(s.body(row), s.strs)
	if err != nil {
		return ""
	}
	return r.Canonical()
}
