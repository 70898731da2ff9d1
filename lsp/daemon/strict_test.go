package daemon

import (
	"errors"
	"testing"

	"go.lsp.dev/jsonrpc2"
)

// No request takes a path to write to, an address to fetch from, or a decision
// beyond asking: what a request may say is a closed list, checked before any
// part of the daemon is touched.
func TestRequestsTakeNothingElse(t *testing.T) {
	bad := []string{`[]`, `7`, `"x"`, `{"":0}`}
	for _, name := range []string{
		"path", "file", "output", "dir", "url", "uri", "endpoint", "endpoint_url", "environment", "interactive",
		"approve", "approved", "digest", "yes", "policy", "executable", "command", "key",
	} {
		bad = append(bad, `{"`+name+`":"/tmp/x"}`)
	}
	for name, m := range methods() {
		for _, params := range bad {
			_, err := m.call(t.Context(), &session{}, nil, []byte(params))
			wire, ok := errors.AsType[*jsonrpc2.Error](err)
			if !ok || wire.Code != jsonrpc2.InvalidParams {
				t.Errorf("%s takes %s: %v", name, params, err)
			}
		}
	}
}
