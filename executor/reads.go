package executor

import (
	"sync"
	"time"

	"github.com/cloudops/cloudops/executor/catalog"
)

// allowedByPolicy is the decision on a read that nobody was asked about.
const allowedByPolicy = "allowed by policy (reads: allow)"

const (
	// repeatTime is how long equal reads of one program are one in the log.
	repeatTime = 10 * time.Minute
	// maxRepeats bounds how many reads are told apart.
	maxRepeats = 1000
)

// reads keeps the audit log small where policy allows what is read: such a read
// has two short records, its intent and its outcome, without what it showed; and
// its repeats are counted only. Safe for concurrent use.
type reads struct {
	// ask: policy allows none now.
	ask func() bool

	mu    sync.Mutex
	since map[string]*repeat
	// under are the executions under way: how many repeats their records tell of,
	// or quiet.
	under map[string]int
}

// quiet is an execution without records.
const quiet = -1

// repeat is a read that was recorded.
type repeat struct {
	at    time.Time
	count int
}

// brief makes the record of a read short, and says whether it is left out.
func (r *reads) brief(kind string, x *Execution, now time.Time) (leftOut bool) {
	switch op, ok := catalog.Find(x.Command.Service, x.Command.Operation); {
	case !ok || op.Changes() || !op.Reviewed:
		return false
	case kind == "planned":
		return !r.ask() // whoever is asked after all is told of by the next record
	case x.Decision != allowedByPolicy:
		return false
	case kind == "approved":
		return true
	}
	x.Output, x.Targets = "", nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind != "claimed" {
		n := r.under[x.ID]
		delete(r.under, x.ID)
		x.Repeats = max(n, 0)
		return n == quiet && x.Status == "succeeded"
	}
	name := x.Origin.Executable + "\x00" + x.Command.AccountID + "\x00" + x.Command.Profile + "\x00" + x.Line
	known := r.since[name]
	switch {
	case known != nil && now.Sub(known.at).Abs() < repeatTime:
		known.count++
		r.under[x.ID] = quiet
		return true
	case known != nil:
		x.Repeats, r.under[x.ID] = known.count, known.count
	case len(r.since) >= maxRepeats:
		r.forget(now)
	}
	r.since[name] = &repeat{at: now}
	return false
}

// forget drops what is old, or everything; what was counted stays. mu is held.
func (r *reads) forget(now time.Time) {
	rest := 0
	for name, known := range r.since {
		if now.Sub(known.at).Abs() >= repeatTime || len(r.since) >= maxRepeats {
			rest += known.count
			delete(r.since, name)
		}
	}
	r.since[""] = &repeat{at: now, count: rest}
}

// rest is how many repeats no record tells of yet.
func (r *reads) rest() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.since {
		n += known.count
		known.count = 0
	}
	return n
}
