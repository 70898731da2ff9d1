//go:build unix

// Package clients_test drives real editors in a terminal, as a person would,
// against the real program and an emulated AWS. The editors are those of
// docs/clients.md that Debian has; install.sh unpacks them.
package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/cloudops/cloudops/lsp/lsptest"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// person is one who sits before an editor with a file that names a database.
type person struct {
	*screen
	t      *testing.T
	estate *awstest.Estate
	binary string
	env    []string
	file   string
}

// reading is how long a person looks at a question: longer than the daemon wants.
const reading = 5 * time.Second

const text = "# " + awstest.MainDB + " holds it.\n"

// sit opens an editor on the file, with these settings in its home; HOME,
// FILE and PROGRAM in argv and settings stand for what they are called.
func sit(t *testing.T, server *awstest.Server, settings map[string]string, argv ...string) *person {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	estate, err := server.Seed(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// A socket's path is short, a test's folder long.
	home, err := os.MkdirTemp("", "ed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	p := &person{t: t, estate: estate, binary: lsptest.Tool(t, "CLOUDOPS_TEST_BINARY", "../../.tools/cloudops-test"), file: filepath.Join(home, "work", "notes.txt")}
	names := strings.NewReplacer("HOME", home, "FILE", p.file, "PROGRAM", p.binary)
	// A daemon that the test can't end, ends by itself.
	files := map[string]string{"estate/config.yaml": "daemon:\n  idle_minutes: 1\n", "work/notes.txt": text}
	for name, body := range settings {
		files[name] = names.Replace(body)
	}
	for name, body := range files {
		path := filepath.Join(home, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(body), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(estate.Variables("prod"),
		"HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_DATA_HOME="+filepath.Join(home, "data"),
		"XDG_STATE_HOME="+filepath.Join(home, "state"), "XDG_CACHE_HOME="+filepath.Join(home, "cache"),
		"XDG_RUNTIME_DIR="+home, "TMPDIR="+home, "CLOUDOPS_HOME="+filepath.Join(home, "estate"),
		"PATH="+filepath.Dir(p.binary)+":/usr/bin:/bin",
	)
	p.run("scan", "--region", awstest.West)
	t.Cleanup(func() { lsptest.EndDaemon(t, p.binary, p.env) })
	for i := range argv {
		argv[i] = names.Replace(argv[i])
	}
	p.screen = open(t, filepath.Dir(p.file), p.env, argv...)
	return p
}

// run asks the program itself.
func (p *person) run(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out)
}

// pending is how many plans wait.
func (p *person) pending() int {
	p.t.Helper()
	var r struct{ Plans []any }
	if out := p.run("approvals", "--json"); json.Unmarshal([]byte(out), &r) != nil {
		p.t.Fatalf("approvals --json: %s", out)
	}
	return len(r.Plans)
}

// state asks AWS, not the product.
func (p *person) state() string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	out, err := rds.NewFromConfig(p.estate.Config(awstest.West)).DescribeDBInstances(ctx,
		&rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String(awstest.MainDB)})
	if err != nil {
		p.t.Fatal(err)
	}
	return aws.ToString(out.DBInstances[0].DBInstanceStatus)
}

// nothingRan fails the test where the database was touched, or its plans are
// not as many as should wait.
func (p *person) nothingRan(when string, waiting int) {
	p.t.Helper()
	if got := p.state(); got != "available" {
		p.t.Fatalf("%s: the database is %s; the screen is\n%s", when, got, p.screen.text())
	}
	if got := p.pending(); got != waiting {
		p.t.Errorf("%s: %d plans wait, want %d; the screen is\n%s", when, got, waiting, p.screen.text())
	}
}

// decides approves the plan that waits at a terminal, as such editors say.
func (p *person) decides() {
	p.t.Helper()
	at := open(p.t, filepath.Dir(p.file), p.env, p.binary, "approvals")
	at.until(nil, "Number to decide on")
	at.types("1")
	at.keys("Enter")
	at.until(nil, "Type yes to run it")
	at.types("yes")
	at.keys("Enter")
	p.wait("the database to stop", func() bool { return p.state() == "stopped" })
}

// saved waits until the file that the editor wrote holds a line.
func (p *person) saved(line string) {
	p.t.Helper()
	p.wait(fmt.Sprintf("the file to hold %q", line), func() bool {
		b, err := os.ReadFile(p.file)
		return err == nil && strings.Contains(string(b), line+"\n")
	})
}

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }

func TestEditors(t *testing.T) {
	if testing.Short() {
		t.Skip("an editor starts several programs")
	}
	server := awstest.Shared(t)
	for name, drive := range map[string]func(*testing.T, *awstest.Server){
		"helix": helix, "eglot": eglot, "lsp-mode": lspMode, "neovim": neovim,
	} {
		t.Run(name, func(t *testing.T) { drive(t, server) })
	}
}

// helix 25.01 can't show a question and says at once that it can't.
func helix(t *testing.T, server *awstest.Server) {
	hx := lsptest.Tool(t, "CLOUDOPS_HELIX", "../../.tools/clients/hx")
	p := sit(t, server, map[string]string{
		"config/helix/languages.toml": `[language-server.cloudops]
command = "PROGRAM"
args = ["lsp"]
timeout = 120

[[language]]
name = "notes"
scope = "text.notes"
file-types = ["txt"]
language-servers = ["cloudops"]
`,
	}, hx, "FILE")
	p.until(nil, awstest.MainDB)
	// A motion selects: the action is for what is selected, beginning before it.
	p.keys("g", "g", "x")
	p.until(func() { p.keys("Space", "a") }, "Stop "+awstest.MainDB)
	p.keys("Tab", "Enter") // the second of the menu
	p.until(nil, "Stop "+awstest.MainDB+" waits in `cloudops approvals`")
	p.types("oreplicas = 2")
	p.keys("Enter", "2", "Enter")
	p.until(nil, "INS notes.txt", "replicas = 2 3 2")
	p.keys("Escape") // a key that follows at once would be one with it
	p.until(nil, "NOR notes.txt")
	p.types(":w")
	p.keys("Enter")
	p.saved("replicas = 2")
	p.nothingRan("after typing on", 1)
	p.decides()
}

// neovim without the plugin takes digits for an answer, and is not asked.
func neovim(t *testing.T, server *awstest.Server) {
	nvim := lsptest.Tool(t, "CLOUDOPS_NVIM", "../../.tools/nvim/nvim")
	// Unpacked, it can't start the process that would draw it; keys reach it so.
	p := sit(t, server, map[string]string{
		"init.lua": `vim.o.swapfile = false
vim.api.nvim_create_autocmd('BufReadPost', { callback = function()
  vim.lsp.start({ name = 'cloudops', cmd = { 'PROGRAM', 'lsp' }, root_dir = 'HOME/work' })
end })
vim.keymap.set('n', '<F5>', function()
  vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find('Stop ', 1, true) ~= nil end })
end)
`,
	}, nvim, "--headless", "--listen", "HOME/keys", "-u", "HOME/init.lua", "FILE")
	press := func(keys string) {
		cmd := exec.Command(nvim, "--server", filepath.Join(filepath.Dir(p.file), "..", "keys"), "--remote-send", keys)
		cmd.Env = p.env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("pressing %s: %v: %s", keys, err, out) // it may not listen yet
		}
	}
	p.until(func() { press("<Esc>5|<F5>") }, ":terminal cloudops approvals")
	press("<Esc>oreplicas = 2<CR>2<CR><Esc>:w<CR>")
	p.saved("replicas = 2")
	p.nothingRan("after typing on", 1)
	p.decides()
}

// eglot shows the end of a message and answers C-g with nothing.
func eglot(t *testing.T, server *awstest.Server) {
	emacs(t, server, "[eglot:", true, `(require 'eglot)
(setq eglot-connect-timeout 120)
(add-to-list 'eglot-server-programs '(text-mode . ("PROGRAM" "lsp")))
(add-hook 'text-mode-hook 'eglot-ensure)
(global-set-key (kbd "<f5>") (lambda () (interactive) (eglot-code-actions (point) (point) "cloudops.stop" t)))
`)
}

// lsp-mode does as eglot does, and shows no question after one that was quit.
func lspMode(t *testing.T, server *awstest.Server) {
	emacs(t, server, "LSP[cloudops:", false, `(require 'lsp-mode)
(setq lsp-auto-guess-root t lsp-enable-file-watchers nil lsp-response-timeout 120 lsp-keep-workspace-alive nil)
(add-to-list 'lsp-language-id-configuration '(text-mode . "plaintext"))
(lsp-register-client (make-lsp-client :new-connection (lsp-stdio-connection '("PROGRAM" "lsp"))
  :major-modes '(text-mode) :server-id 'cloudops))
(add-hook 'text-mode-hook 'lsp)
(global-set-key (kbd "<f5>") (lambda () (interactive)
  (lsp-execute-code-action (seq-find (lambda (a) (string-match-p "Stop " (lsp:code-action-title a))) (lsp-code-actions-at-point)))))
`)
}

func emacs(t *testing.T, server *awstest.Server, ready string, again bool, init string) {
	program := lsptest.Tool(t, "CLOUDOPS_EMACS", "../../.tools/clients/emacs")
	p := sit(t, server, map[string]string{
		"init.el": `(setq inhibit-startup-screen t make-backup-files nil auto-save-default nil create-lockfiles nil project-vc-extra-root-markers '("notes.txt"))
` + init,
	}, program, "-nw", "-l", "HOME/init.el", "FILE")
	question := []string{"aws rds stop-db-instance --db-instance-identifier=" + awstest.MainDB, "Target: RDS instance id " + awstest.MainDB, "Account: 123456789012"}
	ask := func() {
		t.Helper()
		p.keys("C-g") // which also drops the keys that follow at once
		p.wait("the question to go", func() bool { return !strings.Contains(p.joined(), question[0]) })
		p.until(func() { p.keys("M-<", "C-f", "C-f", "C-f", "F5") }, question[0])
	}
	p.until(nil, awstest.MainDB, ready)
	p.every = 300 // keys that come late would go into the question
	ask()
	// What is decided on is in view, in a window that is no larger than that.
	p.until(nil, question...)
	// Who types on chooses nothing.
	p.types("replicas = 2")
	p.keys("Enter")
	p.nothingRan("after typing on", 1)
	if again {
		// One who quits the question, and asks again, is asked again.
		ask()
		p.until(nil, question...)
		p.nothingRan("after C-g", 1)
	}
	// The answer that is meant runs it, once the question was read.
	time.Sleep(reading)
	p.keys("C-a", "C-k")
	p.types("Run")
	p.keys("Tab", "Enter")
	p.wait("the database to stop", func() bool { return p.state() == "stopped" })
}
