package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/awstest"
	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// typing is a person at a terminal who types what is asked for.
func typing(home string, note func(string, []byte)) ClientConfig {
	return ClientConfig{Home: home, Prompt: approve, Note: note, Confirm: typed("")}
}

// many fills a store with resources before the daemon opens it.
func many(t *testing.T, home string, n int) {
	t.Helper()
	p, err := realParts(home)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rs := make([]storage.Resource, n)
	for i := range rs {
		id := fmt.Sprintf("db-%06d", i)
		rs[i] = storage.Resource{Type: "rds_instance", ID: id, Name: id, AccountID: "999999999999", Region: "us-west-2", Service: "rds", State: "available"}
	}
	if _, err := p.Store.Estate.BulkUpsert(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func uses(s KeyStatusResult) (all []string) {
	for _, k := range s.Keys {
		all = append(all, k.Use)
	}
	return all
}

func TestKeysRotateWhileTheDaemonServes(t *testing.T) {
	e, home := seeded(t)
	many(t, home, 3000)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	var heard notes
	c := dialing(t, typing(home, heard.add))
	other := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	before := call[KeyStatusResult](t, c, KeyStatus.Name, nil)
	if got := uses(before); !slices.Equal(got, []string{"seals"}) || before.StoreID == "" {
		t.Fatalf("before: %+v", before)
	}
	done := make(chan KeyRotateResult, 1)
	go func() {
		var r KeyRotateResult
		if err := c.Call(t.Context(), KeyRotate.Name, KeyRotateParams{Token: "k"}, &r); err != nil {
			t.Error(err)
		}
		done <- r
	}()
	// Others look things up, scan and talk meanwhile.
	scanned(t, other)
	if r := call[ResolveResult](t, other, EstateResolve.Name, ResolveParams{Tokens: []string{"db-000042"}}); len(r.Records) != 1 {
		t.Errorf("a look-up: %+v", r)
	}
	if g := call[GetResult](t, other, EstateGet.Name, GetParams{Identifier: "db-000042"}); len(g.Resources) != 1 {
		t.Errorf("a read: %+v", g)
	}
	call[ConversationCreated](t, other, ConversationCreate.Name, nil)
	r := <-done
	if got := uses(r.KeyStatusResult); !slices.Equal(got, []string{"seals", "audit"}) || r.Keys[1].ID != before.Keys[0].ID || !r.Renewed || r.Resealing != nil {
		t.Errorf("after: %+v", r)
	}
	if !heard.have(NoteProgress.Name, `"token":"k"`, "sealing everything anew") {
		t.Error("no progress was told")
	}
	if g := call[GetResult](t, other, EstateGet.Name, GetParams{Identifier: awstest.MainDB}); len(g.Resources) != 1 {
		t.Errorf("what was scanned meanwhile: %+v", g)
	}
	if v := call[executor.Report](t, other, ExecutionVerify.Name, nil); !v.OK {
		t.Errorf("the audit log: %+v", v)
	}
	// Neither an answer nor the log nor the audit log has a word of a key.
	all, err := json.Marshal([]any{r, call[AuditResult](t, other, ExecutionAudit.Name, nil)})
	if err != nil || strings.Contains(string(all), "kek") {
		t.Errorf("%s, %v", all, err)
	}
}

// A daemon that ended amid a rotation is followed by one that goes on with it.
func TestARotationGoesOnAtTheNextStart(t *testing.T) {
	_, home := seeded(t)
	many(t, home, 600)
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, typing(home, nil))
	eventually(t, "all is sealed anew", func() bool {
		r := call[KeyStatusResult](t, c, KeyStatus.Name, nil)
		return slices.Equal(uses(r), []string{"seals", "audit"})
	})
	g := call[GetResult](t, c, EstateGet.Name, GetParams{Identifier: "db-000599"})
	if len(g.Resources) != 1 {
		t.Errorf("%+v", g)
	}
}

// What does not open may come back from a backup, and needs its key then: nothing
// is let go while one value is left, and it is said.
func TestAValueThatDoesNotOpenKeepsItsKey(t *testing.T) {
	home := testHome(t)
	damaged(t, home)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home})
	var r KeyStatusResult
	eventually(t, "it is said what keeps the key", func() bool {
		r = call[KeyStatusResult](t, c, KeyStatus.Name, nil)
		return r.Resealing != nil && strings.Contains(r.Resealing.Problem, "1 values can't be read, so the earlier keys are kept")
	})
	if got := uses(r); len(got) != 2 || slices.Contains(got, "audit") {
		t.Errorf("the keys are %q", got)
	}
	// Who asks for new keys then waits for these, and confirms nothing.
	again := call[KeyRotateResult](t, c, KeyRotate.Name, nil)
	if again.Renewed || again.Resealing == nil || !strings.Contains(again.Resealing.Problem, "1 values can't be read") || again.Keys[0].ID != r.Keys[0].ID {
		t.Errorf("asked again: %+v", again)
	}
}

// Earlier keys open the records of the audit log, so they stay while that does
// not hold.
func TestAnAuditLogThatDoesNotHoldKeepsTheKeys(t *testing.T) {
	home := testHome(t)
	_, stop := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	dialing(t, ClientConfig{Home: home})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "audit.log"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home})
	eventually(t, "it is said what keeps the keys", func() bool {
		r := call[KeyStatusResult](t, c, KeyStatus.Name, nil)
		return r.Resealing != nil && strings.Contains(r.Resealing.Problem, "cloudops audit verify")
	})
	if got := uses(call[KeyStatusResult](t, c, KeyStatus.Name, nil)); len(got) != 2 || slices.Contains(got, "audit") {
		t.Errorf("the keys are %q", got)
	}
}

// The card of a rotation says what becomes of the recovery file, and what was
// exported or rotated is on record.
func TestARotationTellsOfTheRecoveryFile(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	var card string
	cfg := typing(home, nil)
	cfg.Confirm = func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		card = strings.Join(p.Details, "\n")
		return typed("")(ctx, p)
	}
	c := dialing(t, cfg)
	export, err := seal.NewExport()
	if err != nil {
		t.Fatal(err)
	}
	call[KeyRotateResult](t, c, KeyRotate.Name, nil)
	if !strings.Contains(card, "No recovery file was made yet") {
		t.Errorf("without one: %s", card)
	}
	call[KeyExportResult](t, c, KeyExport.Name, KeyExportParams{Recipient: export.Recipient()})
	refused(t, dialing(t, ClientConfig{Home: home}), CodeRefused, "nothing was exported", KeyExported.Name, nil)
	call[KeyStatusResult](t, c, KeyExported.Name, nil)
	r := call[KeyRotateResult](t, c, KeyRotate.Name, nil)
	if !strings.Contains(card, "does not hold the new key") || r.Covered {
		t.Errorf("with one: %s, covered %v", card, r.Covered)
	}
	var log []string
	for _, e := range call[AuditResult](t, c, ExecutionAudit.Name, nil).Entries {
		log = append(log, e.Text)
	}
	for _, want := range []string{"the keys were rotated: key ", "everything is sealed anew under key " + r.Keys[0].ID, "a recovery file was made with the keys up to "} {
		if !strings.Contains(strings.Join(log, "\n"), want) {
			t.Errorf("the audit log lacks %q: %q", want, log)
		}
	}
}

func TestKeysAreGivenAwayToAPersonAtATerminalOnly(t *testing.T) {
	_, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	export, err := seal.NewExport()
	if err != nil {
		t.Fatal(err)
	}
	params := KeyExportParams{Recipient: export.Recipient()}
	for kind, c := range map[string]*Client{
		"script": dialing(t, ClientConfig{Home: home}),
		"editor": dialing(t, ClientConfig{Home: home, Kind: "editor", Prompt: approve}),
	} {
		refused(t, c, CodeRefused, "decided at a terminal", KeyExport.Name, params)
		refused(t, c, CodeRefused, "decided at a terminal", KeyRotate.Name, KeyRotateParams{})
		refused(t, c, CodeRefused, "nothing was exported", KeyExported.Name, nil)
		if got := uses(call[KeyStatusResult](t, c, KeyStatus.Name, nil)); !slices.Equal(got, []string{"seals"}) {
			t.Errorf("%s: keys %v", kind, got)
		}
	}
	no := typing(home, nil)
	no.Confirm = typed("no")
	refused(t, dialing(t, no), CodeRejected, "", KeyExport.Name, params)

	c := dialing(t, typing(home, nil))
	refused(t, c, -32602, "recipient", KeyExport.Name, KeyExportParams{Recipient: "me"})
	r := call[KeyExportResult](t, c, KeyExport.Name, params)
	if len(r.Parcel) == 0 || strings.Contains(string(r.Parcel), `"aead"`) {
		t.Errorf("%d bytes, or keys in the clear", len(r.Parcel))
	}
	if s := call[KeyStatusResult](t, c, KeyStatus.Name, nil); !s.Exported.IsZero() {
		t.Errorf("an export without a file counts: %+v", s)
	}
	if s := call[KeyStatusResult](t, c, KeyExported.Name, nil); s.Exported.IsZero() || !s.Covered {
		t.Errorf("after the export: %+v", s)
	}
	refused(t, c, CodeRefused, "nothing was exported", KeyExported.Name, nil)
	if err := c.Call(t.Context(), KeyExport.Name, KeyExportParams{Recipient: strings.Repeat("x", 300)}, nil); !errors.As(err, new(*Error)) {
		t.Errorf("a long recipient: %v", err)
	}
}

func TestAKeyFileInAWorkspaceIsRefused(t *testing.T) {
	home := testHome(t)
	dir := filepath.Dir(home)
	serving(t, ServerConfig{Home: home})
	dial := func(file string, workspaces ...string) error {
		cfg := ClientConfig{Home: home, Kind: "terminal", Executable: "-", KeyFile: file}
		cfg.Environment.Workspaces = workspaces
		c, err := Dial(t.Context(), cfg)
		if err == nil {
			c.Close()
		}
		return err
	}
	repo := t.TempDir()
	for _, ok := range []error{dial(""), dial("", repo), dial(filepath.Join(dir, "key"), repo), dial(filepath.Join(repo, "key"))} {
		if ok != nil {
			t.Error(ok)
		}
	}
	for _, file := range []string{filepath.Join(repo, "key"), filepath.Join(repo, "deep", "down", "key")} {
		var refusal *Error
		if err := dial(file, dir+"x", repo); !errors.As(err, &refusal) || refusal.Code != CodeRefused || !strings.Contains(refusal.Message, "inside the workspace") {
			t.Errorf("%s: %v", file, err)
		}
	}
	// As it may stand in the configuration: a folder of the home directory is one
	// like any other.
	if user := aws.UserHome(); user != "" {
		open := filepath.Join(user, "no-such-repository")
		var refusal *Error
		if err := dial("~/no-such-repository/key", open); !errors.As(err, &refusal) || refusal.Code != CodeRefused {
			t.Errorf("a key file by ~ in a workspace: %v", err)
		}
		if err := dial("~/elsewhere/key", open); err != nil {
			t.Errorf("a key file by ~ outside of every workspace: %v", err)
		}
	}
}

func TestWithin(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		dir:                                     true,
		filepath.Join(link, "file", "below"):    true,
		filepath.Join(link, "loop", "below"):    true,
		filepath.Join(dir, "a", "b"):            true,
		filepath.Join(dir, "..hidden"):          true,
		filepath.Join(dir, "..hidden", "a"):     true,
		filepath.Join(dir, "...", ".."):         true,
		filepath.Join(link, "a"):                true,
		filepath.Dir(dir):                       false,
		dir + "x":                               false,
		filepath.Join(filepath.Dir(dir), "..a"): false,
		link + "x":                              false,
		"/":                                     false,
	} {
		if got := within(path, dir); got != want {
			t.Errorf("%s is within %s: %v, want %v", path, dir, got, want)
		}
	}
}
