package main

import (
	"os"

	"golang.org/x/sys/windows"
)

const terminalPath = "CONIN$"

// mute keeps what is typed from being shown, and from waiting for the end of its
// line to be noticed, until it is undone.
func mute(tty *os.File) (undo func() error, err error) {
	console := windows.Handle(tty.Fd())
	var before uint32
	if err := windows.GetConsoleMode(console, &before); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, before&^(windows.ENABLE_ECHO_INPUT|windows.ENABLE_LINE_INPUT)); err != nil {
		return nil, err
	}
	return func() error {
		if err := windows.FlushConsoleInputBuffer(console); err != nil {
			return err
		}
		return windows.SetConsoleMode(console, before)
	}, nil
}

// dropTypeAhead forgets what was typed and not yet read, and says whether there
// was any.
func dropTypeAhead(tty *os.File) (any bool, err error) {
	console := windows.Handle(tty.Fd())
	var n uint32
	if err := windows.GetNumberOfConsoleInputEvents(console, &n); err != nil {
		return false, err
	}
	return n > 0, windows.FlushConsoleInputBuffer(console)
}
