//go:build !linux && !darwin && !windows

package executor

import "time"

func sinceBoot() time.Duration { return time.Since(started) }
