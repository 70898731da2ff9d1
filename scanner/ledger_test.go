package scanner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// Lists of one shard may overlap, and the one that began first may end last:
// what the later one found stays.
func TestAnOlderListThatEndsLaterChangesNothing(t *testing.T) {
	shard := Shard{"1", "us-west-2", "ec2_instance"}
	older, newer := time.Unix(1000, 0), time.Unix(2000, 0)
	for name, c := range map[string]struct {
		end  func(*ledger)
		want ShardState
	}{
		"whole":         {func(l *ledger) { l.complete(shard, older, 5) }, ShardState{Shard: shard, State: stateComplete, At: newer, Count: 7}},
		"failed":        {func(l *ledger) { l.incomplete(shard, older, stateFailed, "x") }, ShardState{Shard: shard, State: stateComplete, At: newer, Count: 7}},
		"a later whole": {func(l *ledger) { l.complete(shard, newer.Add(1), 5) }, ShardState{Shard: shard, State: stateComplete, At: newer.Add(1), Count: 5}},
		"a later fails": {func(l *ledger) { l.incomplete(shard, newer.Add(1), stateDenied, "x") }, ShardState{Shard: shard, State: stateDenied, At: newer, Count: 7, Problem: "x"}},
	} {
		l := knowing()
		l.complete(shard, newer, 7)
		c.end(l)
		if got := l.shard(shard); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// What could not be saved once is saved by the next try.
func TestALedgerThatCouldNotBeSavedIsSavedLater(t *testing.T) {
	dir, keys := storagetest.Home(t)
	l, err := openLedger(keys.File(ledgerFile))
	if err != nil {
		t.Fatal(err)
	}
	// A folder in the file's place can't be replaced, whoever the user is.
	inTheWay := filepath.Join(dir, filepath.FromSlash(ledgerFile), "x")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	shard := Shard{"1", "us-west-2", "ec2_instance"}
	l.complete(shard, time.Unix(1000, 0).UTC(), 7)
	if err := l.save(0); err == nil {
		t.Fatal("saving over a folder is no error")
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	if err := l.save(time.Hour); err != nil {
		t.Fatal(err)
	}
	again, err := openLedger(keys.File(ledgerFile))
	if err != nil {
		t.Fatal(err)
	}
	if got := again.shard(shard); got != l.shard(shard) {
		t.Errorf("after a save that failed and one that did not, the file says %+v, want %+v", got, l.shard(shard))
	}
}

// A ledger that is lost while the daemon runs is written back from memory.
func TestALedgerThatIsLostIsWrittenBack(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"removed": os.Remove,
		"emptied": func(path string) error { return os.Truncate(path, 0) },
	} {
		dir, keys := storagetest.Home(t)
		l, err := openLedger(keys.File(ledgerFile))
		if err != nil {
			t.Fatal(err)
		}
		shard := Shard{"1", "us-west-2", "ec2_instance"}
		l.complete(shard, time.Unix(1000, 0).UTC(), 7)
		if err := l.save(0); err != nil {
			t.Fatal(err)
		}
		if mended := keys.Mend(); len(mended) > 0 {
			t.Errorf("%s: before, it mends %v", name, mended)
		}
		if err := lose(filepath.Join(dir, filepath.FromSlash(ledgerFile))); err != nil {
			t.Fatal(err)
		}
		if mended := keys.Mend(); len(mended) != 1 || mended[0].Name != ledgerFile || mended[0].Err != nil {
			t.Errorf("%s: it mends %+v, want the ledger", name, mended)
		}
		again, err := openLedger(keys.File(ledgerFile))
		if err != nil || again.shard(shard) != l.shard(shard) {
			t.Errorf("%s: the file says %+v, %v", name, again.shard(shard), err)
		}
	}
}

// A ledger that a scan saves now and then is written no more often, and whole
// at the end.
func TestALedgerIsSavedNowAndThen(t *testing.T) {
	keys, err := seal.Unlock(filepath.Join(t.TempDir(), "home"), seal.Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLedger(keys.File(ledgerFile))
	if err != nil {
		t.Fatal(err)
	}
	stored := func() int {
		again, err := openLedger(keys.File(ledgerFile))
		if err != nil {
			t.Fatal(err)
		}
		return len(again.list())
	}
	for i, c := range []struct {
		every time.Duration
		want  int
	}{{time.Hour, 1}, {time.Hour, 1}, {0, 3}, {time.Hour, 3}, {0, 5}} {
		l.complete(Shard{"1", "us-west-2", fmt.Sprint("type", i)}, time.Unix(1000, 0), 1)
		if err := l.save(c.every); err != nil {
			t.Fatal(err)
		}
		if got := stored(); got != c.want {
			t.Errorf("save %d: %d shards are stored, want %d", i+1, got, c.want)
		}
	}
}

// A ledger of a later program is left to that: neither read wrongly nor put aside.
func TestALedgerOfALaterProgramIsLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(dir, seal.Source{File: filepath.Join(t.TempDir(), "key")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := keys.File(ledgerFile).Save([]byte(`{"format":2,"shards":[]}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(keys.File(ledgerFile)); !errors.Is(err, seal.ErrNewer) || !strings.Contains(err.Error(), "use the program that wrote it") {
		t.Errorf("got %v, want that it is newer", err)
	}
	kept, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(ledgerFile)) + "*")
	if err != nil || len(kept) != 1 {
		t.Errorf("afterwards there are %v, %v", kept, err)
	}
}
