package lsp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// A scan shows its steps under the editor's token, and ends when the person
// cancels it there.
func TestAScanIsCancelledByItsProgress(t *testing.T) {
	server := awstest.Shared(t)
	world := lsptest.NewWorld(t, server)
	proxy, err := awstest.NewProxy(world.Estate.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	world.Endpoint = proxy.URL
	for name, c := range map[string]struct {
		token any // nil where the server makes its own
		can   bool
	}{"the editor's token": {token: "mine"}, "the server's token": {can: true}} {
		t.Run(name, func(t *testing.T) {
			proxy.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Hang})
			defer proxy.Heal()
			e := world.Editor(t, true)
			initialize(t, e, map[string]any{"capabilities": map[string]any{"window": map[string]any{"workDoneProgress": c.can}}})
			params := map[string]any{"command": "cloudops.estate.scan"}
			if c.token != nil {
				params["workDoneToken"] = c.token
			}
			id := e.Begin("workspace/executeCommand", params)
			raw, from := e.Note("$/progress", 0, func(p json.RawMessage) bool { return bytes.Contains(p, []byte(`"kind":"begin"`)) })
			var begun struct {
				Token any
				Value struct{ Cancellable bool }
			}
			if err := json.Unmarshal(raw, &begun); err != nil {
				t.Fatal(err)
			}
			if !begun.Value.Cancellable || c.token != nil && begun.Token != c.token {
				t.Errorf("begun with %s", raw)
			}
			if c.token == nil {
				created, _ := e.Asked("window/workDoneProgress/create", 0, nil)
				if want := fmt.Sprintf(`{"token":%q}`, begun.Token); string(created) != want {
					t.Errorf("created %s, want %s", created, want)
				}
			}
			e.Note("$/progress", from, func(p json.RawMessage) bool { return bytes.Contains(p, []byte(`"kind":"report"`)) })
			e.Notify("window/workDoneProgress/cancel", map[string]any{"token": begun.Token})
			if err := e.Await(id).Error; err == nil || err.Code != -32800 {
				t.Errorf("got %v, want -32800", err)
			}
			e.Note("$/progress", from, func(p json.RawMessage) bool { return bytes.Contains(p, []byte(`"kind":"end"`)) })
		})
	}
}

// A large file is read once, and then hovered as a small one.
func TestHoversInLargeDocuments(t *testing.T) {
	world := lsptest.NewWorld(t, awstest.Shared(t))
	e := world.Editor(t, true)
	initialize(t, e, nil)
	e.Call("workspace/executeCommand", map[string]any{"command": "cloudops.estate.scan"}, nil)
	const size = 5 << 20
	line := "# nothing is called like this-one and 10.0.0.300 is no address\n"
	for name, text := range map[string]string{
		"many lines": strings.Repeat(line, size/len(line)) + awstest.MainDB,
		"one line":   strings.ReplaceAll(strings.Repeat(line, size/len(line)), "\n", " ") + awstest.MainDB,
	} {
		t.Run(name, func(t *testing.T) {
			uri := "file:///large.txt"
			open(e, uri, text)
			defer e.Notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri}})
			last := strings.LastIndexByte(text, '\n')
			at := at(uri, strings.Count(text, "\n"), len(text)-last-1-3)
			for i := range 60 {
				var h json.RawMessage
				e.Call("textDocument/hover", at, &h)
				if !bytes.Contains(h, []byte(awstest.MainDB)) {
					t.Fatalf("hover %d: %s", i, h)
				}
			}
		})
	}
}

// A folder that is opened or closed ends nothing that is under way: neither a
// question nor a scan.
func TestFoldersChangeWhileWorkIsUnderWay(t *testing.T) {
	world := lsptest.NewWorld(t, awstest.Shared(t))
	proxy, err := awstest.NewProxy(world.Estate.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	world.Endpoint = proxy.URL
	e := world.Editor(t, true)
	decide := make(chan struct{})
	e.Answer(func(method string, params json.RawMessage) (any, error) {
		if method != "window/showMessageRequest" {
			return nil, nil
		}
		<-decide
		var p struct{ Actions []any }
		err := json.Unmarshal(params, &p)
		return p.Actions[0], err // Reject, which needs no time to read
	})
	initialize(t, e, nil)
	e.Call("workspace/executeCommand", map[string]any{"command": "cloudops.estate.scan"}, nil)
	opened := func(dir string) {
		t.Helper()
		e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{folder(dir)}, "removed": []any{}}})
		e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{}, "removed": []any{folder(dir)}}})
	}
	known := func(dir string) {
		t.Helper()
		until(t, "the daemon knows the folder", func() bool {
			var res struct {
				Plan struct{ Origin struct{ Workspace string } }
			}
			e.Call("cloudops/execution/propose", map[string]any{"argv": []string{"aws", "ec2", "describe-instances"}}, &res)
			return res.Plan.Origin.Workspace == dir
		})
	}
	dir := t.TempDir()

	e.Call("workspace/executeCommand", map[string]any{
		"command": "cloudops.execution.propose", "arguments": []any{map[string]any{"verb": "stop", "identifier": awstest.MainDB}},
	}, nil)
	e.Asked("window/showMessageRequest", 0, nil)
	opened(dir)
	known(dir)
	proxy.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Hang})
	params := map[string]any{"command": "cloudops.estate.scan", "workDoneToken": "mine"}
	scan := e.Begin("workspace/executeCommand", params)
	e.Note("$/progress", 0, func(p json.RawMessage) bool {
		return bytes.Contains(p, []byte(`"mine"`)) && bytes.Contains(p, []byte(`"kind":"report"`))
	})
	opened(t.TempDir())
	known(dir)
	proxy.Heal()
	e.Notify("window/workDoneProgress/cancel", map[string]any{"token": "mine"})
	if err := e.Await(scan).Error; err == nil || err.Code != -32800 {
		t.Errorf("the scan ended with %v, want it cancelled", err)
	}
	close(decide)

	e.Note("window/showMessage", 0, said("rejected in a message"))
}
