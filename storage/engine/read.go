package engine

import (
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stored is a point as it was read; its payload is encoded.
type stored struct {
	point
	payload []byte
}

// read returns the stored form of points. Points that were deleted meanwhile
// are absent; damaged ones too, and reported.
func (c *collection) read(points []point, payload bool) ([]stored, error) {
	found := make([]stored, 0, len(points))
	err := c.db.View(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		for _, p := range points {
			s := stored{point: p}
			if payload {
				key := seqKey(p.seq)
				sealed := heads.Get(key)
				if sealed == nil {
					continue
				}
				var err error
				if s.payload, err = c.openPayload(p, sealed, bodies.Get(key)); err != nil {
					c.fault(p, "a stored point fails its check and was left out")
					continue
				}
			}
			found = append(found, s)
		}
		return nil
	})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "reading the data file: %v", err)
	}
	return found, nil
}

func (c *collection) openPayload(p point, sealed, body []byte) ([]byte, error) {
	h, err := c.openHead(p.seq, sealed)
	if err != nil {
		return nil, err
	}
	if h.id != p.id {
		return nil, errMalformed
	}
	if len(h.large) == 0 {
		return h.small, nil
	}
	if body, err = c.openBody(p.seq, body); err != nil {
		return nil, err
	}
	return append(h.small[:len(h.small):len(h.small)], body...), nil
}
