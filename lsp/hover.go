package lsp

import (
	"context"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

// patience is how long a hover or a menu waits for the daemon before it shows
// nothing.
const patience = time.Second

// hover shows what memory knows of the identifier, name or ARN under the
// cursor. It never asks AWS.
func (s *server) hover(p *protocol.HoverParams) (known any, rest work, err error) {
	if !s.settings.hover() {
		return nil, nil, nil
	}
	can := s.can()
	return s.named(p.TextDocument, p.Position, func(d *document, t index.Token, rs []storage.Record) (any, error) {
		if len(rs) == 0 {
			return nil, nil
		}
		return toHover(s.hoverText(t.Text, rs, can.markdown), can.markdown, d.span(t.Start, t.End, can.encoding)), nil
	})
}

// named finds the longest token at a position that names resources, and what
// then makes of it. Where memory knows, that is at once. A daemon that can't
// say in time means none.
func (s *server) named(doc protocol.TextDocumentIdentifier, at protocol.Position, then func(*document, index.Token, []storage.Record) (any, error)) (known any, rest work, err error) {
	var tokens []index.Token
	d := s.documents.get(string(doc.URI))
	if d != nil { // else it was not opened here
		tokens = d.at(d.offset(fromPosition(at), s.can().encoding))
	}
	if t, rs, ok := s.records.recall(tokens); ok {
		known, err = then(d, t, rs)
		return known, nil, err
	}
	return nil, func(ctx context.Context) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		texts := make([]string, len(tokens))
		for i, t := range tokens {
			texts[i] = t.Text
		}
		found, err := s.records.lookup(ctx, texts)
		if err != nil {
			s.log.Debug("looking up what is under the cursor", "error", err)
		}
		for _, t := range tokens {
			if rs := found[t.Text]; len(rs) > 0 {
				return then(d, t, rs)
			}
		}
		return then(d, index.Token{}, nil)
	}, nil
}

// hoverText renders records. Where a name was hovered, which others may carry
// too, it says where those could hide.
func (s *server) hoverText(token string, rs []storage.Record, markdown bool) string {
	gaps := s.records.unlisted(token)
	if markdown {
		return render.Hover(rs, gaps, time.Now())
	}
	return render.HoverPlain(rs, gaps, time.Now())
}
