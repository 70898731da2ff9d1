package lsp

import (
	"context"
	"strings"

	"go.lsp.dev/protocol"
)

// offerSync: edits come in pieces.
func offerSync(can client, c *protocol.ServerCapabilities) string {
	yes, incremental := true, protocol.TextDocumentSyncKindIncremental
	c.TextDocumentSync = &protocol.TextDocumentSyncOptions{OpenClose: &yes, Change: &incremental}
	return "edits, in " + strings.ToUpper(string(can.encoding.kind()))
}

func (s *server) didOpen(_ context.Context, p *protocol.DidOpenTextDocumentParams) (any, error) {
	t := p.TextDocument
	s.documents.put(newDocument(strings.Clone(string(t.URI)), t.Version, strings.Clone(t.Text)))
	s.records.wake()
	return nil, nil
}

func (s *server) didChange(_ context.Context, p *protocol.DidChangeTextDocumentParams) (any, error) {
	d := s.documents.get(string(p.TextDocument.URI))
	if d == nil {
		s.log.Warn("ignoring changes to a document that is not open")
		return nil, nil
	}
	s.documents.put(d.apply(p.TextDocument.Version, fromChanges(p.ContentChanges), s.can().encoding))
	s.records.wake()
	return nil, nil
}

func (s *server) didClose(_ context.Context, p *protocol.DidCloseTextDocumentParams) (any, error) {
	s.documents.remove(string(p.TextDocument.URI))
	return nil, nil
}
