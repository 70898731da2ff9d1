//go:build unix

package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

// What makes the test binary a child that lives with a fault; each names a home.
const (
	fullHome     = "CLOUDOPS_TEST_FULL_HOME"
	readOnlyHome = "CLOUDOPS_TEST_READ_ONLY_HOME"
)

// child runs the test binary as one that lives with a fault.
func child(t *testing.T, variable, home string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx := context.Background()
	h := newHome(t)
	child(t, fullHome, h.dir)
	s := h.open(t)
	if ps := s.Health().Problems; len(ps) > 0 {
		t.Errorf("afterwards there are problems: %v", ps)
	}
	for i := range 4000 {
		if i%999 == 0 {
			if r, err := s.Estate.Get(ctx, instance(i).Key()); err != nil || r.State != "stopped" {
				t.Errorf("Get = %+v, %v", r, err)
			}
		}
	}
	cs, err := s.Chat.Conversations(ctx)
	if err != nil || len(cs) != 1 {
		t.Fatalf("Conversations = %v, %v", cs, err)
	}
	ms, err := s.Chat.History(ctx, cs[0].ID, 0)
	if err != nil || len(ms) != 2 || ms[0].Content != "before" || ms[1].Content != "after" || ms[1].Index != 1 {
		t.Errorf("History = %v, %v", ms, err)
	}
}

// onAFullDisk fills the disk, as far as this process may write, and makes room again.
func onAFullDisk(home string) error {
	ctx := context.Background()
	signal.Ignore(syscall.SIGXFSZ)
	keys, err := seal.Unlock(home, seal.Source{})
	if err != nil {
		return err
	}
	s, err := Open(ctx, Config{}, keys, &kind.Set{})
	if err != nil {
		return err
	}
	rs := instances(4000)
	id, err := s.Chat.Create(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "before"}); err != nil {
		return err
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs[:100]); err != nil {
		return err
	}
	// Each file may be as large as it is.
	limit := func(n uint64) error {
		return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY})
	}
	if err := limit(1024); err != nil {
		return err
	}
	for i := range rs {
		rs[i].State = "stopped"
	}
	for range 2 {
		if _, err := s.Estate.BulkUpsert(ctx, rs); err == nil || !strings.Contains(err.Error(), "disk") && !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("BulkUpsert on a full disk: %v", err)
		}
		if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "lost"}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			return fmt.Errorf("Append on a full disk: %v", err)
		}
		if r, err := s.Estate.Get(ctx, rs[99].Key()); err != nil || r.State != "available" {
			return fmt.Errorf("reading on a full disk: %+v, %v", r, err)
		}
	}
	if err := limit(unix.RLIM_INFINITY); err != nil {
		return err
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "after"}); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	return s.Close()
}

func TestAReadOnlyFolderIsToldOf(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	if err := s.Estate.Upsert(context.Background(), instance(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(filepath.Dir(h.dir), "key")
	modes := func(folder, file fs.FileMode) {
		for _, root := range []string{h.dir, key} {
			err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if os.Getuid() == 0 { // who may write whatever the modes say; the child is nobody
					if err := os.Lchown(path, nobody, nobody); err != nil {
						return err
					}
				}
				if d.IsDir() {
					return os.Chmod(path, folder)
				}
				return os.Chmod(path, file)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// The folders above belong to the test alone.
	for dir := filepath.Dir(h.dir); dir != filepath.Dir(os.TempDir()) && strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := map[string]string{}
	for _, path := range files(t, h.dir) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before[path] = string(b)
	}
	for _, mode := range []fs.FileMode{0o500, 0o700} { // folders, then files only
		modes(mode, 0o400)
		child(t, readOnlyHome, h.dir)
	}
	modes(0o700, 0o600)
	for path, want := range before {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s was changed, %v", path, err)
		}
	}
}

const nobody = 65534

// onAReadOnlyHome opens a store that it may not write to.
func onAReadOnlyHome(home string) error {
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return err
		}
	}
	keys, err := seal.Unlock(home, seal.Source{})
	if err != nil {
		return err
	}
	_, err = Open(context.Background(), Config{}, keys, &kind.Set{})
	if err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "cannot be written to; make the folder") {
		return fmt.Errorf("Open of a read-only store: %v", err)
	}
	return nil
}

func livesWithAFault() (bool, error) {
	if home := os.Getenv(fullHome); home != "" {
		return true, onAFullDisk(home)
	}
	if home := os.Getenv(readOnlyHome); home != "" {
		return true, onAReadOnlyHome(home)
	}
	return false, nil
}
