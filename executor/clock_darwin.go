package executor

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot goes on in sleep there, unlike Go's own clock.
func sinceBoot() time.Duration { return clockOf(unix.CLOCK_MONOTONIC) }
