package index

import (
	"encoding/binary"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// A record is encoded as: flags, then type, account, region, service, state,
// account name, summary as words; ID; name unless it is the ID; the ARN's head
// as a word and its tail unless that is the ID; the tags but a Name tag that
// repeats the name, sorted, keys and values as words; the facts likewise; the
// aliases; the version; the digest. LastSynced is kept beside the record, since it moves often.
//
// Numbers are uvarints, strings have their length before them. A word is
// either a string, twice its length before it, or the number of an interned
// one, doubled plus one.
const (
	flagNameIsID = 1 << iota
	flagARN
	flagARNEndsInID
	flagNameTag
	flagTags
	flagFacts
	flagsAll = 1<<iota - 1
)

var errRecord = errors.New("malformed record")

// Interned strings are bounded: what comes later is kept in its record.
const (
	maxWords   = 1 << 16
	maxWordLen = 256
)

// words are the strings that records share. A string is interned when it is
// seen a second time, so that what only one record says costs nothing here.
type words struct {
	list   []string
	number map[string]uint32
	// once remembers hashes of strings seen once; a newer one displaces an older.
	once []uint32
}

func (w *words) init() {
	w.number = map[string]uint32{}
	w.once = make([]uint32, 1<<13)
}

// intern returns the number of a string that is shared.
func (w *words) intern(s string) (uint32, bool) {
	n, found := w.number[s]
	if found || len(s) > maxWordLen || len(w.list) == maxWords {
		return n, found
	}
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	if at := &w.once[h%uint32(len(w.once))]; *at != h {
		*at = h
		return 0, false
	}
	n = uint32(len(w.list))
	s = strings.Clone(s)
	w.list = append(w.list, s)
	w.number[s] = n
	return n, true
}

func (w *words) append(b []byte, s string) []byte {
	if len(s) > 1 {
		if n, found := w.intern(s); found {
			return binary.AppendUvarint(b, uint64(n)<<1|1)
		}
	}
	return append(binary.AppendUvarint(b, uint64(len(s))<<1), s...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func uvarintLen(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }

func appendRecord(b []byte, r *Record, w *words) []byte {
	flags := byte(0)
	if r.Name == r.ID {
		flags |= flagNameIsID
	}
	head, tail := splitARN(r.ARN, r.ID)
	if r.ARN != "" {
		flags |= flagARN
		if tail == r.ID {
			flags |= flagARNEndsInID
		}
	}
	if v, found := r.Tags["Name"]; found && v == r.Name {
		flags |= flagNameTag
	}
	if r.Tags != nil {
		flags |= flagTags
	}
	if len(r.Facts) > 0 {
		flags |= flagFacts
	}
	b = append(b, flags)
	for _, s := range [...]string{r.Type, r.AccountID, r.Region, r.Service, r.State, r.AccountName, r.Summary} {
		b = w.append(b, s)
	}
	b = appendString(b, r.ID)
	if flags&flagNameIsID == 0 {
		b = appendString(b, r.Name)
	}
	if flags&flagARN != 0 {
		b = w.append(b, head)
		if flags&flagARNEndsInID == 0 {
			b = appendString(b, tail)
		}
	}
	if flags&flagTags != 0 {
		n := len(r.Tags)
		if flags&flagNameTag != 0 {
			n--
		}
		b = binary.AppendUvarint(b, uint64(n))
		for _, k := range slices.Sorted(maps.Keys(r.Tags)) {
			if k == "Name" && flags&flagNameTag != 0 {
				continue
			}
			b = w.append(b, k)
			b = w.append(b, r.Tags[k])
		}
	}
	if flags&flagFacts != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Facts)))
		for _, k := range slices.Sorted(maps.Keys(r.Facts)) {
			b = w.append(b, k)
			b = w.append(b, r.Facts[k])
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Aliases)))
	for _, a := range r.Aliases {
		b = appendString(b, a)
	}
	b = binary.AppendUvarint(b, r.Version)
	return binary.LittleEndian.AppendUint64(b, r.Digest)
}

// splitARN cuts an ARN into what resources of one kind share and the rest.
func splitARN(arn, id string) (head, tail string) {
	if id != "" && strings.HasSuffix(arn, id) {
		return arn[:len(arn)-len(id)], id
	}
	i := strings.LastIndexAny(arn, ":/") + 1
	return arn[:i], arn[i:]
}

// span is a string of an encoded record: word number-1, or the bytes from lo
// to hi when number is 0.
type span struct {
	number uint32
	lo, hi int
}

// reader walks an encoded record. After an error it yields nothing.
type reader struct {
	b   []byte
	off int
	// words is how many words there are.
	words int
	err   error
}

func (r *reader) fail() { r.err, r.off = errRecord, len(r.b) }

func (r *reader) uvarint() uint64 {
	if r.off < len(r.b) && r.b[r.off] < 0x80 {
		r.off++
		return uint64(r.b[r.off-1])
	}
	n, w := binary.Uvarint(r.b[r.off:])
	if w <= 0 {
		r.fail()
		return 0
	}
	r.off += w
	return n
}

func (r *reader) bytes(n uint64) span {
	if n > uint64(len(r.b)-r.off) {
		r.fail()
		return span{}
	}
	r.off += int(n)
	return span{0, r.off - int(n), r.off}
}

func (r *reader) string() span { return r.bytes(r.uvarint()) }

func (r *reader) word() span {
	n := r.uvarint()
	if n&1 == 0 {
		return r.bytes(n >> 1)
	}
	if n >>= 1; n < uint64(r.words) {
		return span{number: uint32(n) + 1}
	}
	r.fail()
	return span{}
}

// layout is where the parts of an encoded record are.
type layout struct {
	flags                                             byte
	typ, account, region, service, state, accountName span
	summary, id, name, head, tail                     span
	// tags, facts and aliases follow at the reader's offset, see rest.
}

func (r *reader) layout() (l layout) {
	if len(r.b) == 0 {
		r.fail()
		return l
	}
	l.flags = r.b[0]
	if l.flags&^byte(flagsAll) != 0 || l.flags&flagNameTag != 0 && l.flags&flagTags == 0 {
		r.fail()
		return l
	}
	r.off = 1
	l.typ, l.account, l.region, l.service = r.word(), r.word(), r.word(), r.word()
	l.state, l.accountName, l.summary = r.word(), r.word(), r.word()
	l.id = r.string()
	l.name = l.id
	if l.flags&flagNameIsID == 0 {
		l.name = r.string()
	}
	if l.flags&flagARN != 0 {
		l.head, l.tail = r.word(), l.id
		if l.flags&flagARNEndsInID == 0 {
			l.tail = r.string()
		}
	}
	return l
}

// rest reads what follows the layout and checks that nothing is left.
func (r *reader) rest(l *layout, tag, fact func(k, v span), alias func(span)) (version, digest uint64) {
	r.pairs(l.flags&flagTags, tag)
	r.pairs(l.flags&flagFacts, fact)
	for range r.count(1) {
		if a := r.string(); r.err == nil {
			alias(a)
		}
	}
	version = r.uvarint()
	d := r.bytes(8)
	if r.err != nil || r.off != len(r.b) {
		r.fail()
		return 0, 0
	}
	return version, binary.LittleEndian.Uint64(r.b[d.lo:d.hi])
}

// pairs reads what has keys and values, where there is any.
func (r *reader) pairs(flag byte, each func(k, v span)) {
	if flag == 0 {
		return
	}
	for range r.count(2) {
		if k, v := r.word(), r.word(); r.err == nil {
			each(k, v)
		}
	}
}

// count reads how many things follow, each of at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64((len(r.b)-r.off)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// decodeRecord is the inverse of appendRecord, but for LastSynced.
func decodeRecord(b []byte, strs []string) (Record, error) {
	rd := reader{b: b, words: len(strs)}
	l := rd.layout()
	if rd.err != nil {
		return Record{}, rd.err
	}
	// One string holds all that this record does not share.
	s := string(b)
	text := func(p span) string {
		if p.number > 0 {
			return strs[p.number-1]
		}
		return s[p.lo:p.hi]
	}
	r := Record{
		Key: Key{
			Type: text(l.typ), ID: text(l.id), AccountID: text(l.account), Region: text(l.region),
		},
		Service: text(l.service), Name: text(l.name), AccountName: text(l.accountName),
		State: text(l.state), Summary: text(l.summary),
	}
	if l.flags&flagARN != 0 {
		r.ARN = text(l.head) + text(l.tail)
	}
	if l.flags&flagTags != 0 {
		r.Tags = map[string]string{}
	}
	if l.flags&flagNameTag != 0 {
		r.Tags["Name"] = r.Name
	}
	if l.flags&flagFacts != 0 {
		r.Facts = map[string]string{}
	}
	r.Version, r.Digest = rd.rest(&l, func(k, v span) { r.Tags[text(k)] = text(v) },
		func(k, v span) { r.Facts[text(k)] = text(v) },
		func(a span) { r.Aliases = append(r.Aliases, text(a)) })
	if rd.err != nil {
		return Record{}, rd.err
	}
	return r, nil
}
