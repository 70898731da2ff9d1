package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// terminal is the controlling terminal: the only place a decision is read
// from, so that piped input never approves.
type terminal struct {
	tty *os.File
}

// openTerminal returns nil where there is no controlling terminal.
func openTerminal() *terminal {
	tty, err := os.OpenFile(terminalPath, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return &terminal{tty: tty}
}

// ask shows the card and reads the decision. Critical plans want the target's id,
// others "yes".
func (t *terminal) ask(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	want := "yes"
	if p.Plan.Risk == executor.RiskCritical && len(p.Plan.Targets) > 0 {
		want = p.Plan.Targets[0].ID
	}
	answer := daemon.PromptResult{Title: p.Reject, Digest: p.Plan.Digest}
	columns := t.columns()
	line, err := t.answer(ctx, render.CardTerminal(p.Plan, columns), render.CardTerminalEnd(p.Plan, columns), "Type "+want+" to run it", p.ArmAfterMS)
	if line == want {
		answer.Title = p.Run
	}
	return answer, err
}

// confirm shows the card of an act upon what cloudops keeps and reads what the
// person types.
func (t *terminal) confirm(ctx context.Context, p daemon.ConfirmParams) (daemon.ConfirmResult, error) {
	card := render.Terminal(p.Title)
	for _, d := range p.Details {
		card += "\n  " + render.Terminal(d)
	}
	line, err := t.answer(ctx, card, render.Terminal(p.Title), "Type "+p.Word+" to do it", p.ArmAfterMS)
	return daemon.ConfirmResult{Nonce: p.Nonce, Word: line}, err
}

// answer is the one way in which a decision is read here: the whole card, the
// time to read it, and only then the question and a line. What was typed before
// the question is thrown away. end is what is decided on: it is said again next
// to the question where the card does not stand whole in view of it.
func (t *terminal) answer(ctx context.Context, card, end, question string, armAfterMS int64) (string, error) {
	fmt.Fprintf(t.tty, "\n%s\n", card)
	if render.Rows(card, t.columns())+4 > t.rows() {
		fmt.Fprintf(t.tty, "\n%s\n", end)
	}
	reading := max(executor.Reading(len(card)), time.Duration(armAfterMS)*time.Millisecond)
	if err := t.read(ctx, reading); err != nil {
		return "", err
	}
	fmt.Fprintf(t.tty, "%s; anything else rejects: ", render.Terminal(question))
	line, err := readLine(ctx, bufio.NewReader(t.tty))
	if err != nil {
		fmt.Fprintln(t.tty)
		return "", err
	}
	return line, nil
}

// errTyping: what types does not wait for the question, as no person would.
var errTyping = errors.New("something keeps typing at this terminal and does not wait for the question, so nothing was asked and nothing was decided")

// read gives a person the time to read what was shown, without a key touched: a
// key begins it anew. Input that does not pause is refused.
func (t *terminal) read(ctx context.Context, reading time.Duration) (err error) {
	const timeout, glance = 5 * time.Second, 20 * time.Millisecond
	undo, err := mute(t.tty)
	if err != nil {
		return fmt.Errorf("reading the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, undo()) }()
	fmt.Fprintf(t.tty, "Read it first: the question follows in %.0f s, and what is typed before it does not count.\n", math.Ceil(reading.Seconds()))
	if _, err := dropTypeAhead(t.tty); err != nil { // it stood there before
		return fmt.Errorf("reading the terminal: %w", err)
	}
	look := time.NewTicker(glance)
	defer look.Stop()
	begun := time.Now()
	for quiet := begun; time.Since(quiet) < reading; {
		select {
		case <-look.C:
		case <-ctx.Done():
			fmt.Fprintln(t.tty)
			return ctx.Err()
		}
		typed, err := dropTypeAhead(t.tty)
		switch {
		case err != nil:
			return fmt.Errorf("reading the terminal: %w", err)
		case typed && time.Since(begun) > reading+timeout:
			fmt.Fprintln(t.tty, render.Terminal("Not asked: "+errTyping.Error()+"."))
			return errTyping
		case typed:
			quiet = time.Now()
		}
	}
	return nil
}

// secret reads a line that is not shown. It comes from the terminal and from
// nowhere else.
func (t *terminal) secret(ctx context.Context, question string) (string, error) {
	fd := int(t.tty.Fd())
	// Before the question, so that not even a fast answer is shown.
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("reading the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	if _, err := dropTypeAhead(t.tty); err != nil {
		return "", fmt.Errorf("reading the terminal: %w", err)
	}
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := term.NewTerminal(t.tty, "").ReadPassword(question)
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		if errors.Is(r.err, io.EOF) { // Ctrl-C and Ctrl-D are keys like others here
			return "", stopped("stopped; nothing was done")
		}
		if r.err != nil {
			return "", fmt.Errorf("reading the terminal: %w", r.err)
		}
		return r.line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// columns is how wide the terminal is; 0 where it does not say.
func (t *terminal) columns() int {
	columns, _, err := term.GetSize(int(t.tty.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// rows is how high the terminal is; many where it does not say.
func (t *terminal) rows() int {
	_, rows, err := term.GetSize(int(t.tty.Fd()))
	if err != nil || rows == 0 {
		return math.MaxInt
	}
	return rows
}

// readLine reads one line, or fails when ctx ends first. A last line without an
// end comes with io.EOF.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := in.ReadString('\n')
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return strings.TrimSpace(r.line), r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
