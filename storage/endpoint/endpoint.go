// Package endpoint turns the configured Qdrant into a connected go-client.
//
// Its entry point is Open. Nothing above it knows which kind is used: the
// engine in this process (embedded.go), a qdrant program that this process
// starts and supervises (local.go), or a server (remote.go). The last two are
// reached through a link (link.go), which knows whether the other side answers,
// fails calls at once while it does not, and heals by itself.
//
// Invariants: the embedded engine is reached through memory only; a started
// program listens on loopback only, proves by a certificate that it is the one
// that was started, and gets its key in its environment, never in its
// arguments; a key is sent over TLS or loopback only; no proxy is used.
package endpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"

	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/seal"
)

// The modes.
const (
	Embedded = "embedded"
	Local    = "local"
	Remote   = "remote"
)

// ErrUnavailable: Qdrant does not answer now. What is in memory still works;
// the connection heals by itself.
//
//lint:ignore ST1005 Qdrant is a name
var ErrUnavailable = errors.New("Qdrant is not reachable")

const maxMessage = 64 << 20

// window lets a whole page travel without waiting for leave.
const window = 8 << 20

// Config says which Qdrant to use.
type Config struct {
	// Mode is embedded, local or remote.
	Mode string
	// Dir is where the embedded engine, or a local Qdrant, keeps its files; it
	// lies in the home.
	Dir  string
	Keys *seal.Keys
	// Options are added to the client's own.
	Options []grpc.DialOption

	// URL of a remote Qdrant, such as https://qdrant.example:6334. Without TLS
	// it must be on loopback.
	URL string
	// APIKey of a remote Qdrant; "" for none.
	APIKey string
	// CAFile, CertFile and KeyFile are PEM files: whom to trust instead of the
	// system's authorities, and who the client is. "" for none.
	CAFile, CertFile, KeyFile string

	// Binary is the qdrant program to start; "" finds it in the system's folders.
	Binary string
	// Log is the file for what a local Qdrant writes.
	Log string
	// Trusted says whether a program may be started; nil means Trust.
	Trusted func(path string) error

	// Ready runs each time that a connection was lost and came back, before
	// other calls are let through; its error keeps them out. Its context lets
	// its own calls through.
	Ready func(ctx context.Context) error
}

// State is how the connection is.
type State struct {
	// Connected: Qdrant answered last.
	Connected bool `json:"connected"`
	// Problem says why it is not connected, and what to do.
	Problem string `json:"problem,omitempty"`
}

// Endpoint is a connected client.
type Endpoint struct {
	Client *qdrant.Client

	engine *engine.Engine
	served chan error
	link   *link
	child  *child
}

// Open connects. Errors of the embedded engine match engine.ErrInUse or
// engine.ErrCorrupt. A local or remote Qdrant that does not answer is no error:
// see State. One that refuses the key or the certificate, or that is too old or
// too new, is.
func Open(ctx context.Context, cfg Config) (*Endpoint, error) {
	var e *Endpoint
	var err error
	switch cfg.Mode {
	case Embedded:
		return openEmbedded(ctx, cfg)
	case Local:
		e, err = openLocal(ctx, cfg)
	case Remote:
		e, err = openRemote(ctx, cfg)
	default:
		err = fmt.Errorf("there is no mode %q: use embedded, local or remote", cfg.Mode)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to Qdrant: %w", err)
	}
	return e, nil
}

// State says whether Qdrant answers.
func (e *Endpoint) State() State {
	if e.link == nil {
		return State{Connected: true}
	}
	return e.link.state()
}

// Version is what the other side last said of itself; "" if it never did.
func (e *Endpoint) Version() string {
	if e.link == nil {
		return engine.Version
	}
	return e.link.said()
}

// Problems is the damage that the embedded engine has found so far.
func (e *Endpoint) Problems() []engine.Problem {
	if e.engine == nil {
		return nil
	}
	return e.engine.Problems()
}

// Scrubbed waits until the embedded engine has looked at all that it stores.
func (e *Endpoint) Scrubbed(ctx context.Context) {
	if e.engine != nil {
		e.engine.Scrubbed(ctx)
	}
}

// Reseal seals the embedded engine's values at rest anew; see engine.Reseal.
// Other kinds keep nothing that is sealed there.
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

// Close lets calls under way end, then disconnects and ends what was started.
func (e *Endpoint) Close() error {
	var errs []error
	if e.engine != nil {
		errs = append(errs, e.engine.Close())
	}
	if e.link != nil {
		e.link.stop()
	}
	if e.Client != nil {
		errs = append(errs, e.Client.Close())
	}
	if e.child != nil {
		e.child.stop()
	}
	if e.served != nil {
		errs = append(errs, <-e.served)
	}
	return errors.Join(errs...)
}
