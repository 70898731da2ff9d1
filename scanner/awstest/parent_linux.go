package awstest

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child with its parent, even on kill -9.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
