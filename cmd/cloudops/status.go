package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and build",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			b := daemon.ThisBuild(version)
			return a.print(b, func(w io.Writer) {
				fmt.Fprintf(w, "cloudops %s (build %.12s)\n", b.Version, b.ID)
			})
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show how complete and how old the estate is",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.connect(c.Context(), nil)
			if err != nil {
				return err
			}
			defer client.Close()
			hello := client.Hello()
			var s daemon.StatusResult
			if len(hello.Problems) == 0 {
				if err := client.Call(c.Context(), daemon.MethodEstateStatus, struct{}{}, &s); err != nil {
					return err
				}
			}
			err = a.print(struct {
				Daemon daemon.HelloResult `json:"daemon"`
				daemon.StatusResult
			}{hello, s}, func(w io.Writer) {
				fmt.Fprintf(w, "daemon     pid %d, build %.12s\n", hello.PID, hello.Build.ID)
				for _, p := range hello.Problems {
					fmt.Fprintf(w, "degraded   %s\n", render.Terminal(p))
				}
				if len(hello.Problems) > 0 {
					return
				}
				fmt.Fprintf(w, "resources  %d\nqdrant     %s %s\nkey        %s\n", s.Resources, s.Storage.Mode, s.Storage.Version, render.Terminal(s.Key))
				for _, p := range s.Problems {
					fmt.Fprintf(w, "problem    %s\n", render.Terminal(p))
				}
				rows := make([][]string, 0, len(s.Shards))
				for _, sh := range s.Shards {
					rows = append(rows, []string{sh.AccountID, sh.Region, sh.Type, sh.State,
						fmt.Sprint(sh.Count), render.Ago(sh.At, time.Now()), sh.Problem})
				}
				fmt.Fprint(w, "\n", render.Table([]string{"ACCOUNT", "REGION", "TYPE", "STATE", "COUNT", "LISTED", "PROBLEM"}, rows))
			})
			if err == nil && len(hello.Problems) > 0 {
				return quietExit(exitUnavailable)
			}
			return err
		},
	}
}
