package executor

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// database makes an RDS instance for one test.
func database(t *testing.T, id string) string {
	t.Helper()
	client := rds.NewFromConfig(theAWS(t).Config(awstest.West))
	if _, err := client.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: &id, DBInstanceClass: aws.String("db.t3.micro"), Engine: aws.String("postgres"),
		AllocatedStorage: aws.Int32(20), MasterUsername: aws.String("master"), MasterUserPassword: aws.String(awstest.Planted[1]),
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func stateOf(t *testing.T, id string) string {
	t.Helper()
	out, err := rds.NewFromConfig(theAWS(t).Config(awstest.West)).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	if err != nil {
		t.Fatal(err)
	}
	return *out.DBInstances[0].DBInstanceStatus
}

func stopDB(id string) []string {
	return []string{"rds", "stop-db-instance", "--db-instance-identifier", id}
}

func TestStopAProductionDatabaseAndUndo(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	changes, stop := w.Watch()
	defer stop()
	p := w.plan(stopDB(awstest.MainDB)...)
	if p.Risk != RiskHigh || !strings.Contains(strings.Join(p.Reasons, " "), "production") {
		t.Errorf("%s: %q", p.Risk, p.Reasons)
	}
	if p.Line != "aws rds stop-db-instance --db-instance-identifier=pg-instance-main1 --region=us-west-2 --profile=prod" {
		t.Error(p.Line)
	}
	if p.Undo != "aws rds start-db-instance --db-instance-identifier=pg-instance-main1 --region=us-west-2 --profile=prod" {
		t.Error(p.Undo)
	}
	if p.Identity.AccountID != awstest.ProdAccount || !strings.Contains(p.Identity.ARN, "operator") || p.Endpoint != w.env.EndpointURL {
		t.Errorf("%+v %s", p.Identity, p.Endpoint)
	}
	if len(p.Targets) != 1 || p.Targets[0].State != "available" || p.Targets[0].ImmutableID == "" || p.Targets[0].Facts["multi_az"] != "true" {
		t.Errorf("%+v", p.Targets)
	}
	if got := p.Expires.Sub(p.Created); got > 5*time.Minute || got <= 0 {
		t.Errorf("it is good for %s", got)
	}
	if !slices.Equal(p.Actions, []string{"rds:StopDBInstance"}) || p.Title != "Stop pg-instance-main1" || p.Digest == "" || p.ID == "" {
		t.Errorf("%+v", p)
	}
	if got := w.Pending(); len(got) != 1 || got[0].ID != p.ID {
		t.Errorf("%+v", got)
	}
	select {
	case <-changes:
	default:
		t.Error("nobody was told of the plan")
	}

	var events []Event
	x, err := w.Run(t.Context(), w.approve(p), func(e Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != "succeeded" || x.StateBefore != "available" || x.StateAfter != "stopped" || x.Error != "" {
		t.Errorf("%+v", x)
	}
	if !strings.Contains(x.Output, `"DBInstanceIdentifier": "pg-instance-main1"`) || strings.Contains(x.Output, "master") {
		t.Errorf("output: %s", x.Output)
	}
	if len(events) == 0 || events[0] != (Event{x.ID, "state", "stopped"}) {
		t.Errorf("%+v", events)
	}
	if got := stateOf(t, awstest.MainDB); got != "stopped" {
		t.Errorf("AWS says %s", got)
	}
	r, err := w.estate.Get(t.Context(), p.Targets[0].Key)
	if err != nil || r.State != "stopped" {
		t.Errorf("the estate says %q, %v", r.State, err)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"planned", "approved", "claimed", "started", "finished"}) {
		t.Errorf("%v", got)
	}
	xs, err := w.Executions("c", 0)
	if err != nil || len(xs) != 1 || xs[0].Status != "succeeded" || xs[0].ID != x.ID || xs[0].Decision != "approved on a terminal" {
		t.Errorf("%+v, %v", xs, err)
	}
	if xs, _ := w.Executions("another", 0); len(xs) != 0 {
		t.Errorf("%+v", xs)
	}
	if len(w.Pending()) != 0 {
		t.Error("it still waits")
	}
	if err := w.refused(stopDB(awstest.MainDB)...); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "already stopped") {
		t.Error(err)
	}
	undo, ok := x.Command.Inverse()
	if !ok {
		t.Fatal("no undo")
	}
	p, err = w.Plan(t.Context(), w.who(), undo, Origin{})
	if err != nil || p.Risk != RiskMedium {
		t.Fatalf("%+v, %v", p, err)
	}
	if x, err = w.Run(t.Context(), w.approve(p), nil); err != nil || x.StateAfter != "available" {
		t.Errorf("%+v, %v", x, err)
	}
	if r, err := w.Verify(); err != nil || !r.OK || r.Records != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	raw, err := os.ReadFile(filepath.Join(w.home, auditFile))
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := w.Audit(0)
	for _, word := range []string{"pg-instance", "canary", awstest.ProdAccount} {
		if bytes.Contains(raw, []byte(word)) {
			t.Errorf("%s stands in the audit file", word)
		}
	}
	if s := fmt.Sprintf("%+v", *entries[0].Execution); strings.Contains(s, "canary") || !strings.Contains(s, "Conversation:c") {
		t.Errorf("the audit keeps the prompt, or not the conversation: %s", s)
	}
}

func TestEveryOperation(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	one, err := e.AddInstance(t.Context(), "every-1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := e.AddInstance(t.Context(), "every-2")
	if err != nil {
		t.Fatal(err)
	}
	db := database(t, "every-db")
	east := []string{"--region", awstest.East}
	for _, c := range []struct {
		argv  []string
		after string
		says  string
	}{
		{[]string{"ec2", "describe-instances", "--instance-ids", one}, "", one},
		{[]string{"ec2", "describe-instances"}, "", two},
		{[]string{"ec2", "stop-instances", "--instance-ids", one, two}, one + ": stopped, " + two + ": stopped", "StoppingInstances"},
		{[]string{"ec2", "start-instances", "--instance-ids", one}, "running", "StartingInstances"},
		{[]string{"ec2", "reboot-instances", "--instance-ids", one}, "running", ""},
		{[]string{"rds", "describe-db-instances", "--db-instance-identifier", db}, "", db},
		{[]string{"rds", "describe-db-instances"}, "", db},
		{[]string{"rds", "reboot-db-instance", "--db-instance-identifier", db}, "available", db},
		{append(stopDB(db), "--db-snapshot-identifier", "every-snapshot"), "stopped", db},
		{[]string{"rds", "start-db-instance", "--db-instance-identifier", db}, "available", db},
		{append([]string{"rds", "describe-db-clusters"}, east...), "", awstest.Cluster},
		{append([]string{"rds", "stop-db-cluster", "--db-cluster-identifier", awstest.Cluster}, east...), "stopped", awstest.Cluster},
		{append([]string{"rds", "start-db-cluster", "--db-cluster-identifier", awstest.Cluster}, east...), "available", awstest.Cluster},
	} {
		x := w.run(c.argv...)
		if x.Status != "succeeded" || x.Error != "" {
			t.Errorf("%v: %s %s", c.argv, x.Status, x.Error)
		}
		if c.after != "" && x.StateAfter != c.after {
			t.Errorf("%v: left in %q, want %q", c.argv, x.StateAfter, c.after)
		}
		if !strings.Contains(x.Output, c.says) {
			t.Errorf("%v: %q is not in %s", c.argv, c.says, x.Output)
		}
		for _, secret := range awstest.Planted {
			if strings.Contains(x.Output, secret) {
				t.Errorf("%v: the output holds a secret", c.argv)
			}
		}
	}
}

func TestNonsenseIsRefusedEarly(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	for _, c := range []struct {
		argv []string
		is   error
		says string
	}{
		{stopDB("no-such-db"), session.ErrGone, "no RDS instance no-such-db in us-west-2 of account " + awstest.ProdAccount},
		{stopDB(awstest.OrdersDB), ErrRefused, "read replicas"},
		{stopDB(awstest.OrdersReplica), ErrRefused, "replica"},
		{append(stopDB(awstest.ClusterHead), "--region", awstest.East), ErrRefused, "stop-db-cluster with cluster \"analytics\""},
		{[]string{"rds", "reboot-db-cluster", "--db-cluster-identifier", awstest.Cluster, "--region", awstest.East}, ErrRefused, "reboot-db-instance"},
		{[]string{"ec2", "stop-instances", "--instance-ids", e.Stopped}, ErrRefused, "already stopped"},
		{[]string{"ec2", "reboot-instances", "--instance-ids", e.Stopped}, ErrRefused, "only when it is running"},
		{[]string{"ec2", "start-instances", "--instance-ids", e.Unnamed}, ErrRefused, "already running"},
		{[]string{"ec2", "stop-instances", "--instance-ids", e.WebEast}, session.ErrGone, "us-west-2"},
		{[]string{"ec2", "stop-instances", "--instance-ids", e.Unnamed, "i-0123456789abcdef0"}, session.ErrGone, "i-0123456789abcdef0"},
		{append(stopDB(awstest.MainDB), "--profile", "nobody"), session.ErrUnknownProfile, "nobody"},
		{append(stopDB(awstest.MainDB), "--profile", "empty"), session.ErrNoCredentials, "empty"},
		{append(stopDB(awstest.MainDB), "--region", "us-west-9"), nil, ""},
	} {
		err := w.refused(c.argv...)
		if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v", c.argv, err)
		}
	}
	wrong := w.command(stopDB(awstest.MainDB)...)
	wrong.AccountID, wrong.Profile = awstest.StagingAccount, "prod"
	if _, err := w.Plan(t.Context(), w.who(), wrong, Origin{}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), awstest.StagingAccount) {
		t.Errorf("a command for another account: %v", err)
	}
	if len(w.Pending()) != 0 || len(w.kinds()) != 0 {
		t.Error("something of it was kept")
	}
}

// After a scan, a wrong region is answered with the right one.
func TestMissingSaysWhereElse(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	if err := w.estate.Upsert(t.Context(), storage.Resource{Type: "ec2_instance", ID: e.WebEast, AccountID: awstest.ProdAccount, Region: awstest.East, Service: "ec2"}); err != nil {
		t.Fatal(err)
	}
	err := w.refused("ec2", "stop-instances", "--instance-ids", e.WebEast)
	if !errors.Is(err, session.ErrGone) || !strings.Contains(err.Error(), "saw one in "+awstest.East) {
		t.Error(err)
	}
}

func TestOnlyTheExactRunTitleApproves(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	for name, answer := range map[string]func(q, other *Prompt) string{
		"nothing":             func(_, _ *Prompt) string { return "" },
		"reject":              func(q, _ *Prompt) string { return q.Reject },
		"yes":                 func(_, _ *Prompt) string { return "yes" },
		"title without nonce": func(q, _ *Prompt) string { return "Run: " + q.Plan.Title },
		"lower case":          func(q, _ *Prompt) string { return strings.ToLower(q.Run) },
		"with space":          func(q, _ *Prompt) string { return q.Run + " " },
		"another prompt's":    func(_, other *Prompt) string { return other.Run },
		"plan id":             func(q, _ *Prompt) string { return q.Plan.ID },
		"digest":              func(q, _ *Prompt) string { return q.Plan.Digest },
	} {
		p := w.plan(stopDB(awstest.MainDB)...)
		q, err := w.Prompt(p.ID, SurfaceMessage)
		if err != nil {
			t.Fatal(err)
		}
		other := w.ask(p) // the time to read it goes by for both
		a, err := q.Answer(t.Context(), answer(q, other), p.Digest)
		if !errors.Is(err, ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) {
			t.Errorf("%s: it ran: %v", name, err)
		}
		if w.status() != "rejected" || len(w.Pending()) != 0 {
			t.Errorf("%s: %s, %d wait", name, w.status(), len(w.Pending()))
		}
		if _, err := other.Answer(t.Context(), other.Run, p.Digest); !errors.Is(err, ErrNoPlan) {
			t.Errorf("%s: a rejected plan was approved: %v", name, err)
		}
	}
	p := w.plan(stopDB(awstest.MainDB)...)
	q := w.ask(p)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Answer(gone, q.Run, p.Digest); !errors.Is(err, ErrUndecided) {
		t.Errorf("an editor that went away: %v", err)
	}
	if len(w.Pending()) != 1 {
		t.Error("an editor that went away decided")
	}
	if stateOf(t, awstest.MainDB) != "available" {
		t.Error("something ran")
	}
	var forged Prompt
	if _, err := forged.Answer(t.Context(), "", ""); !errors.Is(err, ErrRejected) {
		t.Error(err)
	}
}

func TestApprovalsAreBoundAndUsedOnce(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	id := database(t, "once-db")

	p := w.plan(stopDB(id)...)
	q := w.ask(p)
	if _, err := q.Answer(t.Context(), q.Run, strings.Repeat("0", 64)); !errors.Is(err, ErrVoid) {
		t.Errorf("another digest: %v", err)
	}
	if w.status() != "void" {
		t.Error(w.status())
	}

	// A restart leaves everything as it was shown, so that only the use tells.
	p = w.plan("rds", "reboot-db-instance", "--db-instance-identifier", id)
	q, again := w.ask(p), w.ask(p)
	a, err := q.Answer(t.Context(), q.Run, p.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Answer(t.Context(), q.Run, p.Digest); !errors.Is(err, ErrNoPlan) {
		t.Errorf("the same prompt again: %v", err)
	}
	if _, err := again.Answer(t.Context(), again.Run, p.Digest); !errors.Is(err, ErrNoPlan) {
		t.Errorf("the same plan again: %v", err)
	}
	if err := w.Reject(p.ID, "too late"); !errors.Is(err, ErrNoPlan) {
		t.Error(err)
	}
	copied := a
	if x, err := w.Run(t.Context(), a, nil); err != nil || x.Status != "succeeded" {
		t.Fatalf("%+v, %v", x, err)
	}
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) {
		t.Errorf("an approval ran twice: %v", err)
	}
	if _, err := w.Run(t.Context(), copied, nil); !errors.Is(err, ErrVoid) {
		t.Errorf("a copy of an approval ran: %v", err)
	}
	if _, err := w.Run(t.Context(), Approved{}, nil); !errors.Is(err, ErrVoid) {
		t.Errorf("nothing ran: %v", err)
	}
	other := newWorld(t, Config{}, "prod", "")
	mine := other.approve(other.plan(stopDB(id)...))
	if _, err := w.Run(t.Context(), mine, nil); !errors.Is(err, ErrVoid) {
		t.Errorf("another daemon's approval ran: %v", err)
	}
}

// An answer counts once the whole card could be read, wherever it is shown; to
// reject is never too soon. A dismissal that comes as early was meant for what
// stood there before.
func TestEarlyAnswersApproveNothing(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	const before, armed = -time.Millisecond, 0
	titles := map[string]func(*Prompt) string{
		"run":            func(q *Prompt) string { return q.Run },
		"dismissed":      func(*Prompt) string { return "" },
		"something else": func(*Prompt) string { return "yes" },
		"reject":         func(q *Prompt) string { return q.Reject },
	}
	for _, c := range []struct {
		title string
		// at is when, counted from when the card could be read; its opening is atOnce.
		at   time.Duration
		want error
	}{
		{"run", -time.Hour, ErrEarly}, {"run", before, ErrEarly}, {"run", armed, nil},
		{"dismissed", -time.Hour, ErrEarly}, {"dismissed", before, ErrEarly}, {"dismissed", armed, ErrRejected},
		{"something else", before, ErrEarly}, {"something else", armed, ErrRejected},
		{"reject", -time.Hour, ErrRejected}, {"reject", armed, ErrRejected},
	} {
		for _, on := range []Surface{SurfaceTerminal, SurfaceMessage, SurfaceCard} {
			name := fmt.Sprintf("%s at %v on a %s", c.title, c.at, on)
			p := w.plan(stopDB(awstest.MainDB)...)
			q, err := w.Prompt(p.ID, on)
			if err != nil {
				t.Fatal(err)
			}
			reading := time.Duration(q.ArmAfterMS) * time.Millisecond
			if reading < time.Second || reading > 3*time.Second {
				t.Fatalf("%s: a card is read in %v", name, reading)
			}
			q.asked.clock.Boot = func() time.Duration { return q.asked.opened + max(0, reading+c.at) }
			_, err = q.Answer(t.Context(), titles[c.title](q), p.Digest)
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			waits := len(w.Pending()) == 1
			if early := c.want == ErrEarly; waits != early || early && !errors.Is(err, ErrUndecided) {
				t.Errorf("%s: the plan waits: %t (%v)", name, waits, err)
			}
			if _, err := q.Answer(t.Context(), q.Run, p.Digest); !errors.Is(err, ErrNoPlan) {
				t.Errorf("%s: a prompt takes a second answer: %v", name, err)
			}
			if waits {
				// Asked again, and read this time, it can be approved.
				if _, err := w.ask(p).Answer(t.Context(), "", ""); !errors.Is(err, ErrRejected) {
					t.Errorf("%s: asked again: %v", name, err)
				}
			}
		}
	}
}

func TestLongerCardsTakeLonger(t *testing.T) {
	short, long := Reading(500), Reading(3000)
	if Reading(0) != time.Second || short >= long || Reading(1<<20) != 3*time.Second {
		t.Errorf("%v, %v, %v, %v", Reading(0), short, long, Reading(1<<20))
	}
	few, many := Plan{Targets: make([]Target, 1)}, Plan{Targets: make([]Target, 40)}
	if few.length() >= many.length() {
		t.Error("the length of a card does not grow with what it lists")
	}
}

// A person sets one clock and a machine that sleeps stops the other: whichever
// says so ends a plan, an approval and a question.
func TestPlansExpire(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	const over = 5*time.Minute + time.Second
	for name, c := range map[string]struct{ wall, boot time.Duration }{
		"time goes by":             {over, over},
		"the machine slept":        {over, 0},
		"the time was turned back": {-time.Hour, over},
	} {
		p := w.plan(stopDB(awstest.MainDB)...)
		q := w.ask(p)
		asking, cancel := q.Until(t.Context())
		defer cancel()
		// Of another kind, and nothing but time ends it.
		other, cancel := w.Ask(0).Until(t.Context())
		defer cancel()
		w.move(c.wall, c.boot)
		if len(w.Pending()) != 0 {
			t.Errorf("%s: an expired plan waits", name)
		}
		if _, err := q.Answer(t.Context(), q.Run, p.Digest); !errors.Is(err, ErrNoPlan) {
			t.Errorf("%s: the answer: %v", name, err)
		}
		<-asking.Done()
		<-other.Done()
		// Whoever noticed first records it: the answer, or the plan's own deadline.
		eventually(t, name+": it is recorded", func() bool { return w.status() == "expired" })
		a := w.approve(w.plan(stopDB(awstest.MainDB)...))
		w.move(c.wall, c.boot)
		if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%s: %v", name, err)
		}
		w.plan(stopDB(awstest.MainDB)...)
		w.move(c.wall, c.boot)
		eventually(t, name+": a plan expires by itself", func() bool { return w.status() == "expired" })
	}
}

func TestAChangeVoidsTheApproval(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	client := rds.NewFromConfig(e.Config(awstest.West))

	id := database(t, "changing-db")
	a := w.approve(w.plan("rds", "reboot-db-instance", "--db-instance-identifier", id))
	if _, err := client.StopDBInstance(t.Context(), &rds.StopDBInstanceInput{DBInstanceIdentifier: &id}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Run(t.Context(), a, nil)
	if !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), `the state of changing-db was "available" and is "stopped"`) {
		t.Error(err)
	}
	if w.status() != "void" {
		t.Error(w.status())
	}
	if slices.Contains(w.kinds(), "claimed") {
		t.Error("it was claimed")
	}

	id = database(t, "replaced-db")
	a = w.approve(w.plan(stopDB(id)...))
	if _, err := client.DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &id, SkipFinalSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	database(t, id)
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), "another resource") {
		t.Error(err)
	}

	id = database(t, "vanished-db")
	a = w.approve(w.plan(stopDB(id)...))
	if _, err := client.DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &id, SkipFinalSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !errors.Is(err, session.ErrGone) {
		t.Error(err)
	}

	a = w.approve(w.plan(stopDB(awstest.MainDB)...))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Run(gone, a, nil); !errors.Is(err, ErrVoid) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if stateOf(t, awstest.MainDB) != "available" {
		t.Error("it ran")
	}
}

// Who runs a command is asked again before it runs, also where no resource tells
// the difference: other keys of the same profile void the approval.
func TestAnotherCallerVoidsTheApproval(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	keys, err := os.ReadFile(w.env.CredentialsFile)
	if err != nil {
		t.Fatal(err)
	}
	w.env.CredentialsFile = filepath.Join(t.TempDir(), "credentials")
	write := func(keys string) {
		t.Helper()
		if err := os.WriteFile(w.env.CredentialsFile, []byte(keys), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(keys))
	a := w.approve(w.plan("rds", "describe-db-instances"))
	write(strings.NewReplacer("[prod]", "[before]", "[staging]", "[prod]").Replace(string(keys)))
	_, err = w.Run(t.Context(), a, nil)
	if !errors.Is(err, ErrVoid) {
		t.Errorf("it ran as somebody else: %v", err)
		return
	}
	for _, says := range []string{
		fmt.Sprintf("the account was %q and is %q", awstest.ProdAccount, awstest.StagingAccount),
		"the caller was", "operator", "developer",
	} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%s is not said: %v", says, err)
		}
	}
}

// Whatever the card shows is what was approved.
func TestWhatTheCardShowsIsBound(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	client := ec2.NewFromConfig(e.Config(awstest.West))
	tag := func(k, v string) func(id string) error {
		return func(id string) error {
			_, err := client.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: &k, Value: &v}}})
			return err
		}
	}
	for name, c := range map[string]struct {
		change func(id string) error
		says   string
	}{
		"a tag that raises the risk": {tag("env", "prod"), "the risk was"},
		"any other tag":              {tag("protected", "true"), `the tag "protected" of`},
		"another value of a tag":     {tag("owner", "team-2"), `was "team-1" and is "team-2"`},
		"the name":                   {tag("Name", "another"), "the name of"},
		"a tag that was taken away": {func(id string) error {
			_, err := client.DeleteTags(t.Context(), &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("owner")}}})
			return err
		}, `was "team-1" and is not there`},
		"termination protection": {func(id string) error {
			_, err := client.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &id,
				DisableApiTermination: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}})
			return err
		}, `termination protection of`},
		"stop protection": {func(id string) error {
			_, err := client.ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{InstanceId: &id,
				DisableApiStop: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}})
			return err
		}, `stop protection of`},
	} {
		id, err := e.AddInstance(t.Context(), "shown")
		if err == nil {
			err = tag("owner", "team-1")(id)
		}
		if err != nil {
			t.Fatal(err)
		}
		a := w.approve(w.plan("ec2", "stop-instances", "--instance-ids", id))
		if err := c.change(id); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What protects a resource is read from AWS before there is a card.
func TestProtectionIsReadBeforeACard(t *testing.T) {
	e := theAWS(t)
	proxy, err := awstest.NewProxy(e.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	id, err := e.AddInstance(t.Context(), "protected")
	if err != nil {
		t.Fatal(err)
	}
	stop := []string{"ec2", "stop-instances", "--instance-ids", id}
	p := w.plan(stop...)
	if f := p.Targets[0].Facts; f["stop_protection"] != "false" || f["termination_protection"] != "false" {
		t.Errorf("%+v", f)
	}
	if _, err := ec2.NewFromConfig(e.Config(awstest.West)).ModifyInstanceAttribute(t.Context(), &ec2.ModifyInstanceAttributeInput{
		InstanceId: &id, DisableApiStop: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.refused(stop...); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "protected from being stopped") {
		t.Error(err)
	}
	// Where it may not be read, the card says so; AWS will refuse what it protects.
	proxy.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeInstanceAttribute", Kind: awstest.Deny})
	p = w.plan(stop...)
	if reasons := strings.Join(p.Reasons, "; "); p.Targets[0].Facts["stop_protection"] != "unknown" || !strings.Contains(reasons, "could not be read") {
		t.Errorf("%+v: %s", p.Targets[0].Facts, reasons)
	}
}

// An approved command can be stopped until AWS is called, and whoever stops it is
// told the truth.
func TestACommandIsStoppedOrItIsTooLate(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	id := database(t, "halted-db")
	reboot := []string{"rds", "reboot-db-instance", "--db-instance-identifier", id}
	calls := func() int { return len(proxy.Calls("rds", "RebootDBInstance", "")) }

	p := w.plan(reboot...)
	if err := w.Stop(p.ID, "no"); !errors.Is(err, ErrUndecided) || len(w.Pending()) != 1 {
		t.Errorf("before anybody approved: %v", err)
	}
	a := w.approve(p)
	if err := w.Stop(p.ID, "the person took it back"); err != nil {
		t.Errorf("before it runs: %v", err)
	}
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), "took it back") || w.status() != "void" {
		t.Errorf("it ran: %v", err)
	}
	if err := w.Stop(p.ID, "no"); !errors.Is(err, ErrNoPlan) {
		t.Errorf("after its end: %v", err)
	}

	running := func(a Approved) (outcome func() (Execution, error)) {
		var x Execution
		var err error
		done := make(chan struct{})
		go func() { x, err = w.Run(t.Context(), a, nil); close(done) }()
		return func() (Execution, error) { <-done; return x, err }
	}
	p = w.plan(reboot...)
	a = w.approve(p)
	before := len(proxy.Calls("rds", "DescribeDBInstances", ""))
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "DescribeDBInstances", Kind: awstest.Slow, Delay: 2 * time.Second})
	outcome := running(a)
	eventually(t, "it is looked at again", func() bool { return len(proxy.Calls("rds", "DescribeDBInstances", "")) > before })
	if err := w.Stop(p.ID, "no"); err != nil {
		t.Errorf("while it is looked at again: %v", err)
	}
	if _, err := outcome(); !errors.Is(err, ErrVoid) || calls() != 0 {
		t.Errorf("it ran, with %d calls: %v", calls(), err)
	}

	proxy.Heal()
	p = w.plan(reboot...)
	a = w.approve(p)
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "RebootDBInstance", Kind: awstest.Slow, Delay: 2 * time.Second})
	outcome = running(a)
	eventually(t, "AWS is called", func() bool { return calls() > 0 })
	if err := w.Stop(p.ID, "no"); !errors.Is(err, ErrLate) {
		t.Errorf("while AWS has it: %v", err)
	}
	if x, err := outcome(); err != nil || x.Status != "succeeded" || calls() != 1 {
		t.Errorf("%+v, %v", x, err)
	}
}

// Who selects another profile has approved nothing for the one before.
func TestAnotherProfileVoidsWhatWasProposed(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	id := database(t, "profile-db")
	kept, err := w.Plan(t.Context(), w.who(), w.command(stopDB(awstest.MainDB)...), Origin{Session: "another"})
	if err != nil {
		t.Fatal(err)
	}
	a := w.approve(w.plan(stopDB(id)...))
	waiting := w.plan("rds", "reboot-db-instance", "--db-instance-identifier", id)
	q := w.ask(waiting)
	asking, cancel := q.Until(t.Context())
	defer cancel()
	if void := w.Selected("s", "prod"); len(void) != 0 || len(w.Pending()) != 2 {
		t.Errorf("the same profile again voids %+v", void)
	}
	if void := w.Selected("s", "staging"); len(void) != 1 || void[0].PlanID != waiting.ID || void[0].Status != "void" {
		t.Errorf("%+v", void)
	}
	<-asking.Done() // the question goes, too
	if _, err := q.Answer(t.Context(), q.Run, waiting.Digest); !errors.Is(err, ErrNoPlan) {
		t.Errorf("the card that stood there: %v", err)
	}
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), `profile "staging" was selected`) {
		t.Errorf("the approval: %v", err)
	}
	if left := w.Pending(); len(left) != 1 || left[0].ID != kept.ID {
		t.Errorf("%d plans of other sessions wait, want 1", len(left))
	}
}

func TestDeniedByAWS(t *testing.T) {
	w := newWorld(t, Config{}, "staging", "")
	x := w.run(stopDB(awstest.StagingDB)...)
	if x.Status != "failed" || !strings.Contains(x.Error, "needs rds:StopDBInstance") || !strings.Contains(x.Error, "developer") {
		t.Errorf("%+v", x)
	}
	if w.status() != "failed" {
		t.Error(w.status())
	}
}

func TestPolicy(t *testing.T) {
	describe := []string{"rds", "describe-db-instances", "--db-instance-identifier", awstest.MainDB}
	w := newWorld(t, Config{}, "prod", "")
	p := w.plan(describe...)
	a, err := w.AllowRead(p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := w.Run(t.Context(), a, nil); err != nil || x.Status != "succeeded" || !strings.Contains(x.Decision, "policy") {
		t.Errorf("%+v, %v", x, err)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"claimed", "finished"}) {
		t.Error(got)
	}
	p = w.plan(stopDB(awstest.MainDB)...)
	if _, err := w.AllowRead(p.ID); !errors.Is(err, ErrRefused) || len(w.Pending()) != 1 {
		t.Errorf("policy allows a change: %v", err)
	}
	if _, err := w.AllowRead("nonsense"); !errors.Is(err, ErrNoPlan) {
		t.Error(err)
	}

	w = newWorld(t, Config{Reads: "ask"}, "prod", "")
	p = w.plan(describe...)
	if _, err := w.AllowRead(p.ID); !errors.Is(err, ErrRefused) {
		t.Errorf("it does not ask: %v", err)
	}
	if x, err := w.Run(t.Context(), w.approve(p), nil); err != nil || x.Status != "succeeded" {
		t.Errorf("%+v, %v", x, err)
	}

	w = newWorld(t, Config{ReadOnly: true}, "prod", "")
	if err := w.refused(stopDB(awstest.MainDB)...); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "read_only") {
		t.Error(err)
	}
	w.plan(describe...)
}

// The policy is the one of this moment: when a command is proposed and again just
// before it runs. One that can't be read allows nothing.
func TestThePolicyIsLive(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	id := database(t, "policy-db")
	reboot := []string{"rds", "reboot-db-instance", "--db-instance-identifier", id}
	describe := []string{"rds", "describe-db-instances", "--db-instance-identifier", id}
	for name, c := range map[string]struct {
		policy Config
		err    error
		says   string
	}{
		"read only":      {Config{ReadOnly: true}, nil, "read_only is set"},
		"unknown value":  {Config{Reads: "always"}, nil, `"always" is neither`},
		"can't be read":  {Config{}, errors.New("line 3: is empty"), "line 3: is empty"},
		"another policy": {Config{Reads: "ask"}, nil, "the policy in config.yaml changed"},
	} {
		w.Executor.policy = Config{}.Always()
		a := w.approve(w.plan(reboot...))
		read := w.plan(describe...)
		w.Executor.policy = func() (Config, error) { return c.policy, c.err }
		if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: what was approved before: %v", name, err)
		}
		if _, err := w.AllowRead(read.ID); name != "read only" && !errors.Is(err, ErrRefused) || name == "read only" && err != nil {
			t.Errorf("%s: a read: %v", name, err)
		}
		if name != "read only" && w.MayRead() {
			t.Errorf("%s: it may read without asking", name)
		}
		if name == "another policy" {
			continue
		}
		if err := w.refused(reboot...); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: a new one: %v", name, err)
		}
	}
}

func TestCriticalIsNotDecidedInAMessage(t *testing.T) {
	e := theAWS(t)
	w := newWorld(t, Config{}, "prod", "")
	argv := []string{"ec2", "reboot-instances", "--instance-ids"}
	for i := range 10 {
		id, err := e.AddInstance(t.Context(), fmt.Sprintf("many-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		argv = append(argv, id)
	}
	p := w.plan(argv...)
	if p.Risk != RiskCritical {
		t.Fatal(p.Risk)
	}
	if _, err := w.Prompt(p.ID, SurfaceMessage); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "terminal") {
		t.Error(err)
	}
	if _, err := w.Prompt(p.ID, "webview"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if x, err := w.Run(t.Context(), w.approve(p), nil); err != nil || x.Status != "succeeded" {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestPlansAreCapped(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	c := w.command(stopDB(awstest.MainDB)...)
	first := w.plan(stopDB(awstest.MainDB)...)
	second := w.plan(stopDB(awstest.MainDB)...)
	if got := w.Pending(); len(got) != 1 || got[0].ID != second.ID {
		t.Errorf("%d wait", len(got))
	}
	if _, err := w.Prompt(first.ID, SurfaceTerminal); !errors.Is(err, ErrNoPlan) {
		t.Errorf("the replaced plan: %v", err)
	}
	// Another terminal asks for the same again, as long as nobody is being asked.
	again, err := w.Plan(t.Context(), w.who(), c, Origin{Session: "again"})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Pending(); len(got) != 1 || got[0].ID != again.ID {
		t.Errorf("%d wait after the same command of another session", len(got))
	}
	second = again
	for i := 0; i < maxPerResource+1 && err == nil; i++ {
		var p Plan
		if p, err = w.Plan(t.Context(), w.who(), c, Origin{Session: fmt.Sprint("other-", i)}); err == nil {
			second = p
			_, err = w.Prompt(p.ID, SurfaceTerminal)
		}
	}
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), awstest.MainDB) {
		t.Errorf("no cap per resource: %v", err)
	}
	err = nil
	for i := 0; i < maxPerSession+1 && err == nil; i++ {
		region := []string{"us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-central-1"}[i/3]
		op := [][]string{{"rds", "describe-db-instances"}, {"rds", "describe-db-clusters"}, {"ec2", "describe-instances"}}[i%3]
		_, err = w.Plan(t.Context(), w.who(), w.command(append(op, "--region", region)...), Origin{Session: "busy"})
	}
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "20 plans") {
		t.Errorf("no cap per session: %v", err)
	}
	if err := w.Reject(second.ID, "not now"); err != nil {
		t.Error(err)
	}
	x, err := w.Execution(second.ID)
	if err != nil || x.Status != "rejected" || x.Decision != "rejected: not now" {
		t.Errorf("%+v, %v", x, err)
	}
}

// A card says how many plans of its own session wait besides.
func TestACardCountsWhatElseWaits(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	here := w.plan("rds", "describe-db-instances")
	w.plan("rds", "describe-db-clusters")
	w.plan("ec2", "describe-instances")
	for _, region := range []string{awstest.East, "us-east-2", "eu-west-2"} {
		if _, err := w.Plan(t.Context(), w.who(), w.command("ec2", "describe-instances", "--region", region), Origin{Session: "another"}); err != nil {
			t.Fatal(err)
		}
	}
	if q := w.ask(here); q.Waiting != 2 {
		t.Errorf("%d others wait, want the 2 of its session", q.Waiting)
	}
}

// A plan that a person looks at is not replaced from elsewhere, whatever became
// of the questions about it before.
func TestAPlanStaysWhileSomebodyIsAsked(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	argv := []string{"rds", "describe-db-instances"}
	p := w.plan(argv...)
	left := w.ask(p)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := left.Answer(ended, left.Run, p.Digest); !errors.Is(err, ErrUndecided) {
		t.Errorf("an answer of somebody who is gone: %v", err)
	}
	open := w.ask(p)
	left.Withdraw() // it was used up before
	waits := func() bool {
		t.Helper()
		if _, err := w.Plan(t.Context(), w.who(), w.command(argv...), Origin{Session: "elsewhere"}); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(w.Pending(), func(other Plan) bool { return other.ID == p.ID })
	}
	if !waits() {
		t.Error("a plan was replaced while a person is asked about it")
	}
	open.Withdraw()
	open.Withdraw()
	if waits() {
		t.Error("a plan that nobody is asked about any more was not replaced")
	}
}

// Two people approve the same thing at once: it runs once.
func TestParallelApprovals(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	id := database(t, "parallel-db")
	p := w.plan(stopDB(id)...)
	prompts := []*Prompt{}
	for range 8 {
		prompts = append(prompts, w.ask(p))
	}
	approvals := make([]Approved, len(prompts))
	results := make([]error, len(prompts))
	var all sync.WaitGroup
	for i, q := range prompts {
		all.Go(func() { approvals[i], results[i] = q.Answer(t.Context(), q.Run, p.Digest) })
	}
	all.Wait()
	granted := 0
	var a Approved
	for i, err := range results {
		if err == nil {
			granted++
			a = approvals[i]
		} else if !errors.Is(err, ErrNoPlan) {
			t.Error(err)
		}
	}
	if granted != 1 {
		t.Fatalf("%d approvals of one plan", granted)
	}

	// Another session approved a command for the same resource.
	q, err := w.Plan(t.Context(), w.who(), w.command("rds", "reboot-db-instance", "--db-instance-identifier", id), Origin{Session: "other"})
	if err != nil {
		t.Fatal(err)
	}
	second := w.approve(q)
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: awstest.Slow, Delay: 3 * time.Second})
	for range 8 {
		all.Go(func() {
			if _, err := w.Run(t.Context(), a, nil); err != nil && !errors.Is(err, ErrVoid) {
				t.Error(err)
			}
		})
	}
	eventually(t, "the first run calls AWS", func() bool { return len(proxy.Calls("rds", "StopDBInstance", "")) > 0 })
	if _, err := w.Run(t.Context(), second, nil); !errors.Is(err, ErrVoid) || !strings.Contains(err.Error(), "another command") {
		t.Errorf("two commands on one resource at once: %v", err)
	}
	all.Wait()
	if n := len(proxy.Calls("rds", "StopDBInstance", "")); n != 1 {
		t.Errorf("AWS was called %d times", n)
	}
	if n := len(proxy.Calls("rds", "RebootDBInstance", "")); n != 0 {
		t.Errorf("AWS was called %d times", n)
	}
}

// An answer that never comes, or breaks, is neither success nor failure.
func TestNoClearAnswer(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	id := database(t, "unclear-db")
	for _, c := range []struct {
		kind         awstest.Kind
		status, says string
	}{
		{awstest.Cut, "unknown", "may have done it"},
		{awstest.Hang, "unknown", "may have done it"},
		{awstest.Fail, "unknown", "may have done it"},
		{awstest.SignIn, "unknown", "the answer is not AWS's: a web page"},
		{awstest.Throttle, "failed", "too many calls"},
		{awstest.Deny, "failed", "rds:StopDBInstance"},
	} {
		w.times.call = time.Minute
		if c.kind == awstest.Hang {
			w.times.call = time.Second
		}
		proxy.Heal()
		proxy.Spoil(awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: c.kind})
		x := w.run(stopDB(id)...)
		if x.Status != c.status || !strings.Contains(x.Error, c.says) {
			t.Errorf("fault %d: %s %s", c.kind, x.Status, x.Error)
		}
		if c.status == "unknown" && x.StateAfter != "available" {
			t.Errorf("fault %d: the state read afterwards is %q", c.kind, x.StateAfter)
		}
		if n := len(proxy.Calls("rds", "StopDBInstance", "")); n != 1 {
			t.Errorf("fault %d: it was sent %d times", c.kind, n)
		}
	}
}

// slowly stands before the emulator and, once a change was sent, lets the
// database seem to be in the given states, one a look, the last one for good.
func slowly(t *testing.T, states ...string) (endpoint string, looks func() int) {
	t.Helper()
	target, err := url.Parse(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	sent, n := false, 0
	p := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // callers that went away
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			action, _ := r.Request.Context().Value(actionKey{}).(string)
			mu.Lock()
			defer mu.Unlock()
			if strings.HasPrefix(action, "Stop") || strings.HasPrefix(action, "Reboot") || strings.HasPrefix(action, "StartDB") {
				sent = true
			}
			if !sent || action != "DescribeDBInstances" {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			state := states[min(n, len(states)-1)]
			n++
			before, rest, ok := strings.Cut(string(body), "<DBInstanceStatus>")
			if ok {
				_, after, _ := strings.Cut(rest, "</DBInstanceStatus>")
				body = []byte(before + "<DBInstanceStatus>" + state + "</DBInstanceStatus>" + after)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", fmt.Sprint(len(body)))
			return nil
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actionKey{}, form.Get("Action"))))
	}))
	t.Cleanup(s.Close)
	return s.URL, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

type actionKey struct{}

func TestItWaitsForTheState(t *testing.T) {
	for name, c := range map[string]struct {
		verb   string
		states []string
		status string
		after  string
		events []string
	}{
		"stop":             {"stop", []string{"available", "stopping", "stopping", "stopped"}, "succeeded", "stopped", []string{"available", "stopping", "stopped"}},
		"stop went back":   {"stop", []string{"stopping", "available"}, "failed", "available", []string{"stopping", "available"}},
		"stop broke":       {"stop", []string{"stopping", "incompatible-network"}, "failed", "incompatible-network", []string{"stopping", "incompatible-network"}},
		"reboot":           {"reboot", []string{"rebooting", "rebooting", "available"}, "succeeded", "available", []string{"rebooting", "available"}},
		"reboot seen late": {"reboot", []string{"available", "rebooting", "available"}, "succeeded", "available", []string{"available", "rebooting", "available"}},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint, _ := slowly(t, c.states...)
			w := newWorld(t, Config{}, "prod", endpoint)
			id := database(t, "wait-"+strings.ReplaceAll(name, " ", "-"))
			p := w.plan("rds", c.verb+"-db-instance", "--db-instance-identifier", id)
			var events []string
			x, err := w.Run(t.Context(), w.approve(p), func(e Event) {
				if e.Kind == "state" {
					events = append(events, e.Text)
				}
			})
			if err != nil || x.Status != c.status || x.StateAfter != c.after {
				t.Errorf("%s, %s: %s; %v", x.Status, x.StateAfter, x.Error, err)
			}
			if !slices.Equal(events, c.events) {
				t.Errorf("events: %v", events)
			}
		})
	}
}

func TestWaitingCanBeCancelled(t *testing.T) {
	endpoint, looks := slowly(t, "stopping")
	w := newWorld(t, Config{}, "prod", endpoint)
	id := database(t, "cancel-db")
	a := w.approve(w.plan(stopDB(id)...))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan Execution)
	go func() {
		x, err := w.Run(ctx, a, nil)
		if err != nil {
			t.Error(err)
		}
		done <- x
	}()
	eventually(t, "it waits", func() bool { return looks() > 2 })
	// A newer daemon may only take over when the command is done.
	draining, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := w.Drain(draining); err == nil {
		t.Error("it drained while a command runs")
	}
	cancel()
	x := <-done
	if x.Status != "succeeded" || x.StateAfter != "stopping" || !strings.Contains(x.Error, "only the waiting was cancelled") {
		t.Errorf("%+v", x)
	}
	if got := stateOf(t, id); got != "stopped" {
		t.Errorf("AWS says %s", got)
	}
	if err := w.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever goes away while AWS has the call leaves its outcome known.
func TestGoneWhileAWSHasTheCall(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	id := database(t, "left-db")
	a := w.approve(w.plan(stopDB(id)...))
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: awstest.Slow, Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan Execution)
	go func() {
		x, err := w.Run(ctx, a, nil)
		if err != nil {
			t.Error(err)
		}
		done <- x
	}()
	eventually(t, "AWS has the call", func() bool { return len(proxy.Calls("rds", "StopDBInstance", "")) > 0 })
	cancel()
	proxy.Heal()
	x := <-done
	if x.Status != "succeeded" || x.StateAfter != "stopped" || !strings.Contains(x.Output, id) {
		t.Errorf("%s, %s: %s", x.Status, x.StateAfter, x.Error)
	}
	if got := w.status(); got != "succeeded" {
		t.Errorf("the log says %s", got)
	}
}

// A log that is damaged while AWS has the call can't tell the outcome, so the
// answer does.
func TestWhatCannotBeRecordedIsTold(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	w := newWorld(t, Config{}, "prod", proxy.URL)
	a := w.approve(w.plan(stopDB(database(t, "unrecorded-db"))...))
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: awstest.Slow, Delay: time.Hour})
	done := make(chan Execution)
	go func() {
		x, err := w.Run(t.Context(), a, nil)
		if err != nil {
			t.Error(err)
		}
		done <- x
	}()
	eventually(t, "AWS has the call", func() bool { return len(proxy.Calls("rds", "StopDBInstance", "")) > 0 })
	if err := os.Truncate(filepath.Join(w.home, auditFile), 0); err != nil {
		t.Error(err)
	}
	proxy.Heal()
	x := <-done
	if x.Status != "succeeded" || x.StateAfter != "stopped" {
		t.Errorf("%s, %s: %s", x.Status, x.StateAfter, x.Error)
	}
	for _, says := range []string{"its start could not be recorded: ", "the outcome could not be recorded: ", "cloudops audit verify"} {
		if !strings.Contains(x.Error, says) {
			t.Errorf("%q is not said: %s", says, x.Error)
		}
	}
}

func TestWaitingEnds(t *testing.T) {
	endpoint, _ := slowly(t, "stopping")
	w := newWorld(t, Config{}, "prod", endpoint)
	w.times.wait = 200 * time.Millisecond
	x := w.run(stopDB(database(t, "forever-db"))...)
	if x.Status != "unknown" || x.StateAfter != "stopping" || !strings.Contains(x.Error, "not done") {
		t.Errorf("%+v", x)
	}
}

func TestDrain(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	p := w.plan(stopDB(awstest.MainDB)...)
	q := w.ask(p)
	o := w.plan("rds", "describe-db-instances")
	a := w.approve(o)
	if err := w.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Answer(t.Context(), q.Run, p.Digest); err == nil {
		t.Error("it approved while ending")
	}
	if _, err := w.Run(t.Context(), a, nil); !errors.Is(err, ErrVoid) {
		t.Errorf("it ran while ending: %v", err)
	}
	if err := w.refused(stopDB(awstest.MainDB)...); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if got := w.kinds(); !slices.Contains(got, "expired") || !slices.Contains(got, "void") {
		t.Error(got)
	}
}

// No durable intent, no execution.
func TestADamagedAuditLogStopsEverything(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	x := w.run("rds", "describe-db-instances")
	p := w.plan(stopDB(awstest.MainDB)...)
	q := w.ask(p)
	a := w.approve(w.plan("ec2", "describe-instances"))
	path := filepath.Join(w.home, auditFile)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{}\n"); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := w.Run(t.Context(), a, nil); err == nil {
		t.Error("it ran")
	}
	if _, err := q.Answer(t.Context(), q.Run, p.Digest); err == nil {
		t.Error("it approved")
	}
	if err := w.refused(stopDB(awstest.MainDB)...); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "audit") {
		t.Error(err)
	}
	w.stop()
	w.start(Config{})
	if err := w.refused(stopDB(awstest.MainDB)...); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if r, err := w.Verify(); err != nil || r.OK || len(r.Problems) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if got, err := w.Execution(x.ID); err != nil || got.Status != "succeeded" {
		t.Errorf("%+v, %v", got, err)
	}
	if stateOf(t, awstest.MainDB) != "available" {
		t.Error("something ran")
	}
}

func TestUndecidedPlansEndWithTheDaemon(t *testing.T) {
	w := newWorld(t, Config{}, "prod", "")
	w.plan(stopDB(awstest.MainDB)...)
	w.approve(w.plan("rds", "describe-db-instances"))
	w.stop()
	w.start(Config{})
	xs, err := w.Executions("", 0)
	if err != nil || len(xs) != 2 || xs[0].Status != "expired" || xs[1].Status != "expired" {
		t.Errorf("%+v, %v", xs, err)
	}
	if len(w.Pending()) != 0 {
		t.Error("a plan outlived its daemon")
	}
}

// kill -9 while AWS has the call: the next daemon says that it does not know,
// and never sends it again.
func TestKilledWhileAWSHasTheCall(t *testing.T) {
	proxy, err := awstest.NewProxy(theAWS(t).Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	id := database(t, "killed-db")
	proxy.Spoil(awstest.Fault{Service: "rds", Operation: "StopDBInstance", Kind: awstest.Hang})
	sent := func() int { return len(proxy.Calls("rds", "StopDBInstance", "")) }
	w := newWorld(t, Config{}, "prod", proxy.URL)
	w.kill(id, func() bool { return sent() > 0 })

	xs, err := w.Executions("", 0)
	if err != nil || len(xs) != 1 || xs[0].Status != "unknown" || !strings.Contains(xs[0].Error, "may or may not") {
		t.Fatalf("%+v, %v", xs, err)
	}
	if got := w.kinds(); !slices.Equal(got, []string{"planned", "approved", "claimed", "finished"}) {
		t.Error(got)
	}
	if r, err := w.Verify(); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
	if sent() != 1 {
		t.Errorf("it was sent %d times", sent())
	}
	proxy.Heal()
	if x := w.run(stopDB(id)...); x.Status != "succeeded" {
		t.Errorf("a new plan does not run: %+v", x)
	}
}

// kill -9 during the wait: AWS took the command, and the next daemon says so.
func TestKilledWhileWaiting(t *testing.T) {
	id := database(t, "killed-later-db")
	endpoint, looks := slowly(t, "stopping")
	w := newWorld(t, Config{}, "prod", endpoint)
	w.kill(id, func() bool { return looks() > 1 })
	xs, err := w.Executions("", 0)
	if err != nil || len(xs) != 1 || xs[0].Status != "unknown" || !strings.Contains(xs[0].Error, "AWS took the command") {
		t.Fatalf("%+v, %v", xs, err)
	}
	if r, err := w.Verify(); err != nil || !r.OK {
		t.Errorf("%+v, %v", r, err)
	}
}

// kill -9 at any moment loses no outcome that was acknowledged, leaves nothing
// open and a log that holds.
func TestKilledAtAnyMoment(t *testing.T) {
	rounds := 3
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		rounds = 100
	}
	w := newWorld(t, Config{}, "prod", "")
	var known []string
	for round := range rounds {
		w.stop()
		child, out := w.child("")
		lines := bufio.NewScanner(out)
		for range 1 + round%4 {
			if !lines.Scan() {
				t.Fatal("the child ended")
			}
			known = append(known, lines.Text())
		}
		time.Sleep(rand.N(20 * time.Millisecond)) // any moment will do
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			known = append(known, lines.Text())
		}
		_ = child.Wait()
		w.start(Config{})
		if r, err := w.Verify(); err != nil || !r.OK {
			t.Fatalf("%+v, %v", r, err)
		}
		xs, err := w.Executions("", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range xs {
			if x.Status == "planned" || x.Status == "running" {
				t.Errorf("%s is left %s", x.ID, x.Status)
			}
		}
		for _, id := range known {
			if x, err := w.Execution(id); err != nil || x.Status != "succeeded" || x.Output == "" {
				t.Errorf("the outcome of %s is lost: %+v, %v", id, x, err)
			}
		}
	}
}

// child runs commands on this home in another process: one stop of a database,
// or describes without end, whose ids it prints.
func (w *world) child(id string) (*exec.Cmd, io.Reader) {
	w.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Stderr = os.Stderr
	child.Env = append(os.Environ(), "CLOUDOPS_TEST_CRASH="+w.home, "CRASH_ENDPOINT="+w.env.EndpointURL, "CRASH_ID="+id,
		"CRASH_CONFIG="+w.env.ConfigFile, "CRASH_CREDENTIALS="+w.env.CredentialsFile)
	out, err := child.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		w.t.Fatal(err)
	}
	return child, out
}

// kill stops a database from another process, kills that -9 when it is time,
// and opens the home again.
func (w *world) kill(id string, when func() bool) {
	w.t.Helper()
	w.stop()
	child, out := w.child(id)
	exited := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = child.Wait()
		close(exited)
	}()
	eventually(w.t, "the child is at it", func() bool {
		select {
		case <-exited:
			w.t.Fatal("the child ended")
		default:
		}
		return when()
	})
	if err := child.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	<-exited
	w.start(Config{})
}

// runUntilKilled is what the other process does.
func runUntilKilled(home string) error {
	ctx := context.Background()
	keys, err := unlockAt(home)
	if err != nil {
		return err
	}
	e, _, err := open(ctx, home, Settings{Reading: func(int) time.Duration { return 0 }}, keys)
	if err != nil {
		return err
	}
	env := session.Environment{Profile: "prod", EndpointURL: os.Getenv("CRASH_ENDPOINT"),
		ConfigFile: os.Getenv("CRASH_CONFIG"), CredentialsFile: os.Getenv("CRASH_CREDENTIALS")}
	for id := os.Getenv("CRASH_ID"); ; {
		c := Command{Service: "rds", Operation: "describe-db-instances"}
		if id != "" {
			if c, err = For("stop", "rds_instance", id); err != nil {
				return err
			}
		}
		p, err := e.Plan(ctx, e.scanner.Sessions.Client(env), c, Origin{})
		if err != nil {
			return err
		}
		q, err := e.Prompt(p.ID, SurfaceTerminal)
		if err != nil {
			return err
		}
		a, err := q.Answer(ctx, q.Run, p.Digest)
		if err != nil {
			return err
		}
		x, err := e.Run(ctx, a, nil)
		if err != nil || id != "" {
			return fmt.Errorf("it ran to its end: %+v, %w", x, err)
		}
		fmt.Println(x.ID)
	}
}

func TestSensible(t *testing.T) {
	force := map[string]any{"force": true}
	protected := map[string]string{"stop_protection": "true"}
	for _, c := range []struct {
		service, op string
		params      map[string]any
		state       string
		facts       map[string]string
		says        string // "" where nothing is refused
	}{
		{"ec2", "stop-instances", nil, "running", nil, ""},
		{"ec2", "stop-instances", nil, "stopping", nil, "already stopping"},
		{"ec2", "stop-instances", nil, "pending", nil, "only when it is running"},
		{"ec2", "stop-instances", nil, "terminated", nil, "only when it is running"},
		{"ec2", "stop-instances", nil, "running", protected, "it is protected"},
		// What hangs can be forced, and nothing else is let off for it.
		{"ec2", "stop-instances", force, "stopping", nil, ""},
		{"ec2", "stop-instances", map[string]any{"force": false}, "stopping", nil, "already stopping"},
		{"ec2", "stop-instances", map[string]any{"hibernate": true}, "stopping", nil, "already stopping"},
		{"ec2", "stop-instances", force, "running", nil, ""},
		{"ec2", "stop-instances", force, "stopped", nil, "already stopped"},
		{"ec2", "stop-instances", force, "pending", nil, "only when it is running"},
		{"ec2", "stop-instances", force, "shutting-down", nil, "only when it is running"},
		{"ec2", "stop-instances", force, "terminated", nil, "only when it is running"},
		{"ec2", "stop-instances", force, "running", protected, "it is protected"},
		{"ec2", "start-instances", force, "stopping", nil, "only when it is stopped"},
		{"ec2", "start-instances", nil, "stopped", protected, ""},
		{"ec2", "reboot-instances", nil, "running", protected, ""},
		{"ec2", "describe-instances", nil, "terminated", protected, ""},
		{"rds", "stop-db-instance", nil, "storage-full", nil, "only when it is available or storage-optimization"},
		{"rds", "stop-db-instance", nil, "available", map[string]string{"cluster": "c"}, "stop-db-cluster"},
		{"rds", "start-db-instance", nil, "stopped", map[string]string{"cluster": "c"}, "start-db-cluster"},
		{"rds", "reboot-db-instance", nil, "available", map[string]string{"cluster": "c"}, ""},
		{"rds", "reboot-db-instance", nil, "storage-full", nil, ""},
		{"rds", "reboot-db-instance", nil, "stopped", nil, "only when it is"},
		{"rds", "reboot-db-instance", nil, "\x1b[31mnew-state", nil, "only when it is"},
		{"rds", "start-db-cluster", nil, "inaccessible-encryption-credentials-recoverable", nil, ""},
		{"rds", "start-db-cluster", nil, "starting", nil, "already starting"},
		{"rds", "reboot-db-cluster", nil, "available", map[string]string{"engine": "aurora-mysql"}, "reboot-db-instance"},
		{"rds", "reboot-db-cluster", nil, "available", map[string]string{"engine": "mysql"}, ""},
		{"rds", "stop-db-cluster", nil, "available", map[string]string{"engine": "aurora-mysql"}, ""},
	} {
		op := called(t, c.service, c.op)
		err := sensible(op, Command{Parameters: c.params}, Target{Key: storage.Key{ID: "it"}, State: c.state, Facts: c.facts})
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\x1b")) {
			t.Errorf("%s with %v of what is %q with %v: %v, want %q", c.op, c.params, c.state, c.facts, err, c.says)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		service, op, began string
		states             []string
		done               bool
		failed             string
	}{
		{"ec2", "start-instances", "stopped", []string{"stopped", "pending", "running"}, true, ""},
		{"ec2", "start-instances", "stopped", []string{"stopped", "stopped"}, false, ""},
		{"ec2", "start-instances", "stopped", []string{"pending", "stopped"}, false, "it went back to stopped"},
		{"ec2", "start-instances", "stopped", []string{"pending", "terminated"}, false, "it is terminated"},
		{"ec2", "start-instances", "stopped", []string{"running"}, true, ""},
		{"ec2", "stop-instances", "running", []string{"stopping", "shutting-down"}, false, "it is shutting-down"},
		{"ec2", "stop-instances", "stopping", []string{"stopping", "stopped"}, true, ""},
		{"rds", "start-db-instance", "stopped", []string{"starting"}, false, ""},
		{"rds", "start-db-instance", "stopped", []string{"starting", "configuring-enhanced-monitoring", "available"}, true, ""},
		{"rds", "start-db-instance", "stopped", []string{"starting", "failed"}, false, "it is failed"},
		{"rds", "start-db-instance", "stopped", []string{"starting", "stopped"}, false, "it went back to stopped"},
		{"rds", "start-db-instance", "stopped", []string{"starting", "insufficient-capacity"}, false, "it is insufficient-capacity"},
		{"rds", "start-db-cluster", "stopped", []string{"starting", "inaccessible-encryption-credentials"}, false, "it is inaccessible-encryption-credentials"},
		{"rds", "stop-db-instance", "available", []string{"available", "stopping", "stopped"}, true, ""},
		{"rds", "stop-db-instance", "available", []string{"stopping", "failed"}, false, "it is failed"},
		{"rds", "stop-db-instance", "available", []string{"deleting"}, false, "it is deleting"},
		{"rds", "stop-db-cluster", "available", []string{"stopping", "available"}, false, "it went back to available"},
		// What a reboot leads to is where it began: it is over once it was away, or seen there twice in a row.
		{"rds", "reboot-db-instance", "available", []string{"available"}, false, ""},
		{"rds", "reboot-db-instance", "available", []string{"available", "available"}, true, ""},
		{"rds", "reboot-db-instance", "available", []string{"available", "rebooting"}, false, ""},
		{"rds", "reboot-db-instance", "available", []string{"available", "storage-optimization", "available"}, false, ""},
		{"rds", "reboot-db-instance", "available", []string{"rebooting", "available"}, true, ""},
		{"rds", "reboot-db-instance", "storage-full", []string{"rebooting", "storage-full"}, true, ""},
		{"rds", "reboot-db-instance", "available", []string{"rebooting", "failed"}, false, "it is failed"},
		{"rds", "reboot-db-cluster", "available", []string{"rebooting", "deleting"}, false, "it is deleting"},
		// What says nothing of where it is moves it nowhere.
		{"ec2", "start-instances", "stopped", []string{"unknown", "stopped"}, false, ""},
		{"rds", "reboot-db-instance", "available", []string{"unknown", "available"}, false, ""},
	} {
		op := called(t, c.service, c.op)
		p := progress{began: c.began}
		for _, s := range c.states {
			p.see(op, s)
		}
		if p.done != c.done || p.failed != c.failed {
			t.Errorf("%s: %v: %+v, want done %t, failed %q", c.op, c.states, p, c.done, c.failed)
		}
	}
}
