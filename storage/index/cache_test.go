package index

import (
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

func content(x *Index) map[string]Record {
	all := map[string]Record{}
	for r := range x.All() {
		all[r.Canonical()] = r
	}
	return all
}

func TestCache(t *testing.T) {
	x := estate()
	deleted := instance("i-gone", "gone", "r")
	x.Put(deleted)
	x.Delete(deleted.Key)
	x.Confirm(time.Date(2026, 6, 1, 0, 0, 0, 7, time.UTC), instance("i-0abc", "", "us-west-2").Key)
	b, err := x.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	y := New(kinds())
	y.Put(deleted) // replaced by the cache
	if err := y.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(content(x), content(y)) {
		t.Errorf("got %+v\nwant %+v", content(y), content(x))
	}
	for _, id := range []string{"pg-main", "WEB-1", "arn:aws:s3:::prod-data"} {
		if got, want := y.Find(id), x.Find(id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", id, got, want)
		}
	}
	// It is a whole index again.
	y.Put(deleted)
	y.Delete(instance("i-0abc", "", "us-west-2").Key)
	wantIDs(t, "put", y.Find("gone"), "i-gone")
	wantIDs(t, "deleted", y.Find("web-1"))
	if empty, err := New(kinds()).MarshalBinary(); err != nil || New(kinds()).UnmarshalBinary(empty) != nil {
		t.Error("an empty index does not come back")
	}
}

// sum makes a changed cache pass its checksum.
func sum(b []byte) []byte {
	n := len(b) - 4
	binary.LittleEndian.PutUint32(b[n:], checksum(b[:n]))
	return b
}

func TestWrongCacheChangesNothing(t *testing.T) {
	good, err := estate().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	x := New(kinds())
	kept := instance("i-kept", "kept", "r")
	x.Put(kept)
	want := content(x)
	refuse := func(what string, b []byte) {
		t.Helper()
		if err := x.UnmarshalBinary(b); !errors.Is(err, ErrCache) {
			t.Errorf("%s: got %v, want ErrCache", what, err)
		}
	}
	refuse("nothing", nil)
	refuse("text", []byte("this is no cache at all, but long enough for one"))
	for i := range good {
		refuse("cut short", good[:i])
		if i >= len(magic) && i < len(good)-4 {
			refuse("cut short with a checksum", sum(append([]byte(nil), good[:i]...)))
		}
		b := append([]byte(nil), good...)
		b[i] ^= 0x40
		refuse("a changed byte", b)
	}
	refuse("longer", sum(append(append([]byte(nil), good...), 0)))
	// Sound but for its meaning: an ARN that is said to be there and is not.
	var w words
	w.init()
	body := appendRecord(nil, &Record{}, &w)
	body[0] |= flagARN
	body = slices.Insert(body, 9, 0, 0)
	hollow := append([]byte(magic), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(body)))
	refuse("an empty ARN", sum(append(append(hollow, body...), 0, 0, 0, 0)))
	newer := append([]byte(nil), good...)
	newer[len(magic)-1]++
	refuse("another version", sum(newer))
	if !maps.EqualFunc(content(x), want, func(a, b Record) bool { return reflect.DeepEqual(a, b) }) {
		t.Error("a refused cache changed the index")
	}
}

// Whatever the bytes, reading them gives an index that works or ErrCache. The
// checksum is mended first, or nothing behind it would be reached.
func FuzzUnmarshalBinary(f *testing.F) {
	good, err := estate().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(magic + "\x00\x00    "))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= 4 {
			b = sum(append([]byte(nil), b...))
		}
		x := New(kinds())
		if err := x.UnmarshalBinary(b); err != nil {
			if !errors.Is(err, ErrCache) || x.Len() != 0 {
				t.Fatalf("got %v and %d records", err, x.Len())
			}
			return
		}
		all := content(x)
		if len(all) != x.Len() {
			t.Fatalf("%d records of %d", len(all), x.Len())
		}
		for _, r := range all {
			if got, found := x.Get(r.Key); !found || !reflect.DeepEqual(got, r) {
				t.Fatalf("got %+v, want %+v", got, r)
			}
			x.Find(r.Name)
		}
		x.Search("a b=c", Filter{Tags: map[string]string{"a": "b"}}, 3)
		again, err := x.MarshalBinary()
		if err != nil || New(kinds()).UnmarshalBinary(again) != nil {
			t.Fatal("what was read cannot be written and read again")
		}
		for _, r := range all {
			r.State = "changed"
			x.Put(r)
			x.Delete(r.Key)
		}
		if x.Len() != 0 || x.prints.used != 0 {
			t.Fatalf("%d records left", x.Len())
		}
	})
}
