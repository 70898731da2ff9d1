package engine

import (
	"bytes"
	"errors"
	"slices"
	"syscall"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// write is a point on its way to disk.
type write struct {
	point      *point
	head, body []byte
}

// upsert replaces whole points; of several with one id the last counts.
func (c *collection) upsert(ids []uuid.UUID, payloads []map[string]*qdrant.Value) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	last := map[uuid.UUID]int{}
	for i, id := range ids {
		last[id] = i
	}
	next := c.next
	var writes []write
	for i, id := range ids {
		if last[id] != i {
			continue
		}
		p := &point{id: id, seq: next}
		if at, ok := c.find(id); ok {
			p.seq = c.points[at].seq
		} else {
			next++
		}
		w, err := c.sealPoint(p, payloads[i])
		if err != nil {
			return err
		}
		writes = append(writes, w)
	}
	err := c.db.Update(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		heads.FillPercent, bodies.FillPercent = 0.9, 0.9 // keys mostly grow
		for _, w := range writes {
			key := seqKey(w.point.seq)
			if err := heads.Put(key, w.head); err != nil {
				return err
			}
			if w.body == nil {
				if err := bodies.Delete(key); err != nil {
					return err
				}
			} else if err := bodies.Put(key, w.body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return writeError(err)
	}
	c.next = next
	c.mu.Lock()
	defer c.mu.Unlock()
	var added []*point
	for _, w := range writes {
		delete(c.faults, w.point.seq)
		if at, ok := c.find(w.point.id); ok {
			c.points[at] = w.point
		} else {
			added = append(added, w.point)
		}
	}
	c.points = merge(c.points, added)
	return nil
}

// merge adds points to a sorted list from its end, so that a batch moves each
// element once.
func merge(points, added []*point) []*point {
	slices.SortFunc(added, func(a, b *point) int { return bytes.Compare(a.id[:], b.id[:]) })
	i, j := len(points)-1, len(added)-1
	points = append(points, added...)
	for k := len(points) - 1; j >= 0; k-- {
		if i >= 0 && bytes.Compare(points[i].id[:], added[j].id[:]) > 0 {
			points[k] = points[i]
			i--
		} else {
			points[k] = added[j]
			j--
		}
	}
	return points
}

func (c *collection) sealPoint(p *point, payload map[string]*qdrant.Value) (write, error) {
	h, body, err := split(p.id, payload)
	if err != nil {
		return write{}, status.Errorf(codes.InvalidArgument, "encoding the payload: %v", err)
	}
	if p.values, err = c.evaluate(h, func() ([]byte, error) { return body, nil }); err != nil {
		return write{}, err
	}
	sealed, err := c.keys.Seal(h.encode(), c.at(p.seq, "head"))
	if err != nil {
		return write{}, status.Errorf(codes.Internal, "sealing a point: %v", err)
	}
	w := write{point: p, head: append(slices.Clone(p.id[:]), sealed...)}
	if body != nil {
		if w.body, err = c.keys.Seal(body, c.at(p.seq, "body")); err != nil {
			return write{}, status.Errorf(codes.Internal, "sealing a point: %v", err)
		}
	}
	return w, nil
}

// remove deletes points; absent ids are no error.
func (c *collection) remove(ids []uuid.UUID) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	gone := map[uint64]bool{}
	for _, id := range ids {
		if at, ok := c.find(id); ok {
			gone[c.points[at].seq] = true
		}
	}
	if len(gone) == 0 {
		return nil
	}
	err := c.db.Update(func(tx *bbolt.Tx) error {
		for seq := range gone {
			if err := errors.Join(tx.Bucket(headsBucket()).Delete(seqKey(seq)), tx.Bucket(bodiesBucket()).Delete(seqKey(seq))); err != nil {
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
	// A new list: readers may hold the old one.
	kept := make([]*point, 0, len(c.points))
	for _, p := range c.points {
		if !gone[p.seq] {
			kept = append(kept, p)
		} else {
			delete(c.faults, p.seq)
		}
	}
	c.points = kept
	return nil
}

func writeError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return status.Error(codes.ResourceExhausted, "the disk is full; nothing of this write was kept")
	}
	return status.Errorf(codes.Internal, "writing to the data file: %v", err)
}
