package main

import (
	"errors"
	"testing"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
)

// A script must not take a scan for good that has nothing to show.
func TestTheExitCodeOfAScan(t *testing.T) {
	denied, away := session.Problem{Code: "denied"}, session.Problem{Code: "unreachable"}
	for name, c := range map[string]struct {
		r    scanner.Result
		want int
	}{
		"an empty account":            {scanner.Result{Shards: 4}, 0},
		"all of it":                   {scanner.Result{Shards: 4, Resources: 9}, 0},
		"a part of it":                {scanner.Result{Shards: 3, Resources: 9, Problems: []session.Problem{denied}}, 0},
		"no profile":                  {scanner.Result{Problems: []session.Problem{denied}}, exitDenied},
		"nothing answered":            {scanner.Result{Accounts: []string{"1"}, Problems: []session.Problem{denied, away}}, exitUnavailable},
		"nothing found, a part known": {scanner.Result{Accounts: []string{"1"}, Shards: 3, Problems: []session.Problem{away}}, exitUnavailable},
		"first pages only":            {scanner.Result{Accounts: []string{"1"}, Resources: 100, Problems: []session.Problem{denied}}, exitDenied},
		"stopped":                     {scanner.Result{Shards: 3, Resources: 9, Cancelled: true}, exitError},
	} {
		got := 0
		if err := scanOutcome(c.r); err != nil {
			var quiet quietExit
			if !errors.As(err, &quiet) {
				t.Fatalf("%s: %v", name, err)
			}
			got = int(quiet)
		}
		if got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}
