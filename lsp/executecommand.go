package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// Any extension, link or task of an editor can send workspace/executeCommand,
// so what is reachable by it only reads or proposes. What it proposes is
// decided by the person alone, in a prompt that the daemon opens.

// command is the handler of one command; its argument is decoded strictly.
type command func(s *server, ctx context.Context, argument []byte, token protocol.ProgressToken) (any, error)

// commands are the daemon's requests that are offered as one. Those that show
// the person something have a handler of their own.
var commands = func() map[string]command {
	own := map[string]command{
		daemon.EstateScan.Name:       scan,
		daemon.EstateGet.Name:        get,
		daemon.ConversationSend.Name: send,
		daemon.ExecutionPropose.Name: propose,
	}
	m := map[string]command{}
	for _, d := range daemon.Requests() {
		if !d.Command() {
			continue
		}
		run := own[d.Name]
		if run == nil {
			run = read(d)
		}
		m[commandName(d)] = run
	}
	return m
}()

// commandName is what a request is called as a command.
func commandName(d *daemon.Descriptor) string { return strings.ReplaceAll(d.Name, "/", ".") }

func commandNames() []string { return slices.Sorted(maps.Keys(commands)) }

func offerCommands(_ client, c *protocol.ServerCapabilities) string {
	c.ExecuteCommandProvider = protocol.ExecuteCommandOptions{Commands: commandNames()}
	return "yes"
}

// executeCommand runs one command with at most one argument, an object.
func (s *server) executeCommand(ctx context.Context, p *protocol.ExecuteCommandParams) (any, error) {
	c, ok := commands[p.Command]
	if !ok {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidParams,
			"no command %.100q: commands only read or propose; what decides, selects, restores or deletes is not reachable here", p.Command)
	}
	argument := []byte("{}")
	switch len(p.Arguments) {
	case 0:
	case 1:
		argument = p.Arguments[0]
	default:
		return nil, invalidParams(errors.New("a command takes one argument, an object"))
	}
	return c(s, ctx, argument, p.WorkDoneToken)
}

// strict decodes an argument and refuses fields that it doesn't have.
func strict[P any](argument []byte) (p P, err error) { return p, wire.DecodeParams(argument, &p) }

// read is a command that asks the daemon and returns its answer.
func read(d *daemon.Descriptor) command {
	return func(s *server, ctx context.Context, argument []byte, _ protocol.ProgressToken) (any, error) {
		if err := d.Check(argument); err != nil {
			return nil, err
		}
		return s.ask(ctx, d.Name, json.RawMessage(argument))
	}
}

// ask sends a request to the daemon and returns its answer as it is.
func (s *server) ask(ctx context.Context, method string, params any) (any, error) {
	var res json.RawMessage
	if err := s.link.Call(ctx, method, params, &res); err != nil {
		return nil, wireError(err)
	}
	return jsonrpc2.RawMessage(res), nil
}

// get returns whole resources and, when show is set, also puts them before the
// person, for menus of editors that drop a command's result.
func get(s *server, ctx context.Context, argument []byte, _ protocol.ProgressToken) (any, error) {
	p, err := strict[struct {
		daemon.GetParams
		Show bool `json:"show,omitempty"`
	}](argument)
	if err != nil {
		return nil, err
	}
	res, err := daemon.EstateGet.Call(ctx, s.link, p.GetParams)
	if err != nil {
		if p.Show {
			s.showError(err)
		}
		return nil, wireError(err)
	}
	if p.Show {
		for _, r := range res.Resources {
			s.show(protocol.MessageTypeInfo, details(r.Resource))
		}
	}
	return encode(res)
}

// details is a resource as lines of a message.
func details(r storage.Resource) string { return notificationLines(render.ResourceTerminal(r)) }

func notificationLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = render.Notification(l)
	}
	return strings.Join(lines, "\n")
}

func encode(v any) (any, error) {
	raw, err := json.Marshal(v)
	return jsonrpc2.RawMessage(raw), err
}

// scan answers when the scan is over; its steps are shown on the way.
func scan(s *server, ctx context.Context, argument []byte, token protocol.ProgressToken) (any, error) {
	o, err := strict[scanner.Options](argument)
	if err != nil {
		return nil, err
	}
	ctx, p := s.startProgress(ctx, token, "CloudOps: scanning AWS")
	res, err := daemon.EstateScan.Call(ctx, s.link, daemon.ScanParams{Options: o, Token: p.name})
	if err != nil {
		if ctx.Err() != nil {
			p.done("cancelled")
			return nil, protocol.ErrRequestCancelled
		}
		p.done("failed")
		s.showError(err)
		return nil, wireError(err)
	}
	said := fmt.Sprintf("resources: %d, accounts: %d, problems: %d", res.Resources, len(res.Accounts), len(res.Problems))
	p.done(said)
	for _, x := range res.Problems {
		s.log.Warn("scan", "code", x.Code, "service", x.Service, "region", x.Region)
	}
	if len(res.Problems) > 0 {
		first := res.Problems[0]
		s.show(protocol.MessageTypeWarning, render.Notification("CloudOps: "+said+"; the first: "+first.Message+" "+first.Hint))
	}
	return encode(res)
}

// send does one turn of a conversation. What it proposes is put before the
// person once the answer is out.
func send(s *server, ctx context.Context, argument []byte, _ protocol.ProgressToken) (any, error) {
	p, err := daemon.ConversationSend.Decode(argument)
	if err != nil {
		return nil, err
	}
	res, err := daemon.ConversationSend.Call(ctx, s.link, p)
	if err != nil {
		return nil, wireError(err)
	}
	s.spawn(func() {
		for _, plan := range res.Plans {
			if !s.decide(plan) {
				return
			}
		}
	})
	return encode(res)
}

// propose returns the plan at once; the person is asked after that, since
// editors wait for a command's answer before they show anything else.
func propose(s *server, ctx context.Context, argument []byte, _ protocol.ProgressToken) (any, error) {
	p, err := daemon.ExecutionPropose.Decode(argument)
	if err != nil {
		return nil, err
	}
	res, err := daemon.ExecutionPropose.Call(ctx, s.link, p)
	if err != nil {
		s.showError(err)
		return nil, wireError(err)
	}
	if res.Execution != nil {
		s.showExecution(*res.Execution, true)
	} else {
		s.spawn(func() { s.decide(res.Plan) })
	}
	return encode(res)
}

// decide has the daemon ask the person here about a plan, shows what became of
// it, and says whether it ran well.
func (s *server) decide(plan executor.Plan) bool {
	if k := s.can().kind; k.asks == asksNever {
		s.show(protocol.MessageTypeWarning, render.Notification(fmt.Sprintf("CloudOps: %s waits in `cloudops approvals` until %s: %s",
			plan.Title, plan.Expires.Local().Format(time.TimeOnly), k.instead)))
		return false
	}
	ctx, p := s.startProgress(s.ctx, nil, render.Notification("CloudOps: "+plan.Title))
	res, err := daemon.ExecutionDecide.Call(ctx, s.link, daemon.DecideParams{Plan: plan.ID, Decision: "ask"})
	switch {
	case err == nil:
		p.done(res.Execution.Status)
		s.showExecution(res.Execution, !plan.Changes())
		return res.Execution.Status == "succeeded"
	case s.ctx.Err() != nil:
	case errors.Is(err, context.Canceled):
		p.done("cancelled")
		s.show(protocol.MessageTypeInfo, render.Notification("CloudOps: "+err.Error()))
	case errors.Is(err, executor.ErrLate):
		p.done("too late")
		s.showError(err)
	case errors.Is(err, executor.ErrRejected):
		p.done("rejected")
		s.show(protocol.MessageTypeInfo, render.Notification("CloudOps: nothing ran: "+err.Error()))
	case errors.Is(err, executor.ErrUndecided):
		p.done("it waits")
		if !s.asked.wasTold(plan.ID) {
			s.showError(err)
		}
	default:
		p.done("not run")
		s.showError(err)
	}
	return false
}

// showExecution tells what became of a command, and what it brought if it read.
func (s *server) showExecution(x executor.Execution, read bool) {
	t, said := protocol.MessageTypeInfo, x.Status+": "+x.Line
	if x.StateAfter != "" && x.StateAfter != x.StateBefore {
		said += " · now " + x.StateAfter
	}
	if x.Status != "succeeded" {
		t = protocol.MessageTypeError
	}
	if x.Error != "" {
		said += " · " + x.Error
	}
	said = render.Notification("CloudOps: " + said)
	if read && x.Output != "" {
		said += "\n" + notificationLines(x.Output)
	}
	s.show(t, said)
}
