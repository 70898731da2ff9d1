package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/backend/builtin"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// seeded is a fresh estate in AWS, and a home that has not scanned it.
func seeded(t *testing.T) (e *awstest.Estate, home string) {
	t.Helper()
	server := awstest.Shared(t)
	home = testHome(t)
	e, err := server.Seed(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return e, home
}

// begun is when these tests were.
var begun = time.Now()

// realParts opens what the product opens.
func realParts(home string) func(context.Context) (*Parts, error) {
	return partsWith(home, executor.Settings{Reading: reading})
}

func partsWith(home string, set executor.Settings) func(context.Context) (*Parts, error) {
	return func(ctx context.Context) (*Parts, error) {
		keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key")})
		if err != nil {
			return nil, err
		}
		store, err := storage.Open(ctx, storage.Config{DataPath: filepath.Join(home, "data")}, keys, services.Kinds())
		if err != nil {
			return nil, err
		}
		sc, err := scanner.New(scanner.Config{Regions: []string{awstest.West, awstest.East, awstest.EmptyRegion}}, store.Estate, keys)
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		ex, err := executor.New(set, home, sc, store.Estate, keys)
		if err != nil {
			return nil, errors.Join(err, store.Close())
		}
		return &Parts{
			Store: store, Scanner: sc, Executor: ex, StoreID: keys.StoreID(), Keys: keys,
			Agent: agent.New(agent.Config{UserID: "u"}, store, sc, ex, builtin.New(store.Estate, sc)),
			Close: func() error { return errors.Join(ex.Close(), store.Close()) },
		}, nil
	}
}

// notes collects what a client was told.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) add(method string, params []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, method+" "+string(params))
}

func (n *notes) have(parts ...string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.all, func(s string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(s, p) })
	})
}

// call fails the test unless the request succeeds.
func call[R any](t *testing.T, c *Client, method string, params any) (r R) {
	t.Helper()
	if err := c.Call(t.Context(), method, params, &r); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return r
}

// refused fails the test unless the request fails with the code and words.
func refused(t *testing.T, c *Client, code int, words, method string, params any) {
	t.Helper()
	var e *Error
	if err := c.Call(t.Context(), method, params, nil); !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, words) {
		t.Fatalf("%s: %v (%+v), want code %d saying %q", method, err, e, code, words)
	}
}

// reading is how long a person of these tests needs for a card.
func reading(int) time.Duration { return 100 * time.Millisecond }

// long are cards that take so long to read, once it is set, that every answer
// comes too early, on the busiest machine.
type long struct{ atomic.Bool }

func (l *long) parts(home string) func(context.Context) (*Parts, error) {
	return partsWith(home, executor.Settings{Reading: func(characters int) time.Duration {
		if l.Load() {
			return time.Hour
		}
		return reading(characters)
	}})
}

// approve is a person who reads the card before they run it.
func approve(_ context.Context, p executor.Prompt) (PromptResult, error) {
	<-time.After(time.Duration(p.ArmAfterMS) * time.Millisecond)
	return PromptResult{Title: p.Run, Digest: p.Plan.Digest}, nil
}

func scanned(t *testing.T, c *Client) scanner.Result {
	t.Helper()
	return call[scanner.Result](t, c, EstateScan.Name, ScanParams{Token: "scan-1"})
}

func TestAnEstateIsScannedAndAnswered(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	var heard notes
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Note: heard.add})
	if h := c.Hello(); len(h.Problems) != 0 || h.StoreID == "" {
		t.Fatalf("hello: %+v", h)
	}
	refused(t, c, CodeNotFound, "nothing was scanned yet", EstateGet.Name, GetParams{Identifier: awstest.MainDB})

	r := scanned(t, c)
	if r.Resources == 0 || !heard.have(NoteProgress.Name, `"token":"scan-1"`) {
		t.Fatalf("scan: %+v, notes %q", r, heard.all)
	}
	eventually(t, "the change is told", func() bool { return heard.have(NoteEstateChanged.Name) })

	got := call[ResolveResult](t, c, EstateResolve.Name, ResolveParams{Tokens: []string{awstest.MainDB, "nothing-of-ours", e.WebWest}})
	if len(got.Records) != 2 || got.Records[awstest.MainDB][0].Type != "rds_instance" || got.Records[awstest.MainDB][0].LastSynced.IsZero() {
		t.Errorf("resolve: %+v", got)
	}
	found := call[SearchResult](t, c, EstateSearch.Name, SearchParams{Filter: storage.Filter{Type: "rds_instance", Region: awstest.West}, Limit: 1})
	if found.Mode != "words" || len(found.Resources) != 1 || found.Total < 3 {
		t.Errorf("search: %+v", found)
	}
	status := call[StatusResult](t, c, EstateStatus.Name, nil)
	if status.Resources != r.Resources || status.Scanning || len(status.Shards) == 0 {
		t.Errorf("status: %+v, after %+v", status, r)
	}
	for _, live := range []bool{false, true} {
		g := call[GetResult](t, c, EstateGet.Name, GetParams{Identifier: awstest.MainDB, Live: live})
		if len(g.Resources) != 1 || g.Resources[0].State != "available" {
			t.Fatalf("get live=%v: %+v", live, g)
		}
		iam := g.Resources[0].IAM
		if iam == nil || !slices.Contains(iam.UnknownActions, "rds:StopDBInstance") || len(iam.AllowedActions)+len(iam.DeniedActions) != 0 {
			t.Errorf("permissions: %+v", iam)
		}
		if iam != nil && iam.UserContext.Username != "operator" {
			t.Errorf("live=%v: the caller is %+v", live, iam.UserContext)
		}
	}
	if g := call[GetResult](t, c, EstateGet.Name, GetParams{Identifier: awstest.WebName}); len(g.Resources) != 2 {
		t.Errorf("%d resources named %s, want 2", len(g.Resources), awstest.WebName)
	}
	refused(t, c, CodeNotFound, "i-0123456789abcdef0", EstateGet.Name, GetParams{Identifier: "i-0123456789abcdef0"})
}

func TestAbsenceIsSaidOnlyWithoutGaps(t *testing.T) {
	if err := absent("web", nil); !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	err := absent("web", []string{"s3_bucket in eu-west-1 of prod: denied"})
	if strings.Contains(err.Error(), "does not exist") || !strings.Contains(err.Error(), "eu-west-1 of prod: denied") {
		t.Error(err)
	}
}

func TestWhatWasDeniedIsNotCalledAbsent(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("staging", "")})
	if r := scanned(t, c); len(r.Problems) == 0 {
		t.Fatalf("scan: %+v, want the denied buckets", r)
	}
	refused(t, c, CodeNotFound, "s3_bucket", EstateGet.Name, GetParams{Identifier: awstest.StagingBucket})
	// Another could have the name of a database, none its ARN.
	arn := "arn:aws:rds:us-west-2:" + awstest.StagingAccount + ":db:" + awstest.StagingDB
	got := call[ResolveResult](t, c, EstateResolve.Name, ResolveParams{Tokens: []string{awstest.StagingDB, arn}})
	if len(got.Records) != 2 || !strings.Contains(strings.Join(got.Gaps[awstest.StagingDB], "\n"), "denied by AWS") || got.Gaps[arn] != nil {
		t.Errorf("%+v", got)
	}
	if got := call[SearchResult](t, c, EstateSearch.Name, SearchParams{Query: awstest.StagingBucket}); got.Total != 0 || len(got.Gaps) == 0 {
		t.Errorf("search: %+v", got)
	}
	if s := call[StatusResult](t, c, EstateStatus.Name, nil); len(s.Problems) == 0 {
		t.Error("the status forgot the problem")
	}
}

func TestProfilesAreSelectedForOneSession(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	a := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	b := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	selected := func(c *Client) string {
		for _, p := range call[ProfileListResult](t, c, ProfileList.Name, nil).Profiles {
			if p.Selected {
				return p.Name
			}
		}
		return ""
	}
	call[ProfileListResult](t, a, ProfileSelect.Name, ProfileSelectParams{Name: "staging"})
	if selected(a) != "staging" || selected(b) != "prod" {
		t.Errorf("selected %s and %s, want staging and prod", selected(a), selected(b))
	}
	refused(t, a, CodeNotFound, "cloudops profiles", ProfileSelect.Name, ProfileSelectParams{Name: "nobody"})
	if selected(a) != "staging" {
		t.Error("a refused selection changed the profile")
	}
}

func TestASelectionOutlivesTheDaemon(t *testing.T) {
	e, home := seeded(t)
	options(t, home, testOptions{Real: true})
	c := started(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	call[ProfileListResult](t, c, ProfileSelect.Name, ProfileSelectParams{Name: "staging"})
	if err := syscall.Kill(c.Hello().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, p := range call[ProfileListResult](t, c, ProfileList.Name, nil).Profiles {
		if p.Selected != (p.Name == "staging") {
			t.Errorf("after a restart: %+v", p)
		}
	}
}

// Who answers a card whose daemon was restarted meanwhile learns just that, and
// that nothing was run: while it stands, as afterwards.
func TestACardDoesNotOutliveItsDaemon(t *testing.T) {
	e, home := seeded(t)
	options(t, home, testOptions{Real: true})
	var c *Client
	killed := make(chan struct{})
	c = started(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: func(_ context.Context, p executor.Prompt) (PromptResult, error) {
		if err := syscall.Kill(c.Hello().PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-killed
		return PromptResult{Title: p.Run, Digest: p.Plan.Digest}, nil
	}})
	scanned(t, c)
	plan := stop(t, c)
	refused(t, c, CodeUnavailable, "the daemon restarted during the request", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"})
	close(killed)
	call[PendingResult](t, c, ExecutionPending.Name, nil)
	for _, decision := range []string{"ask", "reject"} {
		refused(t, c, CodeNotFound, "expired: the daemon was restarted before it ran, so nothing was run", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: decision})
	}
	if s := state(t, c); s != "available" {
		t.Errorf("the database is %s", s)
	}
}

func TestAKillDuringAScanLosesNothingThatWasTold(t *testing.T) {
	e, home := seeded(t)
	options(t, home, testOptions{Real: true})
	stored := make(chan int, 1)
	c := started(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Note: func(m string, params []byte) {
		var p ProgressNote
		if m == NoteProgress.Name && json.Unmarshal(params, &p) == nil && p.Resources > 0 {
			select {
			case stored <- p.Resources:
			default:
			}
		}
	}})
	failed := make(chan error, 1)
	go func() { failed <- c.Call(t.Context(), EstateScan.Name, ScanParams{Token: "t"}, nil) }()
	told := <-stored
	if err := syscall.Kill(c.Hello().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var refusal *Error
	if err := <-failed; !errors.As(err, &refusal) || refusal.Code != CodeUnavailable {
		t.Fatalf("the scan: %v", err)
	}
	if s := call[StatusResult](t, c, EstateStatus.Name, nil); s.Resources < told || s.Scanning {
		t.Errorf("afterwards %d resources, told of %d; scanning %v", s.Resources, told, s.Scanning)
	}
	if h := c.Hello(); len(h.Problems) != 0 {
		t.Errorf("problems: %q", h.Problems)
	}
	scanned(t, c)
}

func TestAHandoverLetsWhatRunsFinish(t *testing.T) {
	e, home := seeded(t)
	now := time.Now()
	_, end := serving(t, ServerConfig{Home: home, Open: realParts(home), Build: Build{ID: "old", Time: now.Add(-time.Hour)}})
	env := e.Environment("prod", "")
	running := make(chan struct{})
	var once sync.Once
	c := dialing(t, ClientConfig{Home: home, Environment: env, Prompt: approve, Note: func(m string, _ []byte) {
		if m == NoteExecutionOutput.Name {
			once.Do(func() { close(running) })
		}
	}})
	scanned(t, c)
	plan, later := stop(t, c), call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: e.WebWest}).Plan
	type outcome struct {
		done DecideResult
		err  error
	}
	decided := make(chan outcome, 1)
	go func() {
		var o outcome
		o.err = c.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, &o.done)
		decided <- o
	}()
	<-running
	r := rawPeer(t, home)
	r.send(strings.Replace(helloBody, `"id":"","time":"0001-01-01T00:00:00Z"`, `"id":"new","time":"`+now.UTC().Format(time.RFC3339Nano)+`"`, 1))
	if m := r.next(); m.Error == nil || m.Error.Code != CodeHandover {
		t.Fatalf("the newer build got %+v", m)
	}
	var refusal *Error
	if err := c.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: later.ID, Decision: "ask"}, nil); !errors.As(err, &refusal) {
		t.Errorf("another approval: %v, want a refusal", err)
	}
	if o := <-decided; o.err != nil || o.done.Execution.Status != "succeeded" {
		t.Errorf("what ran: %+v %v", o.done.Execution, o.err)
	}
	eventually(t, "the old daemon is gone", func() bool { _, held := lockedBy(home); return !held })
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestBadSettingsSpoilOnlyWhatReachesAWS(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	scanned(t, dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")}))
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "https://evil.example")})
	if got := call[ResolveResult](t, c, EstateResolve.Name, ResolveParams{Tokens: []string{awstest.MainDB}}); len(got.Records) != 1 {
		t.Errorf("resolve: %+v", got)
	}
	call[GetResult](t, c, EstateGet.Name, GetParams{Identifier: awstest.MainDB})
	refused(t, c, CodeRefused, "evil.example", EstateScan.Name, ScanParams{})
	refused(t, c, CodeRefused, "evil.example", EstateGet.Name, GetParams{Identifier: awstest.MainDB, Live: true})
	refused(t, c, CodeRefused, "evil.example", ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: awstest.MainDB})
}

func stop(t *testing.T, c *Client) executor.Plan {
	t.Helper()
	r := call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: awstest.MainDB})
	if r.Execution != nil || r.Plan.ID == "" {
		t.Fatalf("propose: %+v, want a plan that waits", r)
	}
	return r.Plan
}

func state(t *testing.T, c *Client) string {
	t.Helper()
	return call[GetResult](t, c, EstateGet.Name, GetParams{Identifier: awstest.MainDB, Live: true}).Resources[0].State
}

func TestACommandRunsAfterAPersonApproves(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	var heard, others notes
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Note: heard.add, Prompt: approve})
	other := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Note: others.add})
	scanned(t, c)
	plan := stop(t, c)
	if plan.Origin.PID != os.Getpid() || plan.Origin.Kind != "terminal" || plan.Origin.Session != c.Hello().Session {
		t.Errorf("origin: %+v", plan.Origin)
	}
	if p := call[PendingResult](t, other, ExecutionPending.Name, nil); len(p.Plans) != 1 || p.Plans[0].ID != plan.ID {
		t.Errorf("pending elsewhere: %+v", p)
	}
	done := call[DecideResult](t, c, ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}).Execution
	if done.Status != "succeeded" || done.StateBefore != "available" || done.StateAfter != "stopped" {
		t.Fatalf("execution: %+v", done)
	}
	if s := state(t, c); s != "stopped" {
		t.Errorf("the database is %s", s)
	}
	if !heard.have(NoteExecutionOutput.Name, done.ID) || others.have(NoteExecutionOutput.Name) {
		t.Errorf("output went to %q and %q, want it where it was decided", heard.all, others.all)
	}
	eventually(t, "the other session hears of the change", func() bool { return others.have(NoteExecutionChanged.Name) })
	if l := call[ExecutionListResult](t, other, ExecutionList.Name, nil); len(l.Executions) != 1 || l.Executions[0].ID != done.ID {
		t.Errorf("list: %+v", l)
	}
	if a := call[AuditResult](t, other, ExecutionAudit.Name, AuditParams{Limit: 2}); len(a.Entries) != 2 {
		t.Errorf("audit: %+v", a)
	}
	if v := call[executor.Report](t, other, ExecutionVerify.Name, nil); !v.OK {
		t.Errorf("verify: %+v", v)
	}
	refused(t, c, CodeNotFound, "", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"})
}

// Whatever a client answers when, only a person who read the card approves: on
// every surface there is.
func TestOnlyAPersonWhoIsAskedApproves(t *testing.T) {
	e, home := seeded(t)
	var cards long
	serving(t, ServerConfig{Home: home, Open: cards.parts(home)})
	env := e.Environment("prod", "")
	proposer := dialing(t, ClientConfig{Home: home, Environment: env})
	scanned(t, proposer)

	type prompter func(context.Context, executor.Prompt) (PromptResult, error)
	titled := func(title func(executor.Prompt) string) prompter {
		return func(_ context.Context, p executor.Prompt) (PromptResult, error) {
			return PromptResult{Title: title(p), Digest: p.Plan.Digest}, nil
		}
	}
	read := func(then prompter) prompter {
		return func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
			<-time.After(time.Duration(p.ArmAfterMS) * time.Millisecond)
			return then(ctx, p)
		}
	}
	run := titled(func(p executor.Prompt) string { return p.Run })
	reject := titled(func(p executor.Prompt) string { return p.Reject })
	dismiss := titled(func(executor.Prompt) string { return "" })
	for name, c := range map[string]struct {
		prompt prompter
		code   int
		asked  int32
		waits  bool
	}{
		"run at once, again and again": {run, CodeUndecided, mostAsked, true},
		"dismissed at once":            {dismiss, CodeUndecided, mostAsked, true},
		"reject at once":               {reject, CodeRejected, 1, false},
		"reject":                       {read(reject), CodeRejected, 1, false},
		"dismissed":                    {read(dismiss), CodeRejected, 1, false},
		"run without the random part": {read(titled(func(p executor.Prompt) string {
			title, _, _ := strings.Cut(p.Run, " (")
			return title
		})), CodeRejected, 1, false},
		"it can't ask": {func(_ context.Context, p executor.Prompt) (PromptResult, error) {
			return PromptResult{Title: p.Run, Digest: p.Plan.Digest}, errors.New("no window")
		}, CodeUndecided, 1, true},
		"a panic": {func(context.Context, executor.Prompt) (PromptResult, error) { panic("no window") }, CodeUndecided, 1, true},
	} {
		for _, surface := range []executor.Surface{executor.SurfaceTerminal, executor.SurfaceMessage, executor.SurfaceCard} {
			name := name + " on a " + string(surface)
			kind := "editor"
			if surface == executor.SurfaceTerminal {
				kind = "terminal"
			}
			plan := stop(t, proposer)
			cards.Store(strings.Contains(name, "at once"))
			var asked atomic.Int32
			client := dialing(t, ClientConfig{Home: home, Kind: kind, Cards: surface == executor.SurfaceCard, Environment: env,
				Prompt: func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
					asked.Add(1)
					if p.Surface != surface {
						t.Errorf("%s: asked on a %s", name, p.Surface)
					}
					return c.prompt(ctx, p)
				}})
			err := client.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, nil)
			var refusal *Error
			if !errors.As(err, &refusal) || refusal.Code != c.code || asked.Load() != c.asked {
				t.Errorf("%s: %v after %d questions, want code %d after %d", name, err, asked.Load(), c.code, c.asked)
			}
			if c.waits && !strings.Contains(refusal.Hint, "cloudops approvals") {
				t.Errorf("%s: %q does not say where it is decided", name, refusal.Hint)
			}
			waiting := call[PendingResult](t, proposer, ExecutionPending.Name, nil).Plans
			if (len(waiting) == 1) != c.waits {
				t.Errorf("%s: %d plans wait", name, len(waiting))
			}
			client.Close()
		}
	}

	plan := stop(t, proposer)
	refused(t, proposer, CodeRefused, "nobody can be asked", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"})
	for _, d := range []string{"approve", "run", "", "ASK"} {
		refused(t, proposer, -32602, "ask, reject or stop", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: d})
	}
	done := call[DecideResult](t, proposer, ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "reject", Reason: "not today"}).Execution
	if done.Status != "rejected" || !strings.Contains(done.Decision, "not today") {
		t.Errorf("reject: %+v", done)
	}
	if s := state(t, proposer); s != "available" {
		t.Fatalf("the database is %s", s)
	}
}

// An editor that is reloaded while it asks, or that takes the question back,
// finds the plan where it was and decides it then.
func TestAQuestionThatNobodyAnsweredIsAskedAgain(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	env := e.Environment("prod", "")
	proposer := dialing(t, ClientConfig{Home: home, Environment: env})
	scanned(t, proposer)
	answer := call[agent.Answer](t, proposer, ConversationSend.Name, SendParams{Prompt: "Stop " + awstest.MainDB})
	plan := answer.Plans[0]
	for name, leave := range map[string]func(c *Client, cancel func()){
		"the editor is gone":     func(c *Client, _ func()) { c.Close() },
		"it takes the call back": func(_ *Client, cancel func()) { cancel() },
	} {
		asked, ended := make(chan struct{}), make(chan struct{})
		editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Cards: true, Environment: env,
			Prompt: func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
				close(asked)
				<-ctx.Done() // the question is taken from the screen, too
				close(ended)
				return PromptResult{Title: p.Run, Digest: p.Plan.Digest}, nil
			}})
		ctx, cancel := context.WithCancel(t.Context())
		decided := make(chan error, 1)
		go func() {
			decided <- editor.Call(ctx, ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, nil)
		}()
		<-asked
		leave(editor, cancel)
		<-ended
		err := <-decided
		cancel()
		if name == "it takes the call back" && (!errors.Is(err, executor.ErrUndecided) || !strings.Contains(err.Error(), "nothing ran")) {
			t.Errorf("%s: it is told %v", name, err)
		}
		waiting := call[PendingResult](t, proposer, ExecutionPending.Name, nil).Plans
		if len(waiting) != 1 || waiting[0].ID != plan.ID || waiting[0].Origin.Conversation != answer.Conversation {
			t.Fatalf("%s: %+v waits", name, waiting)
		}
	}
	reloaded := dialing(t, ClientConfig{Home: home, Kind: "editor", Cards: true, Environment: env, Prompt: approve})
	done := call[DecideResult](t, reloaded, ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}).Execution
	if done.Status != "succeeded" {
		t.Errorf("%+v", done)
	}
}

// Where questions stand alone, a newer one takes the place of the one that
// stands there, and both say so.
func TestANewerQuestionTakesTheOlderBack(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	shown := make(chan executor.Prompt, 2)
	editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Environment: e.Environment("prod", ""),
		Prompt: func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
			shown <- p
			if p.Waiting == 0 {
				<-ctx.Done()
				return PromptResult{}, ctx.Err()
			}
			<-time.After(time.Duration(p.ArmAfterMS) * time.Millisecond)
			return PromptResult{Title: p.Reject, Digest: p.Plan.Digest}, nil
		}})
	scanned(t, editor)
	older, first := stop(t, editor), make(chan error, 1)
	go func() {
		first <- editor.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: older.ID, Decision: "ask"}, nil)
	}()
	<-shown
	newer := call[ProposeResult](t, editor, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: e.WebWest}).Plan
	refused(t, editor, CodeRejected, "rejected", ExecutionDecide.Name, DecideParams{Plan: newer.ID, Decision: "ask"})
	if p := <-shown; p.Plan.ID != newer.ID || p.Waiting != 1 {
		t.Errorf("asked about %s with %d others waiting, want %s and 1", p.Plan.ID, p.Waiting, newer.ID)
	}
	var told *Error
	if err := <-first; !errors.As(err, &told) || told.Code != CodeUndecided || !strings.Contains(told.Message, "newer") || !strings.Contains(told.Hint, older.Title) {
		t.Errorf("the older one is told %+v", told)
	}
	if waiting := call[PendingResult](t, editor, ExecutionPending.Name, nil).Plans; len(waiting) != 1 || waiting[0].ID != older.ID {
		t.Errorf("%+v waits", waiting)
	}
}

// Who takes a decision back is told what became of the plan: nothing is called
// stopped that AWS got, and what AWS got goes on.
func TestATakenBackDecisionSaysWhatBecameOfIt(t *testing.T) {
	e, home := seeded(t)
	proxy, err := awstest.NewProxy(e.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	env := e.Environment("prod", proxy.URL)
	stops := func() int { return len(proxy.Calls("rds", "StopDBInstance", "")) }
	looks := func() int { return len(proxy.Calls("rds", "DescribeDBInstances", "")) }
	scanned(t, dialing(t, ClientConfig{Home: home, Environment: env}))
	for _, c := range []struct {
		name string
		// spoilt is done once the person said yes; until is when they take it back.
		spoilt awstest.Fault
		until  func(before int) bool
		is     error
		says   string
		status string
	}{
		{"before the call", awstest.Fault{Service: "rds", Operation: "DescribeDBInstances", Kind: awstest.Slow, Delay: 2 * time.Second},
			func(before int) bool { return looks() > before }, context.Canceled, "AWS was not called", "void"},
		{"after the call", awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: awstest.Slow, Delay: 2 * time.Second},
			func(int) bool { return stops() > 0 }, executor.ErrLate, "too late", "succeeded"},
	} {
		proxy.Heal()
		before := make(chan int, 1)
		client := dialing(t, ClientConfig{Home: home, Environment: env, Prompt: func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
			proxy.Spoil(c.spoilt)
			before <- looks()
			return approve(ctx, p)
		}})
		plan := stop(t, client)
		ctx, cancel := context.WithCancel(t.Context())
		decided := make(chan error, 1)
		go func() {
			decided <- client.Call(ctx, ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, nil)
		}()
		n := <-before
		eventually(t, c.name, func() bool { return c.until(n) })
		cancel()
		if err := <-decided; !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: it is told %v", c.name, err)
		}
		var ended executor.Execution
		eventually(t, c.name+": it ends", func() bool {
			ended = call[ExecutionListResult](t, client, ExecutionList.Name, ExecutionListParams{Limit: 1}).Executions[0]
			return ended.Status != "planned" && ended.Status != "running" && !ended.Finished.IsZero()
		})
		if ended.PlanID != plan.ID || ended.Status != c.status {
			t.Errorf("%s: it is %s (%s), want %s", c.name, ended.Status, ended.Error, c.status)
		}
		refused(t, client, CodeLate, "it ended", ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "stop"})
	}
	if stops() != 1 {
		t.Errorf("AWS was called %d times, want once", stops())
	}
}

func TestSelectingAnotherProfileVoidsWhatThisSessionProposed(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: approve})
	scanned(t, c)
	answer := call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "Stop " + awstest.MainDB})
	call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: e.WebWest, Profile: "default"})
	call[ProfileListResult](t, c, ProfileSelect.Name, ProfileSelectParams{Name: "prod"})
	if n := len(call[PendingResult](t, c, ExecutionPending.Name, nil).Plans); n != 2 {
		t.Errorf("%d plans wait after the same profile was selected again, want both", n)
	}
	call[ProfileListResult](t, c, ProfileSelect.Name, ProfileSelectParams{Name: "staging"})
	refused(t, c, CodeNotFound, "", ExecutionDecide.Name, DecideParams{Plan: answer.Plans[0].ID, Decision: "ask"})
	messages := call[MessagesResult](t, c, ConversationMessages.Name, ConversationParams{ID: answer.Conversation}).Messages
	if last := messages[len(messages)-1].Content; !strings.Contains(last, "staging") {
		t.Errorf("the conversation ends with %q", last)
	}
}

// A question ends for everybody when its plan was decided, and for the editor that
// asks when the plan expires.
func TestAQuestionEndsWithItsPlan(t *testing.T) {
	e, home := seeded(t)
	var mu sync.Mutex
	var later time.Duration
	open := func(ctx context.Context) (*Parts, error) {
		return partsWith(home, executor.Settings{Reading: reading, Clock: executor.Clock{
			Wall: func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(later) },
			Boot: func() time.Duration { return time.Since(begun) },
		}})(ctx)
	}
	serving(t, ServerConfig{Home: home, Open: open})
	other := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	scanned(t, other)
	for name, end := range map[string]func(executor.Plan){
		"decided elsewhere": func(p executor.Plan) {
			call[DecideResult](t, other, ExecutionDecide.Name, DecideParams{Plan: p.ID, Decision: "reject"})
		},
		"the machine slept": func(executor.Plan) {
			mu.Lock()
			defer mu.Unlock()
			later += executor.AskTime
		},
	} {
		asked, ended := make(chan struct{}), make(chan struct{})
		editor := dialing(t, ClientConfig{Home: home, Kind: "editor", Environment: e.Environment("prod", ""),
			Prompt: func(ctx context.Context, p executor.Prompt) (PromptResult, error) {
				close(asked)
				<-ctx.Done()
				close(ended)
				return PromptResult{}, ctx.Err()
			}})
		plan := stop(t, editor)
		decided := make(chan error, 1)
		go func() {
			decided <- editor.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, nil)
		}()
		<-asked
		end(plan)
		<-ended
		var told *Error
		if err := <-decided; !errors.As(err, &told) || told.Code != CodeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnApprovedCommandSurvivesItsClient(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	env := e.Environment("prod", "")
	watcher := dialing(t, ClientConfig{Home: home, Environment: env})
	scanned(t, watcher)
	running := make(chan struct{})
	var once sync.Once
	c := dialing(t, ClientConfig{Home: home, Environment: env, Prompt: approve, Note: func(m string, _ []byte) {
		if m == NoteExecutionOutput.Name {
			once.Do(func() { close(running) })
		}
	}})
	plan := stop(t, c)
	left := make(chan error, 1)
	go func() {
		left <- c.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "ask"}, nil)
	}()
	<-running
	c.Close()
	<-left
	eventually(t, "the command ends", func() bool {
		l := call[ExecutionListResult](t, watcher, ExecutionList.Name, ExecutionListParams{Limit: 1})
		return l.Executions[0].Status == "succeeded"
	})
}

func TestProposalsMustBeExact(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	scanned(t, c)
	refused(t, c, CodeRefused, e.WebWest, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: awstest.WebName})
	refused(t, c, CodeNotFound, "nothing-of-ours", ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: "nothing-of-ours"})
	refused(t, c, CodeRefused, "", ExecutionPropose.Name, ProposeParams{Verb: "delete", Identifier: awstest.MainDB})
	refused(t, c, CodeRefused, "", ExecutionPropose.Name, ProposeParams{Argv: []string{"sh", "-c", "true"}})
	refused(t, c, -32602, "argv", ExecutionPropose.Name, ProposeParams{Argv: []string{"aws"}, Verb: "stop"})
	refused(t, c, -32602, "identifier", ExecutionPropose.Name, ProposeParams{Verb: "stop"})
	// A reviewed read runs at once.
	r := call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{
		Argv: []string{"aws", "rds", "describe-db-instances", "--db-instance-identifier=" + awstest.MainDB, "--region=" + awstest.West},
	})
	if r.Execution == nil || r.Execution.Status != "succeeded" || !strings.Contains(r.Execution.Output, awstest.MainDB) {
		t.Errorf("a read: %+v", r)
	}
}

func TestAChatTurnProposesAndRecords(t *testing.T) {
	e, home := seeded(t)
	log, text := logTo(t)
	_, end := serving(t, ServerConfig{Home: home, Log: log, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: approve})
	scanned(t, c)
	answer := call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "Stop " + awstest.MainDB, Token: "t"})
	if answer.Conversation == "" || len(answer.Plans) != 1 || answer.Plans[0].Origin.Conversation != answer.Conversation {
		b, _ := json.Marshal(answer)
		t.Fatalf("answer: %s", b)
	}
	call[DecideResult](t, c, ExecutionDecide.Name, DecideParams{Plan: answer.Plans[0].ID, Decision: "ask"})
	messages := call[MessagesResult](t, c, ConversationMessages.Name, ConversationParams{ID: answer.Conversation}).Messages
	last := messages[len(messages)-1]
	if len(messages) < 3 || len(last.Metadata.CommandsExecuted) != 1 {
		t.Errorf("messages: %+v", messages)
	}
	if l := call[ConversationListResult](t, c, ConversationList.Name, nil); len(l.Conversations) != 1 {
		t.Errorf("list: %+v", l)
	}

	// A rejection is told once, with its reason, however many were asked.
	asked, decided := make(chan struct{}), make(chan struct{})
	waiting := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: func(context.Context, executor.Prompt) (PromptResult, error) {
		close(asked)
		<-decided
		return PromptResult{}, nil
	}})
	rejecting := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: func(_ context.Context, p executor.Prompt) (PromptResult, error) {
		return PromptResult{Title: p.Reject, Digest: p.Plan.Digest, Reason: "not *today*"}, nil
	}})
	answer = call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "Start " + awstest.MainDB, ID: answer.Conversation})
	ask := DecideParams{Plan: answer.Plans[0].ID, Decision: "ask"}
	ended := make(chan error, 1)
	go func() { ended <- waiting.Call(t.Context(), ExecutionDecide.Name, ask, nil) }()
	<-asked
	refused(t, rejecting, CodeRejected, "", ExecutionDecide.Name, ask)
	close(decided)
	if err := <-ended; err == nil {
		t.Error("the plan was decided twice")
	}
	messages = call[MessagesResult](t, c, ConversationMessages.Name, ConversationParams{ID: answer.Conversation}).Messages
	var notes []string
	for _, m := range messages {
		if strings.HasPrefix(m.Content, "Not run") {
			notes = append(notes, m.Content)
		}
	}
	if len(notes) != 1 || !strings.Contains(notes[0], `rejected`) || !strings.Contains(notes[0], `not \*today\*`) {
		t.Errorf("notes: %q", notes)
	}
	refused(t, c, CodeNotFound, "", ConversationMessages.Name, ConversationParams{ID: "d6b1a3f0-0000-4000-8000-000000000000"})
	refused(t, c, -32602, "prompt", ConversationSend.Name, SendParams{Prompt: strings.Repeat("x", agent.LongestPrompt+1)})

	// Nothing of it is in the clear, on disk or in the log.
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "log.json"), []byte(text()), 0o600); err != nil {
		t.Fatal(err)
	}
	leaks, err := awstest.Leaks(home, append([]string{awstest.MainDB, e.WebWest, awstest.WestBucket, awstest.ProdAccount}, awstest.Planted...))
	if err != nil || len(leaks) != 0 {
		t.Errorf("in the clear: %q %v", leaks, err)
	}
}

func TestAProfileThatDoesNotExistIsToldEverywhere(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	scanned(t, dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")}))
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prdo", "")})
	for _, r := range []struct {
		method string
		params any
	}{
		{EstateScan.Name, ScanParams{}},
		{EstateGet.Name, GetParams{Identifier: awstest.MainDB, Live: true}},
		{ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: awstest.MainDB}},
		{ExecutionPropose.Name, ProposeParams{Argv: []string{"aws", "rds", "stop-db-instance", "--db-instance-identifier", awstest.MainDB}}},
	} {
		var e *Error
		err := c.Call(t.Context(), r.method, r.params, nil)
		if !errors.As(err, &e) || !strings.Contains(e.Message+e.Hint, `unknown AWS profile: "prdo"`) || !strings.Contains(e.Message+e.Hint, "default, empty, prod, staging") {
			t.Errorf("%s: %v", r.method, err)
		}
	}
	var turn json.RawMessage
	err := c.Call(t.Context(), ConversationSend.Name, SendParams{Prompt: "Stop " + awstest.MainDB}, &turn)
	if said := fmt.Sprint(string(turn), err); !strings.Contains(said, "unknown AWS profile") || !strings.Contains(said, "prdo") {
		t.Errorf("chat: %s", said)
	}
	// The profile of a command counts more than the session's.
	plan := call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{
		Argv: []string{"aws", "rds", "stop-db-instance", "--db-instance-identifier", awstest.MainDB, "--profile", "prod"},
	})
	if len(plan.Plan.Targets) != 1 {
		t.Errorf("plan: %+v", plan.Plan)
	}
}
