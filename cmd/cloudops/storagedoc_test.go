package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	inCode = regexp.MustCompile("`([^`]*)`")
	goName = regexp.MustCompile(`^([a-z/]+)\.(\w+)(?:\.(\w+))?$`)
)

// The tables of docs/storage.md name what exists: in Go, in the configuration,
// and as tests.
func TestEveryNameOfTheStorageIsThere(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs", "storage.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tables, _ := strings.Cut(string(doc), "\n## Names of the original design\n")
	packages := map[string]map[string]bool{}
	keys := map[string]bool{}
	rows, later := 0, 0
	for line := range strings.Lines(tables) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || strings.TrimSpace(cells[0]) == "original" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rows++
		original, here, tests := strings.TrimSpace(cells[0]), cells[1], cells[2]
		if m := inCode.FindStringSubmatch(original); m != nil {
			keys[m[1]] = true
			path := strings.Split(m[1], ".")
			if below := keysOf(reflect.TypeFor[config](), path[:len(path)-1]); !slices.Contains(below, path[len(path)-1]) {
				t.Errorf("config.yaml has no %s", m[1])
			}
		}
		if strings.TrimSpace(here) == "not yet" {
			later++
			continue
		}
		names := inCode.FindAllStringSubmatch(here, -1)
		for _, n := range names {
			m := goName.FindStringSubmatch(n[1])
			if m == nil {
				t.Errorf("%s: %s is no name of a package", original, n[1])
				continue
			}
			if packages[m[1]] == nil {
				packages[m[1]] = declared(t, m[1])
			}
			if name := strings.TrimSuffix(m[2]+"."+m[3], "."); !packages[m[1]][name] {
				t.Errorf("%s: %s declares no %s", original, m[1], name)
			}
		}
		shown := shownBy.FindAllStringSubmatch(tests, -1)
		if len(names) == 0 || len(shown) == 0 || len(shown) != strings.Count(tests, "`")/2 {
			t.Errorf("%s: it names %d things and %d tests", original, len(names), len(shown))
		}
		for _, s := range shown {
			if !declares(t, s[1], s[2]) {
				t.Errorf("%s: there is no %s in %s", original, s[2], s[1])
			}
			if s[3] != "" {
				if _, err := os.Stat(filepath.Join(root, s[1], "testdata", s[3]+".txtar")); err != nil {
					t.Errorf("%s: %s runs no %s", original, s[2], s[3])
				}
			}
		}
	}
	if rows < 150 || later > 13 {
		t.Errorf("%d rows, %d of them for later", rows, later)
	}
	// Nothing of the storage's configuration is missing in the table.
	for _, at := range []string{"", "embedding", "s3_backup", "collections", "collections.aws_estate.hnsw_config", "collections.aws_estate.indexed_fields"} {
		var path []string
		if at != "" {
			path = strings.Split(at, ".")
		}
		for _, k := range keysOf(reflect.TypeFor[config](), path) {
			full := strings.TrimPrefix(at+"."+k, ".")
			part := slices.Contains([]string{"aws", "policy", "user_id", "daemon"}, full) ||
				slices.Contains([]string{"embedding.api_key", "embedding.base_url", "embedding.endpoint", "embedding.model_path"}, full) // named with their providers
			if !keys[full] && !part {
				t.Errorf("the table has no row for %s of config.yaml", full)
			}
		}
	}
}

// declared are the names of a package: functions, types, constants, and as
// Type.name methods and fields.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					of := d.Recv.List[0].Type
					if p, ok := of.(*ast.StarExpr); ok {
						of = p.X
					}
					id, ok := of.(*ast.Ident)
					if !ok {
						continue
					}
					name = id.Name + "." + name
				}
				names[name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = true
						}
					case *ast.TypeSpec:
						names[s.Name.Name] = true
						if st, ok := s.Type.(*ast.StructType); ok {
							for _, field := range st.Fields.List {
								for _, n := range field.Names {
									names[s.Name.Name+"."+n.Name] = true
								}
							}
						}
					}
				}
			}
		}
	}
	return names
}
