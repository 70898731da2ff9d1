package engine

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// write is a point on its way to disk.
type write struct {
	row
	// payload is encoded.
	payload            []byte
	head, body, sealed []byte
	// indexes are those that its values are of.
	indexes *indexes
}

// latest keeps of several writes of one id the last.
func latest(writes []*write) []*write {
	last := make(map[uuid.UUID]*write, len(writes))
	for _, w := range writes {
		last[w.id] = w
	}
	return slices.DeleteFunc(writes, func(w *write) bool { return last[w.id] != w })
}

// upsert replaces whole points. They are sealed before it is their turn to be
// written, and once more if that was for what is no longer so.
func (c *collection) upsert(writes []*write) error {
	writes = latest(writes)
	for _, w := range writes {
		w.seq = c.number(w.id)
	}
	if err := inParallel(len(writes), func(i int) error { return c.seal(writes[i]) }); err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	for _, w := range writes {
		r, ok := c.table.get(w.id)
		if moved := ok && c.table.seqs[r] != w.seq; moved || w.indexes != c.indexes || !c.keys.Current(w.head[idSize:]) {
			if moved {
				w.seq = c.table.seqs[r]
			}
			if err := c.seal(w); err != nil {
				return err
			}
		}
	}
	err := c.update(func(tx *bbolt.Tx) error {
		heads, bodies, vectors, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, w := range writes {
			key := seqKey(w.seq)
			if err := errors.Join(heads.Put(key, w.head), set(bodies, key, w.body), set(vectors, key, w.sealed)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return writeError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := make([]row, len(writes))
	for i, w := range writes {
		rows[i] = w.row
		delete(c.faults, w.seq)
	}
	c.table.put(rows)
	return nil
}

// number is the sequence number of an id, or one for it that is free.
func (c *collection) number(id uuid.UUID) uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r, ok := c.table.get(id); ok {
		return c.table.seqs[r]
	}
	return c.next.Add(1) - 1
}

// updateVectors replaces the vectors of points, all of which must be there.
func (c *collection) updateVectors(writes []*write) error {
	writes = latest(writes)
	c.writing.Lock()
	defer c.writing.Unlock()
	rows := make([]int32, len(writes))
	for i, w := range writes {
		r, ok := c.table.get(w.id)
		if !ok || c.table.damaged[r] {
			return status.Errorf(codes.NotFound, "Not found: No point with id %s found", w.id)
		}
		rows[i], w.seq = r, c.table.seqs[r]
	}
	err := inParallel(len(writes), func(i int) (err error) {
		if w := writes[i]; w.vector != nil {
			w.sealed, err = c.sealVector(w.seq, w.vector)
		}
		return err
	})
	if err != nil {
		return err
	}
	err = c.update(func(tx *bbolt.Tx) error {
		_, _, vectors, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, w := range writes {
			if w.sealed == nil {
				continue
			}
			if err := vectors.Put(seqKey(w.seq), w.sealed); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return writeError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range writes {
		if w.vector != nil {
			c.table.setVector(rows[i], w.vector)
			delete(c.faults, w.seq)
		}
	}
	return nil
}

// buckets are those of a data file, filled densely since keys mostly grow.
func buckets(tx *bbolt.Tx) (heads, bodies, vectors *bbolt.Bucket, err error) {
	if vectors, err = tx.CreateBucketIfNotExists(vectorsBucket()); err != nil {
		return nil, nil, nil, err
	}
	heads, bodies = tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
	heads.FillPercent, bodies.FillPercent, vectors.FillPercent = 0.9, 0.9, 0.9
	return heads, bodies, vectors, nil
}

// set puts a value, or deletes it when it is nil.
func set(b *bbolt.Bucket, key, value []byte) error {
	if value == nil {
		return b.Delete(key)
	}
	return b.Put(key, value)
}

// seal fills in what is stored of a point.
func (c *collection) seal(w *write) error {
	h, body, err := split(w.id, w.payload)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "encoding the payload: %v", err)
	}
	c.mu.RLock()
	w.indexes = c.indexes
	c.mu.RUnlock()
	w.values = make([]int64, len(w.indexes.fields))
	if err := w.indexes.evaluate(h, func() ([]byte, error) { return body, nil }, w.values); err != nil {
		return err
	}
	sealed, err := c.keys.SealAsIs(h.encode(), c.at(w.seq, "head"))
	if err == nil && body != nil {
		w.body, err = c.keys.SealAsIs(body, c.at(w.seq, "body"))
	}
	if err == nil && w.vector != nil {
		w.sealed, err = c.sealVector(w.seq, w.vector)
	}
	if err != nil {
		return status.Errorf(codes.Internal, "sealing a point: %v", err)
	}
	w.head = append(w.id[:len(w.id):len(w.id)], sealed...)
	return nil
}

// remove deletes points; absent ids are no error.
func (c *collection) remove(ids []uuid.UUID) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var seqs []uint64
	for _, id := range ids {
		if r, ok := c.table.get(id); ok {
			seqs = append(seqs, c.table.seqs[r])
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	err := c.update(func(tx *bbolt.Tx) error {
		heads, bodies, vectors, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			key := seqKey(seq)
			if err := errors.Join(heads.Delete(key), bodies.Delete(key), vectors.Delete(key)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return writeError(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.table.remove(ids)
	for _, seq := range seqs {
		delete(c.faults, seq)
	}
	return nil
}

func writeError(err error) error {
	switch {
	case full(err):
		return status.Error(codes.ResourceExhausted, "the disk is full; nothing of this write was kept: make room and try again")
	case readOnly(err):
		return status.Errorf(codes.FailedPrecondition, "the data file cannot be written to, and nothing of this write was kept: %v", err)
	}
	return status.Errorf(codes.Internal, "writing to the data file: %v", err)
}

// full says whether there is no room. bbolt tells of some errors in words only.
func full(err error) bool {
	return slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}, func(no error) bool {
		return errors.Is(err, no) || strings.HasSuffix(err.Error(), ": "+no.Error())
	})
}

// readOnly says whether an error is one of permissions, not of content.
func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
