package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Where CONTRIBUTING.md sends people there is what it says.
func TestContributingNamesWhatThereIs(t *testing.T) {
	root := filepath.Join("..", "..")
	b, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+/[A-Za-z0-9_./-]+|go\\.mod)`(?: \\(`([A-Za-z]+)`\\))?").FindAllStringSubmatch(string(b), -1)
	if len(named) < 30 {
		t.Fatalf("only %d places are found in it", len(named))
	}
	for _, n := range named {
		path := filepath.Join(root, filepath.FromSlash(n[1]))
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		} else if n[2] != "" {
			if source, err := os.ReadFile(path); err != nil || !strings.Contains(string(source), n[2]) {
				t.Errorf("%s has no %s (%v)", n[1], n[2], err)
			}
		}
	}
}
