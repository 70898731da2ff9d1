package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	shownBy = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)\\w+)(?:/(\\w+))?`")
	// Those of the extension are named by file and title.
	shownByExtension = regexp.MustCompile("`(editors/vscode/tests/\\w+/\\w+\\.test\\.tsx?): ([^`]+)`")
)

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
		named, titled := shownBy.FindAllStringSubmatch(tests, -1), shownByExtension.FindAllStringSubmatch(tests, -1)
		if n := len(named) + len(titled); n == 0 || n != strings.Count(tests, "`")/2 {
			t.Errorf("%q: its tests are not named as `package.TestName` or `path.test.ts: title`: %s", promise, tests)
		}
		for _, n := range titled {
			if !titles(t, n[1], n[2]) {
				t.Errorf("%q: there is no test %q in %s", promise, n[2], n[1])
			}
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

// titles says whether a file of the extension's tests has a test of that title.
func titles(t *testing.T, path, title string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Error(err)
		return false
	}
	// test(title, ... or test.each(table)(title, ...
	return regexp.MustCompile(`(?m)(^\s*test|\))\(\s*['"]` + regexp.QuoteMeta(title) + `['"],`).Match(b)
}
