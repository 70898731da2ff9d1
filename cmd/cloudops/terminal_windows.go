package main

import (
	"os"

	"golang.org/x/sys/windows"
)

const terminalPath = "CONIN$"

// dropTypeAhead forgets what was typed and not yet read.
func dropTypeAhead(tty *os.File) error {
	return windows.FlushConsoleInputBuffer(windows.Handle(tty.Fd()))
}
