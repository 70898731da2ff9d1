package daemon

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/cloudops/cloudops/executor"
)

// MethodConfirm puts an act upon what cloudops keeps itself, such as a key, a
// conversation or the store, before the person at a terminal. The daemon sends
// it to no other client.
const MethodConfirm = "cloudops/confirm"

// confirmTime is how long a person may think about an act.
const confirmTime = 5 * time.Minute

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
}

// ConfirmResult is what the person typed.
type ConfirmResult struct {
	Nonce string `json:"nonce"`
	Word  string `json:"word"`
}

// confirm asks the person at this terminal about an act and records the answer
// in the audit log, durable before it returns nil. Any error means that the act
// must not be done: nobody could be asked (CodeRefused), or the answer was
// something else (executor.ErrRejected). ex is nil only where no store is open.
func (x *session) confirm(ctx context.Context, ex *executor.Executor, title, word string, details ...string) error {
	x.mu.Lock()
	// A script may say that it is a terminal; the kernel knows better.
	asked := x.interactive && x.kind == "terminal" && x.peer.terminal
	x.mu.Unlock()
	if !asked {
		return refusef(CodeRefused, "run it at a terminal", "this is decided at a terminal, and there is none at this connection")
	}
	asking, cancel := context.WithTimeout(ctx, confirmTime)
	defer cancel()
	question := ConfirmParams{Title: title, Details: details, Word: word, Nonce: rand.Text()}
	var answer ConfirmResult
	err := x.conn.call(asking, MethodConfirm, question, &answer)
	yes := err == nil && ctx.Err() == nil && answer.Word == word &&
		subtle.ConstantTimeCompare([]byte(answer.Nonce), []byte(question.Nonce)) == 1
	origin, said := x.origin(), "rejected"
	if yes {
		said = "approved"
	}
	if ex != nil {
		text := fmt.Sprintf("%s: %s on a terminal (process %d, %s)", title, said, origin.PID, origin.Executable)
		if err := ex.RecordLocal(text); err != nil && yes {
			return err
		}
	}
	if !yes {
		return fmt.Errorf("%w: %s", executor.ErrRejected, strings.ToLower(title[:1])+title[1:])
	}
	return nil
}
