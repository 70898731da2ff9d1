package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"go.lsp.dev/protocol"
)

// initialize answers at once from what is fixed. The daemon is dialled in the
// background: editors wait for this answer before they show anything.
func (s *server) initialize(_ context.Context, p *protocol.InitializeParams) (*protocol.InitializeResult, error) {
	can, kind := capabilities(p.Capabilities)
	can.kind = kindOf(p.ClientInfo.Name, p.Capabilities)
	s.mu.Lock()
	s.at = running
	s.client = can
	s.mu.Unlock()

	s.settings.set(fromInitialize, p.InitializationOptions, s.log)
	// Until this is answered LSP forbids most of what the daemon's news lead to.
	workspaces := folders(p)
	s.stream.next = func() { s.link.open(workspaces, can.kind.asks == asksCard) }
	if p.ProcessID != nil {
		s.follow(int(*p.ProcessID))
	}

	yes, incremental := true, protocol.TextDocumentSyncKindIncremental
	return &protocol.InitializeResult{
		ServerInfo: protocol.ServerInfo{Name: "cloudops", Version: protocol.NewOptional(s.version)},
		Capabilities: protocol.ServerCapabilities{
			PositionEncoding:       kind,
			TextDocumentSync:       &protocol.TextDocumentSyncOptions{OpenClose: &yes, Change: &incremental},
			HoverProvider:          protocol.Boolean(true),
			CodeActionProvider:     actionProvider(can),
			ExecuteCommandProvider: protocol.ExecuteCommandOptions{Commands: commandNames()},
			Workspace: &protocol.WorkspaceOptions{
				WorkspaceFolders: &protocol.WorkspaceFoldersServerCapabilities{
					Supported: &yes, ChangeNotifications: protocol.Boolean(true),
				},
			},
		},
	}, nil
}

// actionProvider names our kind of actions to an editor that knows of kinds.
func actionProvider(can client) protocol.CodeActionProvider {
	if !can.literals {
		return protocol.Boolean(true)
	}
	return &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{actionKind}}
}

// located is a method whose params name folders. An editor without one may say
// so by an empty URI, which would be read as the root of the disk.
func located(m method) method {
	return func(params []byte) (any, work, error) { return m(withoutEmptyURIs(params)) }
}

// withoutEmptyURIs leaves out members that are a URI, by their name, and empty.
// What is no JSON stays as it is.
func withoutEmptyURIs(raw []byte) []byte {
	if !emptyURI.Match(raw) {
		return raw
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return raw
	}
	out, err := json.Marshal(dropEmptyURIs(v))
	if err != nil {
		return raw
	}
	return out
}

var emptyURI = regexp.MustCompile(`"\s*:\s*""`)

func dropEmptyURIs(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(name string, x any) bool { return x == "" && (name == "uri" || name == "rootUri") })
		for _, x := range v {
			dropEmptyURIs(x)
		}
	case []any:
		for _, x := range v {
			dropEmptyURIs(x)
		}
	}
	return v
}

// capabilities reads what matters here of what the editor can do.
func capabilities(c protocol.ClientCapabilities) (client, protocol.PositionEncodingKind) {
	var can client
	var offered []protocol.PositionEncodingKind
	if c.General != nil {
		offered = c.General.PositionEncodings
	}
	var kind protocol.PositionEncodingKind
	can.encoding, kind = encodingOf(offered)
	if c.TextDocument != nil {
		if h := c.TextDocument.Hover; h != nil {
			can.markdown = slices.Contains(h.ContentFormat, protocol.MarkupKindMarkdown)
		}
		if a := c.TextDocument.CodeAction; a != nil {
			can.literals = a.CodeActionLiteralSupport.CodeActionKind.ValueSet != nil
		}
	}
	if c.Window != nil {
		can.progress = isTrue(c.Window.WorkDoneProgress)
	}
	if c.Workspace != nil {
		can.configuration = isTrue(c.Workspace.Configuration)
	}
	return can, kind
}

// initialized asks for the settings, where the editor keeps them for servers.
func (s *server) initialized(context.Context, *protocol.InitializedParams) (any, error) {
	s.pullSettings()
	return nil, nil
}

// didChangeWorkspaceFolders tells the daemon, which refuses AWS files inside
// them. Folders that were closed stay refused until the editor restarts.
func (s *server) didChangeWorkspaceFolders(_ context.Context, p *protocol.DidChangeWorkspaceFoldersParams) (any, error) {
	s.link.change(folderPaths(p.Event.Added), folderPaths(p.Event.Removed))
	return nil, nil
}
