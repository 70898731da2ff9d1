package daemon

import (
	"context"
	"testing"

	"golang.org/x/sys/unix"
)

// What serves keeps its memory to itself, before it opens anything.
func TestTheDaemonsMemoryIsClosedToOthers(t *testing.T) {
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			t.Error(err)
		}
	})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := Serve(ended, ServerConfig{Home: testHome(t), Open: noParts}); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable is %d, %v", n, err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core != (unix.Rlimit{}) {
		t.Errorf("core files of up to %+v, %v", core, err)
	}
}
