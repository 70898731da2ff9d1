// Package lsp is the language server of one editor. It owns the editor's
// documents and asks the daemon about the estate.
//
// Its entry point is Serve. One file per LSP method, listed in feature.go, which
// answers from a snapshot of a document; convert.go turns protocol types into
// plain ones and back.
//
// Invariants: a dead, cold or replaced daemon loses no open document;
// notifications are handled in order, calls concurrently; a panic or an error
// in a handler ends one request, never the connection; editor settings only
// narrow or restyle.
package lsp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/wire"
)

// Config is one language server.
type Config struct {
	In  io.Reader
	Out io.Writer
	// Daemon is how to reach the daemon; Serve fills Kind, Prompt, Note and the
	// session's workspaces.
	Daemon daemon.ClientConfig
	// Dial reaches the daemon; nil means daemon.Dial.
	Dial    func(context.Context, daemon.ClientConfig) (*daemon.Client, error)
	Version string
	Log     *slog.Logger
}

// ErrNoShutdown: the editor sent exit without shutdown, for which LSP wants
// exit code 1.
var ErrNoShutdown = errors.New("exit without shutdown")

// server is one connection with one editor.
type server struct {
	version string
	log     *slog.Logger
	table   map[string]method
	stream  *wire.Stdio
	conn    jsonrpc2.Conn
	editor  protocol.Client
	// ctx ends with the connection. Whatever outlives one message derives from it.
	ctx  context.Context
	stop context.CancelFunc
	// background is what Serve waits for; see spawn.
	background sync.WaitGroup
	spawning   sync.Mutex // makes starting background work and ending exclude each other

	running   wire.Calls
	documents documents
	settings  settings
	pull      chan struct{} // asks for the settings
	records   *records
	link      *link
	notes     *notes
	progress  progresses
	asking    chan struct{} // held while the person is asked
	asked     asked

	mu sync.Mutex // guards what follows
	at life
	// exited: the editor said that it goes.
	exited bool
	client client
}

// client is what the editor can do.
type client struct {
	// says is what it said of itself; its parts may be empty, but are there.
	says     protocol.ClientCapabilities
	encoding encoding
	kind     kind
}

// Serve speaks LSP until the editor sends exit, closes the input or dies, or
// ctx ends. The error is ErrNoShutdown, or why the connection broke.
func Serve(ctx context.Context, cfg Config) error { return newServer(ctx, cfg).serve() }

func newServer(ctx context.Context, cfg Config) *server {
	s := &server{
		version: cfg.Version,
		log:     cfg.Log,
		stream:  wire.NewStdio(cfg.In, cfg.Out),
		asking:  make(chan struct{}, 1),
		pull:    make(chan struct{}, 1),
		running: wire.Calls{Most: maxCalls},
		client:  newClient("", protocol.ClientCapabilities{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.stop = context.WithCancel(ctx)
	s.stream.Gone = s.stop
	s.table = map[string]method{}
	for _, f := range features() {
		s.table[f.method] = f.serve
	}
	s.conn = jsonrpc2.NewConn(s.stream, jsonrpc2.WithCodec(codec))
	s.editor = protocol.ClientDispatcher(s.conn)
	s.stream.Answered = s.asked.answered
	s.records = newRecords(s.resolve)
	s.notes = newNotes(s.forward)
	s.link = newLink(s, cfg)
	return s
}

func (s *server) serve() error {
	s.spawn(func() { s.notes.run(s.ctx) })
	s.spawn(func() { s.prefetch(s.ctx) })
	s.spawn(func() { s.link.run(s.ctx) })
	s.spawn(func() { s.followSettings(s.ctx) })
	defer s.finish()

	s.conn.Go(s.ctx, s.handle)
	select {
	case <-s.conn.Done():
	case <-s.ctx.Done():
		// A read of standard input can't be interrupted; it ends with the process.
		_ = s.stream.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.exited && s.at == ending:
		return nil
	case s.exited:
		return ErrNoShutdown
	case errors.Is(s.stream.Failure(), wire.ErrUnread):
		return wire.ErrUnread
	case s.ctx.Err() != nil:
		return nil
	}
	return s.conn.Err()
}

// spawn runs f besides the messages, unless the end has begun.
func (s *server) spawn(f func()) {
	s.spawning.Lock()
	defer s.spawning.Unlock()
	if s.ctx.Err() == nil {
		s.background.Go(f)
	}
}

// finish ends what was spawned and waits for it. A handler may still be
// running, on a read that can't be interrupted, but it spawns nothing more.
func (s *server) finish() {
	s.spawning.Lock()
	s.stop()
	s.spawning.Unlock()
	s.background.Wait()
}

func (s *server) life() life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *server) can() client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}
