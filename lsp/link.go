package lsp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.lsp.dev/jsonrpc2"
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
	// wanted asks for a connection with the workspaces as they are now, hurry
	// for the next attempt at once.
	wanted, hurry chan struct{}
	// tried is closed once the first attempt is over.
	tried chan struct{}

	mu      sync.Mutex // guards what follows
	client  *daemon.Client
	failure error // of the last attempt
	folders folderSet
	told    []string // the folders that client's daemon knows
	cards   bool
}

// folderSet are the folders that the editor has open, and those that it had:
// what they say about credentials stays refused until the editor restarts. So
// that no editor outgrows what the daemon takes, the longest closed are
// forgotten first.
type folderSet struct {
	// paths are in the order in which they were opened first.
	paths  []string
	closed map[string]bool
}

func (f *folderSet) change(added, removed []string) {
	if f.closed == nil {
		f.closed = map[string]bool{}
	}
	for _, path := range removed {
		if slices.Contains(f.paths, path) {
			f.closed[path] = true
		}
	}
	for _, path := range added {
		delete(f.closed, path)
		if !slices.Contains(f.paths, path) {
			f.paths = append(f.paths, path)
		}
	}
	// Room is left for the folders of the server's own.
	for len(f.paths) > daemon.MaxWorkspaces-10 && len(f.closed) > 0 {
		i := slices.IndexFunc(f.paths, func(path string) bool { return f.closed[path] })
		delete(f.closed, f.paths[i])
		f.paths = slices.Delete(f.paths, i, i+1)
	}
}

func newLink(s *server, cfg Config) *link {
	l := &link{
		s: s, cfg: cfg.Daemon, dial: cfg.Dial,
		wanted: make(chan struct{}, 1), hurry: make(chan struct{}, 1), tried: make(chan struct{}),
	}
	if l.dial == nil {
		l.dial = daemon.Dial
	}
	l.cfg.Kind = "editor"
	l.cfg.Prompt = s.prompt
	l.cfg.Note = s.note
	return l
}

// open opens the link for a session with these folders.
func (l *link) open(folders []string, cards bool) {
	l.mu.Lock()
	l.cards = cards
	l.mu.Unlock()
	l.change(folders, nil)
}

// change tells the daemon of folders that were opened and closed.
func (l *link) change(added, removed []string) {
	l.mu.Lock()
	l.folders.change(added, removed)
	l.mu.Unlock()
	signal(l.wanted)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run dials whenever it is asked to, until ctx ends.
func (l *link) run(ctx context.Context) {
	defer func() { l.use(nil, nil) }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wanted:
		}
		wait := backoff.NewExponentialBackOff()
		wait.MaxInterval = 30 * time.Second
		for told := false; !l.connect(ctx, &told); {
			select {
			case <-ctx.Done():
				return
			case <-l.hurry:
			case <-time.After(wait.NextBackOff()):
			}
		}
	}
}

// connect makes one attempt to have a session with the folders as they are now.
// Its failure is told unless it was told before.
func (l *link) connect(ctx context.Context, told *bool) bool {
	cfg := l.cfg
	l.mu.Lock()
	folders := slices.Concat(l.folders.paths, cfg.Environment.Workspaces)
	cfg.Environment.Workspaces, cfg.Cards = folders, l.cards
	c, known := l.client, l.client != nil && slices.Equal(l.told, folders)
	l.mu.Unlock()
	if known {
		return true
	}
	fresh := c == nil
	var err error
	if fresh {
		c, err = l.dial(ctx, cfg)
	} else {
		// What is under way goes on.
		err = c.SetWorkspaces(ctx, folders)
	}
	if ctx.Err() != nil {
		if fresh && err == nil {
			_ = c.Close() // nobody has it
		}
		return false
	}
	if err != nil {
		l.s.log.Warn("reaching the daemon", "error", err)
		e, said := errors.AsType[*daemon.Error](err)
		if !fresh && (!said || e.Code != daemon.CodeRefused && e.Code != int(jsonrpc2.InvalidParams)) {
			return false // the session goes on, and heals itself
		}
		l.use(nil, err)
		if !*told {
			*told = true
			l.s.show(protocol.MessageTypeError, "CloudOps can't reach its daemon and keeps trying: "+render.Notification(err.Error()))
		}
		return false
	}
	l.mu.Lock()
	l.told = folders
	l.mu.Unlock()
	if fresh {
		l.use(c, nil)
		l.s.greet(c.Hello())
	}
	return true
}

// use puts the outcome of an attempt in the place of the one before.
func (l *link) use(c *daemon.Client, failure error) {
	l.mu.Lock()
	old := l.client
	l.client, l.failure = c, failure
	l.mu.Unlock()
	select {
	case <-l.tried:
	default:
		close(l.tried)
	}
	if old != nil {
		_ = old.Close() // nothing that it holds outlives it
	}
}

// Call sends a request to the daemon. It waits for the first attempt to reach
// it, but not for one that follows a failure.
func (l *link) Call(ctx context.Context, method string, params, result any) error {
	select {
	case <-l.tried:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	c, failure := l.client, l.failure
	l.mu.Unlock()
	if c == nil {
		signal(l.hurry)
		e := &daemon.Error{Code: daemon.CodeUnavailable, Message: "the daemon can't be reached", Hint: "see `cloudops status`"}
		if failure != nil {
			e.Message += ": " + failure.Error()
		}
		return e
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

// maxShown is how much of a message is shown, in characters; a card that is
// decided on is no such message and never cut.
const maxShown = 2000

// show tells the person something. Foreign text in it is escaped already.
func (s *server) show(t protocol.MessageType, message string) {
	if r := []rune(message); len(r) > maxShown {
		message = string(r[:maxShown]) + "…"
	}
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
