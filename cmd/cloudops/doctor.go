package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/home"
)

// finding is the outcome of one check.
type finding struct {
	Check string `json:"check"`
	// State is ok, warning or broken.
	State   string `json:"state"`
	Message string `json:"message"`
	// Mend says what to do; empty when all is well.
	Mend string `json:"mend,omitempty"`
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check everything and name the mend",
		Long: `Checks the configuration, the home, the key, the store, the AWS profiles and
whether AWS answers, how complete the estate is and the audit log. It changes nothing. The exit code is 6
when something is broken.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			found := a.examine(c.Context())
			broken := false
			for _, f := range found {
				broken = broken || f.State == "broken"
			}
			err := a.print(struct {
				OK     bool      `json:"ok"`
				Checks []finding `json:"checks"`
			}{!broken, found}, func(w io.Writer) {
				for _, f := range found {
					fmt.Fprintf(w, "%-8s %-14s %s\n", f.State, f.Check, render.Terminal(f.Message))
					if f.Mend != "" {
						fmt.Fprintf(w, "%24s%s\n", "", render.Terminal(f.Mend))
					}
				}
			})
			if err == nil && broken {
				return quietExit(exitUnavailable)
			}
			return err
		},
	}
}

// examine runs the checks; what depends on a broken part is left out.
func (a *app) examine(ctx context.Context) []finding {
	var found []finding
	add := func(check, message string, err error) bool {
		f := finding{Check: check, State: "ok", Message: message}
		if err != nil {
			f.State, f.Message = "broken", err.Error()
			f.Mend = hintOf(err)
		}
		found = append(found, f)
		return err == nil
	}
	warn := func(check, message, mend string) {
		found = append(found, finding{check, "warning", message, mend})
	}

	cfg, err := loadConfig()
	message := "all defaults"
	if _, serr := os.Stat(cfg.path()); err == nil && serr == nil {
		message = cfg.path()
	}
	if !add("configuration", message, err) {
		return found
	}
	examineHome(cfg, add, warn)
	if err := gone(cfg.home, nil); err != nil && !cfg.said {
		warn("policy", "nothing changes AWS, since the policy is not known: "+err.Error(), "")
	}
	switch proxies := environment(cfg).IgnoredProxies(); {
	case cfg.AWS.HTTPSProxy != "":
		add("proxy", "AWS is called by "+cfg.AWS.Shown().HTTPSProxy, nil)
	case len(proxies) > 0:
		warn("proxy", strings.Join(proxies, ", ")+" is set, and cloudops does not follow it", "if AWS is reached by that proxy only, name it as aws.https_proxy in config.yaml")
	}
	client, err := a.connect(ctx, nil)
	if err != nil {
		add("daemon", "", err)
		return found
	}
	defer client.Close()
	hello := client.Hello()
	add("daemon", fmt.Sprintf("process %d, build %.12s", hello.PID, hello.Build.ID), nil)
	if this := daemon.ThisBuild(version); hello.Build.ID != this.ID {
		warn("build", fmt.Sprintf("the daemon runs build %.12s, this is %.12s", hello.Build.ID, this.ID), "restart the editors that use the other build")
	}
	if len(hello.Problems) > 0 {
		for _, p := range hello.Problems {
			found = append(found, finding{Check: "store", State: "broken", Message: p})
		}
		return found
	}

	status, err := daemon.EstateStatus.Call(ctx, client, struct{}{})
	if add("store", fmt.Sprintf("%s Qdrant %s, %d resources", status.Storage.Mode, status.Storage.Version, status.Resources), err) {
		if !status.Storage.Connection.Connected {
			warn("qdrant", status.Storage.Connection.Problem, "what memory holds still serves; writes and chats wait until it is back")
		}
		examineStorage(status.Storage, add, warn)
		for _, p := range status.Storage.Problems {
			warn("damage", damage(p), p.Mend)
		}
		a.examineKeys(ctx, client, status, add, warn)
		a.examineEstate(status, add, warn)
	}
	profiles, err := daemon.ProfileList.Call(ctx, client, struct{}{})
	if add("profiles", fmt.Sprintf("%d in the shared AWS files", len(profiles.Profiles)), err) && len(profiles.Profiles) == 0 {
		warn("profiles", "there is no AWS profile", "create one with: aws configure, or aws configure sso")
	} else if err == nil {
		examineAWS(ctx, client, add, warn)
	}
	report, err := daemon.ExecutionVerify.Call(ctx, client, struct{}{})
	if err == nil && !report.OK {
		err = fmt.Errorf("the audit log is not whole: %s", strings.Join(report.Problems, "; "))
	}
	add("audit", fmt.Sprintf("whole, %d entries, compared with %s", report.Records, report.Anchor), err)
	return found
}

// examineHome looks for what is in the home and is not of it.
func examineHome(cfg config, add func(string, string, error) bool, warn func(string, string, string)) {
	files, err := home.List(cfg.home)
	var foreign []string
	for _, f := range files {
		inStore := cfg.Qdrant.StoragePath != "" && strings.HasPrefix(f.Path, filepath.Clean(cfg.Qdrant.StoragePath)+string(filepath.Separator))
		if !f.Known && !inStore {
			foreign = append(foreign, f.Name)
		}
	}
	if add("home", fmt.Sprintf("%d files in %s", len(files), cfg.home), err) && len(foreign) > 0 {
		warn("home", "no file of cloudops: "+strings.Join(foreign, ", "), "move it out of the home; nothing looks after it there")
	}
}

// examineAWS asks AWS who the selected profile is: whatever stands between this
// machine and an answer shows here, with its own advice.
func examineAWS(ctx context.Context, client *daemon.Client, add func(string, string, error) bool, warn func(string, string, string)) {
	id, err := daemon.ProfileIdentity.Call(ctx, client, struct{}{})
	if err != nil {
		warn("aws", err.Error(), hintOf(err)) // work goes on offline
		return
	}
	where := ""
	if id.Endpoint != "" {
		where = ", at " + id.Endpoint
	}
	add("aws", fmt.Sprintf("profile %s is %s%s", id.Profile, id.ARN, where), nil)
}

// examineKeys looks at where the key is, and whether it could be brought back.
func (a *app) examineKeys(ctx context.Context, client *daemon.Client, s daemon.StatusResult, add func(string, string, error) bool, warn func(string, string, string)) {
	if s.EncryptionOff {
		warn("key", "encryption is off: whoever gets hold of the home reads everything", "set encryption.enabled to true in config.yaml, then run: cloudops key move")
	} else {
		add("key", "kept in "+s.Key, nil)
	}
	keys, err := daemon.KeyStatus.Call(ctx, client, struct{}{})
	if err != nil {
		add("keys", "", err)
		return
	}
	switch {
	case keys.Exported.IsZero():
		warn("recovery", "there is no recovery file: with the key the store would be lost", "make one: cloudops key export FILE")
	case !keys.Covered:
		warn("recovery", "the recovery file was made before the newest key", "make another: cloudops key export FILE")
	default:
		add("recovery", "a recovery file was made "+render.Ago(keys.Exported, time.Now()), nil)
	}
	if keys.Resealing != nil && keys.Resealing.Problem != "" {
		warn("keys", keys.Resealing.Problem, "cloudops key status shows how far the rotation is")
	}
}

// examineStorage looks at the collections and at the room there is.
func examineStorage(h storage.Health, add func(string, string, error) bool, warn func(string, string, string)) {
	for _, c := range h.Collections {
		if c.Status == "green" {
			add("collection", fmt.Sprintf("%s holds %d points", c.Name, c.PointsCount), nil)
		} else if h.Connection.Connected {
			warn("collection", fmt.Sprintf("%s is %s", c.Name, c.Status), "it settles by itself when Qdrant is optimising; else look into the log of Qdrant")
		}
	}
	for _, w := range h.Warnings {
		warn("store", w.Message, w.Mend)
	}
	if h.DiskSpaceMB >= 0 {
		add("disk", fmt.Sprintf("%d MB are free where the home is", h.DiskSpaceMB), nil)
	}
	if h.S3Configured {
		warn("backup", backupState(h), "copy the home while no daemon runs")
	} else {
		add("backup", backupState(h), nil)
	}
}

// examineEstate looks at how complete the estate is.
func (a *app) examineEstate(s daemon.StatusResult, add func(string, string, error) bool, warn func(string, string, string)) {
	states := map[string]int{}
	for _, sh := range s.Shards {
		states[sh.State]++
	}
	switch {
	case len(s.Shards) == 0 && s.Resources > 0:
		warn("estate", fmt.Sprintf("the ledger is missing: which parts of AWS the %d resources are all of is not known", s.Resources), "run: cloudops scan")
	case states["complete"]+states["doubtful"] == 0:
		warn("estate", "nothing was scanned yet", "run: cloudops scan")
	case states["denied"]+states["failed"]+states["doubtful"] > 0:
		warn("estate", fmt.Sprintf("%d parts were read, %d denied, %d failed, %d lost something since", states["complete"], states["denied"], states["failed"], states["doubtful"]), "cloudops status lists them with what is missing")
	default:
		add("estate", fmt.Sprintf("%d parts were read, %d never", states["complete"], states["never"]), nil)
	}
}
