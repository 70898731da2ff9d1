package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/executor/runner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
)

// Run describes the targets again, records the intent, calls AWS, waits for
// the state and refreshes the estate. The error is for what kept it from
// starting (ErrVoid, and the approval is spent); a call that AWS refused is a
// failed Execution. Once AWS was called, cancelling ctx only ends the wait.
func (e *Executor) Run(ctx context.Context, a Approved, report func(Event)) (Execution, error) {
	if a.grant == nil || a.grant.owner != e {
		return Execution{}, fmt.Errorf("%w: this is no approval of this daemon", ErrVoid)
	}
	if !a.grant.used.CompareAndSwap(false, true) {
		return Execution{}, fmt.Errorf("%w: an approval runs once", ErrVoid)
	}
	p := a.grant.plan
	if err := e.begin(p); err != nil {
		return e.void(p, err)
	}
	defer e.finish(p)
	from, err := e.check(ctx, p)
	if err == nil {
		err = e.commit(p)
	}
	if err != nil {
		return e.void(p, err)
	}
	x := p.exec
	x.Status, x.Started = "running", e.times.now()
	if err := e.record("claimed", x); err != nil {
		// It may be in the log, so say in the log that nothing was done.
		x.Status, x.Finished, x.Error = "failed", e.times.now(), "nothing was sent to AWS: the intent could not be recorded safely"
		_ = e.record("finished", x)
		return x, refuse("nothing was sent to AWS, since the intent could not be recorded: %v", err)
	}
	r := run{e: e, p: p, from: from, x: x, report: report}
	r.do(ctx)
	r.x.Finished = e.times.now()
	if err := e.record("finished", r.x); err != nil {
		r.note("the outcome could not be recorded: " + err.Error())
	}
	return r.x, nil
}

// begin takes the targets of a change for itself.
func (e *Executor) begin(p *pending) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining {
		return errors.New("the daemon is ending; ask for a new plan in a moment")
	}
	if p.op.Changes() {
		for _, t := range p.plan.Targets {
			if e.acting[t.Canonical()] {
				return fmt.Errorf("another command acts on %s right now; look again when it is done", t.ID)
			}
		}
		for _, t := range p.plan.Targets {
			e.acting[t.Canonical()] = true
		}
	}
	e.running++
	return nil
}

func (e *Executor) finish(p *pending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.op.Changes() {
		for _, t := range p.plan.Targets {
			delete(e.acting, t.Canonical())
		}
	}
	delete(e.taken, p.plan.ID)
	if e.running--; e.running == 0 && e.idle != nil {
		close(e.idle)
	}
}

// commit is the last moment in which a plan can be stopped.
func (e *Executor) commit(p *pending) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p.stopped != "" {
		return errors.New(p.stopped)
	}
	p.called = true
	return nil
}

// Stop keeps an approved plan from running. Nil is the word that AWS was not
// called and will not be. ErrLate means that AWS may have the command,
// ErrUndecided that nobody approved the plan, which goes on waiting, and
// ErrNoPlan that it ended before.
func (e *Executor) Stop(planID, why string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch p := e.taken[planID]; {
	case p == nil:
	case p.called:
		return fmt.Errorf("%w: AWS has the command already and goes on with it; `cloudops executions` shows how it ends", ErrLate)
	default:
		p.stopped = cut(why, 500)
		return nil
	}
	if _, err := e.waiting(planID); err != nil {
		return err
	}
	return fmt.Errorf("%w: nothing ran", ErrUndecided)
}

// void records that an approval came to nothing.
func (e *Executor) void(p *pending, why error) (Execution, error) {
	x, err := e.end(p, "void", why.Error())
	return x, errors.Join(fmt.Errorf("%w: %w", ErrVoid, why), err)
}

// check makes sure that everything is still as it was approved, and opens the
// session that runs it.
func (e *Executor) check(ctx context.Context, p *pending) (*session.Session, error) {
	if e.times.clock.passed(p.expires) {
		return nil, errors.New("it expired before it ran; ask for a new plan")
	}
	policy, why := e.rules()
	if err := forbids(policy, why, p.op.Name, p.op.Changes()); err != nil {
		return nil, err
	}
	if policy.hash() != p.bound.policy {
		return nil, errors.New("the policy in config.yaml changed since it was shown; ask for a new plan")
	}
	from, err := p.who.Open(p.plan.Command.Profile, p.plan.Command.Region)
	var id session.Identity
	if err == nil {
		id, err = from.IdentityNow(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("asking AWS again who runs it: %w", err)
	}
	fresh := p.plan
	fresh.Identity, fresh.Endpoint = id, id.Endpoint
	fresh.Identity.Profile = p.plan.Identity.Profile
	if p.op.Changes() {
		if fresh.Targets, err = e.describe(ctx, from, p.op, p.plan.Command); err != nil {
			return nil, fmt.Errorf("describing the target again: %w", err)
		}
		fresh.Risk, fresh.Reasons = judge(p.op, p.plan.Command.Parameters, fresh.Targets)
	}
	if fresh.digest(p.bound) != p.plan.Digest {
		return nil, errors.New(difference(p.plan, fresh))
	}
	return from, nil
}

// difference says in words what changed since a plan was shown.
func difference(was, is Plan) string {
	var all []string
	say := func(what, a, b string) {
		if a != b {
			all = append(all, fmt.Sprintf("%s was %s and is %s", what, orNone(a), orNone(b)))
		}
	}
	say("the account", was.Identity.AccountID, is.Identity.AccountID)
	say("the caller", was.Identity.ARN, is.Identity.ARN)
	say("the source of the credentials", was.Identity.Source, is.Identity.Source)
	say("the partition", was.Identity.Partition, is.Identity.Partition)
	say("the endpoint", was.Endpoint, is.Endpoint)
	for i, a := range was.Targets {
		if i >= len(is.Targets) {
			break
		}
		b := is.Targets[i]
		if a.ImmutableID != b.ImmutableID || a.ARN != b.ARN || moment(a.CreatedAt) != moment(b.CreatedAt) {
			all = append(all, fmt.Sprintf("%s is another resource now: the one shown was made %s, this one %s", a.ID,
				orNone(moment(a.CreatedAt)), orNone(moment(b.CreatedAt))))
			continue
		}
		say("the state of "+a.ID, a.State, b.State)
		say("the name of "+a.ID, a.Name, b.Name)
		for _, k := range either(a.Facts, b.Facts) {
			say(strings.ReplaceAll(k, "_", " ")+" of "+a.ID, a.Facts[k], b.Facts[k])
		}
		for _, k := range either(a.Tags, b.Tags) {
			say("the tag "+show(k)+" of "+a.ID, a.Tags[k], b.Tags[k])
		}
	}
	say("the risk", string(was.Risk), string(is.Risk))
	if all == nil {
		return "something changed since it was shown; ask for a new plan"
	}
	return "since it was shown, " + strings.Join(all, "; ") + "; ask for a new plan"
}

// either lists the names of both, in order.
func either(a, b map[string]string) []string {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, b)
	return slices.Sorted(maps.Keys(names))
}

func orNone(s string) string {
	if s == "" {
		return "not there"
	}
	return show(s)
}

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// run is one execution under way.
type run struct {
	e      *Executor
	p      *pending
	from   *session.Session
	x      Execution
	report func(Event)
}

func (r *run) event(kind, text string) {
	if r.report != nil {
		r.report(Event{Execution: r.x.ID, Kind: kind, Text: text})
	}
}

func (r *run) note(text string) {
	if r.x.Error != "" {
		text = r.x.Error + "; " + text
	}
	r.x.Error = text
}

// do calls AWS and sees the outcome. Everything it finds out is in r.x.
func (r *run) do(ctx context.Context) {
	e, p := r.e, r.p
	// A client that goes away must not make the outcome of the call unknown.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.times.call)
	out, err := runner.Call(call, r.from.Config(), p.op.Operation, p.plan.Command.Parameters)
	cancel()
	if err != nil {
		r.failed(ctx, err)
		return
	}
	r.x.Output = out
	r.x.Status = "succeeded"
	if p.op.Changes() {
		if err := e.record("started", r.x); err != nil {
			r.note("its start could not be recorded: " + err.Error())
		}
		r.x.StateAfter = r.wait(ctx)
	}
	for line := range strings.SplitSeq(out, "\n") {
		if line != "" {
			r.event("output", line)
		}
	}
}

// failed puts the error of a call into words.
func (r *run) failed(ctx context.Context, err error) {
	r.x.Status = "failed"
	r.x.Error = err.Error()
	var called *runner.Error
	if !errors.As(err, &called) {
		return
	}
	said := called.Message
	if called.Code != "" {
		said = called.Code + ": " + said
	}
	p := session.Explain(err)
	switch called.Kind {
	case runner.Denied:
		r.x.ErrorCode = "denied"
		if p.Hint != "" { // a permission is not what is missing
			r.x.Error = p.Message + "; " + p.Hint
			break
		}
		r.x.Error = fmt.Sprintf("AWS denied it: %s needs %s; ask whoever manages its policies (%s)",
			r.x.Identity.ARN, strings.Join(r.p.plan.Actions, " and "), said)
	case runner.Credentials:
		r.x.Error = p.Message + "; " + p.Hint
	case runner.Throttled:
		r.x.Error = "AWS did nothing, since there were too many calls; try again in a moment (" + said + ")"
	case runner.Unsent:
		r.x.Error = "nothing was sent to AWS: " + said
	case runner.Refused:
		r.x.Error = "AWS refused it: " + said
	case runner.Ambiguous:
		r.x.Status = "unknown"
		r.x.Error = "AWS gave no clear answer, so it may have done it; look at the state before trying again (" + said + ")"
	}
	if r.p.op.Changes() && (called.Kind == runner.Ambiguous || called.Kind == runner.Refused) {
		r.x.StateAfter = r.look(ctx)
	}
}

// look reads the targets' states once and brings the estate up to date.
func (r *run) look(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	now := slices.Clone(r.p.plan.Targets)
	for i := range now {
		now[i].State = services.StateUnknown
		if res, err := r.e.scanner.Refresh(ctx, r.from, now[i].Key); err == nil {
			now[i].State = res.State
		} else if errors.Is(err, session.ErrGone) {
			now[i].State = "gone"
		}
	}
	return states(now)
}

// progress is how far one target is.
type progress struct {
	// began is the state that the command found it in.
	began, state string
	// moved: it was seen in a state that is neither where it began nor where it ends.
	moved bool
	// settled counts the looks in a row that found it done.
	settled int
	done    bool
	failed  string
}

// see takes in a state that was read.
func (p *progress) see(op call, state string) {
	p.state = state
	switch {
	case state == services.StateUnknown:
		// It says nothing of where the target is.
	case slices.Contains(op.does.Done, state) || op.does.Settles && state == p.began:
		p.settled++
		p.done = !op.does.Settles || p.settled > 1 || p.moved
		return
	case slices.Contains(op.does.Failed, state):
		p.failed = "it is " + state
	case slices.Contains(op.does.From, state):
		if p.moved {
			p.failed = "it went back to " + state
		}
	default:
		p.moved = true
	}
	p.settled = 0
}

// wait looks at the targets until each is where the operation leads, and
// returns their states. What keeps one from getting there goes into r.x.
func (r *run) wait(ctx context.Context) string {
	op, targets := r.p.op, r.p.plan.Targets
	if op.does.Done == nil {
		return r.look(ctx)
	}
	limit, cancel := context.WithTimeout(ctx, r.e.times.wait)
	defer cancel()
	at := make([]progress, len(targets))
	for i, t := range targets {
		at[i].began = t.State
	}
	pause := r.e.times.poll
	var trouble error
	for {
		open := 0
		for i, t := range targets {
			if at[i].done || at[i].failed != "" {
				continue
			}
			res, err := r.e.scanner.Describe(limit, r.from, t.Key)
			switch {
			case errors.Is(err, session.ErrGone):
				at[i].state, at[i].failed = "gone", "AWS says that it is gone"
			case err != nil:
				trouble = err // it may pass
			default:
				trouble = nil
				before := at[i].state
				if at[i].see(op, res.State); before != res.State {
					r.moved(t, res.State)
				}
			}
			if !at[i].done && at[i].failed == "" {
				open++
			}
		}
		if open == 0 {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			pause = min(pause*3/2, 10*time.Second)
			continue
		case <-limit.Done():
			timer.Stop()
		}
		if ctx.Err() != nil {
			r.note("AWS took the command and goes on with it; only the waiting was cancelled")
		} else {
			r.x.Status = "unknown"
			r.note(fmt.Sprintf("AWS took the command, but %s later it is not done; look at the state", r.e.times.wait))
		}
		if trouble != nil {
			r.note("the last look at the state failed: " + trouble.Error())
		}
		break
	}
	for i, t := range targets {
		if at[i].failed != "" {
			r.x.Status = "failed"
			r.note(fmt.Sprintf("AWS took the command, but %s did not get to %s: %s", t.ID, strings.Join(op.does.Done, " or "), at[i].failed))
		}
	}
	return r.look(ctx)
}

// moved tells of a new state.
func (r *run) moved(t Target, state string) {
	if len(r.p.plan.Targets) > 1 {
		state = t.ID + ": " + state
	}
	r.event("state", state)
}
