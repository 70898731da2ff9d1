package seal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// rotateOnce is a whole rotation of what lies outside of Qdrant.
func rotateOnce(k *Keys) error {
	if !k.Rotating() {
		if _, err := k.Rotate(); err != nil {
			return err
		}
	}
	_, unreadable, err := k.Reseal(context.Background())
	if err == nil && len(unreadable) > 0 {
		err = fmt.Errorf("unreadable: %v", unreadable)
	}
	if err == nil {
		err = k.Retire(0)
	}
	return err
}

// filled is a home with something of everything in it, and a check that all of
// it opens.
type filled struct {
	k            *Keys
	value        []byte
	conversation string
	message      []byte
	id           string
	digest       uint64
}

func fill(t testing.TB, k *Keys) filled {
	t.Helper()
	f := filled{k: k, conversation: uuid.NewString(), id: k.PointID(goldenCanonical), digest: k.Digest([]byte("x"))}
	c, err := k.NewConversation(f.conversation, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.message, err = c.Seal([]byte("a message"), place); err != nil {
		t.Fatal(err)
	}
	if f.value, err = k.Seal([]byte("a value"), place); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/user", "data/qdrant/catalogue"} {
		if err := k.File(name).Save([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Anchor("audit").Save("7 abc"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(k.home, "config.yaml"), []byte("policy: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// check opens all of it with other keys of the same home.
func (f filled) check(t testing.TB, k *Keys) {
	t.Helper()
	if k.StoreID() != f.k.StoreID() || k.PointID(goldenCanonical) != f.id || k.Digest([]byte("x")) != f.digest {
		t.Error("the store id, a point id or a digest changed")
	}
	for _, name := range []string{"data/user", "data/qdrant/catalogue"} {
		if got, err := k.File(name).Load(); err != nil || string(got) != name {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := k.Anchor("audit").Load(); err != nil || got != "7 abc" {
		t.Errorf("the anchor: %q, %v", got, err)
	}
	c, err := k.Conversation(f.conversation)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Open(f.message, place); err != nil || string(got) != "a message" {
		t.Errorf("a message: %q, %v", got, err)
	}
}

func TestRotation(t *testing.T) {
	for name, src := range map[string]Source{
		"keychain": inKeychain, "file": keyFile(t), "variable": {EnvVar: "CLOUDOPS_SEAL_TEST_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			home, key, v := newHome(t), freshKey(t), m.vault()
			t.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
			k, err := unlock(home, src, v)
			if err != nil {
				t.Fatal(err)
			}
			f := fill(t, k)
			old, before := k.Status(), keyText(t, k)
			renewed, err := k.Rotate()
			if err != nil || renewed == (name == "variable") {
				t.Fatalf("renewed %v, %v", renewed, err)
			}
			now := k.Status()
			if len(old.Keys) != 1 || len(now.Keys) != 2 || now.Keys[0].Use != UseSeals || now.Keys[1].Use != UseOpens ||
				now.Keys[1].ID != old.Keys[0].ID || now.Keys[0].Made.IsZero() || !k.Rotating() {
				t.Errorf("keys %+v, were %+v", now, old)
			}
			if _, err := k.Rotate(); !errors.Is(err, ErrRotating) {
				t.Errorf("a second rotation before the first is done: %v", err)
			}
			if k.Current(f.value) {
				t.Error("a value of before counts as new")
			}
			if got, err := k.Open(f.value, place); err != nil || string(got) != "a value" {
				t.Errorf("a value of before: %q, %v", got, err)
			}
			f.check(t, k)
			done, unreadable, err := k.Reseal(t.Context())
			want := 4 // two files, a conversation, the anchor
			if err != nil || len(unreadable) > 0 || done != want {
				t.Fatalf("%d were sealed anew, want %d; unreadable %v, %v", done, want, unreadable, err)
			}
			if again, _, err := k.Reseal(t.Context()); err != nil || again != 0 {
				t.Errorf("%d were sealed anew twice, %v", again, err)
			}
			if err := k.Retire(5); err != nil {
				t.Fatal(err)
			}
			if got, err := k.Open(f.value, place); err != nil || string(got) != "a value" {
				t.Errorf("a value that was read just before: %q, %v", got, err)
			}
			if last := k.Status().Keys; k.Rotating() || len(last) != 2 || last[1].Use != UseAudit {
				t.Errorf("keys %+v", last)
			}
			f.check(t, k)
			os.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
			again, err := unlock(home, src, v)
			if err != nil {
				t.Fatal(err)
			}
			f.check(t, again)
			if _, err := again.Open(f.value, place); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("a value under the dropped key: %v", err)
			}
			if fmt.Sprint(again.Status()) != fmt.Sprint(k.Status()) {
				t.Errorf("status %+v, was %+v", again.Status(), k.Status())
			}
			// What an old copy of the key opens is nothing that is there now.
			if name != "variable" {
				if after := keyText(t, k); after == before {
					t.Error("the key-encryption key is the same")
				}
			}
			if n := len(m.entries); name == "keychain" && n != 2 {
				t.Errorf("%d entries in the keychain, want the key and the anchor", n)
			}
			for path := range tree(t, filepath.Dir(k.source.File)) {
				if name == "file" && path != k.source.File {
					t.Errorf("%s is left", path)
				}
			}
			mustHideKey(t, key, k.Status(), tree(t, home))
		})
	}
}

// keyText is the key-encryption key at the source.
func keyText(t *testing.T, k *Keys) string {
	t.Helper()
	if k.source.EnvVar != "" {
		return ""
	}
	b, err := k.source.read(k.home, k.vault)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The hashes of the audit log are of its sealed records, so these stay under the
// keys that sealed them. An old key adds none.
func TestRetiredKeysOpenEarlierAuditRecordsOnly(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	at := func(n int, collection string) Place {
		return Place{Collection: collection, Point: strconv.Itoa(n), Field: "prev", Version: 1}
	}
	records := map[int][]byte{}
	other, err := k.Seal([]byte("x"), at(1, "file"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 9; n++ {
		if n == 4 || n == 7 {
			if _, err := k.Rotate(); err != nil {
				t.Fatal(err)
			}
			if err := k.Retire(uint64(n - 1)); err != nil {
				t.Fatal(err)
			}
		}
		if records[n], err = k.Seal([]byte(strconv.Itoa(n)), at(n, "audit")); err != nil {
			t.Fatal(err)
		}
	}
	for _, keys := range []*Keys{k, mustUnlock(t, k.home, Source{})} {
		for n, sealed := range records {
			if got, err := keys.Open(sealed, at(n, "audit")); err != nil || string(got) != strconv.Itoa(n) {
				t.Errorf("record %d: %q, %v", n, got, err)
			}
		}
		if _, err := keys.Open(other, at(1, "file")); keys != k && !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("another value under a retired key: %v", err)
		}
	}
	// Somebody with the first key seals a record of his own.
	thief := &Sealer{storeID: k.storeID, packer: k.main.packer}
	if thief.aead, err = newRing(k.content.retired); err != nil {
		t.Fatal(err)
	}
	later := mustUnlock(t, k.home, Source{})
	for n, ok := range map[string]bool{"6": true, "7": false, "10": false, "": false, "-1": false, "6 ": false, "six": false} {
		point := at(0, "audit")
		point.Point = n
		forged, err := thief.Seal([]byte("forged"), point)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := later.Open(forged, point); (err == nil) != ok {
			t.Errorf("a record %q under the second key: %v", n, err)
		}
	}
}

// Whatever a crash leaves between two steps of a rotation, the store opens, and
// the rotation can be ended.
func TestARotationSurvivesACrashBetweenAnySteps(t *testing.T) {
	var m memory
	home, v := newHome(t), m.vault()
	type moment struct {
		files   map[string]string
		entries map[string]string
	}
	var moments []moment
	recording := false
	look := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if recording {
			moments = append(moments, moment{tree(t, home), maps.Clone(m.entries)})
		}
	}
	watched := v
	watched.read = func(s, a string) (string, error) { look(); defer look(); return v.read(s, a) }
	watched.write = func(s, a, text string) error { look(); defer look(); return v.write(s, a, text) }
	watched.erase = func(s, a string) error { look(); defer look(); return v.erase(s, a) }
	k, err := unlock(home, inKeychain, watched)
	if err != nil {
		t.Fatal(err)
	}
	f := fill(t, k)
	recording = true
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	look()
	recording = false
	if len(moments) < 15 {
		t.Fatalf("only %d moments were seen", len(moments))
	}
	for i, at := range moments {
		if err := os.RemoveAll(home); err != nil {
			t.Fatal(err)
		}
		for path, b := range at.files {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.entries = maps.Clone(at.entries)
		again, err := unlock(home, Source{}, v)
		if err != nil {
			t.Fatalf("moment %d of %d: %v", i, len(moments), err)
		}
		f.check(t, again)
		if again.Rotating() {
			if err := rotateOnce(again); err != nil {
				t.Fatalf("moment %d: going on: %v", i, err)
			}
		}
		f.check(t, again)
		if last, err := unlock(home, Source{}, v); err != nil {
			t.Errorf("moment %d: at last: %v", i, err)
		} else {
			f.check(t, last)
		}
		if len(m.entries) != 2 {
			t.Errorf("moment %d: %d entries are left in the keychain, want the key and the anchor", i, len(m.entries))
		}
	}
}

// A new key that can't be kept changes nothing, and is left nowhere.
func TestARotationNeedsASourceThatKeepsTheKey(t *testing.T) {
	broken := errors.New("no space left")
	for name, breaks := range map[string]func(v *vault, home string){
		"refused": func(v *vault, _ string) { v.write = func(string, string, string) error { return broken } },
		"lost":    func(v *vault, _ string) { v.write = func(string, string, string) error { return nil } },
		"another": func(v *vault, _ string) {
			write, other := v.write, freshKey(t)
			v.write = func(service, account, _ string) error { return write(service, account, other) }
		},
		"kept, but the keyset can't be written": func(v *vault, home string) {
			write := v.write
			v.write = func(service, account, text string) error {
				block(t, keysetPath(home))
				return write(service, account, text)
			}
		},
	} {
		var m memory
		v := m.vault()
		k, err := unlock(newHome(t), inKeychain, v)
		if err != nil {
			t.Fatal(err)
		}
		f := fill(t, k)
		entries := maps.Clone(m.entries)
		breaks(&k.vault, k.home)
		kept := strings.HasPrefix(name, "kept")
		if renewed, err := k.Rotate(); err == nil || renewed || errors.Is(err, ErrUnavailable) == kept {
			t.Errorf("%s: renewed %v, %v", name, renewed, err)
		}
		if k.Rotating() || !k.Current(f.value) || len(k.Status().Keys) != 1 {
			t.Errorf("%s: the key changed", name)
		}
		if !maps.Equal(m.entries, entries) {
			t.Errorf("%s: the keychain holds %d entries, other ones than before", name, len(m.entries))
		}
		f.check(t, k)
		if err := os.RemoveAll(keysetPath(k.home) + ".tmp"); err != nil {
			t.Fatal(err)
		}
		if ks, err := readKeyset(k.home); err != nil || ks.Next && !kept {
			t.Errorf("%s: the keyset file still tells of a key beside, %v", name, err)
		}
		again, err := unlock(k.home, Source{}, v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.check(t, again)
		if _, err := again.Rotate(); err != nil {
			t.Errorf("%s: once all is well: %v", name, err)
		}
	}
}

// A new key that counts but can't be put in the old one's place yet stays beside
// it, and the store opens with it at every start until it can.
func TestANewKeyIsPutInItsPlaceLater(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	f := fill(t, mustUnlock(t, home, src))
	block(t, src.File)
	if renewed, err := f.k.Rotate(); err != nil || !renewed {
		t.Fatalf("renewed %v, %v", renewed, err)
	}
	for _, blocked := range []bool{true, true, false, false} {
		if !blocked {
			if err := os.RemoveAll(src.File + ".tmp"); err != nil {
				t.Fatal(err)
			}
		}
		k, err := Unlock(home, src)
		if err != nil {
			t.Fatalf("its place can't be written: %v: %v", blocked, err)
		}
		f.check(t, k)
		if _, err := os.Stat(src.File + ".next"); (err == nil) != blocked {
			t.Errorf("its place can't be written: %v, but of the key beside it: %v", blocked, err)
		}
	}
}

func TestTwoProcessesChangeTheKeysetInTurn(t *testing.T) {
	// With a variable the key-encryption key stays, so that both can read what the
	// other wrote.
	for name, src := range map[string]Source{"file": keyFile(t), "variable": {EnvVar: "CLOUDOPS_SEAL_TEST_KEY"}} {
		home, key := newHome(t), freshKey(t)
		start := func() *Keys {
			t.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
			return mustUnlock(t, home, src)
		}
		one, two := start(), start()
		fill(t, one)
		if _, err := one.Rotate(); err != nil {
			t.Fatal(err)
		}
		for doing, change := range map[string]func() error{
			"rotating":          func() error { _, err := two.Rotate(); return err },
			"dropping old keys": func() error { return two.Retire(0) },
			"noting an export":  two.Exported,
			"noting the import": two.ImportNoted,
		} {
			if err := change(); err == nil || !strings.Contains(err.Error(), "another process changed the keyset file") {
				t.Errorf("%s: %s over another process's rotation: %v", name, doing, err)
			}
		}
		if one.Stale() || !two.Stale() {
			t.Errorf("%s: stale %v and %v, want the second only", name, one.Stale(), two.Stale())
		}
		if got := start().Status().Keys; len(got) != 2 {
			t.Errorf("%s: keys %+v", name, got)
		}
	}
}

func TestWhatDoesNotOpenIsToldAndLeft(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	f := fill(t, k)
	damaged := []string{filepath.Join(k.home, "data/user"), filepath.Join(k.home, "data/conversations", f.conversation+".key")}
	var before []string
	for _, path := range damaged {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		before = append(before, string(b))
	}
	if _, err := k.Rotate(); err != nil {
		t.Fatal(err)
	}
	done, unreadable, err := k.Reseal(t.Context())
	if err != nil || done != 2 || len(unreadable) != 2 {
		t.Errorf("%d sealed anew, unreadable %v, %v", done, unreadable, err)
	}
	for i, path := range damaged {
		if b, err := os.ReadFile(path); err != nil || string(b) != before[i] {
			t.Errorf("%s was changed, %v", path, err)
		}
	}
}

// Whoever saves or begins a conversation during a rotation leaves nothing
// behind that a retired key would be needed for.
func TestWritersDuringARotation(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	f := fill(t, k)
	var writers sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	var ids []string
	for n := range 4 {
		writers.Go(func() {
			name := "data/file-" + strconv.Itoa(n)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := k.File(name).Save([]byte(strconv.Itoa(i))); err != nil {
					t.Error(err)
				}
				if got, err := k.File(name).Load(); err != nil || string(got) != strconv.Itoa(i) {
					t.Errorf("%s: %q, want %d, %v", name, got, i, err)
				}
				if i >= 20 {
					continue
				}
				id := uuid.NewString()
				if _, err := k.NewConversation(id, nil); err != nil {
					t.Error(err)
				}
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	for range 5 {
		if err := rotateOnce(k); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	writers.Wait()
	again := mustUnlock(t, k.home, Source{})
	f.check(t, again)
	for _, id := range ids {
		if _, err := again.Conversation(id); err != nil {
			t.Error(err)
		}
	}
	for n := range 4 {
		if _, err := again.File("data/file-" + strconv.Itoa(n)).Load(); err != nil {
			t.Error(err)
		}
	}
}

func TestAKilledRotationLosesNothing(t *testing.T) {
	rounds := 20
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		rounds = 500
	}
	home, src := newHome(t), Source{File: filepath.Join(t.TempDir(), "keys", "kek")}
	f := fill(t, mustUnlock(t, home, src))
	for round := range rounds {
		cmd := childCommand(t, childTask{Home: home, Source: src, Rotate: true})
		says, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// After a few whole rotations, anywhere in the next one.
		lines := bufio.NewScanner(says)
		for range 1 + rand.IntN(3) {
			if !lines.Scan() || lines.Text() != "rotated" {
				t.Errorf("the child says %q, %v", lines.Text(), lines.Err())
			}
		}
		time.Sleep(rand.N(20 * time.Millisecond)) // a moment that nothing chooses
		cmd.Process.Kill()
		cmd.Wait()
		k, err := Unlock(home, src)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		f.check(t, k)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	k := mustUnlock(t, home, Source{})
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	f.check(t, k)
	for path, b := range tree(t, filepath.Dir(src.File)) {
		if path != src.File || bytes.Count([]byte(b), []byte("\n")) != 1 {
			t.Errorf("%s is left beside the key", path)
		}
	}
}
