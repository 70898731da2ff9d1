// Package storage keeps the estate and the conversations, sealed, in two
// Qdrant collections that it reads and writes through go-client only.
//
// Its entry point is Open. What differs between embedded, local and remote is
// the endpoint; nothing above this package knows which is used.
//
// Invariants: every payload's content is sealed before it leaves the package;
// identifiers, names and tags are looked up in memory; a write is acknowledged
// only once it is durable; a damaged value is reported and costs only itself.
package storage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"google.golang.org/grpc"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrNotFound: nothing is stored under that key.
	ErrNotFound = errors.New("not found")
	// ErrCorrupt: a stored value fails its check; the rest stays readable.
	ErrCorrupt = engine.ErrCorrupt
	// ErrInvalid: what was asked for cannot be, such as a title without a letter.
	ErrInvalid = errors.New("invalid")
	// ErrInUse: another process owns the store.
	ErrInUse = engine.ErrInUse
	// ErrUnavailable: Qdrant does not answer now; what memory holds still serves.
	ErrUnavailable = endpoint.ErrUnavailable
)

// Service is the open store.
type Service struct {
	Chat   *Chat
	Estate *Estate

	cfg      Config
	gate     *gate
	endpoint *endpoint.Endpoint
	faults   *faults
	close    func() error
}

// Open connects to the configured Qdrant, creates what is missing and loads
// the identifier index. keys must belong to the store in cfg.DataPath; kinds are
// the types of what is kept, whose words searches know. Errors
// match ErrInUse, ErrCorrupt or seal.ErrWrongKey; nothing is destroyed then.
func Open(ctx context.Context, cfg Config, keys *seal.Keys, kinds *kind.Set) (*Service, error) {
	s, err := open(ctx, cfg, keys, kinds)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

// open is Open; adjust is for tests.
func open(ctx context.Context, cfg Config, keys *seal.Keys, kinds *kind.Set, adjust ...func(*endpoint.Config)) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if keys.Off() && cfg.Qdrant.Mode != "embedded" {
		return nil, fmt.Errorf("qdrant.mode %s needs encryption, which is off: set encryption.enabled to true and run `cloudops key move`", cfg.Qdrant.Mode)
	}
	if cfg.DataPath == "" {
		cfg.DataPath = filepath.Join(keys.Home(), "data")
	}
	// The keys know their home by its real path.
	if real, err := filepath.EvalSymlinks(cfg.DataPath); err == nil {
		cfg.DataPath = real
	} else if real, err := filepath.EvalSymlinks(filepath.Dir(cfg.DataPath)); err == nil {
		cfg.DataPath = filepath.Join(real, filepath.Base(cfg.DataPath))
	}
	cache, err := filepath.Rel(keys.Home(), filepath.Join(cfg.DataPath, "index.cache"))
	if err != nil || !filepath.IsLocal(cache) {
		return nil, fmt.Errorf("data_path %s must lie in the home %s", cfg.DataPath, keys.Home())
	}
	if err := bindMode(cfg); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, gate: &gate{}}
	opened := make(chan struct{})
	reach, err := cfg.endpoint(keys)
	if err != nil {
		return nil, err
	}
	reach.Options = append(reach.Options, grpc.WithChainUnaryInterceptor(s.gate.intercept))
	for _, f := range adjust {
		f(&reach)
	}
	reach.Ready = func(ctx context.Context) error {
		select {
		case <-opened:
		case <-ctx.Done():
			return ctx.Err()
		}
		return s.reconnected(ctx, cfg)
	}
	ep, err := endpoint.Open(ctx, reach)
	if err != nil {
		return nil, err
	}
	s.endpoint, s.faults = ep, newFaults(ep, keys.Home(), cfg)
	err = ensureAll(ctx, ep.Client, cfg)
	if err == nil {
		err = settleMode(cfg)
	}
	if err != nil && !errors.Is(err, ErrUnavailable) {
		return nil, errors.Join(err, ep.Close())
	}
	s.Chat = newChat(ep.Client, keys, cfg.Collections.ChatHistory.Name, s.faults)
	if err := s.Chat.finishDeletions(ctx); err != nil {
		return nil, errors.Join(err, ep.Close())
	}
	s.Estate, err = openEstate(ctx, ep.Client, keys, kinds, cfg.Collections.AWSEstate, keys.File(cache), keys.File(filepath.Join(filepath.Dir(cache), "digests")), s.faults)
	if err != nil {
		return nil, errors.Join(err, ep.Close())
	}
	close(opened)
	s.close = sync.OnceValue(func() error { return errors.Join(s.Estate.close(), ep.Close()) })
	return s, nil
}

// reconnected runs when Qdrant is back.
func (s *Service) reconnected(ctx context.Context, cfg Config) error {
	if err := ensureAll(ctx, s.endpoint.Client, cfg); err != nil {
		return err
	}
	if err := settleMode(cfg); err != nil {
		return err
	}
	if err := s.Chat.finishDeletions(ctx); err != nil {
		return err
	}
	return s.Estate.reconnected(ctx)
}

// Close flushes the index cache and releases the store. Calls under way end
// first; closing again does nothing.
func (s *Service) Close() error {
	if err := s.close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
