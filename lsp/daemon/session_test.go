package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/wire"
	aws "github.com/cloudops/cloudops/scanner/session"
)

// sessionsOf are the open sessions, those that shook hands.
func sessionsOf(s *server) (list []*session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		if x.ready() {
			list = append(list, x)
		}
	}
	return list
}

// stall makes a session that has more to read than its socket holds, and reads
// nothing.
func stall(t *testing.T, s *server, home string) *session {
	t.Helper()
	before := sessionsOf(s)
	r := rawPeer(t, home)
	r.hello()
	var x *session
	for _, y := range sessionsOf(s) {
		if !slices.Contains(before, y) {
			x = y
		}
	}
	r.send(`{"jsonrpc":"2.0","id":2,"method":"cloudops/test/echo","params":{"text":"` + strings.Repeat("x", 8<<20) + `"}}`)
	eventually(t, "the answer fills the socket", func() bool {
		n, _ := x.conn.Unread()
		return n > 0 || x.conn.Context().Err() != nil
	})
	return x
}

// One client that does not read keeps the news from nobody, and what it left
// unread does not pile up.
func TestAStalledSessionHoldsUpNobody(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home}, func(s *server) { s.writing = time.Hour })
	stalled := stall(t, s, home)
	notes := make(chan string, 100)
	dialing(t, ClientConfig{Home: home, Note: func(m string, _ []byte) { notes <- m }})
	for range 50 {
		broadcast(s, NoteExecutionChanged, struct{}{})
		s.estateChanged()
		stalled.conn.Notify("t", NoteProgress.Name, ProgressNote{Token: "t"})
		waitNote(t, notes, NoteExecutionChanged.Name)
		waitNote(t, notes, NoteEstateChanged.Name)
	}
	if !slices.Contains(sessionsOf(s), stalled) {
		t.Error("the stalled session is gone")
	}
	if n, _ := stalled.conn.Unread(); n > 4 { // the answer, and these
		t.Errorf("%d notifications wait for it, want one of each kind", n)
	}
}

func TestAPeerThatDoesNotReadIsDropped(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home}, func(s *server) { s.writing = 50 * time.Millisecond })
	c := dialing(t, ClientConfig{Home: home})
	stalled := stall(t, s, home)
	eventually(t, "the session ends", func() bool { return !slices.Contains(sessionsOf(s), stalled) })
	if err := c.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Error("the others:", err)
	}
}

// A session that leaves unread what cannot be merged is dropped when that grows
// too much, however long it may take by the clock.
func TestUnreadNotificationsAreBounded(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home}, func(s *server) { s.writing = time.Hour })
	stalled := stall(t, s, home)
	text := strings.Repeat("x", 64<<10)
	for range 10 * wire.MaxQueued / len(text) {
		stalled.conn.Notify("", NoteText.Name, TextNote{Text: text})
		if _, n := stalled.conn.Unread(); n > wire.MaxQueued {
			t.Errorf("%d bytes wait", n)
		}
	}
	eventually(t, "the session ends", func() bool { return !slices.Contains(sessionsOf(s), stalled) })
}

// Cancelling a call here ends it there.
func TestACancelReachesTheDaemon(t *testing.T) {
	home := testHome(t)
	begun, ended := make(chan struct{}), make(chan struct{})
	serving(t, ServerConfig{Home: home}, func(s *server) {
		s.requests[methodHang] = request(methodHang, 0, 0, "", func(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
			close(begun)
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}).Descriptor
	})
	c := dialing(t, ClientConfig{Home: home})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Call(ctx, methodHang, nil, nil) }()
	<-begun
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the call: %v", err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the daemon goes on with it")
	}
	if err := c.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Error("afterwards:", err)
	}
}

// Another folder is no other session: what is under way goes on, and the folder
// counts for what begins then.
func TestFoldersChangeUnderASession(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	first, second := t.TempDir(), t.TempDir()
	hanging := make(chan string, 10)
	c := dialing(t, ClientConfig{
		Home: home, Kind: "editor", Environment: aws.Environment{Workspaces: []string{first}},
		Note: func(m string, _ []byte) { hanging <- m },
	})
	session := c.Hello().Session
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Call(ctx, methodHang, nil, nil) }()
	waitNote(t, hanging, "cloudops/test/hanging")
	for range 2000 {
		if err := c.SetWorkspaces(t.Context(), []string{first, second}); err != nil {
			t.Fatal(err)
		}
	}
	list := sessionsOf(s)
	if len(list) != 1 || list[0].id != session {
		t.Fatalf("there are %d sessions, and the first is gone", len(list))
	}
	if got := list[0].environment().Workspaces; len(got) != 2 || !slices.Contains(got, second) {
		t.Errorf("the folders are %q", got)
	}
	select {
	case err := <-done:
		t.Fatalf("the call under way ended: %v", err)
	default:
	}
	cancel()
	<-done

	// A home in a folder is refused by either end, and changes nothing.
	for _, dir := range []string{home, filepath.Dir(home), "/"} {
		var e *Error
		if err := c.SetWorkspaces(t.Context(), []string{dir}); !errors.As(err, &e) || e.Code != CodeRefused {
			t.Errorf("%s: %v, want a refusal", dir, err)
		}
		if err := c.Call(t.Context(), Workspaces.Name, WorkspacesParams{Workspaces: []string{dir}}, nil); !errors.As(err, &e) || e.Code != CodeRefused {
			t.Errorf("%s, said to the daemon: %v, want a refusal", dir, err)
		}
	}
	if got := list[0].environment().Workspaces; len(got) != 2 {
		t.Errorf("a refusal left %q", got)
	}
	var e *Error
	many := slices.Repeat([]string{second}, MaxWorkspaces+1)
	if err := c.Call(t.Context(), Workspaces.Name, WorkspacesParams{Workspaces: many}, nil); !errors.As(err, &e) || e.Code != -32602 {
		t.Errorf("too many: %v", err)
	}
}

// A daemon that could open nothing still hears of folders, and a key file in one
// is refused.
func TestFoldersAreToldToADegradedDaemon(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: func(context.Context) (*Parts, error) { return nil, errors.New("no") }})
	open := t.TempDir()
	c := dialing(t, ClientConfig{Home: home, Kind: "editor", KeyFile: filepath.Join(open, "repo", "key")})
	if err := c.SetWorkspaces(t.Context(), []string{t.TempDir()}); err != nil {
		t.Error(err)
	}
	var e *Error
	if err := c.SetWorkspaces(t.Context(), []string{filepath.Join(open, "repo")}); !errors.As(err, &e) || e.Code != CodeRefused {
		t.Errorf("got %v, want the key file refused", err)
	}
}

// strangers gives each connection a process of its own.
func strangers(s *server) {
	var pid atomic.Int32
	s.identify = func(net.Conn) (peer, error) { return peer{pid: int(pid.Add(1)) + 1<<22}, nil }
}

func TestOneProgramCannotTakeAllSessions(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	peers := make([]*raw, maxOfOne+8)
	for i := range peers {
		peers[i] = rawPeer(t, home)
		peers[i].hello()
	}
	c := dialing(t, ClientConfig{Home: home})
	if err := c.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Error("one more:", err)
	}
	if n := len(sessionsOf(s)); n > maxOfOne {
		t.Errorf("one program has %d sessions, want at most %d", n, maxOfOne)
	}
	if _, err := peers[0].message(); err == nil {
		t.Error("the one that was idle for longest is open")
	}
	last := peers[len(peers)-1]
	last.send(`{"jsonrpc":"2.0","id":2,"method":"cloudops/test/echo","params":{}}`)
	if m := last.next(); m.Error != nil {
		t.Errorf("the latest: %+v", m.Error)
	}
}

// A daemon with all places taken gives one of those that have nothing to do to
// who comes next, and says so where all are at work.
func TestIdleSessionsMakeWay(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home}, strangers)
	peers := make([]*raw, maxSessions)
	for i := range peers {
		peers[i] = rawPeer(t, home)
		peers[i].hello()
		if i < 2 {
			peers[i].send(`{"jsonrpc":"2.0","id":2,"method":"cloudops/test/hang","params":{}}`)
		}
	}
	pass := func(d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		was := s.now
		s.now = func() time.Time { return was().Add(d) }
	}
	refused := func() string {
		r := rawPeer(t, home)
		r.send(helloBody)
		m := r.next()
		if m.Error == nil {
			return ""
		}
		if m.Error.Code != CodeFull || m.Error.Data.Hint == "" {
			t.Errorf("got %+v, want CodeFull and what to do", m.Error)
		}
		return m.Error.Message
	}
	eventually(t, "two are at work", func() bool {
		n := 0
		for _, x := range sessionsOf(s) {
			if _, idle := x.conn.Idle(); !idle {
				n++
			}
		}
		return n == 2
	})
	pass(-time.Hour) // however long that took
	if why := refused(); !strings.Contains(why, fmt.Sprint(maxSessions)) {
		t.Errorf("while all were just at work: %q", why)
	}
	pass(time.Hour + 2*idleAge)
	if why := refused(); why != "" {
		t.Errorf("while most are idle: %q", why)
	}
	for i, p := range peers[:3] {
		closed := make(chan error, 1)
		_ = p.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		go func() { _, err := p.message(); closed <- err }()
		if err := <-closed; errors.Is(err, io.EOF) != (i == 2) {
			t.Errorf("session %d: %v; the third was idle for longest, the first two are at work", i, err)
		}
	}
}

// Where a program has all its sessions at work, it is told so, and others are
// not. Those that are told why are bounded, too.
func TestWhoIsRefusedIsToldWhyUntilTheyAreTooMany(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	for range maxOfOne {
		p := rawPeer(t, home)
		p.hello()
		p.send(`{"jsonrpc":"2.0","id":2,"method":"cloudops/test/hang","params":{}}`)
		p.message() // it says that it hangs
	}
	r := rawPeer(t, home)
	r.send(helloBody)
	if m := r.next(); m.Error == nil || m.Error.Code != CodeFull || !strings.Contains(m.Error.Message, fmt.Sprintf("process %d has %d sessions", os.Getpid(), maxOfOne)) {
		t.Errorf("one more of a program that is at work: %+v", m.Error)
	}
	r.nc.Close()
	eventually(t, "it is gone", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sessions) == maxOfOne
	})
	// More of it come, of which none is served yet.
	come := func(pid int) (*session, bool) {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		x := newSession(s, far, peer{pid: pid})
		in := s.admit(x)
		if in {
			s.users.Done()
		}
		return x, in
	}
	for i := range maxRefused + 2 {
		if x, in := come(os.Getpid()); x.refusal == nil || in != (i < maxRefused) {
			t.Errorf("number %d: taken in %v (%v), want the first %d told why", i+1, in, x.refusal, maxRefused)
		}
	}
	if x, in := come(os.Getpid() + 1); !in || x.refusal != nil {
		t.Errorf("another program: taken in %v, %v", in, x.refusal)
	}
}

// Connections that say nothing keep nobody out.
func TestSilentConnectionsMakeWay(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home}, strangers, func(s *server) { s.patience = time.Hour })
	for range maxSessions {
		rawPeer(t, home)
	}
	eventually(t, "all have a place", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now = func() time.Time { return time.Now().Add(2 * silentAge) }
		return len(s.sessions) == maxSessions
	})
	c := dialing(t, ClientConfig{Home: home})
	if err := c.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Error(err)
	}
}

// What only reads is sent again when the connection breaks under it, whatever it
// is about; what acts is not.
func TestWhatOnlyReadsIsSentAgain(t *testing.T) {
	for _, d := range []*Descriptor{ConversationSearch.Descriptor, ConversationExport.Descriptor, Workspaces.Descriptor} {
		if !d.Repeatable() {
			t.Errorf("%s is not sent again", d.Name)
		}
	}
	for _, d := range []*Descriptor{ConversationSend.Descriptor, ExecutionPropose.Descriptor, ExecutionDecide.Descriptor, KeyRotate.Descriptor} {
		if d.Repeatable() {
			t.Errorf("%s is sent again", d.Name)
		}
	}
	for _, d := range requests {
		var dials atomic.Int32
		c := newClient(ClientConfig{Kind: "editor"})
		c.dial = func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			first := dials.Add(1) == 1
			peer := wire.New(context.Background(), far, wire.Limits{Message: maxRequest, Calls: maxInFlight}, slog.New(slog.DiscardHandler), known)
			peer.Start(func(ctx context.Context, m string, _ []byte) (any, error) {
				if m == Hello.Name {
					return HelloResult{Protocol: ProtocolVersion}, nil
				}
				if first {
					peer.Close()
				}
				return none{}, nil
			}, nil)
			return near, nil
		}
		if err := c.first(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := c.Call(t.Context(), d.Name, nil, nil)
		var e *Error
		if d.Repeatable() && err != nil {
			t.Errorf("%s: %v, want it sent again", d.Name, err)
		}
		if !d.Repeatable() && (!errors.As(err, &e) || e.Code != CodeUnavailable || dials.Load() != 1) {
			t.Errorf("%s: %v with %d connections, want it not to be repeated", d.Name, err, dials.Load())
		}
		c.Close()
	}
}

// A program from the future, or one that says so, ends no daemon, and one that
// asked for the home and never came keeps it from others for less time than
// these wait.
func TestATimeThatIsYetToComeSaysNothing(t *testing.T) {
	now := time.Now()
	at := func(id string, d time.Duration) Build { return Build{ID: id, Time: now.Add(d)} }
	for _, c := range []struct {
		name     string
		new, old Build
		want     bool
	}{
		{"newer", at("a", -time.Hour), at("b", -2*time.Hour), true},
		{"older", at("a", -2*time.Hour), at("b", -time.Hour), false},
		{"of a clock that is a little ahead", at("a", time.Hour), at("b", -time.Hour), true},
		{"of a time far ahead", at("a", 1000*time.Hour), at("b", -time.Hour), false},
		{"newer than one of a time far ahead", at("a", -time.Hour), at("b", 1000*time.Hour), true},
		{"both far ahead", at("a", 2000*time.Hour), at("b", 1000*time.Hour), false},
	} {
		if got := c.new.replaces(c.old); got != c.want {
			t.Errorf("%s: replaces %v, want %v", c.name, got, c.want)
		}
	}
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Build: at("this", -time.Hour)})
	r := rawPeer(t, home)
	r.send(strings.Replace(helloBody, `"id":"","time":"0001-01-01T00:00:00Z"`, `"id":"other","time":"2099-01-01T00:00:00Z"`, 1))
	if m := r.next(); m.Error != nil {
		t.Errorf("a hello of 2099: %+v", m.Error)
	}
	dialing(t, ClientConfig{Home: home})

	for name, c := range map[string]struct {
		ago  time.Duration
		want bool
	}{
		"just now": {0, true}, "after the grace": {handoverGrace, false}, "by a clock that was ahead": {-time.Hour, false},
	} {
		s := lockState{successor: now, handedOver: time.Now().Add(-c.ago)}
		if got := s.expectsNewer(at("b", -time.Hour)); got != c.want {
			t.Errorf("asked for %s: waits %v, want %v", name, got, c.want)
		}
	}
	if handoverGrace > answerTime/2 {
		t.Errorf("a home is kept for %v, and a client waits no longer than %v", handoverGrace, answerTime)
	}
}
