package executor

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
)

// asked is the daemon's side of a prompt.
type asked struct {
	Question
	owner *Executor
	gone  <-chan struct{}
	used  atomic.Bool
}

// Prompt opens the question for a plan on a surface. Each prompt has a run
// title of its own and takes one answer.
func (e *Executor) Prompt(planID string, on Surface) (*Prompt, error) {
	if err := e.ready(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.waiting(planID)
	if err != nil {
		return nil, err
	}
	switch on {
	case SurfaceTerminal, SurfaceCard:
	case SurfaceMessage:
		if p.plan.Risk == RiskCritical {
			return nil, refuse("a critical plan is not decided in a message; run `cloudops approvals` in a terminal")
		}
	default:
		return nil, refuse("nobody can be asked on the surface %s", show(string(on)))
	}
	q := &Prompt{
		ID: random(16), Plan: p.plan, Reject: "Reject", Surface: on,
		Run:   fmt.Sprintf("Run: %s (%s)", p.plan.Title, random(3)),
		asked: &asked{owner: e, gone: p.gone, Question: e.times.question(p.plan.length(), p.expires)},
	}
	q.ArmAfterMS = q.asked.Reading().Milliseconds()
	for id, other := range e.pending {
		if id != planID && other.recorded && other.plan.Origin.Session == p.plan.Origin.Session {
			q.Waiting++
		}
	}
	p.asking++
	return q, nil
}

// length is about how many characters a card of the plan has.
func (p Plan) length() int {
	b, err := json.Marshal(p)
	if err != nil {
		return 1 << 20 // the longest time, to be safe
	}
	return len(b)
}

// Until is a context that ends when the plan expires, or was decided elsewhere.
func (p *Prompt) Until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := p.asked.Until(ctx)
	go func() {
		select {
		case <-p.asked.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Withdraw uses the prompt up without an answer; its plan goes on waiting.
func (p *Prompt) Withdraw() {
	if p.asked.used.CompareAndSwap(false, true) {
		_ = p.asked.owner.closed(p.Plan.ID, nil)
	}
}

// Answer takes the person's answer and the digest shown with it. The reject
// title decides at any time, all else once the card could be read: the exact run
// title approves, and anything else is a rejection (ErrRejected). What comes
// sooner is taken for type-ahead (ErrEarly), and what comes when ctx has ended
// for nobody's (ErrUndecided): it uses the prompt up and leaves the plan waiting.
// A digest of another plan voids this one (ErrVoid). Of several answers to one
// plan the first counts (ErrNoPlan).
func (p *Prompt) Answer(ctx context.Context, title, digest string) (Approved, error) {
	if p == nil || p.asked == nil {
		return Approved{}, fmt.Errorf("%w: the daemon did not open this prompt", ErrRejected)
	}
	q, e := p.asked, p.asked.owner
	if !q.used.CompareAndSwap(false, true) {
		return Approved{}, fmt.Errorf("%w: this prompt was answered already", ErrNoPlan)
	}
	rejects := title == p.Reject
	run := subtle.ConstantTimeCompare([]byte(title), []byte(p.Run)) == 1
	switch {
	case rejects, e.times.clock.passed(q.ends):
	case ctx.Err() != nil:
		return Approved{}, e.closed(p.Plan.ID, fmt.Errorf("%w: the question was taken back before it was answered", ErrUndecided))
	case q.Early():
		return Approved{}, e.closed(p.Plan.ID, fmt.Errorf("%w: %w, so it was not taken", ErrUndecided, ErrEarly))
	}
	if run {
		if err := e.ready(); err != nil {
			return Approved{}, e.closed(p.Plan.ID, err)
		}
	}
	taken, err := e.take(p.Plan.ID)
	if err != nil {
		return Approved{}, err
	}
	switch {
	case e.times.clock.passed(taken.expires):
		_, err := e.end(taken, "expired", "nobody decided in time")
		return Approved{}, errors.Join(fmt.Errorf("%w: it expired before the answer; ask for a new one", ErrNoPlan), err)
	case !run:
		why := "rejected " + p.where()
		switch {
		case title == "":
			why = "dismissed " + p.where()
		case !rejects:
			why = "answered " + p.where() + " with something else than its choices"
		}
		return Approved{}, e.rejected(taken, why)
	case p.Surface == SurfaceMessage && taken.plan.Risk == RiskCritical:
		return Approved{}, e.rejected(taken, "a critical plan is not decided in a message")
	case subtle.ConstantTimeCompare([]byte(digest), []byte(taken.plan.Digest)) != 1 || taken.plan.digest(taken.bound) != taken.plan.Digest:
		_, err := e.end(taken, "void", "the answer was for something else than this plan")
		return Approved{}, errors.Join(fmt.Errorf("%w: the answer was for something else than this plan; ask for a new one", ErrVoid), err)
	}
	return e.grant(taken, "approved "+p.where())
}

// closed notes that a prompt was used up and its plan goes on waiting, which is
// why; or ErrNoPlan, where the plan is decided.
func (e *Executor) closed(id string, why error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.waiting(id)
	if err != nil {
		return err
	}
	p.asking--
	return why
}

func (p *Prompt) where() string {
	switch p.Surface {
	case SurfaceTerminal:
		return "on a terminal"
	case SurfaceCard:
		return "on a card"
	}
	return "in a message"
}

// AllowRead approves a plan by policy: reviewed metadata reads only, unless the
// policy is to ask (ErrRefused, and the plan goes on waiting).
func (e *Executor) AllowRead(planID string) (Approved, error) {
	if err := e.ready(); err != nil {
		return Approved{}, err
	}
	e.mu.Lock()
	p, err := e.waiting(planID)
	e.mu.Unlock()
	if err != nil {
		return Approved{}, err
	}
	if p.op.Changes() || !p.op.Reviewed {
		return Approved{}, refuse("%s is not among the reads that policy can allow; a person decides", p.op.Name)
	}
	if !e.MayRead() {
		return Approved{}, refuse("reads are to be asked for (reads: ask in config.yaml)")
	}
	if p, err = e.take(planID); err != nil {
		return Approved{}, err
	}
	return e.grant(p, allowedByPolicy)
}

// Reject decides a plan without a prompt.
func (e *Executor) Reject(planID, reason string) error {
	p, err := e.take(planID)
	if err != nil {
		return err
	}
	why := "rejected"
	if reason != "" {
		why += ": " + cut(reason, 500)
	}
	if err := e.rejected(p, why); !errors.Is(err, ErrRejected) {
		return err
	}
	return nil
}

// rejected records a rejection; its error is ErrRejected, unless that failed.
func (e *Executor) rejected(p *pending, why string) error {
	p.exec.Decision = why
	if _, err := e.end(p, "rejected", ""); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrRejected, why)
}

// grant records an approval and makes it.
func (e *Executor) grant(p *pending, decision string) (Approved, error) {
	p.exec.Decision = decision
	if err := e.record("approved", p.exec); err != nil {
		e.forget(p)
		return Approved{}, refuse("the approval could not be recorded: %v", err)
	}
	return Approved{&grant{owner: e, plan: p}}, nil
}

// cut bounds a text.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
