package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloudops/cloudops/storage/home"
)

// salvage replaces a data file whose structure is damaged by one with all that
// still opens of it, be it nothing, and keeps a copy of the damaged one beside it.
// The seal of a value tells what it is and that it is whole, wherever it is found.
func (c *collection) salvage(dir string) error {
	file, fresh := dataFile(dir), filepath.Join(dir, "salvaged.db")
	defer os.Remove(fresh)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := createDB(fresh); err != nil {
		return err
	}
	db, err := openDB(fresh)
	if err != nil {
		return err
	}
	if err = errors.Join(c.copyTo(db, file), db.Close()); err != nil {
		return err
	}
	kept := home.Aside(file, time.Now())
	if err := copyFile(file, kept); err != nil {
		return errors.Join(fmt.Errorf("keeping the damaged file: %w", err), os.Remove(kept))
	}
	return errors.Join(os.Rename(fresh, file), home.SyncDir(dir))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, home.Sync(out), out.Close())
}

// copyTo puts everything that opens into a new data file.
func (c *collection) copyTo(db *bbolt.DB, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s := &salvager{c: c, f: f, db: db, seen: map[uint64]byte{}, size: uint64(os.Getpagesize())}
	metas := s.metas()
	s.visited = make([]bool, uint64(info.Size())/s.size)
	// What is in force comes first, so that nothing older replaces it; then what
	// damage has cut off. Pages that are free hold what was replaced or deleted.
	for _, m := range metas {
		s.tree(m.root, 0)
	}
	for _, m := range metas[:min(1, len(metas))] {
		s.skipFree(m)
	}
	for id := range uint64(len(s.visited)) {
		if !s.visited[id] {
			if b := s.page(id); b != nil && binary.NativeEndian.Uint16(b[8:]) == leafPage {
				s.leaf(b, 0)
			}
		}
	}
	s.flush()
	return s.err
}

// salvager reads pages without trusting any of them.
type salvager struct {
	c       *collection
	f       *os.File
	db      *bbolt.DB
	size    uint64
	visited []bool
	// seen has a bit for each value of a number that was found.
	seen    map[uint64]byte
	pending []salvaged
	err     error
}

// salvaged is a value on its way; kind is its place among heads, bodies, vectors.
type salvaged struct {
	kind       int
	key, value []byte
}

// metas are the readable headers, the newest first.
func (s *salvager) metas() (found []meta) {
	for i := range int64(2) {
		b := make([]byte, pageHeader+metaSize)
		if _, err := s.f.ReadAt(b, i*int64(s.size)); err != nil {
			continue
		}
		m, ok := readMeta(b)
		if !ok || m.pageSize < 1024 || m.pageSize > 1<<20 {
			continue
		}
		s.size = m.pageSize
		if found = append(found, m); len(found) == 2 && m.tx > found[0].tx {
			found[0], found[1] = m, found[0]
		}
	}
	return found
}

// page is a run of pages, as far as its values reach, or nil.
func (s *salvager) page(id uint64) []byte {
	if id >= uint64(len(s.visited)) {
		return nil
	}
	b := make([]byte, s.size)
	if _, err := s.f.ReadAt(b, int64(id*s.size)); err != nil {
		return nil
	}
	need, most := s.size, (uint64(len(s.visited))-id)*s.size
	switch binary.NativeEndian.Uint16(b[8:]) {
	case leafPage:
		for e := range elements(b) {
			_, _, end := e.span()
			need = max(need, end)
		}
	case freelistPage:
		need = (uint64(binary.NativeEndian.Uint32(b[12:])) + 1) * s.size
	}
	if need > most || need > 2*maxMessage {
		need = s.size // some length is damaged
	}
	if need > s.size {
		b = make([]byte, need)
		if _, err := s.f.ReadAt(b, int64(id*s.size)); err != nil {
			return nil
		}
	}
	return b
}

// element is one of a page, with its place there.
type element struct {
	at uint64
	b  []byte
}

// span is where the key begins, and the value, and ends, of a leaf's element.
func (e element) span() (key, value, end uint64) {
	key = e.at + uint64(binary.NativeEndian.Uint32(e.b[4:]))
	value = key + uint64(binary.NativeEndian.Uint32(e.b[8:]))
	return key, value, value + uint64(binary.NativeEndian.Uint32(e.b[12:]))
}

// elements yields those of a page that lie in it.
func elements(b []byte) iter.Seq[element] {
	return func(yield func(element) bool) {
		last := min(len(b), pageHeader+int(binary.NativeEndian.Uint16(b[10:]))*pageElement)
		for at := pageHeader; at+pageElement <= last; at += pageElement {
			if !yield(element{uint64(at), b[at : at+pageElement]}) {
				return
			}
		}
	}
}

// deepest is how far pages point to each other at most.
const deepest = 50

// tree takes all values below a page.
func (s *salvager) tree(id uint64, depth int) {
	if id < 2 || id >= uint64(len(s.visited)) || s.visited[id] || depth > deepest {
		return
	}
	b := s.page(id)
	if b == nil {
		return
	}
	s.visited[id] = true
	switch binary.NativeEndian.Uint16(b[8:]) {
	case branchPage:
		for e := range elements(b) {
			s.tree(binary.NativeEndian.Uint64(e.b[8:]), depth+1)
		}
	case leafPage:
		s.leaf(b, depth)
	}
}

// leaf takes the values of a page.
func (s *salvager) leaf(b []byte, depth int) {
	for e := range elements(b) {
		start, middle, end := e.span()
		if end > uint64(len(b)) {
			continue
		}
		key, value := b[start:middle], b[middle:end]
		if binary.NativeEndian.Uint32(e.b)&bucketElement == 0 {
			s.value(key, value)
			continue
		}
		// The value of a bucket begins with its first page; 0 means that it follows.
		if len(value) >= 16 && binary.NativeEndian.Uint64(value) != 0 {
			s.tree(binary.NativeEndian.Uint64(value), depth+1)
		} else if len(value) >= 16+pageHeader && depth < deepest {
			s.leaf(value[16:], deepest)
		}
	}
}

// value takes what opens as the head, body or vector of its number.
func (s *salvager) value(key, value []byte) {
	if len(key) != 8 || s.err != nil {
		return
	}
	seq := binary.BigEndian.Uint64(key)
	for i, field := range []string{"head", "body", "vector"} {
		sealed := value
		if field == "head" {
			if len(sealed) < idSize {
				continue
			}
			sealed = sealed[idSize:]
		}
		if _, err := s.c.keys.Open(sealed, s.c.at(seq, field)); err != nil {
			continue
		}
		if s.seen[seq]&(1<<i) == 0 {
			s.seen[seq] |= 1 << i
			s.pending = append(s.pending, salvaged{i, bytes.Clone(key), bytes.Clone(value)})
			if len(s.pending) == 4096 {
				s.flush()
			}
		}
		return
	}
}

// flush writes what is pending.
func (s *salvager) flush() {
	if s.err != nil {
		return
	}
	s.err = s.db.Update(func(tx *bbolt.Tx) error {
		heads, bodies, vectors, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, v := range s.pending {
			if err := [...]*bbolt.Bucket{heads, bodies, vectors}[v.kind].Put(v.key, v.value); err != nil {
				return err
			}
		}
		return nil
	})
	s.pending = s.pending[:0]
}

// skipFree passes over the pages that are on the free list, if that is whole.
func (s *salvager) skipFree(m meta) {
	b := s.page(m.freelist)
	if b == nil {
		return
	}
	ids, ok := freePages(b)
	if !ok {
		return
	}
	for at := 0; at < len(ids); at += 8 {
		if id := binary.NativeEndian.Uint64(ids[at:]); id < uint64(len(s.visited)) {
			s.visited[id] = true
		}
	}
}
