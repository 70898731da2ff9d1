package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/executor/runner"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

const (
	maxPerSession  = 20
	maxPerResource = 5
)

// pending is a plan that nobody decided on yet. Whoever takes it out of
// Executor.pending owns it.
type pending struct {
	plan  Plan
	op    call
	who   *session.Client
	bound bound
	exec  Execution
	// expires is the plan's Expires on both clocks.
	expires instant
	// What follows is guarded by Executor.mu. Before recorded is set the plan
	// only holds its place; asking counts the open prompts; disarm stops its expiry.
	recorded bool
	asking   int
	disarm   func()
	// gone is closed once somebody decided.
	gone chan struct{}
	// stopped is why an approved plan must not run any more; called: AWS may have
	// the command.
	stopped string
	called  bool
}

// Changes reports whether the command changes AWS.
func (p Plan) Changes() bool { return p.Access != string(catalog.AccessList) }

// Plan vets a command, describes its targets and judges the risk. Besides
// ErrRefused its errors are the session's: session.ErrGone says that AWS has no
// such resource, and where it looked.
//
// A plan waits for five minutes. A newer plan for the same command by the same
// identity takes its place, unless a person is being asked about it elsewhere.
func (e *Executor) Plan(ctx context.Context, who *session.Client, c Command, o Origin) (Plan, error) {
	if err := e.ready(); err != nil {
		return Plan{}, err
	}
	c, err := Vet(c)
	if err != nil {
		return Plan{}, err
	}
	op, err := operation(c)
	if err != nil {
		return Plan{}, err
	}
	policy, why := e.rules()
	if err := forbids(policy, why, op.Name, op.Changes()); err != nil {
		return Plan{}, err
	}
	build, err := runner.Build()
	if err != nil {
		return Plan{}, fmt.Errorf("planning: %w", err)
	}
	from, c, id, err := e.identify(ctx, who, c)
	if err != nil {
		return Plan{}, err
	}
	targets, err := e.describe(ctx, from, op, c)
	if err != nil {
		return Plan{}, err
	}
	for _, t := range targets {
		if err := sensible(op, c, t); err != nil {
			return Plan{}, err
		}
	}
	now := e.times.clock.now()
	p := &pending{op: op, who: who, bound: bound{runner.Name, build, catalog.Version() + aws.Kinds().Version(), policy.hash()}, expires: now.add(e.times.validity), gone: make(chan struct{})}
	p.plan = Plan{
		ID: random(16), Command: c, Line: c.String(), Title: title(op, targets), Targets: targets,
		Access: string(op.Access), Actions: actions(op, c), Effect: op.does.Effect,
		Identity: id, Endpoint: id.Endpoint, Origin: o, Created: now.wall, Expires: p.expires.wall,
	}
	if undo, ok := c.Inverse(); ok {
		p.plan.Undo = undo.String()
	}
	p.plan.Risk, p.plan.Reasons = judge(op, c.Parameters, targets)
	p.plan.Digest = p.plan.digest(p.bound)
	p.exec = Execution{
		ID: random(16), PlanID: p.plan.ID, Command: c, Line: p.plan.Line, Risk: p.plan.Risk, Targets: targets,
		Identity: id, Origin: o, Status: "planned", StateBefore: states(targets), Planned: now.wall,
	}
	if err := e.add(p); err != nil {
		return Plan{}, err
	}
	return p.plan, nil
}

// ready is nil, or why nothing is planned or approved now.
func (e *Executor) ready() error {
	if err := e.usable(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining {
		return errEnding()
	}
	return nil
}

func errEnding() error { return refuse("this daemon is ending; try again in a moment") }

// identify settles the profile, region and account of a command, and opens the
// session that would run it.
func (e *Executor) identify(ctx context.Context, who *session.Client, c Command) (*session.Session, Command, session.Identity, error) {
	none := session.Identity{}
	profile, region := who.Named()
	c.Region = cmp.Or(c.Region, region)
	if c.Profile == "" {
		c.Profile = profile
		if c.AccountID != "" {
			of, err := who.ForAccount(ctx, c.AccountID)
			if err != nil {
				return nil, c, none, fmt.Errorf("finding a profile for account %s: %w", c.AccountID, err)
			}
			c.Profile = of.Profile
		}
	}
	from, err := who.Open(c.Profile, c.Region)
	id := none
	if err == nil {
		id, err = from.IdentityNow(ctx)
	}
	if err != nil {
		return nil, c, none, fmt.Errorf("asking AWS who would run it: %w", err)
	}
	c.Region = from.Region
	if !kind.RegionShaped(c.Region) {
		return nil, c, none, refuse("no region is known for it; say --region, such as --region us-west-2")
	}
	if c.AccountID != "" && c.AccountID != id.AccountID {
		return nil, c, none, refuse("the command is for account %s, but profile %s is of account %s; choose a profile of that account",
			c.AccountID, show(c.Profile), id.AccountID)
	}
	c.AccountID = id.AccountID
	return from, c, id, nil
}

// describe reads the targets of a command from AWS, in the command's order: who
// runs the command looks at its targets too.
func (e *Executor) describe(ctx context.Context, from *session.Session, op call, c Command) ([]Target, error) {
	ids, _ := c.Parameters[op.Target].([]string)
	if id, ok := c.Parameters[op.Target].(string); ok {
		ids = []string{id}
	}
	targets := make([]Target, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, id := range ids {
		g.Go(func() error {
			r, err := e.scanner.Describe(ctx, from, storage.Key{Type: op.does.Type, ID: id, AccountID: c.AccountID, Region: c.Region})
			if errors.Is(err, session.ErrGone) {
				return e.missing(op, c, id)
			}
			if err != nil {
				return fmt.Errorf("describing %s: %w", id, err)
			}
			targets[i] = target(r)
			return nil
		})
	}
	return targets, g.Wait()
}

// missing says where a resource was looked for, and where it may be instead.
func (e *Executor) missing(op call, c Command, id string) error {
	hint := ""
	for _, r := range e.estate.Find(id) {
		switch {
		case r.Type == op.does.Type && (r.AccountID != c.AccountID || r.Region != c.Region):
			hint = fmt.Sprintf("; the last scan saw one in %s of account %s", r.Region, r.AccountID)
		case r.Type != op.does.Type && r.AccountID == c.AccountID && hint == "":
			hint = fmt.Sprintf("; the last scan saw %s of that name in %s", show(aws.Kinds().Label(r.Type).Article()), r.Region)
		}
	}
	return fmt.Errorf("%w: no %s %s in %s of account %s%s", session.ErrGone,
		aws.Kinds().Label(op.does.Type).One, id, c.Region, c.AccountID, hint)
}

// target is what a plan keeps of a resource: what its card shows and its
// approval is bound to.
func target(r storage.Resource) Target {
	all := r.Facts()
	facts := kind.Facts(r.Constraints)
	if k := aws.Kinds().Of(r.Type); k != nil {
		for _, name := range k.Bound() {
			if v, ok := all[name]; ok {
				facts[name] = v
			}
		}
	}
	return Target{Key: r.Key(), Name: r.Name, State: r.State, Tags: r.Tags, ImmutableID: r.ImmutableID, CreatedAt: r.CreatedAt, Facts: facts}
}

// view is what rules ask for.
func (t Target) view() kind.View { return kind.View{State: t.State, Tags: t.Tags, Facts: t.Facts} }

// states is the state of one target, or of each.
func states(targets []Target) string {
	if len(targets) == 1 {
		return targets[0].State
	}
	all := make([]string, len(targets))
	for i, t := range targets {
		all[i] = t.ID + ": " + t.State
	}
	return strings.Join(all, ", ")
}

// sensible refuses early what AWS would refuse, or what would do nothing.
func sensible(op call, c Command, t Target) error {
	if !op.Changes() {
		return nil
	}
	where := fmt.Sprintf("%s in %s of account %s", t.ID, t.Region, t.AccountID)
	force, _ := c.Parameters["force"].(bool)
	if force && op.does.Verb == kind.Stop && t.State == "stopping" {
		return nil // it hangs, and this is the way out
	}
	p := possible(op.does.Kind, op.does.Action, t.view())
	switch {
	case p.already:
		return refuse("%s is already %s; there is nothing to do", where, t.State)
	case p.Can == No && p.Instead != "":
		return refuse("AWS would not %s %s: %s: %s", p.Verb, where, p.Why, p.Instead)
	case p.Can == No:
		return refuse("AWS would not %s %s: %s", p.Verb, where, p.Why)
	case op.does.From != nil && !slices.Contains(op.does.From, t.State):
		return refuse("%s: its state is not known, and AWS can %s it only when it is %s", where, p.Verb, strings.Join(op.does.From, " or "))
	}
	return nil
}

func actions(op call, c Command) []string {
	all := slices.Clone(op.Actions)
	for _, p := range op.Parameters {
		if _, given := c.Parameters[p.Name]; given {
			all = append(all, p.Actions...)
		}
	}
	return all
}

// Inverse is the command that undoes this one, if one does.
func (c Command) Inverse() (Command, bool) {
	op, err := operation(c)
	if err != nil || op.does.Undo == nil {
		return Command{}, false
	}
	back, ok := op.does.Kind.Action(op.does.Undo.Is)
	if !ok {
		return Command{}, false
	}
	undo := c
	undo.Operation = back.Operation
	undo.Parameters = maps.Clone(c.Parameters)
	maps.DeleteFunc(undo.Parameters, func(name string, _ any) bool { return name != op.Target })
	return undo, true
}

// add records a plan and lets it wait.
func (e *Executor) add(p *pending) error {
	older, err := e.admit(p)
	if err != nil {
		return err
	}
	for _, id := range older {
		e.expire(id, "a newer plan for the same command took its place")
	}
	err = e.record("planned", p.exec)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		delete(e.pending, p.plan.ID)
		return refuse("the plan could not be recorded: %v", err)
	}
	p.recorded = true
	p.disarm = e.times.clock.after(p.expires, func() { e.expire(p.plan.ID, "nobody decided in time") })
	return nil
}

// admit reserves a place for p and lists the plans that it replaces, or refuses
// it when too many wait.
func (e *Executor) admit(p *pending) (older []string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining {
		return nil, errEnding()
	}
	session, resource := 0, map[string]int{}
	for id, q := range e.pending {
		own := q.plan.Origin.Session == p.plan.Origin.Session
		if q.recorded && (own || q.asking == 0) && q.plan.Line == p.plan.Line && q.plan.Identity.ARN == p.plan.Identity.ARN {
			older = append(older, id)
			continue
		}
		if own {
			session++
		}
		for _, t := range q.plan.Targets {
			resource[t.Canonical()]++
		}
	}
	if session >= maxPerSession {
		return nil, refuse("%d plans of this session wait for a decision already; decide on them first, for example with `cloudops approvals`", session)
	}
	for _, t := range p.plan.Targets {
		if n := resource[t.Canonical()]; n >= maxPerResource {
			return nil, refuse("%d plans for %s wait for a decision already; decide on them first, for example with `cloudops approvals`", n, t.ID)
		}
	}
	e.pending[p.plan.ID] = p
	return older, nil
}

// waiting finds a plan that can be decided on. The caller holds mu.
func (e *Executor) waiting(id string) (*pending, error) {
	p := e.pending[id]
	if p == nil || !p.recorded {
		return nil, fmt.Errorf("%w: it was decided, replaced, or it expired; ask for a new one", ErrNoPlan)
	}
	return p, nil
}

// take hands a waiting plan to the caller, who alone decides on it.
func (e *Executor) take(id string) (*pending, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.waiting(id)
	if err != nil {
		return nil, err
	}
	delete(e.pending, id)
	e.taken[id] = p
	p.disarm()
	close(p.gone)
	return p, nil
}

// expire ends a plan that nobody decided on.
func (e *Executor) expire(id, why string) {
	p, err := e.take(id)
	if err != nil {
		return
	}
	_, _ = e.end(p, "expired", why) // if that fails, the next start records it
}

// end records that a plan will not run.
func (e *Executor) end(p *pending, kind, why string) (Execution, error) {
	defer e.forget(p)
	x := p.exec
	x.Status, x.Finished, x.Error = kind, e.times.now(), why
	if err := e.record(kind, x); err != nil {
		return x, refuse("the decision could not be recorded: %v", err)
	}
	return x, nil
}

// Selected voids what a session proposed for another profile than the one that it
// selected now, unless AWS has it already, and returns what it voided while it
// waited.
func (e *Executor) Selected(session, profile string) (void []Execution) {
	why := "profile " + show(profile) + " was selected after it was shown; ask for a new plan"
	other := func(p *pending) bool {
		return p.plan.Origin.Session == session && p.plan.Command.Profile != profile
	}
	e.mu.Lock()
	for _, p := range e.taken {
		if other(p) && !p.called {
			p.stopped = why
		}
	}
	var waiting []string
	for id, p := range e.pending {
		if p.recorded && other(p) {
			waiting = append(waiting, id)
		}
	}
	e.mu.Unlock()
	for _, id := range waiting {
		if p, err := e.take(id); err == nil {
			if x, err := e.end(p, "void", why); err == nil {
				void = append(void, x)
			}
		}
	}
	return void
}

// forget lets go of a plan that was taken.
func (e *Executor) forget(p *pending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.taken, p.plan.ID)
}

// title says in a few words what a plan does. Only ids stand in it: names are
// for anybody to choose.
func title(op call, targets []Target) string {
	if len(targets) != 1 {
		return op.Name
	}
	return op.does.Verb.Title() + " " + targets[0].ID
}
