package lsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// work is what remains of a message once it was decoded. A call's runs
// concurrently with later messages, a notification's before them.
type work func(ctx context.Context) (any, error)

// method decodes the params of one LSP method. It runs in the order of the
// messages, so it is also where a call takes its snapshot of a document.
type method func(params []byte) (work, error)

// methods is all that the server answers, besides the daemon's own requests
// (custom.go).
func (s *server) methods() map[string]method {
	return map[string]method{
		protocol.MethodInitialize:  decode(s.initialize),
		protocol.MethodInitialized: decode(s.initialized),
		protocol.MethodShutdown:    decode(s.shutdown),
		protocol.MethodExit:        decode(s.exit),
		protocol.MethodSetTrace:    decode(ignore),
		protocol.MethodProgress:    decode(ignore),

		protocol.MethodTextDocumentDidOpen:   decode(s.didOpen),
		protocol.MethodTextDocumentDidChange: decode(s.didChange),
		protocol.MethodTextDocumentDidSave:   decode(ignore),
		protocol.MethodTextDocumentDidClose:  decode(s.didClose),

		protocol.MethodTextDocumentHover:      inDocument(s, s.hover),
		protocol.MethodTextDocumentCodeAction: inDocument(s, s.codeAction),
		protocol.MethodCodeActionResolve:      decode(s.codeActionResolve),

		protocol.MethodWorkspaceExecuteCommand:            decode(s.executeCommand),
		protocol.MethodWorkspaceDidChangeConfiguration:    decode(s.didChangeConfiguration),
		protocol.MethodWorkspaceDidChangeWorkspaceFolders: decode(s.didChangeWorkspaceFolders),
		protocol.MethodWindowWorkDoneProgressCancel:       decode(s.workDoneProgressCancel),
	}
}

func ignore(context.Context, *protocol.LSPAny) (any, error) { return nil, nil }

// decode makes a method of a handler.
func decode[P, R any](h func(context.Context, *P) (R, error)) method {
	return func(params []byte) (work, error) {
		p, err := unmarshal[P](params)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (any, error) { return answer(h(ctx, p)) }, nil
	}
}

// inDocument makes a method of a handler that looks at a document, which it
// gets as it was when the request was sent.
func inDocument[P, R any](s *server, h func(context.Context, *document, *P) (R, error)) method {
	return func(params []byte) (work, error) {
		p, err := unmarshal[P](params)
		if err != nil {
			return nil, err
		}
		var at struct {
			TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
		}
		if err := protocol.Unmarshal(params, &at); err != nil {
			return nil, invalidParams(err)
		}
		doc := s.documents.get(string(at.TextDocument.URI))
		return func(ctx context.Context) (any, error) {
			if doc == nil {
				return nil, nil // not a document that was opened here
			}
			return answer(h(ctx, doc, p))
		}, nil
	}
}

// answer is a handler's result; a nil pointer is null.
func answer[R any](r R, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

func unmarshal[P any](params []byte) (*P, error) {
	p := new(P)
	if len(params) == 0 {
		switch any(p).(type) {
		case *protocol.LSPAny, *protocol.InitializedParams:
			return p, nil
		}
		return nil, invalidParams(errors.New("params are missing"))
	}
	if err := protocol.Unmarshal(params, p); err != nil {
		return nil, invalidParams(err)
	}
	return p, nil
}

func invalidParams(err error) error {
	return jsonrpc2.Errorf(jsonrpc2.InvalidParams, "reading the params: %v", err)
}

// life is where in its life the connection is.
type life int

const (
	fresh life = iota
	running
	ending
)

// handle is the request loop: notifications in order, calls concurrently, each
// cancellable. It runs on the goroutine that reads, so what it does before
// Async holds up the next message.
func (s *server) handle(ctx context.Context, r *jsonrpc2.Request) (any, error) {
	name := strings.Clone(r.Method())
	if !r.IsCall() {
		if _, err := guard(s.log, name, func() (any, error) {
			run, err := s.notification(name, r.Params())
			if err != nil || run == nil {
				return nil, err
			}
			return run(s.ctx)
		}); err != nil {
			s.log.Warn("ignoring a notification", "method", name, "error", err)
		}
		return nil, nil
	}

	var run work
	if _, err := guard(s.log, name, func() (_ any, err error) {
		run, err = s.call(name, r.Params())
		return nil, err
	}); err != nil {
		return nil, err
	}
	if name == protocol.MethodInitialize || name == protocol.MethodShutdown {
		// They change what the next message means. The request's own context
		// must not be derived from in a handler that isn't Async.
		return guard(s.log, name, func() (any, error) { return run(s.ctx) })
	}
	id := r.ID()
	cctx, done := s.running.start(s.ctx, id)
	jsonrpc2.Async(ctx)
	defer done()
	res, err := guard(s.log, name, func() (any, error) { return run(cctx) })
	if err != nil && cctx.Err() != nil {
		return nil, protocol.ErrRequestCancelled
	}
	return res, err
}

// call finds what answers a request.
func (s *server) call(name string, params []byte) (work, error) {
	switch s.life() {
	case fresh:
		if name != protocol.MethodInitialize {
			return nil, jsonrpc2.NewError(jsonrpc2.ServerNotInitialized, "the server is not initialized")
		}
	case running:
		if name == protocol.MethodInitialize {
			return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is initialized already")
		}
	case ending:
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is shut down")
	}
	if m, ok := s.table[name]; ok {
		return m(params)
	}
	if passed[name] {
		return s.pass(name, bytes.Clone(params))
	}
	return nil, jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "no such method: %.100q", name)
}

// notification finds what handles a notification; nil for those that do not
// matter, or not yet.
func (s *server) notification(name string, params []byte) (work, error) {
	if name == protocol.MethodCancelRequest {
		return nil, s.cancelRequest(params)
	}
	if name != protocol.MethodExit && s.life() != running {
		return nil, nil
	}
	if m, ok := s.table[name]; ok {
		return m(params)
	}
	return nil, nil
}

// cancelRequest cancels a call under way. An id that is none is no error: the
// answer may have crossed it.
func (s *server) cancelRequest(params []byte) error {
	p, err := unmarshal[protocol.CancelParams](params)
	if err != nil {
		return err
	}
	switch id := p.ID.(type) {
	case protocol.Integer:
		s.running.cancel(jsonrpc2.NewNumberID(int64(id)))
	case protocol.String:
		s.running.cancel(jsonrpc2.NewStringID(strings.Clone(string(id))))
	}
	return nil
}

// calls are those under way, by id.
type calls struct {
	mu   sync.Mutex // guards byID
	byID map[jsonrpc2.ID]*context.CancelFunc
}

func (c *calls) start(parent context.Context, id jsonrpc2.ID) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[jsonrpc2.ID]*context.CancelFunc{}
	}
	c.byID[id] = &cancel
	return ctx, func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.byID[id] == &cancel {
			delete(c.byID, id)
		}
	}
}

func (c *calls) cancel(id jsonrpc2.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.byID[id]; cancel != nil {
		(*cancel)()
	}
}

// guard turns a panic into an error of this one message. A panic's value may
// quote a document, so only errors of the runtime are logged in words.
func guard(log *slog.Logger, name string, f func() (any, error)) (res any, err error) {
	defer func() {
		if p := recover(); p != nil {
			what := fmt.Sprintf("%T", p)
			if e, ok := p.(runtime.Error); ok {
				what = e.Error()
			}
			log.Error("panic", "method", name, "value", what, "stack", string(debug.Stack()))
			res, err = nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "internal error in %s", name)
		}
	}()
	return f()
}

// codec decodes results of the editor with protocol's unions, and passes JSON
// that is ready as it is.
type codec struct{}

func (codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.(jsonrpc2.RawMessage); ok {
		if raw == nil {
			return []byte("null"), nil
		}
		return raw, nil
	}
	return protocol.Marshal(v)
}

func (codec) Unmarshal(data []byte, v any) error {
	if raw, ok := v.(*jsonrpc2.RawMessage); ok {
		*raw = bytes.Clone(data)
		return nil
	}
	return protocol.Unmarshal(data, v)
}
