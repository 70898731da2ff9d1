//go:build unix

package home

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Tighten takes what others may do from all that is ours in a home, and from
// nothing else.
func TestTighten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	want := map[string]fs.FileMode{}
	file := func(name string, before, after fs.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err == nil {
			err = os.Chmod(path, before)
		}
		if err != nil {
			t.Fatal(err)
		}
		want[path] = after
	}
	file("/", 0o755, 0o700)
	file("keyset", 0o644, 0o600)
	file("readable", 0o400, 0o400)
	file("group", 0o660, 0o600)
	file("program", 0o711, 0o700)
	file("config.yaml", 0o644, 0o644) // judged where it is read
	file("data/", 0o777, 0o700)
	file("data/ledger", 0o606, 0o600)
	file("data/qdrant-local/", 0o755, 0o755) // another program's
	file("data/qdrant-local/file", 0o644, 0o644)
	if err := os.WriteFile(elsewhere, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(elsewhere, 0o644); err != nil {
		t.Fatal(err)
	}
	want[elsewhere] = 0o644
	if err := os.Symlink(elsewhere, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Tighten(dir); err != nil {
			t.Fatal(err)
		}
		for path, mode := range want {
			if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
			}
		}
	}
}

// What belongs to another user is refused by name: it is not ours to change.
func TestTightenRefusesWhatIsNotOurs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	dir := t.TempDir()
	theirs := filepath.Join(dir, "keyset")
	if err := os.WriteFile(theirs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(theirs, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if err := Tighten(dir); err == nil || !strings.Contains(err.Error(), theirs) {
		t.Errorf("got %v, want the file named", err)
	}
}

// A home that is not there is nothing to tighten; what cannot be looked at is told.
func TestTightenTellsWhatItCannotSee(t *testing.T) {
	if err := Tighten(filepath.Join(t.TempDir(), "gone")); err != nil {
		t.Errorf("a home that is gone: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Tighten(filepath.Join(file, "home")); err == nil {
		t.Error("a home below a file is no error")
	}
}
