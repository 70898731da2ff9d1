package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/lsptest"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// The daemon is killed under an editor with an unsaved buffer: the buffer
// stays, and the next hovers are answered by a new daemon.
func TestTheEditorGoesOnAfterTheDaemonIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	binary := testBinary(t)
	dir := t.TempDir()
	run, err := os.MkdirTemp("", "co")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(run) })
	home := filepath.Join(dir, "home")
	fillHome(t, home, seal.Source{File: filepath.Join(dir, "keys", "key")})
	t.Cleanup(func() { stopDaemon(home, syscall.SIGTERM) })

	editor := lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
		cmd := exec.Command(binary, "lsp")
		cmd.Env = []string{"HOME=" + dir, "CLOUDOPS_HOME=" + home, "XDG_RUNTIME_DIR=" + run, "PATH=/usr/bin:/bin"}
		cmd.Dir, cmd.Stdin, cmd.Stdout = dir, in, out
		return cmd.Run()
	})
	type object = map[string]any
	document := object{"uri": "file:///notes.txt"}
	editor.Call("initialize", object{"processId": os.Getpid(), "capabilities": object{}}, nil)
	editor.Notify("initialized", object{})
	editor.Notify("textDocument/didOpen", object{"textDocument": object{"uri": "file:///notes.txt", "languageId": "text", "version": 1, "text": "nothing"}})
	// Typed and never saved.
	editor.Notify("textDocument/didChange", object{"textDocument": object{"uri": "file:///notes.txt", "version": 2},
		"contentChanges": []any{object{"text": "the unsaved pg-main1"}}})
	hovered := func() {
		t.Helper()
		deadline := time.Now().Add(lsptest.Patience)
		for {
			var h *struct {
				Contents any `json:"contents"`
			}
			editor.Call("textDocument/hover", object{"textDocument": document, "position": object{"line": 0, "character": 14}}, &h)
			if h != nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("hovering the unsaved text shows nothing")
			}
		}
	}
	hovered()
	first := lockHolder(t, home)
	if err := stopDaemon(home, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Another name than before, so that no memory of the editor's server answers.
	editor.Notify("textDocument/didChange", object{"textDocument": object{"uri": "file:///notes.txt", "version": 3},
		"contentChanges": []any{object{"text": "the unsaved pg-other2"}}})
	hovered()
	if second := lockHolder(t, home); second == first {
		t.Errorf("the killed daemon %s is said to serve", first)
	}
	editor.Call("shutdown", nil, nil)
	editor.Notify("exit", nil)
	editor.CloseInput()
	if err := editor.Wait(); err != nil {
		t.Errorf("the language server ended with %v", err)
	}
}

func lockHolder(t *testing.T, home string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(home, "daemon.lock"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return first
}

// fillHome makes a home whose estate has two databases.
func fillHome(t *testing.T, home string, source seal.Source) {
	t.Helper()
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	config := "encryption:\n  key_source:\n    file: " + source.File + "\n"
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Unlock(home, source)
	if err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(t.Context(), storage.Config{}, keys, services.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"pg-main1", "pg-other2"} {
		r := storage.Resource{Type: "rds_instance", ID: id, Name: id, Service: "rds", AccountID: "123456789012",
			Region: "us-west-2", ARN: "arn:aws:rds:us-west-2:123456789012:db:" + id, State: "available", LastSynced: time.Now()}
		if err := store.Estate.Upsert(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
