package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Only a folder of the user's own that is there is taken for sockets from the
// environment; else they are in the one for temporary files.
func TestAnUnusableRuntimeFolderIsPassedOver(t *testing.T) {
	home := testHome(t)
	top := filepath.Dir(home)
	t.Setenv("TMPDIR", top)
	t.Chdir(top)
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("theirs", 0o700); err != nil {
		t.Fatal(err)
	}
	runs := map[string]bool{"": false, "run": false, top + "/missing": false, top + "/file": false, top + "/run": true}
	if os.Getuid() == 0 {
		if err := os.Chown("theirs", 65534, 65534); err != nil {
			t.Fatal(err)
		}
		runs[top+"/theirs"] = false
	}
	for run, used := range runs {
		t.Setenv("XDG_RUNTIME_DIR", run)
		path, err := socketPath(home)
		if err != nil || !strings.HasPrefix(path, top) || strings.HasPrefix(path, filepath.Join(top, "cloudops-")) == used {
			t.Errorf("XDG_RUNTIME_DIR=%q: %s %v, want it used %v", run, path, err, used)
		}
	}
	if _, err := os.Stat("missing"); err == nil {
		t.Error("the folder that the environment named was made")
	}
}

// A folder of another user's is no place for a socket, whatever its mode says.
func TestAFolderOfAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives a folder away")
	}
	home := testHome(t)
	path, err := socketPath(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Dir(path), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), ServerConfig{Home: home, Open: noParts}); err == nil || !strings.Contains(err.Error(), "another user owns it") {
		t.Errorf("serving: %v, want a refusal", err)
	}
	if _, err := dialSocket(path); err == nil || !strings.Contains(err.Error(), "another user owns it") {
		t.Errorf("dialing: %v, want a refusal", err)
	}
}

// A link in the socket's place leads to nobody else's socket, and a daemon does
// not take it for one that an earlier daemon left.
func TestALinkIsNoSocket(t *testing.T) {
	home := testHome(t)
	path, err := socketPath(home)
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(filepath.Dir(home), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: there, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink(there, path); err != nil {
		t.Fatal(err)
	}
	if nc, err := dialSocket(path); !errors.Is(err, errNoSocket) {
		t.Errorf("dialing: %v %v, want a refusal", nc, err)
	}
	if l, err := listen(path); !errors.Is(err, errNoSocket) {
		t.Errorf("listening: %v %v, want a refusal", l, err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("the link is gone:", err)
	}
}

// Who is refused is hung up on, and not left waiting for an answer.
func TestARefusedPeerIsHungUpOn(t *testing.T) {
	for name, refuse := range map[string]func(*server){
		"another user": func(s *server) {
			s.identify = func(net.Conn) (peer, error) { return peer{}, errors.New("refusing a connection of user 7") }
		},
		"the daemon is ending": func(s *server) { s.ended = true },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := newServer(ServerConfig{Home: testHome(t), Open: noParts})
			if err != nil {
				t.Fatal(err)
			}
			defer s.abandon()
			refuse(s)
			near, far := net.Pipe()
			defer near.Close()
			s.adopt(far)
			if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want it closed", err)
			}
			if s.mu.Lock(); len(s.sessions) != 0 || s.active != 0 {
				t.Errorf("it counts as a session")
			}
			s.mu.Unlock()
		})
	}
}

// scarce is a listener of a process that has no file descriptor left at first.
type scarce struct {
	net.Listener
	next []func() (net.Conn, error)
}

func (l *scarce) Accept() (net.Conn, error) {
	f := l.next[0]
	l.next = l.next[1:]
	return f()
}

// A daemon that had no file descriptors for a while serves on afterwards.
func TestADaemonOutlivesAShortageOfDescriptors(t *testing.T) {
	s, err := newServer(ServerConfig{Home: testHome(t), Open: noParts})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	fails := func() (net.Conn, error) { return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE} }
	s.accept(&scarce{next: []func() (net.Conn, error){
		fails, fails,
		func() (net.Conn, error) { return far, nil },
		func() (net.Conn, error) { return nil, net.ErrClosed },
	}})
	if n := len(s.sessions); n != 1 {
		t.Errorf("%d sessions, want the one that came then", n)
	}
	near.Close()
	s.users.Wait()
	// Nor does a shortage keep it from ending.
	s.endWork()
	s.accept(&scarce{next: []func() (net.Conn, error){fails}})
	s.abandon()
}

// What is under way, and who comes at the last moment, keeps an idle daemon.
func TestADaemonAtWorkIsNotIdle(t *testing.T) {
	s, err := newServer(ServerConfig{Home: testHome(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.abandon()
	s.enter()
	s.idled() // its timer ran off just before
	if s.stopping != nil {
		t.Fatal("it ends while a job runs")
	}
	s.leave()
	s.idled()
	if s.stopping == nil {
		t.Error("it stays without jobs and clients")
	}
}

// Whoever comes while the store opens, or after a failure, is told which.
func TestASessionIsToldWhyThereIsNoStore(t *testing.T) {
	hold := make(chan struct{})
	for name, c := range map[string]struct {
		open func(context.Context) (*Parts, error)
		wait bool
		code int
		says string
	}{
		"it is being opened": {func(context.Context) (*Parts, error) { <-hold; return nil, errors.New("late") }, false, CodeUnavailable, "still being opened"},
		"nothing came":       {func(context.Context) (*Parts, error) { return nil, nil }, true, CodeDegraded, "nothing was opened"},
		"a panic":            {func(context.Context) (*Parts, error) { panic("secret words") }, true, CodeDegraded, "internal error (string)"},
		"an error":           {func(context.Context) (*Parts, error) { return nil, errors.New("no disk") }, true, CodeDegraded, "no disk"},
	} {
		s, err := newServer(ServerConfig{Home: testHome(t), Open: c.open})
		if err != nil {
			t.Fatal(err)
		}
		done := s.startOpening()
		if c.wait {
			<-done
		}
		var e *Error
		if p, err := s.opened(); p != nil || !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s: %v, want code %d saying %q", name, err, c.code, c.says)
		}
		if !c.wait {
			if s.startOpening() != done {
				t.Errorf("%s: it is opened twice at once", name)
			}
			close(hold)
			<-done
		}
		s.abandon()
	}
}

// What could be opened serves, what could not says why, and a later handshake
// opens all anew, once what was open is closed.
func TestHalfOfTheStoreIsServedAndMended(t *testing.T) {
	var opened, closed int
	s, err := newServer(ServerConfig{Home: testHome(t), Open: func(context.Context) (*Parts, error) {
		if opened != closed {
			t.Errorf("opened %d times, closed %d times: two have the files open", opened, closed)
		}
		opened++
		p := &Parts{StoreID: fmt.Sprint(opened), Close: func() error { closed++; return nil }}
		if opened < 3 {
			p.Problem = refusef(CodeDegraded, "free some space", "the disk is full")
		}
		return p, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.abandon()
	hello, err := json.Marshal(HelloParams{Protocol: ProtocolVersion, Kind: "editor"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		store, says string
	}{{"1", "the disk is full"}, {"2", "the disk is full"}, {"3", "the keys are not available"}, {"3", "the keys are not available"}} {
		near, far := net.Pipe()
		x := newSession(s, far, peer{})
		r, err := x.dispatch(t.Context(), Hello.Name, hello)
		h, ok := r.(HelloResult)
		if !ok || err != nil || h.StoreID != want.store || !strings.Contains(strings.Join(h.Problems, "\n"), want.says) {
			t.Errorf("the handshake: %+v %v, want store %s and %q", r, err, want.store, want.says)
		}
		var e *Error
		if _, err := x.dispatch(t.Context(), KeyStatus.Name, nil); !errors.As(err, &e) || e.Code != CodeDegraded || !strings.Contains(e.Message, want.says) || e.Hint == "" {
			t.Errorf("what is missing: %v, want %q and what to do", err, want.says)
		}
		near.Close()
		far.Close()
	}
	if closed != 2 {
		t.Errorf("closed %d times, want twice", closed)
	}
}

// News is for those who shook hands.
func TestNewsIsNotToldToStrangers(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	stranger := rawPeer(t, home)
	eventually(t, "the stranger has a place", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sessions) == 1
	})
	<-s.startOpening()
	broadcast(s, NoteExecutionChanged, none{})
	stranger.send(helloBody)
	if m, err := stranger.message(); err != nil || m.Method != "" {
		t.Errorf("before the handshake came %+v %v", m, err)
	}
}
