package daemon

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAnotherUserIsRefused needs root, to be another user; elsewhere the
// folder's mode alone stands in the way and the peers are always the user's own.
func TestAnotherUserIsRefused(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "cod")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	own, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for _, nc := range []net.Conn{own, accepted(t, l)} {
		p, err := checkPeer(nc)
		if err != nil || p.pid != os.Getpid() || filepath.Base(p.executable) != filepath.Base(os.Args[0]) {
			t.Errorf("the user's own: %+v %v", p, err)
		}
		nc.Close()
	}
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	// Another user can't reach the test program where the go command put it.
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "program")
	if err := os.WriteFile(other, program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(other, "connect", path)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	nc := accepted(t, l)
	if _, err := checkPeer(nc); err == nil || !strings.Contains(err.Error(), "user 65534") {
		t.Errorf("user 65534: %v, want a refusal", err)
	}
	nc.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func accepted(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return nc
}
