//go:build unix

package lsp

import (
	"errors"
	"syscall"
)

// alive says whether a process exists, also one of another user.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
