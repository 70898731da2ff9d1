package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var updateLicences = flag.Bool("licences", false, "write docs/licences.md anew")

// licenceTexts are the licences that a program under the Apache License 2.0 may
// have inside, by a phrase that stands in no other of them. One that is not
// here has to be looked at by a person first.
var licenceTexts = map[string]string{
	"Apache-2.0":   "apache license version 2.0",
	"BSD-2-Clause": "this list of conditions and the following disclaimer in the documentation and/or other materials provided with the distribution. this software",
	"BSD-3-Clause": "may be used to endorse or promote products derived from this software",
	"ISC":          "permission to use, copy, modify, and/or distribute this software for any purpose with or without fee",
	"MIT":          "permission is hereby granted, free of charge, to any person obtaining a copy",
}

// docs/licences.md lists what is linked into the program, on every system that
// it is built for, with version and licence.
func TestLicencesAreListed(t *testing.T) {
	linked := map[string]string{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		maps.Copy(linked, licences(t, system))
	}
	var b strings.Builder
	b.WriteString("# Licences\n\nWhat is linked into the program, on any system. `go test ./cmd/cloudops -run Licences -licences` writes this list.\n\n| module | version | licence |\n|---|---|---|\n")
	for _, module := range slices.Sorted(maps.Keys(linked)) {
		fmt.Fprintf(&b, "| %s | %s |\n", module, linked[module])
	}
	b.WriteString("\nThe data on AWS's services (`scanner/api/model`) is made from these packages, whose licences and notices stand beside it.\n\n| package | version | licence |\n|---|---|---|\n")
	versions := packages(t)
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, versions[name], licenceOf(t, name, filepath.Join(root, "scanner", "api", "model", "licences", name)))
	}
	path := filepath.Join(root, "docs", "licences.md")
	if *updateLicences {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(listed) != b.String() {
		t.Error("docs/licences.md is out of date: go test ./cmd/cloudops -run Licences -licences")
	}
}

// packages are those that the data on AWS's services is made from.
func packages(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "scanner", "api", "model", "data", "versions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var versions struct{ Packages map[string]string }
	if err := json.Unmarshal(text, &versions); err != nil || len(versions.Packages) == 0 {
		t.Fatalf("versions.json names no packages: %v", err)
	}
	return versions.Packages
}

// licences maps the modules that are linked into the program for a system to
// their version and licences.
func licences(t *testing.T, system string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Module", module+"cmd/cloudops")
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing what the program is made of: %v", err)
	}
	found := map[string]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if m := p.Module; m != nil && !m.Main && found[m.Path] == "" {
			found[m.Path] = m.Version + " | " + licenceOf(t, m.Path, m.Dir)
		}
	}
}

// licenceOf names the licences in the files of a module.
func licenceOf(t *testing.T, path, dir string) string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*", "NOTICE*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.ToLower(strings.Join(strings.Fields(strings.NewReplacer("#", "", "*", "").Replace(string(text))), " "))
			plain = strings.ReplaceAll(plain, "license, version", "license version")
			for name, phrase := range licenceTexts {
				if strings.Contains(plain, phrase) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		t.Errorf("%s: no licence that is agreed on was found", path)
	}
	return strings.Join(names, ", ")
}
