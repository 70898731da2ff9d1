package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/cloudops/cloudops/storage/seal"
)

// resealPage is how many points writers wait for at most.
const resealPage = 256

// idSize is what stands before the seal of a head.
const idSize = 16

// Reseal seals anew all values in the data files that earlier keys sealed, while
// the engine is used. It returns how many points had any, and how many hold a
// value that does not open, which is left as it is. each is called after every
// page with the number of points looked at.
func (e *Engine) Reseal(ctx context.Context, each func(points int)) (done, unreadable int, err error) {
	e.mu.RLock()
	all := make([]*collection, 0, len(e.collections))
	for _, c := range e.collections {
		all = append(all, c)
	}
	e.mu.RUnlock()
	for _, c := range all {
		for from := uint64(0); ; {
			if ctx.Err() != nil {
				return done, unreadable, ctx.Err()
			}
			var p resealed
			if err := guarded(func() (err error) { p, err = c.resealPage(from); return err }); err != nil {
				return done, unreadable, fmt.Errorf("sealing the values of %s anew: %w", c.name, err)
			}
			done, unreadable = done+p.done, unreadable+p.unreadable
			each(p.points)
			if p.points < resealPage {
				break
			}
			from = p.next
		}
	}
	return done, unreadable, nil
}

// Stored is how many points the data files hold.
func (e *Engine) Stored() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n := uint64(0)
	for _, c := range e.collections {
		n += c.count()
	}
	return int(n)
}

// resealed is what became of a page. next is the number after its last point.
type resealed struct {
	points, done, unreadable int
	next                     uint64
}

// resealPage seals a page of points anew, from a number on.
func (c *collection) resealPage(from uint64) (p resealed, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	type value struct {
		bucket *bbolt.Bucket
		key    []byte
		seq    uint64
		field  string
		plain  int // how much of it stands before the seal
		sealed []byte
		failed bool
	}
	// Writers wait meanwhile, so that no value is replaced by an older one.
	err = c.update(func(tx *bbolt.Tx) error {
		heads, bodies, vectors, err := buckets(tx)
		if err != nil {
			return err
		}
		var old []*value
		cursor := heads.Cursor()
		for k, v := cursor.Seek(seqKey(from)); k != nil && p.points < resealPage; k, v = cursor.Next() {
			p.points++
			if len(k) != 8 {
				continue
			}
			seq := binary.BigEndian.Uint64(k)
			p.next = seq + 1
			for _, x := range []value{
				{bucket: heads, field: "head", plain: idSize, sealed: v},
				{bucket: bodies, field: "body", sealed: bodies.Get(k)},
				{bucket: vectors, field: "vector", sealed: vectors.Get(k)},
			} {
				if x.sealed != nil && !(len(x.sealed) >= x.plain && c.keys.Current(x.sealed[x.plain:])) {
					x.key, x.seq = slices.Clone(k), seq
					old = append(old, &x)
				}
			}
		}
		if len(old) == 0 {
			return errNothing
		}
		err = inParallel(len(old), func(i int) error {
			x := old[i]
			if len(x.sealed) < x.plain {
				x.failed = true
				return nil
			}
			plain, err := c.keys.Open(x.sealed[x.plain:], c.at(x.seq, x.field))
			if errors.Is(err, seal.ErrUnauthenticated) {
				x.failed = true
				return nil
			}
			if err != nil {
				return err
			}
			sealed, err := c.keys.SealAsIs(plain, c.at(x.seq, x.field))
			x.sealed = append(slices.Clone(x.sealed[:x.plain]), sealed...)
			return err
		})
		if err != nil {
			return err
		}
		last := map[bool]uint64{}
		for _, x := range old {
			if last[x.failed] != x.seq {
				last[x.failed] = x.seq
				if x.failed {
					p.unreadable++
				} else {
					p.done++
				}
			}
			if !x.failed {
				if err := x.bucket.Put(x.key, x.sealed); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return p, nil
	}
	if err != nil {
		return p, writeError(err)
	}
	return p, nil
}

// errNothing ends a transaction that has nothing to write.
var errNothing = errors.New("nothing to write")
