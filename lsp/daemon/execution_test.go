package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage"
)

// A name that many resources have is refused with as many of them as can be
// read, and how many more there are.
func TestAnAmbiguousNameIsAnsweredWithSome(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: func(ctx context.Context) (*Parts, error) {
		p, err := realParts(home)(ctx)
		if err != nil {
			return nil, err
		}
		var rs []storage.Resource
		for name, n := range map[string]int{"few": 2, "twenty": 20, "many": 25} {
			for i := range n {
				rs = append(rs, storage.Resource{Type: "rds_instance", ID: fmt.Sprintf("%s-%02d", name, i), Name: name, AccountID: "999999999999", Region: "us-west-2", Service: "rds", State: "available"})
			}
		}
		_, err = p.Store.Estate.BulkUpsert(ctx, rs)
		return p, err
	}})
	c := dialing(t, ClientConfig{Home: home})
	for name, want := range map[string]struct {
		count, named int
		more         string
	}{"few": {2, 2, ""}, "twenty": {20, 20, ""}, "many": {25, 20, "and 5 more"}} {
		err := c.Call(t.Context(), ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: name}, nil)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeRefused || !strings.Contains(e.Message, fmt.Sprintf("names %d resources", want.count)) ||
			strings.Count(e.Message, "|"+name+"-") != want.named || strings.Contains(e.Message, " more") != (want.more != "") || !strings.HasSuffix(e.Message, want.more) {
			t.Errorf("%s: %v, want %d of %d named %q", name, err, want.named, want.count, want.more)
		}
	}
}

// A proposal is for the profile that it names, whatever the session's is; one in
// the command line itself counts most.
func TestAProposalNamesItsProfile(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	prod := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	scanned(t, prod)
	mistyped := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prdo", "")})
	line := []string{"aws", "rds", "stop-db-instance", "--db-instance-identifier", awstest.MainDB}
	for name, c := range map[string]struct {
		client *Client
		params ProposeParams
		want   string // the plan's profile, or "" where it is for nobody
	}{
		"the session's":               {prod, ProposeParams{Argv: line}, "prod"},
		"beside a line":               {mistyped, ProposeParams{Argv: line, Profile: "prod"}, "prod"},
		"beside a verb":               {mistyped, ProposeParams{Verb: "stop", Identifier: awstest.MainDB, Profile: "prod"}, "prod"},
		"in a line":                   {mistyped, ProposeParams{Argv: slices.Concat(line, []string{"--profile", "prod"}), Profile: "nobody"}, "prod"},
		"nobody, beside a line":       {prod, ProposeParams{Argv: line, Profile: "nobody"}, ""},
		"nobody, beside a verb":       {prod, ProposeParams{Verb: "stop", Identifier: awstest.MainDB, Profile: "nobody"}, ""},
		"nobody, in a line, not here": {prod, ProposeParams{Argv: slices.Concat(line, []string{"--profile", "nobody"}), Profile: "prod"}, ""},
	} {
		r, err := ExecutionPropose.Call(t.Context(), c.client, c.params)
		if c.want != "" && (err != nil || r.Plan.Identity.Profile != c.want) {
			t.Errorf("%s: for %+v, %v; want profile %s", name, r.Plan.Identity, err, c.want)
		}
		if c.want == "" && (err == nil || !strings.Contains(err.Error(), `"nobody"`)) {
			t.Errorf("%s: for %+v, %v; want it refused", name, r.Plan.Identity, err)
		}
	}
}

// Stopping what nobody decided on ends nothing: it goes on waiting, which is
// said, and so is that there is no such plan.
func TestStoppingWhatWaitsLeavesItWaiting(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", "")})
	scanned(t, c)
	plan := stop(t, c)
	var told *Error
	err := c.Call(t.Context(), ExecutionDecide.Name, DecideParams{Plan: plan.ID, Decision: "stop"}, nil)
	if !errors.As(err, &told) || told.Code != CodeUndecided || !strings.Contains(told.Hint, plan.Title) || !strings.Contains(told.Hint, "waits until") {
		t.Errorf("stopping it: %+v", told)
	}
	if waiting := call[PendingResult](t, c, ExecutionPending.Name, nil).Plans; len(waiting) != 1 || waiting[0].ID != plan.ID {
		t.Errorf("%+v waits", waiting)
	}
	for _, decision := range []string{"stop", "reject"} {
		refused(t, c, CodeNotFound, "", ExecutionDecide.Name, DecideParams{Plan: "no-such-plan", Decision: decision})
	}
}

// With a conversation goes what it proposed and nobody decided, and nothing that
// another proposed. A plan that is rejected in any way is told in its own.
func TestWhatADeletedConversationProposedIsRejected(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prod", ""), Prompt: approve, Confirm: typed("")})
	scanned(t, c)
	going := call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "Stop " + awstest.MainDB})
	staying := call[agent.Answer](t, c, ConversationSend.Name, SendParams{Prompt: "Stop " + e.WebWest})
	alone := call[ProposeResult](t, c, ExecutionPropose.Name, ProposeParams{Verb: "stop", Identifier: e.WebEast}).Plan
	call[ConversationResult](t, c, ConversationDelete.Name, ConversationDeleteParams{ID: going.Conversation})
	var waiting []string
	for _, p := range call[PendingResult](t, c, ExecutionPending.Name, nil).Plans {
		waiting = append(waiting, p.ID)
	}
	if want := []string{staying.Plans[0].ID, alone.ID}; !slices.Equal(waiting, want) {
		t.Errorf("%q wait, want %q", waiting, want)
	}
	var gone executor.Execution
	for _, x := range call[ExecutionListResult](t, c, ExecutionList.Name, nil).Executions {
		if x.PlanID == going.Plans[0].ID {
			gone = x
		}
	}
	if gone.Status != "rejected" || !strings.Contains(gone.Decision, "its conversation was deleted") {
		t.Errorf("what it proposed is %s (%s)", gone.Status, gone.Decision)
	}
	call[DecideResult](t, c, ExecutionDecide.Name, DecideParams{Plan: staying.Plans[0].ID, Decision: "reject", Reason: "not today"})
	messages := call[MessagesResult](t, c, ConversationMessages.Name, ConversationParams{ID: staying.Conversation}).Messages
	if last := messages[len(messages)-1].Content; !strings.Contains(last, "not today") {
		t.Errorf("the conversation ends with %q", last)
	}
	if l := call[ExecutionListResult](t, c, ExecutionList.Name, ExecutionListParams{Conversation: staying.Conversation}); len(l.Executions) != 1 || l.Executions[0].PlanID != staying.Plans[0].ID {
		t.Errorf("of that conversation: %+v", l.Executions)
	}
}

// Who the profile of a session is, is asked of AWS for that session.
func TestAnIdentityIsOfTheSessionsProfile(t *testing.T) {
	e, home := seeded(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	for profile, account := range map[string]string{"prod": awstest.ProdAccount, "staging": awstest.StagingAccount} {
		c := dialing(t, ClientConfig{Home: home, Environment: e.Environment(profile, "")})
		if id, err := ProfileIdentity.Call(t.Context(), c, none{}); err != nil || id.AccountID != account {
			t.Errorf("%s: %+v %v, want account %s", profile, id, err, account)
		}
	}
	c := dialing(t, ClientConfig{Home: home, Environment: e.Environment("prdo", "")})
	refused(t, c, CodeNotFound, "prdo", ProfileIdentity.Name, nil)
}
