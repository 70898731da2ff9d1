package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/cloudops/cloudops/storage/kind"
)

// The cache is: the magic, whose last byte is the version; the version of the
// types, on which the facts of records depend; the number of words and each; the
// number of records and each, LastSynced as eight bytes before it; a CRC-32C of
// all that. It holds names: it is for a sealed file only.
const magic = "coindex\x02"

// ErrCache: the bytes are not a cache that this version reads. The index is
// disposable: build it anew from the store.
var ErrCache = errors.New("unusable index cache")

// MarshalBinary is the whole index as of its call.
func (x *Index) MarshalBinary() ([]byte, error) {
	s := x.snapshot()
	size, count := len(magic)+len(x.kinds.Version())+32, 0
	for _, w := range s.strs {
		size += len(w) + 3
	}
	for row := range s.rows {
		if b := s.body(row); b != nil {
			size += len(b) + 8 + uvarintLen(len(b))
			count++
		}
	}
	out := append(make([]byte, 0, size), magic...)
	out = appendString(out, x.kinds.Version())
	out = binary.AppendUvarint(out, uint64(len(s.strs)))
	for _, w := range s.strs {
		out = appendString(out, w)
	}
	out = binary.AppendUvarint(out, uint64(count))
	for row := range s.rows {
		if b := s.body(row); b != nil {
			out = binary.LittleEndian.AppendUint64(out, uint64(s.synced[row]))
			out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
		}
	}
	return binary.LittleEndian.AppendUint32(out, checksum(out)), nil
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// UnmarshalBinary replaces the content with what MarshalBinary gave. Bytes that
// are anything else are ErrCache and change nothing.
func (x *Index) UnmarshalBinary(data []byte) error {
	fresh, err := parseCache(data, x.kinds)
	if err != nil {
		return fmt.Errorf("reading the index cache: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.chunks, x.live, x.holes, x.current = fresh.chunks, fresh.live, fresh.holes, fresh.current
	x.rows, x.synced, x.vacant = fresh.rows, fresh.synced, fresh.vacant
	x.words, x.prints, x.seed = fresh.words, fresh.prints, fresh.seed
	return nil
}

func parseCache(data []byte, kinds *kind.Set) (*Index, error) {
	n := len(data) - crc32.Size
	if n < len(magic) || string(data[:len(magic)]) != magic {
		return nil, fmt.Errorf("%w: not of this version", ErrCache)
	}
	if checksum(data[:n]) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrCache)
	}
	x := New(kinds)
	rd := reader{b: data[:n], off: len(magic)}
	if v := rd.string(); rd.err == nil && string(data[v.lo:v.hi]) != kinds.Version() {
		return nil, fmt.Errorf("%w: of other types", ErrCache)
	}
	words := rd.count(1)
	if words > maxWords {
		return nil, fmt.Errorf("%w: too many words", ErrCache)
	}
	x.words.list = make([]string, 0, words)
	for range words {
		p := rd.string()
		w := string(data[p.lo:p.hi])
		if len(w) > maxWordLen {
			return nil, fmt.Errorf("%w: word too long", ErrCache)
		}
		x.words.number[w] = uint32(len(x.words.list))
		x.words.list = append(x.words.list, w)
	}
	const least = 8 + 1 + 18 // time, length, shortest record
	count := rd.count(least)
	x.rows = make([]uint32, 0, count)
	x.synced = make([]int64, 0, count)
	// Most records have three to five identifiers.
	x.prints.grow(count * 4)
	for range count {
		at := rd.bytes(8)
		p := rd.string()
		if rd.err != nil {
			break
		}
		body := data[p.lo:p.hi]
		hs, err := x.hashes(body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCache, err)
		}
		row := uint32(len(x.rows))
		if x.twin(body, hs) {
			return nil, fmt.Errorf("%w: a key twice", ErrCache)
		}
		x.rows = append(x.rows, x.store(body))
		x.synced = append(x.synced, int64(binary.LittleEndian.Uint64(data[at.lo:at.hi])))
		for _, h := range hs {
			x.prints.add(h, row)
		}
	}
	if rd.err != nil || rd.off != n {
		return nil, fmt.Errorf("%w: cut short or too long", ErrCache)
	}
	x.rows, x.synced = slices.Clip(x.rows), slices.Clip(x.synced)
	return x, nil
}

// twin says whether a record of the same key is there; the first of its hashes
// is that of the key.
func (x *Index) twin(body []byte, hs []uint32) bool {
	var one [1]uint32
	rows := x.prints.rows(hs[0], &one)
	if len(rows) == 0 {
		return false
	}
	r, err := decodeRecord(body, x.words.list)
	if err != nil {
		return false
	}
	_, found := x.row(r.Canonical())
	return found
}
