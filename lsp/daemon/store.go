package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// Move is how the store is moved to another mode.
type Move struct {
	// To is the configuration with that mode, or what is wrong with it.
	To func(mode string) (storage.Config, error)
	// Commit puts that mode into force for whoever opens the store next.
	Commit func(mode string) error
}

// MigrateParams asks to move the store to a mode: embedded, local or remote.
// Token names its progress notes; "" for none.
type MigrateParams struct {
	To    string `json:"to"`
	Token string `json:"token,omitempty"`
}

// MigrateResult is what was moved.
type MigrateResult struct {
	From        string          `json:"from"`
	To          string          `json:"to"`
	Collections []storage.Moved `json:"collections"`
}

var StoreMigrate = request("cloudops/store/migrate", 0, needStore|needExecutor,
	"Moves the store to another mode, once a person at the terminal confirmed it.", storeMigrate,
	needed("to", 64), text("token", maxToken))

// storeMigrate moves the store, once the person at this terminal agrees. The
// daemon then ends, so that the next one opens it where it is now.
func storeMigrate(ctx context.Context, x *session, p *Parts, params MigrateParams) (MigrateResult, error) {
	if p.Move == nil {
		return MigrateResult{}, errors.ErrUnsupported
	}
	to, err := p.Move.To(params.To)
	if err != nil {
		return MigrateResult{}, refusef(CodeRefused, "", "%v", err)
	}
	health := p.Store.Health()
	if health.Mode == params.To {
		return MigrateResult{}, refusef(CodeRefused, "", "the data is in mode %s already", params.To)
	}
	if p.Keys != nil && p.Keys.Rotating() {
		return MigrateResult{}, refusef(CodeRefused, "see `cloudops key status`", "everything is being sealed anew; wait until that is done")
	}
	details := []string{
		fmt.Sprintf("%d resources and all conversations are copied, compared, and used there from then on.", health.Resources),
		"What is stored now stays where it is, until you remove it yourself.",
		"Scans and chats wait meanwhile; Ctrl-C stops it, and nothing has changed then.",
	}
	if params.To != "embedded" {
		details = append(details, "Fields that filter, and vectors, are stored in the clear there: docs/security.md says which.")
	}
	if to.Qdrant.URL != "" && params.To == "remote" {
		details = append(details, "The server is "+to.Qdrant.URL+".")
	}
	title := fmt.Sprintf("Move the store from mode %s to mode %s", health.Mode, params.To)
	if err := x.confirm(ctx, p.Executor, title, "migrate", details...); err != nil {
		return MigrateResult{}, err
	}
	x.server.enter()
	defer x.server.leave()
	report := func(done, total int) {
		x.progress(ctx, params.Token, scanner.Progress{Done: done, Total: total, Message: "moving the store"})
	}
	moved, err := p.Store.Migrate(ctx, to, func() error {
		if p.Executor != nil {
			if err := p.Executor.RecordLocal(fmt.Sprintf("the store is moved from mode %s to mode %s", health.Mode, params.To)); err != nil {
				return err
			}
		}
		return p.Move.Commit(params.To)
	}, report)
	if err != nil {
		return MigrateResult{}, err
	}
	s := x.server
	s.mu.Lock()
	if s.stopping == nil {
		s.stopLocked("the store was moved", refusef(CodeHandover, "try again in a moment", "the store was moved, and the daemon is starting anew"))
	}
	s.mu.Unlock()
	return MigrateResult{From: health.Mode, To: params.To, Collections: moved}, nil
}
