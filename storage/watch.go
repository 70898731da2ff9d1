package storage

// Change is a coalesced note that the estate differs from before.
type Change struct {
	// Generation grows with every change.
	Generation uint64 `json:"generation"`
}

// Generation is that of the last change since the store was opened.
func (e *Estate) Generation() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.generation
}

// Watch yields changes, coalesced: a slow reader misses none, it sees the
// newest. The channel is closed by stop and when the store closes.
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

func (e *Estate) notify() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.generation++
	for ch := range e.watchers {
		select {
		case <-ch:
		default:
		}
		ch <- Change{Generation: e.generation} // only notify sends, so there is room
	}
}
