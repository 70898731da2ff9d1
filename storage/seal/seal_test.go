package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// place is a value's home in most tests.
var place = Place{Collection: "aws_estate", Point: "p", Field: "content", Version: 3}

// keyFile makes a key file with a fresh key, apart from any home.
func keyFile(t testing.TB) Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, []byte(freshKey(t)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Source{File: path}
}

func freshKey(t testing.TB) string {
	t.Helper()
	b := make([]byte, keySize)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func newHome(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "home")
}

func mustUnlock(t testing.TB, home string, src Source) *Keys {
	t.Helper()
	k, err := Unlock(home, src)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedValuesOpenOnlyWhereTheyBelong(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	k := mustUnlock(t, home, src)
	other := mustUnlock(t, newHome(t), src)
	plain := []byte("pg-instance-main1")
	sealed, err := k.Seal(plain, place)
	if err != nil {
		t.Fatal(err)
	}
	again := mustUnlock(t, home, Source{})
	if got, err := again.Open(sealed, place); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("after reopening: %q, %v", got, err)
	}
	if again.StoreID() != k.StoreID() {
		t.Error("the store id changed")
	}
	elsewhere := map[string]Place{
		"collection": {"chat_history", "p", "content", 3},
		"point":      {"aws_estate", "q", "content", 3},
		"field":      {"aws_estate", "p", "vector", 3},
		"version":    {"aws_estate", "p", "content", 2},
		"shifted":    {"aws_estat", "ep", "content", 3},
		"joined":     {"aws_estatep", "", "content", 3},
	}
	for name, at := range elsewhere {
		if _, err := k.Open(sealed, at); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("moved to another %s: %v", name, err)
		}
	}
	if _, err := other.Open(sealed, place); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("in another store with the same key: %v", err)
	}
}

func TestEveryAlteredByteIsNoticed(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	sealed, err := k.Seal([]byte(strings.Repeat("a compressible value ", 20)), place)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(sealed)
			bad[i] ^= flip
			if _, err := k.Open(bad, place); !errors.Is(err, ErrUnauthenticated) {
				t.Fatalf("byte %d altered: %v", i, err)
			}
		}
		if _, err := k.Open(sealed[:i], place); !errors.Is(err, ErrUnauthenticated) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := k.Open(append(sealed, 0), place); !errors.Is(err, ErrUnauthenticated) {
		t.Fatalf("a byte more: %v", err)
	}
}

func TestSizes(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	for name, plain := range map[string][]byte{
		"nil": nil, "empty": {}, "one": {0}, "noise": noise, "zeros at the limit": make([]byte, maxPlain),
	} {
		sealed, err := k.Seal(plain, place)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := k.Open(sealed, place)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %d bytes came back, %v", name, len(got), err)
		}
		if over := len(sealed) - len(plain); over > 40 {
			t.Errorf("%s: grew by %d bytes", name, over)
		}
	}
	if _, err := k.Seal(make([]byte, maxPlain+1), place); err == nil {
		t.Error("a value over the limit was sealed")
	}
}

// A bomb needs the key, yet must not exhaust memory.
func TestBombsAreRefused(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	bomb := k.main.packer.enc.EncodeAll(make([]byte, maxPlain+1), []byte{packedZstd})
	for name, packed := range map[string][]byte{
		"bomb": bomb, "empty": nil, "unknown packing": []byte("\x07x"), "no zstd": []byte("\x01x"),
	} {
		ct, err := k.values.Encrypt(packed, k.main.additional(place))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Open(append([]byte{format}, ct...), place); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPointIDs(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	k := mustUnlock(t, home, src)
	arn := "arn:aws:rds:us-west-2:111122223333:db:pg-instance-main1"
	id := k.PointID(arn)
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
		t.Fatalf("%s is no UUIDv8: %v", id, err)
	}
	if again := mustUnlock(t, home, src).PointID(arn); again != id {
		t.Errorf("the id changed after reopening: %s, %s", id, again)
	}
	if k.PointID(arn+"x") == id {
		t.Error("two resources share an id")
	}
	other := mustUnlock(t, newHome(t), src)
	if other.PointID(arn) == id || other.Digest([]byte(arn)) == k.Digest([]byte(arn)) {
		t.Error("ids and digests can be guessed from another store with the same key")
	}
	content := []byte("a")
	if digest := k.Digest(content); digest != k.Digest([]byte("a")) || digest == k.Digest([]byte("b")) {
		t.Error("a digest does not tell same from different content")
	}
}

func TestFiles(t *testing.T) {
	home := newHome(t)
	k := mustUnlock(t, home, keyFile(t))
	f := k.File("cache/index")
	if _, err := f.Load(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before the first save: %v", err)
	}
	for _, content := range []string{"one", "two", ""} {
		if err := f.Save([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := k.File("cache/../cache/index").Load(); err != nil || string(got) != content {
			t.Fatalf("%q came back as %q, %v", content, got, err)
		}
	}
	path := filepath.Join(home, "cache", "index")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	// A crash can leave half a temporary file behind.
	if err := os.WriteFile(path+".tmp", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Save([]byte("three")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a temporary file stayed: %v", err)
	}
	if err := os.Rename(path, filepath.Join(home, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, err := k.File("elsewhere").Load(); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a moved file opened: %v", err)
	}
	for range 2 {
		if err := k.File("elsewhere").Remove(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "../x", "/etc/passwd", "a/../../x", "a\x00b"} {
		if err := k.File(bad).Save(nil); err == nil {
			t.Errorf("saved %q", bad)
		}
		if _, err := k.File(bad).Load(); err == nil {
			t.Errorf("loaded %q", bad)
		}
		if err := k.File(bad).Remove(); err == nil {
			t.Errorf("removed %q", bad)
		}
	}
}

func TestAFailedSaveKeepsTheOldContent(t *testing.T) {
	home := newHome(t)
	k := mustUnlock(t, home, keyFile(t))
	f := k.File("value")
	if err := f.Save([]byte("old")); err != nil {
		t.Fatal(err)
	}
	// Something in the way of the temporary file, as a full disk would be.
	if err := os.MkdirAll(filepath.Join(home, "value.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Save([]byte("new")); err == nil {
		t.Error("the save is said to have worked")
	}
	if got, err := f.Load(); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFilesAreReplacedWhole(t *testing.T) {
	k := mustUnlock(t, newHome(t), keyFile(t))
	f := k.File("value")
	contents := [][]byte{bytes.Repeat([]byte("a"), 9000), bytes.Repeat([]byte("b"), 20)}
	if err := f.Save(contents[0]); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				if w%2 == 0 {
					if err := k.File("value").Save(contents[i%2]); err != nil {
						t.Error(err)
					}
				} else if got, err := k.File("value").Load(); err != nil || !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnchorInAFile(t *testing.T) {
	home, src := newHome(t), keyFile(t)
	k := mustUnlock(t, home, src)
	a := k.Anchor("audit")
	if got, err := a.Load(); got != "" || err != nil {
		t.Fatalf("before the first save: %q, %v", got, err)
	}
	if err := a.Save("7 abc"); err != nil {
		t.Fatal(err)
	}
	if got, err := mustUnlock(t, home, src).Anchor("audit").Load(); got != "7 abc" || err != nil {
		t.Errorf("after reopening: %q, %v", got, err)
	}
	if a.Where() != "a sealed file" {
		t.Error(a.Where())
	}
	path := filepath.Join(home, "anchor-audit")
	if err := os.WriteFile(path, []byte("7 abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Load(); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a forged anchor: %v", err)
	}
	for _, bad := range []string{"", "../x", "A", "a/b"} {
		if err := k.Anchor(bad).Save("x"); err == nil {
			t.Errorf("saved the anchor %q", bad)
		}
	}
	if err := a.Save(strings.Repeat("x", maxAnchor+1)); err == nil {
		t.Error("saved an anchor that a keychain cannot hold")
	}
}

// Whatever goes wrong, what is said must not help to open the store.
func mustHideKey(t testing.TB, key string, said ...any) {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		raw = []byte(key)
	}
	for _, one := range said {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			text := fmt.Sprintf(verb, one)
			for _, secret := range []string{
				key, string(raw), hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
				base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString([]byte(key)), fmt.Sprint(raw), strings.Trim(fmt.Sprintf("%#v", raw), "[]byte{}"),
			} {
				if strings.Contains(text, secret) {
					t.Fatalf("the key is in %q", text)
				}
			}
			if len(key) >= 12 && strings.Contains(text, key[:12]) {
				t.Fatalf("a part of the key is in %q", text)
			}
		}
	}
}

func TestKeysPrintNoKey(t *testing.T) {
	src := keyFile(t)
	b, err := os.ReadFile(src.File)
	if err != nil {
		t.Fatal(err)
	}
	k := mustUnlock(t, newHome(t), src)
	c, err := k.NewConversation(uuid.NewString(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustHideKey(t, strings.TrimSpace(string(b)), k, k.main, c, k.File("x"), k.Anchor("x"), k.Source())
}

func FuzzOpenInvertsSeal(f *testing.F) {
	k := mustUnlock(f, newHome(f), keyFile(f))
	f.Add([]byte("value"), "aws_estate", "p", "content", uint64(1))
	f.Add([]byte{}, "", "", "", uint64(0))
	f.Fuzz(func(t *testing.T, plain []byte, collection, point, field string, version uint64) {
		at := Place{collection, point, field, version}
		sealed, err := k.Seal(plain, at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Open(sealed, at)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q came back as %q, %v", plain, got, err)
		}
		at.Version++
		if _, err := k.Open(sealed, at); !errors.Is(err, ErrUnauthenticated) {
			t.Fatalf("at another version: %v", err)
		}
		i := int(version % uint64(len(sealed)))
		sealed[i] ^= byte(1 + version%255)
		if _, err := k.Open(sealed, Place{collection, point, field, version}); !errors.Is(err, ErrUnauthenticated) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	k := mustUnlock(f, newHome(f), keyFile(f))
	sealed, err := k.Seal([]byte("value"), place)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte{format})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, sealed) {
			t.Skip("the one value that opens")
		}
		if _, err := k.Open(b, place); !errors.Is(err, ErrUnauthenticated) {
			t.Fatalf("%x: %v", b, err)
		}
	})
}

func FuzzKeysetFile(f *testing.F) {
	home := newHome(f)
	mustUnlock(f, home, keyFile(f))
	b, err := os.ReadFile(keysetPath(home))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	line, _, _ := bytes.Cut(b, []byte("\n"))
	f.Add(line)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		// Most mutations break the checksum; a true one lets them through.
		for _, b := range [][]byte{line, append(append(bytes.Clone(line), '\n'), checksum(line)+"\n"...)} {
			ks, err := parseKeyset(b)
			if err != nil {
				continue
			}
			if _, err := ks.open(home, ks.Source, make([]byte, keySize)); !errors.Is(err, ErrWrongKey) {
				t.Fatalf("opened by a key of zeros: %v", err)
			}
		}
	})
}

// payload is about 1.5 KB of what a resource's record looks like.
func payload() []byte {
	var b bytes.Buffer
	for i := range 30 {
		fmt.Fprintf(&b, `"tag:key-%d":"value %x","subnet-%08x":"available",`, i, i*i*7919, uint32(i)*2654435761)
	}
	return b.Bytes()
}

func BenchmarkSeal1500(b *testing.B) {
	k := mustUnlock(b, newHome(b), keyFile(b))
	plain := payload()
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Seal(plain, place); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPointID(b *testing.B) {
	k := mustUnlock(b, newHome(b), keyFile(b))
	b.ReportAllocs()
	for b.Loop() {
		k.PointID("arn:aws:rds:us-west-2:111122223333:db:pg-instance-main1")
	}
}

func BenchmarkOpen1500(b *testing.B) {
	k := mustUnlock(b, newHome(b), keyFile(b))
	plain := payload()
	sealed, err := k.Seal(plain, place)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(sealed, place); err != nil {
			b.Fatal(err)
		}
	}
}
