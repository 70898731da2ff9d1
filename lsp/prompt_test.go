package lsp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage"
)

func question(risk executor.Risk) executor.Prompt {
	return executor.Prompt{
		ID: "1", Run: "Run: Stop pg-instance-main1 (7f2)", Reject: "Reject", Surface: executor.SurfaceMessage,
		Plan: executor.Plan{
			ID: "p", Title: "Stop pg-instance-main1", Risk: risk, Access: "Write", Digest: "d1",
			Line: "aws rds stop-db-instance --db-instance-identifier=pg-instance-main1",
		},
	}
}

// Only the exact run title approves, and that is for the daemon to say: here
// everything that is no title becomes no answer.
func TestPromptAnswers(t *testing.T) {
	run := question(executor.RiskHigh).Run
	for name, c := range map[string]struct {
		answer any
		err    error
		want   string
		// failed: nobody was asked, which decides nothing.
		failed bool
	}{
		"run":              {answer: map[string]any{"title": run}, want: run},
		"reject":           {answer: map[string]any{"title": "Reject"}, want: "Reject"},
		"null":             {},
		"an error":         {err: errors.New("no window"), failed: true},
		"an invented one":  {answer: map[string]any{"title": "Yes"}, want: "Yes"},
		"no title":         {answer: map[string]any{}},
		"of a wrong type":  {answer: 7, failed: true},
		"title of no type": {answer: map[string]any{"title": true}, failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := probed(t, io.Discard, nil)
			e.Answer(func(method string, _ json.RawMessage) (any, error) { return c.answer, c.err })
			var got struct{ Title, Digest string }
			err := e.Try("test/prompt", question(executor.RiskHigh), &got)
			if (err != nil) != c.failed || got.Title != c.want || !c.failed && got.Digest != "d1" {
				t.Errorf("got %+v, want the title %q", got, c.want)
			}
			var asked struct {
				Type    int
				Message string
				Actions []struct{ Title string }
			}
			raw, _ := e.Asked("window/showMessageRequest", 0, nil)
			if err := json.Unmarshal(raw, &asked); err != nil {
				t.Fatal(err)
			}
			if asked.Type != 2 || len(asked.Actions) != 2 || asked.Actions[0].Title != "Reject" || asked.Actions[1].Title != run {
				t.Errorf("asked %+v", asked)
			}
			if !strings.Contains(asked.Message, "pg-instance-main1") || !strings.Contains(asked.Message, "stop-db-instance") {
				t.Errorf("the card does not say what it is about: %q", asked.Message)
			}
		})
	}
}

func TestCriticalPlansAreNotAskedInAMessage(t *testing.T) {
	e := probed(t, io.Discard, nil)
	e.Answer(func(string, json.RawMessage) (any, error) {
		return map[string]any{"title": question("").Run}, nil
	})
	terminal := question(executor.RiskLow)
	terminal.Surface = executor.SurfaceTerminal
	for _, q := range []executor.Prompt{question(executor.RiskCritical), terminal} {
		var got struct{ Title string }
		if err := e.Try("test/prompt", q, &got); err == nil {
			t.Errorf("answered %q", got.Title)
		}
	}
	e.Note("window/showMessage", 0, said("cloudops approvals"))
}

func TestReadOnlyRejectsWhatChangesAWS(t *testing.T) {
	e := probed(t, io.Discard, nil)
	run := question(executor.RiskLow).Run
	e.Answer(func(string, json.RawMessage) (any, error) { return map[string]any{"title": run}, nil })
	e.Notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"cloudops": map[string]any{"readOnly": true}}})
	read := question(executor.RiskLow)
	read.Plan.Access = "List"
	for _, c := range []struct {
		q    executor.Prompt
		want string
	}{{question(executor.RiskLow), "Reject"}, {read, run}} {
		var got struct{ Title string }
		e.Call("test/prompt", c.q, &got)
		if got.Title != c.want {
			t.Errorf("%s: answered %q, want %q", c.q.Plan.Access, got.Title, c.want)
		}
	}
	e.Note("window/showMessage", 0, said("readOnly"))
}

// Two questions at once would invite an answer to the wrong one.
func TestOneQuestionAtATime(t *testing.T) {
	e := probed(t, io.Discard, nil)
	var open atomic.Int32
	e.Answer(func(string, json.RawMessage) (any, error) {
		defer open.Add(-1)
		if n := open.Add(1); n != 1 {
			return nil, fmt.Errorf("%d questions are open", n)
		}
		return map[string]any{"title": "Reject"}, nil
	})
	var ids []string
	for range 20 {
		ids = append(ids, e.Begin("test/prompt", question(executor.RiskLow)))
	}
	for _, id := range ids {
		if r := e.Await(id); !strings.Contains(string(r.Result), "Reject") {
			t.Errorf("got %s (%v)", r.Result, r.Error)
		}
	}
}

// A question that is void leaves the screen, and frees the place of the next.
func TestAVoidQuestionIsTakenBack(t *testing.T) {
	e := probed(t, io.Discard, nil)
	gate := make(chan struct{})
	var first atomic.Bool
	first.Store(true)
	e.Answer(func(string, json.RawMessage) (any, error) {
		if first.Swap(false) {
			<-gate
		}
		return map[string]any{"title": "Reject"}, nil
	})
	defer close(gate)
	standing := question(executor.RiskLow)
	standing.Plan.Expires = time.Now().Add(time.Hour)
	id := e.Begin("test/prompt", standing)
	e.Asked("window/showMessageRequest", 0, nil)
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":` + id + `}}`))
	if r := e.Await(id); strings.Contains(string(r.Result), "Reject") {
		t.Errorf("got %s", r.Result)
	}
	e.Note("$/cancelRequest", 0, nil)
	e.Note("window/showMessage", 0, said("cloudops approvals"))
	var got struct{ Title string }
	e.Call("test/prompt", question(executor.RiskLow), &got)
	if got.Title != "Reject" {
		t.Errorf("the next question got %q", got.Title)
	}
}

// A question that waited for its turn is on the screen for no time yet: a
// keypress that was meant for the one before it must not run it.
func TestAnAnswerFasterThanAPersonReadsRunsNothing(t *testing.T) {
	e := probed(t, io.Discard, nil)
	q := question(executor.RiskLow)
	q.ArmAfterMS = time.Hour.Milliseconds()
	run := q.Run
	var asked atomic.Int32
	e.Answer(func(string, json.RawMessage) (any, error) {
		asked.Add(1)
		return map[string]any{"title": run}, nil
	})
	var got struct{ Title string }
	if err := e.Try("test/prompt", q, &got); err == nil || asked.Load() < 2 {
		t.Errorf("answered %q after %d questions, want the question again and then none", got.Title, asked.Load())
	}
	e.Answer(func(string, json.RawMessage) (any, error) { return map[string]any{"title": "Reject"}, nil })
	e.Call("test/prompt", q, &got)
	if got.Title != "Reject" {
		t.Errorf("a quick rejection became %q", got.Title)
	}
}

// An editor is asked as it can be asked, or not at all; an unknown one gets what
// every editor can show.
func TestEditorsAreAskedAsTheyCan(t *testing.T) {
	const dialog = `"window":{"showMessage":{"messageActionItem":{"additionalPropertiesSupport":true}}}`
	for name, c := range map[string]struct {
		client string
		lines  int    // most, of the message; 0 for no question
		told   string // by a message besides
	}{
		"stock Neovim": {client: `"clientInfo":{"name":"Neovim","version":"0.10.4"},"capabilities":{` + dialog + `}`, told: "cloudops approvals"},
		"old Helix":    {client: `"clientInfo":{"name":"helix","version":"25.01.1"},"capabilities":{}`, told: "cloudops approvals"},
		"vim-lsp":      {client: `"clientInfo":{"name":"vim-lsp"},"capabilities":{}`, told: "cloudops approvals"},
		"ALE":          {client: `"clientInfo":{"name":"ALE"},"capabilities":{}`, told: "cloudops approvals"},
		"Helix":        {client: `"clientInfo":{"name":"helix","version":"25.07"},"capabilities":{` + dialog + `}`, lines: 20},
		"Kakoune":      {client: `"clientInfo":{"name":"kak-lsp"},"capabilities":{}`, lines: 20, told: "lsp-show-message-request-next"},
		"eglot":        {client: `"clientInfo":{"name":"Eglot"},"capabilities":{}`, lines: 6},
		"lsp-mode":     {client: `"clientInfo":{"name":"emacs"},"capabilities":{}`, lines: 6},
		"another":      {client: `"clientInfo":{"name":"ed"},"capabilities":{}`, lines: 6},
		"a nameless":   {client: `"capabilities":{}`, lines: 6},
	} {
		t.Run(name, func(t *testing.T) {
			e := unprobed(t, io.Discard, nil)
			e.Send(lsptest.Frame(`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"processId":null,"rootUri":null,` + c.client + `}}`))
			if r := e.Await(`"i"`); r.Error != nil {
				t.Fatal(r.Error)
			}
			e.Notify("initialized", map[string]any{})
			asked := make(chan string, 1)
			e.Answer(func(_ string, params json.RawMessage) (any, error) {
				var p struct{ Message string }
				err := json.Unmarshal(params, &p)
				asked <- p.Message
				return map[string]any{"title": "Reject"}, err
			})
			q := question(executor.RiskHigh)
			q.Plan.Reasons, q.Plan.Effect, q.Plan.Undo = []string{"it is in production"}, "It stops.", "aws rds start-db-instance"
			q.Plan.Command.AccountID, q.Plan.Command.Region = "123456789012", "us-west-2"
			q.Plan.Targets = []executor.Target{{Key: storage.Key{Type: "rds_instance", ID: "pg-instance-main1", ARN: "arn:x"}, State: "available", Facts: map[string]string{"a": "b"}}}
			var got struct{ Title string }
			err := e.Try("test/prompt", q, &got)
			if c.told != "" {
				e.Note("window/showMessage", 0, said(c.told))
			}
			if c.lines == 0 {
				if err == nil || len(asked) > 0 {
					t.Errorf("answered %q", got.Title)
				}
				return
			}
			if err != nil || got.Title != "Reject" {
				t.Fatalf("answered %q (%v)", got.Title, err)
			}
			lines := strings.Split(<-asked, "\n")
			if len(lines) > c.lines || c.lines > 6 && len(lines) <= 6 {
				t.Errorf("%d lines, want %d at most", len(lines), c.lines)
			}
			if !strings.HasPrefix(lines[0], q.Plan.Title) {
				t.Errorf("it does not begin with the title: %q", lines)
			}
			if end := lines[len(lines)-1]; c.lines == 6 && (end != "Command: "+q.Plan.Line || !strings.Contains(lines[len(lines)-2], "pg-instance-main1") || !strings.Contains(lines[len(lines)-3], "123456789012")) {
				t.Errorf("account, target and command are not the end: %q", lines)
			}
		})
	}
}

// What can't be seen in full beside the choices is not asked about there.
func TestACommandTooLongForAMessageIsNotAskedInOne(t *testing.T) {
	e := probed(t, io.Discard, nil)
	q := question(executor.RiskLow)
	q.Plan.Line += strings.Repeat(" --option=value", 40)
	if err := e.Try("test/prompt", q, nil); err == nil {
		t.Error("it was asked")
	}
	e.Note("window/showMessage", 0, said("cloudops approvals"))
}

// Editors answer a question that was taken back, some when the next one stands.
func TestALateAnswerIsNoAnswerToTheNextQuestion(t *testing.T) {
	e := probed(t, io.Discard, nil)
	first, second := question(executor.RiskLow), question(executor.RiskLow)
	second.Run = "Run: Stop another (b3d)"
	late, next := make(chan struct{}), make(chan struct{})
	var n atomic.Int32
	e.Answer(func(string, json.RawMessage) (any, error) {
		if n.Add(1) == 1 {
			<-late
			return map[string]any{"title": first.Run}, nil
		}
		<-next
		return map[string]any{"title": "Reject"}, nil
	})
	id := e.Begin("test/prompt", first)
	_, asked := e.Asked("window/showMessageRequest", 0, nil)
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":` + id + `}}`))
	if r := e.Await(id); r.Error == nil {
		t.Errorf("got %s", r.Result)
	}
	id = e.Begin("test/prompt", second)
	e.Asked("window/showMessageRequest", asked, nil)
	close(late)
	e.Call("textDocument/hover", at("file:///none", 0, 0), nil) // the late answer was read before
	close(next)
	var got struct{ Title string }
	if r := e.Await(id); json.Unmarshal(r.Result, &got) != nil || got.Title != "Reject" {
		t.Errorf("the next question got %s (%v)", r.Result, r.Error)
	}
}

// There are editors that warn, in a window, of each notification that they don't
// know: only those with parts for cloudops are told what they did not ask for.
func TestOnlyEditorsWithPartsForItAreToldUnasked(t *testing.T) {
	for capabilities, told := range map[string]bool{`{}`: false, `{"experimental":{"cloudops":{"cards":true}}}`: true} {
		world := lsptest.NewWorld(t, awstest.Shared(t))
		e := world.Editor(t, true)
		initialize(t, e, map[string]any{"capabilities": json.RawMessage(capabilities)})
		e.Call("workspace/executeCommand", map[string]any{"command": "cloudops.estate.scan"}, nil)
		if told {
			e.Note("cloudops/estate/changed", 0, nil)
			continue
		}
		// They come in order: what the scan changed came before what this tells.
		_ = e.Try("workspace/executeCommand", map[string]any{"command": "cloudops.estate.get", "arguments": []any{map[string]any{"identifier": "none", "show": true}}}, nil)
		e.Note("window/showMessage", 0, said("none"))
		for _, n := range e.Notes() {
			if strings.HasPrefix(n.Method, "cloudops/") {
				t.Errorf("told %s: %s", n.Method, n.Params)
			}
		}
	}
}
