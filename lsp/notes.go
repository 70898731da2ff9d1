package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
)

// maxNotes bounds what waits for an editor that doesn't read.
const maxNotes = 4096

// note is one notification of the daemon.
type note struct {
	method string
	params []byte
}

// notes keeps the daemon's notifications, in order, until the editor took them.
type notes struct {
	forward func(context.Context, note)
	more    chan struct{}

	mu    sync.Mutex // guards queue
	queue []note
}

func newNotes(forward func(context.Context, note)) *notes {
	return &notes{forward: forward, more: make(chan struct{}, 1)}
}

// put never blocks. Of two changes of the estate in a row the later will do;
// when too much waits, the oldest goes.
func (n *notes) put(x note) {
	n.mu.Lock()
	last := len(n.queue) - 1
	switch {
	case last >= 0 && x.method == daemon.NoteEstateChanged.Name && n.queue[last].method == x.method:
		n.queue[last] = x
	case len(n.queue) >= maxNotes:
		n.queue = append(n.queue[1:], x)
	default:
		n.queue = append(n.queue, x)
	}
	n.mu.Unlock()
	signal(n.more)
}

func (n *notes) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.more:
		}
		n.mu.Lock()
		queue := n.queue
		n.queue = nil
		n.mu.Unlock()
		for _, x := range queue {
			if ctx.Err() != nil {
				return
			}
			n.forward(ctx, x)
		}
	}
}

// note takes a notification from the daemon.
func (s *server) note(method string, params []byte) {
	if method == daemon.NoteEstateChanged.Name {
		var c storage.Change
		if json.Unmarshal(params, &c) != nil {
			c = storage.Change{} // of anything
		}
		s.records.change(c)
	}
	switch method {
	case daemon.NoteEstateChanged.Name, daemon.NoteExecutionChanged.Name, daemon.NoteExecutionOutput.Name:
		// Nobody asked for them, and there are editors that open a window to warn
		// of what they don't know: they are for those with parts for cloudops.
		if s.can().kind.asks != asksCard {
			return
		}
	}
	s.notes.put(note{method, bytes.Clone(params)})
}

// forward hands a notification to the editor; progress of what the server
// itself started becomes LSP's.
func (s *server) forward(ctx context.Context, n note) {
	if n.method == daemon.NoteProgress.Name {
		var p daemon.ProgressNote
		if json.Unmarshal(n.params, &p) == nil && s.progress.report(p) {
			return
		}
	}
	if err := s.conn.Notify(ctx, n.method, jsonrpc2.RawMessage(n.params)); err != nil && ctx.Err() == nil {
		s.log.Warn("forwarding a notification", "method", n.method, "error", err)
	}
}
