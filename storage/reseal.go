package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/seal"
)

// Resealed is what a pass over the store did after the keys were rotated.
type Resealed struct {
	// Done is how many files and points were sealed anew.
	Done int
	// Unreadable is how many files and points of earlier keys do not open, or are
	// not returned by the server. They were left as they are.
	Unreadable int
}

// Reseal seals anew what earlier keys sealed, all but the audit log, while the
// store is used. One that is interrupted may be begun again: it passes over what
// is done. When a whole pass finds nothing to do and nothing unreadable, the
// earlier keys may be retired. report, if not nil, is called after every page:
// total is what there is to look at.
func (s *Service) Reseal(ctx context.Context, report func(done, total int)) (Resealed, error) {
	r, err := s.reseal(ctx, report)
	if err != nil {
		return r, fmt.Errorf("sealing the store anew: %w", err)
	}
	return r, nil
}

func (s *Service) reseal(ctx context.Context, report func(done, total int)) (r Resealed, err error) {
	total, err := s.Estate.Count(ctx)
	if err != nil {
		return r, err
	}
	looked := 0
	total += s.endpoint.Stored()
	each := func(points int) {
		if looked += points; report != nil {
			report(min(looked, total), total)
		}
	}
	each(0)
	files, unreadable, err := s.Estate.keys.Reseal(ctx)
	r.Done, r.Unreadable = files, len(unreadable)
	if err != nil {
		return r, err
	}
	points, err := s.Estate.reseal(ctx, each)
	r.Done, r.Unreadable = r.Done+points.Done, r.Unreadable+points.Unreadable
	if err != nil {
		return r, err
	}
	done, err := s.Chat.reseal(ctx)
	r.Done += done
	if err != nil {
		return r, err
	}
	done, missed, err := s.endpoint.Reseal(ctx, each)
	r.Done, r.Unreadable = r.Done+done, r.Unreadable+missed
	return r, err
}

// reseal seals the resources anew, a page at a time.
func (e *Estate) reseal(ctx context.Context, each func(points int)) (r Resealed, err error) {
	seen := map[string]bool{}
	var page []string
	var failed error
	flush := func() {
		if failed == nil && len(page) > 0 {
			var p Resealed
			p, failed = e.resealPage(ctx, page, nil)
			r.Done, r.Unreadable = r.Done+p.Done, r.Unreadable+p.Unreadable
		}
		page = page[:0]
	}
	looked := 0
	err = scroll(ctx, e.client, e.name, nil, func(p *qdrant.RetrievedPoint) {
		seen[p.GetId().GetUuid()] = true
		if looked++; looked%pageSize == 0 {
			each(pageSize)
		}
		if sealedNow(e.keys, p, estateField) {
			return
		}
		if page = append(page, p.GetId().GetUuid()); len(page) == pageSize {
			flush()
		}
	})
	flush()
	each(looked % pageSize)
	if err := errors.Join(err, failed); err != nil {
		return r, wrap("sealing resources anew", err)
	}
	missing := map[string]Key{}
	for known := range e.index.All() {
		if id := e.keys.PointID(known.Canonical()); !seen[id] {
			missing[id] = known.Key
		}
	}
	// They were written since, or the server kept them back.
	for ids := range slices.Chunk(slices.Collect(maps.Keys(missing)), pageSize) {
		p, err := e.resealPage(ctx, ids, missing)
		r.Done, r.Unreadable = r.Done+p.Done, r.Unreadable+p.Unreadable
		if err != nil {
			return r, wrap("sealing resources anew", err)
		}
	}
	return r, nil
}

// resealPage reads points anew while no writer may replace them, so that no
// content is put back that was replaced meanwhile. Those of expected that are
// still known and not returned count as unreadable.
func (e *Estate) resealPage(ctx context.Context, ids []string, expected map[string]Key) (r Resealed, err error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	request := &qdrant.GetPoints{CollectionName: e.name, WithPayload: qdrant.NewWithPayload(true)}
	for _, id := range ids {
		request.Ids = append(request.Ids, qdrant.NewIDUUID(id))
	}
	points, err := e.client.Get(ctx, request)
	if err != nil {
		return r, err
	}
	for _, id := range ids {
		key, awaited := expected[id]
		if !awaited || slices.ContainsFunc(points, func(p *qdrant.RetrievedPoint) bool { return p.GetId().GetUuid() == id }) {
			continue
		}
		if _, ok := e.index.Get(key); ok {
			e.faults.add(e.name, id, fmt.Errorf("%w: a stored resource is missing or unreadable", ErrCorrupt))
			r.Unreadable++
		}
	}
	done, unreadable, err := sealAnew(ctx, e.client, e.name, e.keys, points, estatePlace("", 0), e.faults)
	r.Done, r.Unreadable = done, r.Unreadable+unreadable
	return r, err
}

// renewable is a sealer whose keys may have been rotated.
type renewable interface {
	sealer
	Current(sealed []byte) bool
}

// sealedNow tells whether the newest key sealed a field, as it says itself.
func sealedNow(s renewable, p *qdrant.RetrievedPoint, field string) bool {
	sealed, err := base64.StdEncoding.Strict().DecodeString(p.GetPayload()[field].GetStringValue())
	return err == nil && s.Current(sealed)
}

// sealAnew seals a field of points anew where an earlier key sealed it. Nobody
// may write them meanwhile. What does not open is noted and left.
func sealAnew(ctx context.Context, client *qdrant.Client, collection string, s renewable, points []*qdrant.RetrievedPoint, at seal.Place, f *faults) (done, unreadable int, err error) {
	var ops []*qdrant.PointsUpdateOperation
	for _, p := range points {
		if sealedNow(s, p, at.Field) {
			continue
		}
		at.Point = p.GetId().GetUuid()
		content, version, err := openField(s, p.GetPayload(), at)
		if err != nil {
			f.add(collection, at.Point, err)
			unreadable++
			continue
		}
		// The version stays, since the content does: only the sealed field is set.
		fields, place := map[string]*qdrant.Value{}, at
		place.Version = version
		if err := sealField(s, fields, content, place); err != nil {
			return 0, unreadable, err
		}
		delete(fields, fieldVersion)
		ops = append(ops, qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{
			Payload: fields, PointsSelector: qdrant.NewPointsSelectorIDs([]*qdrant.PointId{p.GetId()}),
		}))
	}
	if len(ops) == 0 {
		return 0, unreadable, nil
	}
	ctx, cancel := whole(ctx)
	defer cancel()
	results, err := client.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: collection, Operations: ops, Wait: qdrant.PtrOf(true)})
	if err != nil {
		return 0, unreadable, err
	}
	if len(results) != len(ops) {
		return 0, unreadable, errors.New("not all writes were confirmed")
	}
	if i := slices.IndexFunc(results, func(u *qdrant.UpdateResult) bool { return u.GetStatus() != qdrant.UpdateStatus_Completed }); i >= 0 {
		return 0, unreadable, completed(results[i], nil)
	}
	return len(ops), unreadable, nil
}
