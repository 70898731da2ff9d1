package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// TestMain lets the test binary stand in for further cloudops processes.
func TestMain(m *testing.M) {
	if task := os.Getenv("SEAL_TEST_CHILD"); task != "" {
		os.Exit(child(task))
	}
	os.Exit(m.Run())
}

// outcome is what a child process reports of an Unlock.
type outcome struct {
	StoreID, Source, Notices, Anchor, AnchorWhere string
	// Err is the error, Kind the sentinel it matches.
	Err, Kind string
}

type childTask struct {
	Home   string
	Source Source
	// SaveAnchor is saved when not empty; else the anchor is loaded.
	SaveAnchor string
	// Forget is the account of a keychain entry to remove instead of unlocking.
	Forget string
	// Rotate rotates, seals anew and retires again and again until killed.
	Rotate bool
	// RotateOnce rotates, seals anew and retires. MoveTo moves the key there.
	RotateOnce bool
	MoveTo     *Source
}

func child(text string) int {
	var task childTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var o outcome
	if task.Forget != "" {
		if err := keyring.Delete(defaultService, task.Forget); err != nil {
			o.Err = err.Error()
		}
		json.NewEncoder(os.Stdout).Encode(o)
		return 0
	}
	if task.MoveTo != nil {
		i, err := OpenMove(task.Home, *task.MoveTo)
		if err == nil {
			err = i.Store()
		}
		if err != nil {
			o.Err = err.Error()
			json.NewEncoder(os.Stdout).Encode(o)
			return 0
		}
	}
	k, err := Unlock(task.Home, task.Source)
	if err == nil && task.RotateOnce {
		err = rotateOnce(k)
	}
	if err == nil {
		o.StoreID, o.Source, o.Notices = k.StoreID(), k.Source(), strings.Join(k.Notices(), "\n")
		a := k.Anchor("audit")
		o.AnchorWhere = a.Where()
		for err == nil && task.Rotate {
			if err = rotateOnce(k); err == nil {
				fmt.Fprintln(os.Stderr, "rotated")
			}
		}
		if task.SaveAnchor != "" {
			err = a.Save(task.SaveAnchor)
		} else {
			o.Anchor, err = a.Load()
		}
	}
	if err != nil {
		o.Err = err.Error()
		for kind, sentinel := range map[string]error{
			"no key": ErrNoKey, "wrong key": ErrWrongKey, "unavailable": ErrUnavailable, "corrupt": ErrCorrupt,
		} {
			if errors.Is(err, sentinel) {
				o.Kind = kind
			}
		}
	}
	json.NewEncoder(os.Stdout).Encode(o)
	return 0
}

// childCommand is another process that unlocks a home; wrap are words before it.
func childCommand(t testing.TB, task childTask, wrap ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	args := append(wrap, self)
	cmd := exec.Command(args[0], args[1:]...)
	// The race detector would let every process linger for a second.
	cmd.Env = append(os.Environ(), "SEAL_TEST_CHILD="+string(text), "GORACE=atexit_sleep_ms=0")
	return cmd
}

func runChild(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.Output()
	var o outcome
	if err != nil || json.Unmarshal(out, &o) != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	return o
}

// tree is all that lies in a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func TestKeyFromTheEnvironmentIsTakenOutOfIt(t *testing.T) {
	home, src := newHome(t), Source{EnvVar: "CLOUDOPS_SEAL_TEST_KEY"}
	key := freshKey(t)
	t.Setenv(src.EnvVar, key)
	k := mustUnlock(t, home, src)
	if v, ok := os.LookupEnv(src.EnvVar); ok {
		t.Errorf("the variable is still set, to %d bytes", len(v))
	}
	sealed, err := k.Seal([]byte("value"), place)
	if err != nil {
		t.Fatal(err)
	}
	os.Setenv(src.EnvVar, key)
	if got, err := mustUnlock(t, home, Source{}).Open(sealed, place); err != nil || string(got) != "value" {
		t.Errorf("by the recorded source: %q, %v", got, err)
	}
	mustHideKey(t, key, k, k.Source(), tree(t, home))
}

func TestKeyFileIsMadeOnTheFirstRun(t *testing.T) {
	home := newHome(t)
	path := filepath.Join(t.TempDir(), "new", "folder", "kek")
	k := mustUnlock(t, home, Source{File: path})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if len(k.Notices()) > 0 {
		t.Errorf("told what the user configured: %v", k.Notices())
	}
	for _, p := range []string{home, keysetPath(home)} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustHideKey(t, strings.TrimSpace(string(b)), tree(t, home), k.Source())
	// A second home may use the key, and must not replace it.
	mustUnlock(t, newHome(t), Source{File: path})
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, b) {
		t.Errorf("another home replaced the key: %v", err)
	}
}

// Each fault says what it is, hides the key and changes nothing.
func TestFaults(t *testing.T) {
	const variable = "CLOUDOPS_SEAL_TEST_KEY"
	type setting struct {
		home string
		src  Source // used to make the store, a key file
	}
	stored := func(t *testing.T, s setting) { mustUnlock(t, s.home, s.src) }
	write := func(t *testing.T, path, content string, mode fs.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	secret := freshKey(t)
	tests := map[string]struct {
		// breaks prepares the fault and returns the source to unlock with.
		breaks func(t *testing.T, s setting) Source
		want   error
		says   []string
	}{
		"key file lost": {func(t *testing.T, s setting) Source {
			stored(t, s)
			os.Remove(s.src.File)
			return s.src
		}, ErrNoKey, []string{"kek", "bring the key back"}},
		"variable not set, first run": {func(t *testing.T, s setting) Source {
			return Source{EnvVar: variable}
		}, ErrNoKey, []string{variable, "base64"}},
		"variable lost": {func(t *testing.T, s setting) Source {
			t.Setenv(variable, secret)
			mustUnlock(t, s.home, Source{EnvVar: variable})
			return Source{}
		}, ErrNoKey, []string{variable, "bring the key back"}},
		"another key": {func(t *testing.T, s setting) Source {
			stored(t, s)
			write(t, s.src.File, secret, 0o600)
			return s.src
		}, ErrWrongKey, []string{"kek", "keyset"}},
		"key cut short": {func(t *testing.T, s setting) Source {
			stored(t, s)
			write(t, s.src.File, secret[:40], 0o600)
			return s.src
		}, ErrWrongKey, []string{"32 bytes in base64"}},
		"no base64": {func(t *testing.T, s setting) Source {
			t.Setenv(variable, "!"+secret)
			return Source{EnvVar: variable}
		}, ErrWrongKey, []string{"32 bytes in base64"}},
		"empty key file": {func(t *testing.T, s setting) Source {
			write(t, s.src.File, "", 0o600)
			return s.src
		}, ErrWrongKey, []string{"32 bytes in base64"}},
		"key file open to others": {func(t *testing.T, s setting) Source {
			write(t, s.src.File, secret, 0o640)
			return s.src
		}, ErrUnavailable, []string{"0640", "chmod 600"}},
		"key file is a link": {func(t *testing.T, s setting) Source {
			link := s.src.File + ".link"
			if err := os.Symlink(s.src.File, link); err != nil {
				t.Fatal(err)
			}
			return Source{File: link}
		}, ErrUnavailable, []string{"is a link"}},
		"key file is a directory": {func(t *testing.T, s setting) Source {
			return Source{File: filepath.Dir(s.src.File)}
		}, ErrUnavailable, []string{"not a regular file"}},
		"key file inside the home": {func(t *testing.T, s setting) Source {
			return Source{File: filepath.Join(s.home, "kek")}
		}, ErrUnavailable, []string{"lies inside"}},
		"key file inside the home by a link": {func(t *testing.T, s setting) Source {
			if err := os.MkdirAll(s.home, 0o700); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(s.home, link); err != nil {
				t.Fatal(err)
			}
			return Source{File: filepath.Join(link, "kek")}
		}, ErrUnavailable, []string{"lies inside"}},
		"relative key file": {func(t *testing.T, s setting) Source {
			return Source{File: "kek"}
		}, nil, []string{"absolute", "key_source"}},
		"two sources": {func(t *testing.T, s setting) Source {
			return Source{File: s.src.File, EnvVar: variable}
		}, nil, []string{"more than one"}},
		"another source than recorded": {func(t *testing.T, s setting) Source {
			stored(t, s)
			t.Setenv(variable, secret)
			return Source{EnvVar: variable}
		}, nil, []string{"kek", variable}},
		"keyset file lost": {func(t *testing.T, s setting) Source {
			stored(t, s)
			write(t, filepath.Join(s.home, "data", "estate.db"), "x", 0o600)
			os.Remove(keysetPath(s.home))
			return s.src
		}, ErrNoKey, []string{"keyset", "restore", "data"}},
		"keyset file lost, and the store can't be looked for": {func(t *testing.T, s setting) Source {
			stored(t, s)
			write(t, filepath.Join(s.home, "data"), "x", 0o600)
			os.Remove(keysetPath(s.home))
			return s.src
		}, nil, []string{"looking for a store"}},
		"keyset file empty": {func(t *testing.T, s setting) Source {
			write(t, keysetPath(s.home), "", 0o600)
			return s.src
		}, ErrCorrupt, []string{"keyset", "restore"}},
		"keyset file is a directory": {func(t *testing.T, s setting) Source {
			if err := os.MkdirAll(keysetPath(s.home), 0o700); err != nil {
				t.Fatal(err)
			}
			return s.src
		}, nil, []string{"not a regular file"}},
		"keyset of a newer cloudops": {func(t *testing.T, s setting) Source {
			line := `{"format":3,"key":"new"}`
			write(t, keysetPath(s.home), line+"\n"+checksum([]byte(line))+"\n", 0o600)
			return s.src
		}, ErrCorrupt, []string{"newer cloudops"}},
		"home open to others": {func(t *testing.T, s setting) Source {
			stored(t, s)
			if err := os.Chmod(s.home, 0o750); err != nil {
				t.Fatal(err)
			}
			return s.src
		}, nil, []string{"0750", "chmod 700"}},
		"home is a file": {func(t *testing.T, s setting) Source {
			write(t, s.home, "", 0o600)
			return s.src
		}, nil, []string{"home"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := setting{newHome(t), keyFile(t)}
			original, err := os.ReadFile(s.src.File)
			if err != nil {
				t.Fatal(err)
			}
			src := test.breaks(t, s)
			before := tree(t, s.home)
			maps.Copy(before, tree(t, filepath.Dir(s.src.File)))
			k, err := Unlock(s.home, src)
			if err == nil || k != nil {
				t.Fatal("it was unlocked")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v is not %v", err, test.want)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			mustHideKey(t, secret, err)
			mustHideKey(t, strings.TrimSpace(string(original)), err)
			after := tree(t, s.home)
			maps.Copy(after, tree(t, filepath.Dir(s.src.File)))
			if !maps.Equal(before, after) {
				t.Errorf("files changed: %d before, %d after", len(before), len(after))
			}
		})
	}
}

func TestHomeOfAnotherUserIsRefused(t *testing.T) {
	home := "/root"
	if os.Geteuid() == 0 {
		home = t.TempDir()
		if err := os.Chmod(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(home, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Unlock(home, keyFile(t)); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Error(err)
	}
	// Where nobody can give a file away, the root folder is another user's.
	file := "/"
	if os.Geteuid() == 0 {
		file = keyFile(t).File
		if err := os.Chown(file, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPrivate(info); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("what another user owns: %v", err)
	}
}

func TestEveryDamageOfTheKeysetFileIsTold(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	elsewhere, err := mustUnlock(t, home, src).Seal([]byte("{}"), place)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(keysetPath(home))
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x20
		for _, b := range [][]byte{bad, good[:i]} {
			if err := os.WriteFile(keysetPath(home), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Unlock(home, src); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
	// Whoever mends the checksum still can't pass off another store's keyset.
	line, _, _ := bytes.Cut(good, []byte("\n"))
	var ks keysetFile
	if err := json.Unmarshal(line, &ks); err != nil {
		t.Fatal(err)
	}
	forge := func(change func(*keysetFile)) error {
		forged := ks
		change(&forged)
		if err := forged.write(home); err != nil {
			t.Fatal(err)
		}
		_, err := Unlock(home, src)
		return err
	}
	for name, change := range map[string]func(*keysetFile){
		"another store id": func(k *keysetFile) { k.StoreID = "00000000-0000-4000-8000-000000000000" },
		"keysets swapped":  func(k *keysetFile) { k.AEAD, k.PRF = k.PRF, k.AEAD },
		"one for both":     func(k *keysetFile) { k.PRF = k.AEAD },
		"none":             func(k *keysetFile) { k.AEAD = nil },
	} {
		if err := forge(change); !errors.Is(err, ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*keysetFile){
		"no source":               func(k *keysetFile) { k.Source = Source{} },
		"no state":                func(k *keysetFile) { k.State = nil },
		"a state from elsewhere":  func(k *keysetFile) { k.State = elsewhere },
		"keys in use for retired": func(k *keysetFile) { k.Audit = k.AEAD },
		"no keyset for retired":   func(k *keysetFile) { k.Audit = []byte("x") },
	} {
		if err := forge(change); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := forge(func(*keysetFile) {}); err != nil {
		t.Errorf("restored: %v", err)
	}
}

func TestProcessesRacingForTheFirstRunAgree(t *testing.T) {
	home := newHome(t)
	src := Source{File: filepath.Join(t.TempDir(), "kek")}
	var mu sync.Mutex
	stores := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var id string
			if i%2 == 0 {
				o := runChild(t, childCommand(t, childTask{Home: home, Source: src}))
				if o.Err != "" {
					t.Error(o.Err)
				}
				id = o.StoreID
			} else if k, err := Unlock(home, src); err != nil {
				t.Error(err)
			} else {
				id = k.StoreID()
			}
			mu.Lock()
			defer mu.Unlock()
			stores[id] = true
		})
	}
	wg.Wait()
	if len(stores) != 1 {
		t.Errorf("%d stores were made", len(stores))
	}
}

// However early the first run is killed, its key is kept before anything needs it.
func TestAKilledFirstRunLosesNoKey(t *testing.T) {
	began := time.Now()
	runChild(t, childCommand(t, childTask{Home: newHome(t), Source: Source{File: filepath.Join(t.TempDir(), "kek")}}))
	whole := time.Since(began)
	for range 25 {
		home := newHome(t)
		src := Source{File: filepath.Join(t.TempDir(), "kek")}
		cmd := childCommand(t, childTask{Home: home, Source: src})
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(rand.N(whole+whole/4), func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		key, _ := os.ReadFile(src.File)
		mustUnlock(t, home, src)
		if again, err := os.ReadFile(src.File); err != nil || key != nil && !bytes.Equal(again, key) {
			t.Fatalf("the key was replaced: %v", err)
		}
	}
}

func TestSourcesAreComparedByMeaning(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	home := filepath.Join(dir, "store")
	mustUnlock(t, home, Source{File: "~/keys/kek"})
	for _, same := range []string{"~/keys/kek", filepath.Join(dir, "keys/kek"), dir + "/keys/../keys//kek"} {
		if _, err := Unlock(home, Source{File: same}); err != nil {
			t.Errorf("%s: %v", same, err)
		}
	}
	standard := filepath.Join(dir, ".cloudops")
	if err := os.Mkdir(standard, 0o700); err != nil {
		t.Fatal(err)
	}
	full := Source{Keychain: &Keychain{Service: "cloudops", Account: "encryption_key"}}
	if got, err := (Source{Keychain: &Keychain{}}).normal(standard); err != nil || !got.equal(full) {
		t.Errorf("%v, %v", got, err)
	}
	if got := defaultKeychain(home); got.equal(full) || !strings.HasPrefix(got.Keychain.Account, "encryption_key-") {
		t.Errorf("two homes share the entry %v", got)
	}
}

func TestKeyTextIsStandardBase64(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb}, keySize)
	whole := base64.StdEncoding.EncodeToString(raw)
	for text, ok := range map[string]bool{
		whole:                true,
		" " + whole + "\r\n": true,
		whole + "x":          false,
		whole + "\n" + whole: false,
		whole[:len(whole)-1]: false,
		base64.StdEncoding.EncodeToString(raw[:31]):       false,
		base64.StdEncoding.EncodeToString(append(raw, 1)): false,
		base64.URLEncoding.EncodeToString(raw):            false,
		strings.Repeat("fb", keySize):                     false,
	} {
		t.Setenv("CLOUDOPS_SEAL_TEST_KEY", text)
		if _, err := Unlock(newHome(t), Source{EnvVar: "CLOUDOPS_SEAL_TEST_KEY"}); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
