package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// Embed makes a vector of each resource; a nil one is left out. It is called
// for resources that are about to be written, while other writers wait.
type Embed func(context.Context, []Resource) ([][]float32, error)

// Hit is a resource that is near to a vector.
type Hit struct {
	Resource Resource
	// Score is Qdrant's: a likeness for cosine and dot, a distance for euclidean
	// and manhattan.
	Score float32
}

// EmbedWith gives every resource that is written from now on a vector. What
// cannot be embedded is written without one, and the error told. A resource
// whose content changed loses the vector it had. Call it before the first write.
func (e *Estate) EmbedWith(f Embed) { e.embed = f }

// addVectors embeds resources into their points. Those that cannot be embedded
// stay without.
func (e *Estate) addVectors(ctx context.Context, points []*qdrant.PointStruct, rs []Resource) error {
	if e.embed == nil {
		return nil
	}
	vectors, err := e.embed(ctx, rs)
	if err == nil && len(vectors) != len(rs) {
		err = fmt.Errorf("%d vectors were made of %d resources", len(vectors), len(rs))
	}
	if err != nil {
		return fmt.Errorf("embedding resources, which are stored without vectors: %w", err)
	}
	var errs []error
	for i, v := range vectors {
		if v == nil {
			continue
		}
		if err := e.fits(v); err != nil {
			errs = append(errs, fmt.Errorf("embedding resource %s, which is stored without a vector: %w", rs[i].ID, err))
			continue
		}
		points[i].Vectors = qdrant.NewVectorsDense(v)
	}
	return errors.Join(errs...)
}

// fits says whether a vector can be stored and compared.
func (e *Estate) fits(v []float32) error {
	if len(v) != e.size {
		return fmt.Errorf("the vector has %d numbers, but the collection holds vectors of %d: set vector_size in a new home, or use a model of %d dimensions", len(v), e.size, e.size)
	}
	if slices.ContainsFunc(v, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
		return errors.New("the vector has a number that is not finite")
	}
	return nil
}

// SetVectors gives stored resources vectors, or other ones. Keys of which
// nothing is stored are passed over. Without a fitting vector for all nothing
// is written.
func (e *Estate) SetVectors(ctx context.Context, vectors map[Key][]float32) error {
	for k, v := range vectors {
		if err := e.fits(v); err != nil {
			return fmt.Errorf("storing the vector of %s: %w", k.ID, err)
		}
	}
	for page := range slices.Chunk(slices.Collect(maps.Keys(vectors)), pageSize) {
		if err := e.setVectors(ctx, page, vectors); err != nil {
			return wrap("storing vectors", err)
		}
	}
	return nil
}

func (e *Estate) setVectors(ctx context.Context, page []Key, vectors map[Key][]float32) error {
	e.writing.Lock() // a resource deleted meanwhile would fail the whole page
	defer e.writing.Unlock()
	var points []*qdrant.PointVectors
	for _, k := range page {
		if r, ok := e.known(k); ok {
			points = append(points, &qdrant.PointVectors{
				Id: qdrant.NewIDUUID(e.keys.PointID(r.Canonical())), Vectors: qdrant.NewVectorsDense(vectors[k]),
			})
		}
	}
	if len(points) == 0 {
		return nil
	}
	ctx, cancel := whole(ctx)
	defer cancel()
	result, err := e.client.UpdateVectors(ctx, &qdrant.UpdatePointVectors{CollectionName: e.name, Points: points, Wait: qdrant.PtrOf(true)})
	return completed(result, err)
}

// Nearest lists the resources whose vectors are nearest to one, the nearest
// first, among those that a filter lets through. Resources without a vector are
// left out, and so are those that cannot be read; Service.Health tells of them.
// limit 0 means 10.
func (e *Estate) Nearest(ctx context.Context, vector []float32, f Filter, limit int) ([]Hit, error) {
	if err := e.fits(vector); err != nil {
		return nil, fmt.Errorf("looking for near resources: %w", err)
	}
	if limit <= 0 {
		limit = 10
	}
	filter := conditions(f)
	if len(f.Tags) > 0 {
		// No server knows the tags: memory says which resources are meant.
		rs, _ := e.index.Search("", f, -1)
		ids := make([]*qdrant.PointId, len(rs))
		for i, r := range rs {
			ids[i] = qdrant.NewIDUUID(e.keys.PointID(r.Canonical()))
		}
		if len(ids) == 0 {
			return nil, nil
		}
		filter = &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(ids...)}}
	}
	points, err := e.client.Query(ctx, &qdrant.QueryPoints{
		CollectionName: e.name, Query: qdrant.NewQueryDense(vector), Filter: filter,
		Limit: qdrant.PtrOf(uint64(limit)), WithPayload: qdrant.NewWithPayload(true),
	})
	if err != nil {
		return nil, wrap("looking for near resources", err)
	}
	found, suspects := map[string]Resource{}, map[string]Key{}
	for _, p := range points {
		if r, ok := e.asWritten(&qdrant.RetrievedPoint{Id: p.GetId(), Payload: p.GetPayload()}, suspects); ok {
			found[p.GetId().GetUuid()] = r
		}
	}
	again, err := e.recheck(ctx, suspects)
	if err != nil {
		return nil, err
	}
	for _, r := range again {
		found[e.keys.PointID(r.Key().Canonical())] = r
	}
	hits := make([]Hit, 0, len(points))
	for _, p := range points {
		if r, ok := found[p.GetId().GetUuid()]; ok {
			hits = append(hits, Hit{r, p.GetScore()})
		}
	}
	return hits, nil
}
