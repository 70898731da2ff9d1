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
	"context"
	"errors"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with the reason and what to do.
var (
	// ErrRefused: vetting or policy does not let the command run.
	ErrRefused = errors.New("refused")
	// ErrRejected: the person said no, or did not answer in time.
	ErrRejected = errors.New("rejected")
	// ErrVoid: the target, identity or plan changed after it was shown.
	ErrVoid = errors.New("approval void")
	// ErrNoPlan: no such pending plan; it was decided, or expired.
	ErrNoPlan = errors.New("no such plan")
)

// Config is the policy for running commands.
type Config struct {
	// Reads is what happens to reviewed metadata reads: allow or ask.
	Reads string `json:"reads,omitempty" yaml:"reads,omitempty"`
	// ReadOnly refuses every operation that changes AWS.
	ReadOnly bool `json:"read_only,omitempty" yaml:"read_only,omitempty"`
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
	Identity scanner.Identity `json:"identity"`
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
	SurfaceMessage  Surface = "message"
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
	// ArmAfter is how long answers are taken for type-ahead and do not approve.
	ArmAfter time.Duration `json:"-"`
}

// Approved is a plan that may run once. Its zero value never runs.
type Approved struct{}

// Execution is what became of an approved plan: a view of the audit log.
type Execution struct {
	ID       string           `json:"id"`
	PlanID   string           `json:"plan_id"`
	Command  Command          `json:"command"`
	Line     string           `json:"line"`
	Risk     Risk             `json:"risk"`
	Targets  []Target         `json:"targets"`
	Identity scanner.Identity `json:"identity"`
	Origin   Origin           `json:"origin"`
	// Status is planned, rejected, expired, void, running, succeeded, failed or unknown.
	// Unknown: it was claimed and the daemon ended before the outcome was known.
	Status      string    `json:"status"`
	Decision    string    `json:"decision,omitempty"`
	StateBefore string    `json:"state_before,omitempty"`
	StateAfter  string    `json:"state_after,omitempty"`
	Output      string    `json:"output,omitempty"`
	Error       string    `json:"error,omitempty"`
	Planned     time.Time `json:"planned_at,omitzero"`
	Started     time.Time `json:"started_at,omitzero"`
	Finished    time.Time `json:"finished_at,omitzero"`
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
	Hash      string     `json:"hash"`
	Previous  string     `json:"previous"`
}

// Executor plans and runs commands. Safe for concurrent use.
type Executor struct{}

// New opens the audit log in the home and returns an executor. Steps that were
// claimed and not finished are recorded as unknown.
func New(cfg Config, home string, sc *scanner.Scanner, estate *storage.Estate, keys *seal.Keys) (*Executor, error) {
	return nil, errors.ErrUnsupported
}

// Plan vets a command, describes its targets and judges the risk.
func (e *Executor) Plan(ctx context.Context, env scanner.Environment, c Command, o Origin) (Plan, error) {
	return Plan{}, errors.ErrUnsupported
}

// Pending lists the plans that wait for a decision, oldest first.
func (e *Executor) Pending() []Plan { return nil }

// Prompt opens the question for a plan on a surface.
func (e *Executor) Prompt(planID string, on Surface) (*Prompt, error) {
	return nil, errors.ErrUnsupported
}

// Answer takes the person's answer and the digest shown with it. Anything but
// the exact run title, in time and after arming, is ErrRejected, and decides
// the plan.
func (p *Prompt) Answer(ctx context.Context, title, digest string) (Approved, error) {
	return Approved{}, errors.ErrUnsupported
}

// AllowRead approves a plan by policy: reviewed metadata reads only.
func (e *Executor) AllowRead(planID string) (Approved, error) {
	return Approved{}, errors.ErrUnsupported
}

// Reject decides a plan without a prompt.
func (e *Executor) Reject(planID, reason string) error { return errors.ErrUnsupported }

// Run describes the targets again, records the intent, calls AWS, waits for
// the state and refreshes the estate. The error is for what kept it from
// starting; a call that AWS refused is a failed Execution.
func (e *Executor) Run(ctx context.Context, a Approved, report func(Event)) (Execution, error) {
	return Execution{}, errors.ErrUnsupported
}

// Executions lists them, newest first; conversation "" means all, limit 0 all.
func (e *Executor) Executions(conversation string, limit int) ([]Execution, error) {
	return nil, errors.ErrUnsupported
}

// Audit lists the newest entries in order; limit 0 means all.
func (e *Executor) Audit(limit int) ([]Entry, error) { return nil, errors.ErrUnsupported }

// Verify checks the audit log's chain and anchor.
func (e *Executor) Verify() (Report, error) { return Report{}, errors.ErrUnsupported }

// Watch yields a token whenever pending plans or executions changed, coalesced.
func (e *Executor) Watch() (changes <-chan struct{}, stop func()) { return nil, func() {} }

// Drain refuses new approvals and waits until what runs is finished.
func (e *Executor) Drain(ctx context.Context) error { return nil }
