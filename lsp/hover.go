package lsp

import (
	"slices"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
)

// hover shows what memory knows of the identifier, name or ARN under the
// cursor. It never asks AWS.
var hover = about(feature{
	method: protocol.MethodTextDocumentHover, setting: "hover",
	offer: func(can client, c *protocol.ServerCapabilities) string {
		c.HoverProvider = protocol.Boolean(true)
		if can.markdown() {
			return "Markdown"
		}
		return "plain text"
	},
}, func(p *protocol.HoverParams) area { return placeOf(p.TextDocumentPositionParams) }, hoverOf)

// markdown reports whether the editor shows it in a hover.
func (c client) markdown() bool {
	h := c.says.TextDocument.Hover
	return h != nil && slices.Contains(h.ContentFormat, protocol.MarkupKindMarkdown)
}

// hoverOf renders the resources. Where a name is hovered, which others may carry
// too, it says where those could hide.
func hoverOf(s *snapshot, _ *protocol.HoverParams) (any, error) {
	if len(s.mentions) == 0 {
		return nil, nil
	}
	m := s.mentions[0]
	if s.can.markdown() {
		return toHover(protocol.MarkupKindMarkdown, render.Hover(m.records, m.gaps, time.Now()), s.span(m)), nil
	}
	return toHover(protocol.MarkupKindPlainText, render.HoverPlain(m.records, m.gaps, time.Now()), s.span(m)), nil
}
