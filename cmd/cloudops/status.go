package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and build",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			b := daemon.ThisBuild(version)
			return a.print(versionResult{b, daemon.ProtocolVersion}, func(w io.Writer) {
				fmt.Fprintf(w, "cloudops %s (build %.12s)\n", b.Version, b.ID)
			})
		},
	}
}

// versionResult tells editors whether this program fits them.
type versionResult struct {
	daemon.Build
	Protocol int `json:"protocol"`
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
				if s, err = daemon.EstateStatus.Call(c.Context(), client, struct{}{}); err != nil {
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
				fmt.Fprintf(w, "resources  %d\nqdrant     %s\nkey        %s\n", s.Resources, render.Terminal(qdrantState(s.Storage)), render.Terminal(s.Key))
				if s.EncryptionOff {
					fmt.Fprintln(w, "WARNING    encryption is off: whoever gets hold of the home reads everything")
				}
				fmt.Fprint(w, storageState(s.Storage))
				if s.Audit != "" {
					fmt.Fprintf(w, "DAMAGED    %s\n           nothing runs until it holds\n", render.Terminal(s.Audit))
				}
				for _, p := range s.Problems {
					fmt.Fprintf(w, "problem    %s\n", render.Terminal(p))
				}
				if len(s.Shards) == 0 && s.Resources > 0 {
					fmt.Fprintln(w, "\nWhich parts of AWS these are all of is not known: data/ledger is gone. Scan again with: cloudops scan")
					return
				}
				if len(s.Shards) == 0 {
					fmt.Fprintln(w, "\nNothing was scanned yet. Scan with: cloudops scan")
					return
				}
				fmt.Fprint(w, "\n", shardTable(s.Shards, time.Now()))
			})
			if err == nil && len(hello.Problems) > 0 {
				return quietExit(exitUnavailable)
			}
			return err
		},
	}
}

// qdrantState says in words which Qdrant is used and whether it answers.
func qdrantState(h storage.Health) string {
	words := strings.TrimSpace(h.Mode + " " + h.Version)
	if !h.Connection.Connected {
		words += ", disconnected: " + h.Connection.Problem
	}
	if h.Mode != "embedded" {
		words += "; fields that filter, and vectors, are stored in the clear there (docs/security.md)"
	}
	return words
}

// storageState says in lines how much the store holds, has room for, and what
// should be looked at.
func storageState(h storage.Health) string {
	var b strings.Builder
	var held []string
	for _, c := range h.Collections {
		held = append(held, fmt.Sprintf("%s %d (%s)", c.Name, c.PointsCount, c.Status))
	}
	fmt.Fprintf(&b, "points     %s\n", render.Terminal(strings.Join(held, ", ")))
	if h.DiskSpaceMB >= 0 {
		fmt.Fprintf(&b, "disk       %d MB free\n", h.DiskSpaceMB)
	}
	fmt.Fprintf(&b, "backup     %s\n", backupState(h))
	for _, w := range h.Warnings {
		fmt.Fprintf(&b, "WARNING    %s\n           %s\n", render.Terminal(w.Message), render.Terminal(w.Mend))
	}
	for _, p := range h.Problems {
		fmt.Fprintf(&b, "DAMAGED    %s\n           %s\n", render.Terminal(damage(p)), render.Terminal(p.Mend))
	}
	return b.String()
}

// damage says in a sentence what is damaged.
func damage(p storage.Problem) string {
	words := p.Message
	if p.Point != "" && !strings.Contains(words, p.Point) {
		words += ", point " + p.Point
	}
	if p.Collection != "" {
		words = p.Collection + ": " + words
	}
	return words
}

func backupState(h storage.Health) string {
	if h.S3Configured {
		return "a bucket is configured, but this version makes no backups yet"
	}
	return "none: S3 is not configured"
}

// shardTable shows what was listed, regions of one kind together; --json has
// each by itself. The age is that of the oldest.
func shardTable(shards []scanner.ShardState, now time.Time) string {
	type kind struct{ account, typ, state, problem string }
	type group struct {
		regions []string
		count   int
		oldest  time.Time
	}
	groups := map[kind]*group{}
	var order []kind
	for _, sh := range shards {
		k := kind{sh.AccountID, sh.Type, sh.State, sh.Problem}
		g := groups[k]
		if g == nil {
			g = &group{oldest: sh.At}
			groups[k], order = g, append(order, k)
		}
		g.regions = append(g.regions, sh.Region)
		g.count += sh.Count
		if sh.At.Before(g.oldest) {
			g.oldest = sh.At
		}
	}
	rows := make([][]string, 0, len(order))
	for _, k := range order {
		g := groups[k]
		where := strings.Join(g.regions, ", ")
		if len(g.regions) > 2 {
			where = fmt.Sprintf("%d regions", len(g.regions))
		}
		rows = append(rows, []string{k.account, k.typ, where, k.state, fmt.Sprint(g.count), render.Ago(g.oldest, now), k.problem})
	}
	return render.Table([]string{"ACCOUNT", "TYPE", "WHERE", "STATE", "COUNT", "LISTED", "PROBLEM"}, rows)
}
