package lsp

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/lsp/daemon"
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

// maxRange is how far into a selection actions are looked for, in bytes.
const maxRange = 32 << 10

// actionData is what an action asks for, the argument of its command. It comes
// back from the editor as a hint only: all of it is looked up and checked anew.
type actionData struct {
	Identifier string `json:"identifier"`
	Verb       string `json:"verb"`
}

// codeAction offers what can be done to the resources that the selection
// touches, as far as their last known state allows. An empty one is a cursor.
func (s *server) codeAction(p *protocol.CodeActionParams) (known any, rest work, err error) {
	d := s.documents.get(string(p.TextDocument.URI))
	if d == nil || !s.settings.actions() || p.Context.Only != nil && !slices.ContainsFunc(p.Context.Only, offers) {
		return []protocol.CommandOrCodeAction{}, nil, nil
	}
	can := s.can()
	start, end := d.offset(fromPosition(p.Range.Start), can.encoding), d.offset(fromPosition(p.Range.End), can.encoding)
	only := p.Context.Only
	return nil, func(ctx context.Context) (any, error) {
		actions := []protocol.CommandOrCodeAction{}
		for _, r := range s.selected(ctx, d, start, end) {
			for _, verb := range s.verbs(r) {
				kind := actionKind + "." + protocol.CodeActionKind(verb)
				if only != nil && !slices.ContainsFunc(only, func(k protocol.CodeActionKind) bool { return within(kind, k) }) {
					continue
				}
				a, err := action(r, verb)
				if err != nil {
					return nil, err
				}
				if !can.literals {
					actions = append(actions, &a.Command)
					continue
				}
				actions = append(actions, a)
			}
		}
		return actions, nil
	}, nil
}

// selected finds the resources that a part of a document names, in its order: at
// each place those of the longest token that names any. A daemon that can't say
// in time means none.
func (s *server) selected(ctx context.Context, d *document, start, end int) []storage.Record {
	places := d.across(start, min(end, start+maxRange), maxTokens)
	texts := map[string]bool{}
	for _, tokens := range places {
		for _, t := range tokens {
			texts[t.Text] = true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.records.lookup(ctx, slices.Collect(maps.Keys(texts)))
	if err != nil {
		s.log.Debug("looking up what is selected", "error", err)
	}
	var rs []storage.Record
	seen := map[string]bool{}
	for _, tokens := range places {
		i := slices.IndexFunc(tokens, func(t index.Token) bool { return len(found[t.Text]) > 0 })
		if i < 0 {
			continue
		}
		for _, r := range found[tokens[i].Text] {
			if key := r.Key.Canonical(); !seen[key] && len(rs) < maxActionResources {
				seen[key] = true
				rs = append(rs, r)
			}
		}
	}
	return rs
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
