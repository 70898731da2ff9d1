package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/storage"
)

// ProposeParams asks for a plan: a whole command line as Argv, or Verb on the
// resource that Identifier names (which must be one).
type ProposeParams struct {
	Argv       []string `json:"argv,omitempty"`
	Verb       string   `json:"verb,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	// Profile, when Argv is set: the profile to run it with.
	Profile string `json:"profile,omitempty"`
}

// ProposeResult is a plan that waits, or, for a read that policy allows, the
// execution that it became.
type ProposeResult struct {
	Plan      executor.Plan       `json:"plan"`
	Execution *executor.Execution `json:"execution,omitempty"`
}

func (p ProposeParams) validate() error {
	total := 0
	for _, a := range p.Argv {
		total += len(a)
	}
	byVerb := p.Verb != "" || p.Identifier != ""
	switch {
	case total > maxText:
		return wire.Invalid(`"argv" is too long`)
	case len(p.Argv) > 0 && byVerb:
		return wire.Invalid(`"argv" excludes "verb" and "identifier"`)
	case len(p.Argv) == 0 && (p.Verb == "" || p.Identifier == ""):
		return wire.Invalid(`either "argv" or both "verb" and "identifier" are needed`)
	}
	return nil
}

var NoteExecutionOutput = note[executor.Event]("cloudops/execution/output",
	"A step of a command that this session runs.")

var NoteExecutionChanged = note[none]("cloudops/execution/changed",
	"Plans or executions are others than they were.")

var ExecutionPropose = request("cloudops/execution/propose", proposes|forwarded|command, needStore|needScanner|needExecutor,
	"Plans a command. Reads that the policy allows run at once; all else waits for a person.", executionPropose,
	texts("argv", 1000, maxText), text("verb", 64), text("identifier", maxToken), text("profile", 1024))

// executionPropose plans a command. Reads that the policy allows run at once;
// all else waits for a person.
func executionPropose(ctx context.Context, x *session, p *Parts, params ProposeParams) (ProposeResult, error) {
	who, err := x.client(p)
	if err != nil {
		return ProposeResult{}, err
	}
	command, err := proposed(p, params)
	if err != nil {
		return ProposeResult{}, err
	}
	plan, err := p.Executor.Plan(ctx, who, command, x.origin())
	if err != nil {
		return ProposeResult{}, err
	}
	approved, err := p.Executor.AllowRead(plan.ID)
	if errors.Is(err, executor.ErrRefused) {
		return ProposeResult{Plan: plan}, nil
	}
	if err != nil {
		return ProposeResult{}, err
	}
	done, err := p.Executor.Run(ctx, approved, func(e executor.Event) { NoteExecutionOutput.to(x.conn, "", e) })
	if err != nil {
		return ProposeResult{}, err
	}
	return ProposeResult{Plan: plan, Execution: &done}, nil
}

// proposed is the command meant: a whole line, or a verb on one resource. Which
// profile reaches the resource's account is left to the executor.
func proposed(p *Parts, params ProposeParams) (executor.Command, error) {
	if len(params.Argv) > 0 {
		c, err := executor.Parse(params.Argv)
		if err != nil {
			return executor.Command{}, err
		}
		if c.Profile == "" {
			c.Profile = params.Profile
		}
		return c, nil
	}
	r, err := one(p, params.Identifier)
	if err != nil {
		return executor.Command{}, err
	}
	c, err := executor.For(params.Verb, r.Type, r.ID)
	if err != nil {
		return executor.Command{}, err
	}
	c.AccountID, c.Region, c.Profile = r.AccountID, r.Region, params.Profile
	return c, nil
}

// one is the only resource that an identifier names.
func one(p *Parts, identifier string) (storage.Record, error) {
	found := p.Store.Estate.Find(identifier)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return storage.Record{}, absent(identifier, unseen(p, identifier))
	}
	const most = 20
	var names []string
	for _, r := range found[:min(len(found), most)] {
		names = append(names, r.Key.Canonical())
	}
	if len(found) > most {
		names = append(names, fmt.Sprintf("and %d more", len(found)-most))
	}
	return storage.Record{}, refusef(CodeRefused, "name one of them in full",
		"%q names %d resources: %s", identifier, len(found), strings.Join(names, ", "))
}

// DecideParams asks for a decision on a plan. Decision "ask" puts the card
// before the person at this connection; "reject" needs no prompt. "stop" keeps a
// plan that was just approved from being run; the error that it is answered with
// says whether it came in time, and a plan that nobody decided on goes on waiting.
type DecideParams struct {
	Plan     string `json:"plan"`
	Decision string `json:"decision"`
	Reason   string `json:"reason,omitempty"`
}

// DecideResult is what became of the plan.
type DecideResult struct {
	Execution executor.Execution `json:"execution"`
}

var ExecutionDecide = request("cloudops/execution/decide", forwarded, needExecutor,
	"Puts a plan before the person at this connection and runs it if they approve, rejects it, or stops it.", executionDecide,
	needed("plan", maxToken), oneOf("decision", "ask", "reject", "stop"), text("reason", maxText))

// executionDecide rejects a plan, keeps an approved one from running, or puts
// one before the person at this very connection and runs it if they approve.
func executionDecide(ctx context.Context, x *session, p *Parts, params DecideParams) (DecideResult, error) {
	switch params.Decision {
	case "reject":
		if err := p.Executor.Reject(params.Plan, params.Reason); err != nil {
			return DecideResult{}, ended(p, params.Plan, err)
		}
		done, err := decided(p, params.Plan)
		if err != nil {
			return DecideResult{}, err
		}
		x.server.recordTurn(p, done)
		return DecideResult{Execution: done}, nil
	case "stop":
		return DecideResult{}, x.stop(p, params.Plan)
	}
	x.mu.Lock()
	interactive, surface := x.interactive, executor.SurfaceMessage
	switch {
	case x.kind == "editor" && x.cards:
		surface = executor.SurfaceCard
	case x.kind == "terminal":
		// A script may say that it is one; the kernel knows better.
		interactive, surface = interactive && x.peer.terminal, executor.SurfaceTerminal
	}
	x.mu.Unlock()
	if !interactive {
		return DecideResult{}, refusef(CodeRefused, "decide it in an editor, or at a terminal with: cloudops approvals",
			"nobody can be asked at this connection")
	}
	approved, err := x.ask(ctx, p.Executor, params.Plan, surface)
	if err != nil {
		// What another client decided is told by its own request.
		done, lookErr := decided(p, params.Plan)
		if lookErr == nil && (!errors.Is(err, executor.ErrNoPlan) || done.Status == "expired") && done.Status != "planned" {
			x.server.recordTurn(p, done)
		}
		return DecideResult{}, ended(p, params.Plan, err)
	}
	// From here on it runs whether or not the client stays, unless the request
	// itself is taken back before AWS is called.
	x.server.enter()
	defer x.server.leave()
	defer context.AfterFunc(ctx, func() {
		if x.conn.Context().Err() == nil {
			_ = p.Executor.Stop(params.Plan, "stopped before AWS was called")
		}
	})()
	done, err := p.Executor.Run(x.server.work, approved, func(e executor.Event) { NoteExecutionOutput.to(x.conn, "", e) })
	if err != nil {
		return DecideResult{}, err
	}
	x.server.recordTurn(p, done)
	return DecideResult{Execution: done}, nil
}

// mostAsked is how often a plan is put before a person in a row whose answers
// come faster than anybody reads.
const mostAsked = 3

// ask puts a plan before the person at this connection. No answer, an error or
// a hang-up decides nothing, nor do answers that come too fast: the plan goes on
// waiting.
func (x *session) ask(ctx context.Context, ex *executor.Executor, plan string, on executor.Surface) (executor.Approved, error) {
	if on == executor.SurfaceMessage {
		// A message stands alone: what waits behind another is not seen.
		var done func()
		ctx, done = x.standing.replace(ctx)
		defer done()
	}
	for asked := 1; ; asked++ {
		prompt, err := ex.Prompt(plan, on)
		if err != nil {
			return executor.Approved{}, err
		}
		approved, err := x.put(ctx, ex, prompt)
		switch {
		case !errors.Is(err, executor.ErrUndecided):
			return approved, err
		case errors.Is(err, executor.ErrEarly) && asked < mostAsked:
			continue
		case errors.Is(context.Cause(ctx), errNewer):
			err = fmt.Errorf("%w: %w", executor.ErrUndecided, errNewer)
		}
		return approved, refusef(CodeUndecided, waitsUntil(prompt.Plan), "%v", err)
	}
}

// waitsUntil says what can be done about a plan that nobody decided on.
func waitsUntil(p executor.Plan) string {
	return fmt.Sprintf("%s waits until %s; decide it at a terminal with `cloudops approvals`, or propose it again",
		p.Title, p.Expires.Local().Format("15:04:05"))
}

// PromptResult is the person's answer: a title of the prompt, or "" where they
// closed the question. A client that can't ask answers with an error instead,
// which decides nothing, and the plan goes on waiting.
type PromptResult struct {
	Title  string `json:"title"`
	Digest string `json:"digest"`
	// Reason is why it was rejected, in the person's words, if given.
	Reason string `json:"reason,omitempty"`
}

var Prompt = question[executor.Prompt, PromptResult]("cloudops/prompt",
	"Puts a plan before the person at this connection. Only its answer approves.")

// put asks one question and takes its one answer.
func (x *session) put(ctx context.Context, ex *executor.Executor, prompt *executor.Prompt) (executor.Approved, error) {
	asking, cancel := prompt.Until(ctx)
	defer cancel()
	answer, err := Prompt.Call(asking, x.conn, *prompt)
	if err != nil {
		if asking.Err() != nil {
			return prompt.Answer(asking, "", "") // it is over, which is for the executor to say
		}
		prompt.Withdraw()
		return executor.Approved{}, fmt.Errorf("%w: nobody could be asked here", executor.ErrUndecided)
	}
	if answer.Title == prompt.Reject && answer.Reason != "" {
		if err := ex.Reject(prompt.Plan.ID, answer.Reason); err != nil {
			return executor.Approved{}, err
		}
		return executor.Approved{}, fmt.Errorf("%w, for a reason", executor.ErrRejected)
	}
	// With ctx ended, whoever answered is not there to see it run: no approval.
	return prompt.Answer(ctx, answer.Title, answer.Digest)
}

// errNewer is why a standing question was taken back.
var errNewer = errors.New("a newer proposal is asked about now, and this one waits")

// standing is the one question that a session shows as a message.
type standing struct {
	mu sync.Mutex // guards what follows
	// withdraw takes it back; nil where none stands.
	withdraw *context.CancelCauseFunc
}

// replace takes the standing question back, and is the context of the one that
// stands in its place until done.
func (s *standing) replace(ctx context.Context) (own context.Context, done func()) {
	own, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.withdraw != nil {
		(*s.withdraw)(errNewer)
	}
	s.withdraw = &cancel
	return own, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.withdraw == &cancel {
			s.withdraw = nil
		}
		cancel(nil)
	}
}

// stop keeps an approved plan from running. Its error says what became of it;
// that it was stopped is one too, since nothing ran.
func (x *session) stop(p *Parts, plan string) error {
	err := p.Executor.Stop(plan, "stopped before AWS was called")
	switch {
	case err == nil:
		return refusef(CodeCancelled, "", "stopped: AWS was not called, and nothing ran")
	case errors.Is(err, executor.ErrUndecided):
		for _, waiting := range p.Executor.Pending() {
			if waiting.ID == plan {
				return refusef(CodeUndecided, waitsUntil(waiting), "%v", err)
			}
		}
	case errors.Is(err, executor.ErrNoPlan):
		if done, lookErr := decided(p, plan); lookErr == nil {
			return refusef(CodeLate, "look at it with: cloudops executions", "it ended before it could be stopped: %s", done.Status)
		}
	}
	return err
}

// decided finds what became of a plan.
func decided(p *Parts, plan string) (executor.Execution, error) {
	// It was pending a moment ago, and pending plans are few.
	all, err := p.Executor.Executions("", 1000)
	if err != nil {
		return executor.Execution{}, err
	}
	for _, e := range all {
		if e.PlanID == plan {
			return e, nil
		}
	}
	return executor.Execution{}, fmt.Errorf("finding the plan's record: %w", executor.ErrNoPlan)
}

// ended adds to an error for a plan that waits no more what became of it, such
// as that the daemon was restarted while its card stood open.
func ended(p *Parts, plan string, err error) error {
	if !errors.Is(err, executor.ErrNoPlan) {
		return err
	}
	x, looking := decided(p, plan)
	if looking != nil {
		return err
	}
	why := x.Status
	if x.Error != "" {
		why += ": " + x.Error
	}
	return fmt.Errorf("%w: its record says %s", executor.ErrNoPlan, why)
}

// recordTurn tells the plan's conversation; that it cannot undoes nothing.
func (s *server) recordTurn(p *Parts, e executor.Execution) {
	if e.Origin.Conversation == "" || p.Agent == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.Agent.Record(ctx, e); err != nil {
		s.log.Error("recording an execution in its conversation", "code", int(toWire(err).Code))
	}
}

// PendingResult is the queue of plans, oldest first.
type PendingResult struct {
	Plans []executor.Plan `json:"plans"`
}

var ExecutionPending = request("cloudops/execution/pending", reads|forwarded|command, needExecutor,
	"Lists the plans that wait for a decision, the oldest first.", executionPending)

func executionPending(ctx context.Context, x *session, p *Parts, _ none) (PendingResult, error) {
	return PendingResult{Plans: p.Executor.Pending()}, nil
}

// ExecutionListParams narrows the list.
type ExecutionListParams struct {
	Conversation string `json:"conversation_id,omitempty"`
	Limit        int    `json:"limit,omitempty"`
}

// ExecutionListResult lists executions, newest first.
type ExecutionListResult struct {
	Executions []executor.Execution `json:"executions"`
	// Problem is why the audit log, of which this is a view, does not hold.
	Problem string `json:"problem,omitempty"`
}

var ExecutionList = request("cloudops/execution/list", reads|forwarded|command, needExecutor,
	"Lists what ran, or was decided on, the newest first.", executionList,
	text("conversation_id", maxToken), number("limit", endless))

func executionList(ctx context.Context, x *session, p *Parts, params ExecutionListParams) (ExecutionListResult, error) {
	list, err := p.Executor.Executions(params.Conversation, params.Limit)
	if err != nil {
		return ExecutionListResult{}, err
	}
	return ExecutionListResult{Executions: list, Problem: p.Executor.AuditProblem()}, nil
}

// AuditParams limits the entries to the newest; 0 means all.
type AuditParams struct {
	Limit int `json:"limit,omitempty"`
}

// AuditResult lists audit entries in order.
type AuditResult struct {
	Entries []executor.Entry `json:"entries"`
	// Problem is why the log does not hold, so that nothing runs.
	Problem string `json:"problem,omitempty"`
}

var ExecutionAudit = request("cloudops/execution/audit", reads|forwarded, needExecutor,
	"Returns the entries of the audit log, in order.", audit,
	number("limit", endless))

func audit(ctx context.Context, x *session, p *Parts, params AuditParams) (AuditResult, error) {
	entries, err := p.Executor.Audit(params.Limit)
	if err != nil {
		return AuditResult{}, err
	}
	return AuditResult{Entries: entries, Problem: p.Executor.AuditProblem()}, nil
}

var ExecutionVerify = request("cloudops/execution/verify", reads|forwarded, needExecutor,
	"Checks the whole audit log.", auditVerify)

func auditVerify(ctx context.Context, x *session, p *Parts, _ none) (executor.Report, error) {
	return p.Executor.Verify()
}
