package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
line after the other.`,
		Example: `  cloudops chat "Stop pg-instance-main1"
  cloudops chat "which instances are running in us-west-2?"
  cloudops chat -c CONVERSATION "and start it again"`,
		RunE: func(c *cobra.Command, words []string) error {
			client, err := a.connect(c.Context(), a.output)
			if err != nil {
				return err
			}
			defer client.Close()
			turn := func(prompt string) error {
				t, err := a.turn(c.Context(), client, conversation, prompt, showRequest)
				if err == nil {
					conversation = t.Conversation
					err = t.outcome()
				}
				return err
			}
			if len(words) > 0 {
				return turn(strings.Join(words, " "))
			}
			return a.converse(c.Context(), turn)
		},
	}
	cmd.Flags().StringVarP(&conversation, "conversation", "c", "", "go on with this conversation")
	cmd.Flags().BoolVar(&showRequest, "show-request", false, "print the enriched request that the backend got")
	return cmd
}

// converse reads prompts until the input ends; a failed turn is told and the
// conversation goes on.
func (a *app) converse(ctx context.Context, turn func(string) error) error {
	interactive := isTerminal(a.in)
	in := bufio.NewReader(a.in)
	for ctx.Err() == nil {
		if interactive {
			fmt.Fprint(a.out, "> ")
		}
		line, err := in.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			var quiet quietExit
			if terr := turn(line); terr != nil && !errors.As(terr, &quiet) {
				a.fail(terr)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the prompt: %w", err)
		}
	}
	return ctx.Err()
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
	var t chatTurn
	if err := client.Call(ctx, daemon.MethodConversationSend, daemon.SendParams{ID: conversation, Prompt: prompt}, &t.Answer); err != nil {
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
		fmt.Fprintln(a.out, render.TerminalMarkdown(t.Text))
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
		fmt.Fprintln(a.out, "Proposed, not run: there is no terminal to ask on. `cloudops approvals` decides it until it expires.")
	}
	fmt.Fprintf(a.err, "conversation %s\n", t.Conversation)
	return t, nil
}
