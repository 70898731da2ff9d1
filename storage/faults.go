package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/engine"
)

// Problem is stored data that was found damaged and passed over.
type Problem = engine.Problem

// faults collects damage found on the way. Safe for concurrent use.
type faults struct {
	endpoint *endpoint.Endpoint

	mu sync.Mutex
	// found is by point id, or by what else it is about.
	found map[string]Problem
}

func newFaults(e *endpoint.Endpoint) *faults {
	return &faults{endpoint: e, found: map[string]Problem{}}
}

// add notes what is wrong with a point, and says whether that is new.
func (f *faults) add(collection, point string, err error) (fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.found[point]
	f.found[point] = Problem{Collection: collection, Point: point, Message: err.Error()}
	return !known
}

// note notes what is no point's.
func (f *faults) note(about string, p Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found[about] = p
}

// mended takes back what was said of points that were written again.
func (f *faults) mended(points ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range points {
		delete(f.found, p)
	}
}

// list is all damage known, what the endpoint found first.
func (f *faults) list() []Problem {
	all := append([]Problem{}, f.endpoint.Problems()...)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(f.found)) {
		if !slices.ContainsFunc(all, func(p Problem) bool { return p.Point == id }) {
			all = append(all, f.found[id])
		}
	}
	return all
}

// points is the set of point ids that are damaged.
func (f *faults) points() map[string]bool {
	damaged := map[string]bool{}
	for _, p := range f.list() {
		damaged[p.Point] = true
	}
	return damaged
}

// wrap gives a client's error its meaning here.
func wrap(doing string, err error) error {
	var grpcErr interface{ GRPCStatus() *status.Status }
	if errors.As(err, &grpcErr) {
		s := grpcErr.GRPCStatus()
		switch s.Code() {
		case codes.DataLoss:
			text := strings.TrimPrefix(s.Message(), ErrCorrupt.Error()+": ")
			return fmt.Errorf("%s: %w: %s; restore the data folder from a backup, or move it away and scan again", doing, ErrCorrupt, text)
		case codes.Unavailable, codes.Aborted:
			text := strings.TrimPrefix(s.Message(), ErrUnavailable.Error()+": ")
			return fmt.Errorf("%s: %w: %s", doing, ErrUnavailable, text)
		case codes.Canceled:
			return fmt.Errorf("%s: %w", doing, context.Canceled)
		case codes.DeadlineExceeded:
			return fmt.Errorf("%s: %w", doing, context.DeadlineExceeded)
		}
		return fmt.Errorf("%s: Qdrant answered %s: %s", doing, s.Code(), s.Message())
	}
	return fmt.Errorf("%s: %w", doing, err)
}
