package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// called remembers the methods that are sent by it.
type called struct {
	jsonrpc2.Conn
	methods []string
}

func (c *called) Call(_ context.Context, method string, _, _ any) (jsonrpc2.ID, error) {
	c.methods = append(c.methods, method)
	return jsonrpc2.ID{}, nil
}

func (c *called) Notify(_ context.Context, method string, _ any) error {
	c.methods = append(c.methods, method)
	return nil
}

// Each method that an editor may send stands in one list, once.
func TestEveryMethodIsAFeatureOrUnsupported(t *testing.T) {
	sent := &called{}
	to := reflect.ValueOf(protocol.ServerDispatcher(sent))
	for i, all := 0, reflect.TypeFor[protocol.Server](); i < all.NumMethod(); i++ {
		if all.Method(i).Name == "Request" {
			continue // of any method
		}
		f := to.MethodByName(all.Method(i).Name)
		in := []reflect.Value{reflect.ValueOf(t.Context())}
		for j := 1; j < f.Type().NumIn(); j++ {
			in = append(in, reflect.Zero(f.Type().In(j)))
		}
		f.Call(in)
	}
	if !slices.Contains(sent.methods, protocol.MethodTextDocumentHover) {
		t.Fatalf("a client can send %v", sent.methods)
	}
	times := map[string]int{}
	for _, f := range features() {
		times[f.method]++
	}
	for _, m := range unsupported {
		times[m]++
	}
	for _, m := range sent.methods {
		if times[m] != 1 {
			t.Errorf("%s stands in the lists of feature.go %d times, want once", m, times[m])
		}
		delete(times, m)
	}
	for m := range times {
		t.Errorf("%s is no method that an editor sends", m)
	}
}

// editor is one row of the table in clients.go as it speaks: what it says in
// initialize, and where that is known from.
type editor struct {
	Editor, Name, Source string
	Capabilities         json.RawMessage
}

func editors(t *testing.T) []editor {
	t.Helper()
	b, err := os.ReadFile("testdata/editors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []editor
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (e editor) client(t *testing.T) client {
	t.Helper()
	var says protocol.ClientCapabilities
	if err := protocol.Unmarshal(e.Capabilities, &says); err != nil {
		t.Fatalf("%s: %v", e.Editor, err)
	}
	return newClient(e.Name, says)
}

// What each editor says of itself is taken for what it is.
func TestEveryEditorIsTakenForWhatItIs(t *testing.T) {
	var titles []string
	for _, e := range editors(t) {
		titles = append(titles, e.Editor)
		if got := e.client(t).kind.title; got != e.Editor {
			t.Errorf("%s is taken for %s", e.Editor, got)
		}
	}
	for _, k := range kinds {
		if !slices.Contains(titles, k.title) {
			t.Errorf("testdata/editors.json does not say what %s says", k.title)
		}
	}
}

// The page that people read is what initialize answers.
func TestTheFeaturesPageIsWhatInitializeAnswers(t *testing.T) {
	var head, rule strings.Builder
	head.WriteString("| method |")
	rule.WriteString("|---|")
	all := editors(t)
	for _, e := range all {
		head.WriteString(" " + e.Editor + " |")
		rule.WriteString("---|")
	}
	want := head.String() + "\n" + rule.String() + "\n"
	for _, f := range features() {
		if f.offer == nil {
			continue
		}
		want += "| `" + f.method + "` |"
		for _, e := range all {
			var c protocol.ServerCapabilities
			said := f.offer(e.client(t), &c)
			if offers := !reflect.ValueOf(c).IsZero(); offers != (said != "") {
				t.Errorf("%s: initialize offers %s to %s: %t, and the table says %q", f.method, f.method, e.Editor, offers, said)
			}
			if said == "" {
				said = "-"
			}
			want += " " + said + " |"
		}
		want += "\n"
	}
	comparePage(t, "../docs/features.md", "<!-- the table of lsp/feature.go -->\n", want)
}

// comparePage compares what a page has between a line and its end with what it
// should, or writes that.
func comparePage(t *testing.T, page, begin, want string) {
	t.Helper()
	const end = "<!-- its end -->\n"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	shown, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if shown != want {
		t.Errorf("%s shows\n%s\nwant (go test ./lsp -run Page -update)\n%s", page, shown, want)
	}
}

// Each setting that switches a feature off is one of VS Code's too, and sent.
func TestEverySettingIsInVSCode(t *testing.T) {
	b, err := os.ReadFile("../editors/vscode/package.json")
	if err != nil {
		t.Fatal(err)
	}
	sends, err := os.ReadFile("../editors/vscode/src/client.ts")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Contributes struct {
			Configuration struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	for _, f := range features() {
		if f.setting == "" {
			continue
		}
		if name := "cloudops." + f.setting + ".enabled"; manifest.Contributes.Configuration.Properties[name] == nil {
			t.Errorf("editors/vscode/package.json has no setting %s", name)
		}
		if !bytes.Contains(sends, []byte("'cloudops."+f.setting+"'")) {
			t.Errorf("editors/vscode/src/client.ts does not send the setting %s", f.setting)
		}
	}
}
