package engine

import (
	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// read returns the stored form of points. Points that were deleted meanwhile
// are absent; damaged ones too, and reported.
func (c *collection) read(points []point, payload bool) ([]*qdrant.RetrievedPoint, error) {
	found := make([]*qdrant.RetrievedPoint, 0, len(points))
	err := c.db.View(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		for _, p := range points {
			r := &qdrant.RetrievedPoint{Id: qdrant.NewID(p.id.String())}
			if payload {
				key := seqKey(p.seq)
				stored := heads.Get(key)
				if stored == nil {
					continue
				}
				var err error
				if r.Payload, err = c.openPayload(p, stored, bodies.Get(key)); err != nil {
					c.fault(p, "a stored point fails its check and was left out")
					continue
				}
			}
			found = append(found, r)
		}
		return nil
	})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "reading the data file: %v", err)
	}
	return found, nil
}

func (c *collection) openPayload(p point, stored, body []byte) (map[string]*qdrant.Value, error) {
	h, err := c.openHead(p.seq, stored)
	if err != nil {
		return nil, err
	}
	if h.id != p.id {
		return nil, errMalformed
	}
	if len(h.large) > 0 {
		if body, err = c.openBody(p.seq, body); err != nil {
			return nil, err
		}
	} else {
		body = nil
	}
	return join(h, body)
}
