package agent_test

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
	"testing"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/backend/builtin"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// script is a backend that does what a test says.
type script func(ctx context.Context, r agent.Request, stream func(string)) (agent.Reply, error)

func (s script) Answer(ctx context.Context, r agent.Request, stream func(string)) (agent.Reply, error) {
	return s(ctx, r, stream)
}

// world is all that an agent stands on. Its backend is the builtin one unless
// a test sets another.
type world struct {
	*agent.Agent
	store    *storage.Service
	scanner  *scanner.Scanner
	executor *executor.Executor
	env      session.Environment
	home     string
}

// client is who asks, as the world's environment has them.
func (w *world) client() *session.Client { return w.scanner.Sessions.Client(w.env) }

func newWorld(t *testing.T, b agent.Backend) *world {
	t.Helper()
	w := &world{home: filepath.Join(t.TempDir(), "home")}
	if err := os.Mkdir(w.home, 0o700); err != nil {
		t.Fatal(err)
	}
	w.open(t, b, executor.Config{})
	t.Cleanup(func() { w.store.Close() })
	return w
}

// open opens all that is in the home, as a daemon does that starts.
func (w *world) open(t *testing.T, b agent.Backend, policy executor.Config) {
	t.Helper()
	keys, err := seal.Unlock(w.home, seal.Source{File: filepath.Join(filepath.Dir(w.home), "key", "kek")})
	if err != nil {
		t.Fatal(err)
	}
	if w.store, err = storage.Open(t.Context(), storage.Config{}, keys, services.Kinds()); err != nil {
		t.Fatal(err)
	}
	if w.scanner, err = scanner.New(scanner.Config{}, w.store.Estate, keys); err != nil {
		t.Fatal(err)
	}
	settings := executor.Settings{Policy: policy.Always(), Reading: func(int) time.Duration { return 0 }}
	if w.executor, err = executor.New(settings, w.home, w.scanner, w.store.Estate, keys); err != nil {
		t.Fatal(err)
	}
	if b == nil {
		b = builtin.New(w.store.Estate, w.scanner)
	}
	w.Agent = agent.New(agent.Config{UserID: "user-1"}, w.store, w.scanner, w.executor, b)
}

// reopen is a daemon that ends and one that starts.
func (w *world) reopen(t *testing.T, policy executor.Config) {
	t.Helper()
	if err := errors.Join(w.executor.Close(), w.store.Close()); err != nil {
		t.Fatal(err)
	}
	w.open(t, nil, policy)
}

func (w *world) send(t *testing.T, conversation, prompt string) agent.Answer {
	t.Helper()
	a, err := w.Send(t.Context(), agent.Message{Conversation: conversation, Prompt: prompt, Client: w.client(),
		Origin: executor.Origin{Session: "s", Kind: "terminal"}}, nil)
	if err != nil {
		t.Fatalf("%q: %v", prompt, err)
	}
	return a
}

func (w *world) history(t *testing.T, conversation string) []storage.Message {
	t.Helper()
	ms, err := w.store.Chat.History(t.Context(), conversation, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func (w *world) upsert(t *testing.T, rs ...storage.Resource) {
	t.Helper()
	if _, err := w.store.Estate.BulkUpsert(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
}

func instance(n int, name, region string) storage.Resource {
	id := fmt.Sprintf("i-%017x", n)
	return storage.Resource{Type: "ec2_instance", ID: id, Name: name, ARN: "arn:aws:ec2:" + region + ":123456789012:instance/" + id,
		AccountID: "123456789012", Region: region, Service: "ec2", State: "running", Tags: map[string]string{"Name": name}, LastSynced: time.Now()}
}

func TestMain(m *testing.M) { os.Exit(awstest.Main(m)) }

func TestTheWholeTurnAgainstAWS(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	dir := t.TempDir()
	estate, err := awstest.Shared(t).Seed(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	w.env = estate.Environment("prod", "")
	if _, err := w.scanner.Scan(ctx, w.client(), scanner.Options{Regions: []string{awstest.West, awstest.East}}, nil); err != nil {
		t.Fatal(err)
	}

	a := w.send(t, "", "Stop "+awstest.MainDB)
	if len(a.Plans) != 1 || len(a.Refused) != 0 {
		t.Fatalf("plans %v, refused %v: %s", a.Plans, a.Refused, a.Text)
	}
	plan := a.Plans[0]
	if plan.Command.Operation != "stop-db-instance" || plan.Command.AccountID != awstest.ProdAccount || plan.Command.Region != awstest.West ||
		plan.Origin.Conversation != a.Conversation || plan.Origin.Prompt != "Stop "+awstest.MainDB {
		t.Errorf("the plan is %+v", plan)
	}
	if !strings.Contains(a.Text, plan.Line) || !strings.Contains(a.Text, string(plan.Risk)) {
		t.Errorf("the text does not show the plan: %s", a.Text)
	}
	checkRequest(t, a.Request)

	x := w.approve(t, plan)
	if x.Status != "succeeded" || x.StateAfter != "stopped" {
		t.Fatalf("the execution is %+v", x)
	}
	if err := w.Record(ctx, x); err != nil {
		t.Fatal(err)
	}
	ms := w.history(t, a.Conversation)
	if len(ms) != 3 || ms[0].Role != storage.RoleUser || ms[1].Role != storage.RoleAssistant || ms[2].Role != storage.RoleSystem {
		t.Fatalf("the history is %+v", ms)
	}
	arn := a.Request.IdentifiedResources[0].ARN
	for _, m := range ms {
		if !slices.Contains(m.Metadata.ResourcesMentioned, arn) {
			t.Errorf("message %d mentions %v, want %s", m.Index, m.Metadata.ResourcesMentioned, arn)
		}
	}
	if !slices.Equal(ms[2].Metadata.CommandsExecuted, []string{x.Line}) || !strings.Contains(ms[2].Content, "stopped") {
		t.Errorf("the record is %+v", ms[2])
	}

	// The estate was refreshed by the run, and "it" is what was talked about.
	if b := w.send(t, a.Conversation, "is it stopped?"); !strings.Contains(b.Text, "Yes") {
		t.Errorf("after stopping: %s", b.Text)
	}
	b := w.send(t, a.Conversation, "start it again")
	if len(b.Plans) != 1 || b.Plans[0].Command.Operation != "start-db-instance" {
		t.Fatalf("start it again: %s", b.Text)
	}
	if r := b.Request.IdentifiedResources; len(r) != 1 || r[0].FoundBy != agent.FoundByHistory || r[0].CurrentState != "stopped" {
		t.Errorf("it was found as %+v", r)
	}
	if c := w.send(t, a.Conversation, "did you stop it?"); !strings.Contains(c.Text, x.Line) {
		t.Errorf("what ran is not told: %s", c.Text)
	}

	// Two resources of that name: it asks which, and takes the answer.
	c := w.send(t, "", "stop "+awstest.WebName)
	if c.Reply.Clarification == nil || len(c.Reply.Clarification.Choices) != 2 {
		t.Fatalf("stop %s: %s", awstest.WebName, c.Text)
	}
	c = w.send(t, c.Conversation, "the one in "+awstest.East)
	if len(c.Plans) != 1 || c.Plans[0].Command.Region != awstest.East {
		t.Fatalf("the one in %s: %s", awstest.East, c.Text)
	}
}

// checkRequest looks for every field of the enriched request.
func checkRequest(t *testing.T, r agent.Request) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Prompt string
		Found  []struct {
			Type, ID, Region, Account string
			State                     string `json:"current_state"`
			Permissions               storage.IAM
			Metadata                  map[string]any
			Tags                      map[string]string
		} `json:"identified_resources"`
		History []any             `json:"chat_history"`
		User    map[string]string `json:"user_context"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Found) != 1 || m.History == nil {
		t.Fatalf("the request is %s", b)
	}
	f := m.Found[0]
	if f.Type != "rds_instance" || f.ID != awstest.MainDB || f.Region != awstest.West || f.Account != awstest.ProdAccount ||
		f.State != "available" || f.Tags["env"] != "production" || f.Metadata["engine"] != "postgres" {
		t.Errorf("the resource is %+v", f)
	}
	if u := f.Permissions.UserContext; u.Username != "operator" {
		t.Errorf("the caller is %+v", u)
	}
	if !slices.Contains(f.Permissions.UnknownActions, "rds:StopDBInstance") || len(f.Permissions.AllowedActions) != 0 {
		t.Errorf("the permissions are %+v: none is computed, so all are unknown", f.Permissions)
	}
	if m.User["user_id"] != "user-1" || m.User["profile"] != "prod" || m.User["default_region"] == "" {
		t.Errorf("the user is %v", m.User)
	}
}

// approve answers a plan's prompt as a person would, who reads at once.
func (w *world) approve(t *testing.T, p executor.Plan) executor.Execution {
	t.Helper()
	prompt, err := w.executor.Prompt(p.ID, executor.SurfaceTerminal)
	if err != nil {
		t.Fatal(err)
	}
	approved, err := prompt.Answer(t.Context(), prompt.Run, prompt.Plan.Digest)
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.executor.Run(t.Context(), approved, nil)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPromptsThatAreNone(t *testing.T) {
	w := newWorld(t, script(func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
		t.Error("the backend was asked")
		return agent.Reply{}, nil
	}))
	for _, p := range []string{"", " \n\t", strings.Repeat("stop web-1 ", 3000), "stop \xff"} {
		if _, err := w.Send(t.Context(), agent.Message{Client: w.client(), Prompt: p}, nil); !errors.Is(err, agent.ErrPrompt) {
			t.Errorf("%.20q: %v", p, err)
		}
	}
	if _, err := w.Send(t.Context(), agent.Message{Client: w.client(), Conversation: "b3f8c1d2-0000-4000-8000-000000000000", Prompt: "hello"}, nil); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a conversation that is none: %v", err)
	}
	if cs, err := w.store.Chat.Conversations(t.Context()); err != nil || len(cs) != 0 {
		t.Errorf("conversations were begun: %v %v", cs, err)
	}
}

func TestBackendsThatFail(t *testing.T) {
	many := make([]executor.Command, 21)
	for name, b := range map[string]script{
		"error": func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
			return agent.Reply{}, errors.New("out of order")
		},
		"empty": func(context.Context, agent.Request, func(string)) (agent.Reply, error) { return agent.Reply{}, nil },
		"blank": func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
			return agent.Reply{Information: " \n"}, nil
		},
		"many": func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
			return agent.Reply{Commands: many}, nil
		},
		"silent": func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
			return agent.Reply{Clarification: &agent.Clarification{}}, nil
		},
		"both": func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
			return agent.Reply{Information: "x", Commands: many[:1]}, nil
		},
	} {
		w := newWorld(t, b)
		a, err := w.Send(t.Context(), agent.Message{Client: w.client(), Prompt: "stop web-1"}, nil)
		if !errors.Is(err, agent.ErrBackend) || len(a.Plans) > 0 || a.Conversation == "" {
			t.Errorf("%s: %+v %v", name, a, err)
			continue
		}
		ms := w.history(t, a.Conversation)
		if len(ms) != 2 || ms[0].Content != "stop web-1" || ms[1].Role != storage.RoleSystem || !strings.Contains(ms[1].Content, "No answer") {
			t.Errorf("%s: the history is %+v", name, ms)
		}
	}
}

func TestTheCommandsOfABackendAreVetted(t *testing.T) {
	w := newWorld(t, script(func(context.Context, agent.Request, func(string)) (agent.Reply, error) {
		return agent.Reply{Commands: []executor.Command{
			{Service: "ec2", Operation: "terminate-instances", Parameters: map[string]any{"instance-ids": []any{"i-0123456789abcdef0"}}},
			{Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": []any{"--force"}}},
		}}, nil
	}))
	a := w.send(t, "", "do what you want")
	if len(a.Plans) != 0 || len(a.Refused) != 2 || len(w.executor.Pending()) != 0 {
		t.Fatalf("%+v", a)
	}
	if !strings.Contains(a.Text, "Not possible") {
		t.Errorf("the refusal is not told: %s", a.Text)
	}
}

func TestATurnThatIsCancelledIsRemembered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWorld(t, script(func(ctx context.Context, _ agent.Request, _ func(string)) (agent.Reply, error) {
		cancel()
		<-ctx.Done()
		return agent.Reply{}, ctx.Err()
	}))
	a, err := w.Send(ctx, agent.Message{Client: w.client(), Prompt: "hello"}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if ms := w.history(t, a.Conversation); len(ms) != 2 || ms[0].Content != "hello" || ms[1].Role != storage.RoleSystem {
		t.Errorf("the history is %+v", ms)
	}
}

func TestTurnsOfAConversationFollowOneAnother(t *testing.T) {
	w := newWorld(t, script(func(_ context.Context, r agent.Request, _ func(string)) (agent.Reply, error) {
		return agent.Reply{Information: "about " + r.Prompt}, nil
	}))
	id := w.send(t, "", "0").Conversation
	var wg sync.WaitGroup
	for i := 1; i <= 8; i++ {
		wg.Go(func() {
			if _, err := w.Send(t.Context(), agent.Message{Client: w.client(), Conversation: id, Prompt: fmt.Sprint(i)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	ms := w.history(t, id)
	if len(ms) != 18 {
		t.Fatalf("%d messages", len(ms))
	}
	for i := 0; i < len(ms); i += 2 {
		if ms[i].Role != storage.RoleUser || ms[i+1].Content != "about "+ms[i].Content {
			t.Errorf("%q is followed by %q", ms[i].Content, ms[i+1].Content)
		}
	}
}

func TestHistoryKeepsToItsBudget(t *testing.T) {
	var last agent.Request
	w := newWorld(t, script(func(_ context.Context, r agent.Request, _ func(string)) (agent.Reply, error) {
		last = r
		return agent.Reply{Information: "noted", Mentions: []string{"arn:aws:made:up", instance(1, "web-1", "us-west-2").ARN}}, nil
	}))
	w.upsert(t, instance(1, "web-1", "us-west-2"))
	id := w.send(t, "", "web-1 "+strings.Repeat("a", 5000)).Conversation
	for range 4 {
		w.send(t, id, "and "+strings.Repeat("b", 5000))
	}
	size := 0
	for _, h := range last.ChatHistory {
		size += len(h.Content)
	}
	if size > 16000 || size < 10000 {
		t.Errorf("the history has %d characters", size)
	}
	for _, h := range last.ChatHistory {
		if strings.HasPrefix(h.Content, "web-1") {
			t.Error("the oldest turn was kept before newer ones")
		}
		if h.Role == storage.RoleAssistant && (h.Reply == nil || !slices.Equal(h.Resources, []string{instance(1, "web-1", "us-west-2").ARN})) {
			t.Errorf("an answer came back as %+v: only mentions that exist are kept", h)
		}
	}
	last = agent.Request{}
	w.send(t, id, "what about it?")
	if len(last.IdentifiedResources) != 1 || last.IdentifiedResources[0].FoundBy != agent.FoundByHistory {
		t.Errorf("it is %+v", last.IdentifiedResources)
	}
}

func TestInformationIsStreamedOnce(t *testing.T) {
	for _, streams := range []bool{true, false} {
		w := newWorld(t, script(func(_ context.Context, _ agent.Request, stream func(string)) (agent.Reply, error) {
			if streams {
				stream("one ")
				stream("two")
			}
			return agent.Reply{Information: "one two"}, nil
		}))
		var got strings.Builder
		if _, err := w.Send(t.Context(), agent.Message{Client: w.client(), Prompt: "hello"}, func(s string) { got.WriteString(s) }); err != nil {
			t.Fatal(err)
		}
		if got.String() != "one two" {
			t.Errorf("streamed %q", got.String())
		}
	}
}

func TestWhatAPromptIsAbout(t *testing.T) {
	var last agent.Request
	w := newWorld(t, script(func(_ context.Context, r agent.Request, _ func(string)) (agent.Reply, error) {
		last = r
		return agent.Reply{Information: "noted"}, nil
	}))
	staging := instance(3, "api", "us-west-2")
	staging.Tags["env"] = "staging"
	staging.Aliases = []string{"10.0.0.7", "api.internal.example.com"}
	stopped := instance(2, "web-1", "eu-west-1")
	stopped.State = "stopped"
	w.upsert(t, instance(1, "web-1", "us-west-2"), stopped, staging, instance(4, "api", "us-west-2"), instance(5, "Big Box", "us-west-2"),
		storage.Resource{Type: "rds_instance", ID: "api", Name: "api", ARN: "arn:aws:rds:us-west-2:123456789012:db:api", AccountID: "123456789012",
			Region: "us-west-2", Service: "rds", State: "available", LastSynced: time.Now()})
	var crowd []storage.Resource
	for i := range 30 {
		crowd = append(crowd, instance(100+i, "crowd", "us-west-2"))
	}
	w.upsert(t, crowd...)
	for _, c := range []struct {
		prompt, want string
		omitted      int
	}{
		{"stop web-1", "1 2", 0},
		{"stop WEB-1", "1 2", 0},
		{"is web-1 stopped?", "1 2", 0},
		{"which web-1 is running", "1 2", 0},
		{"stop the server", "", 0},
		{"restart the database", "", 0},
		{"the stopped server", "2", 0},
		{"stop web-1 in eu-west-1", "2", 0},
		{"stop web-1 in eu-west-1 and show web-1", "1 2", 0},
		{"stop web-1 in sa-east-1", "1 2", 0},
		{"is 10.0.0.7 up?", "3", 0},
		{"why does https://api.internal.example.com:8443/health fail?", "3", 0},
		{"the api database", "db", 0},
		{"the staging api", "3", 0},
		{"describe Big Box", "5", 0},
		{`describe "big box"`, "5", 0},
		{"describe i-" + fmt.Sprintf("%017x", 4) + ".", "4", 0},
		{"the staging instance", "3", 0},
		{"stop crowd", "100 101 102 103 104 105 106 107 108 109", 20},
		{"hello there", "", 0},
		{"stop it", "", 0},
	} {
		last = agent.Request{}
		w.send(t, "", c.prompt)
		var got []string
		for _, r := range last.IdentifiedResources {
			id := "db"
			var n int
			if _, err := fmt.Sscanf(r.ID, "i-%x", &n); err == nil {
				id = fmt.Sprint(n)
			}
			got = append(got, id)
		}
		omitted := 0
		for _, n := range last.Omitted {
			omitted += n
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want || omitted != c.omitted {
			t.Errorf("%q is about %q and %d more, want %q and %d", c.prompt, got, omitted, c.want, c.omitted)
		}
	}
}

// What "it" and an answer bring in from earlier turns, and what they don't.
func TestWhatEarlierTurnsBringIn(t *testing.T) {
	var last agent.Request
	var reply agent.Reply
	var fail error
	w := newWorld(t, script(func(_ context.Context, r agent.Request, _ func(string)) (agent.Reply, error) {
		last = r
		return reply, fail
	}))
	w.upsert(t, instance(1, "web-1", "us-west-2"), instance(2, "web-2", "us-west-2"))
	told := agent.Reply{Information: "noted", Mentions: []string{instance(2, "web-2", "us-west-2").ARN}}
	asked := agent.Reply{Clarification: &agent.Clarification{Question: "Which?"}, Mentions: told.Mentions}
	for _, c := range []struct {
		first agent.Reply
		// between is a turn whose answer failed, or none.
		between, prompt, want string
	}{
		{told, "", "stop it", "web-2"},
		{told, "", "stop web-1 and start it", "web-1"},
		{told, "", "start it and stop web-1", "web-1 web-2"},
		{told, "", "stop web-1, then show that again", "web-1"},
		{told, "", "yes", ""},
		{asked, "", "yes", "web-2"},
		{asked, "", "web-1", "web-1"},
		{asked, "what is the weather", "yes", ""},
		{told, "what is the weather", "stop it", "web-2"},
	} {
		reply, fail = c.first, nil
		id := w.send(t, "", "hello").Conversation
		if c.between != "" {
			fail = errors.New("out of order")
			if _, err := w.Send(t.Context(), agent.Message{Client: w.client(), Conversation: id, Prompt: c.between}, nil); !errors.Is(err, agent.ErrBackend) {
				t.Fatal(err)
			}
		}
		reply, fail = told, nil
		w.send(t, id, c.prompt)
		var got []string
		for _, r := range last.IdentifiedResources {
			got = append(got, r.Name)
		}
		if slices.Sort(got); strings.Join(got, " ") != c.want {
			t.Errorf("%q after %q is about %q, want %q", c.prompt, c.between, got, c.want)
		}
	}
}

func TestRecordOutsideAConversation(t *testing.T) {
	w := newWorld(t, nil)
	if err := w.Record(t.Context(), executor.Execution{ID: "x", Status: "succeeded", Line: "aws ec2 stop-instances"}); err != nil {
		t.Errorf("an execution of no conversation: %v", err)
	}
	id := w.send(t, "", "hello").Conversation
	if err := w.Record(t.Context(), executor.Execution{ID: "x", Status: "rejected", Line: "aws ec2 stop-instances", Origin: executor.Origin{Conversation: id}}); err != nil {
		t.Fatal(err)
	}
	ms := w.history(t, id)
	if m := ms[len(ms)-1]; len(m.Metadata.CommandsExecuted) != 0 || !strings.Contains(m.Content, "Not run") {
		t.Errorf("a rejection is recorded as %+v", m)
	}
}
