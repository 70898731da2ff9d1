package engine

import (
	"context"
	"math"
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
	writes := make([]*write, len(r.GetPoints()))
	err = inParallel(len(writes), func(i int) (err error) {
		p := r.GetPoints()[i]
		writes[i], err = c.asked(p.GetId(), p.GetVectors(), payload(p))
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := c.upsert(writes); err != nil {
		return nil, err
	}
	return completed(start), nil
}

// UpdateVectors replaces the vectors of points that are there.
func (s pointsService) UpdateVectors(_ context.Context, r *qdrant.UpdatePointVectors) (*qdrant.PointsOperationResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	writes := make([]*write, len(r.GetPoints()))
	err = inParallel(len(writes), func(i int) (err error) {
		p := r.GetPoints()[i]
		writes[i], err = c.asked(p.GetId(), p.GetVectors(), nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := c.updateVectors(writes); err != nil {
		return nil, err
	}
	return completed(start), nil
}

// asked is what a request asks to be written.
func (c *collection) asked(id *qdrant.PointId, vectors *qdrant.Vectors, payload []byte) (w *write, err error) {
	w = &write{payload: payload}
	if w.id, err = parseID(id); err == nil {
		w.vector, err = c.vector(vectors)
	}
	return w, err
}

// vector is what a request gives as a point's vectors, ready to be stored; nil
// if it gives none.
func (c *collection) vector(v *qdrant.Vectors) ([]float32, error) {
	if v.GetVectorsOptions() == nil {
		return nil, status.Error(codes.InvalidArgument, "Expected some vectors")
	}
	if v.GetVector() == nil { // an empty map
		return nil, nil
	}
	return c.prepare(v.GetVector())
}

// prepare checks a vector and makes it, in place, ready to be compared.
func (c *collection) prepare(v interface{ GetDense() *qdrant.DenseVector }) ([]float32, error) {
	data := v.GetDense().GetData()
	if len(data) != c.size() {
		return nil, status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", c.size(), len(data))
	}
	if length := dot(data, data); length-length != 0 && slices.ContainsFunc(data, func(x float32) bool { return x-x != 0 }) {
		return nil, status.Error(codes.InvalidArgument, "Wrong input: a vector must hold finite numbers")
	}
	c.metric.prepare(data)
	return data, nil
}

// Query returns the points nearest to a vector, the nearest first.
func (s pointsService) Query(_ context.Context, r *qdrant.QueryPoints) (*qdrant.QueryResponse, error) {
	start := time.Now()
	c, err := s.e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	query, err := c.prepare(r.GetQuery().GetNearest())
	if err != nil {
		return nil, err
	}
	limit := defaultLimit
	if r.Limit != nil {
		if limit = int(min(r.GetLimit(), math.MaxInt32)); limit == 0 {
			return nil, status.Error(codes.InvalidArgument, "limit must be greater than 0")
		}
	}
	c.mu.RLock()
	m, err := c.compile(r.GetFilter())
	var found []scored
	if err == nil {
		found = c.table.nearest(m, c.metric, query, limit)
	}
	c.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	points, scores := make([]point, len(found)), map[uuid.UUID]float32{}
	for i, f := range found {
		points[i], scores[f.id] = f.point, c.metric.shown(f.score)
	}
	read, err := c.read(points, r.GetWithPayload().GetEnable())
	if err != nil {
		return nil, err
	}
	resp := &qdrant.QueryResponse{Time: time.Since(start).Seconds()}
	for _, p := range read {
		scored := &qdrant.ScoredPoint{Id: qdrant.NewID(p.id.String()), Score: scores[p.id]}
		answer(scored, p.payload)
		resp.Result = append(resp.Result, scored)
	}
	return resp, nil
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
	var points []point
	seen := map[uuid.UUID]bool{}
	c.mu.RLock()
	for _, id := range ids {
		if r, ok := c.table.get(id); ok && !seen[id] && !c.table.damaged[r] {
			points = append(points, c.table.point(r))
		}
		seen[id] = true
	}
	c.mu.RUnlock()
	read, err := c.read(points, r.GetWithPayload().GetEnable())
	if err != nil {
		return nil, err
	}
	return &qdrant.GetResponse{Result: retrieved(read), Time: time.Since(start).Seconds()}, nil
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
	var from uuid.UUID
	if r.Offset != nil {
		ids, err := parseIDs([]*qdrant.PointId{r.GetOffset()})
		if err != nil {
			return nil, err
		}
		from = ids[0]
	}
	if r.OrderBy != nil && r.Offset != nil {
		return nil, status.Error(codes.InvalidArgument, "Cannot use an `offset` when using `order_by`. The alternative for paging is to use `order_by.start_from` and a filter to exclude the IDs that you've already seen for the `order_by.start_from` value")
	}
	var page []point
	var values []int64
	var next *uuid.UUID
	c.mu.RLock()
	m, err := c.compile(r.GetFilter())
	switch {
	case err != nil:
	case r.OrderBy != nil:
		index, missing := c.indexes.find(r.GetOrderBy().GetKey(), "integer")
		if missing != nil {
			err = status.Errorf(codes.InvalidArgument, "No range index for `order_by` key: `%s`. Please create one to use `order_by`. Check https://qdrant.tech/documentation/concepts/indexing/#payload-index to see which payload schemas support Range conditions", r.GetOrderBy().GetKey())
			break
		}
		page, values = c.table.ordered(m, index, limit, r.GetOrderBy().GetDirection() == qdrant.Direction_Desc)
	default:
		page, next = c.table.byID(m, from, limit)
	}
	c.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	read, err := c.read(page, r.WithPayload == nil || r.GetWithPayload().GetEnable())
	if err != nil {
		return nil, err
	}
	result := retrieved(read)
	if r.GetWithVectors().GetEnable() {
		c.addVectors(read, result)
	}
	if r.OrderBy != nil {
		value := map[uuid.UUID]int64{}
		for i, p := range page {
			value[p.id] = values[i]
		}
		for i, p := range result {
			p.OrderValue = qdrant.NewOrderValueInt(value[read[i].id])
		}
	}
	resp := &qdrant.ScrollResponse{Result: result, Time: time.Since(start).Seconds()}
	if next != nil {
		resp.NextPageOffset = qdrant.NewID(next.String())
	}
	return resp, nil
}

func retrieved(read []stored) []*qdrant.RetrievedPoint {
	result := make([]*qdrant.RetrievedPoint, len(read))
	for i, p := range read {
		result[i] = &qdrant.RetrievedPoint{Id: qdrant.NewID(p.id.String())}
		answer(result[i], p.payload)
	}
	return result
}

// addVectors puts the vectors of points into a reply.
func (c *collection) addVectors(read []stored, result []*qdrant.RetrievedPoint) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, p := range read {
		r, ok := c.table.get(p.id)
		if !ok || c.table.slots[r] == absent {
			continue
		}
		v := slices.Clone(c.table.vectors.at(c.table.slots[r]))
		result[i].Vectors = &qdrant.VectorsOutput{VectorsOptions: &qdrant.VectorsOutput_Vector{
			Vector: &qdrant.VectorOutput{Vector: &qdrant.VectorOutput_Dense{Dense: &qdrant.DenseVector{Data: v}}},
		}}
	}
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
	return c.table.count(matcher{})
}

// CreateFieldIndex indexes a field of all points, stored and to come.
func (s pointsService) CreateFieldIndex(_ context.Context, r *qdrant.CreateFieldIndexCollection) (*qdrant.PointsOperationResponse, error) {
	start, e := time.Now(), s.e
	c, err := e.resolve(r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	if _, ok := parsePath(r.GetFieldName()); !ok {
		return nil, status.Errorf(codes.InvalidArgument, "Invalid json path: '%s'", r.GetFieldName())
	}
	if r.FieldType == nil {
		return nil, status.Error(codes.InvalidArgument, "field_type is required")
	}
	index := fieldIndex{Field: r.GetFieldName()}
	for _, k := range indexKinds() {
		if k.asked == r.GetFieldType() {
			index.Type = k.name
		}
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
	if err := c.addIndex(index); err != nil {
		return nil, err
	}
	if err := cat.save(e.dir, e.keys); err != nil {
		return nil, writeError(err)
	}
	e.catalogue = cat
	return completed(start), nil
}
