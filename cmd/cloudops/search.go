package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

func (a *app) searchCommand() *cobra.Command {
	var p daemon.SearchParams
	var tags []string
	cmd := &cobra.Command{
		Use:   "search [QUERY]",
		Short: "Find resources by identifier, name, tag and type words",
		Long: `Finds resources whose identifier, name, tags, type, state, region or account
match every word of the query. It compares words, not meanings. Without a
query it lists everything that the filters let through.`,
		Example: `  cloudops search pg-instance
  cloudops search production database --region us-west-2
  cloudops search --type ec2_instance --state running --tag env=production`,
		RunE: func(c *cobra.Command, words []string) error {
			p.Query = strings.Join(words, " ")
			for _, t := range tags {
				k, v, ok := strings.Cut(t, "=")
				if !ok || k == "" {
					return usageError{fmt.Errorf("--tag %q: write KEY=VALUE", t)}
				}
				if p.Tags == nil {
					p.Tags = map[string]string{}
				}
				p.Tags[k] = v
			}
			if p.Limit < 0 {
				return usageError{fmt.Errorf("--limit must not be negative")}
			}
			if p.Limit == 0 {
				p.Limit = mostFound
			}
			r, err := daemon.EstateSearch.Call(c.Context(), a, p)
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) { printSearch(w, r) }); err != nil {
				return err
			}
			if r.Total == 0 {
				return quietExit(exitNotFound)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Type, "type", "", "only this type or service, such as rds_instance or rds")
	f.StringVar(&p.AccountID, "account", "", "only this account, by its id or profile")
	f.StringVar(&p.Region, "region", "", "only this region")
	f.StringVar(&p.State, "state", "", "only this state, such as running")
	f.StringArrayVar(&tags, "tag", nil, "only with this tag, as KEY=VALUE, repeatable")
	f.IntVar(&p.Limit, "limit", 20, "at most this many; 0 means all")
	return cmd
}

// mostFound is what the daemon gives at most.
const mostFound = 10_000

func printSearch(w io.Writer, r daemon.SearchResult) {
	if r.Total == 0 {
		if len(r.Gaps) == 0 {
			fmt.Fprintln(w, "Nothing matches. `cloudops status` shows what was scanned.")
			return
		}
		fmt.Fprintf(w, "Nothing matches. It may be %s. Scan with: cloudops scan\n", render.Terminal(render.Unseen(r.Gaps)))
		return
	}
	rows := make([][]string, 0, len(r.Resources))
	for _, x := range r.Resources {
		rows = append(rows, []string{x.Type, x.ID, x.Name, x.State, x.Region, x.AccountID, render.Ago(x.LastSynced, time.Now())})
	}
	fmt.Fprint(w, render.Table([]string{"TYPE", "ID", "NAME", "STATE", "REGION", "ACCOUNT", "CONFIRMED"}, rows))
	if r.Total > len(r.Resources) {
		fmt.Fprintf(w, "%d of %d; --limit shows more.\n", len(r.Resources), r.Total)
	}
}
