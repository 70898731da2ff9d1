package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cloudops/cloudops/"

// chain is the order of imports: each may import what stands to its right.
var chain = []string{"cmd", "lsp", "agent", "executor", "scanner", "storage"}

// onlyIn says which packages may import what, and why nobody else does.
var onlyIn = []struct {
	path, why string
	dirs      []string
}{
	{"go.lsp.dev/protocol", "protocol types stay in lsp", []string{"lsp", "lsp/lsptest"}},
	{"os/exec", "programs are started in these places only",
		[]string{"executor/runner", "storage/endpoint", "lsp/daemon", "scanner/session", "scanner/awstest", "storage/storagetest", "lsp/lsptest", "cmd/demo"}},
	{"github.com/qdrant/go-client", "the estate is read and written through storage", []string{"storage", "storage/engine", "storage/endpoint", "storage/storagetest"}},
	{"github.com/tink-crypto", "keys and ciphers stay in storage/seal", []string{"storage/seal"}},
	{"filippo.io/age", "keys and ciphers stay in storage/seal", []string{"storage/seal"}},
	{"crypto/cipher", "keys and ciphers stay in storage/seal", []string{"storage/seal"}},
	{"crypto/aes", "keys and ciphers stay in storage/seal", []string{"storage/seal"}},
	{"github.com/zalando/go-keyring", "keys and ciphers stay in storage/seal", []string{"storage/seal"}},
	{"net/http", "only AWS is called, and only there", []string{"executor/runner", "scanner/session", "scanner/aws", "scanner/awstest"}},
	{"github.com/aws/aws-sdk-go-v2/service", "only there are requests made of AWS", []string{"executor/runner", "scanner/session", "scanner/aws", "scanner/awstest", "cmd/demo"}},
	{"go.etcd.io/bbolt", "the engine owns its files", []string{"storage/engine"}},
}

// notIn says what a package leaves to others, though it stands to their left.
var notIn = []struct{ dir, path, why string }{
	{"lsp", "executor/catalog", "the daemon says what may be done, and what a command does"},
	{"lsp", "executor/runner", "the daemon runs commands"},
	{"lsp", "scanner/aws", "what is known of AWS comes with the record"},
	{"lsp", "storage/kind", "what is known of AWS comes with the record"},
}

func TestImportChain(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("listing the packages: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		checkImports(t, strings.TrimPrefix(p.ImportPath, module), p.Imports)
	}
	if packages < len(chain) {
		t.Fatalf("only %d packages listed", packages)
	}
}

// What a client's variables say of AWS becomes a session.Client at the daemon's
// edge: nothing below it takes the environment.
func TestOnlyTheEdgeTakesTheEnvironment(t *testing.T) {
	edge := []string{"cmd/cloudops", "lsp/daemon", "scanner/session", "scanner/awstest"}
	named := 0
	for _, path := range sources(t, ".go") {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		called := ""
		for _, imp := range file.Imports {
			switch {
			case imp.Path.Value != `"`+module+`scanner/session"`:
			case imp.Name != nil:
				called = imp.Name.Name
			default:
				called = "session"
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			of, ok := n.(*ast.SelectorExpr)
			if !ok || of.Sel.Name != "Environment" {
				return true
			}
			if pkg, ok := of.X.(*ast.Ident); ok && pkg.Name == called {
				named++
				if !slices.Contains(edge, filepath.ToSlash(filepath.Dir(path))) {
					t.Errorf("%s takes session.Environment; let it take a *session.Client", path)
				}
			}
			return true
		})
	}
	if named == 0 {
		t.Error("nobody names the environment: this test looks for the wrong thing")
	}
}

func checkImports(t *testing.T, dir string, imports []string) {
	top, _, _ := strings.Cut(dir, "/")
	from := slices.Index(chain, top)
	for _, imp := range imports {
		if rest, ours := strings.CutPrefix(imp, module); ours {
			top, _, _ := strings.Cut(rest, "/")
			if to := slices.Index(chain, top); to < from {
				t.Errorf("%s imports %s, which stands to its left in %s", dir, rest, strings.Join(chain, " -> "))
			}
			for _, rule := range notIn {
				if rule.dir == dir && rule.path == rest {
					t.Errorf("%s imports %s: %s", dir, rest, rule.why)
				}
			}
			continue
		}
		for _, rule := range onlyIn {
			if (imp == rule.path || strings.HasPrefix(imp, rule.path+"/")) && !slices.Contains(rule.dirs, dir) {
				t.Errorf("%s imports %s: %s", dir, imp, rule.why)
			}
		}
	}
}
