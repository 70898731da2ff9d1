//go:build !windows

package session

// commandWords splits a command as a POSIX shell does.
func commandWords(s string) ([]string, error) { return splitWords(s) }
