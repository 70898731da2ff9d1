package agent

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

const (
	// historyTokens bounds the history that a request carries.
	historyTokens = 4000
	// charsPerToken is the usual estimate for English.
	charsPerToken = 4
)

// enrich builds the request: step two.
func (a *Agent) enrich(ctx context.Context, m Message, f identified, history []storage.Message) Request {
	r := Request{
		Prompt:              m.Prompt,
		IdentifiedResources: []IdentifiedResource{},
		Omitted:             f.omitted,
		ChatHistory:         turns(history),
	}
	r.UserContext, r.Accounts = a.userContext(m.Client)
	for _, found := range f.resources {
		r.IdentifiedResources = append(r.IdentifiedResources, a.resource(ctx, m.Client, found))
	}
	return r
}

// resource adds to a mention all that the store knows. What the store can't
// read now is left out; memory has the rest.
func (a *Agent) resource(ctx context.Context, who *session.Client, m mention) IdentifiedResource {
	id, _ := who.Known(m.AccountID)
	out := IdentifiedResource{
		Type: m.Type, ID: m.ID, Name: m.Name, ARN: m.ARN, Region: m.Region, Account: m.AccountID,
		CurrentState: m.State, Tags: m.Tags, Metadata: map[string]any{}, Mention: m.text, FoundBy: m.by,
		Live: m.live, NotAsked: m.unasked, Permissions: executor.IAM(m.Type, id),
	}
	if age := a.scanner.Age(m.Record); !age.IsZero() {
		out.LastSynced = age.UTC().Format(time.RFC3339)
	}
	full, err := a.store.Estate.Get(ctx, m.Key)
	if err != nil {
		full = storage.Resource{Service: m.Service, AccountName: m.AccountName, Summary: m.Summary}
	}
	maps.Copy(out.Metadata, full.Metadata)
	add := func(name string, value any, known bool) {
		if _, taken := out.Metadata[name]; known && !taken {
			out.Metadata[name] = value
		}
	}
	add("service", full.Service, full.Service != "")
	add("account_name", full.AccountName, full.AccountName != "")
	add("engine", full.Engine, full.Engine != "")
	add("engine_version", full.EngineVersion, full.EngineVersion != "")
	constraints := executor.Constraints(full)
	add("constraints", constraints, len(constraints) > 0)
	add("summary", full.Summary, full.Summary != "")
	add("aliases", full.Aliases, len(full.Aliases) > 0)
	add("immutable_id", full.ImmutableID, full.ImmutableID != "")
	if full.CreatedAt != nil {
		add("created_at", full.CreatedAt.UTC().Format(time.RFC3339), true)
	}
	return out
}

// mostExecutions bounds how much of what ran a request carries.
const mostExecutions = 20

// executions is what became of what a conversation proposed. An audit log that
// can't be read gives none: then nothing runs, so that nothing is undone.
func (a *Agent) executions(conversation string) []Execution {
	list, _ := a.executor.Executions(conversation, mostExecutions)
	var out []Execution
	for _, x := range list {
		if x.Status == "planned" {
			continue
		}
		e := Execution{Line: x.Line, Status: x.Status, At: x.Planned}
		for _, at := range []time.Time{x.Started, x.Finished} {
			if !at.IsZero() {
				e.At = at
			}
		}
		for _, t := range x.Targets {
			e.Targets = append(e.Targets, t.Key)
		}
		if undo, ok := x.Command.Inverse(); ok && x.Status == "succeeded" {
			e.Undo = &undo
		}
		out = append(out, e)
	}
	return out
}

// turns is the newest turns that fit the token budget, in order.
func turns(history []storage.Message) []Turn {
	out := []Turn{}
	left := historyTokens * charsPerToken
	for _, m := range slices.Backward(history) {
		if left -= len(m.Content) + len(m.Metadata.Reply); left < 0 {
			break
		}
		t := Turn{Role: m.Role, Content: m.Content,
			Resources: m.Metadata.ResourcesMentioned, Executed: m.Metadata.CommandsExecuted}
		if m.Role == storage.RoleAssistant {
			t.Reply = decodeReply(m.Metadata.Reply)
		}
		out = append(out, t)
	}
	slices.Reverse(out)
	return out
}

// decodeReply reads a stored reply; one that can't be read is none.
func decodeReply(b []byte) *Reply {
	var r Reply
	if len(b) == 0 || json.Unmarshal(b, &r) != nil {
		return nil
	}
	return &r
}

// userContext is the profile and region of the session, and whose accounts its
// profiles are. Shared files that can't be read leave the region to the environment.
func (a *Agent) userContext(who *session.Client) (u UserContext, accounts []Account) {
	u.UserID = a.cfg.UserID
	u.Profile, u.DefaultRegion = who.Named()
	profiles, _ := who.Profiles()
	for _, p := range profiles {
		if p.Selected && u.Profile == "" {
			u.Profile = p.Name
		}
		if p.Selected && u.DefaultRegion == "" && p.Name == u.Profile {
			u.DefaultRegion = p.Region
		}
		if p.AccountID == "" {
			continue
		}
		at := slices.IndexFunc(accounts, func(x Account) bool { return x.ID == p.AccountID })
		if at < 0 {
			at = len(accounts)
			accounts = append(accounts, Account{ID: p.AccountID})
		}
		accounts[at].Profiles = append(accounts[at].Profiles, p.Name)
	}
	return u, accounts
}
