//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Open opens a file of the home with os.OpenFile's flags, new ones for their user
// alone. No link, pipe or device is opened: what lies in the home is there, not
// elsewhere.
func Open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a link; put the file itself there", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Tighten takes away what others may do to the files and folders of a home, and
// refuses one that belongs to another user. Nobody else reaches them as long as
// the home is private, but a copy of it may lie where they do.
func Tighten(dir string) error {
	return walk(dir, func(name string, d fs.DirEntry) error {
		// The configuration is judged where it is read.
		if !d.IsDir() && !d.Type().IsRegular() || d.Name() == "config.yaml" {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
			return fmt.Errorf("%s belongs to another user; make it yours: chown", path)
		}
		if perm := info.Mode().Perm(); perm&0o077 != 0 {
			return os.Chmod(path, perm&^0o077)
		}
		return nil
	})
}
