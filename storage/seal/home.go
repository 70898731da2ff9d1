package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudops/cloudops/storage/home"
)

// prepareHome makes or checks the home and returns its real path. Nobody else
// may be able to write there: what lies in it decides what is trusted.
func prepareHome(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("no home directory is given: set CLOUDOPS_HOME")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding the home directory: %w", err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return "", fmt.Errorf("making the home directory: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("finding the home directory: %w", err)
	}
	info, err := os.Lstat(real)
	if err != nil {
		return "", fmt.Errorf("checking the home directory: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("refusing %s as home: it is not a directory", real)
	}
	if err := checkPrivate(info); err != nil {
		return "", fmt.Errorf("refusing %s as home: %w; it holds everything that cloudops knows, so make it yours alone: chmod 700 %s", real, err, real)
	}
	if err := home.Tighten(real); err != nil {
		return "", fmt.Errorf("refusing %s as home: %w", real, err)
	}
	return real, nil
}

// homeTag is a short name for a home, for what is kept outside of it.
func homeTag(home string) string {
	sum := sha256.Sum256([]byte(home))
	return hex.EncodeToString(sum[:6])
}

// ReadFile reads a sealed file whole, of any size that is written.
func ReadFile(path string) ([]byte, error) { return readSmall(path, maxPlain+1024) }

// SetAside renames a damaged file, so that it is kept when another takes its
// place, and says what it is called now.
func SetAside(path string) (kept string, err error) {
	kept = home.Aside(path, time.Now())
	if err := os.Rename(path, kept); err != nil {
		return "", fmt.Errorf("setting the damaged file aside: %w", err)
	}
	return kept, home.SyncDir(filepath.Dir(path))
}

// readSmall reads a regular file of at most max bytes.
func readSmall(path string, max int64) ([]byte, error) {
	f, err := home.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return b, nil
}

// ReplaceFile replaces a file whole, readable by its user only and durable on
// return: a crash leaves the old or the new content. A temporary file that a
// crash left behind is used again.
func ReplaceFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := writeSynced(tmp, b); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return home.SyncDir(filepath.Dir(path))
}

func writeSynced(path string, b []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = home.Sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
