//go:build unix

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cloudops/cloudops/storage/home"
)

// lockDir makes this process the owner of dir for as long as the file is open.
func lockDir(dir string) (*os.File, error) {
	f, err := home.Open(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("locking the store: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		err = errors.Join(err, f.Close())
		return nil, fmt.Errorf("locking the store: %w: another cloudops process owns this data; use it, or end it first (%v)", ErrInUse, err)
	}
	return f, nil
}

// mapFile makes a file readable as memory until unmap is called.
func mapFile(f *os.File, size int) (data []byte, unmap func(), err error) {
	data, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", f.Name(), err)
	}
	return data, func() { _ = unix.Munmap(data) }, nil // it cannot fail for what Mmap returned
}
