//go:build unix

package endpoint

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// unshared refuses what others than the user and root can write. A sticky
// folder protects what others put there from each other only.
func unshared(info fs.FileInfo) error {
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSymlink == 0 {
		return errors.New("can be written by others")
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != os.Getuid() {
		return errors.New("belongs to another user")
	}
	return nil
}
