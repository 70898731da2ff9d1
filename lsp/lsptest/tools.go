//go:build unix

package lsptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Tool is a program the tests need: named by a variable, else built or
// installed by `make`. Without it CI fails and others skip.
func Tool(t testing.TB, variable, path string) string {
	t.Helper()
	if p := os.Getenv(variable); p != "" {
		path = p
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		Absent(t, fmt.Sprintf("%s is missing: run `make test`, or set %s", path, variable))
	}
	return path
}

// Absent fails the test in CI, where every real part must be there, and skips it
// elsewhere.
func Absent(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// EndDaemon ends the daemon that the language server started.
func EndDaemon(t testing.TB, binary string, env []string) {
	t.Helper()
	cmd := exec.Command(binary, "status", "--json")
	cmd.Env = env
	out, err := cmd.Output()
	var status struct {
		Daemon struct {
			PID int `json:"pid"`
		} `json:"daemon"`
	}
	if err := errors.Join(err, json.Unmarshal(out, &status)); err != nil || status.Daemon.PID <= 1 {
		t.Errorf("asking for the daemon's process: %v: %s", err, out)
		return
	}
	pid := status.Daemon.PID
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Errorf("ending the daemon: %v", err)
	}
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(20 * time.Millisecond) {
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && bytes.Contains(state, []byte(") Z ")) {
			return // ended, and nobody collects it
		}
		if time.Now().After(deadline) {
			t.Error("the daemon did not end")
			return
		}
	}
}
