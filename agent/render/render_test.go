package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"html"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/tools/txtar"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 5, 1, 10, 3, 0, 0, time.UTC)

// hostile is the corpus of names.
func hostile(t testing.TB) []string {
	b, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if strings.HasPrefix(l, "# One") {
			continue
		}
		s, err := strconv.Unquote(`"` + l + `"`)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		names = append(names, s)
	}
	return names
}

// record, whole, plan and execution say s wherever others decide what is said.
func record(s string) storage.Record {
	return storage.Record{
		Key: storage.Key{Type: "rds_instance", ID: s, AccountID: s, Region: s, ARN: "arn:" + s}, Name: s, AccountName: s,
		State: s, Summary: s, Tags: map[string]string{s: s, "env": s}, LastSynced: now.Add(-3 * time.Minute),
	}
}

func whole(s string) storage.Resource {
	created := now.Add(-24 * time.Hour)
	return storage.Resource{
		Type: "rds_instance", ID: s, ARN: "arn:" + s, Name: s, AccountID: s, AccountName: s, Region: s, Service: s, State: s,
		Engine: s, EngineVersion: s, Tags: map[string]string{s: s}, Constraints: map[string]any{s: s},
		Metadata: map[string]any{s: []any{s, 1.0, map[string]any{s: nil}}}, Summary: s, Aliases: []string{s}, ImmutableID: "i" + s,
		CreatedAt: &created, LastSynced: now, IAM: &storage.IAM{AllowedActions: []string{s}, UnknownActions: []string{s}},
	}
}

func plan(s string) executor.Plan {
	return executor.Plan{
		Line: "aws rds stop-db-instance --db-instance-identifier=" + s, Title: "stop " + s, Risk: executor.RiskHigh,
		Command: executor.Command{AccountID: s, Region: s},
		Targets: []executor.Target{{Key: record(s).Key, Name: "n" + s, State: s, Tags: map[string]string{"env": s, s: s}, ImmutableID: "i" + s, Facts: map[string]string{s: s}}},
		Reasons: []string{s, "tagged env=" + s}, Effect: s, Undo: s, Endpoint: s,
		Identity: session.Identity{Profile: s, AccountID: s, ARN: s, Source: s},
		Origin:   executor.Origin{Kind: "terminal", PID: 7, Executable: s, Workspace: s, Prompt: s},
		Created:  now, Expires: now.Add(5 * time.Minute),
	}
}

func execution(s string) executor.Execution {
	return executor.Execution{ID: s, Line: s, Status: s, StateBefore: s, StateAfter: s, Error: s, Finished: now}
}

// surfaces are all ways to show a name.
func surfaces() map[string]func(string) string {
	return map[string]func(string) string{
		"markdown":          Markdown,
		"code":              Code,
		"terminal":          Terminal,
		"terminal-block":    TerminalBlock,
		"terminal-markdown": func(s string) string { return TerminalMarkdown("**Is** " + Markdown(s) + " " + Code(s) + ".") },
		"notification":      Notification,
		"table":             func(s string) string { return Table([]string{"NAME", "STATE"}, [][]string{{s, "x"}, {"x", s}}) },
		"hover":             func(s string) string { return Hover([]storage.Record{record(s)}, []string{s}, now) },
		"hover-plain":       func(s string) string { return HoverPlain([]storage.Record{record(s)}, []string{s}, now) },
		"resource-terminal": func(s string) string { return ResourceTerminal(whole(s)) },
		"card-terminal":     func(s string) string { return CardTerminal(plan(s), 80) },
		"card-notification": func(s string) string { return CardNotification(executor.Prompt{Plan: plan(s)}) },
		"card-terminal-end": func(s string) string { return CardTerminalEnd(plan(s), 80) },
		"card-end":          func(s string) string { text, _ := CardEnd(plan(s)); return text },
		"card-notice":       func(s string) string { return CardNotice(executor.Prompt{Plan: plan(s)}) },
		"card-dialog":       func(s string) string { return CardDialog(plan(s)) },
		"card-fields":       func(s string) string { return fmt.Sprint(CardFields(plan(s))) },
		"execution":         func(s string) string { return ExecutionLine(execution(s)) },
		"json": func(s string) string {
			b, _ := json.Marshal(s)
			return string(JSON(b))
		},
	}
}

// shown are the names whose look on each surface is reviewed; what must hold of
// every other is checked by TestSurfacesHoldHostileNames.
var shown = []string{
	"pg-instance-main1",
	"two\nlines",
	"\x1b[31mred\x1b[0m",
	"\u202egpj.exe",
	"[click](command:workbench.action.terminal.new)",
}

// Every surface shows a plain name and some hostile ones as reviewed. One shows
// them all: the extension's tests read there how names are to look.
func TestHostileNames(t *testing.T) {
	for surface, show := range surfaces() {
		t.Run(surface, func(t *testing.T) {
			names := shown
			if surface == "terminal" {
				names = hostile(t)
			}
			var a txtar.Archive
			for _, name := range names {
				a.Files = append(a.Files, txtar.File{Name: strconv.QuoteToASCII(name), Data: []byte(show(name) + "\n")})
			}
			golden(t, surface, a)
		})
	}
}

func golden(t *testing.T, name string, a txtar.Archive) {
	t.Helper()
	path := "testdata/" + name + ".golden"
	got := txtar.Format(&a)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	old := txtar.Parse(want)
	for i, f := range a.Files {
		if i >= len(old.Files) || !bytes.Equal(f.Data, old.Files[i].Data) {
			t.Errorf("%s is now shown as\n%s(run with -update if that is right)", f.Name, f.Data)
		}
	}
	if len(old.Files) != len(a.Files) {
		t.Errorf("%d names, the golden file has %d", len(a.Files), len(old.Files))
	}
}

// checkVisible says that nothing in a rendering acts or hides.
func checkVisible(t *testing.T, what, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("%s is not text: %q", what, s)
	}
	for _, r := range s {
		if r == '\n' || r == '\u00a0' { // lines and spaces of our own
			continue
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Variation_Selector, unicode.Co) {
			t.Errorf("%s lets %U pass: %q", what, r, s)
		}
	}
}

func checkSurfaces(t *testing.T, name string) {
	t.Helper()
	all := surfaces()
	for surface, show := range all {
		s := show(name)
		checkVisible(t, surface, s)
		if want := strings.Count(show("x"), "\n"); surface != "terminal-block" && strings.Count(s, "\n") != want &&
			!strings.HasPrefix(surface, "hover") && !strings.HasPrefix(surface, "resource") && !strings.HasPrefix(surface, "card") {
			t.Errorf("%s: %q makes lines: %q", surface, name, s)
		}
	}
	checkProse(t, name)
	checkCode(t, name)
	checkJSON(t, name)
	checkTame(t, "hover", all["hover"](name))
	for _, surface := range []string{"notification", "card-notification", "card-notice", "card-end"} {
		if n := all[surface](name); strings.Contains(n, "](") {
			t.Errorf("%s has a link: %q", surface, n)
		}
	}
}

var parser = goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote, extension.DefinitionList))

// seen is the text that a reader of Markdown sees, and the kinds of nodes.
func seen(t *testing.T, src string) (string, map[ast.NodeKind]int) {
	t.Helper()
	b := []byte(src)
	doc, kinds := parser.Parser().Parse(text.NewReader(b)), map[ast.NodeKind]int{}
	if err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			kinds[n.Kind()]++
		}
		return ast.WalkContinue, nil
	}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := parser.Convert(b, &out); err != nil {
		t.Fatal(err)
	}
	s := out.String()
	for _, tag := range []string{"<p>", "</p>\n", "<ul>\n", "</ul>\n", "<li>", "</li>\n", "<code>", "</code>"} {
		s = strings.ReplaceAll(s, tag, "")
	}
	return html.UnescapeString(s), kinds
}

// expected is what is to be seen of a name.
func expected(name string) string { return strings.ReplaceAll(visible(name), " ", "\u00a0") }

func checkProse(t *testing.T, name string) {
	t.Helper()
	for _, before := range []string{"", "- ", "is: ", "a "} {
		got, kinds := seen(t, before+Markdown(name))
		for k := range kinds {
			switch k {
			case ast.KindDocument, ast.KindParagraph, ast.KindText, ast.KindString:
			case ast.KindList, ast.KindListItem, ast.KindTextBlock:
				if before != "- " {
					t.Errorf("%q makes a %v", name, k)
				}
			default:
				t.Errorf("%q after %q makes a %v: %s", name, before, k, Markdown(name))
			}
		}
		if name == "" {
			continue
		}
		want := strings.ReplaceAll(strings.TrimPrefix(before, "- "), " ", "\u00a0") + expected(name)
		if got = strings.ReplaceAll(got, " ", "\u00a0"); got != want {
			t.Errorf("%q after %q is read as %q, want %q", name, before, got, want)
		}
	}
}

func checkCode(t *testing.T, name string) {
	t.Helper()
	got, kinds := seen(t, Code(name))
	if want := map[ast.NodeKind]int{ast.KindDocument: 1, ast.KindParagraph: 1, ast.KindCodeSpan: 1, ast.KindText: 1}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("%q is no code span: %q gives %v", name, Code(name), kinds)
	}
	if want := expected(name); strings.ReplaceAll(got, " ", "\u00a0") != want && name != "" {
		t.Errorf("%q is read as %q, want %q", name, got, want)
	}
}

// checkTame says that Markdown around names has nothing in it that acts.
func checkTame(t *testing.T, what, src string) {
	t.Helper()
	_, kinds := seen(t, src)
	for k := range kinds {
		switch k {
		case ast.KindDocument, ast.KindParagraph, ast.KindText, ast.KindString, ast.KindTextBlock, ast.KindList, ast.KindListItem,
			ast.KindEmphasis, ast.KindCodeSpan, ast.KindThematicBreak:
		default:
			t.Errorf("%s has a %v:\n%s", what, k, src)
		}
	}
}

func checkJSON(t *testing.T, name string) {
	t.Helper()
	src, err := json.MarshalIndent(map[string]any{"a": name, name: []string{name}}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal(src, &want); err != nil {
		t.Fatal(err)
	}
	out := JSON(src)
	if err := json.Unmarshal(out, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q: JSON means %v, want %v (%v)", name, got, want, err)
	}
	checkVisible(t, "json", strings.ReplaceAll(string(out), "\t", ""))
	if bytes.Contains(out, []byte("\u00a0")) || bytes.Contains(out, []byte("\u2800")) {
		t.Errorf("%q: JSON shows blanks: %s", name, out)
	}
}

func TestSurfacesHoldHostileNames(t *testing.T) {
	for _, name := range hostile(t) {
		checkSurfaces(t, name)
	}
}

func FuzzSurfaces(f *testing.F) {
	for _, name := range hostile(f) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) { checkSurfaces(t, name) })
}

// Raw bytes that no encoder writes are tamed, too.
func TestJSONOfRawBytes(t *testing.T) {
	got := string(JSON([]byte("{\"a\":\"\x1b[31m\xff\u202e\U000e0041\x7f\"}\n")))
	if want := `{"a":"\u001b[31m\ufffd\u202e\udb40\udc41\u007f"}` + "\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
