// Package storage keeps the estate and the conversations, sealed, in two
// Qdrant collections that it reads and writes through go-client only.
//
// Its entry point is Open. What differs between embedded, local and remote is
// the endpoint; nothing above this package knows which is used.
//
// Invariants: every payload's content is sealed before it leaves the package;
// identifiers, names and tags are looked up in memory; a write is acknowledged
// only once it is durable.
package storage

import (
	"context"
	"errors"

	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrNotFound: nothing is stored under that key.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt: a stored value fails its check; the rest stays readable.
	ErrCorrupt = errors.New("corrupt store")
	// ErrInUse: another process owns the store.
	ErrInUse = errors.New("store in use")
)

// Config is where and how the estate is kept.
type Config struct {
	// DataPath is the folder of the store, such as ~/.cloudops/data.
	DataPath string `json:"data_path" yaml:"data_path"`
}

// Service is the open store.
type Service struct {
	Chat   *Chat
	Estate *Estate
}

// Open connects to the configured Qdrant, creates what is missing and loads
// the identifier index. keys must belong to the store in cfg.DataPath.
func Open(ctx context.Context, cfg Config, keys *seal.Keys) (*Service, error) {
	return nil, errors.ErrUnsupported
}

// Close flushes the index cache and releases the store.
func (s *Service) Close() error { return nil }
