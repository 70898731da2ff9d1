package lsp

import (
	"context"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// prompt puts a plan before the person, one at a time, Reject first. Whatever
// comes back that isn't a title is no answer, and no answer approves nothing.
func (s *server) prompt(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	none := daemon.PromptResult{Digest: p.Plan.Digest}
	if p.Plan.Risk == executor.RiskCritical || p.Surface != executor.SurfaceMessage {
		s.show(protocol.MessageTypeWarning, "CloudOps: this command is too dangerous for a message; decide it with `cloudops approvals` in a terminal.")
		return none, nil
	}
	if s.settings.readOnly() && p.Plan.Access != string(catalog.AccessList) {
		s.show(protocol.MessageTypeWarning, "CloudOps: the editor's setting readOnly rejects commands that change AWS.")
		return none, nil
	}
	select {
	case s.asking <- struct{}{}:
		defer func() { <-s.asking }()
	case <-ctx.Done():
		return none, nil
	}
	got, err := s.editor.ShowMessageRequest(ctx, &protocol.ShowMessageRequestParams{
		Type:    protocol.MessageTypeWarning,
		Message: render.CardNotification(p),
		Actions: []protocol.MessageActionItem{{Title: p.Reject}, {Title: p.Run}},
	})
	if err != nil || got == nil {
		return none, nil
	}
	return daemon.PromptResult{Title: got.Title, Digest: p.Plan.Digest}, nil
}
