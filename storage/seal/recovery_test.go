package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/google/uuid"
)

const passphrase = "quokka lantern orbit velvet 9"

// exported is a recovery file whose passphrase is cheap to guess.
func exported(t testing.TB, k *Keys) []byte {
	t.Helper()
	e, err := NewExport()
	if err != nil {
		t.Fatal(err)
	}
	e.work = 4
	parcel, err := k.Export(e.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.File(parcel, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func recoveryFile(t testing.TB, b []byte) *RecoveryFile {
	t.Helper()
	f, err := ReadRecovery(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// imported is a whole import.
func imported(home string, src Source, f *RecoveryFile, v vault) (*Keys, error) {
	i, err := openImport(home, src, f, passphrase, v)
	if err != nil {
		return nil, err
	}
	if err := i.store(v); err != nil {
		return nil, err
	}
	return unlock(home, src, v)
}

func TestALostKeyComesBackFromARecoveryFile(t *testing.T) {
	for name, src := range map[string]Source{
		"keychain": inKeychain, "file": {File: filepath.Join(t.TempDir(), "lost", "kek")}, "variable": {EnvVar: "CLOUDOPS_SEAL_TEST_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			home, v := newHome(t), m.vault()
			t.Setenv("CLOUDOPS_SEAL_TEST_KEY", freshKey(t))
			k, err := unlock(home, src, v)
			if err != nil {
				t.Fatal(err)
			}
			f := fill(t, k)
			// A store that went through a rotation, to have retired keys too.
			record, err := k.Seal([]byte("record"), Place{Collection: "audit", Point: "3"})
			if err != nil {
				t.Fatal(err)
			}
			if err := rotateOnce(k); err != nil {
				t.Fatal(err)
			}
			k.content.state.AuditUntil = map[uint32]uint64{keyIDs(k.content.retired)[0]: 3}
			file := exported(t, k)
			if err := k.Exported(); err != nil {
				t.Fatal(err)
			}
			if s := k.Status(); s.Exported.IsZero() || !s.Covered {
				t.Errorf("after the export: %+v", s)
			}
			if name != "variable" {
				mustHideKey(t, base64.StdEncoding.EncodeToString([]byte(keyText(t, k))), string(file))
			}

			// The key is lost.
			anchor := m.entries[defaultService+"/anchor-audit-"+k.storeID]
			clear(m.entries)
			os.Remove(src.File)
			os.Setenv("CLOUDOPS_SEAL_TEST_KEY", freshKey(t))
			if _, err := unlock(home, src, v); err == nil {
				t.Fatal("the store opens without its key")
			}
			os.Setenv("CLOUDOPS_SEAL_TEST_KEY", freshKey(t))
			again, err := imported(home, src, recoveryFile(t, file), v)
			if err != nil {
				t.Fatal(err)
			}
			if anchor != "" {
				m.entries[defaultService+"/anchor-audit-"+k.storeID] = anchor
			}
			f.check(t, again)
			if got, err := again.Open(record, Place{Collection: "audit", Point: "3"}); err != nil || string(got) != "record" {
				t.Errorf("an audit record of before the rotation: %q, %v", got, err)
			}
			if at := again.Imported(); time.Since(at) > time.Minute {
				t.Errorf("the import is not noted: %v", at)
			}
			if err := again.ImportNoted(); err != nil || !again.Imported().IsZero() {
				t.Errorf("noting the import: %v", err)
			}
			if s := again.Status(); !s.Covered || s.Exported.IsZero() {
				t.Errorf("after the import: %+v", s)
			}
			if _, err := again.Rotate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The keyset file may be lost as well: what it wrapped is in the recovery file.
func TestALostKeysetComesBackFromARecoveryFile(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"absent":  os.Remove,
		"damaged": func(path string) error { return os.Truncate(path, 40) },
	} {
		home, src := newHome(t), keyFile(t)
		f := fill(t, mustUnlock(t, home, src))
		file := exported(t, f.k)
		// Files of the user that begin as sealed ones do say nothing of the keys.
		put(t, filepath.Join(home, "note"), "\x01")
		put(t, filepath.Join(home, "data", "note"), "\x01 a note of the user's own")
		if err := lose(keysetPath(home)); err != nil {
			t.Fatal(err)
		}
		if _, err := Unlock(home, src); !errors.Is(err, ErrNoKey) && !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "key import") {
			t.Errorf("%s: %v, want a hint at the import", name, err)
		}
		// Without the keyset file nothing but the recovery file says which store it is.
		renamed := bytes.Replace(file, []byte(f.k.storeID), []byte("00000000-0000-4000-8000-000000000000"), 1)
		if _, err := imported(home, src, recoveryFile(t, renamed), systemVault()); !errors.Is(err, ErrNotRecovery) || !strings.Contains(err.Error(), "first lines") {
			t.Errorf("%s: under another store's name: %v", name, err)
		}
		k, err := imported(home, src, recoveryFile(t, file), systemVault())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.check(t, k)
	}
}

// An export is also how a key moves: from a keychain to a file, for instance.
func TestAnImportMovesTheKeyToAnotherSource(t *testing.T) {
	home, to := newHome(t), Source{File: filepath.Join(t.TempDir(), "kek")}
	var m memory
	v := m.vault()
	k, err := unlock(home, inKeychain, v)
	if err != nil {
		t.Fatal(err)
	}
	f := fill(t, k)
	file := recoveryFile(t, exported(t, k))
	if _, err := openImport(home, inKeychain, file, passphrase, v); !errors.Is(err, ErrKeysWork) {
		t.Errorf("importing what is there: %v", err)
	}
	if _, err := openImport(home, Source{}, file, passphrase, v); !errors.Is(err, ErrKeysWork) {
		t.Errorf("importing what is there, by default: %v", err)
	}
	moved, err := imported(home, to, file, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := moved.Anchor("audit").Save("7 abc"); err != nil { // the audit log does
		t.Fatal(err)
	}
	f.check(t, moved)
	if _, err := unlock(home, inKeychain, v); err == nil {
		t.Error("the old source still counts")
	}
}

func TestRecoveryFilesThatDoNotFitAreRefused(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	f := fill(t, mustUnlock(t, home, src))
	good := exported(t, f.k)
	other := exported(t, mustUnlock(t, newHome(t), src))
	if _, err := f.k.Rotate(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(src.File); err != nil { // the key is lost
		t.Fatal(err)
	}
	text := string(good)
	renamed := strings.Replace(text, f.k.storeID, "00000000-0000-4000-8000-000000000000", 1)
	for name, c := range map[string]struct {
		file, passphrase string
		err              error
		says             string
	}{
		"made before the last rotation": {text, passphrase, ErrOtherStore, "rotated after it was made"},
		"another passphrase":            {text, "another one of five words", ErrPassphrase, "does not open"},
		"no passphrase":                 {text, "", ErrPassphrase, "empty"},
		"another store":                 {string(other), passphrase, ErrOtherStore, "holds store " + f.k.storeID},
		"another store's name":          {renamed, passphrase, ErrOtherStore, "holds store"},
		"cut":                           {text[:len(text)-30], passphrase, ErrNotRecovery, "checksum"},
		"a byte changed":                {text[:len(text)-60] + map[bool]string{true: "B", false: "A"}[text[len(text)-60] == 'A'] + text[len(text)-59:], passphrase, ErrNotRecovery, "checksum"},
		"a date that is none":           {strings.Replace(text, "made 2", "made x", 1), passphrase, ErrNotRecovery, "first lines"},
		"a date of another name":        {strings.Replace(text, "\nmade ", "\nmate ", 1), passphrase, ErrNotRecovery, "first lines"},
		"a store of another name":       {strings.Replace(text, "\nstore ", "\nstare ", 1), passphrase, ErrNotRecovery, "first lines"},
		"a store that is none":          {strings.Replace(text, f.k.storeID, f.k.storeID[1:], 1), passphrase, ErrNotRecovery, "first lines"},
		"a newer format":                {strings.Replace(text, "file 1", "file 2", 1), passphrase, ErrNotRecovery, "newer cloudops"},
		"something else":                {"-----BEGIN AGE ENCRYPTED FILE-----\n", passphrase, ErrNotRecovery, "does not begin"},
		"nothing":                       {"", passphrase, ErrNotRecovery, "does not begin"},
		"very large":                    {text + strings.Repeat("x", maxRecovery), passphrase, ErrNotRecovery, "larger"},
	} {
		before := tree(t, home)
		file, err := ReadRecovery([]byte(c.file))
		if err == nil {
			_, err = openImport(home, src, file, c.passphrase, systemVault())
		}
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if after := tree(t, home); len(after) != len(before) {
			t.Errorf("%s: something was written", name)
		}
	}
	if _, err := os.Stat(src.File); !errors.Is(err, os.ErrNotExist) {
		t.Error("a key was made")
	}
	// A later one fits. Lines may end as mail programs like them.
	late := exported(t, f.k)
	late = bytes.ReplaceAll(late, []byte("\n"), []byte("\r\n"))
	k, err := imported(home, src, recoveryFile(t, late), systemVault())
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, k)

	empty := newHome(t)
	if _, err := openImport(empty, src, recoveryFile(t, good), passphrase, systemVault()); err == nil || !strings.Contains(err.Error(), "copy the old home") {
		t.Errorf("without a home: %v", err)
	}
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openImport(empty, src, recoveryFile(t, good), passphrase, systemVault()); !errors.Is(err, ErrOtherStore) {
		t.Errorf("into an empty home: %v", err)
	}
}

// What lies in the store beside the keyset file tells too which keys it needs.
func TestAnImportLooksAtWhatTheStoreHolds(t *testing.T) {
	for name, since := range map[string]func(k *Keys) error{
		"everything is sealed under a later key": rotateOnce,
		"a conversation is":                      func(k *Keys) error { _, err := k.NewConversation(uuid.NewString(), nil); return err },
	} {
		home, src := newHome(t), keyFile(t)
		k := fill(t, mustUnlock(t, home, src)).k
		old := exported(t, k)
		if _, err := k.Rotate(); err != nil {
			t.Fatal(err)
		}
		if err := since(k); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(keysetPath(home)); err != nil {
			t.Fatal(err)
		}
		if _, err := openImport(home, src, recoveryFile(t, old), passphrase, systemVault()); !errors.Is(err, ErrOtherStore) || !strings.Contains(err.Error(), "rotated after") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Keys that open the keyset file are all that a store needs, whatever else lies
// there.
func TestAnImportTrustsTheKeysetFile(t *testing.T) {
	for name, in := range map[string]func(k *Keys) error{
		"nothing yet": func(*Keys) error { return nil },
		"a file of a key that is gone": func(k *Keys) error {
			return os.WriteFile(filepath.Join(k.home, "old"), append([]byte{format, tinkPrefix}, "\xff\xff\xff\xff and more"...), 0o600)
		},
	} {
		home, src := newHome(t), keyFile(t)
		k := mustUnlock(t, home, src)
		file := exported(t, k)
		if err := errors.Join(in(k), os.Remove(src.File)); err != nil {
			t.Fatal(err)
		}
		if again, err := imported(home, src, recoveryFile(t, file), systemVault()); err != nil || again.StoreID() != k.StoreID() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The encrypted part is an ordinary age file, which other programs open too.
func TestARecoveryFileIsAnAgeFile(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	file := exported(t, k)
	_, body, _ := bytes.Cut(file, []byte("-----BEGIN"))
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := decrypt(armor.NewReader(strings.NewReader("-----BEGIN"+string(body))), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"format":1`, `"store_id":"` + k.storeID + `"`, `"aead":"`, `"prf":"`, `"state":{"made":{`} {
		if !bytes.Contains(plain, []byte(member)) {
			t.Errorf("%s is not in it", member)
		}
	}
}

// What is inside an intact recovery file may still be of another version, and one
// that anybody made may ask for more work than a computer can do.
func TestWhatIsInsideARecoveryFileIsChecked(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	for name, c := range map[string]struct {
		change  func(r map[string]any)
		maxWork int
		says    string // "" if it opens
	}{
		"as it was made":  {func(map[string]any) {}, 4, ""},
		"another format":  {func(r map[string]any) { r["format"] = 2 }, 4, "no known format"},
		"an unknown part": {func(r map[string]any) { r["more"] = "keys" }, 4, "no known format"},
		"no keyset":       {func(r map[string]any) { r["aead"] = "" }, 4, "can't be read"},
		"too much work":   {func(map[string]any) {}, 3, "damaged"},
	} {
		e, err := NewExport()
		if err != nil {
			t.Fatal(err)
		}
		e.work = 4
		parcel, err := k.Export(e.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		plain, err := decrypt(bytes.NewReader(parcel), e.identity)
		if err != nil {
			t.Fatal(err)
		}
		var r map[string]any
		if err := json.Unmarshal(plain, &r); err != nil {
			t.Fatal(err)
		}
		c.change(r)
		if plain, err = json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if parcel, err = encrypt(plain, e.identity.Recipient()); err != nil {
			t.Fatal(err)
		}
		b, err := e.File(parcel, passphrase)
		if err != nil {
			t.Fatal(err)
		}
		file := recoveryFile(t, b)
		if file.maxWork != maxScryptWork {
			t.Errorf("%s: it may ask for 2^%d", name, file.maxWork)
		}
		file.maxWork = c.maxWork
		_, err = file.open(passphrase)
		if c.says == "" && err == nil {
			continue
		}
		if c.says == "" || !errors.Is(err, ErrNotRecovery) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// Whoever finds a recovery file guesses for years: each guess costs 256 MiB.
func TestAGuessOfThePassphraseIsDear(t *testing.T) {
	e, err := NewExport()
	if err != nil {
		t.Fatal(err)
	}
	parcel, err := mustUnlock(t, newHome(t), keyFile(t)).Export(e.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.File(parcel, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	head, err := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(recoveryFile(t, b).body)), 100))
	if err != nil {
		t.Fatal(err)
	}
	_, stanza, _ := strings.Cut(string(head), "-> scrypt ")
	words := strings.Fields(stanza)
	if len(words) < 2 || words[1] != "18" {
		t.Errorf("the file begins with %q, want a work factor of 18", head)
	}
}

func TestPassphrasesThatAreGuessedEasilyAreRefused(t *testing.T) {
	for p, ok := range map[string]bool{
		passphrase: true, "fünf wörter aus dem wald": true, "korrekt-pferd-batterie": true,
		"fifteen letters": true, "abcdefghabcdefgh": true, "abcdefgabcdefgabcdefg": false, "Aabcdefgabcdefgabcdefg": false,
		"": false, "short": false, "fourteen chars": false, strings.Repeat("a", 40): false, "abcabcabcabcabcabc": false,
		"1234567890123456789": false, "with a\ttab in the middle": false, "invalid \xff utf-8 in here": false,
	} {
		if err := CheckPassphrase(p); (err == nil) != ok || err != nil && !errors.Is(err, ErrPassphrase) {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestAnExportIsForOneRecipient(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	for _, bad := range []string{"", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA"} {
		if _, err := k.Export(bad); err == nil {
			t.Errorf("%q was taken for a recipient", bad)
		}
	}
	mine, err := NewExport()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := NewExport()
	if err != nil {
		t.Fatal(err)
	}
	parcel, err := k.Export(theirs.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mine.File(parcel, passphrase); err == nil {
		t.Error("an export for another was opened")
	}
	if _, err := theirs.File(parcel, "weak"); !errors.Is(err, ErrPassphrase) {
		t.Errorf("a weak passphrase: %v", err)
	}
}

func FuzzRecoveryFile(f *testing.F) {
	home, src := newHome(f), keyFile(f)
	k := mustUnlock(f, home, src)
	good := exported(f, k)
	f.Add(good)
	head, body, _ := bytes.Cut(good, []byte("sha256:"))
	f.Add(body[65:])
	f.Add([]byte(recoveryTitle + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Most mutations break the checksum; a true one lets them through.
		mended := append(append(bytes.Clone(head), checksum(b)+"\n"...), b...)
		for _, b := range [][]byte{b, mended} {
			file, err := ReadRecovery(b)
			if err != nil {
				if !errors.Is(err, ErrNotRecovery) {
					t.Fatal(err)
				}
				continue
			}
			file.maxWork = 6
			c, err := file.open(passphrase)
			if err != nil {
				if !errors.Is(err, ErrNotRecovery) && !errors.Is(err, ErrPassphrase) {
					t.Fatal(err)
				}
				continue
			}
			if c.storeID != file.StoreID {
				t.Fatal("another store came out of it")
			}
		}
	})
}
