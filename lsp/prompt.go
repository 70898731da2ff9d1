package lsp

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// maxAsked is how often a plan is put before the person whose answers come
// faster than anybody reads.
const maxAsked = 3

// prompt puts a plan before the person as their editor can, see clients.go, one
// at a time, Reject first. An error means that nobody could be asked, which
// decides nothing; whatever comes back that is no title is a dismissal. What an
// answer is worth is for the daemon to say.
func (s *server) prompt(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	none := daemon.PromptResult{Digest: p.Plan.Digest}
	can := s.can()
	if p.Surface == executor.SurfaceCard && can.kind.asks == asksCard {
		return s.card(ctx, p)
	}
	if p.Plan.Risk == executor.RiskCritical || p.Surface != executor.SurfaceMessage {
		s.show(protocol.MessageTypeWarning, "CloudOps: this command is too dangerous for a message; decide it with `cloudops approvals` in a terminal.")
		return none, errors.New("this plan is not decided in a message")
	}
	if s.forbids(p) {
		return forbidden(p), nil
	}
	message, err := can.kind.question(p)
	if err != nil {
		s.show(protocol.MessageTypeWarning, render.Notification("CloudOps: "+p.Plan.Title+": "+err.Error()))
		return none, err
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	if can.kind.waits != "" {
		s.show(protocol.MessageTypeWarning, render.Notification("CloudOps: "+p.Plan.Title+": "+can.kind.waits))
	}
	for range maxAsked {
		title, err := s.putQuestion(ctx, protocol.ShowMessageRequestParams{
			Type:    protocol.MessageTypeWarning,
			Message: message,
			Actions: []protocol.MessageActionItem{{Title: p.Reject}, {Title: p.Run}},
		})
		switch {
		case err != nil:
			if ctx.Err() != nil && time.Now().Before(p.Plan.Expires) {
				s.tell(p.Plan)
			}
			return none, err
		case title == p.Run && s.asked.within(time.Duration(p.ArmAfterMS)*time.Millisecond):
			continue
		}
		return daemon.PromptResult{Title: title, Digest: p.Plan.Digest}, nil
	}
	return none, executor.ErrEarly
}

// putQuestion shows a message with choices and returns the one that is chosen,
// "" for none. With ctx it is taken back, though most editors leave it standing.
func (s *server) putQuestion(ctx context.Context, question protocol.ShowMessageRequestParams) (title string, err error) {
	s.asked.shown()
	var answer *protocol.MessageActionItem
	id, err := s.conn.Call(ctx, protocol.MethodWindowShowMessageRequest, &question, &answer)
	if ctx.Err() != nil {
		s.asked.withdrawn(id)
		_ = s.conn.Notify(context.WithoutCancel(ctx), protocol.MethodCancelRequest, &protocol.CancelParams{ID: wireID(id)})
		return "", ctx.Err()
	}
	if err != nil || answer == nil {
		return "", err
	}
	return answer.Title, nil
}

// tell says what becomes of a plan whose question is taken back. It is said
// before the next question stands: there are editors where it would cover that.
func (s *server) tell(p executor.Plan) {
	s.asked.tell(p.ID)
	s.show(protocol.MessageTypeWarning, render.Notification("CloudOps: "+p.Title+" is not asked about any more; what waits is in `cloudops approvals`"))
}

// wireID is the id of a call of ours, which are numbers, as a cancel has it.
func wireID(id jsonrpc2.ID) protocol.ProgressToken {
	n, _ := id.Number()
	return protocol.Integer(n)
}

// asked says since when the question that stands can be seen. Editors leave one
// that was taken back on the screen, in front of those that follow, and answer
// it all the same.
type asked struct {
	mu sync.Mutex // guards what follows
	// left are the questions that were taken back and not answered yet.
	left map[jsonrpc2.ID]bool
	// told are the plans of which the person was told that their question is gone.
	told map[string]bool
	// since is when the standing question was sent, or one before it answered.
	since time.Time
}

func (a *asked) shown() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since = time.Now()
}

func (a *asked) withdrawn(id jsonrpc2.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left == nil {
		a.left = map[jsonrpc2.ID]bool{}
	}
	a.left[id] = true
}

func (a *asked) tell(plan string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told == nil {
		a.told = map[string]bool{}
	}
	a.told[plan] = true
}

// wasTold says, once, whether the person was told.
func (a *asked) wasTold(plan string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer delete(a.told, plan)
	return a.told[plan]
}

// answered takes note of an answer, also of one that nobody waits for.
func (a *asked) answered(id jsonrpc2.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left[id] {
		delete(a.left, id)
		a.since = time.Now()
	}
}

// within reports whether the question that stands can be seen for less than d.
func (a *asked) within(d time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.since) < d
}

// forbidden is the answer to a plan that the editor's settings reject.
func forbidden(p executor.Prompt) daemon.PromptResult {
	return daemon.PromptResult{Title: p.Reject, Digest: p.Plan.Digest, Reason: "the editor's setting readOnly"}
}

// forbids says, to the person too, that the editor's settings reject a plan.
func (s *server) forbids(p executor.Prompt) bool {
	if !s.settings.readOnly() || !p.Plan.Changes() {
		return false
	}
	s.show(protocol.MessageTypeWarning, "CloudOps: the editor's setting readOnly rejects commands that change AWS.")
	return true
}
