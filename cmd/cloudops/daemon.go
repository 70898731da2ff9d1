package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/backend/builtin"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

func (a *app) daemonCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Serve the estate of this user; started on demand by the other commands",
		Long: `Owns the store, the credentials and the encryption key of CLOUDOPS_HOME, and
serves editors and terminals over a private socket. Editors and commands start
it when they need it; it ends by itself 30 minutes after its last client.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(daemon.Log(cfg.home, a.err), nil))
			// What it holds for long has hardly any pointers, so that collecting more
			// often costs little; it keeps half the estate from lying in memory twice.
			debug.SetGCPercent(50)
			return daemon.Serve(c.Context(), daemon.ServerConfig{
				Home:  cfg.home,
				Build: daemon.ThisBuild(version),
				Idle:  cfg.idle(),
				Open:  func(ctx context.Context) (*daemon.Parts, error) { return openParts(ctx, log) },
				Log:   log,
			})
		},
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "stop",
			Short: "End the daemon of this home, once the commands that run have ended",
			Args:  args(cobra.NoArgs),
			RunE: func(c *cobra.Command, _ []string) error {
				pid, err := a.stopDaemon(c.Context())
				if err != nil {
					return err
				}
				return a.print(daemonResult{Stopped: pid}, func(w io.Writer) {
					if pid == 0 {
						fmt.Fprintln(w, "No daemon was running.")
						return
					}
					fmt.Fprintf(w, "Stopped process %d. Editors and commands start another when they need it.\n", pid)
				})
			},
		},
		&cobra.Command{
			Use:   "restart",
			Short: "End the daemon of this home and start another",
			Args:  args(cobra.NoArgs),
			RunE: func(c *cobra.Command, _ []string) error {
				stopped, err := a.stopDaemon(c.Context())
				if err != nil {
					return err
				}
				client, err := a.connect(c.Context(), nil)
				if err != nil {
					return err
				}
				defer client.Close()
				pid := client.Hello().PID
				return a.print(daemonResult{Stopped: stopped, PID: pid}, func(w io.Writer) {
					fmt.Fprintf(w, "Process %d serves now.\n", pid)
				})
			},
		})
	return cmd
}

// daemonResult names processes; 0 is none.
type daemonResult struct {
	Stopped int `json:"stopped"`
	PID     int `json:"pid,omitempty"`
}

// stopDaemon needs no configuration that can be read: a wrong one is a reason to
// stop a daemon.
func (a *app) stopDaemon(ctx context.Context) (pid int, err error) {
	home, err := homeDir()
	if err != nil {
		return 0, err
	}
	return daemon.Stop(ctx, home)
}

// openParts opens everything behind the daemon. The configuration is read
// anew, so that a mended one heals a degraded daemon. Where the store can't be
// opened, what needs none is served all the same: the audit log and the keys.
func openParts(ctx context.Context, log *slog.Logger) (*daemon.Parts, error) {
	cfg, err := loadConfig()
	if err != nil {
		return nil, err
	}
	live := &liveConfig{home: cfg.home}
	if _, err := live.now(); err != nil && !errors.Is(err, errGone) { // that closes the policy, and no more
		return nil, err
	}
	keys, err := seal.Unlock(cfg.home, cfg.Encryption.source())
	if err != nil {
		return nil, err
	}
	p := &daemon.Parts{
		StoreID: keys.StoreID(), Keys: keys, Key: keys.Source(), Notices: keys.Notices(),
		Move: &daemon.Move{To: movedTo, Commit: setMode}, Outdated: cfg.outdated,
	}
	p.Store, p.Scanner, err = openEstate(ctx, cfg, keys)
	if cfg.said { // before the store was made there was no place for it
		if err := remember(cfg.home); err != nil {
			log.Warn(err.Error())
		}
	}
	if err != nil {
		p.Problem = err
		if p.Executor, err = executor.New(executor.Settings{Policy: live.policy}, cfg.home, nil, nil, keys); err != nil {
			return nil, errors.Join(p.Problem, err)
		}
		p.Close = p.Executor.Close
		return p, nil
	}
	if p.Executor, err = executor.New(executor.Settings{Policy: live.policy}, cfg.home, p.Scanner, p.Store.Estate, keys); err != nil {
		return nil, errors.Join(err, p.Store.Close())
	}
	p.Agent = agent.New(agent.Config{UserID: userID(cfg, keys, log)}, p.Store, p.Scanner, p.Executor, builtin.New(p.Store.Estate, p.Scanner))
	p.Close = func() error { return errors.Join(p.Executor.Close(), p.Store.Close()) }
	return p, nil
}

func openEstate(ctx context.Context, cfg config, keys *seal.Keys) (*storage.Service, *scanner.Scanner, error) {
	store, err := storage.Open(ctx, cfg.Config, keys, services.Kinds())
	if err != nil {
		return nil, nil, err
	}
	sc, err := scanner.New(cfg.AWS, store.Estate, keys)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, sc, nil
}

// userID is the configured id, else a random one made at first run. One that
// cannot be kept serves until the daemon ends.
func userID(cfg config, keys *seal.Keys, log *slog.Logger) string {
	if cfg.UserID != "" {
		return cfg.UserID
	}
	var id string
	f := keys.File("data/user")
	if err := f.LoadOrSetAside(func(b []byte) error { return json.Unmarshal(b, &id) }); err == nil {
		return id
	}
	id = uuid.NewString()
	b, err := json.Marshal(id)
	if err == nil {
		err = f.Save(b)
	}
	if err != nil {
		log.Warn("keeping the user id", "error", err.Error())
	}
	return id
}
