package executor

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time twice. A machine that sleeps and a person who sets the
// time can each make one of the two stand still, so a deadline has passed when
// either says so.
type Clock struct {
	// Wall is the time of day.
	Wall func() time.Time
	// Boot is the time since the machine started, its sleep included.
	Boot func() time.Duration
}

// system is the machine's own clock.
func system() Clock { return Clock{Wall: time.Now, Boot: sinceBoot} }

// started stands for the start of the machine where that can't be asked for.
var started = time.Now()

// instant is a point in time on both clocks.
type instant struct {
	wall time.Time
	boot time.Duration
}

func (c Clock) now() instant {
	// Round takes off Go's own reading of a clock that sleeps with the machine.
	return instant{c.Wall().Round(0), c.Boot()}
}

func (m instant) add(d time.Duration) instant { return instant{m.wall.Add(d), m.boot + d} }

// left is how long it is until m; not positive once either clock is there.
func (c Clock) left(m instant) time.Duration {
	now := c.now()
	return min(m.wall.Sub(now.wall), m.boot-now.boot)
}

func (c Clock) passed(m instant) bool { return c.left(m) <= 0 }

// tick is how often a deadline is compared with the clocks: timers sleep with
// the machine, too.
const tick = 500 * time.Millisecond

// after calls f in a goroutine of its own once m has passed, unless it is
// stopped before.
func (c Clock) after(m instant, f func()) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		timer := time.NewTimer(min(tick, c.left(m)))
		defer timer.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-timer.C:
			}
			left := c.left(m)
			if left <= 0 {
				f()
				return
			}
			timer.Reset(min(tick, left))
		}
	}()
	return sync.OnceFunc(func() { close(stopped) })
}

// until is a context that ends when m has passed.
func (c Clock) until(ctx context.Context, m instant) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := c.after(m, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
