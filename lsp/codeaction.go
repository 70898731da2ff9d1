package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

const (
	// actionKind is the kind that all actions are of: cloudops.stop and so on.
	actionKind protocol.CodeActionKind = "cloudops"
	// verbDetails shows what the store knows; it is no command.
	verbDetails = "details"
	// maxActionResources is how many namesakes are offered actions for.
	maxActionResources = 8
)

// actionData says what an action is about. It comes back from the editor as a
// hint only: all of it is looked up and checked anew.
type actionData struct {
	Identifier string `json:"identifier"`
	Verb       string `json:"verb"`
}

// codeAction offers what can be done to the resources under the cursor, as far
// as their last known state allows.
func (s *server) codeAction(p *protocol.CodeActionParams) (known any, rest work, err error) {
	actions := []protocol.CommandOrCodeAction{}
	if !s.settings.actions() || p.Context.Only != nil && !slices.ContainsFunc(p.Context.Only, offers) {
		return actions, nil, nil
	}
	can := s.can()
	return s.named(p.TextDocument, p.Range.Start, func(_ *document, _ index.Token, rs []storage.Record) (any, error) {
		for _, r := range rs[:min(len(rs), maxActionResources)] {
			for _, verb := range s.verbs(r) {
				kind := actionKind + "." + protocol.CodeActionKind(verb)
				if p.Context.Only != nil && !slices.ContainsFunc(p.Context.Only, func(k protocol.CodeActionKind) bool { return within(kind, k) }) {
					continue
				}
				a, err := action(r, verb)
				if err != nil {
					return nil, err
				}
				if can.resolves {
					a.Command = protocol.Command{}
				}
				actions = append(actions, a)
			}
		}
		return actions, nil
	})
}

// codeActionResolve fills in the command of an action that was chosen.
func (s *server) codeActionResolve(ctx context.Context, p *protocol.CodeAction) (*protocol.CodeAction, error) {
	var data actionData
	if err := json.Unmarshal(p.Data, &data); err != nil {
		return nil, invalidParams(errors.New("the action is not one of this server"))
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.records.lookup(ctx, []string{data.Identifier})
	if err != nil {
		return nil, wireError(err)
	}
	rs := found[data.Identifier]
	if len(rs) != 1 || !slices.Contains(s.verbs(rs[0]), data.Verb) {
		return nil, invalidParams(errors.New("the action no longer applies; ask for actions again"))
	}
	return action(rs[0], data.Verb)
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
func (s *server) verbs(r storage.Record) []string {
	verbs := []string{verbDetails}
	for _, v := range executor.Verbs(r.Type) {
		op, ok := catalog.For(v, r.Type)
		if ok && fits(op, r.State) && !(op.Changes() && s.settings.readOnly()) {
			verbs = append(verbs, v)
		}
	}
	return verbs
}

// fits says whether an operation can start in a state. Where the state is not
// known AWS has the last word.
func fits(op catalog.Operation, state string) bool {
	return state == "" || len(op.From) == 0 || slices.Contains(op.From, state)
}

// action is one entry of the menu, with its command.
func action(r storage.Record, verb string) (*protocol.CodeAction, error) {
	identifier := r.ARN
	if identifier == "" {
		identifier = r.ID
	}
	data, err := json.Marshal(actionData{Identifier: identifier, Verb: verb})
	if err != nil {
		return nil, err
	}
	called := r.ID
	if r.Name != "" && r.Name != r.ID {
		called = r.Name + " " + r.ID
	}
	title := strings.ToUpper(verb[:1]) + verb[1:] + " " + called
	arguments := any(actionData{Identifier: identifier, Verb: verb})
	name := commandPropose
	switch verb {
	case verbDetails:
		title = "Show details of " + called
		name = commandGet
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
		Data:    data,
		Command: protocol.Command{Title: title, Command: name, Arguments: []protocol.LSPAny{argument}},
	}, nil
}
