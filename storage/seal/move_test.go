package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// moved is a whole move.
func moved(home string, src Source, v vault) error {
	i, err := openMove(home, src, v)
	if err != nil {
		return err
	}
	return i.store(v)
}

func TestAKeyMovesBetweenSources(t *testing.T) {
	home, file, key := newHome(t), Source{File: filepath.Join(t.TempDir(), "keys", "kek")}, freshKey(t)
	var m memory
	v := m.vault()
	k, err := unlock(home, inKeychain, v)
	if err != nil {
		t.Fatal(err)
	}
	f := fill(t, k)
	if err := moved(home, inKeychain, v); !errors.Is(err, ErrKeysWork) {
		t.Errorf("to where it is: %v", err)
	}
	if err := moved(home, Source{}, v); !errors.Is(err, ErrKeysWork) {
		t.Errorf("to nowhere: %v", err)
	}
	for _, to := range []Source{file, {EnvVar: "CLOUDOPS_SEAL_TEST_KEY"}, inKeychain} {
		t.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
		if _, err := unlock(home, to, v); !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), "cloudops key move") {
			t.Errorf("before the move to %s: %v", to, err)
		}
		os.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
		if err := moved(home, to, v); err != nil {
			t.Fatalf("to %s: %v", to, err)
		}
		if !k.Stale() {
			t.Errorf("to %s: who holds the keys does not notice", to)
		}
		os.Setenv("CLOUDOPS_SEAL_TEST_KEY", key)
		if k, err = unlock(home, to, v); err != nil {
			t.Fatalf("to %s: %v", to, err)
		}
		if k.Imported().IsZero() || k.Stale() || k.Rotating() {
			t.Errorf("to %s: imported %v, stale %v", to, k.Imported(), k.Stale())
		}
		if err := k.Anchor("audit").Save("7 abc"); err != nil { // the audit log does
			t.Fatal(err)
		}
		f.check(t, k)
	}
}

// With encryption off the key lies in the home, and that is never taken for
// encryption, nor the other way round.
func TestEncryptionOff(t *testing.T) {
	home, off, on := newHome(t), Source{InHome: true}, keyFile(t)
	k := mustUnlock(t, home, off)
	f := fill(t, k)
	info, err := os.Stat(filepath.Join(home, inHomeName))
	if err != nil || info.Mode().Perm() != 0o600 || !k.Off() || !strings.Contains(k.Source(), "encryption is off") {
		t.Fatalf("%v, %v; off %v, %s", info, err, k.Off(), k.Source())
	}
	f.check(t, mustUnlock(t, home, off))
	for _, src := range []Source{{}, on} {
		if _, err := Unlock(home, src); !errors.Is(err, ErrMoved) {
			t.Errorf("as if it were on, with %s: %v", src, err)
		}
	}
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	f.check(t, k)

	// Switched on, everything is sealed anew: the old key lay open.
	if err := moved(home, on, systemVault()); err != nil {
		t.Fatal(err)
	}
	k = mustUnlock(t, home, on)
	if k.Off() || !k.Rotating() {
		t.Errorf("off %v, rotating %v", k.Off(), k.Rotating())
	}
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	f.check(t, mustUnlock(t, home, on))
	if _, err := Unlock(home, off); !errors.Is(err, ErrMoved) {
		t.Errorf("as if it were off: %v", err)
	}
	// An attacker who writes "in_home" into the keyset file has no key for it.
	if err := os.WriteFile(filepath.Join(home, inHomeName), []byte(freshKey(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ks, err := readKeyset(home)
	if err != nil {
		t.Fatal(err)
	}
	ks.Source = off
	if err := ks.write(home); err != nil {
		t.Fatal(err)
	}
	if _, err := Unlock(home, off); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with a key of somebody else in the home: %v", err)
	}
	if _, err := Unlock(home, on); !errors.Is(err, ErrMoved) {
		t.Errorf("with the configuration as it was: %v", err)
	}
}

// A recovery file brings the keys of a store whose encryption was off to a safe
// place. Whoever copied the home has its keys, so all is sealed anew under others.
func TestAnImportDoesNotTrustAKeyThatLayOpen(t *testing.T) {
	for name, c := range map[string]struct {
		to    Source
		fresh bool
	}{"to a safe place": {keyFile(t), true}, "where it was": {Source{InHome: true}, false}} {
		home, off := newHome(t), Source{InHome: true}
		f := fill(t, mustUnlock(t, home, off))
		file := recoveryFile(t, exported(t, f.k))
		if err := os.Remove(filepath.Join(home, inHomeName)); err != nil {
			t.Fatal(err)
		}
		k, err := imported(home, c.to, file, systemVault())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if k.Rotating() != c.fresh || k.Current(f.value) == c.fresh || k.Status().Covered == c.fresh {
			t.Errorf("%s: %+v, want a new key: %v", name, k.Status(), c.fresh)
		}
		f.check(t, k)
	}
}
