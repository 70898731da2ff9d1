//go:build !linux

package endpoint

import (
	"os/exec"
	"syscall"
)

// tied does nothing where the system can't tie a child to its parent.
func tied() *syscall.SysProcAttr { return nil }

// startTied starts a program and waits for it.
func startTied(cmd *exec.Cmd, started, ended chan<- error) {
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}
