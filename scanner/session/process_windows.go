package session

import "golang.org/x/sys/windows"

// commandWords splits a command as Windows does for its programs.
func commandWords(s string) ([]string, error) { return windows.DecomposeCommandLine(s) }
