package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/lsp"
)

func (a *app) lspCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lsp",
		Short: "Speak the Language Server Protocol on standard input and output",
		Long: `Speaks LSP 3.18 on standard input and output; editors start it. Logs go to
standard error. It starts the daemon when there is none.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(a.err, nil))
			return lsp.Serve(c.Context(), lsp.Config{
				In:      a.in,
				Out:     a.out,
				Daemon:  clientConfig(cfg, "editor", log),
				Version: version,
				Log:     log,
			})
		},
	}
	// Editors add it by habit; there is no other transport.
	cmd.Flags().Bool("stdio", true, "speak on standard input and output")
	return cmd
}
