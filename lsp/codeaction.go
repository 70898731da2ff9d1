package lsp

import (
	"encoding/json"
	"slices"
	"strings"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
)

const (
	// actionKind is the kind that all actions are of: cloudops.stop and so on.
	actionKind protocol.CodeActionKind = "cloudops"
	// verbDetails shows what the store knows; it is no command.
	verbDetails = "details"
	// maxActionResources is how many namesakes are offered actions for.
	maxActionResources = 8
)

// actionData is what an action asks for, the argument of its command. It comes
// back from the editor as a hint only: all of it is looked up and checked anew.
type actionData struct {
	Identifier string `json:"identifier"`
	Verb       string `json:"verb"`
}

// codeAction offers what the daemon says can be done to the resources that the
// selection touches, by their last known state. An empty one is a cursor.
var codeAction = about(feature{
	method: protocol.MethodTextDocumentCodeAction, setting: "codeActions",
	offer: func(can client, c *protocol.ServerCapabilities) string {
		if !can.literals() {
			c.CodeActionProvider = protocol.Boolean(true)
			return "commands"
		}
		c.CodeActionProvider = &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{actionKind}}
		if can.explains() {
			return "actions, and why not"
		}
		return "actions"
	},
	actions: true,
}, func(p *protocol.CodeActionParams) area {
	if p.Context.Only != nil && !slices.ContainsFunc(p.Context.Only, offers) {
		return area{}
	}
	return areaOf(p.TextDocument, p.Range)
}, actionsOf)

// literals reports whether the editor takes code actions; else it takes commands
// only.
func (c client) literals() bool {
	a := c.says.TextDocument.CodeAction
	return a != nil && a.CodeActionLiteralSupport.CodeActionKind.ValueSet != nil
}

// explains reports whether the editor shows actions that can't be done now, with
// the reason.
func (c client) explains() bool {
	return c.literals() && isTrue(c.says.TextDocument.CodeAction.DisabledSupport)
}

func actionsOf(s *snapshot, p *protocol.CodeActionParams) (any, error) {
	actions := []protocol.CommandOrCodeAction{}
	only := p.Context.Only
	for _, r := range s.resources(maxActionResources) {
		for _, e := range s.entries(r) {
			if only != nil && !slices.ContainsFunc(only, func(k protocol.CodeActionKind) bool { return within(e.kind(), k) }) {
				continue
			}
			a, err := e.action()
			if err != nil {
				return nil, err
			}
			if !s.can.literals() {
				actions = append(actions, &a.Command)
				continue
			}
			actions = append(actions, a)
		}
	}
	return actions, nil
}

// offers says whether an editor that asks for a kind may get any action.
func offers(asked protocol.CodeActionKind) bool {
	return within(actionKind, asked) || within(asked, actionKind)
}

// within says whether a kind is of another, which may be a kind above it.
func within(kind, of protocol.CodeActionKind) bool {
	return of == "" || kind == of || strings.HasPrefix(string(kind), string(of)+".")
}

// entry is one entry of the menu.
type entry struct {
	verb, title string
	// command is what it runs, with this argument.
	command  *daemon.Descriptor
	argument any
	// why says why it can't be done now; "" where it may be.
	why string
}

// entries are what is offered for a resource now.
func (s *snapshot) entries(r resource) []entry {
	identifier := r.ARN
	if identifier == "" {
		identifier = r.ID
	}
	called := r.ID
	if r.Name != "" && r.Name != r.ID {
		called = r.Name + " " + r.ID
	}
	what := " (" + render.Kind(r.Type) + ", " + r.Region + ")"
	entries := []entry{{
		verb: verbDetails, title: "Show details of " + called + what,
		command: daemon.EstateGet.Descriptor, argument: map[string]any{"identifier": identifier, "show": true},
	}}
	for _, p := range r.Actions {
		e := entry{
			verb: p.Verb, title: p.Title + " " + called,
			command: daemon.ExecutionPropose.Descriptor, argument: actionData{Identifier: identifier, Verb: p.Verb},
		}
		if p.Changes {
			e.title += "…"
		}
		e.title += what
		if p.Can == executor.No {
			e.why = p.Why
			if p.Instead != "" {
				e.why += "; " + p.Instead
			}
		}
		if p.Changes && s.readOnly || e.why != "" && !s.can.explains() {
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

func (e entry) kind() protocol.CodeActionKind {
	return actionKind + "." + protocol.CodeActionKind(e.verb)
}

// action is an entry as LSP has it. Its command stands in it: some editors say
// that they resolve actions, and then run nothing that a resolve brought.
func (e entry) action() (*protocol.CodeAction, error) {
	kind, title := e.kind(), render.Notification("CloudOps: "+e.title)
	if e.why != "" {
		return &protocol.CodeAction{Title: title, Kind: &kind, Disabled: protocol.CodeActionDisabled{Reason: render.Notification(e.why)}}, nil
	}
	argument, err := json.Marshal(e.argument)
	if err != nil {
		return nil, err
	}
	return &protocol.CodeAction{
		Title:   title,
		Kind:    &kind,
		Command: protocol.Command{Title: title, Command: commandName(e.command), Arguments: []protocol.LSPAny{argument}},
	}, nil
}
