package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/cloudops/cloudops/storage/seal"
)

// sample is a data file with many pages, long values, free pages and both
// kinds of buckets.
func sample(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		err := db.Update(func(tx *bbolt.Tx) error {
			small, err := tx.CreateBucketIfNotExists([]byte("small"))
			if err != nil {
				return err
			}
			if err := small.Put([]byte("k"), []byte("v")); err != nil {
				return err
			}
			b, err := tx.CreateBucketIfNotExists([]byte("large"))
			if err != nil {
				return err
			}
			for i := range uint64(600) {
				if err := b.Put(seqKey(i*uint64(round+1)), bytes.Repeat([]byte{byte(i)}, int(i%700)*20)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// traverse uses a data file as the engine does.
func traverse(path string) (err error) {
	return guarded(func() error {
		db, err := openDB(path)
		if err != nil {
			return err
		}
		defer db.Close()
		err = db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
				return b.ForEach(func(k, v []byte) error {
					if !bytes.Equal(b.Get(k), v) {
						return fmt.Errorf("%x reads otherwise", k)
					}
					return nil
				})
			})
		})
		if err != nil {
			return err
		}
		return db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("large"))
			if err != nil {
				return err
			}
			for i := range uint64(40) {
				if err := b.Put(seqKey(i*31), make([]byte, 3000)); err != nil {
					return err
				}
			}
			return b.Delete(seqKey(5))
		})
	})
}

func TestCheckPassesOnlyWhatBboltSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	original := sample(t)
	path := filepath.Join(t.TempDir(), "data.db")
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(original)
	if stale, err := check(path); stale || err != nil {
		t.Fatalf("check of a whole file = %v, %v", stale, err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 150 {
		b := bytes.Clone(original)
		page := random.IntN(len(b) / 4096)
		// Mostly where the structure is: the header and the first elements.
		at := page*4096 + random.IntN([]int{16, 120, 4096}[random.IntN(3)])
		b[at] ^= byte(1 + random.IntN(255))
		write(b)
		stale, err := check(path)
		if err != nil {
			refused++
			continue
		}
		if stale && at >= 8192 {
			t.Errorf("byte %d: a header is said to be damaged", at)
		}
		if err := traverse(path); err != nil {
			t.Errorf("byte %d passes the check, but: %v", at, err)
		}
	}
	if refused < 5 {
		t.Errorf("only %d of 150 damaged files were refused", refused)
	}
}

func FuzzCheck(f *testing.F) {
	original := sample(f)
	home := filepath.Join(f.TempDir(), "home")
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key", "kek")})
	if err != nil {
		f.Fatal(err)
	}
	c := &collection{place: "engine/x", keys: keys}
	f.Add([]byte{}, uint32(0))
	f.Add([]byte("abc"), uint32(8192))
	f.Fuzz(func(t *testing.T, patch []byte, at uint32) {
		b := bytes.Clone(original)
		copy(b[int(at)%len(b):], patch)
		path := filepath.Join(t.TempDir(), "data.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := check(path); err == nil {
			if err := traverse(path); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := c.salvage(filepath.Dir(path)); err != nil {
			t.Fatalf("saving what is left of it: %v", err)
		}
		if n := headsIn(t, path); n != 0 {
			t.Fatalf("of a file of another store %d points were saved", n)
		}
		kept, err := filepath.Glob(path + ".damaged-*")
		if err != nil || len(kept) != 1 {
			t.Fatalf("kept are %v, %v", kept, err)
		}
		if after, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(after, b) {
			t.Fatal("the damaged file was changed")
		}
	})
}

// headsIn counts the points of a data file.
func headsIn(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := openDB(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(headsBucket()).Stats().KeyN
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{}, "a.b")
	f.Add(head{small: []byte("\x0a\x08\x0a\x01a\x12\x03\x22\x01x"), large: []string{"big"}}.encode(), `a."b.c"`)
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		segments, ok := parsePath(path)
		if ok {
			for _, s := range segments {
				if strings.ContainsAny(s, `"\`) {
					t.Errorf("parsePath(%q) = %q", path, segments)
				}
			}
		} else {
			segments = []string{"a"}
		}
		_, _ = lookup(b, segments)
		h, err := decodeHead(b)
		if err != nil {
			return
		}
		if again, err := decodeHead(h.encode()); err != nil || again.id != h.id || !bytes.Equal(again.small, h.small) {
			t.Errorf("decodeHead(encode) = %v, %v; want %v", again, err, h)
		}
		_, _, _ = split(h.id, b)
		_, _ = tidy(b)
	})
}
