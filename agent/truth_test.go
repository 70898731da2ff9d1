package agent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/awstest"
)

// overAWS is a world whose estate was scanned from an AWS of its own, and four
// instances in it.
func overAWS(t *testing.T) (w *world, e *awstest.Estate, proxy *awstest.Proxy, ids map[string]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	server := awstest.Shared(t)
	e, err := server.Seed(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	ids = map[string]string{}
	for _, name := range []string{"worker-1", "worker-2", "worker-3", "worker-4"} {
		if ids[name], err = e.AddInstance(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if proxy, err = awstest.NewProxy(server.Endpoint); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	w = newWorld(t, nil)
	w.env = e.Environment("prod", proxy.URL)
	if _, err := w.scanner.Scan(ctx, w.client(), scanner.Options{Regions: []string{awstest.West}}, nil); err != nil {
		t.Fatal(err)
	}
	return w, e, proxy, ids
}

// decide approves or rejects the plans of an answer, and records what became of
// them as the daemon does.
func (w *world) decide(t *testing.T, a agent.Answer, yes ...bool) {
	t.Helper()
	if len(a.Plans) != len(yes) {
		t.Fatalf("%d plans, want %d: %s", len(a.Plans), len(yes), a.Text)
	}
	for i, p := range a.Plans {
		var x executor.Execution
		if yes[i] {
			x = w.approve(t, p)
		} else {
			if err := w.executor.Reject(p.ID, "on a card"); err != nil {
				t.Fatal(err)
			}
			var err error
			if x, err = w.executor.Execution(p.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Record(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
}

// Undo is of what ran and succeeded, the newest first, whatever was said or
// proposed after it, and whichever daemon answers.
func TestUndoIsOfWhatRan(t *testing.T) {
	w, _, _, ids := overAWS(t)
	offers := func(conversation, prompt, want string, never ...string) {
		t.Helper()
		a := w.send(t, conversation, prompt)
		offered := ""
		if c := a.Reply.Clarification; c != nil {
			for _, choice := range c.Choices {
				offered += choice.Prompt + " "
			}
		}
		if want == "" && offered != "" || !strings.Contains(offered, want) || len(a.Plans) > 0 {
			t.Errorf("%q offers %q, want %q: %s", prompt, offered, want, a.Text)
		}
		for _, no := range never {
			if strings.Contains(offered, no) {
				t.Errorf("%q offers %q, which did not run: %s", prompt, offered, a.Text)
			}
		}
	}
	start := func(name string) string { return "Start " + ids[name] }

	a := w.send(t, "", "stop worker-1 and worker-2")
	first := a.Conversation
	w.decide(t, a, true, false)
	for _, prompt := range []string{"undo that", "undo", "please undo it", "can you undo the last one", "revert that", "roll that back", "undo the stop of worker-1", "undo all"} {
		offers(first, prompt, start("worker-1"), ids["worker-2"])
	}
	offers(first, "undo worker-2", "")
	if got := w.send(t, first, "undo worker-2"); !strings.Contains(got.Text, "rejected and not run") {
		t.Errorf("why worker-2 can't be undone is not said: %s", got.Text)
	}
	if got := w.send(t, first, "did you stop worker-2?"); strings.Contains(got.Text, "succeeded") || !strings.Contains(got.Text, "rejected") {
		t.Errorf("what became of worker-2: %s", got.Text)
	}

	// The rejected one first; what "it" means is what ran.
	a = w.send(t, "", "stop worker-3 and worker-4")
	second := a.Conversation
	w.decide(t, a, false, true)
	offers(second, "undo that", start("worker-4"), ids["worker-3"])
	a = w.send(t, second, "start it again")
	if len(a.Plans) != 1 || !strings.Contains(a.Plans[0].Line, ids["worker-4"]) {
		t.Errorf("it is not what ran: %s", a.Text)
	}
	w.decide(t, a, false)
	offers(second, "undo", start("worker-4"), ids["worker-3"])

	// Two ran: the newest, and both only when both are asked for.
	w.decide(t, w.send(t, second, "stop worker-3"), true)
	offers(second, "undo that", start("worker-3"), ids["worker-4"])
	offers(second, "undo everything", start("worker-3"))
	offers(second, "undo both", strings.ToLower(start("worker-4")))

	// Nothing ran, though there is prose about it.
	a = w.send(t, "", "reboot "+awstest.WebName+" in us-west-2")
	w.decide(t, a, false)
	offers(a.Conversation, "undo that", "")
	offers("", "undo that", "")

	w.reopen(t, executor.Config{})
	offers(first, "undo that", start("worker-1"), ids["worker-2"])
	offers(second, "undo", start("worker-3"), ids["worker-4"])
	b := w.send(t, first, "undo")
	if b = w.send(t, first, "yes"); len(b.Plans) != 1 || b.Plans[0].Command.Operation != "start-instances" {
		t.Errorf("yes to undo comes to %s", b.Text)
	}
}

// A question about the state of named resources is answered by AWS, or dated.
func TestStateQuestionsAreAskedLive(t *testing.T) {
	w, e, proxy, ids := overAWS(t)
	stop := func(name string) {
		t.Helper()
		if _, err := ec2.NewFromConfig(e.Config(awstest.West)).StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{ids[name]}}); err != nil {
			t.Fatal(err)
		}
	}
	calls := func() int { return len(proxy.Calls("ec2", "DescribeInstances", "")) }
	says := func(prompt string, live bool, want ...string) {
		t.Helper()
		before := calls()
		a := w.send(t, "", prompt)
		for _, s := range want {
			if !strings.Contains(a.Text, s) {
				t.Errorf("%q does not say %q: %s", prompt, s, a.Text)
			}
		}
		if dated := !strings.Contains(a.Text, "Yes") && !strings.Contains(a.Text, "No:"); !live && !dated {
			t.Errorf("%q is answered as if AWS had been asked: %s", prompt, a.Text)
		}
		if asked := calls() > before; asked != live {
			t.Errorf("%q: AWS was asked: %t, want %t", prompt, asked, live)
		}
	}
	for _, c := range []struct{ prompt, want string }{
		{"is worker-1 running?", "No: "},
		{"is worker-1 stopped", "Yes: "},
		{"status of worker-1", "**stopped**"},
		{"is " + ids["worker-1"] + " up?", "is stopped"},
	} {
		stop("worker-1")
		says(c.prompt, true, c.want, "AWS was asked just now")
	}
	stop("worker-2")
	says("are worker-2 and worker-3 running?", true, "is stopped", "is running")
	says("is worker-3 healthy?", true, "Whether it is healthy is not known", "is running")
	// What is no question about a state costs no call.
	says("describe worker-4", false, "worker-4")

	stop("worker-3")
	proxy.Spoil(awstest.Fault{Service: "ec2", Kind: awstest.Deny})
	says("is worker-3 stopped?", true, "was running", "AWS did not tell: AWS denies the call")
	proxy.Heal()
	proxy.Spoil(awstest.Fault{Service: "ec2", Kind: awstest.Hang})
	says("is worker-3 stopped?", true, "was running", "AWS did not answer within")
	proxy.Heal()
	says("are worker-1, worker-2, worker-3, worker-4, batch-1 and "+e.Unnamed+" running?", false, "was running", "at most 5")
	w.reopen(t, executor.Config{Reads: "ask"})
	says("is worker-3 running?", false, "was running", "ask before each read")
	w.reopen(t, executor.Config{})
	if _, err := ec2.NewFromConfig(e.Config(awstest.West)).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{ids["worker-4"]}}); err != nil {
		t.Fatal(err)
	}
	says("is worker-4 running?", true, "No: ", "terminated")
}
