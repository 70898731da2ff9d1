//go:build darwin || freebsd || netbsd || openbsd

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

const terminalPath = "/dev/tty"

// dropTypeAhead forgets what was typed and not yet read.
func dropTypeAhead(tty *os.File) error {
	const flushRead = 1 // FREAD of sys/fcntl.h
	return unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCFLUSH, flushRead)
}
