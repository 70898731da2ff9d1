package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"

	"github.com/cloudops/cloudops/storage/home"
)

// bbolt trusts its pages: a damaged one makes it panic, loop, fault, or free a
// page that is in use. check walks the whole structure first.

const (
	pageHeader    = 16
	pageElement   = 16
	metaSize      = 64
	branchPage    = 0x01
	leafPage      = 0x02
	freelistPage  = 0x10
	bucketElement = 0x01
	noFreelist    = ^uint64(0)
)

type meta struct {
	pageSize, root, freelist, pages, tx uint64
}

// readMeta decodes a meta page, and says whether it is whole.
func readMeta(page []byte) (meta, bool) {
	le := binary.NativeEndian
	if len(page) < pageHeader+metaSize {
		return meta{}, false
	}
	b := page[pageHeader : pageHeader+metaSize]
	sum := fnv.New64a()
	sum.Write(b[:56])
	ok := le.Uint32(b) == 0xED0CDAED && le.Uint32(b[4:]) == 2 && le.Uint64(b[56:]) == sum.Sum64()
	return meta{
		pageSize: uint64(le.Uint32(b[8:])), root: le.Uint64(b[16:]),
		freelist: le.Uint64(b[32:]), pages: le.Uint64(b[40:]), tx: le.Uint64(b[48:]),
	}, ok
}

type checker struct {
	data []byte
	meta meta
	// used marks pages that are reachable.
	used []bool
}

// check verifies the structure of a bbolt file. stale says that one of the two
// headers is damaged, so that the other, perhaps a commit older, is in force.
func check(path string) (stale bool, err error) {
	f, err := home.Open(path, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < 4096 {
		return false, fmt.Errorf("%w: the file is cut short", ErrCorrupt)
	}
	data, unmap, err := mapFile(f, int(info.Size()))
	if err != nil {
		return false, err
	}
	defer unmap()
	err = guarded(func() (err error) {
		stale, err = checkData(data)
		return err
	})
	return stale, err
}

func checkData(data []byte) (stale bool, err error) {
	m0, ok0 := readMeta(data)
	size := uint64(os.Getpagesize())
	if ok0 {
		size = m0.pageSize
	}
	if size < 1024 || size > 1<<20 {
		return false, fmt.Errorf("%w: the page size is %d", ErrCorrupt, size)
	}
	if uint64(len(data)) < 2*size {
		return false, fmt.Errorf("%w: the file is cut short", ErrCorrupt)
	}
	m1, ok1 := readMeta(data[size:])
	m := m0
	switch {
	case !ok0 && !ok1:
		return false, fmt.Errorf("%w: both headers are damaged", ErrCorrupt)
	case !ok0 || ok1 && m1.tx > m0.tx:
		m = m1
	}
	if m.pageSize != size || m.pages > uint64(len(data))/size {
		return false, fmt.Errorf("%w: the file is cut short: it has %d bytes, %d pages of %d are in use", ErrCorrupt, len(data), m.pages, size)
	}
	c := &checker{data: data, meta: m, used: make([]bool, m.pages)}
	if err := c.tree(m.root, nil, nil); err != nil {
		return false, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	if err := c.free(); err != nil {
		return false, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return !ok0 || !ok1, nil
}

// page is a run of pages, which are marked used.
func (c *checker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= c.meta.pages {
		return nil, fmt.Errorf("page %d is outside the file", id)
	}
	b := c.data[id*c.meta.pageSize:]
	run := uint64(binary.NativeEndian.Uint32(b[12:])) + 1
	if binary.NativeEndian.Uint64(b) != id || run > c.meta.pages-id {
		return nil, fmt.Errorf("the header of page %d is damaged", id)
	}
	for i := id; i < id+run; i++ {
		if c.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		c.used[i] = true
	}
	return b[:run*c.meta.pageSize], nil
}

// tree checks a page and all below it; its keys lie in [low, high).
func (c *checker) tree(id uint64, low, high []byte) error {
	b, err := c.page(id)
	if err != nil {
		return err
	}
	if err := c.elements(b, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (c *checker) elements(b []byte, low, high []byte) error {
	le := binary.NativeEndian
	flags, count := le.Uint16(b[8:]), int(le.Uint16(b[10:]))
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 || pageHeader+count*pageElement > len(b) {
		return fmt.Errorf("its header is damaged")
	}
	key := func(i int) (key, value []byte, ok bool) {
		at := pageHeader + i*pageElement
		e := b[at:]
		pos, klen, vlen := uint64(le.Uint32(e)), uint64(le.Uint32(e[4:])), uint64(0)
		if flags == leafPage {
			pos, klen, vlen = uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
		}
		start := uint64(at) + pos
		if start < uint64(pageHeader+count*pageElement) || start+klen+vlen > uint64(len(b)) {
			return nil, nil, false
		}
		return b[start : start+klen], b[start+klen : start+klen+vlen], true
	}
	previous := low
	for i := range count {
		k, v, ok := key(i)
		if !ok {
			return fmt.Errorf("element %d lies outside it", i)
		}
		if order := bytes.Compare(previous, k); order > 0 || order == 0 && i > 0 || high != nil && bytes.Compare(k, high) >= 0 {
			return fmt.Errorf("element %d is out of order", i)
		}
		previous = k
		at := pageHeader + i*pageElement
		switch {
		case flags == branchPage:
			next := high
			if i+1 < count {
				if next, _, ok = key(i + 1); !ok {
					return fmt.Errorf("element %d lies outside it", i+1)
				}
			}
			if err := c.tree(le.Uint64(b[at+8:]), k, next); err != nil {
				return err
			}
		case le.Uint32(b[at:])&bucketElement != 0:
			if err := c.bucket(v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) bucket(v []byte) error {
	if len(v) < 16 {
		return fmt.Errorf("a bucket is cut short")
	}
	if root := binary.NativeEndian.Uint64(v); root != 0 {
		return c.tree(root, nil, nil)
	}
	inline := v[16:]
	if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		return fmt.Errorf("an inline bucket is damaged")
	}
	return c.elements(inline, nil, nil)
}

// free checks that no page on the free list is in use.
func (c *checker) free() error {
	if c.meta.freelist == noFreelist {
		return nil
	}
	b, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	ids, ok := freePages(b)
	if !ok {
		return fmt.Errorf("the free list is damaged")
	}
	for ; len(ids) > 0; ids = ids[8:] {
		id := binary.NativeEndian.Uint64(ids)
		if id < 2 || id >= c.meta.pages || c.used[id] {
			return fmt.Errorf("the free list names page %d, which is not free", id)
		}
		c.used[id] = true
	}
	return nil
}

// freePages are the numbers on a page of the free list, of eight bytes each.
func freePages(b []byte) (ids []byte, ok bool) {
	le := binary.NativeEndian
	ids, count := b[pageHeader:], uint64(le.Uint16(b[10:]))
	if count == 0xFFFF && len(ids) >= 8 {
		ids, count = ids[8:], le.Uint64(ids)
	}
	if le.Uint16(b[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return nil, false
	}
	return ids[:count*8], true
}
