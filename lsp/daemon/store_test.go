package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// moving opens what the product opens, with a store that can be moved.
func moving(home string, m *Move) func(context.Context) (*Parts, error) {
	open := realParts(home)
	return func(ctx context.Context) (*Parts, error) {
		p, err := open(ctx)
		if err == nil {
			p.Move = m
		}
		return p, err
	}
}

// What can't be moved is refused before anybody is asked, and it is said why.
func TestAStoreThatCannotBeMovedIsRefused(t *testing.T) {
	to := func(mode string) (storage.Config, error) {
		if mode == "remote" {
			return storage.Config{}, errors.New("qdrant.url: it is empty")
		}
		return storage.Config{Qdrant: storage.QdrantConfig{Mode: mode}}, nil
	}
	for name, c := range map[string]struct {
		move     *Move
		rotating bool
		to       string
		code     int
		says     string
	}{
		"no way to":       {nil, false, "local", -32601, "unsupported"},
		"bad settings":    {&Move{To: to}, false, "remote", CodeRefused, "qdrant.url: it is empty"},
		"there already":   {&Move{To: to}, false, "embedded", CodeRefused, "in mode embedded already"},
		"amid a rotation": {&Move{To: to}, true, "local", CodeRefused, "being sealed anew"},
		"to nowhere":      {&Move{To: to}, false, "", -32602, `"to"`},
		"much too far":    {&Move{To: to}, false, strings.Repeat("x", 65), -32602, `"to"`},
	} {
		t.Run(name, func(t *testing.T) {
			home := testHome(t)
			if c.rotating {
				damaged(t, home)
			}
			serving(t, ServerConfig{Home: home, Open: moving(home, c.move)})
			person := dialing(t, ClientConfig{Home: home, Prompt: approve, Confirm: func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
				t.Errorf("asked %q", p.Title)
				return ConfirmResult{}, nil
			}})
			refused(t, person, c.code, c.says, StoreMigrate.Name, MigrateParams{To: c.to})
		})
	}
}

// A store that is moved is told of step by step and put on record, and the daemon
// ends so that the next one opens it there; one whose move was not put into force
// serves on where it is.
func TestAMovedStoreIsOpenedByTheNextDaemon(t *testing.T) {
	home := testHome(t)
	many(t, home, 30)
	dir := filepath.Join(filepath.Dir(home), "there")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	there, err := storagetest.NewStandIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := there.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(there.Kill)
	var committed []string
	var log []executor.Entry
	full := true
	var s *server // what moves asks it for its parts
	s, stop := serving(t, ServerConfig{Home: home, Open: moving(home, &Move{
		To: func(mode string) (storage.Config, error) {
			return storage.Config{Qdrant: storage.QdrantConfig{Mode: mode, URL: "http://" + there.Address}}, nil
		},
		Commit: func(mode string) error {
			if full {
				return errors.New("the disk is full")
			}
			committed = append(committed, mode)
			p, err := s.opened()
			if err == nil {
				log, err = p.Executor.Audit(0)
			}
			return err
		},
	})})
	var heard notes
	var asked ConfirmParams
	cfg := ClientConfig{Home: home, Prompt: approve, Note: heard.add, Confirm: func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		asked = p
		return typed("")(ctx, p)
	}}
	c := dialing(t, cfg)

	refused(t, c, -32603, "the disk is full", StoreMigrate.Name, MigrateParams{To: "remote"})
	if status := call[StatusResult](t, c, EstateStatus.Name, nil); status.Storage.Mode != "embedded" || status.Resources != 30 {
		t.Errorf("after a failure: %+v", status.Storage)
	}
	if heard.have(NoteProgress.Name) {
		t.Error("progress is told without a token")
	}

	full = false
	r := call[MigrateResult](t, c, StoreMigrate.Name, MigrateParams{To: "remote", Token: "m"})
	if r.From != "embedded" || r.To != "remote" || len(r.Collections) != 2 || !slices.Equal(committed, []string{"remote"}) {
		t.Errorf("moved %+v, committed %q", r, committed)
	}
	if !slices.ContainsFunc(log, func(e executor.Entry) bool {
		return strings.Contains(e.Text, "moved from mode embedded to mode remote")
	}) {
		t.Errorf("when it was put into force the audit log had %+v", log)
	}
	for _, want := range []string{"30 resources", "in the clear", "http://" + there.Address, "Ctrl-C"} {
		if !strings.Contains(strings.Join(asked.Details, "\n"), want) {
			t.Errorf("the card lacks %q: %q", want, asked.Details)
		}
	}
	if !heard.have(NoteProgress.Name, `"token":"m"`, "moving the store", fmt.Sprintf(`"total":%d`, 3*30)) {
		t.Errorf("heard %q, want the progress", heard.all)
	}
	s.mu.Lock()
	why, active := s.stopping, s.active
	s.mu.Unlock()
	var e *Error
	if !errors.As(why, &e) || e.Code != CodeHandover {
		t.Errorf("whoever comes is told %v, want that the next daemon opens it", why)
	}
	if active > 1 {
		t.Errorf("%d jobs and clients keep the daemon", active)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// damaged leaves a home with a value that does not open, and a rotation that
// can't end because of it.
func damaged(t *testing.T, home string) {
	t.Helper()
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key")})
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.File("note").Save([]byte("what was said")); err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile(filepath.Join(home, "note"))
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)-1] ^= 1
	if err := os.WriteFile(filepath.Join(home, "note"), sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(); err != nil {
		t.Fatal(err)
	}
}
