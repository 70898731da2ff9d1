package wire

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeBuf is how many bytes can be written where anything can: PIPE_BUF.
const pipeBuf = 4096

// writable reports whether pipeBuf bytes can be written without waiting.
func writable(file syscall.RawConn) bool {
	ready := false
	err := file.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, 0)
		ready = err == nil && n == 1 && fds[0].Revents == unix.POLLOUT
	})
	return err == nil && ready
}
