package daemon

import (
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel (SO_PEERCRED).
func peerOf(c *net.UnixConn) (uid int, p peer, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, peer{}, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, peer{}, err
	}
	if credErr != nil {
		return 0, peer{}, credErr
	}
	p.pid = int(cred.Pid)
	// The path stays empty when the process is gone or hidden.
	p.executable, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", cred.Pid))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cred.Pid))
	p.terminal = err == nil && hasTerminal(string(stat))
	return int(cred.Uid), p, nil
}

// hasTerminal reads the device of the controlling terminal out of a process's
// stat. The program's name, in parentheses, may hold anything.
func hasTerminal(stat string) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const device = 4 // after state, parent, group and session
	return len(fields) > device && fields[device] != "0"
}
