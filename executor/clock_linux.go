package executor

import (
	"time"

	"golang.org/x/sys/unix"
)

func sinceBoot() time.Duration { return clockOf(unix.CLOCK_BOOTTIME) }
