package lsp

import (
	"context"
	"encoding/json"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// A client whose experimental capability cloudops.cards is true is sent
// cloudops/prompt, a request, instead of window/showMessageRequest.

// cardParams is the request; all text in it is escaped. Its answer is a
// daemon.PromptResult.
type cardParams struct {
	Plan   string        `json:"plan"`
	Digest string        `json:"digest"`
	Title  string        `json:"title"`
	Line   string        `json:"line"`
	Risk   executor.Risk `json:"risk"`
	// Grave: the person is asked once more, in a dialog of the editor's own that
	// shows Title and Dialog.
	Grave  bool           `json:"grave"`
	Dialog string         `json:"dialog"`
	Fields []render.Field `json:"fields"`
	// Message is the card in short, for a notification; the editor can show all of it.
	Message string `json:"message"`
	// Conversation is the one that proposed the plan, if one did.
	Conversation string `json:"conversation_id,omitempty"`
	// Run is the only title that approves, Reject the first choice.
	Run    string `json:"run"`
	Reject string `json:"reject"`
	// Created is when the plan was made, which is its place in the conversation.
	Created int64 `json:"created_ms"`
	// Expires is when the question ends by itself.
	Expires int64 `json:"expires_ms"`
	// ArmAfter is how long the whole card has to be seen before an answer counts.
	ArmAfter int64 `json:"arm_after_ms"`
	// Waiting is how many other plans of the editor wait.
	Waiting int `json:"waiting,omitempty"`
}

// showsCards reads the capability.
func showsCards(experimental protocol.LSPAny) bool {
	var x struct {
		CloudOps struct {
			Cards bool `json:"cards"`
		} `json:"cloudops"`
	}
	return json.Unmarshal(experimental, &x) == nil && x.CloudOps.Cards
}

// card puts a plan before the person as a card. What is no answer approves
// nothing; whether an answer does is for the daemon to say.
func (s *server) card(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	none := daemon.PromptResult{Digest: p.Plan.Digest}
	if s.forbids(p) {
		return forbidden(p), nil
	}
	raw, err := json.Marshal(cardParams{
		Plan: p.Plan.ID, Digest: p.Plan.Digest, Title: render.Plain(p.Plan.Title), Line: render.Plain(p.Plan.Line),
		Risk: p.Plan.Risk, Grave: p.Plan.Risk.Grave(), Fields: render.CardFields(p.Plan), Message: render.CardNotice(p), Dialog: render.CardDialog(p.Plan),
		Conversation: p.Plan.Origin.Conversation, Run: p.Run, Reject: p.Reject,
		Created: p.Plan.Created.UnixMilli(), Expires: p.Plan.Expires.UnixMilli(), ArmAfter: p.ArmAfterMS, Waiting: p.Waiting,
	})
	if err != nil {
		return none, err
	}
	var got daemon.PromptResult
	if err := protocol.Call(ctx, s.conn, daemon.Prompt.Name, jsonrpc2.RawMessage(raw), &got); err != nil {
		return none, err // it can't ask, which decides nothing
	}
	return got, nil
}
