//go:build linux

package seal

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// desktop is a user's home with a real gnome-keyring in it.
type desktop struct {
	dir string
	// password is the one its keyring was made with.
	password string
}

// session is how to run a command on a fresh bus of its own.
type session struct {
	// password unlocks the keyring; empty leaves it locked.
	password string
	// bare is a session without any Secret Service.
	bare bool
}

// busConfig knows no services to start: a keyring that the bus starts by itself
// would compete with the one that a test started, and outlive it.
const busConfig = `<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>`

// withKeyring runs $0 beside a keyring daemon, once that is on the bus, and
// ends the daemon.
const withKeyring = `printf %s "$KEYRING_PASSWORD" | gnome-keyring-daemon --foreground --components=secrets $KEYRING_UNLOCK >/dev/null 2>&1 &
keyring=$!
trap 'kill -9 $keyring' EXIT
tries=0
until dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / \
	org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true; do
	tries=$((tries + 1))
	[ $tries -lt 1000 ] || { echo "the keyring does not come up" >&2; exit 1; }
done
"$0"`

func newDesktop(t *testing.T) desktop {
	t.Helper()
	for _, tool := range []string{"dbus-run-session", "dbus-send", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%v: install the packages dbus and gnome-keyring", err)
			}
			t.Skipf("%v: install the packages dbus and gnome-keyring", err)
		}
	}
	return desktop{dir: t.TempDir(), password: "correct horse"}
}

// run unlocks a home in a new process in a new session.
func (d desktop) run(t *testing.T, in session, task childTask) outcome {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, []byte(busConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := childCommand(t, task)
	script, unlock := withKeyring, ""
	if in.bare {
		script = `"$0"`
	} else if in.password != "" {
		unlock = "--unlock"
	}
	wrapped := exec.Command("dbus-run-session", append([]string{"--config-file=" + config, "--", "sh", "-c", script}, cmd.Args...)...)
	// Nothing of the real session may leak in: the keyring lies under HOME.
	for _, v := range cmd.Env {
		name, _, _ := strings.Cut(v, "=")
		if name == "PATH" || name == "GORACE" || name == "GOCOVERDIR" || strings.HasPrefix(name, "SEAL_TEST_") {
			wrapped.Env = append(wrapped.Env, v)
		}
	}
	wrapped.Env = append(wrapped.Env, "HOME="+d.dir, "XDG_RUNTIME_DIR="+dir, "KEYRING_PASSWORD="+in.password, "KEYRING_UNLOCK="+unlock)
	return runChild(t, wrapped)
}

func (d desktop) home() string { return filepath.Join(d.dir, ".cloudops") }

func TestKeyInTheKeychainOutlivesTheSession(t *testing.T) {
	d := newDesktop(t)
	open := session{password: d.password}
	first := d.run(t, open, childTask{Home: d.home(), SaveAnchor: "7 abc"})
	if first.Err != "" {
		t.Fatal(first.Err)
	}
	if first.Source != `the OS keychain (service "cloudops", account "encryption_key")` || first.Notices != "" {
		t.Errorf("%+v", first)
	}
	second := d.run(t, open, childTask{Home: d.home()})
	if second.Err != "" || second.StoreID != first.StoreID {
		t.Fatalf("%+v", second)
	}
	if second.Anchor != "7 abc" || second.AnchorWhere != "the OS keychain" {
		t.Errorf("the anchor came back as %q from %s", second.Anchor, second.AnchorWhere)
	}
	for path := range tree(t, d.home()) {
		if name := filepath.Base(path); name != "keyset" {
			t.Errorf("%s is in the home: the anchor should be apart from it", name)
		}
	}
	third := d.run(t, open, childTask{Home: filepath.Join(d.dir, "other")})
	if third.Err != "" || third.StoreID == first.StoreID || third.Source == first.Source {
		t.Errorf("another home: %+v", third)
	}
	if again := d.run(t, open, childTask{Home: d.home()}); again.Err != "" {
		t.Errorf("another home took the key away: %s", again.Err)
	}

	before := tree(t, d.home())
	wrong := d.run(t, session{password: "wrong"}, childTask{Home: d.home()})
	if wrong.Kind != "unavailable" || !strings.Contains(wrong.Err, "unlock it") {
		t.Errorf("with the keyring's wrong password: %+v", wrong)
	}
	locked := d.run(t, session{}, childTask{Home: d.home()})
	if locked.Kind != "unavailable" {
		t.Errorf("with a locked keyring: %+v", locked)
	}
	gone := d.run(t, session{bare: true}, childTask{Home: d.home()})
	if gone.Kind != "unavailable" {
		t.Errorf("without a Secret Service: %+v", gone)
	}

	if o := d.run(t, open, childTask{Forget: "encryption_key"}); o.Err != "" {
		t.Fatal(o.Err)
	}
	for range 2 { // twice: the first must not have made a new key
		missing := d.run(t, open, childTask{Home: d.home()})
		if missing.Kind != "no key" || !strings.Contains(missing.Err, "bring the key back") {
			t.Errorf("with the entry missing: %+v", missing)
		}
	}
	if after := tree(t, d.home()); len(after) != len(before) || after[keysetPath(d.home())] != before[keysetPath(d.home())] {
		t.Error("the home changed")
	}
}

// A rotation leaves the new key and the anchor in the keychain and nothing else,
// and a key moves out of it and back.
func TestKeysInTheKeychainRotateAndMove(t *testing.T) {
	d := newDesktop(t)
	open := session{password: d.password}
	first := d.run(t, open, childTask{Home: d.home(), SaveAnchor: "7 abc"})
	if first.Err != "" {
		t.Fatal(first.Err)
	}
	if o := d.run(t, open, childTask{Home: d.home(), RotateOnce: true}); o.Err != "" || o.Anchor != "7 abc" || o.StoreID != first.StoreID {
		t.Fatalf("rotating: %+v", o)
	}
	if o := d.run(t, open, childTask{Home: d.home()}); o.Err != "" || o.Anchor != "7 abc" {
		t.Fatalf("after the rotation: %+v", o)
	}
	if o := d.run(t, open, childTask{Forget: "encryption_key-next"}); !strings.Contains(o.Err, "not found") {
		t.Errorf("the place of the next key: %q, want it to be empty", o.Err)
	}
	before := tree(t, d.home())
	locked := d.run(t, session{}, childTask{Home: d.home(), RotateOnce: true})
	if locked.Kind != "unavailable" || tree(t, d.home())[keysetPath(d.home())] != before[keysetPath(d.home())] {
		t.Errorf("with a locked keyring: %+v", locked)
	}
	file := Source{File: filepath.Join(d.dir, "keys", "kek")}
	if o := d.run(t, open, childTask{Home: d.home(), Source: file, MoveTo: &file, SaveAnchor: "7 abc"}); o.Err != "" {
		t.Fatalf("moving to a file: %+v", o)
	}
	if o := d.run(t, session{bare: true}, childTask{Home: d.home()}); o.Err != "" || o.Anchor != "7 abc" || o.StoreID != first.StoreID {
		t.Errorf("without a keychain, now that it is not needed: %+v", o)
	}
	keychain := Source{Keychain: &Keychain{}}
	if o := d.run(t, open, childTask{Home: d.home(), Source: keychain, MoveTo: &keychain}); o.Err != "" || o.StoreID != first.StoreID {
		t.Errorf("moving back: %+v", o)
	}
}

// A keychain that is there but does not open is no reason to put the key elsewhere.
func TestALockedKeychainMakesNoKeyFile(t *testing.T) {
	d := newDesktop(t)
	if o := d.run(t, session{password: d.password}, childTask{Home: filepath.Join(d.dir, "first")}); o.Err != "" {
		t.Fatal(o.Err)
	}
	for name, in := range map[string]session{"locked": {}, "wrong password": {password: "wrong"}} {
		o := d.run(t, in, childTask{Home: d.home()})
		if o.Kind != "unavailable" || len(tree(t, d.home())) > 0 || len(tree(t, filepath.Join(d.dir, ".config"))) > 0 {
			t.Errorf("%s: %+v, in the home: %d files", name, o, len(tree(t, d.home())))
		}
	}
}

func TestWithoutAKeychainTheKeyGoesToAFile(t *testing.T) {
	d := newDesktop(t)
	dead := func(task childTask) outcome {
		cmd := childCommand(t, task)
		cmd.Env = append(cmd.Env, "HOME="+d.dir, "XDG_CONFIG_HOME=", busVariable+"=unix:path="+filepath.Join(d.dir, "no-bus"))
		return runChild(t, cmd)
	}
	bare := func(task childTask) outcome { return d.run(t, session{bare: true}, task) }
	for name, run := range map[string]func(childTask) outcome{"no bus": dead, "bus without the service": bare} {
		home := filepath.Join(d.dir, strings.ReplaceAll(name, " ", "-"))
		first := run(childTask{Home: home, SaveAnchor: "1 a"})
		path := filepath.Join(d.dir, ".config", "cloudops", homeTag(home)+".key")
		if first.Err != "" || first.Source != "the key file "+path {
			t.Fatalf("%s: %+v", name, first)
		}
		if !strings.Contains(first.Notices, path) || !strings.Contains(first.Notices, "keychain is safer") {
			t.Errorf("%s: the user is told %q", name, first.Notices)
		}
		second := run(childTask{Home: home})
		if second.Err != "" || second.StoreID != first.StoreID || second.Notices != "" || second.Anchor != "1 a" || second.AnchorWhere != "a sealed file" {
			t.Errorf("%s: %+v", name, second)
		}
		// A keychain that appears later does not take over by itself.
		later := d.run(t, session{password: d.password}, childTask{Home: home})
		if later.Err != "" || later.Source != first.Source {
			t.Errorf("%s: %+v", name, later)
		}
		// Once the user asks for the keychain, both places are named.
		asked := d.run(t, session{password: d.password}, childTask{Home: home, Source: Source{Keychain: &Keychain{}}})
		if !strings.Contains(asked.Err, path) || !strings.Contains(asked.Err, "keychain") {
			t.Errorf("%s: %+v", name, asked)
		}
	}
	// Who asks for the keychain gets no file instead.
	o := bare(childTask{Home: d.home(), Source: Source{Keychain: &Keychain{}}})
	if o.Kind != "unavailable" || len(tree(t, d.home())) > 0 {
		t.Errorf("%+v", o)
	}
}

// The D-Bus library starts a stray bus by dbus-launch when it finds none.
func TestNoBusIsEverStarted(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "launched")
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte("#!/bin/sh\ntouch "+marker+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for _, address := range []string{"", "autolaunch:"} {
		t.Setenv(busVariable, address)
		if found, err := busAddress(); err == nil {
			// The person running the tests has a session; its keychain is not ours to use.
			if !strings.HasPrefix(found, "unix:path=/run/user/") {
				t.Errorf("found %s", found)
			}
			continue
		}
		cmd := childCommand(t, childTask{Home: filepath.Join(dir, "home"), Source: Source{Keychain: &Keychain{}}})
		cmd.Env = append(cmd.Env, "PATH="+dir+":"+os.Getenv("PATH"))
		if o := runChild(t, cmd); o.Kind != "unavailable" {
			t.Errorf("%+v", o)
		}
	}
	if _, err := os.Stat(marker); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a bus was started")
	}
}

func TestTheBusIsFoundInTheRuntimeDirectory(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv(busVariable, "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if got, err := busAddress(); err != nil || !strings.HasSuffix(got, "/bus") || !strings.Contains(got, filepath.Base(dir)) {
		t.Errorf("%q, %v", got, err)
	}
}

// The address comes from the environment, so it must not run programs.
func TestOnlySocketsAreTakenForABus(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "ran")
	for _, address := range []string{
		"unixexec:path=/bin/touch,argv1=" + marker, "tcp:host=127.0.0.1,port=1", "unix:path=/nonexistent;unixexec:path=/bin/touch,argv1=" + marker,
	} {
		t.Setenv(busVariable, address)
		home := newHome(t)
		for _, src := range []Source{{}, {Keychain: &Keychain{}}} {
			if _, err := Unlock(home, src); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s: %v", address, err)
			}
		}
		if len(tree(t, home)) > 0 {
			t.Errorf("%s: a store was made", address)
		}
	}
	if _, err := os.Stat(marker); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a program ran")
	}
}

// silentBus accepts connections and never answers.
func silentBus(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	})
	t.Setenv(busVariable, "unix:path="+path)
}

func TestASilentKeychainHangsNothing(t *testing.T) {
	silentBus(t)
	home := newHome(t)
	for name, src := range map[string]Source{"nothing configured": {}, "keychain configured": {Keychain: &Keychain{}}} {
		began := time.Now()
		v := systemVault()
		v.timeout = 100 * time.Millisecond
		_, err := unlock(home, src, v)
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "unlock it") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: took %s", name, took)
		}
		if len(tree(t, home)) > 0 {
			t.Errorf("%s: a store was made", name)
		}
	}
}
