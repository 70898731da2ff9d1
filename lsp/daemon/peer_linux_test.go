package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
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

// A script, a cron job or an agent's tool that says it is a terminal is none:
// the kernel tells whether a person could be typing there.
func TestAProcessWithoutATerminalIsNone(t *testing.T) {
	dir := filepath.Dir(testHome(t))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, want := range []bool{false, true} {
		cmd := exec.Command(os.Args[0], "connect", l.Addr().String())
		if want {
			tty, err := pty.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			defer tty.Close()
		} else {
			cmd.SysProcAttr = detached()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
		}
		nc := accepted(t, l)
		p, err := checkPeer(nc)
		if err != nil || p.terminal != want {
			t.Errorf("%+v %v, want a terminal %v", p, err, want)
		}
		nc.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	for stat, want := range map[string]bool{
		"7 (sh) S 1 7 7 34816 7": true, "7 (sh) S 1 7 7 0 -1": false, "": false, "7 (sh) S": false,
		"7 (a) S 1 7 7 34816) S 1 7 7 0 -1": false,
	} {
		if hasTerminal(stat) != want {
			t.Errorf("%q: want a terminal %v", stat, want)
		}
	}
	x := &session{kind: "terminal", interactive: true}
	var e *Error
	if _, err := executionDecide(t.Context(), x, nil, DecideParams{Plan: "p", Decision: "ask"}); !errors.As(err, &e) || e.Code != CodeRefused {
		t.Errorf("asked without a terminal: %v, want a refusal", err)
	}
}

// A lock may name a socket elsewhere, but none that no folder guards.
func TestAbstractSocketsAreRefused(t *testing.T) {
	name := "@cloudops-test-" + strconv.Itoa(os.Getpid())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Chdir(filepath.Dir(testHome(t))) // a name without a folder is looked for here
	for _, path := range []string{name, "relative.sock", ""} {
		if nc, err := dialSocket(path); err == nil || !strings.Contains(err.Error(), "refusing") {
			t.Errorf("%q: %v %v, want a refusal", path, nc, err)
		}
	}
}

// A planted lock leads nowhere: no folder is made, and no open one entered.
func TestAPlantedLockLeadsNowhere(t *testing.T) {
	home := testHome(t)
	open := filepath.Join(filepath.Dir(home), "open")
	if err := os.Mkdir(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(open, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: there, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if nc, err := dialSocket(there); err == nil || !strings.Contains(err.Error(), "refusing") {
		t.Errorf("%v %v, want a refusal", nc, err)
	}
	missing := filepath.Join(filepath.Dir(home), "missing")
	for _, socket := range []string{there, filepath.Join(missing, "s"), "@abstract"} {
		planted, err := takeLock(home, Build{})
		if err != nil {
			t.Fatal(err)
		}
		if err := planted.record(lockState{pid: 1, socket: socket}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		c, err := Dial(ctx, ClientConfig{Home: home, Kind: "terminal", Executable: "-"})
		cancel()
		if err == nil {
			c.Close()
			t.Errorf("%s was dialed", socket)
		}
		planted.release(time.Time{})
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a folder was made where the lock said")
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
