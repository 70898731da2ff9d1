package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	aws "github.com/cloudops/cloudops/scanner/session"
)

// started dials a daemon process, starting it, and ends the one that serves
// when the test does.
func started(t *testing.T, cfg ClientConfig) *Client {
	t.Helper()
	cfg.Executable = os.Args[0]
	t.Cleanup(func() { endDaemon(t, cfg.Home) })
	return dialing(t, cfg)
}

// endDaemon ends the daemon of a home, and one that a late starter makes then.
func endDaemon(t *testing.T, home string) {
	eventually(t, "the daemon ends", func() bool {
		s, held := lockedBy(home)
		if held && s.pid != 0 && s.pid != os.Getpid() {
			_ = terminate(s.pid) // an error means that it ended just now
		}
		return !held
	})
}

func options(t *testing.T, home string, o testOptions) {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "options.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDialStartsADaemonWithAnAllowListedEnvironment(t *testing.T) {
	home := testHome(t)
	for name, value := range map[string]string{
		"AWS_PROFILE": "evil", "AWS_SECRET_ACCESS_KEY": "evil", "LD_PRELOAD": "", "PYTHONPATH": "evil",
		"PATH": os.Getenv("PATH") + ":/evil", "MY_KEY": "key", "OTHER_KEY": "evil", "LC_ALL": "C.UTF-8", "CLOUDOPS_HOME": "/evil",
	} {
		t.Setenv(name, value)
	}
	c := started(t, ClientConfig{Home: home, KeyVars: []string{"MY_KEY"}})
	pid := c.Hello().PID
	if pid == os.Getpid() || pid == 0 {
		t.Fatalf("the daemon is process %d", pid)
	}
	b, err := os.ReadFile(filepath.Join(home, "environment"))
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(string(b), "\n")
	for _, want := range []string{"MY_KEY=key", "LC_ALL=C.UTF-8", "CLOUDOPS_HOME=" + home, "PATH=" + daemonPath, "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR")} {
		if !slices.Contains(env, want) {
			t.Errorf("the daemon lacks %s", want)
		}
	}
	if strings.Contains(string(b), "evil") || strings.Contains(string(b), "AWS_") {
		t.Errorf("the daemon got\n%s", b)
	}
	if info, err := os.Stat(filepath.Join(home, "log", "daemon.log")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the log is %v %v, want 0600", info, err)
	}
	if sid, err := syscall.Getpgid(pid); err != nil || sid != pid {
		t.Errorf("the daemon is in group %d %v: a terminal's signals would end it", sid, err)
	}
}

// A repository's settings for the shell may set any variable: none leads the
// daemon to a file of that repository.
func TestADaemonGetsNoPathIntoAWorkspace(t *testing.T) {
	workspace, elsewhere := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(workspace, link); err != nil {
		t.Fatal(err)
	}
	var given []string
	for _, name := range []string{"HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE"} {
		for _, dir := range []string{workspace, link, filepath.Join(workspace, "not", "there")} {
			given = append(given, name+"="+filepath.Join(dir, "x"))
		}
		given = append(given, name+"="+filepath.Join(elsewhere, "x"))
	}
	got := outside(daemonEnvironment(given, "/home/h", nil), []string{workspace})
	for _, entry := range got {
		if strings.Contains(entry, workspace) || strings.Contains(entry, link) {
			t.Errorf("it gets %s", entry)
		}
	}
	for _, name := range []string{"HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE"} {
		if want := name + "=" + filepath.Join(elsewhere, "x"); !slices.Contains(got, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if user := aws.UserHome(); user != "" {
		if !slices.Contains(got, "HOME="+user) {
			t.Errorf("it has no home directory: %q", got)
		}
		// With all of the home directory open, what lies there is the user's own.
		own := []string{"XDG_CONFIG_HOME=" + filepath.Join(user, ".config")}
		if kept := outside(own, []string{user}); !slices.Equal(kept, own) {
			t.Errorf("of %q it gets %q", own, kept)
		}
	}
}

func TestManyStartersEndWithOneDaemon(t *testing.T) {
	home := testHome(t)
	t.Cleanup(func() { endDaemon(t, home) })
	var mu sync.Mutex
	pids := make(map[int]int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := Dial(t.Context(), ClientConfig{Home: home, Kind: "terminal", Executable: os.Args[0]})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			mu.Lock()
			defer mu.Unlock()
			pids[c.Hello().PID]++
		})
	}
	wg.Wait()
	if len(pids) != 1 {
		t.Fatalf("daemons by clients: %v, want one", pids)
	}
}

func TestADaemonThatDiesAtOnceIsExplained(t *testing.T) {
	home := testHome(t)
	options(t, home, testOptions{Die: "config.yaml:3: unknown field \x1b[31mpolicy\n{\"msg\":\"ended\"}"})
	_, err := Dial(t.Context(), ClientConfig{Home: home, Kind: "terminal", Executable: os.Args[0]})
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeUnavailable || !strings.Contains(e.Message, "config.yaml:3: unknown field [31mpolicy") || e.Hint == "" {
		t.Fatalf("got %v, want the daemon's last words", err)
	}
	for exe, code := range map[string]int{"/nonexistent/cloudops": CodeUnavailable, "-": CodeUnavailable} {
		_, err := Dial(t.Context(), ClientConfig{Home: home, Kind: "terminal", Executable: exe})
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: %v, want code %d", exe, err, code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, ClientConfig{Home: home, Kind: "terminal", Executable: os.Args[0]}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAClientOutlivesAKilledDaemon(t *testing.T) {
	home := testHome(t)
	notes := make(chan string, 100)
	c := started(t, ClientConfig{Home: home, Note: func(m string, _ []byte) { notes <- m }})
	first := c.Hello()

	// A request that may have done something is not sent again.
	failed := make(chan error, 1)
	go func() { failed <- c.Call(t.Context(), methodHang, nil, nil) }()
	waitNote(t, notes, "cloudops/test/hanging")
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := <-failed; !errors.As(err, &e) || e.Code != CodeUnavailable || !strings.Contains(e.Message, "nothing was repeated") {
		t.Fatalf("the request under way: %v", err)
	}
	waitNote(t, notes, NoteEstateChanged.Name)
	var back echo
	if err := c.Call(t.Context(), methodEcho, echo{Text: "x"}, &back); err != nil || back.Text != "x" {
		t.Fatalf("afterwards: %v %v", back, err)
	}
	if h := c.Hello(); h.PID == first.PID || h.Session == first.Session {
		t.Errorf("still the killed one: %+v", h)
	}
}

func waitNote(t *testing.T, notes <-chan string, want string) {
	t.Helper()
	for end := time.After(time.Minute); ; {
		select {
		case m := <-notes:
			if m == want {
				return
			}
		case <-end:
			t.Fatalf("no %s", want)
		}
	}
}

func TestReadsAreSentAgainAfterAKill(t *testing.T) {
	home := testHome(t)
	c := started(t, ClientConfig{Home: home})
	for range 3 {
		if err := syscall.Kill(c.Hello().PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// It reaches a daemon: one without parts says so.
		var e *Error
		if err := c.Call(t.Context(), EstateStatus.Name, nil, nil); !errors.As(err, &e) || e.Code != CodeDegraded {
			t.Fatalf("got %v, want an answer", err)
		}
	}
}

// A daemon that was stopped (SIGSTOP) keeps the home and its socket, and hears
// nothing: whoever comes, and whoever waits for something that is only read, is
// told so, and what is advised ends it.
func TestAStoppedDaemonIsToldOf(t *testing.T) {
	comes := func(ctx context.Context, home string, _ *Client) error {
		c := newClient(ClientConfig{Home: home, Kind: "terminal", Executable: os.Args[0]})
		defer c.Close()
		c.dial, c.patience = c.reach, 50*time.Millisecond
		return c.first(ctx)
	}
	for name, c := range map[string]struct {
		ask      func(ctx context.Context, home string, before *Client) error
		noSocket bool
	}{
		"to who comes":                     {ask: comes},
		"to who comes and finds no socket": {ask: comes, noSocket: true},
		"to who waits": {ask: func(ctx context.Context, _ string, before *Client) error {
			return before.Call(ctx, EstateStatus.Name, nil, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			home := testHome(t)
			before := started(t, ClientConfig{Home: home})
			before.patience, before.quiet = 50*time.Millisecond, time.Millisecond
			pid := before.Hello().PID
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			var e *Error
			// The signal takes a moment to reach it.
			eventually(t, "the daemon is told to accept no words", func() bool {
				if path, err := socketPath(home); c.noSocket && err == nil {
					_ = os.Remove(path) // which it opens again as long as it lives
				}
				err := c.ask(t.Context(), home, before)
				return errors.As(err, &e) && strings.Contains(e.Message, fmt.Sprintf("process %d) accepts no words", pid))
			})
			if e.Code != CodeUnavailable || !strings.Contains(e.Hint, "cloudops daemon stop") {
				t.Errorf("got %+v, want the advice to end it", e)
			}
			if stopped, err := Stop(t.Context(), home); err != nil || stopped != pid {
				t.Errorf("the advice: ended %d, %v", stopped, err)
			}
		})
	}
}

// A daemon that works for long on what it is asked is not taken for a silent one.
func TestWhoWaitsForLongIsAnswered(t *testing.T) {
	home := testHome(t)
	heard := make(chan struct{})
	serving(t, ServerConfig{Home: home}, func(s *server) {
		s.requests[methodAlive] = request(methodAlive, 0, 0, "", func(ctx context.Context, _ *session, _ *Parts, _ none) (any, error) {
			select {
			case heard <- struct{}{}:
			case <-ctx.Done():
			}
			return nil, nil
		}).Descriptor
		s.requests[EstateStatus.Name] = request(EstateStatus.Name, 0, 0, "", func(context.Context, *session, *Parts, none) (any, error) {
			<-heard
			<-heard
			return echo{"late"}, nil
		}).Descriptor
	})
	c := dialing(t, ClientConfig{Home: home})
	c.patience, c.quiet = time.Minute, time.Millisecond
	var back echo
	if err := c.Call(t.Context(), EstateStatus.Name, nil, &back); err != nil || back.Text != "late" {
		t.Errorf("got %v %v", back, err)
	}
}

func TestANewerBuildTakesOver(t *testing.T) {
	home := testHome(t)
	now := time.Now().UTC().Truncate(time.Second)
	older := Build{Version: "1", ID: "old", Time: now.Add(-time.Hour)}
	newer := Build{Version: "2", ID: "new", Time: now}
	options(t, home, testOptions{Build: older})
	first := started(t, ClientConfig{Home: home, Build: older, Note: func(string, []byte) {}})
	before := first.Hello()
	if before.Build.ID != "old" {
		t.Fatalf("got %+v", before)
	}
	options(t, home, testOptions{Build: newer})
	second := started(t, ClientConfig{Home: home, Build: newer})
	if h := second.Hello(); h.Build.ID != "new" || h.PID == before.PID {
		t.Fatalf("the newer client got %+v", h)
	}
	// The older client is served by the newer daemon.
	eventually(t, "the older client came along", func() bool { return first.Hello().PID == second.Hello().PID })
	if err := first.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Error(err)
	}
}

func TestAHomeWaitsForTheNewerBuildThatAsked(t *testing.T) {
	home := testHome(t)
	now := time.Now().UTC()
	older, newer := Build{ID: "old", Time: now.Add(-time.Hour)}, Build{ID: "new", Time: now}
	l, err := takeLock(home, older)
	if err != nil {
		t.Fatal(err)
	}
	l.release(newer.Time)
	if _, err := takeLock(home, older); !errors.Is(err, ErrRunning) {
		t.Errorf("the older build: %v, want ErrRunning", err)
	}
	if l, err = takeLock(home, newer); err != nil {
		t.Fatalf("the newer build: %v", err)
	}
	l.release(time.Time{})
	if l, err = takeLock(home, older); err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	l.release(time.Time{})
}

func TestLocalIsTheSameWithoutASocket(t *testing.T) {
	home := testHome(t)
	asked := ServerConfig{Home: home, Open: noParts}
	c, err := Local(t.Context(), asked, ClientConfig{Kind: "editor", Prompt: func(context.Context, executor.Prompt) (PromptResult, error) {
		return PromptResult{}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if h := c.Hello(); h.StoreID != "none" || h.PID != os.Getpid() {
		t.Errorf("got %+v", h)
	}
	if _, err := Local(t.Context(), asked, ClientConfig{Kind: "editor"}); !errors.Is(err, ErrRunning) {
		t.Errorf("a second one: %v, want ErrRunning", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := c.Call(t.Context(), EstateStatus.Name, nil, nil); !errors.As(err, &e) || e.Code != CodeUnavailable {
		t.Errorf("after Close: %v", err)
	}
	if _, held := lockedBy(home); held {
		t.Error("the home stays locked")
	}
}

// A handshake outlasts a daemon that is ending, one that is full and one that
// breaks off; what will not change by waiting is told at once.
func TestAHandshakeOutlastsWhatPasses(t *testing.T) {
	refuses := func(code int) error { return toWire(refusef(code, "", "no")) }
	breaks := errors.New("it hangs up")
	for name, c := range map[string]struct {
		// answers are the daemon's, one by one; nil and all later ones are good.
		answers  []error
		protocol int
		dials    int32
		code     int // of the error; 0 for none, -1 for one without a code
	}{
		"good":             {nil, ProtocolVersion, 1, 0},
		"making way":       {[]error{refuses(CodeHandover), refuses(CodeHandover)}, ProtocolVersion, 3, 0},
		"ending":           {[]error{refuses(CodeUnavailable)}, ProtocolVersion, 2, 0},
		"full":             {[]error{refuses(CodeFull), refuses(CodeFull)}, ProtocolVersion, 3, 0},
		"hanging up":       {[]error{breaks, breaks}, ProtocolVersion, 3, 0},
		"hanging up ever":  {slices.Repeat([]error{breaks}, 20), ProtocolVersion, 6, -1},
		"refusing":         {[]error{refuses(CodeRefused)}, ProtocolVersion, 1, CodeRefused},
		"another protocol": {nil, ProtocolVersion + 1, 1, CodeRefused},
	} {
		var dials atomic.Int32
		client := newClient(ClientConfig{Kind: "editor"})
		client.dial = func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			n := int(dials.Add(1))
			peer := wire.New(context.Background(), far, wire.Limits{Message: maxRequest, Calls: maxInFlight}, slog.New(slog.DiscardHandler), known)
			peer.Start(func(context.Context, string, []byte) (any, error) {
				if n > len(c.answers) {
					return HelloResult{Protocol: c.protocol}, nil
				}
				if c.answers[n-1] == breaks {
					peer.Close()
				}
				return nil, c.answers[n-1]
			}, nil)
			return near, nil
		}
		err := client.first(t.Context())
		var e *Error
		code := 0
		if errors.As(err, &e) {
			code = e.Code
		} else if err != nil {
			code = -1
		}
		if code != c.code || dials.Load() != c.dials {
			t.Errorf("%s: %v after %d connections, want code %d after %d", name, err, dials.Load(), c.code, c.dials)
		}
		client.Close()
	}
}
