package daemon

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudops/cloudops/executor"
)

var Confirm = question[ConfirmParams, ConfirmResult]("cloudops/confirm",
	"Puts an act upon what cloudops keeps itself, such as a key, a conversation or the store, before the person at a terminal. No other client is sent it.")

// ConfirmParams is the card of an act.
type ConfirmParams struct {
	// Title is what will be done, such as "Delete conversation 7b0c...". The audit
	// log keeps it.
	Title string `json:"title"`
	// Details say what follows from it, a line each.
	Details []string `json:"details"`
	// Word is what the person types to have it done.
	Word string `json:"word"`
	// Nonce belongs to this question; the answer carries it.
	Nonce string `json:"nonce"`
	// ArmAfterMS is how long the card has to be seen before an answer counts, in
	// milliseconds; the daemon takes none that comes sooner.
	ArmAfterMS int64 `json:"arm_after_ms"`
}

// ConfirmResult is what the person typed.
type ConfirmResult struct {
	Nonce string `json:"nonce"`
	Word  string `json:"word"`
}

// confirm asks the person at this terminal about an act and records the answer
// in the audit log, durable before it returns nil. Any error means that the act
// must not be done: nobody could be asked (CodeRefused), there was no answer that
// counts (executor.ErrUndecided), or it was something else (executor.ErrRejected).
func (x *session) confirm(ctx context.Context, ex *executor.Executor, title, word string, details ...string) error {
	x.mu.Lock()
	// A script may say that it is a terminal; the kernel knows better.
	asked := x.interactive && x.kind == "terminal" && x.peer.terminal
	x.mu.Unlock()
	if !asked {
		return refusef(CodeRefused, "run it at a terminal", "this is decided at a terminal, and there is none at this connection")
	}
	act := strings.ToLower(title[:1]) + title[1:]
	err := x.confirmed(ctx, ex, ConfirmParams{Title: title, Details: details, Word: word})
	origin, said := x.origin(), "approved"
	switch {
	case errors.Is(err, executor.ErrRejected):
		said = "rejected"
	case err != nil:
		said = "not decided"
	}
	text := fmt.Sprintf("%s: %s on a terminal (process %d, %s)", title, said, origin.PID, origin.Executable)
	if rerr := ex.RecordLocal(text); err == nil {
		return rerr
	}
	return fmt.Errorf("%w: %s", err, act)
}

// confirmed puts the question, again where the answer came too fast.
func (x *session) confirmed(ctx context.Context, ex *executor.Executor, card ConfirmParams) error {
	for range mostAsked {
		question := ex.Ask(card.length())
		card.Nonce, card.ArmAfterMS = rand.Text(), question.Reading().Milliseconds()
		asking, cancel := question.Until(ctx)
		answer, err := Confirm.Call(asking, x.conn, card)
		ended := asking.Err() != nil
		cancel()
		switch {
		case err != nil || ended:
			return executor.ErrUndecided
		case question.Early():
			continue
		case answer.Word != card.Word || subtle.ConstantTimeCompare([]byte(answer.Nonce), []byte(card.Nonce)) != 1:
			return executor.ErrRejected
		}
		return nil
	}
	return fmt.Errorf("%w: %w", executor.ErrUndecided, executor.ErrEarly)
}

// length is how many characters the card has.
func (p ConfirmParams) length() int { return len(p.Title) + len(strings.Join(p.Details, " ")) }
