package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloudops/cloudops/storage/home"
)

// put writes a file of a home, and its folders.
func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// replaceBy puts something else in a file's place.
func replaceBy(t testing.TB, path string, put func(path string) error) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := put(path); err != nil {
		t.Fatal(err)
	}
}

// block makes the next write of a file fail, as a full disk would.
func block(t testing.TB, path string) {
	t.Helper()
	put(t, filepath.Join(path+".tmp", "in the way"), "")
}

func link(path string) error { return os.Symlink("elsewhere", path) }

func aFile(path string) error { return os.WriteFile(path, nil, 0o600) }

// A pass seals anew what an earlier key sealed and nothing else, and a second
// one finds nothing to do: until then the old keys are not dropped.
func TestWhatAResealSealsSkipsAndTells(t *testing.T) {
	const all = 4 // two files, the anchor, a conversation
	for name, c := range map[string]struct {
		// prepare changes what fill made and returns the files that must stay as
		// they are.
		prepare func(t *testing.T, f filled) []string
		src     Source
		done    int
		tells   string
	}{
		"everything": {done: all},
		"a deletion that was cut short": {done: all - 1, prepare: func(t *testing.T, f filled) []string {
			if err := f.k.DestroyConversation(f.conversation); err != nil {
				t.Fatal(err)
			}
			return []string{f.keyPath()}
		}},
		"a conversation's key cut to nothing": {done: all - 1, tells: "the key of conversation", prepare: func(t *testing.T, f filled) []string {
			put(t, f.keyPath(), "")
			return []string{f.keyPath()}
		}},
		"a conversation's key of zeros": {done: all - 1, tells: "the key of conversation", prepare: func(t *testing.T, f filled) []string {
			put(t, f.keyPath(), strings.Repeat("\x00", 200))
			return []string{f.keyPath()}
		}},
		"files too short to be sealed ones": {done: all, prepare: func(t *testing.T, f filled) []string {
			var short []string
			for n := range 1 + tinkPrefixSize {
				path := filepath.Join(f.k.home, "data", "short"+strings.Repeat("x", n))
				put(t, path, "\x01\x01\x00\x00\x00\x00"[:n])
				short = append(short, path)
			}
			return short
		}},
		"files of other programs": {done: all, prepare: func(t *testing.T, f filled) []string {
			other, err := mustUnlock(t, newHome(t), keyFile(t)).Seal([]byte("x"), place)
			if err != nil {
				t.Fatal(err)
			}
			foreign := []string{filepath.Join(f.k.home, "data", "sealed"), filepath.Join(f.k.home, "data", "qdrant-local", "segment")}
			put(t, foreign[0], string(other))
			put(t, foreign[1], "\x01\x02\x00\x00\x00\x00 a segment")
			return foreign
		}},
		"what was set aside or left unfinished": {done: all, prepare: func(t *testing.T, f filled) []string {
			user := filepath.Join(f.k.home, "data", "user")
			b, err := os.ReadFile(user)
			if err != nil {
				t.Fatal(err)
			}
			left := []string{home.Aside(user, time.Now()), filepath.Join(f.k.home, "data", "other.tmp")}
			for _, path := range left {
				put(t, path, string(b))
			}
			return left
		}},
		"an anchor in the keychain": {src: inKeychain, done: all},
		"a damaged anchor in the keychain": {src: inKeychain, done: all - 1, tells: "the anchor of audit", prepare: func(t *testing.T, f filled) []string {
			service, account := f.k.Anchor("audit").entry()
			damaged := base64.StdEncoding.EncodeToString(append([]byte{format, tinkPrefix}, make([]byte, 40)...))
			if err := f.k.vault.set(service, account, damaged); err != nil {
				t.Fatal(err)
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			src := c.src
			if src == (Source{}) {
				src = keyFile(t)
			}
			k, err := unlock(newHome(t), src, new(memory).vault())
			if err != nil {
				t.Fatal(err)
			}
			f := fill(t, k)
			var stay []string
			if c.prepare != nil {
				stay = c.prepare(t, f)
			}
			if _, err := k.Rotate(); err != nil {
				t.Fatal(err)
			}
			before := tree(t, k.home)
			for _, want := range []int{c.done, 0} {
				done, unreadable, err := k.Reseal(t.Context())
				if told := strings.Join(unreadable, ", "); err != nil || done != want || !strings.Contains(told, c.tells) || (told == "") != (c.tells == "") {
					t.Errorf("%d sealed anew, unreadable %q, %v; want %d, %q", done, told, err, want, c.tells)
				}
			}
			after := tree(t, k.home)
			for _, path := range stay {
				if after[path] != before[path] {
					t.Errorf("%s was changed", path)
				}
			}
		})
	}
}

// An error of reading or writing comes back, and everything is as it was: what a
// caller takes for done is done.
func TestAnErrorComesBackAndChangesNothing(t *testing.T) {
	refused := errors.New("refused")
	reseal := func(f filled) error {
		_, _, err := f.k.Reseal(context.Background())
		return err
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, f filled)
		do      func(f filled) error
		want    error // nil for any
	}{
		"sealing anew, a file can't be written":               {func(t *testing.T, f filled) { block(t, filepath.Join(f.k.home, "data", "user")) }, reseal, nil},
		"sealing anew, a conversation's key can't be written": {func(t *testing.T, f filled) { block(t, f.keyPath()) }, reseal, nil},
		"sealing anew, a conversation's key is a link":        {func(t *testing.T, f filled) { replaceBy(t, f.keyPath(), link) }, reseal, nil},
		"sealing anew, the conversations can't be listed":     {func(t *testing.T, f filled) { replaceBy(t, f.k.conversationDir(), aFile) }, reseal, nil},
		"sealing anew, the home can't be reached": {func(t *testing.T, f filled) {
			f.k.home = filepath.Join(f.k.home, "config.yaml", "home")
		}, reseal, nil},
		"sealing anew, cancelled": {nil, func(f filled) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			done, _, err := f.k.Reseal(ctx)
			if done > 1 {
				return nil // it went on
			}
			return err
		}, context.Canceled},
		"finishing deletions, the conversations can't be listed": {func(t *testing.T, f filled) { replaceBy(t, f.k.conversationDir(), aFile) },
			func(f filled) error { _, err := f.k.Destroyed(); return err }, nil},
		"beginning a conversation, what comes first fails": {nil,
			func(f filled) error {
				_, err := f.k.NewConversation(uuid.NewString(), func(*Sealer) error { return refused })
				return err
			}, refused},
		"destroying a key that is a link": {func(t *testing.T, f filled) { replaceBy(t, f.keyPath(), link) },
			func(f filled) error { return f.k.DestroyConversation(f.conversation) }, nil},
		"deleting a key that is a folder": {func(t *testing.T, f filled) {
			replaceBy(t, f.keyPath(), func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) })
		}, func(f filled) error { return f.k.DeleteConversation(f.conversation) }, nil},
		"dropping a conversation's old keys, they can't be written": {func(t *testing.T, f filled) { block(t, f.keyPath()) },
			func(f filled) error { return f.k.RetireConversation(f.conversation) }, nil},
		"dropping a conversation's old keys, they are damaged": {func(t *testing.T, f filled) {
			put(t, f.keyPath(), "\x01damaged")
			f.k.conversations = map[string]*Sealer{}
		}, func(f filled) error { return f.k.RetireConversation(f.conversation) }, ErrUnauthenticated},
		"dropping the old keys of a deleted conversation": {func(t *testing.T, f filled) {
			if err := f.k.DestroyConversation(f.conversation); err != nil {
				t.Fatal(err)
			}
		}, func(f filled) error { return f.k.RetireConversation(f.conversation) }, fs.ErrNotExist},
		"dropping the old keys, the keyset can't be written": {func(t *testing.T, f filled) { block(t, keysetPath(f.k.home)) },
			func(f filled) error { return f.k.Retire(0) }, nil},
		"noting an export, the keyset can't be written": {func(t *testing.T, f filled) { block(t, keysetPath(f.k.home)) },
			func(f filled) error { return f.k.Exported() }, nil},
		"noting an export, the keyset is damaged": {func(t *testing.T, f filled) { put(t, keysetPath(f.k.home), "x") },
			func(f filled) error { return f.k.Exported() }, ErrCorrupt},
		"moving the key, the keyset is damaged": {func(t *testing.T, f filled) { put(t, keysetPath(f.k.home), "x") },
			func(f filled) error { return moved(f.k.home, inKeychain, f.k.vault) }, ErrCorrupt},
		"moving the key, there is no keyset": {func(t *testing.T, f filled) { replaceBy(t, keysetPath(f.k.home), func(string) error { return nil }) },
			func(f filled) error { return moved(f.k.home, inKeychain, f.k.vault) }, errNoKeyset},
		"moving the key while it is replaced": {func(t *testing.T, f filled) {
			c := f.k.content
			c.next = true
			if err := c.write(f.k.home); err != nil {
				t.Fatal(err)
			}
		}, func(f filled) error { return moved(f.k.home, inKeychain, f.k.vault) }, ErrRotating},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := unlock(newHome(t), keyFile(t), new(memory).vault())
			if err != nil {
				t.Fatal(err)
			}
			dir, f := k.home, fill(t, k)
			if _, err := k.Rotate(); err != nil { // so that there are old keys
				t.Fatal(err)
			}
			if c.prepare != nil {
				c.prepare(t, f)
			}
			files, status := names(t, dir), k.Status()
			keyset, key := contents(keysetPath(dir)), contents(f.keyPath())
			if err := c.do(f); err == nil || !errors.Is(err, c.want) && c.want != nil {
				t.Errorf("%v, want an error, %v", err, c.want)
			}
			if after := names(t, dir); !slices.Equal(after, files) {
				t.Errorf("there is now %v, was %v", after, files)
			}
			if contents(keysetPath(dir)) != keyset || contents(f.keyPath()) != key {
				t.Error("a file of keys was changed")
			}
			if now := k.Status(); !slices.Equal(now.Keys, status.Keys) || !now.Exported.Equal(status.Exported) || !k.Rotating() {
				t.Errorf("status %+v, was %+v", now, status)
			}
			if got, err := k.Open(f.value, place); err != nil || string(got) != "a value" {
				t.Errorf("a value of before: %q, %v", got, err)
			}
		})
	}
}

func (f filled) keyPath() string {
	return filepath.Join(f.k.conversationDir(), f.conversation+conversationSuffix)
}

// contents is "" for what can't be read.
func contents(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// names lists what lies in a folder and below, links as they are.
func names(t testing.TB, dir string) []string {
	t.Helper()
	all := map[string]bool{}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		all[path+" "+d.Type().String()] = true
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(all))
}

// When a conversation's old keys are dropped, whoever holds its sealer seals
// under the newest, no copy of the file on the disk keeps the old ones, and
// other conversations keep theirs.
func TestRetiringTheKeysOfOneConversation(t *testing.T) {
	for name, restart := range map[string]bool{"in use": false, "not in use since the start": true} {
		t.Run(name, func(t *testing.T) {
			k := mustUnlock(t, newHome(t), keyFile(t))
			f := fill(t, k)
			other := uuid.NewString()
			if _, err := k.NewConversation(other, nil); err != nil {
				t.Fatal(err)
			}
			if err := rotateOnce(k); err != nil {
				t.Fatal(err)
			}
			held := func() *Sealer { // as of now
				c, err := k.Conversation(f.conversation)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			if c := held(); !c.Renewing() || c.Current(f.message) {
				t.Fatal("the conversation got no new key")
			}
			// Another name of the file, as the blocks of a replaced one that are still
			// on the disk.
			kept := filepath.Join(t.TempDir(), "kept")
			if err := os.Link(f.keyPath(), kept); err != nil {
				t.Fatal(err)
			}
			var before *Sealer
			if restart {
				k = mustUnlock(t, k.home, Source{})
			} else {
				before = held()
			}
			if err := k.RetireConversation(f.conversation); err != nil {
				t.Fatal(err)
			}
			c := held()
			if before != nil && c != before {
				t.Error("whoever held the sealer holds another one now")
			}
			if c.Renewing() {
				t.Error("the old keys are kept")
			}
			if !erased([]byte(contents(kept))) {
				t.Error("the replaced file still holds the old keys")
			}
			said, err := c.Seal([]byte("later"), place)
			if err != nil {
				t.Fatal(err)
			}
			again := mustUnlock(t, k.home, Source{})
			c, err = again.Conversation(f.conversation)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := c.Open(said, place); err != nil || string(got) != "later" {
				t.Errorf("what was said since: %q, %v", got, err)
			}
			if _, err := c.Open(f.message, place); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("under the dropped key: %v", err)
			}
			if o, err := again.Conversation(other); err != nil || !o.Renewing() {
				t.Errorf("another conversation lost its old keys, %v", err)
			}
		})
	}
}

// The earlier keys of a conversation may never be dropped, such as when a message
// is kept back. Its file can always be read all the same.
func TestTheKeysOfAConversationDoNotGrowForever(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	f := fill(t, k)
	c, err := k.Conversation(f.conversation)
	if err != nil {
		t.Fatal(err)
	}
	h := c.aead.now.Load().handle
	for h.Len() < maxConversationKeys {
		if h, err = withNewKey(h); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.replaceConversation(f.conversation, f.keyPath(), h); err != nil {
		t.Fatal(err)
	}
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	again := mustUnlock(t, k.home, Source{})
	f.check(t, again)
	if c, err = again.Conversation(f.conversation); err != nil || c.aead.now.Load().handle.Len() != maxConversationKeys {
		t.Errorf("%v, want %d keys", err, maxConversationKeys)
	}
}

// A keychain without an anchor has nothing to seal anew; one that does not answer
// is an error, and no damage.
func TestResealingAnAnchorInTheKeychain(t *testing.T) {
	var m memory
	k, err := unlock(newHome(t), inKeychain, m.vault())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	if done, unreadable, err := k.Reseal(t.Context()); done != 0 || unreadable != nil || err != nil {
		t.Errorf("without an anchor: %d, %q, %v", done, unreadable, err)
	}
	k.vault.read = func(string, string) (string, error) { return "", errors.New("the keychain is locked") }
	if _, unreadable, err := k.Reseal(t.Context()); unreadable != nil || !errors.Is(err, ErrUnavailable) {
		t.Errorf("without an answer: %q, %v", unreadable, err)
	}
}
