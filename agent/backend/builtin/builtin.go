// Package builtin answers requests offline and deterministically, by a small
// grammar of English.
//
// Its entry point is New; the result is an agent.Backend.
//
// Invariants: only a clause that asks for it in so many words becomes a
// command, and only for resources of the estate; whatever is negated,
// conditional, a question or not understood becomes words instead. Names, tags
// and quoted text are data.
package builtin

import (
	"context"
	"errors"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// Ledger says how old and how complete the estate is; *scanner.Scanner is one.
type Ledger interface {
	Ledger() []scanner.ShardState
	Age(storage.Record) time.Time
}

// Backend is the builtin backend. Safe for concurrent use.
type Backend struct {
	estate *storage.Estate
	ledger Ledger
}

var _ agent.Backend = (*Backend)(nil)

// New returns a backend that looks questions over the estate up in it.
func New(estate *storage.Estate, ledger Ledger) *Backend {
	return &Backend{estate: estate, ledger: ledger}
}

// Answer implements agent.Backend.
func (b *Backend) Answer(ctx context.Context, r agent.Request, stream func(text string)) (agent.Reply, error) {
	return agent.Reply{}, errors.ErrUnsupported
}
