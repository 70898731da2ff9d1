package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) approvalsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "approvals",
		Short: "List the plans that wait for a decision, and decide them here",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.connect(c.Context(), a.output)
			if err != nil {
				return err
			}
			defer client.Close()
			r, err := daemon.ExecutionPending.Call(c.Context(), client, struct{}{})
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) { printPending(w, r.Plans) }); err != nil {
				return err
			}
			if a.json || len(r.Plans) == 0 || a.tty == nil || !isTerminal(a.in) {
				return nil
			}
			in := bufio.NewReader(a.in)
			for {
				fmt.Fprint(a.out, "Number to decide on, or Enter to leave: ")
				line, err := readLine(c.Context(), in)
				if c.Context().Err() != nil {
					return c.Context().Err()
				}
				if err != nil || line == "" {
					return nil
				}
				n, err := strconv.Atoi(line)
				if err != nil || n < 1 || n > len(r.Plans) {
					fmt.Fprintf(a.out, "There is no %s.\n", render.Terminal(line))
					continue
				}
				x, err := a.decide(c.Context(), client, r.Plans[n-1])
				if err != nil {
					a.fail(err)
					continue
				}
				printExecution(a.out, *x)
			}
		},
	}
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func printPending(w io.Writer, plans []executor.Plan) {
	if len(plans) == 0 {
		fmt.Fprintln(w, "No plan waits for a decision.")
		return
	}
	rows := make([][]string, 0, len(plans))
	for i, p := range plans {
		rows = append(rows, []string{fmt.Sprint(i + 1), string(p.Risk), p.Line, p.Identity.AccountID,
			p.Origin.Kind, time.Until(p.Expires).Round(time.Second).String()})
	}
	fmt.Fprint(w, render.Table([]string{"", "RISK", "COMMAND", "ACCOUNT", "FROM", "EXPIRES IN"}, rows))
}
