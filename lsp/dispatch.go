package lsp

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/wire"
)

// work is what remains of a message once it was read. A call's runs
// concurrently with later messages, a notification's before them.
type work func(ctx context.Context) (any, error)

// method reads the params of one LSP method. It runs in the order of the
// messages, so it is where a call takes its snapshot of a document, and it may
// not wait: where the answer is at hand it is known and no work remains.
type method func(s *server, params []byte) (known any, rest work, err error)

func ignore(*server, context.Context, *protocol.LSPAny) (any, error) { return nil, nil }

// decode makes a method of a handler that does all of its work later.
func decode[P, R any](h func(*server, context.Context, *P) (R, error)) method {
	return inOrder(func(s *server, p *P) (any, work, error) {
		return nil, func(ctx context.Context) (any, error) { return answer(h(s, ctx, p)) }, nil
	})
}

// inOrder makes a method of a handler that does what it can at once.
func inOrder[P any](h func(*server, *P) (known any, rest work, err error)) method {
	return func(s *server, params []byte) (any, work, error) {
		p, err := unmarshal[P](params)
		if err != nil {
			return nil, nil, err
		}
		return h(s, p)
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
	switch string(params) {
	case "", "null", "[]": // all of them say that there are none
		switch any(p).(type) {
		case *protocol.LSPAny, *protocol.InitializedParams:
			return p, nil
		}
		return nil, invalidParams(errors.New("params are missing"))
	}
	if err := protocol.Unmarshal(wire.WithoutNulls(params), p); err != nil {
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
		if _, err := wire.Guard(s.log, name, func() (any, error) {
			rest, err := s.notification(name, r.Params())
			if err != nil || rest == nil {
				return nil, err
			}
			return rest(s.ctx)
		}); err != nil {
			s.log.Warn("ignoring a notification", "method", name, "error", err)
		}
		return nil, nil
	}

	known, rest, err := s.begin(name, r.Params())
	if rest == nil {
		if err != nil {
			return nil, err
		}
		return known, nil
	}
	if name == protocol.MethodInitialize || name == protocol.MethodShutdown {
		// They change what the next message means. The request's own context
		// must not be derived from in a handler that isn't Async.
		return wire.Guard(s.log, name, func() (any, error) { return rest(s.ctx) })
	}
	id := r.ID()
	cctx, done, err := s.running.Start(s.ctx, id)
	if err != nil {
		return nil, jsonrpc2.Errorf(jsonrpc2.Code(protocol.LSPErrorCodesRequestFailed),
			"%d requests are under way; ask again when some of them are answered", maxCalls)
	}
	jsonrpc2.Async(ctx)
	defer done()
	res, err := wire.Guard(s.log, name, func() (any, error) { return rest(cctx) })
	if err != nil && cctx.Err() != nil && !settled(err) {
		return nil, protocol.ErrRequestCancelled
	}
	return res, err
}

// begin does what a call does before the next message is read. The answer, if
// that is known, is encoded.
func (s *server) begin(name string, params []byte) (known jsonrpc2.RawMessage, rest work, err error) {
	_, err = wire.Guard(s.log, name, func() (_ any, err error) {
		var answer any
		if answer, rest, err = s.call(name, params); err == nil && rest == nil {
			known, err = codec.Marshal(answer)
		}
		return nil, err
	})
	return known, rest, err
}

// call finds what answers a request.
func (s *server) call(name string, params []byte) (known any, rest work, err error) {
	switch s.life() {
	case fresh:
		if name != protocol.MethodInitialize {
			return nil, nil, jsonrpc2.NewError(jsonrpc2.ServerNotInitialized, "the server is not initialized")
		}
	case running:
		if name == protocol.MethodInitialize {
			return nil, nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is initialized already")
		}
	case ending:
		return nil, nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the server is shut down")
	}
	if m, ok := s.table[name]; ok {
		return m(s, params)
	}
	if d := daemon.Find(name); d != nil && d.Forwarded() {
		return s.pass(name, bytes.Clone(params))
	}
	return nil, nil, notFound(name)
}

// notification finds what handles a notification; nil for those that do not
// matter, or not yet.
func (s *server) notification(name string, params []byte) (work, error) {
	if name == protocol.MethodCancelRequest {
		s.running.Cancel(params)
		return nil, nil
	}
	if name != protocol.MethodExit && s.life() != running {
		return nil, nil
	}
	if m, ok := s.table[name]; ok {
		_, rest, err := m(s, params)
		return rest, err
	}
	return nil, nil
}

// maxCalls bounds those under way at once.
const maxCalls = 1024

// codec decodes results of the editor with protocol's unions.
var codec = wire.Codec{
	Encode: func(v any) ([]byte, error) { return protocol.Marshal(v) },
	Decode: func(data []byte, v any) error { return protocol.Unmarshal(wire.WithoutNulls(data), v) },
}
