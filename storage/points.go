package storage

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pageSize is how many points travel in one request.
const pageSize = 256

// pagesAtOnce is how many pages of a bulk upsert are on their way at a time.
const pagesAtOnce = 4

// writeTimeout bounds one write.
const writeTimeout = time.Minute

// newPoint is a point that has no vector yet.
func newPoint(id string, payload map[string]*qdrant.Value) *qdrant.PointStruct {
	return &qdrant.PointStruct{Id: qdrant.NewIDUUID(id), Payload: payload, Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{})}
}

// whole is a context for a write: begun in time it is not cut short, which would
// leave open whether it was done.
func whole(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
}

// upsert writes points and returns when they are durable.
func upsert(ctx context.Context, client *qdrant.Client, collection string, points []*qdrant.PointStruct) error {
	ctx, cancel := whole(ctx)
	defer cancel()
	result, err := client.Upsert(ctx, &qdrant.UpsertPoints{CollectionName: collection, Points: points, Wait: qdrant.PtrOf(true)})
	return completed(result, err)
}

// completed turns a write that was not done for certain into an error.
func completed(result *qdrant.UpdateResult, err error) error {
	if err == nil && result.GetStatus() != qdrant.UpdateStatus_Completed {
		return status.Errorf(codes.Unavailable, "the write was not confirmed (%s)", result.GetStatus())
	}
	return err
}

// unanswered says of a write's error that the write may be done later.
func unanswered(err error) bool {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable, codes.Unknown:
		return true
	}
	return false
}

// scroll yields every point that a filter lets through, page by page.
func scroll(ctx context.Context, client *qdrant.Client, collection string, filter *qdrant.Filter, each func(*qdrant.RetrievedPoint)) error {
	request := &qdrant.ScrollPoints{
		CollectionName: collection, Filter: filter, Limit: qdrant.PtrOf(uint32(pageSize)), WithPayload: qdrant.NewWithPayload(true),
	}
	for {
		points, next, err := client.ScrollAndOffset(ctx, request)
		if err != nil {
			return err
		}
		for _, p := range points {
			each(p)
		}
		if next == nil {
			return nil
		}
		request.Offset = next
	}
}

// inParallel calls f for 0 to n-1, on all processors.
func inParallel(n int, f func(int)) {
	var all sync.WaitGroup
	part := max(16, n/runtime.GOMAXPROCS(0)+1)
	for from := 0; from < n; from += part {
		all.Go(func() {
			for i := from; i < min(from+part, n); i++ {
				f(i)
			}
		})
	}
	all.Wait()
}
