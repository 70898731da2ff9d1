package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

func (a *app) migrateCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "migrate --to MODE",
		Short: "Move the store to another kind of Qdrant",
		Long: `Copies the estate and the conversations to the Qdrant of another mode, compares
both sides, switches, and writes the new mode into config.yaml. What was there
before stays until you remove it. One that is stopped has changed nothing; run
again it takes up what it copied.

  embedded  inside cloudops (the default)
  local     a qdrant program on this machine, started and watched by cloudops
  remote    the server of qdrant.url in config.yaml

For local and remote, first write their settings (qdrant.url, qdrant.api_key,
qdrant.tls, qdrant.binary) into config.yaml, and leave qdrant.mode as it is.`,
		Example: `  cloudops migrate --to remote
  cloudops migrate --to embedded`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return usageError{errors.New("say where to: --to embedded, local or remote")}
			}
			bar := a.progress()
			client, err := a.atTerminal(c.Context(), bar.note)
			if err != nil {
				return err
			}
			defer client.Close()
			r, err := daemon.StoreMigrate.Call(c.Context(), client, daemon.MigrateParams{To: to, Token: "migrate"})
			bar.done()
			if c.Context().Err() != nil {
				return stopped("stopped: nothing was switched; run it again to go on")
			}
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) {
				for _, m := range r.Collections {
					fmt.Fprintf(w, "%-14s %d points, %d copied now, SHA-256 %.16s on both sides\n", render.Terminal(m.Name), m.Points, m.Copied, m.SHA256)
				}
				fmt.Fprintf(w, "The store is in mode %s now; config.yaml says so too. What mode %s had is still there.\n", r.To, r.From)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "embedded, local or remote")
	return cmd
}

// movedTo is the storage configuration, as it is written now, with another mode.
func movedTo(mode string) (storage.Config, error) {
	c, err := loadConfig()
	if err != nil {
		return storage.Config{}, err
	}
	c.Qdrant.Mode = mode
	return c.Config, c.validate(c.path())
}

// setMode writes a mode into config.yaml and leaves the rest of it as it is.
func setMode(mode string) error {
	home, err := homeDir()
	if err != nil {
		return err
	}
	path := config{home: home}.path()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("changing qdrant.mode: %w", err)
	}
	text, err = withMode(text, mode)
	if err == nil {
		err = seal.ReplaceFile(path, text)
	}
	if err != nil {
		return fmt.Errorf("changing qdrant.mode: %w", err)
	}
	return nil
}

func withMode(text []byte, mode string) ([]byte, error) {
	var top map[string]any
	if err := yaml.Unmarshal(text, &top); err != nil {
		return nil, err
	}
	if len(top) == 0 { // empty, or all comments
		return append(text, "qdrant:\n  mode: "+mode+"\n"...), nil
	}
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	qdrant, _ := top["qdrant"].(map[string]any)
	at, with := "$", "qdrant:\n  mode: "+mode+"\n"
	switch _, set := qdrant["mode"]; {
	case set:
		at, with = "$.qdrant.mode", mode
	case len(qdrant) > 0:
		at, with = "$.qdrant", "mode: "+mode+"\n"
	}
	where, err := yaml.PathString(at)
	if err != nil {
		return nil, err
	}
	if at == "$.qdrant.mode" {
		err = where.ReplaceWithReader(file, strings.NewReader(with))
	} else {
		err = where.MergeFromReader(file, strings.NewReader(with))
	}
	if err != nil {
		return nil, err
	}
	out := file.String()
	if !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	return []byte(out), nil
}

func (a *app) trustQdrant(c *cobra.Command, _ []string) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	path, sum, err := storage.QdrantProgram(cfg.Config)
	if err != nil {
		return err
	}
	if a.tty = openTerminal(); a.tty == nil {
		return errNoTerminal()
	}
	answer, err := a.tty.confirm(c.Context(), daemon.ConfirmParams{
		Title: "Trust the qdrant program " + path, Word: "trust",
		Details: []string{"Its SHA-256 is " + sum + ".", "cloudops starts it with the estate in its care."},
	})
	if err != nil {
		return err
	}
	if answer.Word != "trust" {
		return fmt.Errorf("%w: nothing was changed", executor.ErrRejected)
	}
	keys, err := seal.Unlock(cfg.home, cfg.Encryption.source())
	if err != nil {
		return err
	}
	if err := storage.TrustQdrant(keys, path, sum); err != nil {
		return err
	}
	return a.print(map[string]string{"path": path, "sha256": sum}, func(w io.Writer) {
		fmt.Fprintf(w, "%s is trusted: SHA-256 %s\n", render.Terminal(path), sum)
	})
}
