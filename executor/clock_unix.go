//go:build linux || darwin

package executor

import (
	"time"

	"golang.org/x/sys/unix"
)

func clockOf(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return time.Since(started)
	}
	return time.Duration(t.Nano())
}
