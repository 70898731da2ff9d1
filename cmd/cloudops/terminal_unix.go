//go:build !windows

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

const terminalPath = "/dev/tty"

// mute keeps what is typed from being shown, and from waiting for the end of its
// line to be noticed, until it is undone. Ctrl-C goes on to work.
func mute(tty *os.File) (undo func() error, err error) {
	fd := int(tty.Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, err
	}
	muted := *before
	muted.Lflag &^= unix.ICANON | unix.ECHO
	muted.Cc[unix.VMIN], muted.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &muted); err != nil {
		return nil, err
	}
	return func() error { return unix.IoctlSetTermios(fd, setTermiosFlush, before) }, nil
}

// dropTypeAhead forgets what was typed and not yet read, and says whether there
// was any; of a terminal that is not muted it sees whole lines only.
func dropTypeAhead(tty *os.File) (any bool, err error) {
	n, err := unix.IoctlGetInt(int(tty.Fd()), countInput)
	if err != nil {
		return false, err
	}
	return n > 0, dropInput(int(tty.Fd()))
}
