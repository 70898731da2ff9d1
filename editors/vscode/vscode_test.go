//go:build unix

// Package vscode_test drives the extension in a real VS Code, in Chromium,
// against the real program and an emulated AWS.
package vscode_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }

func TestInVSCode(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts VS Code and a browser")
	}
	e := open(t, lsptest.Tool(t, "CLOUDOPS_VSIX", "../../.tools/cloudops.vsix"), hostile(t))
	files, err := filepath.Glob("tests/e2e/*.test.ts")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	if only := os.Getenv("VSCODE_ONLY"); only != "" {
		// The first one scans.
		files = slices.Compact([]string{files[0], filepath.Join("tests/e2e", only+".test.ts")})
	}
	out, err := e.run(t, append([]string{"--test", "--test-concurrency=1", "--test-reporter=spec"}, files...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// editor is a VS Code that serves windows to browsers, and the world it is in.
type editor struct {
	node string
	// program is the one that the extension brought.
	program string
	// env is what the editor and the scripts that drive it are started with.
	env []string
}

// open starts a VS Code with extensions installed in it, of which ours brings the
// program, in an estate of its own. The scripts learn of it by their
// environment: see tests/e2e/world.ts.
func open(t testing.TB, vsix ...string) *editor {
	t.Helper()
	node := lsptest.Tool(t, "CLOUDOPS_NODE", "../../.tools/node/bin/node")
	codeServer := lsptest.Tool(t, "CLOUDOPS_CODE_SERVER", "../../.tools/vscode/node_modules/code-server/out/node/entry.js")
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		lsptest.Absent(t, "chromium is missing: run `make test`")
	}
	shots, err := filepath.Abs("../../.tools/shots")
	if err != nil {
		t.Fatal(err)
	}
	estate, faults := cloud(t)

	// A socket's path is short, a test's folder long.
	home, err := os.MkdirTemp("", "vscode")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	data, workspace := filepath.Join(home, "data"), filepath.Join(home, "infra")
	write(t, filepath.Join(home, "estate", "config.yaml"), "daemon:\n  idle_minutes: 1\n")
	write(t, filepath.Join(workspace, "main.tf"), fmt.Sprintf("resource \"aws_db_instance\" \"main\" {\n  identifier = %q\n}\n\n# web: %s\n", awstest.MainDB, estate.WebWest))
	settings, err := json.Marshal(map[string]any{
		"telemetry.telemetryLevel": "off", "workbench.startupEditor": "none", "extensions.autoCheckUpdates": false,
		"extensions.autoUpdate": false, "update.mode": "none", "workbench.enableExperiments": false, "git.enabled": false,
		"chat.disableAIFeatures": true, "editor.hover.delay": 100, "security.workspace.trust.enabled": false,
		"workbench.colorTheme": "Default Dark Modern", "window.commandCenter": false, "workbench.secondarySideBar.defaultVisibility": "hidden",
		"workbench.reduceMotion": "on",
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "User", "settings.json"), string(settings))
	write(t, filepath.Join(data, "Machine", "settings.json"), "{}")
	env := append(estate.Variables("prod"),
		"HOME="+home, "XDG_RUNTIME_DIR="+home, "TMPDIR="+t.TempDir(), "CLOUDOPS_HOME="+filepath.Join(home, "estate"),
		// There is no keychain here; the first run makes a key file.
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
		"PATH="+filepath.Dir(node)+":"+os.Getenv("PATH"), "LANG=C.UTF-8",
		`EXTENSIONS_GALLERY={"serviceUrl":"http://127.0.0.1:9/"}`,
	)

	address, extensions := freeAddress(t), filepath.Join(home, "extensions")
	args := []string{codeServer, "--config", "/dev/null", "--user-data-dir", data, "--extensions-dir", extensions}
	for _, path := range vsix {
		install := exec.Command(node, append(args, "--install-extension", path)...)
		install.Env = env
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("installing %s: %v\n%s", path, err, out)
		}
	}
	programs, err := filepath.Glob(filepath.Join(extensions, "cloudops.cloudops-*", "server", "cloudops"))
	if err != nil || len(programs) != 1 {
		t.Fatalf("the extension brought the programs %v: %v", programs, err)
	}
	t.Cleanup(func() { lsptest.EndDaemon(t, programs[0], env) })
	var log bytes.Buffer
	server := exec.Command(node, append(args, "--bind-addr", address, "--auth", "none", "--disable-telemetry",
		"--disable-update-check", "--disable-getting-started-override")...)
	server.Env, server.Stdout, server.Stderr = env, &log, &log
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
		_ = server.Wait()
		if t.Failed() {
			t.Logf("VS Code says:\n%s", log.String())
			logs, _ := filepath.Glob(filepath.Join(data, "logs", "*", "exthost*", "*", "*CloudOps*.log"))
			for _, path := range logs {
				text, _ := os.ReadFile(path)
				t.Logf("%s:\n%s", filepath.Base(path), text)
			}
		}
	})
	waitFor(t, "http://"+address+"/healthz")
	return &editor{node, programs[0], append(env, "VSCODE_URL=http://"+address, "VSCODE_WORKSPACE="+workspace, "VSCODE_DATA="+data,
		"VSCODE_SHOTS="+shots, "VSCODE_FAULTS="+faults, "VSCODE_PATIENCE="+os.Getenv("VSCODE_PATIENCE"),
		"VSCODE_PICTURES="+os.Getenv("VSCODE_PICTURES"),
		"CHROMIUM="+chromium, "CLOUDOPS_BINARY="+programs[0], "MAIN_DB="+awstest.MainDB)}
}

// run has Node run a script that drives the editor.
func (e *editor) run(t testing.TB, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(t.Context(), e.node, args...)
	cmd.Env = e.env
	return cmd.CombinedOutput()
}

// hostile packs the extension that wants commands to run without the person.
func hostile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hostile.vsix")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for _, name := range []string{"package.json", "extension.js"} {
		text, err := os.ReadFile(filepath.Join("tests/e2e/hostile", name))
		if err != nil {
			t.Fatal(err)
		}
		if entry, err := z.Create("extension/" + name); err != nil {
			t.Fatal(err)
		} else if _, err := entry.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// cloud is an emulated AWS with an estate, and the address where scripts put
// faults into its answers.
func cloud(t testing.TB) (*awstest.Estate, string) {
	t.Helper()
	estate, err := awstest.Shared(t).Seed(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := awstest.NewProxy(estate.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	estate.Endpoint = proxy.URL
	faults := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f struct {
			Service, Operation, Region, Kind string
			Milliseconds                     int
			// Names are of instances to add; there is no fault then.
			Names []string
		}
		err := json.NewDecoder(r.Body).Decode(&f)
		kind, known := map[string]awstest.Kind{
			"deny": awstest.Deny, "fail": awstest.Fail, "hang": awstest.Hang, "slow": awstest.Slow,
		}[f.Kind]
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		case len(f.Names) > 0:
			for _, name := range f.Names {
				if _, err := estate.AddInstance(r.Context(), name); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}
		case f.Kind == "none":
			proxy.Heal()
		case !known:
			http.Error(w, "no such fault", http.StatusBadRequest)
		default:
			proxy.Spoil(awstest.Fault{Service: f.Service, Operation: f.Operation, Region: f.Region, Kind: kind,
				Delay: time.Duration(f.Milliseconds) * time.Millisecond})
		}
	}))
	t.Cleanup(faults.Close)
	return estate, faults.URL
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitFor(t testing.TB, url string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Get(url)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", url, err)
		}
	}
}
