package lsp

import "context"

// ServeProbed is Serve with further methods: the probes, test/text, which
// returns a document as its call sees it, and test/decode, which panics.
func ServeProbed(ctx context.Context, cfg Config, probes map[string]func(context.Context) (any, error)) error {
	s := newServer(ctx, cfg)
	for name, f := range probes {
		s.table[name] = func([]byte) (work, error) { return f, nil }
	}
	s.table["test/text"] = inDocument(s, func(_ context.Context, d *document, _ *struct{}) (string, error) { return d.text, nil })
	s.table["test/decode"] = func(params []byte) (work, error) { return nil, invalidParams(error(nil).(error)) }
	return s.serve()
}
