package lsp_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// What an editor's log keeps is not for the estate: neither documents nor what
// was asked is quoted there, least of all when it is malformed.
func TestTheLogQuotesNothing(t *testing.T) {
	const secret = "vol-0canary"
	log := &lines{}
	e := probed(t, log, nil)
	document := map[string]any{"uri": "file:///" + secret, "languageId": "x", "version": 1, "text": secret}
	for _, params := range []any{
		map[string]any{"textDocument": document}, map[string]any{"textDocument": secret}, secret, []any{secret},
		map[string]any{"textDocument": map[string]any{"uri": secret, "version": secret, "text": secret}},
		map[string]any{"textDocument": document, "contentChanges": []any{map[string]any{"range": secret, "text": secret}}},
	} {
		for _, method := range []string{
			"textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "window/workDoneProgress/cancel",
			"workspace/didChangeWorkspaceFolders", "$/cancelRequest", "$/" + secret, secret,
		} {
			e.Notify(method, params)
		}
		for _, method := range []string{"textDocument/hover", "textDocument/codeAction", "workspace/executeCommand", "cloudops/estate/get", secret} {
			_ = e.Try(method, params, nil)
		}
	}
	_ = e.Try("workspace/executeCommand", map[string]any{"command": "cloudops.estate.get", "arguments": []any{map[string]any{"identifier": secret}}}, nil)
	e.Call("shutdown", nil, nil)
	got := log.String()
	if !strings.Contains(got, "ignoring a notification") {
		t.Fatalf("nothing was logged: %s", got)
	}
	if strings.Contains(got, secret) {
		t.Errorf("the log quotes what it must not:\n%s", got)
	}
}

// lines is a log that goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The argument of an action's command comes back from the editor: it is a hint,
// looked up anew, that can only propose.
func TestForgedActionsAreMadeAnew(t *testing.T) {
	world := lsptest.NewWorld(t, awstest.Shared(t))
	e := world.Editor(t, true)
	initialize(t, e, nil)
	e.Call("workspace/executeCommand", map[string]any{"command": "cloudops.estate.scan"}, nil)
	propose := func(argument any) (string, *lsptest.Error) {
		var res json.RawMessage
		err := e.Try("workspace/executeCommand", map[string]any{"title": "Harmless", "command": "cloudops.execution.propose", "arguments": []any{argument}}, &res)
		return string(res), err
	}
	good, err := propose(map[string]any{"identifier": awstest.MainDB, "verb": "stop"})
	if err != nil || !strings.Contains(good, `"title":"Stop `+awstest.MainDB) || strings.Contains(good, "Harmless") || strings.Contains(good, "execution\":") {
		t.Errorf("proposed %s (%v)", good, err)
	}
	for _, argument := range []any{
		map[string]any{"identifier": awstest.MainDB, "verb": "delete"},
		map[string]any{"identifier": awstest.MainDB, "verb": "start"}, // it runs
		map[string]any{"identifier": "no-such-db", "verb": "stop"},
		map[string]any{"identifier": awstest.WebName, "verb": "stop"}, // there are two
		map[string]any{"identifier": []any{}, "verb": "stop"},
		map[string]any{"identifier": awstest.MainDB, "verb": "stop", "approved": true},
		map[string]any{"plan": "p", "decision": "ask"},
		map[string]any{}, "x", nil, 7,
	} {
		if got, err := propose(argument); err == nil {
			t.Errorf("%v became %s", argument, got)
		}
	}
}

// Errors are shown by editors as they are, and may quote what others named.
func TestErrorsAreEscaped(t *testing.T) {
	world := lsptest.NewWorld(t, awstest.Shared(t))
	e := world.Editor(t, true)
	initialize(t, e, nil)
	const hostile = "x\u202e\x1b]8;;[Approve](command:x)\u200b\nsecond line"
	for method, params := range map[string]any{
		"cloudops/estate/get":        map[string]any{"identifier": hostile},
		"cloudops/execution/propose": map[string]any{"argv": []string{"aws", hostile, hostile}},
		"cloudops/profile/select":    map[string]any{"name": hostile},
	} {
		err := e.Try(method, params, nil)
		if err == nil {
			t.Errorf("%q: no error", method)
			continue
		}
		said := err.Message + string(err.Data)
		if strings.ContainsAny(said, "\u202e\x1b\u200b\n") || strings.Contains(said, "](") {
			t.Errorf("%q: %q", method, said)
		}
	}
}
