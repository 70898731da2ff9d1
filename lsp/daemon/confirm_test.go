package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

const methodAct = "cloudops/test/act"

type confirmer = func(context.Context, ConfirmParams) (ConfirmResult, error)

// typed is a person who reads the card and types the word; "" stands for the one
// that was asked for.
func typed(word string) confirmer {
	return func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		<-time.After(time.Duration(p.ArmAfterMS) * time.Millisecond)
		return atOnce(word)(ctx, p)
	}
}

// atOnce types it before anybody could have read the card.
func atOnce(word string) confirmer {
	return func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
		if word == "" {
			word = p.Word
		}
		return ConfirmResult{Nonce: p.Nonce, Word: word}, nil
	}
}

func TestOnlyAPersonAtATerminalConfirmsAnAct(t *testing.T) {
	home := testHome(t)
	var cards long
	s, _ := serving(t, ServerConfig{Home: home, Open: cards.parts(home)})
	s.requests[methodAct] = request(methodAct, 0, needExecutor, "", func(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
		return "done", x.confirm(ctx, p.Executor, "Forget the thing", "forget", "It does not come back.")
	}).Descriptor
	prompt := approve
	for name, c := range map[string]struct {
		cfg  ClientConfig
		code int
		// said is what the audit log has of it; "" where nobody was asked.
		said string
	}{
		"an editor":        {ClientConfig{Kind: "editor", Prompt: prompt, Confirm: typed("")}, CodeRefused, ""},
		"a script":         {ClientConfig{}, CodeRefused, ""},
		"another word":     {ClientConfig{Prompt: prompt, Confirm: typed("yes")}, CodeRejected, "rejected"},
		"nothing":          {ClientConfig{Prompt: prompt, Confirm: typed(" ")}, CodeRejected, "rejected"},
		"at once":          {ClientConfig{Prompt: prompt, Confirm: atOnce("")}, CodeUndecided, "not decided"},
		"no, at once":      {ClientConfig{Prompt: prompt, Confirm: atOnce("no")}, CodeUndecided, "not decided"},
		"nobody who knows": {ClientConfig{Prompt: prompt}, CodeUndecided, "not decided"},
		"an error": {ClientConfig{Prompt: prompt, Confirm: func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
			return ConfirmResult{Nonce: p.Nonce, Word: "forget"}, errors.New("hung up")
		}}, CodeUndecided, "not decided"},
		"an old question": {ClientConfig{Prompt: prompt, Confirm: func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
			<-time.After(time.Duration(p.ArmAfterMS) * time.Millisecond)
			return ConfirmResult{Nonce: "AAAA", Word: "forget"}, nil
		}}, CodeRejected, "rejected"},
		"the word": {ClientConfig{Prompt: prompt, Confirm: typed("")}, 0, "approved"},
	} {
		c.cfg.Home = home
		cards.Store(strings.Contains(name, "at once"))
		client := dialing(t, c.cfg)
		before := call[AuditResult](t, client, ExecutionAudit.Name, nil).Entries
		err := client.Call(t.Context(), methodAct, nil, nil)
		var refusal *Error
		if done := err == nil; done != (c.code == 0) || !done && (!errors.As(err, &refusal) || refusal.Code != c.code) {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
		log := call[AuditResult](t, client, ExecutionAudit.Name, nil).Entries[len(before):]
		said := ""
		if len(log) == 1 && log[0].Kind == "local" {
			said = log[0].Text
		}
		if want := "Forget the thing: " + c.said + " on a terminal (process "; c.said == "" && len(log) != 0 || c.said != "" && !strings.HasPrefix(said, want) {
			t.Errorf("%s: the audit log has %+v, want %q", name, log, want)
		}
	}
	client := dialing(t, ClientConfig{Home: home})
	if report := call[executor.Report](t, client, ExecutionVerify.Name, nil); !report.OK {
		t.Errorf("the audit log: %+v", report)
	}

	// What says that it sits at a terminal and does not is not asked.
	script := &session{kind: "terminal", interactive: true}
	var refusal *Error
	if err := script.confirm(t.Context(), nil, "Forget the thing", "forget"); !errors.As(err, &refusal) || refusal.Code != CodeRefused {
		t.Errorf("a program without a terminal: %v, want a refusal", err)
	}
}

// Every act upon what cloudops keeps itself is put before a person who has the
// time to read it: what types the word at once, for ever, changes nothing.
func TestEveryActIsReadBeforeItIsDone(t *testing.T) {
	home := testHome(t)
	var cards long
	cards.Store(true)
	open := cards.parts(home)
	serving(t, ServerConfig{Home: home, Open: func(ctx context.Context) (*Parts, error) {
		p, err := open(ctx)
		if err == nil {
			p.Move = &Move{To: func(string) (storage.Config, error) { return storage.Config{}, nil }}
		}
		return p, err
	}})
	var asked atomic.Int32
	hasty := dialing(t, ClientConfig{Home: home, Prompt: approve, Confirm: func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		asked.Add(1)
		return atOnce("")(ctx, p)
	}})
	id := call[agent.Answer](t, hasty, ConversationSend.Name, SendParams{Prompt: "help"}).Conversation
	export, err := seal.NewExport()
	if err != nil {
		t.Fatal(err)
	}
	for method, params := range map[string]any{
		KeyRotate.Name:          KeyRotateParams{},
		KeyExport.Name:          KeyExportParams{Recipient: export.Recipient()},
		ConversationDelete.Name: ConversationDeleteParams{ID: id},
		StoreMigrate.Name:       MigrateParams{To: "local"},
	} {
		asked.Store(0)
		refused(t, hasty, CodeUndecided, "faster than a person reads", method, params)
		if n := asked.Load(); n != mostAsked {
			t.Errorf("%s: asked %d times, want %d", method, n, mostAsked)
		}
	}
	if got := uses(call[KeyStatusResult](t, hasty, KeyStatus.Name, nil)); !slices.Equal(got, []string{"seals"}) {
		t.Errorf("the keys were rotated: %v", got)
	}
	call[MessagesResult](t, hasty, ConversationMessages.Name, ConversationParams{ID: id})
}

// What can't be put on record is not done, whatever the person says.
func TestAnActThatCannotBeRecordedIsNotDone(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	done := false
	s.requests[methodAct] = request(methodAct, 0, needExecutor, "", func(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
		if err := x.confirm(ctx, p.Executor, "Forget the thing", "forget", "It does not come back."); err != nil {
			return nil, err
		}
		done = true
		return "done", nil
	}).Descriptor
	client := dialing(t, ClientConfig{Home: home, Prompt: approve, Confirm: func(ctx context.Context, p ConfirmParams) (ConfirmResult, error) {
		// Another program puts the log aside while the person reads.
		if err := os.Rename(filepath.Join(home, "audit.log"), filepath.Join(home, "audit.old")); err != nil {
			return ConfirmResult{}, err
		}
		return typed("")(ctx, p)
	}})
	if err := client.Call(t.Context(), methodAct, nil, nil); err == nil || done {
		t.Errorf("it was done (%v) without a record", err)
	}
}

// A list that is drawn from a log that does not hold says so.
func TestADamagedAuditLogIsToldWithTheList(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home, Open: realParts(home)})
	client := dialing(t, ClientConfig{Home: home})
	if list := call[ExecutionListResult](t, client, ExecutionList.Name, ExecutionListParams{}); list.Problem != "" {
		t.Errorf("of a log that holds: %s", list.Problem)
	}
	if err := os.WriteFile(filepath.Join(home, "audit.log"), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list := call[ExecutionListResult](t, client, ExecutionList.Name, ExecutionListParams{}); !strings.Contains(list.Problem, "cloudops audit verify") {
		t.Errorf("of a log that was changed: %q", list.Problem)
	}
	if log := call[AuditResult](t, client, ExecutionAudit.Name, nil); !strings.Contains(log.Problem, "cloudops audit verify") {
		t.Errorf("the entries of a log that was changed: %q", log.Problem)
	}
	if status := call[StatusResult](t, client, EstateStatus.Name, nil); !strings.Contains(status.Audit, "cloudops audit verify") {
		t.Errorf("the status of a log that was changed: %q", status.Audit)
	}
	if r := call[executor.Report](t, client, ExecutionVerify.Name, nil); r.OK || len(r.Problems) == 0 {
		t.Errorf("verified: %+v", r)
	}
}
