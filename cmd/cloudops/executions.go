package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) executionsCommand() *cobra.Command {
	var p daemon.ExecutionListParams
	cmd := &cobra.Command{
		Use:   "executions",
		Short: "List what was proposed, decided and run",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := daemon.ExecutionList.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				printProblem(w, r.Problem)
				if len(r.Executions) == 0 {
					fmt.Fprintln(w, "No command was proposed yet.")
				}
				for _, x := range r.Executions {
					fmt.Fprintln(w, render.ExecutionLine(x))
				}
			})
		},
	}
	cmd.Flags().IntVar(&p.Limit, "limit", 20, "at most this many, newest first; 0 means all")
	cmd.Flags().StringVarP(&p.Conversation, "conversation", "c", "", "only of this conversation")
	return cmd
}

// printProblem says that what follows may not be all.
func printProblem(w io.Writer, problem string) {
	if problem != "" {
		fmt.Fprintf(w, "DAMAGED    %s\n\n", render.Terminal(problem))
	}
}

func (a *app) auditCommand() *cobra.Command {
	var p daemon.AuditParams
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show the audit log",
		Long:  "Shows the newest entries of the audit log: every proposal, decision and run, hash-chained.",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := daemon.ExecutionAudit.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				printProblem(w, r.Problem)
				if len(r.Entries) == 0 {
					fmt.Fprintln(w, "The audit log is empty: no command was proposed yet.")
					return
				}
				rows := make([][]string, 0, len(r.Entries))
				for _, e := range r.Entries {
					line := e.Text
					if e.Execution != nil {
						line = e.Execution.Line
					}
					rows = append(rows, []string{fmt.Sprint(e.Seq), render.Clock(e.Time), e.Kind, line, fmt.Sprintf("%.12s", e.Hash)})
				}
				fmt.Fprint(w, render.Table([]string{"NO", "TIME", "KIND", "COMMAND", "HASH"}, rows))
			})
		},
	}
	cmd.Flags().IntVar(&p.Limit, "limit", 20, "at most this many, the newest; 0 means all")
	cmd.AddCommand(&cobra.Command{
		Use:   "verify",
		Short: "Check that no audit entry was altered, removed or added",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := daemon.ExecutionVerify.Call(c.Context(), a, struct{}{})
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) {
				if r.OK && r.Records == 0 {
					fmt.Fprintln(w, "The audit log is whole: it is empty.")
					return
				}
				if r.OK {
					fmt.Fprintf(w, "The audit log is whole: %d entries, head %.12s, compared with %s.\n", r.Records, r.Head, r.Anchor)
					return
				}
				fmt.Fprintf(w, "The audit log is NOT whole (%d entries, compared with %s):\n", r.Records, r.Anchor)
				for _, p := range r.Problems {
					fmt.Fprintf(w, "  %s\n", render.Terminal(p))
				}
			}); err != nil {
				return err
			}
			if !r.OK {
				return quietExit(exitError)
			}
			return nil
		},
	})
	return cmd
}
