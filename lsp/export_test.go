package lsp

import (
	"context"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/executor"
)

// ServeProbed is Serve with further methods: the probes; test/text, which
// returns a document as its call sees it; test/decode, which panics; and
// test/prompt, which puts a plan before the person.
func ServeProbed(ctx context.Context, cfg Config, probes map[string]func(context.Context) (any, error)) error {
	s := newServer(ctx, cfg)
	for name, f := range probes {
		s.table[name] = func(*server, []byte) (any, work, error) { return nil, f, nil }
	}
	s.table["test/text"] = inOrder(func(s *server, p *protocol.HoverParams) (any, work, error) {
		d := s.documents.get(string(p.TextDocument.URI))
		return nil, func(context.Context) (any, error) { return d.text(), nil }, nil
	})
	s.table["test/decode"] = func(*server, []byte) (any, work, error) { panic("hush: vol-1") }
	s.table["test/prompt"] = decode(func(s *server, ctx context.Context, p *executor.Prompt) (any, error) { return s.prompt(ctx, *p) })
	return s.serve()
}

// CardParams is what an editor is sent of a plan.
type CardParams = cardParams
