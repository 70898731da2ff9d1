//go:build unix

// Package nvim_test drives the plugin in a real, headless Neovim against the
// real program and an emulated AWS.
package nvim_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }

func TestSpecs(t *testing.T) {
	if testing.Short() {
		t.Skip("a spec starts several programs")
	}
	nvim := lsptest.Tool(t, "CLOUDOPS_NVIM", "../../.tools/nvim/nvim")
	binary := lsptest.Tool(t, "CLOUDOPS_TEST_BINARY", "../../.tools/cloudops-test")
	plugin, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	server := awstest.Shared(t)
	for _, spec := range []struct {
		name string
		// state is the main database's after the spec.
		state string
	}{
		{"hover", "available"},
		{"reject", "available"},
		{"run", "stopped"},
		{"chat", "stopped"},
		{"conversations", "available"},
		{"approvals", "stopped"},
		{"edges", "available"},
	} {
		t.Run(spec.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			estate, err := server.Seed(ctx, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			// A socket's path is short, a test's folder long.
			home, err := os.MkdirTemp("", "nvim")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(home) })
			// A daemon that the test can't end, ends by itself.
			if err := os.Mkdir(filepath.Join(home, "estate"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "estate", "config.yaml"), []byte("daemon:\n  idle_minutes: 1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			env := append(estate.Variables("prod"),
				"HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_DATA_HOME="+filepath.Join(home, "data"),
				"XDG_STATE_HOME="+filepath.Join(home, "state"), "XDG_CACHE_HOME="+filepath.Join(home, "cache"),
				"XDG_RUNTIME_DIR="+home, "TMPDIR="+t.TempDir(), "CLOUDOPS_HOME="+filepath.Join(home, "estate"),
				// There is no keychain here; the first run makes a key file.
				"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
				"PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", "TERM=xterm-256color",
				"PLUGIN="+plugin, "CLOUDOPS_BINARY="+binary,
				"MAIN_DB="+awstest.MainDB, "WEB_WEST="+estate.WebWest,
			)
			t.Cleanup(func() { lsptest.EndDaemon(t, binary, env) })

			// Not the plugin's own language: it attaches to any file.
			file := filepath.Join(t.TempDir(), "notes.txt")
			text := fmt.Sprintf("The database %s holds it,\nbehind %s.\n", awstest.MainDB, estate.WebWest)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, nvim, "--headless", "-u", filepath.Join(plugin, "tests", "init.lua"), file,
				"-c", fmt.Sprintf("lua require('helper').run([[%s]])", filepath.Join(plugin, "tests", "spec", spec.name+".lua")))
			cmd.Env = env
			cmd.Dir = filepath.Dir(file)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Run(); err != nil {
				log, _ := os.ReadFile(filepath.Join(home, "state", "nvim", "lsp.log"))
				t.Fatalf("%v\n%s\nlsp.log:\n%s", err, out.String(), log)
			}
			if got := state(t, ctx, estate); got != spec.state {
				t.Errorf("%s is %s in AWS, want %s", awstest.MainDB, got, spec.state)
			}
		})
	}
}

// state asks AWS, not the product.
func state(t *testing.T, ctx context.Context, estate *awstest.Estate) string {
	t.Helper()
	out, err := rds.NewFromConfig(estate.Config(awstest.West)).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(awstest.MainDB)})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.DBInstances[0].DBInstanceStatus)
}
