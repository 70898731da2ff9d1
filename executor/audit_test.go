package executor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage/seal"
)

// privateHome is a home with open keys; the key file stands outside of it.
func privateHome(t *testing.T) (string, *seal.Keys) {
	t.Helper()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return home, unlock(t, home)
}

func unlock(t *testing.T, home string) *seal.Keys {
	t.Helper()
	keys, err := unlockAt(home)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func unlockAt(home string) (*seal.Keys, error) {
	return seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key")})
}

func openLog(t *testing.T, home string, keys *seal.Keys) (*audit, []Entry) {
	t.Helper()
	var entries []Entry
	a := openAudit(home, keys, time.Now(), func(e Entry, _ span) { entries = append(entries, e) })
	t.Cleanup(func() { a.close() })
	return a, entries
}

func write(t *testing.T, a *audit, n int) {
	t.Helper()
	for i := range n {
		x := &Execution{ID: fmt.Sprint(i), Status: "planned", Line: "canary-line"}
		if _, _, err := a.append(content{Time: time.Now(), Kind: "planned", Execution: x}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditIsReadBackInOrder(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 5)
	if r := a.verify(); !r.OK || r.Records != 5 || !strings.Contains(r.Anchor, "record 5") {
		t.Fatalf("%+v", r)
	}
	a.close()
	b, entries := openLog(t, home, keys)
	if len(entries) != 5 || entries[4].Seq != 5 || entries[4].Previous != entries[3].Hash || entries[2].Execution.ID != "2" {
		t.Fatalf("%+v", entries)
	}
	write(t, b, 2)
	newest, err := b.entries(3)
	if err != nil || len(newest) != 3 || newest[0].Seq != 5 || newest[2].Seq != 7 {
		t.Fatalf("%+v, %v", newest, err)
	}
	info, err := os.Stat(filepath.Join(home, auditFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	raw, _ := os.ReadFile(filepath.Join(home, auditFile))
	if bytes.Contains(raw, []byte("canary")) || bytes.Contains(raw, []byte("planned")) {
		t.Error("the log is readable without the key")
	}
}

// Whoever changes the file is found out, and then nothing is recorded any more,
// so nothing runs; what is still good can be read.
func TestAuditNoticesTampering(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 6)
	a.close()
	path := filepath.Join(home, auditFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := func() [][]byte { return bytes.SplitAfter(bytes.Clone(good), []byte("\n"))[:6] }
	relink := func(ls [][]byte) []byte { // number and chain the lines anew, as one can without the key
		var first record
		if err := json.Unmarshal(lines()[0], &first); err != nil {
			t.Fatal(err)
		}
		out, prev := []byte{}, first.Prev
		for i, l := range ls {
			var r record
			if err := json.Unmarshal(l, &r); err != nil {
				t.Fatal(err)
			}
			r.Seq, r.Prev = uint64(i+1), prev
			prev = r.hash()
			b, _ := json.Marshal(r)
			out = append(append(out, b...), '\n')
		}
		return out
	}
	for name, c := range map[string]struct {
		content []byte
		read    int
		says    string
	}{
		"deleted in the middle":          {slices.Concat(append(lines()[:2:2], lines()[3:]...)...), 5, "missing"},
		"deleted first":                  {slices.Concat(lines()[1:]...), 5, "missing"},
		"cut at a line":                  {slices.Concat(lines()[:4]...), 4, "cut off"},
		"cut in a line":                  {good[:len(good)-20], 5, "cut off"},
		"last newline gone":              {good[:len(good)-1], 5, "cut off"},
		"emptied":                        {nil, 0, "cut off"},
		"reordered":                      {slices.Concat(lines()[0], lines()[2], lines()[1], slices.Concat(lines()[3:]...)), 6, "missing, moved"},
		"doubled":                        {slices.Concat(good, lines()[5]), 7, "missing, moved"},
		"garbage line":                   {slices.Concat(lines()[0], []byte("hello\n"), slices.Concat(lines()[1:]...)), 6, "not a record"},
		"empty line":                     {slices.Concat(good, []byte("\n")), 6, "not a record"},
		"huge line":                      {slices.Concat(good, bytes.Repeat([]byte("x"), maxRecord+10), []byte("\n")), 6, "not a record"},
		"space added":                    {bytes.Replace(bytes.Clone(good), []byte(`{"seq":3`), []byte(`{"seq": 3`), 1), 5, "not a record"},
		"deleted, chained anew":          {relink(append(lines()[:2:2], lines()[3:]...)), 2, "does not open"},
		"moved, chained anew":            {relink([][]byte{lines()[1], lines()[0], lines()[2]}), 0, "does not open"},
		"a record of another, appended":  {relink(append(lines(), lines()[2])), 6, "does not open"},
		"forged record without the key":  {append(bytes.Clone(good), forged(t, lines()[5])...), 6, "does not open"},
		"replaced by a log chained anew": {relink(lines()[3:]), 0, "does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			a, entries := openLog(t, home, keys)
			r := a.verify()
			if r.OK || !strings.Contains(strings.Join(r.Problems, "\n"), c.says) {
				t.Errorf("%+v", r)
			}
			if len(entries) != c.read {
				t.Errorf("%d records are still read, want %d", len(entries), c.read)
			}
			if a.usable() == nil {
				t.Error("a damaged log is usable")
			}
			if _, _, err := a.append(content{Kind: "claimed"}); err == nil {
				t.Error("a damaged log takes records")
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, c.content) {
				t.Error("a damaged log was touched")
			}
		})
	}
	// Every single byte counts.
	for i := 0; i < len(good); i += 7 {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if a, _ := openLog(t, home, keys); a.usable() == nil {
			t.Fatalf("a flipped bit in byte %d (%q) goes unnoticed", i, good[i])
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, _ := openLog(t, home, keys); a.usable() != nil || !a.verify().OK {
		t.Fatalf("the log put back does not hold: %+v", a.verify())
	}
}

// forged is the next line that someone without the key would write.
func forged(t *testing.T, last []byte) []byte {
	var r record
	if err := json.Unmarshal(last, &r); err != nil {
		t.Fatal(err)
	}
	next := record{Seq: r.Seq + 1, Prev: r.hash(), Sealed: r.Sealed}
	b, _ := json.Marshal(next)
	return append(b, '\n')
}

func TestAuditGoneBesideItsAnchor(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 3)
	a.close()
	if err := os.Remove(filepath.Join(home, auditFile)); err != nil {
		t.Fatal(err)
	}
	b, _ := openLog(t, home, keys)
	if b.usable() == nil || b.verify().OK {
		t.Error("a log that vanished begins anew")
	}
	if _, err := os.Stat(filepath.Join(home, auditFile)); err == nil {
		t.Error("a new file was made")
	}
}

func TestAuditWithoutItsAnchor(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 3)
	a.close()
	if err := os.Remove(filepath.Join(home, "anchor-audit")); err != nil {
		t.Fatal(err)
	}
	b, entries := openLog(t, home, keys)
	if b.usable() == nil || len(entries) != 3 {
		t.Errorf("usable %v, %d records read", b.usable(), len(entries))
	}
}

// A crash between the record and its anchor leaves the anchor one behind.
func TestAuditAheadOfItsAnchor(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 3)
	before, err := os.ReadFile(filepath.Join(home, "anchor-audit"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, a, 1)
	a.close()
	if err := os.WriteFile(filepath.Join(home, "anchor-audit"), before, 0o600); err != nil {
		t.Fatal(err)
	}
	b, entries := openLog(t, home, keys)
	if err := b.usable(); err != nil || len(entries) != 4 {
		t.Fatalf("%v, %d records", err, len(entries))
	}
	write(t, b, 1)
	if r := b.verify(); !r.OK || !strings.Contains(r.Anchor, "record 5") {
		t.Errorf("%+v", r)
	}
}

// An anchor that is further behind than a crash leaves it was put back, so that
// it would not miss what is cut off next.
func TestAuditNoticesAnOlderAnchor(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 3)
	before, err := os.ReadFile(filepath.Join(home, "anchor-audit"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, a, 2)
	a.close()
	if err := os.WriteFile(filepath.Join(home, "anchor-audit"), before, 0o600); err != nil {
		t.Fatal(err)
	}
	b, _ := openLog(t, home, keys)
	if r := b.verify(); b.usable() == nil || r.OK || !strings.Contains(strings.Join(r.Problems, " "), "older") {
		t.Errorf("usable %v, %+v", b.usable(), r)
	}
}

// What a crash left of a record was never acknowledged: it goes, and a note stays.
func TestAuditRepairsATornRecord(t *testing.T) {
	home, keys := privateHome(t)
	path := filepath.Join(home, auditFile)
	for _, torn := range []string{"{", `{"seq":4,"prev":"`, strings.Repeat("x", 100_000)} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := keys.Anchor("audit").Save(""); err != nil {
			t.Fatal(err)
		}
		a, _ := openLog(t, home, keys)
		write(t, a, 3)
		a.close()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); err != nil {
			t.Fatal(err)
		}
		f.Close()
		b, _ := openLog(t, home, keys)
		if r := b.verify(); !r.OK || r.Records != 4 {
			t.Fatalf("%+v", r)
		}
		last, err := b.entries(1)
		if err != nil || last[0].Kind != "local" || !strings.Contains(last[0].Text, fmt.Sprint(len(torn))) {
			t.Errorf("%+v, %v", last, err)
		}
	}
}

// While the log is open nobody else may write, cut or replace it.
func TestAuditNoticesAnotherWriter(t *testing.T) {
	for name, meddle := range map[string]func(path string) error{
		"appended": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("{}\n")
			return err
		},
		"cut":     func(path string) error { return os.Truncate(path, 10) },
		"removed": os.Remove,
		"replaced": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".new", b, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			home, keys := privateHome(t)
			a, _ := openLog(t, home, keys)
			write(t, a, 2)
			if err := meddle(a.path); err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.append(content{Kind: "claimed"}); err == nil {
				t.Error("it went on recording")
			}
			if a.usable() == nil {
				t.Error("it is still usable")
			}
		})
	}
}

// Another end of the same log, with the anchor that belongs to it, holds by itself;
// it is not what was written here.
func TestAuditNoticesAnotherEnd(t *testing.T) {
	home, keys := privateHome(t)
	paths := []string{filepath.Join(home, auditFile), filepath.Join(home, "anchor-audit")}
	kept := func() (all [][]byte) {
		t.Helper()
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
		return all
	}
	put := func(all [][]byte) {
		t.Helper()
		for i, path := range paths {
			if err := os.WriteFile(path, all[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	record := func() *audit {
		t.Helper()
		a, _ := openLog(t, home, keys)
		if _, _, err := a.append(content{Kind: "local", Text: "of one length"}); err != nil {
			t.Fatal(err)
		}
		return a
	}
	record().close()
	before := kept()
	record().close()
	other := kept()
	put(before)
	a := record()
	if own := kept(); len(own[0]) != len(other[0]) || bytes.Equal(own[0], other[0]) {
		t.Fatal("the two ends are not two of one length")
	}
	put(other)
	if err := a.usable(); err == nil || !strings.Contains(err.Error(), "not what was written") {
		t.Errorf("another end is taken for its own: %v", err)
	}
}

func TestAuditOfAnotherStore(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 2)
	a.close()
	other, otherKeys := privateHome(t)
	b, err := os.ReadFile(filepath.Join(home, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, auditFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, entries := openLog(t, other, otherKeys); c.usable() == nil || len(entries) != 0 {
		t.Errorf("%d records of another store are read", len(entries))
	}
	link := filepath.Join(other, auditFile)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(home, auditFile), link); err != nil {
		t.Fatal(err)
	}
	if c, _ := openLog(t, other, otherKeys); c.usable() == nil {
		t.Error("a link is followed")
	}
}

// A record whose anchor can't be saved must not be acted upon.
func TestAuditWithoutAnAnchorToSave(t *testing.T) {
	home, keys := privateHome(t)
	a, _ := openLog(t, home, keys)
	write(t, a, 2)
	anchor := filepath.Join(home, "anchor-audit")
	value, err := os.ReadFile(anchor)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(anchor), os.MkdirAll(filepath.Join(anchor, "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := a.append(content{Kind: "claimed"}); err == nil || !strings.Contains(err.Error(), "anchor") {
			t.Fatalf("a record without an anchor counts: %v", err)
		}
	}
	if err := errors.Join(os.RemoveAll(anchor), os.WriteFile(anchor, value, 0o600)); err != nil {
		t.Fatal(err)
	}
	write(t, a, 1)
	if r := a.verify(); !r.OK || r.Records != 4 {
		t.Errorf("%+v", r)
	}
}

// A line of any length is passed over, and none that is too long fills the memory.
func TestLinesAreBounded(t *testing.T) {
	for _, c := range []struct {
		size  int // of the first line, without its end
		ended bool
		kept  int
	}{
		{0, true, 0},
		{10, true, 10},
		{10, false, 10},
		{maxRecord - 1, true, maxRecord - 1},
		{maxRecord, true, 0},
		{maxRecord + 1, false, 0},
		{2 * maxRecord, true, 0},
	} {
		text := strings.Repeat("x", c.size)
		length := int64(c.size)
		if c.ended {
			text += "\nnext\n"
			length++
		}
		b := bufio.NewReader(strings.NewReader(text))
		line, whole, n, err := readLine(b)
		if err != nil || whole != c.ended || n != length || len(line) != c.kept {
			t.Errorf("a line of %d (ended %t): %d kept, whole %t, length %d, %v", c.size, c.ended, len(line), whole, n, err)
		}
		if line, whole, _, err := readLine(b); c.ended && (string(line) != "next" || !whole || err != nil) {
			t.Errorf("after a line of %d: %.20q, %v", c.size, line, err)
		}
	}
}

func FuzzAuditRecord(f *testing.F) {
	f.Add([]byte(`{"seq":1,"prev":"` + strings.Repeat("0", 64) + `","sealed":"AAAA"}`))
	f.Add([]byte(`{"SEQ":1,"prev":"","sealed":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decode(line)
		if err != nil {
			return
		}
		if again, err := json.Marshal(r); err != nil || !bytes.Equal(again, line) {
			t.Errorf("%q and %q are the same record", line, again)
		}
	})
}

func someHome(b *testing.B) (string, *seal.Keys) {
	home := filepath.Join(b.TempDir(), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		b.Fatal(err)
	}
	keys, err := unlockAt(home)
	if err != nil {
		b.Fatal(err)
	}
	return home, keys
}

func someExecution() *Execution {
	p, _ := somePlan()
	return &Execution{ID: random(16), PlanID: random(16), Status: "planned", Command: p.Command, Line: p.Command.String(), Targets: p.Targets, Identity: p.Identity}
}

func BenchmarkAuditAppend(b *testing.B) {
	home, keys := someHome(b)
	a := openAudit(home, keys, time.Now(), func(Entry, span) {})
	defer a.close()
	for b.Loop() {
		if _, _, err := a.append(content{Kind: "planned", Execution: someExecution()}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuditOpen1000Records(b *testing.B) {
	home, keys := someHome(b)
	a := openAudit(home, keys, time.Now(), func(Entry, span) {})
	for range 1000 {
		if _, _, err := a.append(content{Kind: "planned", Execution: someExecution()}); err != nil {
			b.Fatal(err)
		}
	}
	a.close()
	for b.Loop() {
		a := openAudit(home, keys, time.Now(), newView().note)
		if a.usable() != nil {
			b.Fatal(a.usable())
		}
		a.close()
	}
}
