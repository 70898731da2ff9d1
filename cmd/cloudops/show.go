package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) showCommand() *cobra.Command {
	var p daemon.GetParams
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show everything known of a resource, by any identifier",
		Long: `Shows every resource that carries the identifier: an id, a name, an ARN, an IP
address or a DNS name. --live asks AWS instead of the store.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			if p.Identifier = strings.TrimSpace(given[0]); p.Identifier == "" {
				return usageError{errors.New("write an id, a name, an ARN, an address or a DNS name")}
			}
			r, err := daemon.EstateGet.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				for i, x := range r.Resources {
					if i > 0 {
						fmt.Fprintln(w)
					}
					fmt.Fprintln(w, render.ResourceTerminal(x.Resource))
				}
			})
		},
	}
	cmd.Flags().BoolVar(&p.Live, "live", false, "ask AWS now")
	return cmd
}
