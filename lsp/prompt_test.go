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
	id := e.Begin("test/prompt", question(executor.RiskLow))
	e.Asked("window/showMessageRequest", 0, nil)
	e.Send(lsptest.Frame(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":` + id + `}}`))
	if r := e.Await(id); strings.Contains(string(r.Result), "Reject") {
		t.Errorf("got %s", r.Result)
	}
	e.Note("$/cancelRequest", 0, nil)
	var got struct{ Title string }
	e.Call("test/prompt", question(executor.RiskLow), &got)
	if got.Title != "Reject" {
		t.Errorf("the next question got %q", got.Title)
	}
}

// A question that waited for its turn is on the screen for no time yet: a
// keypress that was meant for the one before it must not run it.
func TestAnAnswerFasterThanAPersonReadsRunsNothing(t *testing.T) {
	e := armed(t, time.Hour, io.Discard, nil)
	run := question(executor.RiskLow).Run
	var asked atomic.Int32
	e.Answer(func(string, json.RawMessage) (any, error) {
		asked.Add(1)
		return map[string]any{"title": run}, nil
	})
	var got struct{ Title string }
	if err := e.Try("test/prompt", question(executor.RiskLow), &got); err == nil || asked.Load() < 2 {
		t.Errorf("answered %q after %d questions, want the question again and then none", got.Title, asked.Load())
	}
	e.Answer(func(string, json.RawMessage) (any, error) { return map[string]any{"title": "Reject"}, nil })
	e.Call("test/prompt", question(executor.RiskLow), &got)
	if got.Title != "Reject" {
		t.Errorf("a quick rejection became %q", got.Title)
	}
}
