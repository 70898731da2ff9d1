package lsp

import (
	"fmt"
	"testing"

	"github.com/cloudops/cloudops/lsp/daemon"
)

// An editor may open and close as many folders as it likes: what is open is
// kept, and as many of the closed ones as the daemon takes.
func TestClosedFoldersAreForgottenLast(t *testing.T) {
	var f folderSet
	f.change([]string{"/first", "/open"}, nil)
	f.change(nil, []string{"/first", "/never"})
	for range 2000 {
		f.change([]string{"/open", "/again"}, nil)
		f.change(nil, []string{"/again"})
	}
	if got := fmt.Sprint(f.paths); got != "[/first /open /again]" {
		t.Errorf("the folders are %s", got)
	}
	for i := range 3 * daemon.MaxWorkspaces {
		path := fmt.Sprint("/", i)
		f.change([]string{path}, nil)
		f.change(nil, []string{path})
	}
	last := fmt.Sprint("/", 3*daemon.MaxWorkspaces-1)
	if n := len(f.paths); n >= daemon.MaxWorkspaces || n < daemon.MaxWorkspaces/2 || f.paths[0] != "/open" || f.paths[n-1] != last {
		t.Errorf("of %d folders the first is %s and the last %s", n, f.paths[0], f.paths[n-1])
	}
}
