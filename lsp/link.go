package lsp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// link is the way to the daemon: dialled in the background, again and again
// while it fails. Once dialled the client heals itself.
type link struct {
	s    *server
	cfg  daemon.ClientConfig
	dial func(context.Context, daemon.ClientConfig) (*daemon.Client, error)
	// wanted asks for a connection with the workspaces as they are now.
	wanted chan struct{}

	mu         sync.Mutex // guards what follows
	client     *daemon.Client
	ready      chan struct{} // closed while client is set
	workspaces []string
}

func newLink(s *server, cfg Config) *link {
	l := &link{s: s, cfg: cfg.Daemon, dial: cfg.Dial, wanted: make(chan struct{}, 1), ready: make(chan struct{})}
	if l.dial == nil {
		l.dial = daemon.Dial
	}
	l.cfg.Kind = "editor"
	l.cfg.Prompt = s.prompt
	l.cfg.Note = s.note
	return l
}

// add opens the link, or opens it anew, for a session with these workspaces
// besides those that it has.
func (l *link) add(workspaces []string) {
	l.mu.Lock()
	l.workspaces = append(l.workspaces, workspaces...)
	l.mu.Unlock()
	select {
	case l.wanted <- struct{}{}:
	default:
	}
}

// run dials whenever it is asked to, until ctx ends.
func (l *link) run(ctx context.Context) {
	defer func() { l.use(nil) }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wanted:
		}
		wait := backoff.NewExponentialBackOff()
		wait.MaxInterval = 30 * time.Second
		for told := false; ; {
			cfg := l.cfg
			l.mu.Lock()
			cfg.Environment.Workspaces = slices.Concat(cfg.Environment.Workspaces, l.workspaces)
			l.mu.Unlock()
			c, err := l.dial(ctx, cfg)
			if err == nil {
				l.use(c)
				l.s.greet(c.Hello())
				break
			}
			if ctx.Err() != nil {
				return
			}
			l.s.log.Warn("dialling the daemon", "error", err)
			if !told {
				told = true
				l.s.show(protocol.MessageTypeError, "CloudOps can't reach its daemon and keeps trying: "+render.Notification(err.Error()))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait.NextBackOff()):
			}
		}
	}
}

// use puts a client in the place of the one before.
func (l *link) use(c *daemon.Client) {
	l.mu.Lock()
	old := l.client
	switch {
	case c != nil && old == nil:
		close(l.ready)
	case c == nil && old != nil:
		l.ready = make(chan struct{})
	}
	l.client = c
	l.mu.Unlock()
	if old != nil {
		_ = old.Close() // nothing that it holds outlives it
	}
}

// call sends a request to the daemon, waiting for the first connection as long
// as ctx lets it.
func (l *link) call(ctx context.Context, method string, params, result any) error {
	l.mu.Lock()
	ready := l.ready
	l.mu.Unlock()
	select {
	case <-ready:
	case <-ctx.Done():
		return &daemon.Error{
			Code:    daemon.CodeUnavailable,
			Message: "the daemon is not reachable yet",
			Hint:    "try again in a moment, or run `cloudops status`",
		}
	}
	l.mu.Lock()
	c := l.client
	l.mu.Unlock()
	if c == nil {
		return &daemon.Error{Code: daemon.CodeUnavailable, Message: "the connection to the daemon was closed"}
	}
	return c.Call(ctx, method, params, result)
}

// greet tells what the person should know of the daemon: why it is degraded,
// and news such as where a new key was put.
func (s *server) greet(h daemon.HelloResult) {
	for _, p := range h.Problems {
		s.show(protocol.MessageTypeWarning, "CloudOps: "+render.Notification(p))
	}
	for _, n := range h.Notices {
		s.show(protocol.MessageTypeInfo, "CloudOps: "+render.Notification(n))
	}
	s.records.drop()
}

// show puts one line before the person. Foreign text in it is escaped already.
func (s *server) show(t protocol.MessageType, message string) {
	if err := s.editor.ShowMessage(s.ctx, &protocol.ShowMessageParams{Type: t, Message: message}); err != nil && s.ctx.Err() == nil {
		s.log.Warn("showing a message", "error", err)
	}
}

// showError tells why something did not work, and what to do.
func (s *server) showError(err error) {
	message := "CloudOps: " + render.Notification(err.Error())
	if e, ok := errors.AsType[*daemon.Error](err); ok && e.Hint != "" {
		message += " — " + render.Notification(e.Hint)
	}
	s.show(protocol.MessageTypeError, message)
}
