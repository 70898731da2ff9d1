package seal

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloudops/cloudops/storage/home"
)

// What was acknowledged is on the disk, and so is its place in the folder: a kill
// keeps what the system has in memory, a power cut does not.
func TestEveryWriteIsSynced(t *testing.T) {
	src := keyFile(t)
	dir := newHome(t)
	k := mustUnlock(t, dir, src)
	id := uuid.NewString()
	conversations := filepath.Join(dir, "data", "conversations")
	key := filepath.Join(conversations, id+".key")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		do    func() error
		wants []string // in this order, others may come between
	}{
		{"a file", func() error { return ReplaceFile(filepath.Join(dir, "plain"), []byte("x")) }, []string{filepath.Join(dir, "plain.tmp"), dir}},
		{"a sealed file", func() error { return k.File("data/user").Save([]byte("x")) },
			[]string{filepath.Join(dir, "data", "user.tmp"), filepath.Join(dir, "data")}},
		{"one that is removed", func() error { return k.File("data/user").Remove() }, []string{filepath.Join(dir, "data")}},
		{"an anchor", func() error { return k.Anchor("audit").Save("1 x") }, []string{filepath.Join(dir, "anchor-audit.tmp"), dir}},
		{"a file set aside", func() error { _, err := SetAside(filepath.Join(dir, "plain")); return err }, []string{dir}},
		{"a conversation's key", func() error { _, err := k.NewConversation(id, nil); return err },
			[]string{key + ".tmp", conversations, filepath.Join(dir, "data"), dir}},
		{"one that is erased", func() error { return k.DestroyConversation(id) }, []string{key}},
		{"one that is deleted", func() error { return k.DeleteConversation(id) }, []string{key, conversations}},
		{"new keys", func() error { _, err := k.Rotate(); return err },
			[]string{filepath.Join(dir, "keyset.tmp"), dir, src.File + ".next.tmp", filepath.Dir(src.File), filepath.Join(dir, "keyset.tmp"), dir, src.File + ".tmp", filepath.Dir(src.File)}},
		{"a first run", func() error {
			_, err := Unlock(filepath.Join(filepath.Dir(dir), "another"), Source{File: filepath.Join(filepath.Dir(src.File), "new", "kek")})
			return err
		}, []string{filepath.Join(filepath.Dir(src.File), "new"), filepath.Join(filepath.Dir(dir), "another", "keyset.tmp"), filepath.Join(filepath.Dir(dir), "another")}},
	} {
		var synced []string
		stop := home.WatchSyncs(func(path string) { synced = append(synced, path) })
		err := c.do()
		stop()
		must(err)
		rest := synced
		for _, want := range c.wants {
			at := slices.Index(rest, want)
			if at < 0 {
				t.Errorf("%s: %s is not synced in its turn: %s", c.name, want, strings.Join(synced, ", "))
				break
			}
			rest = rest[at+1:]
		}
	}
	if _, err := os.Stat(key); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// What was read under a key that a rotation dropped may still be opened, for a
// moment; then the key opens nothing.
func TestAFormerKeyOpensForAMomentOnly(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	at := Place{Collection: "file", Point: "x", Field: "content"}
	old, err := k.Seal([]byte("what was said"), at)
	if err != nil {
		t.Fatal(err)
	}
	next, err := withNewKey(k.values.now.Load().handle)
	if err == nil {
		next, err = primaryOnly(next)
	}
	if err != nil {
		t.Fatal(err)
	}
	ready, err := openRing(next)
	if err != nil {
		t.Fatal(err)
	}
	k.values.replace(ready)
	if _, err := k.Open(old, at); err != nil {
		t.Errorf("at once: %v", err)
	}
	k.values.before.Store(&former{k.values.before.Load().opened, time.Now().Add(-time.Nanosecond)})
	if _, err := k.Open(old, at); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("after %s: %v, want ErrUnauthenticated", formerTime, err)
	}
}
