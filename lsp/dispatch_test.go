package lsp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/lsptest"
)

// started runs a server with further methods.
func started(t *testing.T, log io.Writer, more func(s *server) map[string]method) *lsptest.Editor {
	t.Helper()
	e := lsptest.Start(t, func(in io.ReadCloser, out io.Writer) error {
		s := newServer(context.Background(), Config{
			In: in, Out: out,
			Daemon: daemon.ClientConfig{Home: t.TempDir(), Executable: "-"},
			Log:    slog.New(slog.NewTextHandler(log, nil)),
		})
		for name, m := range more(s) {
			s.table[name] = m
		}
		return s.serve()
	})
	e.Call("initialize", map[string]any{"processId": nil, "rootUri": nil, "capabilities": map[string]any{}}, nil)
	return e
}

func TestAPanicEndsOneMessage(t *testing.T) {
	var log bytes.Buffer
	e := started(t, &log, func(*server) map[string]method {
		return map[string]method{
			"test/panic":  func([]byte) (work, error) { return func(context.Context) (any, error) { panic("hush: vol-1") }, nil },
			"test/decode": func([]byte) (work, error) { var none []int; return nil, fmt.Errorf("%d", none[3]) },
		}
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
	e := started(t, io.Discard, func(s *server) map[string]method {
		return map[string]method{"test/text": inDocument(s, func(_ context.Context, d *document, _ *struct{}) (string, error) { return d.text, nil })}
	})
	const uri = "file:///a.txt"
	e.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "x", "version": 0, "text": "0"}})
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
	open := make(chan struct{})
	e := started(t, io.Discard, func(*server) map[string]method {
		return map[string]method{
			"test/slow": func([]byte) (work, error) {
				return func(ctx context.Context) (any, error) { <-open; return "done", nil }, nil
			},
			"test/open": func([]byte) (work, error) {
				return func(ctx context.Context) (any, error) { close(open); return nil, nil }, nil
			},
		}
	})
	slow := e.Begin("test/slow", map[string]any{})
	e.Call("test/open", map[string]any{}, nil)
	if r := e.Await(slow); string(r.Result) != `"done"` {
		t.Errorf("got %s", r.Result)
	}
}
