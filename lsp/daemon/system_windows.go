package daemon

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// On Windows a profile folder is private by its access list, which modes don't
// show, and links need a privilege.

const noFollow = 0

func ownedByUser(fs.FileInfo) bool { return true }

func openToOthers(fs.FileInfo) bool { return false }

// tryLock locks a byte far beyond the content, which stays readable.
func tryLock(f *os.File, alone bool) error {
	how := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if alone {
		how |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errLocked
	}
	return err
}

// detached has no console, so that none ends it.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

// terminate has no gentle way on Windows to end a process without a console.
func terminate(int) error {
	return errors.New("Windows has no way to ask it; it ends by itself 30 minutes after its last client")
}

// withoutCore has nothing to do: Windows writes dumps only where told to.
func withoutCore() error { return nil }
