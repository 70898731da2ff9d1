package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage/seal"
)

func (a *app) profilesCommand() *cobra.Command {
	list := func(c *cobra.Command, _ []string) error {
		r, err := daemon.ProfileList.Call(c.Context(), a, struct{}{})
		if err != nil {
			return err
		}
		return a.print(r, func(w io.Writer) {
			if len(r.Profiles) == 0 {
				fmt.Fprintln(w, "No AWS profiles found. Create one with `aws configure` or `aws configure sso`.")
				return
			}
			rows := make([][]string, 0, len(r.Profiles))
			for _, p := range r.Profiles {
				mark := ""
				if p.Selected {
					mark = "*"
				}
				mfa := ""
				if p.MFA {
					mfa = "mfa"
				}
				rows = append(rows, []string{mark, p.Name, p.Region, p.Kind, mfa, p.AccountID})
			}
			fmt.Fprint(w, render.Table([]string{"", "PROFILE", "REGION", "CREDENTIALS", "MFA", "ACCOUNT"}, rows))
		})
	}
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "List the AWS profiles of your shared configuration files",
		Args:  args(cobra.NoArgs),
		RunE:  list,
	}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: cmd.Short, Args: args(cobra.NoArgs), RunE: list},
		&cobra.Command{
			Use:   "select NAME",
			Short: "Remember a profile for when AWS_PROFILE says none",
			Args:  args(cobra.ExactArgs(1)),
			RunE: func(c *cobra.Command, given []string) error {
				r, err := daemon.ProfileSelect.Call(c.Context(), a, daemon.ProfileSelectParams{Name: given[0]})
				if err != nil {
					return err
				}
				cfg, err := loadConfig()
				if err != nil {
					return err
				}
				if err := rememberProfile(cfg.home, given[0]); err != nil {
					return err
				}
				return a.print(r, func(w io.Writer) {
					fmt.Fprintf(w, "%s is used where AWS_PROFILE says nothing else.\n", render.Terminal(given[0]))
					if here := environment(cfg); here.AccessKeyID != "" {
						fmt.Fprintln(w, "Here keys are set in variables, which count.")
					} else if here.Profile != given[0] {
						fmt.Fprintf(w, "Here it says %s, which counts.\n", render.Terminal(here.Profile))
					}
				})
			},
		})
	return cmd
}

// profileFile holds the remembered profile's name.
const profileFile = "profile"

func rememberProfile(home, name string) error {
	if err := seal.ReplaceFile(filepath.Join(home, profileFile), []byte(name+"\n")); err != nil {
		return fmt.Errorf("remembering the profile: %w", err)
	}
	return nil
}

// rememberedProfile is "" where none was selected.
func rememberedProfile(home string) string {
	path := filepath.Join(home, profileFile)
	if ownFile(path) != nil {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
