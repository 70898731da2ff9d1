package builtin

import "time"

// At stops the backend's clock, so that a test can say how old things are.
func (b *Backend) At(now time.Time) *Backend {
	b.now = func() time.Time { return now }
	return b
}
