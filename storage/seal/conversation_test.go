package seal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/cloudops/cloudops/storage/home"
)

func TestDeletedConversationsNeverOpenAgain(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	k := mustUnlock(t, home, src)
	id, other := uuid.NewString(), uuid.NewString()
	c, err := k.NewConversation(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := k.NewConversation(other, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := Place{Collection: "chat_history", Point: uuid.NewString(), Field: "content"}
	sealed, err := c.Seal([]byte("Stop pg-instance-main1"), at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(sealed, at); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("the store's own key opens a message: %v", err)
	}
	if _, err := o.Open(sealed, at); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("another conversation opens a message: %v", err)
	}

	again := mustUnlock(t, home, src)
	ids, err := again.Conversations()
	want := []string{id, other}
	slices.Sort(want)
	if err != nil || !slices.Equal(ids, want) {
		t.Fatalf("%v, %v", ids, err)
	}
	c, err = again.Conversation(id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Open(sealed, at); err != nil || string(got) != "Stop pg-instance-main1" {
		t.Fatalf("%q, %v", got, err)
	}

	for range 2 {
		if err := again.DeleteConversation(id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Open(sealed, at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sealer from before the deletion opens a message: %v", err)
	}
	if _, err := c.Seal(nil, at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a sealer from before the deletion seals: %v", err)
	}
	for _, keys := range []*Keys{again, mustUnlock(t, home, src)} {
		if _, err := keys.Conversation(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the key is back: %v", err)
		}
		if ids, err := keys.Conversations(); err != nil || !slices.Equal(ids, []string{other}) {
			t.Errorf("%v, %v", ids, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(home, "data", "conversations", "*"+id+"*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADeletionCutShortIsToldAndFinished(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	id, other := uuid.NewString(), uuid.NewString()
	k := mustUnlock(t, home, src)
	for _, id := range []string{id, other} {
		if _, err := k.NewConversation(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(home, "data", "conversations", id+".key")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := k.DestroyConversation(id); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || len(b) != len(whole) || string(bytes.TrimRight(b, "\x00")) != erasedMark {
		t.Fatalf("the key file holds %x, %v", b, err)
	}
	again := mustUnlock(t, home, src)
	for _, k := range []*Keys{k, again} {
		if _, err := k.Conversation(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		if ids, err := k.Destroyed(); err != nil || !slices.Equal(ids, []string{id}) {
			t.Errorf("destroyed: %v, %v; want %s", ids, err, id)
		}
	}
	if err := again.DeleteConversation(id); err != nil {
		t.Fatal(err)
	}
	if ids, err := again.Destroyed(); err != nil || len(ids) != 0 {
		t.Errorf("destroyed: %v, %v; want none", ids, err)
	}
	if ids, err := again.Conversations(); err != nil || !slices.Equal(ids, []string{other}) {
		t.Errorf("left: %v, %v; want %s", ids, err, other)
	}
}

// Between the two steps of a deletion something may come in its way. The key is
// gone for good then, but who deletes must hear that a file is left.
func TestADeletionThatLeavesItsFileIsAnError(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	f := fill(t, k)
	stop := home.WatchSyncs(func(path string) {
		if path == f.keyPath() { // it is erased now, and to be removed next
			replaceBy(t, path, func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) })
		}
	})
	err := k.DeleteConversation(f.conversation)
	stop()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want an error", err)
	}
}

func TestConversationKeyFiles(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	k := mustUnlock(t, home, src)
	id, other := uuid.NewString(), uuid.NewString()
	for _, id := range []string{id, other} {
		if _, err := k.NewConversation(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.NewConversation(id, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := k.Conversation(uuid.NewString()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("never made: %v", err)
	}
	for _, bad := range []string{"", "..", "../keyset", "{" + id + "}", "urn:uuid:" + id, id + "\x00", "ABCDEF00-0000-4000-8000-000000000000", id[:35]} {
		if _, err := k.NewConversation(bad, nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("made %q: %v", bad, err)
		}
		if _, err := k.Conversation(bad); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("opened %q: %v", bad, err)
		}
		if err := k.DeleteConversation(bad); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("deleted %q: %v", bad, err)
		}
		if err := k.DestroyConversation(bad); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("destroyed %q: %v", bad, err)
		}
	}

	dir := filepath.Join(home, "data", "conversations")
	path := filepath.Join(dir, id+".key")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := mustUnlock(t, home, src).Conversation(id); !errors.Is(err, ErrUnauthenticated) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
	// The key of one conversation must not serve as that of another.
	if err := os.WriteFile(filepath.Join(dir, other+".key"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := mustUnlock(t, home, src).Conversation(other); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a swapped key opened: %v", err)
	}
}
