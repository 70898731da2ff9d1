// Package engine is the part of Qdrant's gRPC services that storage uses, in
// process, on bbolt.
//
// Its entry point is Open; Engine.Serve answers a stock go-client on any
// listener. surface.go lists every RPC, condition and option that is handled:
// exactly what storage sends. All else is answered Unimplemented.
//
// A collection is one bbolt file of two buckets, keyed by an internal sequence
// number: heads (the point's id and its small fields) and bodies (the rest of
// the payload). Every value in them is sealed. The fields that have an index
// are kept in memory, so that filters open nothing.
//
// Invariants: a write is committed and synced, then published to memory, then
// acknowledged; one damaged value costs its point, never the collection; what
// fails its check is reported and kept.
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrInUse: another process owns the data.
	ErrInUse = errors.New("store in use")
	// ErrCorrupt: a file or value fails its check.
	ErrCorrupt = errors.New("corrupt store")
)

// Version is the Qdrant version whose behaviour the engine follows.
const Version = "1.18.0"

// maxMessage bounds one request; a page of storage is far smaller.
const maxMessage = 64 << 20

// window lets a whole page of storage travel without waiting for leave.
const window = 8 << 20

// Problem is damage that was found and passed over.
type Problem struct {
	// Collection is the real name, such as aws_estate_1; empty for the catalogue.
	Collection string `json:"collection,omitempty"`
	// Point is the point's id, empty where even that is unreadable.
	Point   string `json:"point,omitempty"`
	Message string `json:"message"`
	// Mend is what to do about it; the engine leaves that to its user.
	Mend string `json:"mend,omitempty"`
}

// Engine owns one directory of collections. Safe for concurrent use.
type Engine struct {
	qdrant.UnimplementedQdrantServer

	dir     string
	keys    *seal.Keys
	lock    *os.File
	server  *grpc.Server
	handled map[string]bool

	// mu guards the fields below.
	mu          sync.RWMutex
	catalogue   catalogue
	collections map[string]*collection
	// broken is why collections cannot be opened; the others are served.
	broken   map[string]error
	problems []Problem

	// scrubbed is closed when everything stored was looked at once.
	scrubbed chan struct{}
	closing  atomic.Bool
}

// Open reads the catalogue and every collection in it. Errors match ErrInUse,
// ErrCorrupt or seal.ErrWrongKey; nothing is changed on the way. options are
// added to the server's own.
func Open(dir string, keys *seal.Keys, options ...grpc.ServerOption) (*Engine, error) {
	e, err := open(dir, keys, options...)
	if readOnly(err) && !errors.Is(err, ErrInUse) {
		err = fmt.Errorf("the store in %s cannot be written to; make the folder and all in it yours and writable, or move the home to where it is: %w", dir, err)
	}
	return e, err
}

func open(dir string, keys *seal.Keys, options ...grpc.ServerOption) (*Engine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the embedded engine: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{dir: dir, keys: keys, lock: lock, handled: map[string]bool{}, collections: map[string]*collection{},
		broken: map[string]error{}, scrubbed: make(chan struct{})}
	for _, name := range Surface() {
		e.handled[name] = true
	}
	if err := e.load(); err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.server = grpc.NewServer(append([]grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5e9, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(e.guard), grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")}),
	}, options...)...)
	qdrant.RegisterQdrantServer(e.server, e)
	qdrant.RegisterCollectionsServer(e.server, collectionsService{e: e})
	qdrant.RegisterPointsServer(e.server, pointsService{e: e})
	go func() { _ = guarded(func() error { e.scrub(); return nil }) }() // what it found counts
	return e, nil
}

func (e *Engine) load() error {
	cat, problems, err := loadCatalogue(e.dir, e.keys)
	if err != nil {
		return err
	}
	e.catalogue, e.problems = cat, problems
	for _, entry := range cat.Collections {
		c, err := openCollection(filepath.Join(e.dir, entry.Dir), entry, e.keys)
		switch {
		case errors.Is(err, ErrInUse), errors.Is(err, seal.ErrWrongKey), readOnly(err):
			return fmt.Errorf("opening collection %s: %w", entry.Name, err)
		case err != nil:
			e.broken[entry.Name] = err
			e.problems = append(e.problems, Problem{Collection: entry.Name, Message: "it cannot be opened: " + err.Error()})
		default:
			e.collections[entry.Name] = c
		}
	}
	return nil
}

// scrub opens everything that is stored once, so that damage is known before
// anybody asks for what it hit.
func (e *Engine) scrub() {
	defer close(e.scrubbed)
	e.mu.RLock()
	all := slices.Collect(maps.Values(e.collections))
	e.mu.RUnlock()
	for _, c := range all {
		for next := new(uuid.UUID); next != nil && !e.closing.Load(); {
			var page []point
			c.mu.RLock()
			page, next = c.table.byID(matcher{}, *next, scrubPage)
			c.mu.RUnlock()
			if _, err := c.read(page, true); err != nil {
				break // who asks is told
			}
		}
	}
}

// scrubPage is how many points are opened at a time.
const scrubPage = 256

// Scrubbed waits until damage to anything that was stored before is among the
// problems.
func (e *Engine) Scrubbed(ctx context.Context) {
	select {
	case <-e.scrubbed:
	case <-ctx.Done():
	}
}

// Serve answers on l until Close.
func (e *Engine) Serve(l net.Listener) error { return e.server.Serve(l) }

// Close ends what is under way and releases the files.
func (e *Engine) Close() error {
	e.server.GracefulStop()
	e.closing.Store(true)
	<-e.scrubbed
	return e.close()
}

func (e *Engine) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	if _, err := os.Lstat(e.dir); errors.Is(err, os.ErrNotExist) && e.keys.Kept() {
		errs = append(errs, os.MkdirAll(e.dir, 0o700), e.catalogue.save(e.dir, e.keys)) // the folder was removed
	}
	for _, c := range e.collections {
		errs = append(errs, c.close())
	}
	return errors.Join(append(errs, e.lock.Close())...)
}

// Problems lists the damage known so far.
func (e *Engine) Problems() []Problem {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := slices.Clone(e.problems)
	for _, c := range e.collections {
		all = append(all, c.problems()...)
	}
	slices.SortStableFunc(all, func(a, b Problem) int { return cmp.Compare(a.Collection+a.Point, b.Collection+b.Point) })
	return all
}

// guard refuses what surface.go does not list, and turns a panic or a fault in
// a mapped file into an error of that one call.
func (e *Engine) guard(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	if !e.handled[info.FullMethod] {
		return nil, status.Errorf(codes.Unimplemented, "the embedded engine does not offer %s", info.FullMethod)
	}
	msg, ok := req.(proto.Message)
	if !ok {
		return nil, status.Error(codes.Internal, "the request is no protobuf message")
	}
	if name := e.unhandled(msg.ProtoReflect()); name != "" {
		return nil, status.Errorf(codes.Unimplemented, "the embedded engine does not offer %s in %s", name, info.FullMethod)
	}
	err = guarded(func() error {
		resp, err = next(ctx, req)
		return err
	})
	if errors.Is(err, ErrCorrupt) {
		return nil, status.Error(codes.DataLoss, err.Error())
	}
	return resp, err
}

// guarded runs f and turns a panic or fault into ErrCorrupt: bbolt asserts the
// shape of its pages by panicking, and its mapped file may lose its end.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: reading a data file failed (%v)", ErrCorrupt, r)
		}
	}()
	return f()
}

// HealthCheck says which Qdrant the engine follows.
func (e *Engine) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	return &qdrant.HealthCheckReply{Title: "cloudops embedded engine", Version: Version}, nil
}
