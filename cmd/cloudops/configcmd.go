package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
)

// schema is the JSON Schema of config.yaml, made from the types by
// `go test ./cmd/cloudops -run TestConfigSchema -update`.
//
//go:embed config.schema.json
var schema []byte

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration, its file and its schema",
		Args:  args(cobra.NoArgs),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "show",
			Short: "Print the configuration in force, defaults included",
			Args:  args(cobra.NoArgs),
			RunE: func(c *cobra.Command, _ []string) error {
				cfg, err := loadConfig()
				if err != nil {
					return err
				}
				cfg.Config, cfg.AWS.Config = cfg.Config.Effective(), cfg.AWS.Shown()
				text, err := yaml.Marshal(cfg)
				if err != nil {
					return fmt.Errorf("encoding the configuration: %w", err)
				}
				return a.print(cfg, func(w io.Writer) { fmt.Fprintln(w, render.TerminalBlock(string(text))) })
			},
		},
		&cobra.Command{
			Use:   "path",
			Short: "Print where config.yaml is, or would be",
			Args:  args(cobra.NoArgs),
			RunE: func(c *cobra.Command, _ []string) error {
				home, err := homeDir()
				if err != nil {
					return err
				}
				path := config{home: home}.path()
				return a.print(map[string]string{"path": path}, func(w io.Writer) { fmt.Fprintln(w, path) })
			},
		},
		&cobra.Command{
			Use:   "trust-qdrant",
			Short: "Trust the qdrant program that is installed now",
			Long: `In mode local, cloudops starts only the qdrant program that it started first.
After you updated it, this trusts the one that is there now.`,
			Args: args(cobra.NoArgs),
			RunE: a.trustQdrant,
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of config.yaml, for editors",
			Args:  args(cobra.NoArgs),
			RunE: func(c *cobra.Command, _ []string) error {
				return a.print(json.RawMessage(schema), func(w io.Writer) { w.Write(schema) })
			},
		})
	return cmd
}
