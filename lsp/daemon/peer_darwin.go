package daemon

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel (LOCAL_PEERCRED, LOCAL_PEERPID).
func peerOf(c *net.UnixConn) (uid int, p peer, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, peer{}, err
	}
	var cred *unix.Xucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if credErr == nil {
			p.pid, _ = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	}); err != nil {
		return 0, peer{}, err
	}
	if credErr != nil {
		return 0, peer{}, credErr
	}
	if proc, err := unix.SysctlKinfoProc("kern.proc.pid", p.pid); err == nil {
		p.terminal = proc.Eproc.Tdev != -1
	}
	return int(cred.Uid), p, nil
}
