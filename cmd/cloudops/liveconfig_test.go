package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What config.yaml says counts as soon as it is written, and what can't be read
// is an error for as long as that lasts.
func TestTheConfigurationIsReadAnew(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "config.yaml")
	live := &liveConfig{home: home}
	for _, step := range []struct {
		name string
		// text of "-" takes the file away; says "" wants no error.
		text, says string
		mode       os.FileMode
		readOnly   bool
	}{
		{"there is none", "-", "", 0o600, false},
		{"it says so", "policy:\n  read_only: true\n", "", 0o600, true},
		{"as before", "policy:\n  read_only: true\n", "", 0o600, true},
		{"others may write it", "policy:\n  read_only: true\n", "only you can write", 0o666, false},
		{"mine again", "policy:\n  read_only: true\n", "", 0o600, true},
		{"no YAML", "policy: [", "YAML", 0o600, false},
		{"no value", "policy:\n  read_only:\n", "read_only is empty", 0o600, false},
		{"no text", "policy:\n  reads: \"\"\n", "reads is empty", 0o600, false},
		{"no policy", "policy:\n", "policy is empty", 0o600, false},
		{"no such policy", "policy:\n  reads: always\n", "neither allow nor ask", 0o600, false},
		{"cut off", "", "gone or empty", 0o600, false},
		{"taken away", "-", "gone or empty", 0o600, false},
		{"put back", "policy:\n  read_only: false\n", "", 0o600, false},
	} {
		_ = os.Remove(path)
		if step.text != "-" {
			if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, step.mode); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			policy, err := live.policy()
			if (err == nil) != (step.says == "") || err != nil && !strings.Contains(err.Error(), step.says) || err == nil && policy.ReadOnly != step.readOnly {
				t.Errorf("%s: %+v, %v", step.name, policy, err)
			}
		}
	}
}

// A configuration that was in force is missed by who starts after it is gone;
// in a home that never had one, nothing is missing.
func TestAMissingConfigurationIsMissed(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "config.yaml")
	if err := os.Mkdir(filepath.Join(home, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		// text of "-" takes the file away.
		text   string
		closed bool
	}{
		{"-", false}, {"", false}, {"policy: [", true}, {"-", false},
		{"policy: {read_only: true}\n", false}, {"-", true}, {"", true}, {"\n\n", true}, {"{}\n", false}, {"-", true}, {"# all defaults\n", false},
	} {
		_ = os.Remove(path)
		if step.text != "-" {
			if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Each is another daemon, which has read no file before.
		if policy, err := (&liveConfig{home: home}).policy(); (err != nil) != step.closed {
			t.Errorf("%q: %+v, %v", step.text, policy, err)
		}
	}
}
