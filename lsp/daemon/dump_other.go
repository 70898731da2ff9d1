//go:build !linux

package daemon

// withoutDump has nothing to ask for here.
func withoutDump() error { return nil }
