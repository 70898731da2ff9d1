package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

// inhabited makes a home in which everything was used.
func inhabited(t *testing.T) (dir string, conversations []string) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "home")
	source := seal.Source{File: filepath.Join(base, "keys", "key")}
	fillHome(t, dir, source)
	ctx := t.Context()
	keys, err := seal.Unlock(dir, source)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	store, err := storage.Open(ctx, storage.Config{}, keys, services.Kinds())
	must(err)
	for _, n := range []int{12, 1} {
		id, err := store.Chat.Create(ctx)
		must(err)
		for i := range n {
			_, err := store.Chat.Append(ctx, id, storage.Message{Role: storage.RoleUser, Content: fmt.Sprint("message ", i)})
			must(err)
		}
		conversations = append(conversations, id)
	}
	ledger, err := json.Marshal(map[string]any{"format": 1, "endpoint": "aws", "shards": []scanner.ShardState{
		{Shard: scanner.Shard{AccountID: "123456789012", Region: "us-west-2", Type: "rds_instance"}, State: "complete", Count: 2}}})
	must(err)
	must(keys.File("data/ledger").Save(ledger))
	sc, err := scanner.New(scanner.Config{}, store.Estate, keys)
	must(err)
	ex, err := executor.New(executor.Settings{}, dir, sc, store.Estate, keys)
	must(err)
	for range 3 {
		must(ex.RecordLocal("something was done"))
	}
	userID(config{}, keys, slog.New(slog.DiscardHandler))
	must(rememberProfile(dir, "prod"))
	must(errors.Join(ex.Close(), store.Close()))
	return dir, conversations
}

// able is what a home can still do: what it shows, by name.
type able map[string]bool

// lives starts the daemon on a home and asks it everything. said is what status
// prints.
func lives(t *testing.T, dir string, conversations []string) (can able, said string) {
	t.Helper()
	t.Setenv("CLOUDOPS_HOME", dir)
	log := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Serve(ctx, daemon.ServerConfig{Home: dir, Build: daemon.ThisBuild(version), Log: log,
			Open: func(ctx context.Context) (*daemon.Parts, error) { return openParts(ctx, log) }})
	}()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the daemon: %v", err)
		}
	}()
	can = able{}
	client := dial(t, dir)
	defer client.Close()
	resolved, err := daemon.EstateResolve.Call(t.Context(), client, daemon.ResolveParams{Tokens: []string{"pg-main1", "pg-other2"}})
	if err == nil {
		for _, id := range []string{"pg-main1", "pg-other2"} {
			can["hover "+id] = len(resolved.Records[id]) == 1
		}
	}
	for i, id := range conversations {
		r, err := daemon.ConversationMessages.Call(t.Context(), client, daemon.ConversationParams{ID: id})
		for _, m := range r.Messages {
			can[fmt.Sprintf("message %d of %d", m.Index, i)] = true
		}
		if want := []int{12, 1}[i]; err == nil && len(r.Messages)+r.Unreadable != want {
			t.Errorf("conversation %d has %d messages, and %d unreadable", i, len(r.Messages), r.Unreadable)
		}
	}
	report, err := daemon.ExecutionVerify.Call(t.Context(), client, struct{}{})
	can["run"] = err == nil && report.OK
	can["read the audit log"] = report.Records >= 3

	var text, printed bytes.Buffer
	run(ctx, []string{"status"}, stdio{out: &text, err: &text})
	run(ctx, []string{"status", "--json"}, stdio{out: &printed, err: &text})
	var status struct {
		Daemon daemon.HelloResult `json:"daemon"`
		daemon.StatusResult
	}
	if err := json.Unmarshal(printed.Bytes(), &status); err != nil {
		t.Errorf("status --json: %v\n%s", err, printed.Bytes())
	}
	said = text.String()
	problems := slices.Concat(status.Daemon.Problems, status.Problems)
	for _, p := range status.Storage.Problems {
		problems = append(problems, p.Message, p.Mend)
	}
	for _, p := range problems {
		if !strings.Contains(said, p) {
			t.Errorf("status does not print %q:\n%s", p, said)
		}
	}
	for _, s := range status.Shards {
		can["complete"] = s.State == "complete"
	}
	return can, said
}

// dial reaches the daemon of a home, which may be about to bind its socket.
func dial(t *testing.T, dir string) *daemon.Client {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		client, err := daemon.Dial(t.Context(), daemon.ClientConfig{Home: dir, Kind: "terminal", Executable: "-", Build: daemon.ThisBuild(version)})
		if err == nil {
			return client
		}
		if time.Now().After(end) {
			t.Fatalf("reaching the daemon: %v", err)
		}
	}
}

// lost lists what one can and the other can't.
func (a able) lost(b able) (names []string) {
	for name, can := range a {
		if can && !b[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Damage to any file of the home costs what it hit, never more than the file's
// absence, and status says so.
func TestDamageNeverCostsMoreThanDeletion(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	original, conversations := inhabited(t)
	whole, said := lives(t, original, conversations)
	if len(whole) != 18 || len(whole.lost(able{})) != 18 || strings.Contains(said, "DAMAGED") {
		t.Fatalf("the home is not as it should be: %v\n%s", whole, said)
	}
	seen := map[string]bool{}
	var names []string
	err := filepath.WalkDir(original, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(original, path)
		name := filepath.ToSlash(rel)
		f, known := home.Find(name)
		if !known {
			t.Errorf("%s is not in the inventory", name)
		}
		seen[f.Pattern] = true
		if !strings.HasSuffix(name, "lock") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range home.Files() {
		elsewhere := []string{"encryption-is-off.key", "encryption-is-off.key.next", "data/qdrant/*/salvaged.db", "data/qdrant-binary", "log/*"} // of other homes
		if !seen[f.Pattern] && !slices.Contains(elsewhere, f.Pattern) {
			t.Errorf("%s of the inventory is not in the home", f.Pattern)
		}
	}
	at := func(share float64, change func(b []byte)) func([]byte) []byte {
		return func(b []byte) []byte {
			if n := int(share * float64(len(b))); n < len(b) {
				change(b[n:])
			}
			return b
		}
	}
	flip := func(b []byte) { b[0] ^= 4 }
	damages := []struct {
		name  string
		apply func(b []byte) []byte // nil removes the file
	}{
		{"deleted", nil},
		{"emptied", func([]byte) []byte { return nil }},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2] }},
		{"its last byte cut off", func(b []byte) []byte { return b[:len(b)-1] }},
		{"added to", func(b []byte) []byte { return append(b, "\x00more"...) }},
		{"a bit at the start", at(0, flip)},
		{"a bit in the middle", at(0.5, flip)},
		{"a bit near the end", at(0.97, flip)},
		{"a page of zeros", at(0.25, func(b []byte) { clear(b[:min(len(b), 4096)]) })},
		{"all zeros", func(b []byte) []byte { clear(b); return b }},
	}
	for _, name := range names {
		f, _ := home.Find(name)
		var without able
		for _, d := range damages {
			where := f.Pattern + ", " + d.name
			dir := filepath.Join(t.TempDir(), "home")
			path := filepath.Join(dir, filepath.FromSlash(name))
			b, err := os.ReadFile(filepath.Join(original, filepath.FromSlash(name)))
			if err = errors.Join(err, os.CopyFS(dir, os.DirFS(original)), os.Chmod(dir, 0o700), os.Remove(path)); err != nil {
				t.Fatal(err)
			}
			if d.apply != nil {
				if err := os.WriteFile(path, d.apply(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			can, said := lives(t, dir, conversations)
			if d.apply == nil {
				without = can
			}
			if more := without.lost(can); len(more) > 0 && name != "config.yaml" {
				t.Errorf("%s: what is there without the file is lost: %v\n%s", where, more, said)
			}
			lost := whole.lost(can)
			if told := strings.Contains(said, "DAMAGED") || strings.Contains(said, "degraded") || strings.Contains(said, "is gone") || strings.Contains(said, "config.yaml"); len(lost) > 0 && !told {
				t.Errorf("%s: nothing is said of what is lost: %v\n%s", where, lost, said)
			}
			if f.Anew && f.Lost == "" && len(lost) > 0 {
				t.Errorf("%s: it is made anew, and yet %v is lost\n%s", where, lost, said)
			}
		}
	}
}

// What cannot be opened degrades only itself, and is told of; a link leads
// nowhere.
func TestWhatCannotBeOpenedDegradesOnlyItself(t *testing.T) {
	original, conversations := inhabited(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	data, err := filepath.Glob(filepath.Join(original, "data", "qdrant", "*", "data.db"))
	if err != nil || len(data) != 2 {
		t.Fatal(data, err)
	}
	folder := func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }
	link := func(path string) error {
		return errors.Join(os.Rename(path, elsewhere), os.Symlink(elsewhere, path))
	}
	remove := func(path string) error {
		return errors.Join(os.Remove(path), os.Remove(path+".copy"))
	}
	within := func(lost []string, kinds ...string) bool {
		return !slices.ContainsFunc(lost, func(l string) bool {
			return !slices.ContainsFunc(kinds, func(k string) bool { return strings.HasPrefix(l, k) })
		})
	}
	for name, c := range map[string]struct {
		path  string
		apply func(path string) error
		costs []string // what may be lost; "or" the other way round
	}{
		"a data file is a folder":        {data[0], folder, nil},
		"the other data file is one":     {data[1], folder, nil},
		"a data file is a link":          {data[0], link, nil},
		"no catalogue":                   {"data/qdrant/catalogue", remove, []string{"hover", "message", "complete"}},
		"the audit log is a link":        {"audit.log", link, []string{"run", "read the audit log"}},
		"the audit log is a folder":      {"audit.log", folder, []string{"run", "read the audit log"}},
		"the ledger is a link":           {"data/ledger", link, []string{"complete"}},
		"the ledger is a folder":         {"data/ledger", folder, []string{"complete"}},
		"the user id is a folder":        {"data/user", folder, []string{}},
		"the mode is a link":             {"data/mode", link, []string{}},
		"the index cache is a folder":    {"data/index.cache", folder, []string{}},
		"the digests are a link":         {"data/digests", link, []string{}},
		"a conversation's key is a link": {"data/conversations/" + conversations[0] + ".key", link, []string{"message"}},
	} {
		dir := filepath.Join(t.TempDir(), "home")
		path := filepath.Join(dir, filepath.FromSlash(c.path))
		if rel, err := filepath.Rel(original, c.path); err == nil && filepath.IsAbs(c.path) {
			path = filepath.Join(dir, rel)
		}
		if err := errors.Join(os.CopyFS(dir, os.DirFS(original)), os.Chmod(dir, 0o700), c.apply(path)); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(elsewhere)
		whole, _ := lives(t, original, conversations)
		can, said := lives(t, dir, conversations)
		lost := whole.lost(can)
		ok := within(lost, c.costs...)
		if c.costs == nil { // the chat's, or the estate's
			ok = within(lost, "message") || within(lost, "complete")
		}
		if !ok {
			t.Errorf("%s: it costs %v\n%s", name, lost, said)
		}
		if len(lost) > 0 && !strings.Contains(said, "DAMAGED") && !strings.Contains(said, "degraded") {
			t.Errorf("%s: nothing is said of what is lost: %v\n%s", name, lost, said)
		}
		if after, _ := os.ReadFile(elsewhere); !bytes.Equal(before, after) {
			t.Errorf("%s: what it leads to was written to", name)
		}
	}
}
