package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filled is a home's log that the next record makes too long, as a writer.
func filled(t *testing.T, home string) *boundedLog {
	t.Helper()
	f, _, err := openLog(home)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString("the first record\n" + strings.Repeat("x", maxLog)); err != nil {
		t.Fatal(err)
	}
	l, ok := Log(home, f).(*boundedLog)
	if !ok {
		t.Fatal("the home's log is not taken for it")
	}
	return l
}

// Whatever has the place of the earlier records, the log stays small and takes
// new ones, and nothing but those records is replaced.
func TestALogIsPutAsideWhateverHasThePlace(t *testing.T) {
	for name, c := range map[string]struct {
		occupy func(aside, precious string) error
		// kept: the earlier records are there afterwards.
		kept bool
	}{
		"nothing":       {func(string, string) error { return nil }, true},
		"an older log":  {func(aside, _ string) error { return os.WriteFile(aside, []byte("older"), 0o600) }, true},
		"a link":        {func(aside, precious string) error { return os.Symlink(precious, aside) }, true},
		"a full folder": {func(aside, _ string) error { return os.MkdirAll(filepath.Join(aside, "full"), 0o700) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			home := testHome(t)
			l := filled(t, home)
			precious := filepath.Join(t.TempDir(), "precious")
			if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := c.occupy(l.path+".1", precious); err != nil {
				t.Fatal(err)
			}
			if n, err := l.Write([]byte("the next record\n")); n != len("the next record\n") || err != nil {
				t.Errorf("wrote %d bytes, %v", n, err)
			}
			if b, err := os.ReadFile(l.path); err != nil || string(b) != "the next record\n" {
				t.Errorf("the log has %d bytes, %v; want the next record alone", len(b), err)
			}
			if b, _ := os.ReadFile(precious); string(b) != "precious" {
				t.Error("what a link led to was written over")
			}
			if b, err := os.ReadFile(l.path + ".1"); (err == nil && strings.HasPrefix(string(b), "the first record\n") && len(b) > maxLog) != c.kept {
				t.Errorf("put aside: %d bytes, %v", len(b), err)
			}
		})
	}
}

// A link in the place of the log is not written through.
func TestALogIsNoLink(t *testing.T) {
	home := testHome(t)
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, "log"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "log", logName)
	if err := os.Symlink(precious, path); err != nil {
		t.Fatal(err)
	}
	if f, _, err := openLog(home); err == nil {
		f.Close()
		t.Error("a link is opened as the log")
	}
	// Nor is a file that a link leads to taken for it, which would be emptied.
	f, err := os.OpenFile(precious, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if w := Log(home, f); w != f {
		t.Error("the file behind a link is taken for the log")
	}
}

// What a daemon said before it ended is read from where it began, and only what
// was meant for people.
func TestLastWordsAreOfThisDaemon(t *testing.T) {
	const earlier = "the words of an earlier daemon\n"
	for name, c := range map[string]struct{ said, want string }{
		"nothing":              {"", ""},
		"records only":         {`{"msg":"serving"}` + "\n" + `{"msg":"ended"}` + "\n", ""},
		"words among records":  {`{"msg":"serving"}` + "\nno key\n\n" + `{"msg":"ended"}` + "\n", "no key"},
		"the last of many":     {"one\ntwo\n", "two"},
		"what moves a cursor":  {"\x1b[2Jno\tkey \r\n", "[2Jnokey"},
		"after very much else": {strings.Repeat("x\n", 16<<10) + "no key\n", "no key"},
	} {
		home := testHome(t)
		f, _, err := openLog(home)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(earlier); err != nil {
			t.Fatal(err)
		}
		f.Close()
		f, from, err := openLog(home)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(c.said); err != nil {
			t.Fatal(err)
		}
		f.Close()
		words := written(f.Name(), from)
		if got := lastWords(words); got != c.want {
			t.Errorf("%s: the last words are %q, want %q", name, got, c.want)
		}
		if len(words) > 16<<10 || strings.Contains(words, earlier) {
			t.Errorf("%s: %d bytes are read", name, len(words))
		}
	}
}
