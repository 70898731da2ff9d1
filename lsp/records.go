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
	// maxChanged bounds the resources that are known to have changed.
	maxChanged = 1 << 12
	// prefetchPause is the least time between two looks at the documents.
	prefetchPause = 200 * time.Millisecond
)

// records remembers what tokens of the documents name, so that a hover needs
// no hop. When the estate changes, what is told to have changed is forgotten, and
// that a token names nothing. The rest is answered on, and asked again in the
// background: a token may have come to name one more.
type records struct {
	resolve func(ctx context.Context, tokens []string, actions bool) (daemon.ResolveResult, error)
	changed chan struct{}

	mu sync.Mutex // guards what follows
	// generation is that of the last change that was told.
	generation uint64
	// epoch counts what was told: what was asked before is not kept after it.
	epoch uint64
	known map[string]answered
	// changed are resources by the epoch in which they did.
	changedIn map[storage.Key]uint64
}

// answered is what a token was said to name, and in which epoch.
type answered struct {
	*named
	in uint64
}

// named is what a token names; nil where that is nothing. It never changes.
type named struct {
	records []storage.Record
	// gaps say where more that it names could hide.
	gaps []string
	// doable is what may be done to them, by their canonical keys; nil until a
	// menu asks for it.
	doable map[string]daemon.Doable
}

func newRecords(resolve func(context.Context, []string, bool) (daemon.ResolveResult, error)) *records {
	r := &records{resolve: resolve, changed: make(chan struct{}, 1)}
	r.forget()
	return r
}

// forget forgets everything. The caller holds mu.
func (r *records) forget() {
	r.known, r.changedIn = map[string]answered{}, map[storage.Key]uint64{}
}

// drop forgets everything, and has the documents looked at again.
func (r *records) drop() { r.change(storage.Change{}) }

// change takes note of a change of the estate.
func (r *records) change(c storage.Change) {
	r.mu.Lock()
	r.epoch++
	missed := c.Since != r.generation || c.Generation == 0
	unnamed := c.Since != c.Generation && len(c.Shards) == 0
	if missed || unnamed || len(r.changedIn)+len(c.Keys) > maxChanged {
		r.forget()
	}
	for _, k := range c.Keys {
		r.changedIn[k] = r.epoch
	}
	r.generation = c.Generation
	r.mu.Unlock()
	r.wake()
}

// recalled is what is known of a token without asking. The caller holds mu.
func (r *records) recalled(token string, actions bool) (*named, bool) {
	a, ok := r.known[token]
	switch {
	case !ok:
		return nil, false
	case a.named == nil:
		return nil, a.in == r.epoch
	case actions && a.doable == nil:
		return nil, false
	}
	for _, rec := range a.records {
		if r.changedIn[rec.Key] > a.in {
			return nil, false
		}
	}
	return a.named, true
}

// wake has the documents looked at again.
func (r *records) wake() {
	signal(r.changed)
}

// recall is longest of what is known without asking.
func (r *records) recall(tokens []index.Token, actions bool) (found []mention, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return longest(tokens, func(token string) (*named, bool) { return r.recalled(token, actions) })
}

// lookup returns what the tokens name, and what may be done to that if that is
// wanted, asking the daemon for those not known.
func (r *records) lookup(ctx context.Context, tokens []string, actions bool) (map[string]*named, error) {
	return r.ask(ctx, tokens, actions, func(token string) (*named, bool) { return r.recalled(token, actions) })
}

// renew is lookup that also asks for what was known before the last change.
func (r *records) renew(ctx context.Context, tokens []string) error {
	_, err := r.ask(ctx, tokens, false, func(token string) (*named, bool) {
		a, ok := r.known[token]
		return a.named, ok && a.in == r.epoch
	})
	return err
}

func (r *records) ask(ctx context.Context, tokens []string, actions bool, recalled func(token string) (*named, bool)) (map[string]*named, error) {
	found := make(map[string]*named, len(tokens))
	var missing []string
	r.mu.Lock()
	epoch := r.epoch
	for _, t := range tokens {
		if n, ok := recalled(t); ok {
			found[t] = n
		} else {
			missing = append(missing, t)
		}
	}
	r.mu.Unlock()
	if len(missing) == 0 {
		return found, nil
	}
	got, err := r.resolve(ctx, missing, actions)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := r.epoch == epoch
	if keep && len(r.known)+len(missing) > maxKnown {
		r.forget()
	}
	for _, t := range missing {
		var n *named
		if rs := got.Records[t]; len(rs) > 0 {
			n = &named{rs, got.Gaps[t], got.Doable}
		}
		found[t] = n
		if keep {
			r.known[t] = answered{n, epoch}
		}
	}
	return found, nil
}

// resolve asks the daemon.
func (s *server) resolve(ctx context.Context, tokens []string, actions bool) (daemon.ResolveResult, error) {
	return daemon.EstateResolve.Call(ctx, s.link, daemon.ResolveParams{Tokens: tokens, Actions: actions})
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
			if err := s.records.renew(ctx, ts); err != nil && ctx.Err() == nil {
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
