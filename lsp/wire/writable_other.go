//go:build !linux

package wire

import "syscall"

const pipeBuf = 512 // what POSIX promises

// writable reports whether pipeBuf bytes can be written without waiting, which
// is not known here.
func writable(syscall.RawConn) bool { return false }
