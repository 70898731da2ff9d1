package main

import (
	"fmt"
	"testing"

	"github.com/cloudops/cloudops/lsp/daemon"
)

// A script tells by the exit code what kind of refusal the daemon's was.
func TestTheExitCodeOfARefusal(t *testing.T) {
	for code, want := range map[int]int{
		daemon.CodeRefused: exitRefused, daemon.CodeRejected: exitRefused, daemon.CodeUndecided: exitRefused,
		daemon.CodeNotFound: exitNotFound, daemon.CodeDenied: exitDenied,
		daemon.CodeUnavailable: exitUnavailable, daemon.CodeDegraded: exitUnavailable,
		daemon.CodeHandover: exitUnavailable, daemon.CodeFull: exitUnavailable,
		-32602: exitUsage, -32603: exitError,
	} {
		err := fmt.Errorf("asking: %w", &daemon.Error{Code: code, Message: "no", Hint: "try"})
		if got, _ := classify(err); got != want {
			t.Errorf("code %d: exit code %d, want %d", code, got, want)
		}
	}
}
