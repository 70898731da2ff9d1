package lsp

import (
	"context"
	"slices"
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
func (s *server) hover(ctx context.Context, d *document, p *protocol.HoverParams) (*protocol.Hover, error) {
	if !s.settings.hover() {
		return nil, nil
	}
	can := s.can()
	token, rs := s.named(ctx, d, d.offset(fromPosition(p.Position), can.encoding))
	if len(rs) == 0 {
		return nil, nil
	}
	return toHover(s.hoverText(token.Text, rs, can.markdown), can.markdown, d.span(token.Start, token.End, can.encoding)), nil
}

// named finds the longest token at an offset that names resources. A daemon
// that can't say in time means none.
func (s *server) named(ctx context.Context, d *document, offset int) (index.Token, []storage.Record) {
	tokens := d.at(offset)
	if len(tokens) == 0 {
		return index.Token{}, nil
	}
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = t.Text
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.records.lookup(ctx, texts)
	if err != nil {
		s.log.Debug("looking up what is under the cursor", "error", err)
		return index.Token{}, nil
	}
	for _, t := range tokens {
		if rs := found[t.Text]; len(rs) > 0 {
			return t, rs
		}
	}
	return index.Token{}, nil
}

// hoverText renders records. Where a name was hovered, which others may carry
// too, it says where those could hide.
func (s *server) hoverText(token string, rs []storage.Record, markdown bool) string {
	var gaps []string
	if slices.ContainsFunc(rs, func(r storage.Record) bool { return token != r.ID && token != r.ARN }) {
		gaps = s.records.unlisted()
	}
	if markdown {
		return render.Hover(rs, gaps, time.Now())
	}
	return render.HoverPlain(rs, gaps, time.Now())
}
