package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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

// ask prints the card and reads the decision. What was typed before the card
// was shown is dropped. Critical plans want the target's id, others "yes".
func (t *terminal) ask(ctx context.Context, p executor.Prompt) (daemon.PromptResult, error) {
	want := "yes"
	if p.Plan.Risk == executor.RiskCritical && len(p.Plan.Targets) > 0 {
		want = p.Plan.Targets[0].ID
	}
	fmt.Fprintf(t.tty, "\n%s\n", render.CardTerminal(p.Plan, t.columns()))
	if err := dropTypeAhead(t.tty); err != nil {
		return daemon.PromptResult{}, fmt.Errorf("reading the terminal: %w", err)
	}
	fmt.Fprintf(t.tty, "Type %s to run it; anything else rejects: ", render.Terminal(want))
	line, err := readLine(ctx, bufio.NewReader(t.tty))
	if err != nil {
		fmt.Fprintln(t.tty)
		return daemon.PromptResult{}, err
	}
	if line != want {
		return daemon.PromptResult{Title: p.Reject, Digest: p.Plan.Digest}, nil
	}
	return daemon.PromptResult{Title: p.Run, Digest: p.Plan.Digest}, nil
}

// confirm prints the card of an act upon what cloudops keeps and reads what the
// person types.
func (t *terminal) confirm(ctx context.Context, p daemon.ConfirmParams) (daemon.ConfirmResult, error) {
	fmt.Fprintf(t.tty, "\n%s\n", render.Terminal(p.Title))
	for _, d := range p.Details {
		fmt.Fprintf(t.tty, "  %s\n", render.Terminal(d))
	}
	if err := dropTypeAhead(t.tty); err != nil {
		return daemon.ConfirmResult{}, fmt.Errorf("reading the terminal: %w", err)
	}
	fmt.Fprintf(t.tty, "Type %s to do it; anything else rejects: ", render.Terminal(p.Word))
	line, err := readLine(ctx, bufio.NewReader(t.tty))
	if err != nil {
		fmt.Fprintln(t.tty)
		return daemon.ConfirmResult{}, err
	}
	return daemon.ConfirmResult{Nonce: p.Nonce, Word: line}, nil
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
	if err := dropTypeAhead(t.tty); err != nil {
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
