// Package endpoint turns the configured Qdrant into a connected go-client.
//
// Its entry point is Open. Nothing above it knows which kind is used; this
// version has the embedded engine.
//
// Invariant: the embedded engine is reached through memory only; no socket and
// no port are opened.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/seal"
)

const (
	maxMessage   = 64 << 20
	helloTimeout = 3 * time.Second
)

// Config says which Qdrant to use.
type Config struct {
	// Mode is embedded.
	Mode string
	// Dir is where the embedded engine keeps its files; it lies in the home.
	Dir  string
	Keys *seal.Keys
	// Options are added to the client's own.
	Options []grpc.DialOption
}

// Endpoint is a connected client.
type Endpoint struct {
	Client *qdrant.Client
	// Version is what the other side says of itself.
	Version string

	engine *engine.Engine
	served chan error
}

// Open connects. Errors of the embedded engine match engine.ErrInUse or
// engine.ErrCorrupt.
func Open(ctx context.Context, cfg Config) (*Endpoint, error) {
	if cfg.Mode != "embedded" {
		return nil, fmt.Errorf("connecting to Qdrant: mode %q is not available in this version: set qdrant.mode to embedded", cfg.Mode)
	}
	eng, err := engine.Open(cfg.Dir, cfg.Keys)
	if err != nil {
		return nil, err
	}
	l := bufconn.Listen(1 << 20)
	e := &Endpoint{engine: eng, served: make(chan error, 1)}
	go func() { e.served <- eng.Serve(l) }()
	e.Client, err = qdrant.NewClient(&qdrant.Config{
		// The name is never resolved; the client appends a port to it.
		Host: "passthrough:///embedded", PoolSize: 1, KeepAliveTime: -1, SkipCompatibilityCheck: true,
		GrpcOptions: append([]grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		}, cfg.Options...),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Qdrant: %w", err), e.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	hello, err := e.Client.HealthCheck(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Qdrant: %w", err), e.Close())
	}
	e.Version = hello.GetVersion()
	return e, nil
}

// Problems is the damage that the embedded engine has found so far.
func (e *Endpoint) Problems() []engine.Problem { return e.engine.Problems() }

// Reseal seals the embedded engine's values at rest anew; see engine.Reseal.
// Other endpoints have none.
func (e *Endpoint) Reseal(ctx context.Context, each func(points int)) (done, unreadable int, err error) {
	if e.engine == nil {
		return 0, 0, nil
	}
	return e.engine.Reseal(ctx, each)
}

// Stored is how many points lie in the embedded engine's files.
func (e *Endpoint) Stored() int {
	if e.engine == nil {
		return 0
	}
	return e.engine.Stored()
}

// Close lets calls under way end, then disconnects and ends the embedded engine.
func (e *Endpoint) Close() error {
	err := e.engine.Close()
	if e.Client != nil {
		err = errors.Join(err, e.Client.Close())
	}
	return errors.Join(err, <-e.served)
}
