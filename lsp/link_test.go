package lsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/lsptest"
)

// degraded serves a home whose store does not open.
func degraded(t *testing.T, home string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- daemon.Serve(ctx, daemon.ServerConfig{
			Home: home, Build: daemon.Build{Version: "test", ID: "test"}, Idle: time.Hour,
			Open: func(context.Context) (*daemon.Parts, error) {
				return nil, errors.New("the key is missing: import it with `cloudops key import`")
			},
		})
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the daemon: %v", err)
		}
	}
	return stop
}

func client(home string) daemon.ClientConfig {
	return daemon.ClientConfig{Home: home, Executable: "-", Build: daemon.Build{Version: "test", ID: "test"}}
}

func said(text string) func(json.RawMessage) bool {
	return func(p json.RawMessage) bool { return strings.Contains(string(p), text) }
}

func TestADegradedDaemonIsToldOnce(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	defer degraded(t, home)()
	e := startWith(t, client(home))
	initialize(t, e, nil)
	e.Note("window/showMessage", 0, said("cloudops key import"))
	open(e, "file:///a.tf", `id = "pg-instance-main1"`)
	var hover json.RawMessage
	e.Call("textDocument/hover", at("file:///a.tf", 0, 9), &hover)
	if string(hover) != "null" {
		t.Errorf("hover %s", hover)
	}
	err := e.Try("workspace/executeCommand", map[string]any{"command": "cloudops.estate.search"}, nil)
	if err == nil || err.Code != daemon.CodeDegraded {
		t.Errorf("search: %v, want %d", err, daemon.CodeDegraded)
	}
	// Params may be left out of the daemon's requests.
	if err := e.Try("cloudops/estate/status", nil, nil); err == nil || err.Code != daemon.CodeDegraded {
		t.Errorf("status: %v, want %d", err, daemon.CodeDegraded)
	}
}

func TestADaemonThatComesLateIsFound(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	e := startWith(t, client(home))
	initialize(t, e, nil)
	e.Note("window/showMessage", 0, said("can't reach its daemon"))
	if err := e.Try("cloudops/estate/status", nil, nil); err == nil || err.Code != daemon.CodeUnavailable {
		t.Errorf("status: %v, want %d", err, daemon.CodeUnavailable)
	}
	defer degraded(t, home)()
	until(t, "the daemon is reached", func() bool {
		return e.Try("cloudops/estate/status", nil, nil).Code == daemon.CodeDegraded
	})
	n := 0
	for _, m := range e.Notes() {
		if m.Method == "window/showMessage" && said("can't reach its daemon")(m.Params) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("that the daemon is away was told %d times", n)
	}
}

// A plugin reaches what the daemon serves and nothing else: the handshake and
// the prompt are not for editors to send.
func TestWhatIsPassed(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	defer degraded(t, home)()
	e := startWith(t, client(home))
	initialize(t, e, nil)
	for _, method := range []string{daemon.Hello.Name, daemon.Prompt.Name, daemon.Confirm.Name, daemon.NoteEstateChanged.Name,
		daemon.KeyStatus.Name, daemon.KeyRotate.Name, daemon.KeyExport.Name, daemon.KeyExported.Name, "cloudops/x"} {
		if err := e.Try(method, map[string]any{}, nil); err == nil || err.Code != -32601 {
			t.Errorf("%s: %v, want -32601", method, err)
		}
	}
	for _, d := range daemon.Requests() {
		if err := e.Try(d.Name, nil, nil); err == nil || (err.Code != -32601) != d.Forwarded() {
			t.Errorf("%s: %v, want it passed: %v", d.Name, err, d.Forwarded())
		}
	}
}

// Any extension, link or task can send executeCommand: what decides, selects,
// restores or deletes is not reachable by it, whatever it is called.
func TestCommandsOnlyReadOrPropose(t *testing.T) {
	e := start(t)
	var got struct {
		Capabilities struct {
			ExecuteCommandProvider struct{ Commands []string }
		}
	}
	if err := json.Unmarshal(initialize(t, e, nil), &got); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, d := range daemon.Requests() {
		if !d.Command() {
			continue
		}
		if !d.Reads() && !d.Proposes() {
			t.Errorf("%s is a command and does neither read nor propose", d.Name)
		}
		want = append(want, strings.ReplaceAll(d.Name, "/", "."))
	}
	slices.Sort(want)
	if commands := got.Capabilities.ExecuteCommandProvider.Commands; len(want) < 10 || !slices.Equal(commands, want) {
		t.Errorf("commands %v, want %v", commands, want)
	}
	for _, refused := range []string{
		"cloudops.execution.decide", "cloudops.profile.select", "cloudops.execution.run", "cloudops.hello", "cloudops.prompt",
		"cloudops.execution.audit", "cloudops.backup.restore", "cloudops.key.export", "cloudops.conversation.delete",
		"cloudops.conversation.rename", "cloudops.conversation.label", "cloudops/conversation/delete",
		"cloudops/execution/decide", "CLOUDOPS.EXECUTION.DECIDE", "",
	} {
		err := e.Try("workspace/executeCommand", map[string]any{"command": refused, "arguments": []any{map[string]any{"plan": "x", "decision": "ask"}}}, nil)
		if err == nil || err.Code != -32602 || !strings.Contains(err.Message, "only read or propose") {
			t.Errorf("%s: %v", refused, err)
		}
	}
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(lsptest.Patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", lsptest.Patience, what)
		}
	}
}

// Folders come and go on one connection, however often.
func TestFoldersChangeOnOneConnection(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	defer degraded(t, home)()
	var dials atomic.Int32
	e := lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
		return lsp.Serve(context.Background(), lsp.Config{
			In: in, Out: out, Daemon: client(home), Version: "test",
			Dial: func(ctx context.Context, cfg daemon.ClientConfig) (*daemon.Client, error) {
				dials.Add(1)
				return daemon.Dial(ctx, cfg)
			},
		})
	})
	initialize(t, e, map[string]any{"workspaceFolders": []any{folder(t.TempDir())}})
	e.Note("window/showMessage", 0, said("cloudops key import")) // it is reached
	reached := dials.Load()
	added := folder(t.TempDir())
	for i := range 2000 {
		added, removed := []any{added}, []any{}
		if i%2 == 1 {
			added, removed = removed, added
		}
		e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": added, "removed": removed}})
	}
	for i := range 2 * daemon.MaxWorkspaces {
		other := []any{folder(fmt.Sprintf("/nowhere/%d", i))}
		e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": other, "removed": []any{}}})
		e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{}, "removed": other}})
	}
	if err := e.Try("cloudops/estate/status", nil, nil); err == nil || err.Code != daemon.CodeDegraded {
		t.Errorf("status: %v, want %d", err, daemon.CodeDegraded)
	}
	if n := dials.Load(); n != reached {
		t.Errorf("it dialled %d times more", n-reached)
	}
	// One with the home in it is refused, whenever it is opened.
	e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{folder(home)}, "removed": []any{}}})
	e.Note("window/showMessage", 0, said("refusing the home"))
	if err := e.Try("cloudops/estate/status", nil, nil); err == nil || err.Code != daemon.CodeUnavailable || !strings.Contains(err.Message, "refusing the home") {
		t.Errorf("status: %v, want it refused", err)
	}
}

func folder(path string) map[string]any {
	return map[string]any{"uri": "file://" + path, "name": filepath.Base(path)}
}
