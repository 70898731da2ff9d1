package seal

import (
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// checkPrivate trusts the access list that the profile directory hands down.
func checkPrivate(fs.FileInfo) error { return nil }

// lockFile takes an exclusive lock between processes, or gives up.
func lockFile(path string, wait time.Duration) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the keyset: %w", err)
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
			0, 1, 0, &windows.Overlapped{})
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != windows.ERROR_LOCK_VIOLATION || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("%w: another cloudops is making the keys; try again when it is done: locking %s: %w", ErrUnavailable, path, err)
		}
	}
}
