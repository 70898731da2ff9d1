package lsp

import (
	"context"
	"sync"
	"time"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

const (
	// maxTokens is how much of one document is looked up ahead.
	maxTokens = 4096
	// maxKnown bounds the cache; beyond it begins anew.
	maxKnown = 1 << 17
	// prefetchPause is the least time between two looks at the documents.
	prefetchPause = 200 * time.Millisecond
)

// records remembers what tokens of the documents name, so that a hover needs
// no hop. A token that names nothing is remembered too. All of it is dropped
// when the estate changes.
type records struct {
	resolve func(ctx context.Context, tokens []string) (daemon.ResolveResult, error)
	changed chan struct{}

	mu sync.Mutex // guards what follows
	// epoch counts the drops: what was asked before one is not kept after it.
	epoch uint64
	known map[string]*named
}

// named is what a token names; nil where that is nothing. It never changes.
type named struct {
	records []storage.Record
	// gaps say where more that it names could hide.
	gaps []string
}

func newRecords(resolve func(context.Context, []string) (daemon.ResolveResult, error)) *records {
	return &records{
		resolve: resolve,
		changed: make(chan struct{}, 1),
		known:   map[string]*named{},
	}
}

// drop forgets everything.
func (r *records) drop() {
	r.mu.Lock()
	r.epoch++
	r.known = map[string]*named{}
	r.mu.Unlock()
	r.wake()
}

// wake has the documents looked at again.
func (r *records) wake() {
	signal(r.changed)
}

// recall returns what places mention, unless that takes asking.
func (r *records) recall(places [][]index.Token) (found []mention, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return mentions(places, func(token string) (*named, bool) {
		n, ok := r.known[token]
		return n, ok
	})
}

// lookup returns what the tokens name, asking the daemon for those not known.
func (r *records) lookup(ctx context.Context, tokens []string) (map[string]*named, error) {
	found := make(map[string]*named, len(tokens))
	var missing []string
	r.mu.Lock()
	epoch := r.epoch
	for _, t := range tokens {
		if n, ok := r.known[t]; ok {
			found[t] = n
		} else {
			missing = append(missing, t)
		}
	}
	r.mu.Unlock()
	if len(missing) == 0 {
		return found, nil
	}
	got, err := r.resolve(ctx, missing)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := r.epoch == epoch
	if keep && len(r.known)+len(missing) > maxKnown {
		r.known = map[string]*named{}
	}
	for _, t := range missing {
		var n *named
		if rs := got.Records[t]; len(rs) > 0 {
			n = &named{rs, got.Gaps[t]}
		}
		found[t] = n
		if keep {
			r.known[t] = n
		}
	}
	return found, nil
}

// resolve asks the daemon.
func (s *server) resolve(ctx context.Context, tokens []string) (daemon.ResolveResult, error) {
	return daemon.EstateResolve.Call(ctx, s.link, daemon.ResolveParams{Tokens: tokens})
}

// prefetch looks up what the open documents mention, until ctx ends.
func (s *server) prefetch(ctx context.Context) {
	tokens := map[*document][]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.records.changed:
		}
		before := tokens
		tokens = map[*document][]string{}
		settling := false
		for _, d := range s.documents.all() {
			ts, ok := before[d]
			if !ok && time.Since(d.edited) < prefetchPause {
				settling = true // more edits may follow, and nobody read this version yet
				continue
			}
			if !ok {
				ts = index.Tokens(d.text(), maxTokens)
			}
			tokens[d] = ts
			if _, err := s.records.lookup(ctx, ts); err != nil && ctx.Err() == nil {
				s.log.Debug("looking ahead", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(prefetchPause):
		}
		if settling {
			s.records.wake()
		}
	}
}
