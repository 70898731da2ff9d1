package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

// Calls are those of a peer that are under way, by id.
type Calls struct {
	// Most bounds them. Unique refuses an id that is still running; otherwise the
	// latest of an id is the one that can be cancelled.
	Most   int
	Unique bool

	// mu guards what follows.
	mu   sync.Mutex
	byID map[jsonrpc2.ID]*context.CancelFunc
	// last is when the peer last had something to do here.
	last time.Time
}

// Why Start takes no further call.
var (
	ErrTwice = errors.New("a call with this id is still running")
	ErrMany  = errors.New("too many calls at once on this connection")
)

// Start takes a call in. Its context ends with the parent's, when the call is
// cancelled, and with done.
func (c *Calls) Start(parent context.Context, id jsonrpc2.ID) (ctx context.Context, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Unique && c.byID[id] != nil {
		return nil, nil, ErrTwice
	}
	if len(c.byID) >= c.Most {
		return nil, nil, ErrMany
	}
	ctx, cancel := context.WithCancel(parent)
	if c.byID == nil {
		c.byID = map[jsonrpc2.ID]*context.CancelFunc{}
	}
	c.byID[id], c.last = &cancel, time.Now()
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last = time.Now()
		if c.byID[id] == &cancel {
			delete(c.byID, id)
		}
	}, nil
}

// Cancel ends the call that the params of a Cancel name. An id of none is no
// error: the answer may have crossed it.
func (c *Calls) Cancel(params []byte) {
	var p struct {
		ID jsontext.Value `json:"id"`
	}
	if jsonv2.Unmarshal(params, &p) != nil {
		return
	}
	id, ok := ParseID(p.ID)
	if !ok {
		return
	}
	c.mu.Lock()
	cancel := c.byID[id]
	c.mu.Unlock()
	if cancel != nil {
		(*cancel)()
	}
}

// Idle is since when the peer has had nothing to do here; false while calls of it
// are under way.
func (c *Calls) Idle() (since time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, len(c.byID) == 0
}

// Guard turns a panic into the error of the one message that it met. It logs
// where, and what only if the runtime said it: other values may hold what a log
// must not.
func Guard(log *slog.Logger, method string, f func() (any, error)) (result any, err error) {
	defer func() {
		if e := recover(); e != nil {
			what := fmt.Sprintf("%T", e)
			if r, ok := e.(runtime.Error); ok {
				what = r.Error()
			}
			log.Error("panic", "method", method, "panic", what, "stack", string(debug.Stack()))
			result, err = nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "internal error in %s; the log has the details", method)
		}
	}()
	return f()
}
