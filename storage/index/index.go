// Package index is the daemon's memory of the estate: which identifier, name
// or tag belongs to which resource.
//
// Its entries are Index (the compact table, loaded from one sealed cache file)
// and Tokens and At (which parts of a document may name a resource).
//
// Invariants: a look-up touches neither network nor disk; a text is tokenised
// and its candidates looked up, it is never searched for every known name;
// no look-up waits for a search or a listing.
package index

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// A location is a chunk number and an offset in it, in 32 bits.
	chunkBits = 18
	chunkSize = 1 << chunkBits
	nowhere   = math.MaxUint32
)

// Index holds the records of an estate, packed. Safe for concurrent use.
//
// A record is a run of bytes in a chunk (encode.go), found by its row; rows are
// found through the fingerprints of the record's identifiers (fingerprint.go)
// and verified on the decoded record.
type Index struct {
	kinds *kind.Set

	mu sync.RWMutex // guards all below
	// Written bytes of a chunk never change: who copied the slices under the
	// lock reads on without it.
	chunks [][]byte
	// live counts the bytes of each chunk that a row still points to.
	live []int
	// holes are the numbers of chunks given back.
	holes   []uint32
	current int
	rows    []uint32
	// synced is each row's LastSynced in Unix nanoseconds, 0 for never.
	synced []int64
	// vacant are the rows without a record.
	vacant []uint32
	words  words
	prints fingerprints
	seed   maphash.Seed
	// folded and found are scratch space of hashes.
	folded []byte
	found  []uint32
}

// New returns an empty index of resources of some types, whose words it knows.
func New(kinds *kind.Set) *Index {
	x := &Index{kinds: kinds, seed: maphash.MakeSeed(), current: -1}
	x.words.init()
	return x
}

// Len is the number of records.
func (x *Index) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.rows) - len(x.vacant)
}

// Put adds a record, or replaces the one of the same key.
func (x *Index) Put(r Record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	body := appendRecord(nil, &r, &x.words)
	row, found := x.row(r.Canonical())
	if found {
		x.synced[row] = nanos(r.LastSynced)
		if string(x.body(x.rows[row])) == string(body) {
			return
		}
		x.unlink(row)
		x.release(row)
	} else if n := len(x.vacant); n > 0 {
		row, x.vacant = x.vacant[n-1], x.vacant[:n-1]
	} else {
		row = uint32(len(x.rows))
		x.rows = append(x.rows, nowhere)
		x.synced = append(x.synced, 0)
	}
	x.rows[row] = x.store(body)
	x.synced[row] = nanos(r.LastSynced)
	hs, _ := x.hashes(body)
	for _, h := range hs {
		x.prints.add(h, row)
	}
	x.compact()
}

// Delete removes the record of a key; an absent one is no error.
func (x *Index) Delete(k Key) {
	x.mu.Lock()
	defer x.mu.Unlock()
	row, found := x.row(k.Canonical())
	if !found {
		return
	}
	x.unlink(row)
	x.release(row)
	x.vacant = append(x.vacant, row)
	x.compact()
}

// Confirm moves LastSynced of the records of some keys; absent ones are skipped.
func (x *Index) Confirm(at time.Time, ks ...Key) {
	for part := range slices.Chunk(ks, 256) {
		x.mu.Lock()
		for _, k := range part {
			if row, found := x.row(k.Canonical()); found {
				x.synced[row] = nanos(at)
			}
		}
		x.mu.Unlock()
	}
}

// Get returns the record of a key.
func (x *Index) Get(k Key) (Record, bool) {
	canonical := k.Canonical()
	for _, r := range x.collect(canonical) {
		if r.Canonical() == canonical {
			return r, true
		}
	}
	return Record{}, false
}

// Find returns the records that carry an identifier: canonical key, ID, name,
// ARN, alias or Name tag. Case does not matter, but where one matches exactly,
// those that differ in case are left out. What the identifier is the ID of
// comes first, then names, then aliases, each in the order of their keys.
func (x *Index) Find(identifier string) []Record {
	if identifier == "" {
		return nil
	}
	return narrow(identifier, x.collect(identifier))
}

// Resolve looks up many tokens at once; tokens that name nothing are absent.
func (x *Index) Resolve(tokens []string) map[string][]Record {
	found := map[string][]Record{}
	type hit struct {
		token string
		at    []sighting
	}
	for part := range slices.Chunk(tokens, 256) {
		var hits []hit
		x.mu.RLock()
		for _, t := range part {
			if t == "" || found[t] != nil {
				continue
			}
			if at := x.sight(t); at != nil {
				hits = append(hits, hit{t, at})
			}
		}
		strs := x.words.list
		x.mu.RUnlock()
		for _, h := range hits {
			if rs := narrow(h.token, decodeAll(h.at, strs)); len(rs) > 0 {
				found[h.token] = rs
			}
		}
	}
	return found
}

// All yields every record, in no particular order, as of its call.
func (x *Index) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		s := x.snapshot()
		for row := range s.rows {
			b := s.body(row)
			if b == nil {
				continue
			}
			r, err := decodeRecord(b, s.strs)
			if err != nil {
				continue
			}
			r.LastSynced = moment(s.synced[row])
			if !yield(r) {
				return
			}
		}
	}
}

// snapshot is the index at one moment, to be read without the lock.
type snapshot struct {
	chunks [][]byte
	rows   []uint32
	synced []int64
	strs   []string
}

func (x *Index) snapshot() snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return snapshot{slices.Clone(x.chunks), slices.Clone(x.rows), slices.Clone(x.synced), x.words.list}
}

// body is the encoded record of a row, nil where there is none.
func (s *snapshot) body(row int) []byte {
	loc := s.rows[row]
	if loc == nowhere {
		return nil
	}
	return bodyAt(s.chunks[loc>>chunkBits], loc)
}

// sighting is where a record was when the lock was held.
type sighting struct {
	body   []byte
	synced int64
}

// sight collects what may carry an identifier. The lock is held.
func (x *Index) sight(identifier string) []sighting {
	var at []sighting
	var one [1]uint32
	for _, row := range x.prints.rows(foldHash(x.seed, identifier), &one) {
		at = append(at, sighting{x.body(x.rows[row]), x.synced[row]})
	}
	return at
}

// collect returns the records that may carry an identifier.
func (x *Index) collect(identifier string) []Record {
	x.mu.RLock()
	at, strs := x.sight(identifier), x.words.list
	x.mu.RUnlock()
	return decodeAll(at, strs)
}

func decodeAll(at []sighting, strs []string) []Record {
	var rs []Record
	for _, s := range at {
		r, err := decodeRecord(s.body, strs)
		if err != nil {
			continue
		}
		r.LastSynced = moment(s.synced)
		rs = append(rs, r)
	}
	return rs
}

// narrow keeps the records that really carry the identifier, in order.
func narrow(identifier string, rs []Record) []Record {
	type match struct {
		rank      int
		canonical string
		r         Record
	}
	var ms []match
	exact := false
	for _, r := range rs {
		best, isExact := -1, false
		for rank, s := range identifiers(&r) {
			if s == identifier {
				best, isExact = rank, true
				break
			}
			if best < 0 && strings.EqualFold(s, identifier) {
				best = rank
			}
		}
		if best < 0 || exact && !isExact {
			continue
		}
		if isExact && !exact {
			exact, ms = true, ms[:0]
		}
		ms = append(ms, match{best, r.Canonical(), r})
	}
	if len(ms) == 0 {
		return nil
	}
	slices.SortFunc(ms, func(a, b match) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		return strings.Compare(a.canonical, b.canonical)
	})
	found := make([]Record, len(ms))
	for i, m := range ms {
		found[i] = m.r
	}
	return found
}

// identifiers yields what a record is found by, with a rank: 0 for canonical
// key and ID, 1 for names, 2 for aliases. Strings may repeat.
func identifiers(r *Record) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		if !yield(0, r.Canonical()) || r.ID != "" && !yield(0, r.ID) {
			return
		}
		if r.Name != "" && !yield(1, r.Name) {
			return
		}
		if n := r.Tags["Name"]; n != "" && n != r.Name && !yield(1, n) {
			return
		}
		for _, a := range r.Aliases {
			if a != "" && !yield(2, a) {
				return
			}
		}
	}
}

// hashes returns the distinct fingerprints of an encoded record's identifiers,
// those that identifiers yields, and checks the record on the way. They are
// valid until the next call. The lock is held.
func (x *Index) hashes(b []byte) ([]uint32, error) {
	rd := reader{b: b, words: len(x.words.list)}
	l := rd.layout()
	x.found = x.found[:0]
	add := func(parts ...span) {
		f := x.folded[:0]
		for i, p := range parts {
			if i > 0 && l.flags&flagARN == 0 {
				f = append(f, '|')
			}
			f = appendText(f, b, p, x.words.list)
		}
		x.folded = f
		if len(f) == 0 {
			return
		}
		if h := hash(x.seed, f); !slices.Contains(x.found, h) {
			x.found = append(x.found, h)
		}
	}
	if rd.err == nil {
		if l.flags&flagARN != 0 {
			if add(l.head, l.tail); len(x.found) == 0 {
				return nil, errRecord // the flag is for an ARN that is there
			}
		} else {
			add(l.account, l.region, l.typ, l.id)
		}
		add(l.id)
		add(l.name)
	}
	rd.rest(&l, func(k, v span) {
		if k.number > 0 && x.words.list[k.number-1] == "Name" || k.number == 0 && string(b[k.lo:k.hi]) == "Name" {
			add(v)
		}
	}, func(span, span) {}, func(a span) { add(a) })
	return x.found, rd.err
}

// row finds the row of a canonical key. The lock is held.
func (x *Index) row(canonical string) (uint32, bool) {
	var one [1]uint32
	for _, row := range x.prints.rows(foldHash(x.seed, canonical), &one) {
		if x.is(x.body(x.rows[row]), canonical) {
			return row, true
		}
	}
	return 0, false
}

// is says whether an encoded record has a canonical key.
func (x *Index) is(b []byte, canonical string) bool {
	r, err := decodeRecord(b, x.words.list)
	return err == nil && r.Canonical() == canonical
}

// unlink removes a row's fingerprints.
func (x *Index) unlink(row uint32) {
	// An error cannot be: the record was written by Put or checked on loading.
	hs, _ := x.hashes(x.body(x.rows[row]))
	for _, h := range hs {
		x.prints.remove(h, row)
	}
}

func (x *Index) body(loc uint32) []byte { return bodyAt(x.chunks[loc>>chunkBits], loc) }

func bodyAt(chunk []byte, loc uint32) []byte {
	b := chunk[loc&(chunkSize-1):]
	n, w := binary.Uvarint(b)
	return b[w : w+int(n)]
}

// store appends an encoded record to the current chunk and returns where.
func (x *Index) store(body []byte) uint32 {
	var head [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(head[:], uint64(len(body)))
	need := w + len(body)
	c := x.current
	if c < 0 || len(x.chunks[c])+need > cap(x.chunks[c]) {
		if need > chunkSize/4 {
			c = x.chunk(need)
		} else {
			c = x.chunk(chunkSize)
			x.current = c
		}
	}
	off := len(x.chunks[c])
	x.chunks[c] = append(append(x.chunks[c], head[:w]...), body...)
	x.live[c] += need
	return uint32(c)<<chunkBits | uint32(off)
}

// chunk makes room and returns its number.
func (x *Index) chunk(size int) int {
	fresh := make([]byte, 0, size)
	if n := len(x.holes); n > 0 {
		c := int(x.holes[n-1])
		x.holes = x.holes[:n-1]
		x.chunks[c], x.live[c] = fresh, 0
		return c
	}
	x.chunks, x.live = append(x.chunks, fresh), append(x.live, 0)
	return len(x.chunks) - 1
}

// release gives up the bytes of a row.
func (x *Index) release(row uint32) {
	loc := x.rows[row]
	x.rows[row] = nowhere
	n := len(x.body(loc))
	x.live[loc>>chunkBits] -= n + uvarintLen(n)
}

// compact moves the rest of a chunk that is half empty and gives it back.
func (x *Index) compact() {
	for c, b := range x.chunks {
		if b == nil || c == x.current || x.live[c]*2 > len(b) {
			continue
		}
		if x.live[c] > 0 {
			for row, loc := range x.rows {
				if loc != nowhere && int(loc>>chunkBits) == c {
					x.rows[row] = x.store(bodyAt(b, loc))
				}
			}
		}
		x.chunks[c], x.live[c] = nil, 0
		x.holes = append(x.holes, uint32(c))
	}
}

// nanos is a time as it is kept. Times that do not fit count as never.
func nanos(t time.Time) int64 {
	if y := t.Year(); y < 1680 || y > 2260 {
		return 0
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
