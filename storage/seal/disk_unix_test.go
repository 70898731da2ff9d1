//go:build unix

package seal

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// A write that the disk has no room for is told, and leaves neither half a file
// nor any change behind.
func TestAFullDiskLeavesNothingBehind(t *testing.T) {
	// In a process of its own: the limit would be on what `go test` writes too.
	if os.Getenv(ownDisk) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), ownDisk+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for name, do := range map[string]func(f filled) error{
		"a file":               func(f filled) error { return ReplaceFile(filepath.Join(f.k.home, "config.yaml"), make([]byte, 500)) },
		"a sealed file":        func(f filled) error { return f.k.File("data/user").Save([]byte("new")) },
		"a new sealed file":    func(f filled) error { return f.k.File("data/digests").Save([]byte("new")) },
		"an anchor":            func(f filled) error { return f.k.Anchor("audit").Save("8 def") },
		"a conversation's key": func(f filled) error { _, err := f.k.NewConversation(uuid.NewString(), nil); return err },
		"its keys":             func(f filled) error { return f.k.RetireConversation(f.conversation) },
		"new keys":             func(f filled) error { _, err := f.k.Rotate(); return err },
		"a note of an export":  func(f filled) error { return f.k.Exported() },
	} {
		t.Run(name, func(t *testing.T) {
			f := fill(t, mustUnlock(t, newHome(t), keyFile(t)))
			before := tree(t, f.k.home)
			if err := onAFullDisk(t, func() error { return do(f) }); err == nil {
				t.Error("it is said to have worked")
			}
			if after := tree(t, f.k.home); !maps.Equal(after, before) {
				t.Errorf("there is now %q, was %q", after, before)
			}
			f.check(t, f.k)
			f.check(t, mustUnlock(t, f.k.home, Source{}))
		})
	}
	// Half an erased key is none, but who deletes must hear that it is not done.
	f := fill(t, mustUnlock(t, newHome(t), keyFile(t)))
	if err := onAFullDisk(t, func() error { return f.k.DestroyConversation(f.conversation) }); err == nil {
		t.Error("a key that could not be overwritten is said to be destroyed")
	}
}

// Whatever the user's mask lets through, nobody else reads what lies in a home.
func TestNothingInAHomeIsForOthers(t *testing.T) {
	defer unix.Umask(unix.Umask(0))
	f := fill(t, mustUnlock(t, newHome(t), Source{InHome: true}))
	if err := rotateOnce(f.k); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(f.k.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// ownDisk is set in the process that limits itself.
const ownDisk = "SEAL_TEST_FULL_DISK"

// onAFullDisk lets no file grow beyond a few bytes meanwhile.
func onAFullDisk(t *testing.T, do func() error) error {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var room unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	full := room
	full.Cur = 16
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err := do()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &room); err != nil {
		t.Fatal(err)
	}
	return err
}

// A daemon that rotates its keys for months runs out of no files: none stays open
// until the garbage is collected.
func TestNoFileStaysOpen(t *testing.T) {
	open := func() int {
		t.Helper()
		list, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	home, src := newHome(t), keyFile(t)
	f := fill(t, mustUnlock(t, home, src))
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"unlocking", func() error { _, err := Unlock(home, src); return err }},
		{"reading", func() error { f.check(t, f.k); return nil }},
		{"rotating", func() error { return rotateOnce(f.k) }},
		{"exporting", func() error { exported(t, f.k); return nil }},
		{"deleting a conversation", func() error { return f.k.DeleteConversation(f.conversation) }},
		{"setting a file aside", func() error { _, err := SetAside(filepath.Join(home, "data", "user")); return err }},
	} {
		before := open()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if after := open(); after > before {
			t.Errorf("%s leaves %d files open", c.name, after-before)
		}
	}
}
