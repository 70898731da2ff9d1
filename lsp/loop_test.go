package lsp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/lsp"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/lsptest"
)

// start runs a server that no daemon serves.
func start(t *testing.T) *lsptest.Editor {
	t.Helper()
	return startWith(t, daemon.ClientConfig{Home: t.TempDir(), Executable: "-"})
}

func startWith(t *testing.T, cfg daemon.ClientConfig) *lsptest.Editor {
	t.Helper()
	return lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
		return lsp.Serve(context.Background(), lsp.Config{In: in, Out: out, Daemon: cfg, Version: "test", Log: slog.New(slog.DiscardHandler)})
	})
}

func initialize(t *testing.T, e *lsptest.Editor, more map[string]any) json.RawMessage {
	t.Helper()
	params := map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}}
	for k, v := range more {
		params[k] = v
	}
	var res json.RawMessage
	e.Call("initialize", params, &res)
	e.Notify("initialized", map[string]any{})
	return res
}

func open(e *lsptest.Editor, uri, text string) {
	e.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "plaintext", "version": 1, "text": text}})
}

func at(uri string, line, character int) map[string]any {
	return map[string]any{"textDocument": map[string]any{"uri": uri}, "position": map[string]any{"line": line, "character": character}}
}

func TestLifecycle(t *testing.T) {
	t.Run("requests before initialize are refused", func(t *testing.T) {
		e := start(t)
		if err := e.Try("textDocument/hover", at("file:///a", 0, 0), nil); err == nil || err.Code != -32002 {
			t.Errorf("got %v, want -32002", err)
		}
	})
	t.Run("a second initialize is refused", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		if err := e.Try("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}}, nil); err == nil || err.Code != -32600 {
			t.Errorf("got %v, want -32600", err)
		}
	})
	t.Run("requests after shutdown are refused, exit then is clean", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		e.Call("shutdown", nil, nil)
		if err := e.Try("textDocument/hover", at("file:///a", 0, 0), nil); err == nil || err.Code != -32600 {
			t.Errorf("got %v, want -32600", err)
		}
		e.Notify("exit", nil)
		if err := e.Wait(); err != nil {
			t.Errorf("exit after shutdown: %v", err)
		}
	})
	t.Run("exit without shutdown is an error", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		e.Notify("exit", nil)
		if err := e.Wait(); !errors.Is(err, lsp.ErrNoShutdown) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closing the input ends cleanly", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		e.CloseInput()
		if err := e.Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("closing the input within a message ends cleanly", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		e.Send("Content-Length: 100\r\n\r\n{")
		e.CloseInput()
		if err := e.Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the death of the editor's process ends it", func(t *testing.T) {
		parent := exec.Command("sleep", "600")
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		e := start(t)
		initialize(t, e, map[string]any{"processId": parent.Process.Pid})
		if err := parent.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = parent.Wait()
		if err := e.Wait(); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("calls sent before the input closes are answered", func(t *testing.T) {
		e := start(t)
		initialize(t, e, nil)
		open(e, "file:///a.txt", "nothing")
		id := e.Begin("textDocument/codeAction", map[string]any{
			"textDocument": map[string]any{"uri": "file:///other.txt"}, "context": map[string]any{"diagnostics": []any{}},
			"range": map[string]any{"start": map[string]any{"line": 0, "character": 0}, "end": map[string]any{"line": 0, "character": 0}},
		})
		e.CloseInput()
		if r := e.Await(id); r.Error != nil {
			t.Error(r.Error)
		}
	})
	t.Run("all messages at once, exit last, are answered", func(t *testing.T) {
		e := start(t)
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}`) +
			lsptest.Frame(`{"jsonrpc":"2.0","method":"initialized","params":{}}`) +
			lsptest.Frame(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a","languageId":"x","version":1,"text":""}}}`) +
			lsptest.Frame(`{"jsonrpc":"2.0","id":"b","method":"textDocument/hover","params":{"textDocument":{"uri":"file:///a"},"position":{"line":0,"character":0}}}`) +
			lsptest.Frame(`{"jsonrpc":"2.0","id":"c","method":"shutdown"}`) +
			lsptest.Frame(`{"jsonrpc":"2.0","method":"exit"}`))
		for _, id := range []string{`"a"`, `"b"`, `"c"`} {
			if r := e.Await(id); r.Error != nil {
				t.Errorf("%s: %v", id, r.Error)
			}
		}
		if err := e.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// Whatever comes in, the server says what is wrong and goes on.
func TestMalformedMessages(t *testing.T) {
	deep := strings.Repeat("[", 200000) + strings.Repeat("]", 200000)
	for name, c := range map[string]struct {
		send string
		id   string // "" for an error without an id
		code int
	}{
		"no JSON":                  {lsptest.Frame("hello"), "", -32700},
		"cut JSON":                 {lsptest.Frame(`{"jsonrpc":"2.0","id":1,"method":"x"`), "", -32700},
		"two values":               {lsptest.Frame(`{"jsonrpc":"2.0","id":1,"method":"x"} {}`), "", -32700},
		"a batch":                  {lsptest.Frame(`[{"jsonrpc":"2.0","id":71,"method":"shutdown"}]`), "", -32600},
		"no version":               {lsptest.Frame(`{"id":"v","method":"shutdown"}`), `"v"`, -32600},
		"no method":                {lsptest.Frame(`{"jsonrpc":"2.0","id":72}`), "72", -32600},
		"method of a wrong type":   {lsptest.Frame(`{"jsonrpc":"2.0","id":73,"method":5}`), "73", -32600},
		"id of a wrong type":       {lsptest.Frame(`{"jsonrpc":"2.0","id":{},"method":"shutdown"}`), "", -32600},
		"length zero":              {"Content-Length: 0\r\n\r\n", "", -32700},
		"length negative":          {"Content-Length: -5\r\n\r\n", "", -32700},
		"length no number":         {"Content-Length: many\r\n\r\n", "", -32700},
		"length beyond a number":   {"Content-Length: 99999999999999999999999\r\n\r\n", "", -32700},
		"no length":                {"Content-Type: text\r\n\r\n", "", -32700},
		"no header":                {"what is this\r\n\r\n", "", -32700},
		"an endless header":        {strings.Repeat("x", 1<<20) + "\r\n\r\n", "", -32700},
		"a length too short":       {"Content-Length: 5\r\n\r\n" + `{"jsonrpc":"2.0","id":74,"method":"shutdown"}`, "", -32700},
		"unknown method":           {lsptest.Frame(`{"jsonrpc":"2.0","id":75,"method":"no/such","params":{}}`), "75", -32601},
		"params missing":           {lsptest.Frame(`{"jsonrpc":"2.0","id":76,"method":"textDocument/hover"}`), "76", -32602},
		"params null":              {lsptest.Frame(`{"jsonrpc":"2.0","id":77,"method":"textDocument/hover","params":null}`), "77", -32602},
		"params of a wrong type":   {lsptest.Frame(`{"jsonrpc":"2.0","id":78,"method":"textDocument/hover","params":[1]}`), "78", -32602},
		"position of a wrong type": {lsptest.Frame(`{"jsonrpc":"2.0","id":79,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///a"},"position":"x"}}`), "79", -32602},
		"position negative":        {lsptest.Frame(`{"jsonrpc":"2.0","id":80,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///a"},"position":{"line":-1,"character":0}}}`), "80", -32602},
		"uri of a wrong type":      {lsptest.Frame(`{"jsonrpc":"2.0","id":81,"method":"textDocument/hover","params":{"textDocument":{"uri":7},"position":{"line":0,"character":0}}}`), "81", -32602},
		"params that are balanced": {lsptest.Frame(`{"jsonrpc":"2.0","id":82,"method":"cloudops/estate/search","params":{"a":1,,}}`), "82", -32602},
		"deep params":              {lsptest.Frame(`{"jsonrpc":"2.0","id":83,"method":"textDocument/hover","params":` + deep + `}`), "83", -32602},
		"deep passed params":       {lsptest.Frame(`{"jsonrpc":"2.0","id":84,"method":"cloudops/estate/search","params":` + deep + `}`), "84", -32602},
		"no command":               {lsptest.Frame(`{"jsonrpc":"2.0","id":85,"method":"workspace/executeCommand","params":{}}`), "85", -32602},
		"an argument of no object": {lsptest.Frame(`{"jsonrpc":"2.0","id":86,"method":"workspace/executeCommand","params":{"command":"cloudops.estate.search","arguments":["x"]}}`), "86", -32602},
		"an unknown argument":      {lsptest.Frame(`{"jsonrpc":"2.0","id":87,"method":"workspace/executeCommand","params":{"command":"cloudops.estate.search","arguments":[{"path":"/etc"}]}}`), "87", -32602},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			initialize(t, e, nil)
			e.Send(c.send)
			var err *lsptest.Error
			if c.id == "" {
				err = e.Stray(0)
			} else {
				err = e.Await(c.id).Error
			}
			if err == nil || err.Code != c.code {
				t.Errorf("got %v, want code %d", err, c.code)
			}
			e.Call("shutdown", nil, nil)
		})
	}
}

func TestAHugeLengthAllocatesNothing(t *testing.T) {
	e := start(t)
	initialize(t, e, nil)
	e.Send("Content-Length: 268435456\r\n\r\n{")
	e.CloseInput()
	if err := e.Wait(); err != nil {
		t.Error(err)
	}
}

// Editors send notifications that a server doesn't know, or can't read.
func TestNotificationsNeverCloseTheConnection(t *testing.T) {
	e := start(t)
	initialize(t, e, nil)
	for _, body := range []string{
		`{"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"verbose"}}`,
		`{"jsonrpc":"2.0","method":"$/foo","params":{}}`,
		`{"jsonrpc":"2.0","method":"$/foo"}`,
		`{"jsonrpc":"2.0","method":"no/such"}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":7}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration"}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeWatchedFiles","params":{"changes":[]}}`,
		`{"jsonrpc":"2.0","method":"workspace/didChangeWorkspaceFolders","params":{"event":{"added":[{"uri":"untitled:x","name":"x"}],"removed":[]}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":null}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen"}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///never","version":2},"contentChanges":[{"text":"x"}]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///never"},"contentChanges":[{}]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///never"}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/willSave","params":{"textDocument":{"uri":"file:///never"},"reason":1}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":999}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{"a":1}}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest"}`,
		`{"jsonrpc":"2.0","method":"$/progress","params":{"token":1,"value":{}}}`,
		`{"jsonrpc":"2.0","method":"window/workDoneProgress/cancel","params":{"token":"nobody"}}`,
		`{"jsonrpc":"2.0","method":"textDocument/hover","params":{}}`,
		`{"jsonrpc":"2.0","id":4711,"result":null}`,
		`{"jsonrpc":"2.0","id":4712,"error":{"code":1,"message":"x"}}`,
	} {
		e.Send(lsptest.Frame(body))
	}
	e.Call("shutdown", nil, nil)
}

// What an editor opened is where AWS files are refused: what is on this disk.
func TestFoldersAreOnThisDisk(t *testing.T) {
	for body, want := range map[string][]string{
		`{"rootUri":""}`:                                                             {},
		`{"rootUri":null,"rootPath":null}`:                                           {},
		`{"rootUri":"","rootPath":""}`:                                               {},
		`{"rootUri":"file:///"}`:                                                     {"/"},
		`{"rootUri":"file:///home/a%20b"}`:                                           {"/home/a b"},
		`{"rootPath":"/home/a"}`:                                                     {"/home/a"},
		`{"rootUri":"","rootPath":"/home/a"}`:                                        {"/home/a"},
		`{"rootUri":"vscode-vfs://github/a/b"}`:                                      {},
		`{"rootUri":"untitled:x"}`:                                                   {},
		`{"rootUri":"file:///a","workspaceFolders":[]}`:                              {},
		`{"rootUri":"file:///a","workspaceFolders":null}`:                            {"/a"},
		`{"workspaceFolders":[{"uri":"","name":""},{"uri":"file:///b","name":"b"}]}`: {"/b"},
		`{"workspaceFolders":[{"uri":"vscode-vfs://github/a","name":"a"},{"uri":"file:///b","name":null}]}`: {"/b"},
		`{"workspaceFolders":[{"uri":"http://example.com/c","name":"c"}]}`:                                  {},
	} {
		t.Run(body, func(t *testing.T) {
			hello := make(chan []string, 1)
			e := lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
				return lsp.Serve(context.Background(), lsp.Config{In: in, Out: out, Dial: func(_ context.Context, c daemon.ClientConfig) (*daemon.Client, error) {
					select {
					case hello <- c.Environment.Workspaces:
					default:
					}
					return nil, errors.New("none")
				}})
			})
			e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{},` + body[1:] + `}`))
			if r := e.Await("1"); r.Error != nil {
				t.Fatal(r.Error)
			}
			e.Notify("initialized", map[string]any{})
			if got := <-hello; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestInitializeAnswersAtOnceWithoutADaemon(t *testing.T) {
	e := start(t)
	begun := time.Now()
	var got struct {
		Capabilities struct {
			PositionEncoding string
			TextDocumentSync struct {
				OpenClose bool
				Change    int
			}
			HoverProvider          bool
			CodeActionProvider     bool
			ExecuteCommandProvider struct{ Commands []string }
		}
		ServerInfo struct{ Name, Version string }
	}
	if err := json.Unmarshal(initialize(t, e, nil), &got); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("initialize took %v", took)
	}
	c := got.Capabilities
	if c.PositionEncoding != "utf-16" || !c.TextDocumentSync.OpenClose || c.TextDocumentSync.Change != 2 ||
		!c.HoverProvider || !c.CodeActionProvider || len(c.ExecuteCommandProvider.Commands) == 0 {
		t.Errorf("capabilities %+v", c)
	}
	if got.ServerInfo.Name != "cloudops" || got.ServerInfo.Version != "test" {
		t.Errorf("server %+v", got.ServerInfo)
	}
	// The person is told once, and a hover shows nothing, without an error.
	e.Note("window/showMessage", 0, func(p json.RawMessage) bool { return strings.Contains(string(p), "daemon") })
	open(e, "file:///a.txt", "i-0123456789abcdef0")
	var hover json.RawMessage
	begun = time.Now()
	e.Call("textDocument/hover", at("file:///a.txt", 0, 3), &hover)
	if string(hover) != "null" {
		t.Errorf("hover %s", hover)
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("a hover without a daemon took %v", took)
	}
}

// Who cancels a decision is told what became of the plan, which only the daemon
// knows.
func TestACancelledDecisionSaysWhatBecameOfIt(t *testing.T) {
	for name, told := range map[string]*jsonrpc2.Error{
		"too late":       {Code: daemon.CodeLate, Message: "too late to stop it"},
		"nobody decided": {Code: daemon.CodeUndecided, Message: "undecided: nothing ran"},
		"stopped":        {Code: daemon.CodeCancelled, Message: "stopped: AWS was not called, and nothing ran"},
	} {
		t.Run(name, func(t *testing.T) {
			e := probed(t, io.Discard, map[string]func(context.Context) (any, error){
				"test/decide": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, told },
			})
			e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":7001,"method":"test/decide","params":{}}`))
			e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7001}}`))
			if err := e.Await("7001").Error; err == nil || err.Code != int(told.Code) || err.Message != told.Message {
				t.Errorf("got %v, want %v", err, told)
			}
		})
	}
}

func TestCancelledCallsEndAtOnce(t *testing.T) {
	for _, id := range []string{`7001`, `"seven"`} {
		t.Run(id, func(t *testing.T) {
			e := probed(t, io.Discard, map[string]func(context.Context) (any, error){
				"test/wait": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
			})
			e.Send(lsptest.Frame(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"test/wait","params":{}}`, id)))
			e.Send(lsptest.Frame(fmt.Sprintf(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%s}}`, id)))
			if err := e.Await(id).Error; err == nil || err.Code != -32800 {
				t.Errorf("got %v, want -32800", err)
			}
		})
	}
}
