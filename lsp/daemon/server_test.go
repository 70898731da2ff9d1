package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage/seal"
)

func TestOneDaemonServesAHome(t *testing.T) {
	home := testHome(t)
	_, stop := serving(t, ServerConfig{Home: home})
	err := Serve(t.Context(), ServerConfig{Home: home, Open: noParts})
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("a second daemon: %v, want ErrRunning with the process", err)
	}
	other := filepath.Join(filepath.Dir(home), "other")
	link := filepath.Join(filepath.Dir(home), "link")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	if a, _ := socketPath(home); true {
		if b, _ := socketPath(link); a != b {
			t.Errorf("one home has two sockets: %s and %s", a, b)
		}
		if b, _ := socketPath(other); a == b {
			t.Error("two homes share a socket")
		}
	}
	path, err := socketPath(home)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v %v, want 0600", info, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	serving(t, ServerConfig{Home: home})
	dialing(t, ClientConfig{Home: home})
}

func TestAStaleSocketIsReplacedAndAForeignFileIsNot(t *testing.T) {
	home := testHome(t)
	path, err := socketPath(home)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, stop := serving(t, ServerConfig{Home: home})
	dialing(t, ClientConfig{Home: home})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), ServerConfig{Home: home, Open: noParts}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Fatalf("got %v, want the file refused", err)
	}
	// Who has no daemon yet is told so, and who wants to reach one that lives.
	told := func(when string) {
		_, err := Dial(t.Context(), ClientConfig{Home: home, Kind: "terminal", Executable: "-"})
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeUnavailable || !strings.Contains(e.Message, path) || !strings.Contains(e.Hint, "remove it") {
			t.Errorf("%s: got %v, want the file named", when, err)
		}
	}
	told("without a daemon")
	held, err := takeLock(home, Build{})
	if err != nil {
		t.Fatal(err)
	}
	if err := held.record(lockState{pid: os.Getpid(), socket: path}); err != nil {
		t.Fatal(err)
	}
	told("with one")
	held.release(time.Time{})
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Fatal("the file is gone")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	serving(t, ServerConfig{Home: home})
}

// Where a folder for the socket can't be made, that is what is said, and nothing
// listens anywhere else.
func TestAFolderThatCannotBeMadeIsNamed(t *testing.T) {
	home := testHome(t)
	file := filepath.Join(filepath.Dir(home), "file") // whose path is short
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", file)
	if path, err := socketPath(home); err == nil || !strings.Contains(err.Error(), "making the folder "+file) {
		t.Errorf("got %q, %v; want the folder that cannot be made", path, err)
	}
}

func TestFoldersThatOthersReachAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"others may read": func(dir string) error { return os.Chmod(dir, 0o755) },
		"others may pass": func(dir string) error { return os.Chmod(dir, 0o701) },
		"a link": func(dir string) error {
			if err := os.Rename(dir, dir+".real"); err != nil {
				return err
			}
			return os.Symlink(dir+".real", dir)
		},
		"a file": func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			home := testHome(t)
			path, err := socketPath(home)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			if err := Serve(t.Context(), ServerConfig{Home: home, Open: noParts}); err == nil || !strings.Contains(err.Error(), "refusing") {
				t.Errorf("serving: %v, want a refusal", err)
			}
			if _, err := Dial(t.Context(), ClientConfig{Home: home, Kind: "terminal", Executable: "-"}); err == nil || !strings.Contains(err.Error(), "refusing") {
				t.Errorf("dialing: %v, want a refusal", err)
			}
		})
		t.Run("home: "+name, func(t *testing.T) {
			home := testHome(t)
			if err := spoil(home); err != nil {
				t.Fatal(err)
			}
			if err := Serve(t.Context(), ServerConfig{Home: home, Open: noParts}); err == nil || !strings.Contains(err.Error(), "refusing") {
				t.Errorf("serving: %v, want a refusal", err)
			}
		})
	}
}

func TestALongRuntimeFolderStillHasASocket(t *testing.T) {
	home := testHome(t)
	long := filepath.Join(filepath.Dir(home), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", long)
	t.Setenv("TMPDIR", filepath.Dir(home))
	serving(t, ServerConfig{Home: home})
	dialing(t, ClientConfig{Home: home})
}

func TestASessionWithOtherFoldersFindsTheDaemon(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", filepath.Dir(home))
	c := dialing(t, ClientConfig{Home: home})
	if c.Hello().PID != os.Getpid() {
		t.Fatal("another daemon answered")
	}
}

func TestAnIdleDaemonEnds(t *testing.T) {
	home := testHome(t)
	ended := make(chan error, 1)
	cfg := ServerConfig{Home: home, Idle: 100 * time.Millisecond, Open: noParts}
	go func() { ended <- Serve(context.Background(), cfg) }()
	eventually(t, "the daemon has the home", func() bool { _, held := lockedBy(home); return held })
	c := dialing(t, ClientConfig{Home: home})
	select {
	case <-ended:
		t.Fatal("it ended with a client")
	case <-time.After(3 * cfg.Idle):
	}
	c.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it stays without clients")
	}
}

func TestADaemonThatCannotOpenIsDegradedAndHeals(t *testing.T) {
	home := testHome(t)
	var well atomic.Bool
	var opened, closed atomic.Int32
	_, stop := serving(t, ServerConfig{Home: home, Open: func(context.Context) (*Parts, error) {
		if !well.Load() {
			return nil, fmt.Errorf("opening the keys: %w: set CLOUDOPS_KEY again", seal.ErrNoKey)
		}
		opened.Add(1)
		return &Parts{
			StoreID: "store", Notices: []string{"the key is in the keychain"},
			Close: func() error { closed.Add(1); return nil },
		}, nil
	}})
	c := dialing(t, ClientConfig{Home: home})
	if p := c.Hello().Problems; len(p) != 1 || !strings.Contains(p[0], "set CLOUDOPS_KEY again") {
		t.Fatalf("problems: %q, want the mend", p)
	}
	for _, m := range requests {
		if m.needs == 0 {
			continue
		}
		err := c.Call(t.Context(), m.Name, nil, nil)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeDegraded || !strings.Contains(e.Message, "set CLOUDOPS_KEY again") {
			t.Errorf("%s: %v, want degraded with the mend", m.Name, err)
		}
	}
	well.Store(true)
	again := dialing(t, ClientConfig{Home: home})
	if h := again.Hello(); h.StoreID != "store" || len(h.Notices) != 1 {
		t.Errorf("after the mend: %+v", h)
	}
	if h := dialing(t, ClientConfig{Home: home}).Hello(); len(h.Notices) != 0 {
		t.Errorf("told twice: %q", h.Notices)
	}
	// The first session is healed with the others.
	if err := c.Call(t.Context(), methodEcho, echo{}, nil); err != nil {
		t.Errorf("the first session: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if opened.Load() != 1 || closed.Load() != 1 {
		t.Errorf("opened %d times, closed %d times", opened.Load(), closed.Load())
	}
}

func TestAPanicWhileOpeningDegrades(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: func(context.Context) (*Parts, error) { panic("secret words") }})
	p := dialing(t, ClientConfig{Home: home}).Hello().Problems
	if len(p) != 1 || strings.Contains(p[0], "secret") {
		t.Fatalf("problems: %q", p)
	}
}

func TestAPartThatIsMissingDegradesWhatNeedsIt(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	c := dialing(t, ClientConfig{Home: home})
	said := strings.Join(c.Hello().Problems, "\n")
	for _, part := range []string{"the store is", "the scanner is", "the executor is", "the agent is", "the keys are"} {
		if !strings.Contains(said, part+" not available") {
			t.Errorf("it is not said that %s not available: %s", part, said)
		}
	}
	for _, m := range requests {
		if m.needs == 0 {
			continue
		}
		var e *Error
		if err := c.Call(t.Context(), m.Name, nil, nil); !errors.As(err, &e) || e.Code != CodeDegraded {
			t.Errorf("%s: %v, want degraded", m.Name, err)
		}
	}
}

func TestTheHandshakeDecidesWhoSpeaks(t *testing.T) {
	now := time.Now().UTC()
	old := Build{Version: "1", ID: "old", Time: now.Add(-time.Hour)}
	for _, c := range []struct {
		name, change, to string
		code             int
	}{
		{"another protocol", `"protocol":1`, `"protocol":2`, CodeRefused},
		{"no protocol", `"protocol":1,`, ``, CodeRefused},
		{"an unknown kind", `"kind":"terminal"`, `"kind":"robot"`, -32602},
		{"an unknown field", `"interactive":false`, `"interactive":false,"approve":true`, -32602},
		{"an unknown setting", `"environment":{}`, `"environment":{"policy":"allow"}`, -32602},
		{"the wrong type", `"interactive":false`, `"interactive":"yes"`, -32602},
		{"a newer build with more to say", `"build":{"version":"t","id":"","time":"0001-01-01T00:00:00Z"}`,
			`"build":{"version":"2","id":"new","time":"` + now.Format(time.RFC3339) + `","signed":true}`, CodeHandover},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := testHome(t)
			serving(t, ServerConfig{Home: home, Build: old})
			r := rawPeer(t, home)
			body := strings.Replace(helloBody, c.change, c.to, 1)
			if body == helloBody {
				t.Fatal("the case changes nothing")
			}
			r.send(body)
			m := r.next()
			if m.Error == nil || m.Error.Code != c.code {
				t.Fatalf("got %+v, want code %d", m.Error, c.code)
			}
		})
	}
}

// The client refuses before it starts a daemon there, the daemon whoever asks.
func TestAHomeInsideAWorkspaceIsRefused(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	// What $HOME says makes no folder the user's own.
	t.Setenv("HOME", filepath.Dir(home))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(home), link); err != nil {
		t.Fatal(err)
	}
	for dir, refused := range map[string]bool{
		home: true, filepath.Dir(home): true, "/": true, link: true,
		filepath.Join(home, "data"): false, filepath.Dir(home) + "/run": false,
	} {
		c, err := Dial(t.Context(), ClientConfig{
			Home: home, Kind: "editor", Executable: "-", Environment: aws.Environment{Workspaces: []string{dir}},
		})
		if err == nil {
			c.Close()
		}
		var e *Error
		if refused != (errors.As(err, &e) && e.Code == CodeRefused) {
			t.Errorf("workspace %s: %v, want refused %v", dir, err, refused)
		}
		r := rawPeer(t, home)
		r.send(strings.Replace(helloBody, `"environment":{}`, fmt.Sprintf(`"environment":{"workspaces":[%q]}`, dir), 1))
		if m := r.next(); refused != (m.Error != nil && m.Error.Code == CodeRefused) {
			t.Errorf("workspace %s, said by another program: %+v, want refused %v", dir, m.Error, refused)
		}
	}
	// A home that is not there yet is not made in a workspace either.
	if err := CheckHome(filepath.Join(link, "new", "home"), []string{filepath.Dir(home)}); err == nil {
		t.Error("a new home by a link is allowed")
	}
	// The default home is fine in an editor that has the home directory open.
	if user := aws.UserHome(); user != "" {
		if err := CheckHome(filepath.Join(user, ".cloudops"), []string{user}); err != nil {
			t.Error(err)
		}
		if err := CheckHome(filepath.Join(user, "other"), []string{user}); err == nil {
			t.Error("any folder of an open home directory is allowed")
		}
	}
}

// A folder that is open in one session chooses no credentials in another.
func TestWorkspacesOfAllSessionsCount(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	open := t.TempDir()
	editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Environment: aws.Environment{Workspaces: []string{open}}})
	dialing(t, ClientConfig{Home: home})
	all := func() (envs []aws.Environment) {
		s.mu.Lock()
		var sessions []*session
		for x := range s.sessions {
			sessions = append(sessions, x)
		}
		s.mu.Unlock()
		for _, x := range sessions {
			envs = append(envs, x.environment())
		}
		return envs
	}
	envs := all()
	if len(envs) != 2 || !slices.Equal(envs[0].Workspaces, []string{open}) || !slices.Equal(envs[1].Workspaces, []string{open}) {
		t.Errorf("the sessions have %+v", envs)
	}
	editor.Close()
	eventually(t, "a closed editor's folder is forgotten", func() bool {
		envs := all()
		return len(envs) == 1 && len(envs[0].Workspaces) == 0
	})
}

func TestAConnectionWithoutHandshakeIsClosed(t *testing.T) {
	home := testHome(t)
	s, err := newServer(ServerConfig{Home: home, Open: noParts})
	if err != nil {
		t.Fatal(err)
	}
	s.patience = 50 * time.Millisecond
	ln, err := s.bind()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.run(ctx, ln) }()
	silent, polite := rawPeer(t, home), rawPeer(t, home)
	polite.hello()
	if _, err := silent.message(); err == nil {
		t.Error("it stays open")
	}
	polite.send(`{"jsonrpc":"2.0","id":2,"method":"x"}`)
	polite.next()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestThisBuildIsStable(t *testing.T) {
	a := ThisBuild("1")
	if a != ThisBuild("1") || a.ID == "" || a.Time.IsZero() {
		t.Fatalf("got %+v", a)
	}
	if a.replaces(a) || (Build{}).replaces(a) || a.replaces(Build{}) {
		t.Error("a build replaces itself, or an unknown one replaces or is replaced")
	}
}

func TestBuildsOfOtherCodeDiffer(t *testing.T) {
	dir := t.TempDir()
	build := func(code string) Build {
		t.Helper()
		source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
		if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(\""+code+"\") }\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "build", "-o", program, source)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building a program: %v: %s", err, out)
		}
		return buildOf(program, "1")
	}
	a, b := build("a"), build("b")
	if a.ID == b.ID {
		t.Error("programs that print different letters have one id")
	}
	if again := build("a"); again.ID != a.ID {
		t.Error("one program built twice has two ids")
	}
}
