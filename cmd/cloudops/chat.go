package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) chatCommand() *cobra.Command {
	var conversation string
	var showRequest bool
	cmd := &cobra.Command{
		Use:   "chat [PROMPT]",
		Short: "Ask about your estate, or for something to be done, in plain words",
		Long: `Finds the resources that the prompt means, answers, or proposes AWS commands and
asks for your approval of each on the terminal. Without a prompt it reads one
line after the other; with --json each turn is then one line.`,
		Example: `  cloudops chat "Stop pg-instance-main1"
  cloudops chat "which instances are running in us-west-2?"
  cloudops chat -c CONVERSATION "and start it again"`,
		RunE: func(c *cobra.Command, words []string) error {
			prompt := strings.TrimSpace(strings.Join(words, " "))
			if len(words) > 0 && prompt == "" {
				return usageError{errors.New("the prompt is empty; write what you want to know or have done")}
			}
			client, err := a.connect(c.Context(), a.output)
			if err != nil {
				return err
			}
			defer client.Close()
			answered := false
			turn := func(prompt string) error {
				t, err := a.turn(c.Context(), client, conversation, prompt, showRequest)
				if t.Conversation != "" {
					conversation, answered = t.Conversation, true
				}
				if err != nil {
					return err
				}
				return t.outcome()
			}
			if len(words) > 0 {
				err = turn(prompt)
			} else {
				err = a.converse(c.Context(), turn)
			}
			if answered && !a.json {
				fmt.Fprintf(a.err, "Go on with: cloudops chat -c %s\n", render.Terminal(conversation))
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&conversation, "conversation", "c", "", "go on with this conversation")
	cmd.Flags().BoolVar(&showRequest, "show-request", false, "print the enriched request that the backend got")
	return cmd
}

// converse reads prompts, one a line, until the input ends; a failed turn is
// told and the conversation goes on. Of prompts that nobody types here, the
// first that failed decides the exit code.
func (a *app) converse(ctx context.Context, turn func(string) error) error {
	interactive := isTerminal(a.in)
	a.lines = !interactive
	if interactive {
		fmt.Fprintln(a.err, "Ask about your estate, or for something to be done; “help” says what is understood, “exit” leaves.")
	}
	in := bufio.NewReader(a.in)
	var failed error
	for {
		if interactive {
			fmt.Fprint(a.err, "> ")
		}
		line, err := readLine(ctx, in)
		switch {
		case ctx.Err() != nil && interactive:
			fmt.Fprintln(a.err)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if interactive && slices.Contains([]string{"exit", "quit", "bye", ":q"}, strings.ToLower(line)) {
			return nil
		}
		if line != "" {
			terr := turn(line)
			var quiet quietExit
			if terr != nil && !errors.As(terr, &quiet) {
				terr = quietExit(a.fail(terr))
			}
			if failed == nil && !interactive {
				failed = terr
			}
		}
		switch {
		case err == io.EOF && interactive:
			fmt.Fprintln(a.err)
			return nil
		case err == io.EOF:
			return failed
		case err != nil:
			return fmt.Errorf("reading the prompt: %w", err)
		}
	}
}

// chatTurn is what one turn came to, as --json prints it.
type chatTurn struct {
	agent.Answer
	Executions []executor.Execution `json:"executions,omitempty"`
}

// outcome is the exit code of the turn: that of its plans, if it had any.
func (t chatTurn) outcome() error {
	for _, x := range t.Executions {
		if err := outcome(x); err != nil {
			return err
		}
	}
	if len(t.Executions) < len(t.Plans) || len(t.Refused) > 0 {
		return quietExit(exitRefused)
	}
	return nil
}

func (a *app) turn(ctx context.Context, client *daemon.Client, conversation, prompt string, showRequest bool) (chatTurn, error) {
	answer, err := daemon.ConversationSend.Call(ctx, client, daemon.SendParams{ID: conversation, Prompt: prompt})
	t := chatTurn{Answer: answer}
	if err != nil {
		return t, err
	}
	if !a.json {
		if showRequest {
			b, err := json.MarshalIndent(t.Request, "", "  ")
			if err != nil {
				return t, fmt.Errorf("encoding the request: %w", err)
			}
			fmt.Fprintf(a.out, "%s\n\n", render.JSON(b))
		}
		a.say(t.Answer)
	}
	for _, p := range t.Plans {
		x, err := a.decide(ctx, client, p)
		if err != nil {
			return t, err
		}
		if x == nil {
			continue
		}
		t.Executions = append(t.Executions, *x)
		if !a.json {
			printExecution(a.out, *x)
		}
	}
	if a.json {
		return t, a.print(t, nil)
	}
	if len(t.Executions) < len(t.Plans) {
		fmt.Fprintln(a.out, "\n"+notAsked)
	}
	return t, nil
}

// say prints an answer. The plans are left out where their cards follow.
func (a *app) say(t agent.Answer) {
	if a.tty == nil || len(t.Plans) == 0 {
		fmt.Fprintln(a.out, render.TerminalMarkdown(t.Text))
		return
	}
	if n := len(t.Plans); n > 1 {
		fmt.Fprintf(a.out, "%d commands, each for you to decide.\n", n)
	}
	for _, r := range t.Refused {
		fmt.Fprintf(a.out, "Not possible: %s\n", render.Terminal(r))
	}
}
