package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxSharedFile bounds the AWS files that are read; real ones are far smaller.
const maxSharedFile = 4 << 20

// sharedFiles are a session's AWS files.
type sharedFiles struct {
	config, credentials, bundle sharedFile
	// states are the files as they are now, in a fixed order.
	states []fileState
}

// sharedFile is an AWS file that was checked; the zero value is none.
type sharedFile struct {
	// path is what the session calls it, resolved where its links lead.
	path, resolved string
}

// sections reads the file; none where there is none.
func (f sharedFile) sections() ([]section, error) {
	if f.resolved == "" {
		return nil, nil
	}
	content, err := readShared(f.resolved)
	if err != nil {
		return nil, err
	}
	return readINI(f.path, content)
}

// fileState tells one version of a file from another without its content.
type fileState struct {
	path     string
	id       uint64
	size     int64
	modified int64
}

func stateOfInfo(path string, info fs.FileInfo) fileState {
	return fileState{path, fileID(info), info.Size(), info.ModTime().UnixNano()}
}

// stateOf is the zero state but for the path when there is no such file.
func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{path: path}
	}
	return stateOfInfo(path, info)
}

// files resolves and checks the session's AWS files.
func (env Environment) files() (sharedFiles, error) {
	var f sharedFiles
	for _, one := range []struct {
		file *sharedFile
		from string
		name string
	}{
		{&f.config, env.ConfigFile, "config"},
		{&f.credentials, env.CredentialsFile, "credentials"},
		{&f.bundle, env.CABundle, ""},
	} {
		path, given := one.from, one.from != ""
		switch {
		case !given && (one.name == "" || env.Home == ""):
			continue
		case !given:
			path = filepath.Join(env.Home, ".aws", one.name)
		case strings.HasPrefix(path, "~/") && env.Home != "":
			path = filepath.Join(env.Home, path[2:])
		}
		if path == os.DevNull {
			continue // the usual way to say that there is no such file
		}
		resolved, info, err := env.trusted(path)
		if errors.Is(err, fs.ErrNotExist) {
			if one.name == "" {
				return f, Explained(ErrNoCredentials, CodeCredentials,
					fmt.Sprintf("the CA bundle %s does not exist", path), "correct AWS_CA_BUNDLE, or unset it", nil)
			}
			continue
		}
		if err != nil {
			return f, err
		}
		*one.file = sharedFile{path, resolved}
		f.states = append(f.states, stateOfInfo(resolved, info))
	}
	return f, nil
}

// trusted follows links and refuses a file that someone else could have written.
func (env Environment) trusted(path string) (string, fs.FileInfo, error) {
	called := path
	refuse := func(why, hint string) (string, fs.FileInfo, error) {
		return "", nil, Explained(ErrNoCredentials, CodeCredentials, fmt.Sprintf("the AWS file %s is refused: %s", called, why), hint, nil)
	}
	if !filepath.IsAbs(path) {
		return refuse("its path is not absolute", "give a path that begins with /")
	}
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	if err != nil {
		return refuse("it can't be reached", "check the folders above it")
	}
	link, err := os.Lstat(path)
	linked := err == nil && link.Mode()&fs.ModeSymlink != 0
	switch {
	case linked:
		called = path + ", a link to " + resolved + ","
	case resolved != filepath.Clean(path):
		called = path + ", by a linked folder " + resolved + ","
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return refuse("it can't be read", "check its permissions")
	}
	if !info.Mode().IsRegular() {
		return refuse("it is not an ordinary file", "name a file")
	}
	if info.Size() > maxSharedFile {
		return refuse("it is larger than 4 MiB", "name the right file")
	}
	if !ownedByUser(info) {
		return refuse("it belongs to another user", "use a file of your own")
	}
	if writableByOthers(info) {
		return refuse("others can write it", "run: chmod go-w "+resolved)
	}
	if dir, err := os.Stat(filepath.Dir(resolved)); err != nil || (writableByAll(dir) && dir.Mode()&fs.ModeSticky == 0) {
		return refuse("everyone can write its folder", "run: chmod o-w "+filepath.Dir(resolved))
	}
	for _, workspace := range env.Workspaces {
		if inside(resolved, workspace) || inside(path, workspace) {
			if home := UserHome(); home != "" && inside(home, workspace) && inside(resolved, filepath.Join(home, ".aws")) {
				continue // the home folder itself is open; its .aws is still the user's
			}
			hint := "move it, for example to ~/.aws"
			if linked {
				hint = "put a copy in the place of the link (cp --remove-destination " + resolved + " " + path + "), or close that folder in your editors"
			}
			return refuse("it lies inside the workspace "+workspace+", and a repository must not choose credentials", hint)
		}
	}
	return resolved, info, nil
}

// inside says whether a path lies below a folder, links followed.
func inside(path, dir string) bool {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// readShared reads a checked file.
func readShared(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Explained(ErrNoCredentials, CodeCredentials, fmt.Sprintf("the AWS file %s can't be read", path), "check its permissions", nil)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSharedFile))
	if err != nil {
		return nil, Explained(ErrNoCredentials, CodeCredentials, fmt.Sprintf("the AWS file %s can't be read", path), "check the disk", nil)
	}
	return content, nil
}
