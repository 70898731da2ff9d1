package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) runCommand() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "run -- aws SERVICE OPERATION [--PARAMETER VALUE]...",
		Short: "Run an AWS command after you approved it",
		Long: `Checks the command, describes its target, shows what it would do and asks on
the terminal. Without a terminal it only proposes: the plan is printed and the
exit code is 3.`,
		Example: `  cloudops run -- aws rds stop-db-instance --db-instance-identifier pg-instance-main1
  cloudops run --profile prod -- aws ec2 describe-instances --instance-ids i-0abc --region us-west-2`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, argv []string) error {
			client, err := a.connect(c.Context(), a.output)
			if err != nil {
				return err
			}
			defer client.Close()
			r, err := daemon.ExecutionPropose.Call(c.Context(), client, daemon.ProposeParams{Argv: argv, Profile: profile})
			if err != nil {
				return err
			}
			x := r.Execution
			if x == nil {
				if x, err = a.decide(c.Context(), client, r.Plan); err != nil {
					return err
				}
			}
			if x == nil {
				return a.proposed(r.Plan)
			}
			if err := a.print(*x, func(w io.Writer) {
				if r.Execution != nil && x.Status == "succeeded" {
					fmt.Fprintln(w, render.TerminalBlock(x.Output)) // a read is what AWS answered
					return
				}
				printExecution(w, *x)
			}); err != nil {
				return err
			}
			return outcome(*x)
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "profile to run it with")
	return cmd
}

// decide puts a plan before the person at this terminal and returns what became
// of it, also where the answer was no. It returns nil where there is nobody to
// ask.
func (a *app) decide(ctx context.Context, client *daemon.Client, p executor.Plan) (*executor.Execution, error) {
	if a.tty == nil {
		return nil, nil
	}
	r, err := daemon.ExecutionDecide.Call(ctx, client, daemon.DecideParams{Plan: p.ID, Decision: "ask"})
	if err == nil {
		return &r.Execution, nil
	}
	if !errors.Is(err, executor.ErrRejected) {
		return nil, err
	}
	list, lerr := daemon.ExecutionList.Call(ctx, client, daemon.ExecutionListParams{Limit: 1000})
	if lerr != nil {
		return nil, err
	}
	i := slices.IndexFunc(list.Executions, func(x executor.Execution) bool { return x.PlanID == p.ID })
	if i < 0 {
		return nil, err
	}
	return &list.Executions[i], nil
}

// notAsked is said of plans that nobody here can decide on.
const notAsked = "Proposed, not run: there is no terminal to ask on. `cloudops approvals` decides it until it expires."

// proposed prints a plan that nobody here can decide on.
func (a *app) proposed(p executor.Plan) error {
	err := a.print(struct {
		Plan executor.Plan `json:"plan"`
	}{p}, func(w io.Writer) {
		fmt.Fprintln(w, render.CardTerminal(p, 0))
		fmt.Fprintln(w, "\n"+notAsked)
	})
	if err != nil {
		return err
	}
	return quietExit(exitRefused)
}

// output shows the states that a run goes through; what AWS printed comes with
// the execution.
func (a *app) output(method string, params []byte) {
	if method != daemon.NoteExecutionOutput.Name || a.json {
		return
	}
	var e executor.Event
	if json.Unmarshal(params, &e) == nil && e.Kind == "state" {
		fmt.Fprintf(a.err, "  %s\n", render.Terminal(e.Text))
	}
}

// printExecution ends with what became of the plan, below what AWS answered.
func printExecution(w io.Writer, x executor.Execution) {
	if x.Output != "" {
		fmt.Fprintln(w, render.TerminalBlock(x.Output))
	}
	fmt.Fprintln(w, render.Outcome(x))
}
