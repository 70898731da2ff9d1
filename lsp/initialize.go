package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"regexp"

	"go.lsp.dev/protocol"
)

// initialize answers at once from what is fixed. The daemon is dialled in the
// background: editors wait for this answer before they show anything.
func (s *server) initialize(_ context.Context, p *protocol.InitializeParams) (*protocol.InitializeResult, error) {
	can := newClient(p.ClientInfo.Name, p.Capabilities)
	s.mu.Lock()
	s.at = running
	s.client = can
	s.mu.Unlock()

	s.settings.set(fromInitialize, p.InitializationOptions, s.log)
	// Until this is answered LSP forbids most of what the daemon's news lead to.
	workspaces := folders(p)
	s.stream.Next(func() { s.link.open(workspaces, can.kind.asks == asksCard) })
	if p.ProcessID != nil {
		s.follow(int(*p.ProcessID))
	}

	return &protocol.InitializeResult{
		ServerInfo:   protocol.ServerInfo{Name: "cloudops", Version: protocol.NewOptional(s.version)},
		Capabilities: offered(can),
	}, nil
}

// located is a method whose params name folders. An editor without one may say
// so by an empty URI, which would be read as the root of the disk.
func located(m method) method {
	return func(s *server, params []byte) (any, work, error) { return m(s, withoutEmptyURIs(params)) }
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

// newClient keeps what an editor says of itself.
func newClient(name string, says protocol.ClientCapabilities) client {
	can := client{kind: kindOf(name, says)}
	if says.General == nil {
		says.General = &protocol.GeneralClientCapabilities{}
	}
	if says.TextDocument == nil {
		says.TextDocument = &protocol.TextDocumentClientCapabilities{}
	}
	if says.Window == nil {
		says.Window = &protocol.WindowClientCapabilities{}
	}
	if says.Workspace == nil {
		says.Workspace = &protocol.WorkspaceClientCapabilities{}
	}
	can.says, can.encoding = says, encodingOf(says.General.PositionEncodings)
	return can
}

// initialized asks for the settings, where the editor keeps them for servers.
func (s *server) initialized(context.Context, *protocol.InitializedParams) (any, error) {
	s.pullSettings()
	return nil, nil
}

func offerFolders(_ client, c *protocol.ServerCapabilities) string {
	yes := true
	c.Workspace = &protocol.WorkspaceOptions{WorkspaceFolders: &protocol.WorkspaceFoldersServerCapabilities{
		Supported: &yes, ChangeNotifications: protocol.Boolean(true),
	}}
	return "yes"
}

// didChangeWorkspaceFolders tells the daemon, which refuses AWS files inside
// them. Folders that were closed stay refused until the editor restarts.
func (s *server) didChangeWorkspaceFolders(_ context.Context, p *protocol.DidChangeWorkspaceFoldersParams) (any, error) {
	s.link.change(folderPaths(p.Event.Added), folderPaths(p.Event.Removed))
	return nil, nil
}
