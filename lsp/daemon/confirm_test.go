package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor"
)

const methodAct = "cloudops/test/act"

func TestOnlyAPersonAtATerminalConfirmsAnAct(t *testing.T) {
	_, home := seeded(t)
	s, _ := serving(t, ServerConfig{Home: home, Open: realParts(home)})
	s.methods[methodAct] = on(needExecutor, func(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
		return "done", x.confirm(ctx, p.Executor, "Forget the thing", "forget", "It does not come back.")
	})
	typed := func(word string) func(context.Context, ConfirmParams) (ConfirmResult, error) {
		return func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
			return ConfirmResult{Nonce: p.Nonce, Word: word}, nil
		}
	}
	prompt := approve
	for name, c := range map[string]struct {
		cfg  ClientConfig
		code int
	}{
		"an editor":        {ClientConfig{Kind: "editor", Prompt: prompt, Confirm: typed("forget")}, CodeRefused},
		"a script":         {ClientConfig{}, CodeRefused},
		"another word":     {ClientConfig{Prompt: prompt, Confirm: typed("yes")}, CodeRejected},
		"nothing":          {ClientConfig{Prompt: prompt, Confirm: typed("")}, CodeRejected},
		"nobody who knows": {ClientConfig{Prompt: prompt}, CodeRejected},
		"an error": {ClientConfig{Prompt: prompt, Confirm: func(_ context.Context, p ConfirmParams) (ConfirmResult, error) {
			return ConfirmResult{Nonce: p.Nonce, Word: "forget"}, errors.New("hung up")
		}}, CodeRejected},
		"an old question": {ClientConfig{Prompt: prompt, Confirm: func(context.Context, ConfirmParams) (ConfirmResult, error) {
			return ConfirmResult{Nonce: "AAAA", Word: "forget"}, nil
		}}, CodeRejected},
	} {
		c.cfg.Home = home
		client := dialing(t, c.cfg)
		var refusal *Error
		if err := client.Call(t.Context(), methodAct, nil, nil); !errors.As(err, &refusal) || refusal.Code != c.code {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
	}
	client := dialing(t, ClientConfig{Home: home, Prompt: prompt, Confirm: typed("forget")})
	if err := client.Call(t.Context(), methodAct, nil, nil); err != nil {
		t.Fatal(err)
	}
	log := call[AuditResult](t, client, MethodAudit, nil).Entries
	last := log[len(log)-1]
	if last.Kind != "local" || !strings.HasPrefix(last.Text, "Forget the thing: approved on a terminal (process ") {
		t.Errorf("the audit log ends with %+v", last)
	}
	rejected := 0
	for _, e := range log {
		if strings.HasPrefix(e.Text, "Forget the thing: rejected") {
			rejected++
		}
	}
	if rejected != 5 || len(log) != 6 {
		t.Errorf("%d of %d entries are rejections, want 5 of 6", rejected, len(log))
	}
	if report := call[executor.Report](t, client, MethodAuditVerify, nil); !report.OK {
		t.Errorf("the audit log: %+v", report)
	}

	// What says that it sits at a terminal and does not is not asked.
	script := &session{kind: "terminal", interactive: true}
	var refusal *Error
	if err := script.confirm(t.Context(), nil, "Forget the thing", "forget"); !errors.As(err, &refusal) || refusal.Code != CodeRefused {
		t.Errorf("a program without a terminal: %v, want a refusal", err)
	}
}
