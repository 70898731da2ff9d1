package engine

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// UpdateBatch sets fields of the payloads of points that are there; vectors and
// other fields stay. All is done or nothing.
func (s pointsService) UpdateBatch(_ context.Context, r *qdrant.UpdateBatchPoints) (*qdrant.UpdateBatchResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	resp := &qdrant.UpdateBatchResponse{}
	var writes []*write
	for _, op := range r.GetOperations() {
		set := op.GetSetPayload()
		if set == nil || set.GetPointsSelector().GetPoints() == nil {
			return nil, status.Error(codes.InvalidArgument, "PointsSelector is missing")
		}
		ids, err := parseIDs(set.GetPointsSelector().GetPoints().GetIds())
		if err != nil {
			return nil, err
		}
		fields, err := proto.Marshal(&qdrant.Struct{Fields: set.GetPayload()})
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "encoding the payload: %v", err)
		}
		for _, id := range ids {
			writes = append(writes, &write{row: row{point: point{id: id}}, payload: fields})
		}
		resp.Result = append(resp.Result, &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Completed})
	}
	if err := c.setPayloads(writes); err != nil {
		return nil, err
	}
	resp.Time = time.Since(start).Seconds()
	return resp, nil
}

// setPayloads sets the fields that the writes have in the payloads of points,
// all of which must be there, one after the other.
func (c *collection) setPayloads(writes []*write) error {
	fields := map[uuid.UUID][][]byte{}
	for _, w := range writes {
		fields[w.id] = append(fields[w.id], w.payload)
	}
	writes = latest(writes)
	c.writing.Lock()
	defer c.writing.Unlock()
	points := make([]point, len(writes))
	for i, w := range writes {
		r, ok := c.table.get(w.id)
		if !ok || c.table.damaged[r] {
			return status.Errorf(codes.NotFound, "Not found: No point with id %s found", w.id)
		}
		points[i] = c.table.point(r)
		w.seq = points[i].seq
		if slot := c.table.slots[r]; slot != absent {
			w.vector = c.table.vectors.at(slot)
		}
	}
	stored, err := c.read(points, true)
	if err == nil && len(stored) < len(writes) {
		err = status.Error(codes.DataLoss, "a stored point fails its check")
	}
	if err != nil {
		return err
	}
	err = inParallel(len(writes), func(i int) error {
		w := writes[i]
		w.payload = stored[i].payload
		for _, set := range fields[w.id] {
			var err error
			if w.payload, err = overlay(w.payload, set); err != nil {
				return err
			}
		}
		vector := w.vector
		w.vector = nil // what is stored of the vector stays
		err := c.seal(w)
		w.vector = vector
		return err
	})
	if err != nil {
		return err
	}
	err = c.update(func(tx *bbolt.Tx) error {
		heads, bodies, _, err := buckets(tx)
		if err != nil {
			return err
		}
		for _, w := range writes {
			key := seqKey(w.seq)
			if err := errors.Join(heads.Put(key, w.head), set(bodies, key, w.body)); err != nil {
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
	}
	c.table.put(rows)
	return nil
}

// overlay adds fields to an encoded payload, in the place of those of their
// names; a null takes one away.
func overlay(payload, fields []byte) ([]byte, error) {
	set := map[string]bool{}
	var merged []byte
	err := records(fields, func(_ protowire.Number, record, entry []byte) error {
		name, value, err := pair(entry)
		set[string(name)] = true
		if num, _, _ := protowire.ConsumeTag(value); len(value) > 0 && num != valueNull {
			merged = append(merged, record...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = records(payload, func(_ protowire.Number, record, entry []byte) error {
		name, _, err := pair(entry)
		if !set[string(name)] {
			merged = append(merged, record...)
		}
		return err
	})
	return merged, err
}
