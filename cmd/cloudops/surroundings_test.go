package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// variables are all that the product reads of its environment, and where. None
// of them approves anything.
var variables = map[string][]string{
	"cmd/cloudops/config.go": {"CLOUDOPS_HOME"},
	// And those of session.EndpointVariables; of ProxyVariables and
	// MachineVariables whether they are set.
	"cmd/cloudops/environment.go": {"AWS_ACCESS_KEY_ID", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_PROFILE", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN",
		"AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"},
	"cmd/cloudops/scan.go":          {"TERM"},
	"lsp/daemon/socket.go":          {"XDG_RUNTIME_DIR"},
	"storage/seal/keychain_unix.go": {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"},
	// The variable that config.yaml names for the key.
	"storage/seal/source.go": {},
	// The variable that config.yaml names for the API key of a remote Qdrant.
	"storage/seal/secret.go": {},
	// What a started process gets of the environment.
	"lsp/daemon/start.go":        {},
	"scanner/session/process.go": {"DBUS_SESSION_BUS_ADDRESS", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"},
}

var variableName = regexp.MustCompile(`^[A-Z][A-Z0-9]*_[A-Z0-9_]+$`)

func TestEnvironmentVariablesThatAreRead(t *testing.T) {
	found := map[string][]string{}
	for _, path := range sources(t, ".go") {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "cmd/demo/") || strings.Contains(path, "test/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		reads := false
		var names []string
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				reads = reads || ok && (pkg.Name == "os" || pkg.Name == "syscall" || pkg.Name == "unix") &&
					slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, n.Sel.Name)
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && variableName.MatchString(s) && !slices.Contains(names, s) {
					names = append(names, s)
				}
			}
			return true
		})
		if reads {
			found[path] = names
		}
	}
	for path, names := range found {
		want, known := variables[path]
		if !known {
			t.Errorf("%s reads the environment", path)
			continue
		}
		for _, name := range names {
			if len(want) > 0 && !slices.Contains(want, name) {
				t.Errorf("%s reads %s", path, name)
			}
			if strings.Contains(name, "APPROV") {
				t.Errorf("%s: %s: no variable approves", path, name)
			}
		}
	}
	for path := range variables {
		if _, ok := found[path]; !ok {
			t.Errorf("%s no longer reads the environment; take it off the list", path)
		}
	}
}

// What the product is made of comes by go.mod and go.sum alone, and Go itself
// by the same checksum database: nothing is replaced, fetched later, or updates
// itself.
func TestNothingIsDownloaded(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, directive := range []string{"replace", "exclude"} {
		if regexp.MustCompile(`(?m)^\s*` + directive + `\b`).Match(mod) {
			t.Errorf("go.mod has a %s directive", directive)
		}
	}
	downloads := regexp.MustCompile(`(?i)https?://|\bcurl\b|\bwget\b|vim\.net|io\.popen|os\.execute|fn\.system|fn\.jobstart|termopen|\bgit clone\b|loadstring|luarocks`)
	starts := regexp.MustCompile(`vim\.system|uv\.spawn`)
	lua := 0
	for _, path := range sources(t, ".lua") {
		if strings.Contains(path, "/tests/") {
			continue
		}
		lua++
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if found := downloads.Find(b); found != nil {
			t.Errorf("%s: %q", path, found)
		}
		// The health check runs the configured program, with the argument version.
		if starts.Match(b) && !strings.HasSuffix(path, "/health.lua") {
			t.Errorf("%s starts a program", path)
		}
	}
	if lua == 0 {
		t.Error("the Neovim plugin was not found")
	}
}

// root is the repository.
const root = "../.."

// sources lists the repository's files of a kind, relative to it with slashes.
func sources(t *testing.T, ext string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ext {
			paths = append(paths, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
