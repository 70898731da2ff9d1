package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Stop ends the daemon of a home, as its own idleness would: commands that run
// are waited for. It returns the process once that has given the home up, and 0
// where none had it.
func Stop(ctx context.Context, home string) (pid int, err error) {
	state, held := lockedBy(home)
	if !held {
		return 0, nil
	}
	if state.pid <= 1 {
		return 0, refusef(CodeUnavailable, "try again in a moment", "a daemon is just starting")
	}
	if err := terminate(state.pid); err != nil {
		return 0, refusef(CodeUnavailable, "", "ending process %d: %v", state.pid, err)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 5*time.Millisecond, 200*time.Millisecond
	for end := time.Now().Add(drainTime + 4*endTime); ; {
		// Without a process, it is on its way out, or another on its way in.
		if now, held := lockedBy(home); !held || now.pid > 1 && now.pid != state.pid {
			return state.pid, nil
		}
		if time.Now().After(end) {
			return 0, refusef(CodeUnavailable, fmt.Sprintf("end it with: kill -9 %d; what it has stored is safe", state.pid),
				"process %d does not end", state.pid)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
