package main

import (
	"os"

	"golang.org/x/sys/unix"
)

const terminalPath = "/dev/tty"

// dropTypeAhead forgets what was typed and not yet read.
func dropTypeAhead(tty *os.File) error {
	return unix.IoctlSetInt(int(tty.Fd()), unix.TCFLSH, unix.TCIFLUSH)
}
