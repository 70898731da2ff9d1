package lsptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// Run drives every scenario of a folder, each in a world of its own: once with
// the daemon in this process and once with it behind its socket.
//
// A scenario is a txtar file. Its comment says in a sentence what it shows and
// then lists steps, one a line:
//
//	initialize JSON             with these params besides the usual ones
//	open FILE                   opens a file of the archive
//	change FILE RANGE TEXT      edits it; RANGE is L:C-L:C, counted from 1
//	close FILE
//	hover FILE L:C
//	actions FILE L:C[-L:C] [KIND]  lists the code actions there
//	choose TITLE                runs one of the listed actions, by part of its title
//	execute COMMAND [JSON]      sends workspace/executeCommand; an error is printed
//	request METHOD [FILE [L:C[-L:C]]] [JSON]  with the file's place, and these params
//	reply [PATH]...             prints the last result, or parts such as plans.0.line
//	notify METHOD [JSON]
//	answer run|reject|none|TEXT how the next prompt is answered
//	card                        waits for the next cloudops/prompt and prints it
//	prompt                      waits for the next prompt and prints it
//	message                     waits for the next message and prints it
//	progress                    waits for the end of the next progress
//	until-known FILE L:C        hovers until something is shown
//	kill-daemon, start-daemon   only behind the socket
//	expect NAME                 what was printed since the last one is file NAME
//
// ${web-west}, ${web-east} and ${stopped} stand for seeded instances.
func Run(t *testing.T, dir string, server *awstest.Server, update bool) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		for _, mode := range []string{"local", "socket"} {
			if mode == "local" && testing.Short() {
				continue
			}
			t.Run(name+"/"+mode, func(t *testing.T) { run(t, file, server, mode == "local", update) })
		}
	}
}

// reading is how long a person of a scenario needs for a card. They look at it
// for longer, as the daemon wants.
func reading(int) time.Duration { return 200 * time.Millisecond }

const looking = 700 * time.Millisecond

// scenario is one run of a file.
type scenario struct {
	t       *testing.T
	world   *World
	editor  *Editor
	archive *txtar.Archive
	local   bool
	update  bool
	stop    func()

	printed  strings.Builder
	reply    json.RawMessage // of the last execute or request
	actions  []json.RawMessage
	answers  chan string
	prompts  int // requests seen
	messages int // notifications seen, for messages
	ended    int // notifications seen, for progress
	version  int
}

func run(t *testing.T, file string, server *awstest.Server, local, update bool) {
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{
		t: t, archive: txtar.Parse(raw), local: local, update: update,
		world: NewWorld(t, server), answers: make(chan string, 16), stop: func() {},
	}
	if !local {
		s.stop = s.world.Daemon(t)
	}
	s.editor = s.world.Editor(t, local)
	s.editor.Answer(s.answer)

	lines := strings.Split(string(s.archive.Comment), "\n")
	steps := slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) == "" })
	if steps < 1 {
		t.Fatalf("%s does not begin with a sentence and an empty line", file)
	}
	for i, line := range lines[steps:] {
		words, err := executor.Words(s.expand(line))
		if err != nil {
			t.Fatalf("%s:%d: %v", file, steps+i+1, err)
		}
		if len(words) > 0 {
			t.Logf("%s:%d: %s", filepath.Base(file), steps+i+1, line)
			s.step(words[0], words[1:])
		}
	}
	if s.printed.Len() > 0 {
		t.Errorf("nothing expects what the last steps printed:\n%s", s.printed.String())
	}
	if update && !t.Failed() {
		if err := os.WriteFile(file, txtar.Format(s.archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// arg is the i-th argument, "" if absent.
func arg(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

// verbs are what a step begins with. A method without a verb of its own is sent
// by request and printed by reply.
var verbs = map[string]func(s *scenario, args []string){
	"initialize": (*scenario).initialize,
	"open": func(s *scenario, args []string) {
		s.version++
		s.editor.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri(args[0]), "languageId": "plaintext", "version": s.version, "text": s.expand(s.file(args[0])),
		}})
	},
	"change": func(s *scenario, args []string) {
		s.version++
		s.editor.Notify("textDocument/didChange", map[string]any{
			"textDocument":   map[string]any{"uri": uri(args[0]), "version": s.version},
			"contentChanges": []any{map[string]any{"range": s.place(args[1])["range"], "text": arg(args, 2)}},
		})
	},
	"close": func(s *scenario, args []string) {
		s.editor.Notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": uri(args[0])}})
	},
	"hover": func(s *scenario, args []string) { s.print("%s\n", s.hover(args[0], args[1])) },
	"until-known": func(s *scenario, args []string) {
		for s.hover(args[0], args[1]) == "nothing" {
			if err := s.t.Context().Err(); err != nil {
				s.t.Fatal(err)
			}
		}
	},
	"actions": (*scenario).listActions,
	"choose":  func(s *scenario, args []string) { s.choose(args[0]) },
	"execute": func(s *scenario, args []string) {
		params := map[string]any{"command": args[0]}
		if a := arg(args, 1); a != "" {
			params["arguments"] = []any{json.RawMessage(a)}
		}
		s.call("workspace/executeCommand", params)
	},
	"request": (*scenario).request,
	"reply":   (*scenario).printReply,
	"notify":  func(s *scenario, args []string) { s.editor.Notify(args[0], s.object(arg(args, 1))) },
	"answer":  func(s *scenario, args []string) { s.answers <- strings.Join(args, " ") },
	"prompt":  (*scenario).printPrompt,
	"card":    (*scenario).printCard,
	"message": func(s *scenario, _ []string) {
		var p struct {
			Type    int
			Message string
		}
		raw, next := s.editor.Note("window/showMessage", s.messages, nil)
		s.messages = next
		s.decode(raw, &p)
		s.print("%s: %s\n", []string{"", "error", "warning", "info", "log"}[p.Type], p.Message)
	},
	"progress": func(s *scenario, _ []string) {
		raw, next := s.editor.Note("$/progress", s.ended, func(p json.RawMessage) bool { return bytes.Contains(p, []byte(`"kind":"end"`)) })
		s.ended = next
		var p struct{ Value struct{ Message string } }
		s.decode(raw, &p)
		s.print("done: %s\n", p.Value.Message)
	},
	"kill-daemon": func(s *scenario, _ []string) {
		if !s.local {
			s.stop()
		}
	},
	"start-daemon": func(s *scenario, _ []string) {
		if !s.local {
			s.stop = s.world.Daemon(s.t)
		}
	},
	"expect": func(s *scenario, args []string) { s.expect(args[0]) },
}

func (s *scenario) step(name string, args []string) {
	s.t.Helper()
	do := verbs[name]
	if do == nil {
		s.t.Fatalf("no step %q", name)
	}
	do(s, args)
}

// initialize is that of an editor that can do much; args[0] says otherwise.
func (s *scenario) initialize(args []string) {
	params := map[string]any{
		"processId": nil, "rootUri": nil,
		"capabilities": map[string]any{
			"window": map[string]any{"workDoneProgress": true},
			"textDocument": map[string]any{
				"hover": map[string]any{"contentFormat": []string{"markdown", "plaintext"}},
				"codeAction": map[string]any{
					"codeActionLiteralSupport": map[string]any{"codeActionKind": map[string]any{"valueSet": []string{""}}},
				},
			},
		},
	}
	maps.Copy(params, s.object(arg(args, 0)))
	s.editor.Call("initialize", params, nil)
	s.editor.Notify("initialized", map[string]any{})
}

// request sends a method: about a file, or a place or part of it, or with
// params of its own.
func (s *scenario) request(args []string) {
	s.t.Helper()
	method, args := args[0], args[1:]
	params := map[string]any{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "{") {
		params["textDocument"] = map[string]any{"uri": uri(args[0])}
		args = args[1:]
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "{") {
		maps.Copy(params, s.place(args[0]))
		args = args[1:]
	}
	maps.Copy(params, s.object(arg(args, 0)))
	s.call(method, params)
}

func (s *scenario) listActions(args []string) {
	s.t.Helper()
	context := map[string]any{"diagnostics": []any{}}
	if kind := arg(args, 2); kind != "" {
		context["only"] = []string{kind}
	}
	s.actions = nil
	s.editor.Call("textDocument/codeAction", map[string]any{
		"textDocument": map[string]any{"uri": uri(args[0])}, "context": context, "range": s.place(args[1])["range"],
	}, &s.actions)
	for _, a := range s.actions {
		var action struct {
			Title, Kind string
			Disabled    struct{ Reason string }
		}
		s.decode(a, &action)
		s.print("%s [%s]", action.Title, action.Kind)
		if why := action.Disabled.Reason; why != "" {
			s.print(" not now: %s", why)
		}
		s.print("\n")
	}
}

func (s *scenario) printPrompt([]string) {
	s.t.Helper()
	var p struct {
		Message string
		Actions []struct{ Title string }
	}
	raw, next := s.editor.Asked("window/showMessageRequest", s.prompts, nil)
	s.prompts = next
	s.decode(raw, &p)
	s.print("%s\n", p.Message)
	for _, a := range p.Actions {
		s.print("  [%s]\n", a.Title)
	}
}

func (s *scenario) printCard([]string) {
	s.t.Helper()
	var p struct {
		Title, Line, Risk, Run, Reject string
		Grave                          bool
		Fields                         []struct{ Name, Text string }
	}
	raw, next := s.editor.Asked(daemon.Prompt.Name, s.prompts, nil)
	s.prompts = next
	s.decode(raw, &p)
	s.print("%s (risk: %s, grave: %t)\n%s\n", p.Title, p.Risk, p.Grave, p.Line)
	for _, f := range p.Fields {
		s.print("%s: %s\n", f.Name, f.Text)
	}
	s.print("  [%s]\n  [%s]\n", p.Reject, p.Run)
}

// answer is how the editor answers the server's questions.
func (s *scenario) answer(method string, params json.RawMessage) (any, error) {
	type action struct {
		Title  string `json:"title"`
		Digest string `json:"digest,omitempty"`
	}
	var p struct {
		Actions             []action
		Reject, Run, Digest string
	}
	if method != "window/showMessageRequest" && method != daemon.Prompt.Name {
		return nil, nil
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	if method == daemon.Prompt.Name {
		p.Actions = []action{{p.Reject, p.Digest}, {p.Run, p.Digest}}
	}
	time.Sleep(looking)
	if len(p.Actions) != 2 || p.Actions[0].Title == p.Actions[1].Title {
		return nil, fmt.Errorf("a prompt with the answers %v", p.Actions)
	}
	var a string
	select {
	case a = <-s.answers:
	case <-s.editor.done:
		return nil, errors.New("the server ended")
	}
	switch a {
	case "reject":
		return p.Actions[0], nil
	case "run":
		return p.Actions[1], nil
	case "none":
		return nil, nil
	}
	return map[string]any{"title": a}, nil
}

func (s *scenario) choose(title string) {
	s.t.Helper()
	for _, a := range s.actions {
		var action struct {
			Title   string
			Command json.RawMessage
		}
		s.decode(a, &action)
		if !strings.Contains(action.Title, title) {
			continue
		}
		if bytes.HasPrefix(action.Command, []byte(`"`)) {
			action.Command = a // it is a command itself
		}
		s.editor.Call("workspace/executeCommand", action.Command, nil)
		return
	}
	s.t.Fatalf("no action %q", title)
}

func (s *scenario) hover(file, at string) string {
	s.t.Helper()
	var h *struct {
		Contents struct{ Kind, Value string }
		Range    struct{ Start, End struct{ Line, Character int } }
	}
	params := s.place(at)
	params["textDocument"] = map[string]any{"uri": uri(file)}
	s.editor.Call("textDocument/hover", params, &h)
	if h == nil {
		return "nothing"
	}
	r := h.Range
	return fmt.Sprintf("%d:%d-%d:%d %s\n%s", r.Start.Line+1, r.Start.Character+1, r.End.Line+1, r.End.Character+1, h.Contents.Kind, h.Contents.Value)
}

func (s *scenario) call(method string, params any) {
	s.t.Helper()
	s.reply = nil
	if err := s.editor.Try(method, params, &s.reply); err != nil {
		s.print("error %v\n", err)
	}
}

func (s *scenario) printReply(paths []string) {
	s.t.Helper()
	if len(paths) == 0 {
		var out bytes.Buffer
		if err := json.Indent(&out, s.reply, "", "  "); err != nil {
			s.t.Fatal(err)
		}
		s.print("%s\n", out.String())
	}
	for _, path := range paths {
		var at any
		s.decode(s.reply, &at)
		for _, step := range strings.Split(path, ".") {
			switch x := at.(type) {
			case map[string]any:
				at = x[step]
			case []any:
				i, err := strconv.Atoi(step)
				if err != nil || i >= len(x) {
					s.t.Fatalf("%s: there is no %q", path, step)
				}
				at = x[i]
			default:
				s.t.Fatalf("%s: there is nothing below %v", path, at)
			}
		}
		s.print("%s: %v\n", path, at)
	}
}

func uri(file string) string { return "file:///workspace/" + file }

// place is L:C or L:C-L:C as params have it: the position where it begins, and
// the range.
func (s *scenario) place(place string) map[string]any {
	s.t.Helper()
	from, to, isRange := strings.Cut(place, "-")
	if !isRange {
		to = from
	}
	start := s.at(from)
	return map[string]any{"position": start, "range": map[string]any{"start": start, "end": s.at(to)}}
}

func (s *scenario) at(place string) map[string]any {
	s.t.Helper()
	l, c, _ := strings.Cut(place, ":")
	line, err1 := strconv.Atoi(l)
	character, err2 := strconv.Atoi(c)
	if err := errors.Join(err1, err2); err != nil {
		s.t.Fatalf("%q is no place: %v", place, err)
	}
	return map[string]any{"line": line - 1, "character": character - 1}
}

func (s *scenario) object(text string) map[string]any {
	s.t.Helper()
	m := map[string]any{}
	if text != "" {
		s.decode([]byte(text), &m)
	}
	return m
}

func (s *scenario) decode(raw []byte, into any) {
	s.t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		s.t.Fatalf("decoding %s: %v", raw, err)
	}
}

func (s *scenario) file(name string) string {
	s.t.Helper()
	for _, f := range s.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	s.t.Fatalf("the scenario has no file %s", name)
	return ""
}

// names are the seeded ids, which differ from run to run.
func (s *scenario) names() []string {
	e := s.world.Estate
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{
		program, "${program}", e.WebWest, "${web-west}", e.WebEast, "${web-east}", e.Stopped, "${stopped}",
		e.Unnamed, "${unnamed}", e.Hostile, "${hostile}", e.Endpoint, "${endpoint}",
	}
}

func (s *scenario) expand(text string) string {
	pairs := s.names()
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, pairs[i+1], pairs[i])
	}
	return text
}

var (
	moment = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| UTC|[+-]\d\d:\d\d)?`)
	age    = regexp.MustCompile(`\b(\d+ ?(s|seconds?|min|minutes?) ago|just now)\b`)
	random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	took   = regexp.MustCompile(`("duration_ms": )\d+`)
	made   = regexp.MustCompile(`\b(ami|subnet|vol|vpc|eni|sg)-[0-9a-f]{8,17}\b|\bdb-[A-Z0-9]{26}\b|\bip(-\d{1,3}){4}\b`)
	some   = regexp.MustCompile(`\b\d+ regions\b`)
	suffix = regexp.MustCompile(`(Run: .*) \([0-9a-f]{6}\)`)
	ip     = regexp.MustCompile(`\b(10|54)(\.\d{1,3}){3}\b`)
	pid    = regexp.MustCompile(`\b(pid|process) \d+\b`)
)

// print keeps text without what differs from run to run.
func (s *scenario) print(format string, args ...any) {
	text := strings.NewReplacer(s.names()...).Replace(fmt.Sprintf(format, args...))
	text = moment.ReplaceAllString(text, "(time)")
	text = age.ReplaceAllString(text, "(age)")
	text = random.ReplaceAllString(text, "(id)")
	text = made.ReplaceAllString(text, "(id)")
	text = took.ReplaceAllString(text, "$1(time)")
	text = some.ReplaceAllString(text, "(some) regions")
	text = suffix.ReplaceAllString(text, "$1 (id)")
	text = ip.ReplaceAllString(text, "(address)")
	text = pid.ReplaceAllString(text, "$1 (pid)")
	s.printed.WriteString(text)
}

func (s *scenario) expect(name string) {
	s.t.Helper()
	got := s.printed.String()
	s.printed.Reset()
	i := slices.IndexFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case s.update && i < 0:
		s.archive.Files = append(s.archive.Files, txtar.File{Name: name, Data: []byte(got)})
	case s.update:
		s.archive.Files[i].Data = []byte(got)
	case i < 0:
		s.t.Errorf("the scenario has no file %s; got\n%s", name, got)
	case string(s.archive.Files[i].Data) != got:
		s.t.Errorf("%s: got\n%s\nwant\n%s", name, got, s.archive.Files[i].Data)
	}
}
