package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
)

func (a *app) scanCommand() *cobra.Command {
	var o scanner.Options
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Read your AWS estate into the encrypted store",
		Long: `Reads the resources of the chosen profiles, in every enabled region unless
told otherwise. Without --profile it takes aws.profiles of config.yaml, else
AWS_PROFILE, else the profile default. One denied service or dead region never
hides the rest: it is listed as a problem. Ctrl-C stops the scan; what it read
stays.`,
		Example: `  cloudops scan
  cloudops scan --profile prod --profile staging --region us-west-2
  cloudops scan --profile '*'`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			bar := a.progress()
			client, err := a.connect(c.Context(), bar.note)
			if err != nil {
				return err
			}
			defer client.Close()
			r, err := daemon.EstateScan.Call(c.Context(), client, daemon.ScanParams{Options: o, Token: "scan"})
			bar.done()
			if c.Context().Err() != nil {
				return stopped("the scan was stopped; what it read is kept")
			}
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) { printScan(w, r) }); err != nil {
				return err
			}
			return scanOutcome(r)
		},
	}
	cmd.Flags().StringArrayVar(&o.Profiles, "profile", nil, "profile to scan, repeatable; '*' means all")
	cmd.Flags().StringArrayVar(&o.Regions, "region", nil, "region to scan, repeatable")
	cmd.Flags().StringArrayVar(&o.Services, "service", nil, "service to scan (ec2, rds, s3), repeatable")
	return cmd
}

func printScan(w io.Writer, r scanner.Result) {
	verb := "Scanned"
	if r.Cancelled {
		verb = "Stopped after scanning"
	}
	accounts := "accounts"
	if len(r.Accounts) == 1 {
		accounts = "account"
	}
	profiles := "profile"
	if len(r.Profiles) > 1 {
		profiles = "profiles"
	}
	fmt.Fprintf(w, "%s %d %s with the %s %s in %.1f s: %d resources, %d new or changed, %d gone.\n", verb, len(r.Accounts), accounts,
		profiles, listed(r.Profiles), float64(r.Duration)/1000, r.Resources, r.Changed, r.Removed)
	for _, p := range r.Problems {
		where := ""
		for _, s := range []string{p.Profile, p.AccountID, p.Region, p.Service} {
			if s != "" {
				where += s + " "
			}
		}
		fmt.Fprintf(w, "  problem: %s(%s) %s\n", render.Terminal(where), render.Terminal(p.Code), render.Terminal(p.Message))
		if p.Hint != "" {
			fmt.Fprintf(w, "           %s\n", render.Terminal(p.Hint))
		}
	}
	if r.Shards == 0 && !r.Cancelled {
		fmt.Fprintln(w, "Nothing could be listed whole; what was known is kept.")
	}
	if len(r.Unread) > 0 {
		fmt.Fprintf(w, "Not read: %s. To read all profiles: cloudops scan --profile '*'; to read them always, name them as aws.profiles in config.yaml.\n", listed(r.Unread))
	}
}

// listed is names in a line, not too long a one.
func listed(names []string) string {
	const most = 20
	line := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return render.Terminal(line)
}

// scanOutcome fails a scan that has problems and nothing to show for it: no
// list that was read whole, or no resource.
func scanOutcome(r scanner.Result) error {
	if r.Cancelled {
		return quietExit(exitError)
	}
	if len(r.Problems) == 0 || (r.Resources > 0 && r.Shards > 0) {
		return nil
	}
	for _, p := range r.Problems {
		if p.Code != "denied" {
			return quietExit(exitUnavailable)
		}
	}
	return quietExit(exitDenied)
}

// progress shows progress notes on a terminal, and nothing elsewhere.
type progress struct {
	bar      *pb.ProgressBar
	terminal int // its file descriptor
	// begin is done once: by the first note, as a question may be asked before
	// it on the same terminal, or by the end.
	begin *sync.Once
}

// progressLine is as wide as the terminal: the bar takes what the text leaves,
// and a text that is too long is cut.
const progressLine = `{{counters .}} {{bar .}} {{string . "doing"}}`

func (a *app) progress() progress {
	f, ok := a.err.(*os.File)
	if !ok || a.json || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return progress{}
	}
	return progress{pb.New(0).SetTemplateString(progressLine).SetWriter(f).Set(pb.CleanOnFinish, true), int(f.Fd()), new(sync.Once)}
}

func (p progress) note(method string, params []byte) {
	if p.bar == nil || method != daemon.NoteProgress.Name {
		return
	}
	var n daemon.ProgressNote
	if json.Unmarshal(params, &n) != nil {
		return
	}
	if n.Resources > 0 {
		n.Message = fmt.Sprintf("%d resources, %s", n.Resources, n.Message)
	}
	p.fit()
	p.bar.SetTotal(int64(n.Total)).SetCurrent(int64(n.Done)).Set("doing", render.Terminal(n.Message))
	p.begin.Do(func() { p.bar.Start() })
}

// fit takes the width of this terminal; the library knows that of the process.
func (p progress) fit() {
	if width, _, err := term.GetSize(p.terminal); err == nil && width > 0 {
		p.bar.SetWidth(width)
	}
}

func (p progress) done() {
	if p.bar != nil {
		p.begin.Do(func() {})
		p.bar.Finish()
	}
}
