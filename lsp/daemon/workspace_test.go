package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	aws "github.com/cloudops/cloudops/scanner/session"
)

// A home in a checkout, or below settings for the shell, is refused although no
// session has that folder open.
func TestAHomeInACheckoutIsRefused(t *testing.T) {
	for _, mark := range []string{".git", ".hg", ".jj", ".svn", ".envrc", "README", ""} {
		for kind, put := range map[string]func(path string) error{
			"a folder":              func(path string) error { return os.Mkdir(path, 0o700) },
			"a file":                func(path string) error { return os.WriteFile(path, nil, 0o600) },
			"a link that is broken": func(path string) error { return os.Symlink("nowhere", path) },
		} {
			top := t.TempDir()
			repo := filepath.Join(top, "repo")
			if err := os.MkdirAll(filepath.Join(repo, "deep", "home"), 0o700); err != nil {
				t.Fatal(err)
			}
			if mark != "" {
				if err := put(filepath.Join(repo, mark)); err != nil {
					t.Fatal(err)
				}
			}
			link := filepath.Join(top, "link")
			if err := os.Symlink(filepath.Join(repo, "deep"), link); err != nil {
				t.Fatal(err)
			}
			want := ""
			if strings.HasPrefix(mark, ".") {
				want = repo
			}
			for _, home := range []string{repo, filepath.Join(repo, "deep", "home"), filepath.Join(link, "home"), filepath.Join(repo, "new", "home")} {
				if got := WorkspaceOf(home); got != want {
					t.Errorf("%s that is %s: %s lies in %q, want %q", mark, kind, home, got, want)
				}
				var e *Error
				if err := CheckHome(home, nil); errors.As(err, &e) != (want != "") {
					t.Errorf("%s that is %s: the home %s: %v", mark, kind, home, err)
				}
			}
			if got := WorkspaceOf(top); got != "" {
				t.Errorf("%s lies in %q, which is below it", top, got)
			}
		}
	}
}

// A plan says which folder was open where it was proposed.
func TestACommandsOriginHasItsFolder(t *testing.T) {
	for _, c := range []struct {
		open []string
		want string
	}{{nil, ""}, {[]string{"/a", "/b"}, "/a"}} {
		x := &session{id: "s", kind: "editor", peer: peer{pid: 7, executable: "/bin/editor"}, env: aws.Environment{Workspaces: c.open}}
		if o := x.origin(); o.Workspace != c.want || o.Session != "s" || o.Kind != "editor" || o.PID != 7 || o.Executable != "/bin/editor" {
			t.Errorf("with %q open: %+v", c.open, o)
		}
	}
}

// A program that can't be read hands nothing over, and is taken over by none.
func TestAProgramThatCannotBeReadReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	known := ThisBuild("1")
	for _, path := range []string{filepath.Join(dir, "missing"), dir} {
		b := buildOf(path, "2")
		if b != (Build{Version: "2"}) || b.replaces(known) || known.replaces(b) {
			t.Errorf("%s: %+v", path, b)
		}
	}
}
