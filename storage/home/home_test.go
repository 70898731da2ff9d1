package home

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each file has one nature besides being derived, and an owner that knows its name.
func TestFilesHaveANatureAndAnOwner(t *testing.T) {
	word := regexp.MustCompile(`[a-z]+`)
	for _, f := range Files() {
		if !slices.Contains([]Nature{Secret, Sealed, Plain}, f.Nature&^Derived) {
			t.Errorf("%s is of nature %b", f.Pattern, f.Nature)
		}
		if f.Is(Derived) && (!f.Anew || f.Lost != "") {
			t.Errorf("%s is derived, and something is lost with it", f.Pattern)
		}
		files, err := filepath.Glob(filepath.Join("../..", f.Owner, "*.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("%s is owned by %s, which is no package", f.Pattern, f.Owner)
		}
		var source strings.Builder
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
		name := path.Base(f.Pattern)
		if name == "*" {
			name = path.Dir(f.Pattern)
		}
		for _, w := range word.FindAllString(name, -1) {
			if !strings.Contains(source.String(), w) {
				t.Errorf("%s is owned by %s, which does not know it", f.Pattern, f.Owner)
			}
		}
	}
}

// What lies in a home is listed under the name of the inventory, be it whole,
// unfinished or set aside; another program's folder is not.
func TestList(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"keyset", "data/user.tmp", "data/ledger.damaged-20260102T030405.678", "data/qdrant-local/x", "data/mine"} {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		s := e.Name
		if !e.Known {
			s += " unknown"
		}
		if e.Left {
			s += " left"
		}
		got = append(got, s)
	}
	want := []string{"data/ledger left", "data/mine unknown", "data/user left", "keyset"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if kept := SetAside(dir); len(kept) != 1 || kept[0].Name != "data/ledger" {
		t.Errorf("set aside: %v", kept)
	}
}
