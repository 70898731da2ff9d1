//go:build darwin || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

const (
	getTermios      = unix.TIOCGETA
	setTermios      = unix.TIOCSETA
	setTermiosFlush = unix.TIOCSETAF
	countInput      = 0x4004667f // FIONREAD of sys/filio.h
)

// dropInput forgets what was typed and not yet read.
func dropInput(fd int) error {
	const flushRead = 1 // FREAD of sys/fcntl.h
	return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, flushRead)
}
