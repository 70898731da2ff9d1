package lsp

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// progress is one piece of long work that the editor shows, and may cancel.
type progress struct {
	s     *server
	token protocol.ProgressToken
	name  string // names it towards the daemon
	stop  context.CancelFunc
	shown bool

	mu      sync.Mutex // guards percent
	percent uint32
}

// progresses are those under way.
type progresses struct {
	mu     sync.Mutex // guards what follows
	count  int
	byName map[string]*progress
}

// start shows work under the editor's own token, or, where it can, one made
// here. The context ends when the person cancels.
func (s *server) startProgress(ctx context.Context, token protocol.ProgressToken, title string) (context.Context, *progress) {
	ctx, cancel := context.WithCancel(ctx)
	p := &progress{s: s, token: token, stop: cancel, shown: token != nil}
	ps := &s.progress
	ps.mu.Lock()
	ps.count++
	p.name = "cloudops-" + strconv.Itoa(ps.count)
	if ps.byName == nil {
		ps.byName = map[string]*progress{}
	}
	ps.byName[p.name] = p
	ps.mu.Unlock()
	if p.token == nil {
		p.token = protocol.String(p.name)
		if isTrue(s.can().says.Window.WorkDoneProgress) {
			err := s.editor.WorkDoneProgressCreate(ctx, &protocol.WorkDoneProgressCreateParams{Token: p.token})
			p.shown = err == nil
		}
	}
	p.send(map[string]any{"kind": "begin", "title": title, "cancellable": true})
	return ctx, p
}

// done ends it with a last word.
func (p *progress) done(message string) {
	p.stop()
	p.s.progress.mu.Lock()
	delete(p.s.progress.byName, p.name)
	p.s.progress.mu.Unlock()
	p.send(map[string]any{"kind": "end", "message": message})
}

func (p *progress) send(value map[string]any) {
	if !p.shown {
		return
	}
	raw, err := json.Marshal(value)
	if err != nil {
		p.s.log.Error("encoding progress", "error", err)
		return
	}
	if err := p.s.editor.Progress(p.s.ctx, &protocol.ProgressParams{Token: p.token, Value: raw}); err != nil && p.s.ctx.Err() == nil {
		p.s.log.Warn("sending progress", "error", err)
	}
}

// report shows a step of the daemon's, if it is of work that was started here.
func (ps *progresses) report(n daemon.ProgressNote) bool {
	ps.mu.Lock()
	p := ps.byName[n.Token]
	ps.mu.Unlock()
	if p == nil {
		return false
	}
	value := map[string]any{"kind": "report", "message": render.Notification(n.Message)}
	if n.Total > 0 {
		// The total grows while accounts are found, yet LSP wants no step back.
		p.mu.Lock()
		p.percent = max(p.percent, uint32(min(100, 100*n.Done/n.Total)))
		value["percentage"] = p.percent
		p.mu.Unlock()
	}
	p.send(value)
	return true
}

func (s *server) workDoneProgressCancel(_ context.Context, p *protocol.WorkDoneProgressCancelParams) (any, error) {
	s.progress.mu.Lock()
	defer s.progress.mu.Unlock()
	for _, x := range s.progress.byName {
		if x.token == p.Token {
			x.stop()
		}
	}
	return nil, nil
}
