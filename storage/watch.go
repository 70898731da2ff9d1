package storage

import "slices"

// maxNamed is how many resources, and how many shards, a change names.
const maxNamed = 64

// Change is a coalesced note that the estate differs from before. One that names
// nothing between two generations may be of anything.
type Change struct {
	// Since is the generation that it follows: who knows another missed a change.
	Since uint64 `json:"since"`
	// Generation grows with every change.
	Generation uint64 `json:"generation"`
	// Shards are those in which something was written or deleted, unless they are
	// too many to name.
	Shards []Shard `json:"shards,omitempty"`
	// Keys are what was written or deleted, unless that is too much to name.
	Keys []Key `json:"keys,omitempty"`
}

// changeOf names resources.
func changeOf(keys []Key) Change {
	var c Change
	for _, k := range keys {
		if s := shardOf(k); len(c.Shards) <= maxNamed && !slices.Contains(c.Shards, s) {
			c.Shards = append(c.Shards, s)
		}
	}
	if len(c.Shards) > maxNamed {
		return Change{}
	}
	if len(keys) <= maxNamed {
		c.Keys = keys
	}
	return c
}

// and is what changed by one change and by the next.
func (c Change) and(next Change) Change {
	both := Change{Since: c.Since, Generation: next.Generation}
	if len(c.Shards) == 0 || len(next.Shards) == 0 {
		return both
	}
	both.Shards = union(c.Shards, next.Shards)
	if len(both.Shards) > 0 && len(c.Keys) > 0 && len(next.Keys) > 0 {
		both.Keys = union(c.Keys, next.Keys)
	}
	return both
}

// union is nil where there are too many to name.
func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	if len(all) > maxNamed {
		return nil
	}
	return all
}

// Generation is that of the last change since the store was opened.
func (e *Estate) Generation() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.generation
}

// Watch yields changes, coalesced: a slow reader misses none, it sees them as
// one. The channel is closed by stop and when the store closes.
func (e *Estate) Watch() (changes <-chan Change, stop func()) {
	ch := make(chan Change, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watchers == nil { // closed
		close(ch)
		return ch, func() {}
	}
	e.watchers[ch] = true
	return ch, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.watchers[ch] {
			delete(e.watchers, ch)
			close(ch)
		}
	}
}

// notify tells of a change whose generations it counts.
func (e *Estate) notify(c Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.Since = e.generation
	e.generation++
	c.Generation = e.generation
	for ch := range e.watchers {
		news := c
		select {
		case waiting := <-ch:
			news = waiting.and(c)
		default:
		}
		ch <- news // only notify sends, so there is room
	}
}
