//go:build unix

package clients_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/lsptest"
)

// patience is how long anything is waited for. The machine may have other work.
const patience = 3 * time.Minute

// screen is a terminal of 80 columns and 24 lines that an editor runs in, and
// the keyboard before it.
type screen struct {
	t      *testing.T
	socket string
	// every is how many looks at the screen lie between two tries.
	every int
}

// open runs a program in a new terminal.
func open(t *testing.T, dir string, env []string, argv ...string) *screen {
	t.Helper()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		lsptest.Absent(t, "tmux is missing: run `make test`")
	}
	s := &screen{t: t, every: 25, socket: filepath.Join(t.TempDir(), "tmux")}
	cmd := exec.Command(tmux, append([]string{"-S", s.socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "--"}, argv...)...)
	cmd.Env, cmd.Dir = append(env, "LC_ALL=C.UTF-8", "TERM=xterm", "SHELL=/bin/sh"), dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("starting %s: %v: %s", argv[0], err, out)
	}
	t.Cleanup(func() { _, _ = s.tmux("kill-server") })
	return s
}

func (s *screen) tmux(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	return string(out), err
}

// keys presses keys by their names in tmux, such as Enter and C-g.
func (s *screen) keys(names ...string) {
	s.t.Helper()
	if out, err := s.tmux(append([]string{"send-keys", "--"}, names...)...); err != nil {
		s.t.Fatalf("pressing %v: %v: %s", names, err, out)
	}
}

// types writes text as it is.
func (s *screen) types(text string) {
	s.t.Helper()
	if out, err := s.tmux("send-keys", "-l", "--", text); err != nil {
		s.t.Fatalf("typing %q: %v: %s", text, err, out)
	}
}

// text is what the screen shows.
func (s *screen) text() string {
	s.t.Helper()
	out, err := s.tmux("capture-pane", "-p")
	if err != nil {
		s.t.Fatalf("reading the screen: %v: %s", err, out)
	}
	return out
}

// joined is the text without the ends of lines, where long ones are broken.
func (s *screen) joined() string {
	return strings.Join(strings.Fields(strings.NewReplacer("\\\n", "", "\n", "", "│", "").Replace(s.text())), " ")
}

// until waits until the screen shows all of the parts and returns it. Where it
// does not, again is done, if it is there, and once more after a good while.
func (s *screen) until(again func(), parts ...string) string {
	s.t.Helper()
	tries := 0
	return s.wait("the screen to show "+strings.Join(parts, ", "), func() bool {
		text := s.joined()
		for _, p := range parts {
			if !strings.Contains(text, strings.Join(strings.Fields(p), " ")) {
				if tries++; again != nil && tries%s.every == 1 {
					again()
				}
				return false
			}
		}
		return true
	})
}

// wait waits for a condition and returns what the screen shows then.
func (s *screen) wait(what string, ok func() bool) string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s; the screen is\n%s", what, s.text())
		}
	}
	return s.text()
}
