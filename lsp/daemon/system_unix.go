//go:build unix

package daemon

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow makes opening a link an error.
const noFollow = unix.O_NOFOLLOW

func ownedByUser(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}

func openToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// tryLock locks an open file, shared or alone, or returns errLocked.
func tryLock(f *os.File, alone bool) error {
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// detached is a session of its own: no terminal ends it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// terminate asks a process to end. One that was stopped hears of it only once
// it goes on.
func terminate(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	_ = syscall.Kill(pid, syscall.SIGCONT) // an error means that it has ended
	return nil
}

// withoutCore keeps this process's memory, and the keys in it, off the disk
// when it crashes.
func withoutCore() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
