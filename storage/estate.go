package storage

import (
	"context"
	"errors"
)

// Estate is the collection aws_estate and the index over it.
type Estate struct{}

// Upsert stores one resource; it is written only if its content changed.
func (e *Estate) Upsert(ctx context.Context, r Resource) error { return errors.ErrUnsupported }

// BulkUpsert stores resources in batches and returns how many had changed.
func (e *Estate) BulkUpsert(ctx context.Context, rs []Resource) (changed int, err error) {
	return 0, errors.ErrUnsupported
}

// Get returns the resource of a key, or ErrNotFound.
func (e *Estate) Get(ctx context.Context, k Key) (Resource, error) {
	return Resource{}, errors.ErrUnsupported
}

// Find returns the records that carry an identifier: id, name, ARN, address,
// DNS name. Several resources may share a name. It reads memory only.
func (e *Estate) Find(identifier string) []Record { return nil }

// Resolve looks up many tokens at once; tokens that name nothing are absent.
// It reads memory only.
func (e *Estate) Resolve(tokens []string) map[string][]Record { return nil }

// Delete removes resources; absent keys are no error.
func (e *Estate) Delete(ctx context.Context, ks ...Key) error { return errors.ErrUnsupported }

// ByAccount, ByRegion and ByType list everything of one account, region or type.
func (e *Estate) ByAccount(ctx context.Context, id string) ([]Resource, error) {
	return e.List(ctx, Filter{AccountID: id})
}

// ByRegion lists everything of one region.
func (e *Estate) ByRegion(ctx context.Context, region string) ([]Resource, error) {
	return e.List(ctx, Filter{Region: region})
}

// ByType lists everything of one type, such as rds_instance.
func (e *Estate) ByType(ctx context.Context, typ string) ([]Resource, error) {
	return e.List(ctx, Filter{Type: typ})
}

// List reads whole resources from Qdrant by filter.
func (e *Estate) List(ctx context.Context, f Filter) ([]Resource, error) {
	return nil, errors.ErrUnsupported
}

// Count is the number of stored resources.
func (e *Estate) Count(ctx context.Context) (int, error) { return 0, errors.ErrUnsupported }

// Search ranks records by identifier, name, tag and type words, best first.
// An empty query lists all that the filter lets through. limit 0 means 10;
// total counts the matches before the limit. It reads memory only.
func (e *Estate) Search(query string, f Filter, limit int) (found []Record, total int) {
	return nil, 0
}

// Change is a coalesced note that the estate differs from before.
type Change struct {
	// Generation grows with every change.
	Generation uint64 `json:"generation"`
}

// Watch yields changes, coalesced: a slow reader misses none, it sees the newest.
func (e *Estate) Watch() (changes <-chan Change, stop func()) { return nil, func() {} }
