package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pointsService is the Points service.
type pointsService struct {
	qdrant.UnimplementedPointsServer
	e *Engine
}

// defaultLimit is Qdrant's page size when none is asked for.
const defaultLimit = 10

func completed(start time.Time) *qdrant.PointsOperationResponse {
	return &qdrant.PointsOperationResponse{
		Result: &qdrant.UpdateResult{Status: qdrant.UpdateStatus_Completed},
		Time:   time.Since(start).Seconds(),
	}
}

// Upsert replaces whole points. It answers when they are synced to disk,
// whatever wait says.
func (s pointsService) Upsert(_ context.Context, r *qdrant.UpsertPoints) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	raw, payloads := make([]*qdrant.PointId, len(r.GetPoints())), make([]map[string]*qdrant.Value, len(r.GetPoints()))
	for i, p := range r.GetPoints() {
		if p.GetVectors().GetVectorsOptions() == nil {
			return nil, status.Error(codes.InvalidArgument, "Expected some vectors")
		}
		raw[i], payloads[i] = p.GetId(), p.GetPayload()
	}
	ids, err := parseIDs(raw)
	if err != nil {
		return nil, err
	}
	if err := c.upsert(ids, payloads); err != nil {
		return nil, err
	}
	return completed(start), nil
}

// Delete removes points by id; absent ones are no error.
func (s pointsService) Delete(_ context.Context, r *qdrant.DeletePoints) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if r.GetPoints().GetPoints() == nil {
		return nil, status.Error(codes.InvalidArgument, "PointsSelector is missing")
	}
	ids, err := parseIDs(r.GetPoints().GetPoints().GetIds())
	if err != nil {
		return nil, err
	}
	if err := c.remove(ids); err != nil {
		return nil, err
	}
	return completed(start), nil
}

// Get returns points in the order asked for, each once, without those that are
// absent.
func (s pointsService) Get(_ context.Context, r *qdrant.GetPoints) (*qdrant.GetResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(r.GetIds())
	if err != nil {
		return nil, err
	}
	var points []*point
	seen := map[uuid.UUID]bool{}
	c.mu.RLock()
	for _, id := range ids {
		if at, ok := c.find(id); ok && !seen[id] && !c.points[at].damaged {
			points = append(points, c.points[at])
		}
		seen[id] = true
	}
	c.mu.RUnlock()
	result, err := c.read(points, r.GetWithPayload().GetEnable())
	if err != nil {
		return nil, err
	}
	return &qdrant.GetResponse{Result: result, Time: time.Since(start).Seconds()}, nil
}

// Scroll pages through points by id, or by an integer index.
func (s pointsService) Scroll(_ context.Context, r *qdrant.ScrollPoints) (*qdrant.ScrollResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	limit := defaultLimit
	if r.Limit != nil {
		if limit = int(r.GetLimit()); limit == 0 {
			return nil, status.Error(codes.InvalidArgument, "limit must be greater than 0")
		}
	}
	var from *uuid.UUID
	if r.Offset != nil {
		ids, err := parseIDs([]*qdrant.PointId{r.GetOffset()})
		if err != nil {
			return nil, err
		}
		from = &ids[0]
	}
	if r.OrderBy != nil && from != nil {
		return nil, status.Error(codes.InvalidArgument, "Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value")
	}
	var page []*point
	var next *uuid.UUID
	order := 0
	c.mu.RLock()
	m, err := c.compile(r.GetFilter())
	switch {
	case err != nil:
	case r.OrderBy != nil:
		if order, err = c.index(r.GetOrderBy().GetKey(), "integer"); err != nil {
			err = status.Errorf(codes.InvalidArgument, "No range index for `order_by` key: `%s`. Please create one to use `order_by`. Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Range conditions", r.GetOrderBy().GetKey())
			break
		}
		page = c.ordered(m, order, limit, r.GetOrderBy().GetDirection() == qdrant.Direction_Desc)
	default:
		page, next = c.byID(m, from, limit)
	}
	c.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	payload := r.WithPayload == nil || r.GetWithPayload().GetEnable()
	result, err := c.read(page, payload)
	if err != nil {
		return nil, err
	}
	if r.OrderBy != nil {
		value := map[string]int64{}
		for _, p := range page {
			value[p.id.String()] = p.values[order]
		}
		for _, p := range result {
			p.OrderValue = qdrant.NewOrderValueInt(value[p.GetId().GetUuid()])
		}
	}
	resp := &qdrant.ScrollResponse{Result: result, Time: time.Since(start).Seconds()}
	if next != nil {
		resp.NextPageOffset = qdrant.NewID(next.String())
	}
	return resp, nil
}

// byID is a page in order of ids, from an id on, and the id after it.
func (c *collection) byID(m matcher, from *uuid.UUID, limit int) (page []*point, next *uuid.UUID) {
	at := 0
	if from != nil {
		at, _ = c.find(*from)
	}
	for _, p := range c.points[at:] {
		if !m.match(p) {
			continue
		}
		if len(page) == limit {
			return page, &p.id
		}
		page = append(page, p)
	}
	return page, nil
}

// ordered is the first page by the values of an index; points without a value
// are left out.
func (c *collection) ordered(m matcher, index, limit int, descending bool) []*point {
	var all []*point
	for _, p := range c.points {
		if m.match(p) && p.values[index] != none {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *point) int {
		if descending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.values[index], b.values[index]), bytes.Compare(a.id[:], b.id[:]))
	})
	return all[:min(limit, len(all))]
}

// Count is always exact.
func (s pointsService) Count(_ context.Context, r *qdrant.CountPoints) (*qdrant.CountResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	return &qdrant.CountResponse{Result: &qdrant.CountResult{Count: c.count()}, Time: time.Since(start).Seconds()}, nil
}

func (c *collection) count() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := uint64(0)
	for _, p := range c.points {
		if !p.damaged {
			n++
		}
	}
	return n
}

// CreateFieldIndex indexes a field of all points, stored and to come.
func (s pointsService) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	start, e := time.Now(), s.e
	c, err := e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	path, ok := parsePath(r.GetFieldName())
	if !ok {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid json path: '%s'", r.GetFieldName())
	}
	index := fieldIndex{Field: r.GetFieldName(), Type: "keyword"}
	if r.GetFieldType() == qdrant.FieldType_FieldTypeInteger {
		index.Type = "integer"
	} else if r.FieldType == nil {
		return nil, status.Error(codes.InvalidArgument, "field_type is required")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	cat := e.catalogue
	cat.Collections = slices.Clone(cat.Collections)
	for i, entry := range cat.Collections {
		if entry.Name != c.name {
			continue
		}
		if slices.ContainsFunc(entry.Indexes, func(x fieldIndex) bool { return x.Field == index.Field }) {
			return completed(start), nil
		}
		cat.Collections[i].Indexes = append(slices.Clone(entry.Indexes), index)
	}
	if err := c.addIndex(index, path); err != nil {
		return nil, err
	}
	if err := cat.save(e.dir, e.keys); err != nil {
		return nil, writeError(err)
	}
	e.catalogue = cat
	return completed(start), nil
}
