package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/scanner/session"
)

const (
	// mostLive is how many resources AWS is asked for in one turn.
	mostLive = 5
	// liveTime is how long a turn waits for AWS before it goes by what is stored.
	liveTime = 4 * time.Second
	// StateGone is the state of a resource that AWS, asked just now, has no more.
	StateGone = prompt.StateGone
)

// live asks AWS how the resources are now whose state a prompt asks for, and
// brings the estate up to date with the answers. Where AWS can't be asked, what
// is stored stays, and the mention says why.
func (a *Agent) live(ctx context.Context, m Message, f *identified) {
	if len(f.resources) == 0 || !prompt.AsksState(prompt.Split(m.Prompt)) {
		return
	}
	why := ""
	switch {
	case len(f.resources) > mostLive || len(f.omitted) > 0:
		why = fmt.Sprintf("AWS was not asked: it is asked for at most %d resources at once", mostLive)
	case !a.executor.MayRead():
		why = "AWS was not asked: the policy is to ask before each read"
	}
	if why != "" {
		for i := range f.resources {
			f.resources[i].unasked = why
		}
		return
	}
	asking, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	var all sync.WaitGroup
	for i := range f.resources {
		all.Go(func() { a.askLive(asking, m.Client, &f.resources[i]) })
	}
	all.Wait()
}

func (a *Agent) askLive(ctx context.Context, who *session.Client, m *mention) {
	from, err := who.ForAccount(ctx, m.AccountID)
	if err == nil {
		_, err = a.scanner.Refresh(ctx, from, m.Key)
	}
	switch {
	case errors.Is(err, session.ErrGone):
		m.live, m.State = true, StateGone
	case ctx.Err() != nil:
		m.unasked = fmt.Sprintf("AWS did not answer within %d s", liveTime/time.Second)
	case err != nil:
		m.unasked = "AWS did not tell: " + session.Explain(err).Message
	default:
		m.live = true
		if r, ok := a.byKey(m.Canonical()); ok {
			m.Record = r
		}
	}
}
