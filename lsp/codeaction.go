package lsp

import (
	"encoding/json"
	"slices"
	"strings"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
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

// codeAction offers what can be done to the resources that the selection
// touches, as far as their last known state allows. An empty one is a cursor.
var codeAction = about(feature{
	method: protocol.MethodTextDocumentCodeAction, setting: "codeActions",
	offer: func(can client, c *protocol.ServerCapabilities) string {
		if !can.literals() {
			c.CodeActionProvider = protocol.Boolean(true)
			return "commands"
		}
		c.CodeActionProvider = &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{actionKind}}
		return "actions"
	},
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

func actionsOf(s *snapshot, p *protocol.CodeActionParams) (any, error) {
	actions := []protocol.CommandOrCodeAction{}
	only := p.Context.Only
	for _, r := range s.resources(maxActionResources) {
		for _, verb := range verbs(r, s.readOnly) {
			kind := actionKind + "." + protocol.CodeActionKind(verb)
			if only != nil && !slices.ContainsFunc(only, func(k protocol.CodeActionKind) bool { return within(kind, k) }) {
				continue
			}
			a, err := action(r, verb)
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

// verbs are what may be offered for a resource now.
func verbs(r storage.Record, readOnly bool) []string {
	verbs := []string{verbDetails}
	for _, p := range executor.Possible(r.Type, r.View()) {
		if p.Can != executor.No && !(p.Changes && readOnly) {
			verbs = append(verbs, p.Verb)
		}
	}
	return verbs
}

// action is one entry of the menu. Its command stands in it: some editors say
// that they resolve actions, and then run nothing that a resolve brought.
func action(r storage.Record, verb string) (*protocol.CodeAction, error) {
	identifier := r.ARN
	if identifier == "" {
		identifier = r.ID
	}
	called := r.ID
	if r.Name != "" && r.Name != r.ID {
		called = r.Name + " " + r.ID
	}
	title := strings.ToUpper(verb[:1]) + verb[1:] + " " + called
	arguments := any(actionData{Identifier: identifier, Verb: verb})
	name := commandName(daemon.ExecutionPropose.Descriptor)
	switch verb {
	case verbDetails:
		title = "Show details of " + called
		name = commandName(daemon.EstateGet.Descriptor)
		arguments = map[string]any{"identifier": identifier, "show": true}
	case "describe":
	default:
		title += "…"
	}
	title = render.Notification("CloudOps: " + title + " (" + render.Kind(r.Type) + ", " + r.Region + ")")
	argument, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	kind := actionKind + "." + protocol.CodeActionKind(verb)
	return &protocol.CodeAction{
		Title:   title,
		Kind:    &kind,
		Command: protocol.Command{Title: title, Command: name, Arguments: []protocol.LSPAny{argument}},
	}, nil
}
