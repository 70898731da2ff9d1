package lsp

import (
	"context"
	"errors"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// maxAsked is how often a plan is put before the person whose answers come
// faster than anybody reads.
const maxAsked = 3

// arming is how long an answer that runs something is taken for one that was
// meant for whatever stood there before. The daemon counts from when it asks, a
// question that waited for its turn from when it is shown.
const arming = 500 * time.Millisecond

// prompt puts a plan before the person, one at a time, Reject first. Whatever
// comes back that isn't a title is no answer, and no answer approves nothing.
func (s *server) prompt(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	none := daemon.PromptResult{Digest: p.Plan.Digest}
	if p.Surface == executor.SurfaceCard && s.can().cards {
		return s.card(ctx, p)
	}
	if p.Plan.Risk == executor.RiskCritical || p.Surface != executor.SurfaceMessage {
		s.show(protocol.MessageTypeWarning, "CloudOps: this command is too dangerous for a message; decide it with `cloudops approvals` in a terminal.")
		return none, errors.New("this plan is not decided in a message")
	}
	if s.forbids(p) {
		return forbidden(p), nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return none, ctx.Err()
	}
	for range maxAsked {
		shown := time.Now()
		got, err := s.editor.ShowMessageRequest(ctx, &protocol.ShowMessageRequestParams{
			Type:    protocol.MessageTypeWarning,
			Message: render.CardNotification(p),
			Actions: []protocol.MessageActionItem{{Title: p.Reject}, {Title: p.Run}},
		})
		switch {
		case err != nil:
			return none, err // it can't ask, which decides nothing
		case got == nil:
			return none, nil
		case got.Title == p.Run && time.Since(shown) < s.arming:
			continue
		}
		return daemon.PromptResult{Title: got.Title, Digest: p.Plan.Digest}, nil
	}
	return none, executor.ErrEarly
}

// forbidden is the answer to a plan that the editor's settings reject.
func forbidden(p executor.Prompt) daemon.PromptResult {
	return daemon.PromptResult{Title: p.Reject, Digest: p.Plan.Digest, Reason: "the editor's setting readOnly"}
}

// forbids says, to the person too, that the editor's settings reject a plan.
func (s *server) forbids(p executor.Prompt) bool {
	if !s.settings.readOnly() || p.Plan.Access == string(catalog.AccessList) {
		return false
	}
	s.show(protocol.MessageTypeWarning, "CloudOps: the editor's setting readOnly rejects commands that change AWS.")
	return true
}
