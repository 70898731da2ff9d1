package executor

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage/home"
)

// A program that asks the same again and again does not fill the disk, and what
// it did can be told all the same.
func TestAllowedReadsHardlyGrowTheLog(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	path := filepath.Join(w.home, auditFile)
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	read := func(id string) Execution {
		t.Helper()
		a, err := w.AllowRead(w.plan("rds", "describe-db-instances", "--db-instance-identifier", id).ID)
		if err != nil {
			t.Fatal(err)
		}
		x, err := w.Run(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if x := read(awstest.MainDB); !strings.Contains(x.Output, awstest.MainDB) {
		t.Errorf("what it showed is not given: %q", x.Output)
	}
	first := size()
	if first > 2500 {
		t.Errorf("a read takes %d bytes", first)
	}
	changes, stop := w.Watch()
	defer stop()
	for range 20 {
		read(awstest.MainDB)
	}
	select {
	case <-changes:
	default:
		t.Error("whoever watches is told nothing of reads that the log leaves out")
	}
	if now := size(); now != first {
		t.Errorf("20 equal reads take %d bytes", now-first)
	}
	list, err := w.Executions("", 0)
	if err != nil || len(list) != 1 || list[0].Status != "succeeded" || list[0].Output != "" || list[0].Repeats != 0 {
		t.Errorf("listed are %+v, %v", list, err)
	}
	w.later(repeatTime + time.Minute)
	read(awstest.MainDB)
	if list, err = w.Executions("", 1); err != nil || len(list) != 1 || list[0].Repeats != 20 {
		t.Errorf("the repeats are not counted: %+v, %v", list, err)
	}
	read(awstest.MainDB)
	w.stop()
	w.start(Config{})
	entries, err := w.Audit(1)
	if err != nil || len(entries) != 1 || !strings.HasSuffix(entries[0].Text, ": 1 more") {
		t.Errorf("the last repeats are not told of: %+v, %v", entries, err)
	}
	if r, err := w.Verify(); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

// Of equal reads only those that went well are counted alone: one that failed
// has a record that says why.
func TestARepeatThatFailsIsRecorded(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	for _, status := range []string{"succeeded", "failed"} {
		a, err := w.AllowRead(w.plan("rds", "describe-db-instances", "--db-instance-identifier", awstest.MainDB).ID)
		if err != nil {
			t.Fatal(err)
		}
		if status == "failed" {
			proxy.Spoil(awstest.Fault{Service: "rds", Operation: "DescribeDBInstances", Kind: awstest.Deny})
		}
		if x, err := w.Run(t.Context(), a, nil); err != nil || x.Status != status {
			t.Fatalf("%+v, %v", x, err)
		}
		if list, err := w.Executions("", 1); err != nil || len(list) != 1 || list[0].Status != status || status == "failed" && list[0].ErrorCode != "denied" {
			t.Errorf("the newest that is listed, of one that %s: %+v, %v", status, list, err)
		}
	}
}

// What is done to the log while it is open is noticed by the next who looks.
func TestAChangeUnderTheDaemonIsNoticed(t *testing.T) {
	for name, change := range map[string]func(path string, good []byte) error{
		"a byte": func(path string, good []byte) error {
			bad := bytes.Clone(good)
			bad[len(bad)/2] ^= 1
			return overwriteFile(path, bad)
		},
		"a byte, its time put back": func(path string, good []byte) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			bad := bytes.Clone(good)
			bad[len(bad)/2] ^= 1
			if err := overwriteFile(path, bad); err != nil {
				return err
			}
			return os.Chtimes(path, info.ModTime(), info.ModTime())
		},
		"the end cut off": func(path string, good []byte) error { return os.Truncate(path, int64(len(good)-10)) },
		"removed":         func(path string, _ []byte) error { return os.Remove(path) },
		"replaced by its copy, altered": func(path string, good []byte) error {
			bad := bytes.Replace(good, []byte(`"seq":2`), []byte(`"seq":7`), 1)
			if err := os.WriteFile(path+".new", bad, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		for use, look := range map[string]func(e *Executor) bool{
			"a record": func(e *Executor) bool { return e.RecordLocal("more") != nil },
			"status":   func(e *Executor) bool { return e.AuditProblem() != "" },
			"planning": func(e *Executor) bool { return e.ready() != nil },
		} {
			home, keys := privateHome(t)
			e, store, err := open(t.Context(), home, Settings{}, keys)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if err := e.RecordLocal("something was done"); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(home, auditFile)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(path, good); err != nil {
				t.Fatal(err)
			}
			if !look(e) {
				t.Errorf("%s goes unnoticed by %s", name, use)
			}
			if e.RecordLocal("more") == nil || e.AuditProblem() == "" {
				t.Errorf("%s: after %s it is usable again", name, use)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			_ = e.Close()
		}
	}
	// Who only looks, or writes back what was there, breaks nothing.
	home, keys := privateHome(t)
	e, store, err := open(t.Context(), home, Settings{}, keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.RecordLocal("something was done"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, auditFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := overwriteFile(path, good); err != nil {
		t.Fatal(err)
	}
	if err := e.RecordLocal("more"); err != nil || e.AuditProblem() != "" {
		t.Errorf("after it was written back as it was: %v, %s", err, e.AuditProblem())
	}
	entries, err := e.Audit(0)
	if err != nil || len(entries) != 2 || slices.ContainsFunc(entries, func(e Entry) bool { return e.Kind != "local" }) {
		t.Errorf("%+v, %v", entries, err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// overwriteFile writes into a file that stays the same one.
func overwriteFile(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Before anybody is told that something was recorded, the record is on the disk.
func TestEveryRecordIsSynced(t *testing.T) {
	dir, keys := privateHome(t)
	var synced []string
	defer home.WatchSyncs(func(path string) { synced = append(synced, filepath.Base(path)) })()
	a, _ := openLog(t, dir, keys)
	if !slices.Contains(synced, filepath.Base(dir)) {
		t.Errorf("the place of a new log is not synced: %v", synced)
	}
	for range 3 {
		synced = nil
		write(t, a, 1)
		if !slices.Equal(synced, []string{auditFile, "anchor-audit.tmp", filepath.Base(dir)}) {
			t.Errorf("a record syncs %v", synced)
		}
	}
}
