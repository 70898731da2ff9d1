// Package executor turns a command into a plan, puts the plan before a person,
// runs what was approved and records all of it.
//
// The path is Executor.Plan, Executor.Prompt, Prompt.Answer, Executor.Run. A
// command is data (command.go), vetted against the catalog; text from models,
// names, tags and outputs can never widen what runs.
//
// Invariants: only an Approved runs, and only an answer to a Prompt makes one
// (or the read policy, for reviewed metadata reads); an approval is bound to
// one plan digest, expires and is used once; the intent is on disk before AWS
// is called, and a claimed step never reruns by itself.
package executor

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with the reason and what to do.
var (
	// ErrRefused: vetting or policy does not let the command run.
	ErrRefused = errors.New("refused")
	// ErrRejected: the person said no.
	ErrRejected = errors.New("rejected")
	// ErrUndecided: there was no answer that counts, and the plan goes on waiting.
	ErrUndecided = errors.New("undecided")
	// ErrEarly comes with ErrUndecided: the answer came faster than a person reads.
	ErrEarly = errors.New("the answer came faster than a person reads")
	// ErrVoid: the target, identity or plan changed after it was shown.
	ErrVoid = errors.New("approval void")
	// ErrLate: AWS may have the command already.
	ErrLate = errors.New("too late to stop it")
	// ErrNoPlan: no such pending plan; it was decided, or expired.
	ErrNoPlan = errors.New("no such plan")
)

// Always is a policy that does not change.
func (c Config) Always() func() (Config, error) {
	return func() (Config, error) { return c, nil }
}

// Config is the policy for running commands.
type Config struct {
	// Reads is what happens to reviewed metadata reads: allow or ask.
	Reads string `json:"reads,omitempty" yaml:"reads,omitempty"`
	// ReadOnly refuses every operation that changes AWS.
	ReadOnly bool `json:"read_only,omitempty" yaml:"read_only,omitempty"`
}

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	switch c.Reads {
	case "", "allow", "ask":
		return nil
	}
	return fmt.Errorf("reads: %q is neither allow nor ask", c.Reads)
}

// hash identifies the policy in a digest.
func (c Config) hash() string {
	reads := c.Reads
	if reads == "" {
		reads = "allow"
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("policy 1\nreads=%s\nread_only=%t\n", reads, c.ReadOnly)))
	return hex.EncodeToString(sum[:])
}

// Risk is how much a plan could hurt.
type Risk string

// The risk levels, lowest first.
const (
	RiskLow      Risk = "low"
	RiskMedium   Risk = "medium"
	RiskHigh     Risk = "high"
	RiskCritical Risk = "critical"
)

// Grave reports whether a plan of this risk is confirmed once more.
func (r Risk) Grave() bool { return r == RiskHigh || r == RiskCritical }

// Origin is where a command came from; cards show it.
type Origin struct {
	// Session is the daemon's random id of the connection.
	Session string `json:"session"`
	// Kind is editor or terminal.
	Kind string `json:"kind"`
	// PID and Executable are the kernel's word on the peer.
	PID        int    `json:"pid,omitempty"`
	Executable string `json:"executable,omitempty"`
	Workspace  string `json:"workspace,omitempty"`
	// Conversation and Prompt, when a chat turn proposed it.
	Conversation string `json:"conversation,omitempty"`
	Prompt       string `json:"prompt,omitempty"`
}

// Target is one resource that a plan acts on, as described when planned.
type Target struct {
	storage.Key
	Name        string            `json:"name,omitempty"`
	State       string            `json:"state"`
	Tags        map[string]string `json:"tags,omitempty"`
	ImmutableID string            `json:"immutable_id,omitempty"`
	CreatedAt   *time.Time        `json:"created_at,omitempty"`
	// Facts are the named state fields that the approval is bound to.
	Facts map[string]string `json:"facts,omitempty"`
}

// Plan is one command ready to be decided on.
type Plan struct {
	// ID is random.
	ID      string  `json:"id"`
	Command Command `json:"command"`
	// Line is the AWS CLI line that the command equals.
	Line    string   `json:"line"`
	Title   string   `json:"title"`
	Targets []Target `json:"targets"`
	Risk    Risk     `json:"risk"`
	// Reasons say why the risk is what it is.
	Reasons  []string         `json:"reasons"`
	Access   string           `json:"access"`
	Actions  []string         `json:"iam_actions"`
	Effect   string           `json:"effect"`
	Undo     string           `json:"undo,omitempty"`
	Identity session.Identity `json:"identity"`
	Endpoint string           `json:"endpoint,omitempty"`
	Origin   Origin           `json:"origin"`
	Created  time.Time        `json:"created_at"`
	Expires  time.Time        `json:"expires_at"`
	// Digest binds an answer to all of the above that matters.
	Digest string `json:"digest"`
}

// Surface is where a prompt is shown.
type Surface string

// The surfaces. A critical plan is never decided in a message.
const (
	SurfaceMessage Surface = "message"
	// SurfaceCard is a whole card in an editor that has a dialog of its own for
	// what is high or critical.
	SurfaceCard     Surface = "card"
	SurfaceTerminal Surface = "terminal"
)

// Prompt is one question put to one person by the daemon.
type Prompt struct {
	ID   string `json:"id"`
	Plan Plan   `json:"plan"`
	// Run is the only answer that approves this very prompt.
	Run string `json:"run"`
	// Reject is the answer shown first.
	Reject  string  `json:"reject"`
	Surface Surface `json:"surface"`
	// ArmAfterMS is how long the whole card has to be seen before an answer counts,
	// in milliseconds; a sooner one is taken for type-ahead and decides nothing.
	ArmAfterMS int64 `json:"arm_after_ms"`
	// Waiting is how many other plans of the same session wait for a decision.
	Waiting int `json:"waiting,omitempty"`

	asked *asked
}

// Approved is a plan that may run once, until the plan expires. Its zero value
// never runs, and it lives in memory only.
type Approved struct{ grant *grant }

type grant struct {
	owner *Executor
	plan  *pending
	used  atomic.Bool
}

// Execution is what became of a plan: a view of the audit log. The prompt of
// its origin is not recorded, so that deleting a conversation takes it away.
type Execution struct {
	ID       string           `json:"id"`
	PlanID   string           `json:"plan_id"`
	Command  Command          `json:"command"`
	Line     string           `json:"line"`
	Risk     Risk             `json:"risk"`
	Targets  []Target         `json:"targets"`
	Identity session.Identity `json:"identity"`
	Origin   Origin           `json:"origin"`
	// Status is planned, rejected, expired, void, running, succeeded, failed or unknown.
	// Unknown: it was claimed and the daemon ended before the outcome was known.
	Status      string `json:"status"`
	Decision    string `json:"decision,omitempty"`
	StateBefore string `json:"state_before,omitempty"`
	StateAfter  string `json:"state_after,omitempty"`
	Output      string `json:"output,omitempty"`
	Error       string `json:"error,omitempty"`
	// ErrorCode is denied where AWS refused permission.
	ErrorCode string `json:"error_code,omitempty"`
	// Repeats counts the equal reads since the last record of one, which policy
	// allowed and which have no records of their own.
	Repeats  int       `json:"repeats,omitempty"`
	Planned  time.Time `json:"planned_at,omitzero"`
	Started  time.Time `json:"started_at,omitzero"`
	Finished time.Time `json:"finished_at,omitzero"`
}

// Event is progress of a run.
type Event struct {
	Execution string `json:"execution"`
	// Kind is state (Text is a resource state) or output (Text is a line).
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Report is the outcome of checking the audit log.
type Report struct {
	OK      bool   `json:"ok"`
	Records int    `json:"records"`
	Head    string `json:"head"`
	// Anchor says which anchor the head was compared with.
	Anchor   string   `json:"anchor"`
	Problems []string `json:"problems"`
}

// Entry is one audit record, opened.
type Entry struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Kind is planned, approved, rejected, expired, void, claimed, started, finished or local.
	Kind      string     `json:"kind"`
	Execution *Execution `json:"execution,omitempty"`
	// Text is what a local entry says.
	Text     string `json:"text,omitempty"`
	Hash     string `json:"hash"`
	Previous string `json:"previous"`
}

// Executor plans and runs commands. Safe for concurrent use.
type Executor struct {
	policy  func() (Config, error)
	scanner *scanner.Scanner
	estate  *storage.Estate
	log     *audit
	view    *view
	times   times
	reads   reads

	mu      sync.Mutex          // guards what follows
	pending map[string]*pending // by plan id
	// taken are the plans that somebody decided on and that did not end yet.
	taken map[string]*pending
	// acting holds the canonical keys that a run acts on.
	acting   map[string]bool
	running  int
	draining bool
	// idle is closed when draining and nothing runs.
	idle     chan struct{}
	watchers map[chan struct{}]struct{}
}

// times are the clock and the delays.
type times struct {
	clock    Clock
	reading  func(characters int) time.Duration
	validity time.Duration // of a plan
	call     time.Duration // the longest a call to AWS takes
	wait     time.Duration // the longest wait for a state
	poll     time.Duration // the first pause between looks at a state
}

// now is the time of day, for records.
func (t times) now() time.Time { return t.clock.now().wall }

// Settings are what an executor is run with; the zero value is the product's.
type Settings struct {
	// Policy is asked whenever it counts, so that a change is in force at once;
	// nil is the default policy.
	Policy func() (Config, error)
	// Clock and Reading are for tests: the machine's clock, and how long a person
	// needs for a card of so many characters.
	Clock   Clock
	Reading func(characters int) time.Duration
}

// New opens the audit log in the home and returns an executor. Steps that were
// claimed and not finished are recorded as unknown, plans that were not decided
// as expired. An audit log that does not hold is no error: Verify says what is
// wrong with it, what can be read is listed, and nothing runs. Without a scanner
// and an estate, as where the store can't be opened, it serves the log alone.
func New(set Settings, home string, sc *scanner.Scanner, estate *storage.Estate, keys *seal.Keys) (*Executor, error) {
	if keys == nil || (sc == nil) != (estate == nil) {
		return nil, errors.New("starting the executor: it needs keys, and a scanner and an estate or neither")
	}
	e := &Executor{
		policy: set.Policy, scanner: sc, estate: estate, view: newView(),
		times: times{clock: set.Clock, reading: set.Reading, validity: AskTime,
			call: 2 * time.Minute, wait: 15 * time.Minute, poll: 500 * time.Millisecond},
		reads:   reads{since: map[string]*repeat{}, under: map[string]int{}},
		pending: map[string]*pending{}, taken: map[string]*pending{},
		acting: map[string]bool{}, watchers: map[chan struct{}]struct{}{},
	}
	e.reads.ask = func() bool { return !e.MayRead() }
	if e.times.clock.Wall == nil {
		e.times.clock = system()
	}
	if e.times.reading == nil {
		e.times.reading = Reading
	}
	e.log = openAudit(home, keys, time.Now(), e.view.note)
	e.settle()
	return e, nil
}

// settle records what became of the executions that the last daemon left open.
func (e *Executor) settle() {
	open, err := e.log.read(e.view.open()...)
	if err != nil {
		return
	}
	for _, entry := range open {
		if entry.Execution == nil {
			continue
		}
		x, kind := *entry.Execution, "expired"
		switch entry.Kind {
		case "claimed":
			kind, x.Status = "finished", "unknown"
			x.Error = "the daemon ended before AWS answered: the call may or may not have reached AWS; look at the resource before trying again"
		case "started":
			kind, x.Status = "finished", "unknown"
			x.Error = "AWS took the command; the daemon ended before the outcome was seen"
		default:
			x.Status = "expired"
			if x.Error == "" {
				x.Error = "the daemon was restarted before it ran, so nothing was run; an approval does not outlive the daemon"
			}
		}
		x.Finished = e.times.now()
		if e.record(kind, x) != nil {
			return
		}
	}
}

// record makes a step durable and tells the watchers.
func (e *Executor) record(kind string, x Execution) error {
	x.Origin.Prompt = ""
	if e.reads.brief(kind, &x, e.times.now()) {
		e.changed()
		return nil
	}
	entry, at, err := e.log.append(content{Time: e.times.now(), Kind: kind, Execution: &x})
	if err != nil {
		return err
	}
	e.view.note(entry, at)
	e.changed()
	return nil
}

// usable is nil, or why nothing may be planned, approved or run.
func (e *Executor) usable() error {
	if e.scanner == nil {
		return refuse("nothing runs while the store can't be opened")
	}
	if err := e.log.usable(); err != nil {
		return refuse("nothing runs without an audit log: %v", err)
	}
	return nil
}

// Pending lists the plans that wait for a decision, oldest first.
func (e *Executor) Pending() []Plan {
	e.mu.Lock()
	defer e.mu.Unlock()
	plans := []Plan{}
	for _, p := range e.pending {
		if p.recorded && !e.times.clock.passed(p.expires) {
			plans = append(plans, p.plan)
		}
	}
	slices.SortFunc(plans, func(a, b Plan) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return plans
}

// Executions lists them, newest first; conversation "" means all, limit 0 all.
// Of a damaged audit log it lists what can be read.
func (e *Executor) Executions(conversation string, limit int) ([]Execution, error) {
	entries, err := e.log.read(e.view.newest(conversation, limit)...)
	if err != nil {
		return nil, fmt.Errorf("listing executions: %w", err)
	}
	list := make([]Execution, 0, len(entries))
	for _, entry := range entries {
		if entry.Execution != nil {
			list = append(list, *entry.Execution)
		}
	}
	return list, nil
}

// Execution finds one by its id, or by its plan's.
func (e *Executor) Execution(id string) (Execution, error) {
	at, ok := e.view.find(id)
	if !ok {
		return Execution{}, fmt.Errorf("execution %s: %w", show(id), storage.ErrNotFound)
	}
	entries, err := e.log.read(at)
	if err != nil {
		return Execution{}, fmt.Errorf("finding an execution: %w", err)
	}
	if len(entries) == 0 || entries[0].Execution == nil {
		return Execution{}, fmt.Errorf("execution %s: its audit record is damaged: %w", show(id), storage.ErrCorrupt)
	}
	return *entries[0].Execution, nil
}

// Audit lists the newest entries in order; limit 0 means all.
func (e *Executor) Audit(limit int) ([]Entry, error) {
	entries, err := e.log.entries(limit)
	if err != nil {
		return nil, fmt.Errorf("listing the audit log: %w", err)
	}
	return entries, nil
}

// MayRead reports whether policy lets metadata of AWS be read without asking.
func (e *Executor) MayRead() bool {
	policy, _ := e.rules()
	return policy.Reads != "ask"
}

// rules is the policy that counts now. While it can't be read, why comes with it:
// then nothing that changes AWS runs, and each read is asked for.
func (e *Executor) rules() (policy Config, why error) {
	if e.policy != nil {
		policy, why = e.policy()
	}
	if why == nil {
		why = policy.Validate()
	}
	if why != nil {
		return Config{Reads: "ask", ReadOnly: true}, why
	}
	return policy, nil
}

// PolicyProblem is why the policy is not known, so that nothing that changes AWS
// runs; "" where it is known.
func (e *Executor) PolicyProblem() string {
	if _, why := e.rules(); why != nil {
		return "nothing changes AWS, since the policy is not known: " + why.Error()
	}
	return ""
}

// forbids is why the policy keeps an operation from running, nil if it does not.
func forbids(policy Config, why error, name string, changes bool) error {
	switch {
	case !policy.ReadOnly || !changes:
		return nil
	case why != nil:
		return refuse("%s changes AWS, and nothing does until config.yaml can be read again, since its policy is not known: %v", name, why)
	}
	return refuse("read_only is set in config.yaml, and %s changes AWS", name)
}

// AuditProblem is why the audit log does not hold, so that nothing runs; "" where
// it holds. It notices what was done to the file since.
func (e *Executor) AuditProblem() string {
	if err := e.log.usable(); err != nil {
		return err.Error()
	}
	return ""
}

// Verify checks the audit log's chain and anchor.
func (e *Executor) Verify() (Report, error) { return e.log.verify(), nil }

// Watch yields a token whenever pending plans or executions changed, coalesced.
func (e *Executor) Watch() (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watchers[c] = struct{}{}
	return c, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watchers, c)
	}
}

func (e *Executor) changed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Drain refuses new approvals and waits until what runs is finished. Plans that
// wait are recorded as expired.
func (e *Executor) Drain(ctx context.Context) error {
	e.mu.Lock()
	e.draining = true
	if e.idle == nil {
		e.idle = make(chan struct{})
		if e.running == 0 {
			close(e.idle)
		}
	}
	idle := e.idle
	waiting := make([]string, 0, len(e.pending))
	for id := range e.pending {
		waiting = append(waiting, id)
	}
	e.mu.Unlock()
	for _, id := range waiting {
		e.expire(id, "the daemon ended before a decision, so nothing was run")
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for running commands: %w", ctx.Err())
	}
}

// Close lets go of the audit log. What still runs can no longer record its
// outcome, so Drain first.
func (e *Executor) Close() error {
	e.mu.Lock()
	e.draining = true
	for _, p := range e.pending {
		if p.recorded {
			p.disarm()
		}
	}
	e.mu.Unlock()
	if n := e.reads.rest(); n > 0 { // they ran, whether or not this can be told
		_, _, _ = e.log.append(content{Time: e.times.now(), Kind: "local", Text: fmt.Sprintf("reads that policy allowed and that equalled recorded ones: %d more", n)})
	}
	if err := e.log.close(); err != nil {
		return fmt.Errorf("closing the audit log: %w", err)
	}
	return nil
}

// random is n random bytes in hex.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}
