package lsp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/lsptest"
)

// probed runs a server with further methods.
func probed(t *testing.T, log io.Writer, probes map[string]func(context.Context) (any, error)) *lsptest.Editor {
	t.Helper()
	e := unprobed(t, log, probes)
	initialize(t, e, nil)
	return e
}

// unprobed is probed before the editor said anything.
func unprobed(t *testing.T, log io.Writer, probes map[string]func(context.Context) (any, error)) *lsptest.Editor {
	t.Helper()
	return lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
		return lsp.ServeProbed(context.Background(), lsp.Config{
			In: in, Out: out,
			Daemon: daemon.ClientConfig{Home: t.TempDir(), Executable: "-"},
			Log:    slog.New(slog.NewTextHandler(log, nil)),
		}, probes)
	})
}

func TestAPanicEndsOneMessage(t *testing.T) {
	var log bytes.Buffer
	e := probed(t, &log, map[string]func(context.Context) (any, error){
		"test/panic": func(context.Context) (any, error) { panic("hush: vol-1") },
	})
	for _, method := range []string{"test/panic", "test/decode"} {
		if err := e.Try(method, map[string]any{}, nil); err == nil || err.Code != -32603 {
			t.Errorf("%s: got %v, want -32603", method, err)
		}
		e.Notify(method, map[string]any{})
	}
	e.Call("shutdown", nil, nil)
	e.Notify("exit", nil)
	if err := e.Wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "test/panic") || strings.Contains(log.String(), "vol-1") {
		t.Errorf("the log names no panic, or its value: %s", log.String())
	}
}

// A call sees the document as it was when the call was sent: with all changes
// before it and none after it.
func TestMessagesAreSeenInOrder(t *testing.T) {
	e := probed(t, io.Discard, nil)
	const uri = "file:///a.txt"
	open(e, uri, "0")
	var ids []string
	for i := range 500 {
		e.Notify("textDocument/didChange", map[string]any{
			"textDocument":   map[string]any{"uri": uri, "version": i},
			"contentChanges": []any{map[string]any{"text": fmt.Sprint(i)}},
		})
		ids = append(ids, e.Begin("test/text", map[string]any{"textDocument": map[string]any{"uri": uri}}))
	}
	for i, id := range ids {
		if r := e.Await(id); r.Error != nil || string(r.Result) != fmt.Sprintf("%q", fmt.Sprint(i)) {
			t.Fatalf("call %d saw %s (%v)", i, r.Result, r.Error)
		}
	}
}

// A slow call holds up nothing.
func TestCallsAreConcurrent(t *testing.T) {
	gate := make(chan struct{})
	e := probed(t, io.Discard, map[string]func(context.Context) (any, error){
		"test/slow": func(context.Context) (any, error) { <-gate; return "done", nil },
		"test/open": func(context.Context) (any, error) { close(gate); return nil, nil },
	})
	slow := e.Begin("test/slow", map[string]any{})
	e.Call("test/open", map[string]any{}, nil)
	if r := e.Await(slow); string(r.Result) != `"done"` {
		t.Errorf("got %s", r.Result)
	}
}

// Clients in languages without absent values write null: it means the same, and
// a message that has it loses nothing.
func TestNullMeansAbsent(t *testing.T) {
	const uri, before, after = "file:///a.txt", "one\ntwo\n", "i-1"
	for _, change := range []string{
		`{"textDocument":{"uri":"file:///a.txt","version":null},"contentChanges":[{"text":"i-1"}]}`,
		`{"textDocument":{"uri":"file:///a.txt","version":2},"contentChanges":[{"range":null,"text":"i-1"}]}`,
		`{"textDocument":{"uri":"file:///a.txt"},"contentChanges":[{"range":null,"rangeLength":null,"text":"i-1"}]}`,
		`{"textDocument":{"uri":"file:///a.txt","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":0},"end":{"line":9,"character":0}},"rangeLength":null,"text":"i-1"}],"x":null}`,
	} {
		e := probed(t, io.Discard, nil)
		open(e, uri, before)
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"textDocument/didChange","params":` + change + `}`))
		var got string
		e.Call("test/text", map[string]any{"textDocument": map[string]any{"uri": uri}}, &got)
		if got != after {
			t.Errorf("after %s the document is %q", change, got)
		}
	}
	e := probed(t, io.Discard, nil)
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///b","languageId":null,"version":null,"text":"x"}}}`))
	for id, call := range map[string]string{
		`"a"`: `"method":"test/text","params":{"textDocument":{"uri":"file:///b"},"position":{"line":0,"character":0},"workDoneToken":null}`,
		`"b"`: `"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///b","version":null},"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"context":{"diagnostics":null,"only":null,"triggerKind":null},"partialResultToken":null}`,
		`"c"`: `"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///b"},"position":{"line":0,"character":0},"workDoneToken":null}`,
	} {
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":` + id + `,` + call + `}`))
		if r := e.Await(id); r.Error != nil {
			t.Errorf("%s: %v", call, r.Error)
		}
	}
	for i, none := range []string{`,"params":null`, `,"params":[]`, ``} {
		e := start(t)
		initialize(t, e, nil)
		id := fmt.Sprint(9000 + i)
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":` + id + `,"method":"shutdown"` + none + `}`))
		if r := e.Await(id); r.Error != nil {
			t.Errorf("shutdown%s: %v", none, r.Error)
		}
	}
	for _, params := range []string{
		`{"processId":null,"clientInfo":null,"locale":null,"rootPath":null,"rootUri":null,"initializationOptions":null,"capabilities":{},"trace":null,"workspaceFolders":null,"workDoneToken":null}`,
		`{"processId":null,"rootUri":null,"capabilities":{"workspace":null,"textDocument":{"hover":null,"codeAction":{"resolveSupport":null}},"window":{"workDoneProgress":null},"general":{"positionEncodings":null},"experimental":null}}`,
	} {
		e := start(t)
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":` + params + `}`))
		if r := e.Await(`"i"`); r.Error != nil {
			t.Errorf("initialize with %s: %v", params, r.Error)
		}
	}
}

// An id that is a float without a fraction names the call that it means.
func TestIDsThatAreFloats(t *testing.T) {
	e := probed(t, io.Discard, map[string]func(context.Context) (any, error){
		"test/wait": func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
	})
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":7001.0,"method":"test/wait","params":{}}`))
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7001.0}}`))
	if err := e.Await("7001").Error; err == nil || err.Code != -32800 {
		t.Errorf("got %v, want -32800", err)
	}
}

// There are editors that cancel with the id of a call of the server's own.
func TestACancelOfACallOfOursReachesNoCallOfTheEditor(t *testing.T) {
	gate := make(chan struct{})
	e := probed(t, io.Discard, map[string]func(context.Context) (any, error){
		"test/wait": func(ctx context.Context) (any, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-gate:
				return "done", nil
			}
		},
	})
	waiting := map[string]string{}
	for n := range 40 {
		id := e.Begin("test/wait", map[string]any{})
		waiting[id] = fmt.Sprint(n)
	}
	// Three calls of ours, each of which the editor takes back by its id.
	for range 3 {
		asked := e.Begin("test/prompt", question(executor.RiskLow))
		id := e.AskedID("window/showMessageRequest")
		if waiting[id] != "" {
			t.Errorf("call %s of the server bears the id of one of the editor's", id)
		}
		e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":` + id + `}}`))
		e.Await(asked)
	}
	close(gate)
	for id := range waiting {
		if r := e.Await(id); r.Error != nil || string(r.Result) != `"done"` {
			t.Errorf("call %s: %s (%v)", id, r.Result, r.Error)
		}
	}
}
