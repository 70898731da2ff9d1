package daemon

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	aws "github.com/cloudops/cloudops/scanner/session"
)

// marks are what only a checkout, or a folder with settings for the shell, has.
var marks = [...]string{".git", ".hg", ".jj", ".svn", ".envrc"}

// WorkspaceOf is the nearest folder at or above dir that bears one of the marks,
// or "". The user's home directory, and what is above it, is none.
func WorkspaceOf(dir string) string {
	dir, err := realPath(dir)
	if err != nil {
		return ""
	}
	// $HOME may be one of the variables that the folder chose.
	user := aws.UserHome()
	if real, err := realPath(user); user != "" && err == nil {
		user = real
	}
	for ; dir != user && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		for _, mark := range marks {
			if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
				return dir
			}
		}
	}
	return ""
}

// CheckHome refuses a home that lies in a workspace, one that a session has open
// or one that it can be seen to lie in: the folder's files could choose what
// runs. The user's own default stays allowed when the whole home directory is
// open.
func CheckHome(home string, workspaces []string) error {
	real, err := realPath(home)
	if err != nil {
		return err
	}
	if w := WorkspaceOf(real); w != "" {
		workspaces = append(slices.Clone(workspaces), w)
	}
	user := aws.UserHome()
	for _, w := range workspaces {
		if !within(real, w) || user != "" && within(user, w) && isDefaultHome(real, user) {
			continue
		}
		return refusef(CodeRefused, "set CLOUDOPS_HOME to a folder outside of every workspace, or unset it",
			"refusing the home %s: it lies inside the workspace %s, whose files could choose what runs", home, w)
	}
	return nil
}

// checkKeyFile refuses a key file in a folder that a session has open, where it
// would be copied, searched and committed with the rest. A workspace that holds
// the user's whole home directory is no reason.
func checkKeyFile(path string, workspaces []string) error {
	user := aws.UserHome()
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(user, rest)
	}
	for _, w := range workspaces {
		if path == "" || !within(filepath.Dir(path), w) || user != "" && within(user, w) {
			continue
		}
		return refusef(CodeRefused, "name a file outside of every workspace as encryption.key_source.file, and run: cloudops key move",
			"refusing the key file %s: it lies inside the workspace %s", path, w)
	}
	return nil
}

func isDefaultHome(real, user string) bool {
	def, err := realPath(filepath.Join(user, ".cloudops"))
	return err == nil && def == real
}

// within reports whether a path is a folder or lies below it, links followed.
// What cannot be told counts as within.
func within(path, dir string) bool {
	path, err := realPath(path)
	if err != nil {
		return true
	}
	if dir, err = realPath(dir); err != nil {
		return true
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// MaxWorkspaces bounds the folders that one session has open.
const MaxWorkspaces = 1000

// maxPath bounds the path of one, in bytes.
const maxPath = 32 << 10

// WorkspacesParams are all the folders that the session has open, in the place
// of those that it had. A home inside one of them is refused, as by hello.
type WorkspacesParams struct {
	Workspaces []string `json:"workspaces"`
}

var Workspaces = request("cloudops/workspaces", repeatable, 0,
	"Says which folders are open in this session, in the place of those that were.", setWorkspaces,
	texts("workspaces", MaxWorkspaces, maxPath))

// setWorkspaces takes the folders that a session has open now. What is under way
// goes on; what begins later sees them.
func setWorkspaces(ctx context.Context, x *session, p *Parts, params WorkspacesParams) (none, error) {
	if err := CheckHome(x.server.cfg.Home, params.Workspaces); err != nil {
		return none{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.env.Workspaces = params.Workspaces
	return none{}, nil
}

// workspaces are the folders that any session has open.
func (s *server) workspaces() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for x := range s.sessions {
		x.mu.Lock()
		all = append(all, x.env.Workspaces...)
		x.mu.Unlock()
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// outside drops from an environment the paths that lie in a workspace, where a
// repository's own settings for the shell may have put them. A workspace that
// holds the user's whole home directory is no reason.
func outside(environ, workspaces []string) []string {
	user := aws.UserHome()
	kept := environ[:0:0]
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE":
			inside := slices.ContainsFunc(workspaces, func(w string) bool {
				return within(value, w) && (user == "" || !within(user, w))
			})
			if inside && name == "HOME" && user != "" {
				kept = append(kept, "HOME="+user)
			}
			if inside {
				continue
			}
		}
		kept = append(kept, entry)
	}
	return kept
}
