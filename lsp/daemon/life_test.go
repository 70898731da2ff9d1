package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage/seal"
)

// Folders for temporary files are emptied while a daemon lives: at a logout, by
// a clean-up, or because another program had made them. Whoever comes next finds
// the same daemon, and who is connected notices nothing.
func TestADaemonWhoseSocketIsGoneIsFoundAgain(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, path string){
		"the file": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"the folder": func(t *testing.T, path string) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		},
		"the folder above, for good": func(t *testing.T, path string) {
			if err := os.RemoveAll(filepath.Dir(filepath.Dir(path))); err != nil {
				t.Fatal(err)
			}
		},
		"another has its name": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			home := testHome(t)
			short := filepath.Dir(home)
			t.Setenv("TMPDIR", short)
			s, stop := serving(t, ServerConfig{Home: home})
			before := dialing(t, ClientConfig{Home: home})
			path, err := socketPath(home)
			if err != nil {
				t.Fatal(err)
			}
			lose(t, path)
			after := dialing(t, ClientConfig{Home: home})
			for _, c := range []*Client{before, after} {
				if err := c.Call(t.Context(), methodEcho, echo{"here"}, &echo{}); err != nil {
					t.Error(err)
				}
			}
			s.mu.Lock()
			n := len(s.sessions)
			s.mu.Unlock()
			if n != 2 {
				t.Errorf("%d sessions, want both at one daemon", n)
			}
			state, _ := lockedBy(home)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(state.socket); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket is left behind: %v", err)
			}
		})
	}
}

// A client whose own folder for temporary files is gone reaches a daemon
// elsewhere, and starts one where none is.
func TestAClientWithoutATemporaryFolder(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	gone := filepath.Join(filepath.Dir(home), "gone")
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", gone)
	dialing(t, ClientConfig{Home: home})
	path, err := socketPath(home)
	if err != nil || strings.HasPrefix(path, gone) {
		t.Errorf("a daemon would listen at %s, %v", path, err)
	}
}

func TestADaemonEndsWhenTheConfigurationIsAnother(t *testing.T) {
	home := testHome(t)
	var outdated atomic.Bool
	s, err := newServer(ServerConfig{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Open = noParts
	s.parts = &Parts{StoreID: "none", Outdated: outdated.Load}
	s.identify = atTerminal
	ln, err := s.bind()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.run(t.Context(), ln) }()

	s.enter() // a job, such as a scan
	outdated.Store(true)
	c := dialing(t, ClientConfig{Home: home})
	if notices := c.Hello().Notices; len(notices) != 1 || !strings.Contains(notices[0], "config.yaml was changed") {
		t.Errorf("told of a changed configuration that waits: %q", notices)
	}
	select {
	case <-done:
		t.Fatal("it ended while a job ran")
	default:
	}
	s.leave()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on with the old configuration")
	}
}

// A handshake finds a daemon whose configuration or keys are others by now.
func TestAHandshakeFindsAnOutdatedDaemon(t *testing.T) {
	for name, age := range map[string]func(*Parts){
		"the configuration": func(p *Parts) { p.Outdated = func() bool { return true } },
		"the keys":          func(p *Parts) { p.Keys = replaced(t) },
	} {
		home := testHome(t)
		s, _ := serving(t, ServerConfig{Home: home})
		eventually(t, "the parts are open", func() bool { _, err := s.opened(); return err == nil })
		s.mu.Lock()
		aged := *s.parts // whoever opened them still reads the others
		age(&aged)
		s.parts = &aged
		s.mu.Unlock()
		r := rawPeer(t, home)
		r.send(helloBody)
		if m := r.next(); m.Error == nil || m.Error.Code != CodeHandover {
			t.Errorf("%s: an outdated daemon says %+v, want that it makes way", name, m.Error)
		}
	}
}

// replaced are open keys that another process has put new ones in the place of.
func replaced(t *testing.T) *seal.Keys {
	t.Helper()
	src := seal.Source{File: filepath.Join(t.TempDir(), "kek")}
	sealed := filepath.Join(t.TempDir(), "sealed")
	keys, err := seal.Unlock(sealed, src)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := seal.Unlock(sealed, src)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Rotate(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// Whoever comes while a daemon ends is told why, however many they are and however
// long it takes; it ends once, for the first reason.
func TestADaemonIsEndedOnce(t *testing.T) {
	keys := replaced(t)
	for _, c := range []struct {
		reason string
		ask    func(s *server) error
	}{
		{"the keys were replaced", (*server).checkKeys},
		{"the configuration was changed", (*server).renew},
		{"a newer build takes over", func(s *server) error { return s.handOver(Build{Time: time.Now()}) }},
	} {
		s, err := newServer(ServerConfig{Home: testHome(t)})
		if err != nil {
			t.Fatal(err)
		}
		s.parts = &Parts{Keys: keys}
		var reasons []string
		for range 3 {
			if own, ok := errors.AsType[*Error](c.ask(s)); !ok || own.Code != CodeHandover {
				t.Errorf("%s: the answer is %v, want that it makes way", c.reason, own)
			}
			s.idled()
			select {
			case reason := <-s.stop:
				reasons = append(reasons, reason)
			default:
			}
		}
		if !slices.Equal(reasons, []string{c.reason}) {
			t.Errorf("%s: it is ended for %q", c.reason, reasons)
		}
		s.abandon()
	}
}

// The log of a daemon that runs for months stays small, and its end is kept.
func TestTheLogIsPutAsideWhileTheDaemonRuns(t *testing.T) {
	home := testHome(t)
	f, _, err := openLog(home)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log := slog.New(slog.NewJSONHandler(Log(home, f), nil))
	pad := strings.Repeat("x", 1<<16)
	for i := range 3*maxLog/len(pad) + 1 {
		log.Info("request", "n", i, "pad", pad)
	}
	// What the Go runtime says of a crash goes past the writer.
	if _, err := f.WriteString("panic: the last words\n"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "log", logName)
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Lstat(name)
		if err != nil || info.Size() > maxLog+int64(2*len(pad)) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", filepath.Base(name), info, err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || !bytes.HasSuffix(b, []byte("last words\n")) || bytes.Contains(b, []byte{0}) {
		t.Errorf("the log does not end with what was written last: %v", err)
	}
	// Any other output is left alone.
	if w := Log(home, os.Stderr); w != os.Stderr {
		t.Error("standard error is taken for the log")
	}
}

func TestStopEndsTheDaemonOfAHome(t *testing.T) {
	home := testHome(t)
	if pid, err := Stop(t.Context(), home); pid != 0 || err != nil {
		t.Errorf("without a daemon: %d, %v", pid, err)
	}
	c := started(t, ClientConfig{Home: home})
	pid, err := Stop(t.Context(), home)
	if err != nil || pid != c.Hello().PID {
		t.Fatalf("stopped %d, %v; want %d", pid, err, c.Hello().PID)
	}
	if _, held := lockedBy(home); held {
		t.Error("the home is still held")
	}
}

// Who asks for the end of a daemon ends that one and no other process, waits for
// no successor, and is told where it can't be done.
func TestStopEndsNoOtherProcess(t *testing.T) {
	home := testHome(t)
	held, err := takeLock(home, Build{})
	if err != nil {
		t.Fatal(err)
	}
	defer held.release(time.Time{})
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pid  int
		says string
	}{
		"it says nothing yet": {0, "just starting"},
		"the first process":   {1, "just starting"},
		"a group":             {-os.Getpid(), "just starting"},
		"one that is gone":    {gone.Process.Pid, fmt.Sprintf("ending process %d", gone.Process.Pid)},
	} {
		if err := held.record(lockState{pid: c.pid}); err != nil {
			t.Fatal(err)
		}
		var e *Error
		if pid, err := Stop(t.Context(), home); pid != 0 || !errors.As(err, &e) || e.Code != CodeUnavailable || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %d, %v; want that it says %q", name, pid, err, c.says)
		}
	}

	daemon := exec.Command("cat")
	in, err := daemon.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	if err := held.record(lockState{pid: daemon.Process.Pid}); err != nil {
		t.Fatal(err)
	}
	taken := make(chan error, 1)
	go func() {
		_ = daemon.Wait() // by the signal
		taken <- held.record(lockState{pid: os.Getpid()})
	}()
	if pid, err := Stop(t.Context(), home); err != nil || pid != daemon.Process.Pid {
		t.Errorf("with a successor: %d, %v; want process %d", pid, err, daemon.Process.Pid)
	}
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
}

// A daemon that made way keeps the home for the build that it made way for.
func TestAHomeIsKeptForTheBuildThatTakesOver(t *testing.T) {
	home := testHome(t)
	now := time.Now().UTC()
	older := Build{ID: "old", Time: now.Add(-time.Hour)}
	_, stop := serving(t, ServerConfig{Home: home, Build: older})
	r := rawPeer(t, home)
	r.send(strings.Replace(helloBody, `"id":"","time":"0001-01-01T00:00:00Z"`, `"id":"new","time":"`+now.Format(time.RFC3339Nano)+`"`, 1))
	if m := r.next(); m.Error == nil || m.Error.Code != CodeHandover {
		t.Fatalf("got %+v", m)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	state, held := lockedBy(home)
	if held || !state.successor.Equal(now) || !state.expectsNewer(older) || state.expectsNewer(Build{ID: "new", Time: now}) {
		t.Errorf("the home is kept for %+v (held %v), want the build of %v", state, held, now)
	}
}
