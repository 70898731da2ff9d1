package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// typist is what types at a terminal, and what it saw there.
type typist struct {
	t *testing.T
	*terminal
	write func(string)

	mu   sync.Mutex // guards what follows
	seen bytes.Buffer
}

func newTypist(t *testing.T) *typist {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	y := &typist{t: t, terminal: &terminal{tty: tty}}
	y.write = func(s string) { _, _ = fmt.Fprint(master, s) } // it may be gone
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			y.mu.Lock()
			y.seen.Write(b[:n])
			y.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		tty.Close()
		master.Close()
		<-done
	})
	return y
}

func (y *typist) saw() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.seen.String()
}

// sees waits until the terminal shows something.
func (y *typist) sees(ctx context.Context, what string) {
	for !strings.Contains(y.saw(), what) && ctx.Err() == nil {
		<-time.After(5 * time.Millisecond)
	}
}

// again types a line over and over until ctx ends.
func (y *typist) again(ctx context.Context, line string, pause time.Duration) {
	for ctx.Err() == nil {
		y.write(line)
		<-time.After(pause)
	}
}

// However fast, early or long something types, a decision is what a person types
// who read the whole card and was asked.
func TestATerminalTakesNoAnswerBeforeItAsks(t *testing.T) {
	const asks, shown, says = "anything else rejects: ", "Read it first", "keeps typing"
	for name, c := range map[string]struct {
		types func(ctx context.Context, y *typist, word string)
		// want is what became of it: run, reject or an error.
		want string
	}{
		"before the card": {func(ctx context.Context, y *typist, word string) {
			y.write(word + "\r")
			y.sees(ctx, asks)
			y.write("no\r")
		}, "reject"},
		"with the card": {func(ctx context.Context, y *typist, word string) {
			y.sees(ctx, shown)
			y.write(word + "\r")
			y.sees(ctx, asks)
			y.write("no\r")
		}, "reject"},
		"half a line with the card": {func(ctx context.Context, y *typist, word string) {
			y.sees(ctx, shown)
			y.write(word)
			y.sees(ctx, asks)
			y.write("\r")
		}, "reject"},
		"while it is read": {func(ctx context.Context, y *typist, word string) {
			y.sees(ctx, shown)
			<-time.After(executor.Reading(0) / 2)
			y.write(word + "\r")
			y.sees(ctx, asks)
			y.write("no\r")
		}, "reject"},
		"for ever": {func(ctx context.Context, y *typist, word string) {
			y.again(ctx, word+"\r", 3*time.Millisecond)
		}, "error"},
		"for ever without a line's end": {func(ctx context.Context, y *typist, word string) {
			y.again(ctx, "y", 3*time.Millisecond)
		}, "error"},
		"for ever, slowly": {func(ctx context.Context, y *typist, word string) {
			y.again(ctx, word+"\r", 200*time.Millisecond)
		}, "error"},
		"early, then when asked": {func(ctx context.Context, y *typist, word string) {
			y.sees(ctx, shown)
			y.write(word + "\r")
			y.sees(ctx, asks)
			y.write(word + "\r")
		}, "run"},
		"when asked": {func(ctx context.Context, y *typist, word string) {
			y.sees(ctx, asks)
			y.write(word + "\r")
		}, "run"},
		"something else when asked": {func(ctx context.Context, y *typist, _ string) {
			y.sees(ctx, asks)
			y.write("YES please\r")
		}, "reject"},
	} {
		reading := time.Second
		if c.want == "error" {
			// Longer than what types on and on pauses on a busy machine.
			reading *= 4
		}
		plan := executor.Plan{ID: "p", Title: "Stop db-1", Digest: "d", Risk: executor.RiskHigh, Targets: make([]executor.Target, 1)}
		grave := plan
		grave.Risk, grave.Targets = executor.RiskCritical, []executor.Target{{}}
		grave.Targets[0].ID = "i-0abc"
		for surface, q := range map[string]struct {
			word string
			ask  func(ctx context.Context, y *typist) (decision string, err error)
		}{
			"plan": {"yes", func(ctx context.Context, y *typist) (string, error) {
				r, err := y.ask(ctx, executor.Prompt{Plan: plan, Run: "run", Reject: "reject", ArmAfterMS: reading.Milliseconds()})
				return r.Title, err
			}},
			"critical plan": {"i-0abc", func(ctx context.Context, y *typist) (string, error) {
				r, err := y.ask(ctx, executor.Prompt{Plan: grave, Run: "run", Reject: "reject", ArmAfterMS: reading.Milliseconds()})
				return r.Title, err
			}},
			"act": {"rotate", func(ctx context.Context, y *typist) (string, error) {
				r, err := y.confirm(ctx, daemon.ConfirmParams{Title: "Rotate the keys", Word: "rotate", Nonce: "n", ArmAfterMS: reading.Milliseconds()})
				if r.Word == "rotate" {
					return "run", err
				}
				return "reject", err
			}},
		} {
			t.Run(name+"/"+surface, func(t *testing.T) {
				t.Parallel()
				y := newTypist(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var typing sync.WaitGroup
				typing.Go(func() { c.types(ctx, y, q.word) })
				got, err := q.ask(ctx, y)
				if c.want == "error" {
					y.sees(ctx, says)
				}
				cancel()
				typing.Wait()
				switch {
				case c.want == "error":
					if !errors.Is(err, errTyping) || strings.Contains(y.saw(), asks) || !strings.Contains(y.saw(), says) {
						t.Errorf("%q, %v; it shows %q", got, err, y.saw())
					}
				case err != nil || got != c.want:
					t.Errorf("%q, %v; it shows %q", got, err, y.saw())
				}
			})
		}
	}
}

// What was typed too early is not shown, a long card ends with what it is about,
// and the terminal is left as it was.
func TestATerminalShowsWhatItAsksAbout(t *testing.T) {
	y := newTypist(t)
	if err := pty.Setsize(y.tty, &pty.Winsize{Rows: 12, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var typing sync.WaitGroup
	typing.Go(func() {
		y.sees(ctx, "Read it first")
		y.write("too early")
		y.sees(ctx, "anything else rejects: ")
		y.write("forget\r")
	})
	details := make([]string, 30)
	for i := range details {
		details[i] = fmt.Sprint("detail ", i)
	}
	r, err := y.confirm(ctx, daemon.ConfirmParams{Title: "Forget the thing", Details: details, Word: "forget"})
	typing.Wait()
	if err != nil || r.Word != "forget" {
		t.Fatalf("%+v, %v", r, err)
	}
	shown := y.saw()
	if strings.Contains(shown, "too early") || !strings.Contains(shown, "forget") {
		t.Errorf("it echoes %q", shown)
	}
	if last := shown[strings.Index(shown, "detail 29"):]; !strings.Contains(last, "Forget the thing") {
		t.Errorf("beside the question stands %q", last)
	}
}

// On a small terminal command, target and account stand in view of the question,
// whatever of a long card has gone by.
func TestALongCardEndsWithWhatIsDecidedOn(t *testing.T) {
	y := newTypist(t)
	if err := pty.Setsize(y.tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	facts := map[string]string{}
	for i := range 40 {
		facts[fmt.Sprint("fact_", i)] = "a value of some length"
	}
	p := executor.Prompt{Reject: "Reject", Run: "Run", Plan: executor.Plan{
		Line: "aws rds stop-db-instance --db-instance-identifier=pg-main1 --profile=prod --region=us-west-2", Title: "Stop RDS instance pg-main1", Risk: executor.RiskHigh,
		Undo:     "aws rds start-db-instance --db-instance-identifier=pg-main1 --profile=prod --region=us-west-2",
		Targets:  []executor.Target{{Key: storage.Key{Type: "rds_instance", ID: "pg-main1", AccountID: "222222222222"}, State: "available", Facts: facts}},
		Command:  executor.Command{AccountID: "222222222222", Region: "us-west-2"},
		Identity: session.Identity{Profile: "prod"},
	}}
	var typing sync.WaitGroup
	typing.Go(func() {
		y.sees(ctx, "anything else rejects: ")
		y.write("no\r")
	})
	r, err := y.ask(ctx, p)
	typing.Wait()
	if err != nil || r.Title != p.Reject {
		t.Fatalf("%+v, %v", r, err)
	}
	shown, _, _ := strings.Cut(strings.ReplaceAll(y.saw(), "\r\n", "\n"), "anything else rejects")
	lines := strings.Split(shown, "\n")
	for render.Rows(strings.Join(lines, "\n"), 80) > 24 {
		lines = lines[1:]
	}
	view := strings.Join(lines, "\n")
	for _, want := range []string{p.Plan.Line, "id pg-main1, available", "222222222222, us-west-2", p.Plan.Title} {
		if !strings.Contains(view, want) {
			t.Errorf("no %q in view of the question:\n%s", want, view)
		}
	}
}
