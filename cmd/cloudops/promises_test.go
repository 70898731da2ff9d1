package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var shownBy = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)(?:/(\\w+))?`")

// The table of docs/security.md names tests that exist: one for each promise.
func TestEveryPromiseHasItsTest(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(doc), "\n## What holds, and the test that shows it\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := 0
	for line := range strings.Lines(table) {
		promise, tests, ok := strings.Cut(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !ok || strings.TrimSpace(promise) == "promise" || strings.HasPrefix(promise, "---") {
			continue
		}
		rows++
		named := shownBy.FindAllStringSubmatch(tests, -1)
		if len(named) == 0 || len(named) != strings.Count(tests, "`")/2 {
			t.Errorf("%q: its tests are not named as `package.TestName`: %s", promise, tests)
		}
		for _, n := range named {
			if dir, test, script := n[1], n[2], n[3]; !declares(t, dir, test) {
				t.Errorf("%q: there is no %s in %s", promise, test, dir)
			} else if script != "" {
				if _, err := os.Stat(filepath.Join(root, dir, "testdata", script+".txtar")); err != nil {
					t.Errorf("%q: %s runs no %s", promise, test, script)
				}
			}
		}
	}
	if !found || rows < 30 {
		t.Errorf("found %d promises", rows)
	}
}

// declares says whether a package's tests hold a function.
func declares(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
