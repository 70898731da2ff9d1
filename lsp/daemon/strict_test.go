package daemon

import (
	"errors"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/scanner"
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
	for _, m := range requests {
		for _, params := range bad {
			_, err := m.call(t.Context(), &session{}, nil, []byte(params))
			wire, ok := errors.AsType[*jsonrpc2.Error](err)
			if !ok || wire.Code != jsonrpc2.InvalidParams {
				t.Errorf("%s takes %s: %v", m.Name, params, err)
			}
		}
	}
}

// What a request carries is bounded: the longest value is taken, and one byte or
// entry more is not.
func TestRequestsAreBounded(t *testing.T) {
	text := func(n int) string { return strings.Repeat("x", n) }
	list := func(n int) []string { return make([]string, n) }
	for name, c := range map[string]struct {
		longest int
		with    func(n int) validator
	}{
		"a scan's token":             {maxToken, func(n int) validator { return ScanParams{Token: text(n)} }},
		"a scan's profiles":          {1000, func(n int) validator { return ScanParams{Options: scanner.Options{Profiles: list(n)}} }},
		"a scan's regions":           {1000, func(n int) validator { return ScanParams{Options: scanner.Options{Regions: list(n)}} }},
		"a scan's services":          {1000, func(n int) validator { return ScanParams{Options: scanner.Options{Services: list(n)}} }},
		"a move's token":             {maxToken, func(n int) validator { return MigrateParams{To: "local", Token: text(n)} }},
		"a move's target":            {64, func(n int) validator { return MigrateParams{To: text(n)} }},
		"a rotation's token":         {maxToken, func(n int) validator { return KeyRotateParams{Token: text(n)} }},
		"an export's recipient":      {200, func(n int) validator { return KeyExportParams{Recipient: text(n)} }},
		"a prompt":                   {agent.LongestPrompt, func(n int) validator { return SendParams{Prompt: text(n)} }},
		"a prompt's token":           {maxToken, func(n int) validator { return SendParams{Prompt: "x", Token: text(n)} }},
		"a prompt's conversation":    {maxToken, func(n int) validator { return SendParams{Prompt: "x", ID: text(n)} }},
		"a conversation":             {maxToken, func(n int) validator { return ConversationParams{ID: text(n)} }},
		"an exported conversation":   {maxToken, func(n int) validator { return ConversationExportParams{ID: text(n)} }},
		"a deleted conversation":     {maxToken, func(n int) validator { return ConversationDeleteParams{ID: text(n)} }},
		"a renamed conversation":     {maxToken, func(n int) validator { return ConversationRenameParams{ID: text(n)} }},
		"a title":                    {maxToken, func(n int) validator { return ConversationRenameParams{ID: "x", Title: text(n)} }},
		"a labelled conversation":    {maxToken, func(n int) validator { return ConversationLabelParams{ID: text(n), Add: list(1)} }},
		"a label":                    {maxToken, func(n int) validator { return ConversationLabelParams{ID: "x", Add: []string{text(n)}} }},
		"a label that is taken":      {maxToken, func(n int) validator { return ConversationLabelParams{ID: "x", Remove: []string{text(n)}} }},
		"labels":                     {maxLabels, func(n int) validator { return ConversationLabelParams{ID: "x", Add: list(n)} }},
		"a label that is looked for": {maxToken, func(n int) validator { return ConversationListParams{Label: text(n)} }},
		"words in conversations":     {maxToken, func(n int) validator { return ConversationSearchParams{Query: text(n)} }},
		"conversations found":        {maxFound, func(n int) validator { return ConversationSearchParams{Limit: n} }},
		"words":                      {maxToken, func(n int) validator { return SearchParams{Query: text(n)} }},
		"resources found":            {maxFound, func(n int) validator { return SearchParams{Limit: n} }},
		"an identifier":              {maxToken, func(n int) validator { return GetParams{Identifier: text(n)} }},
		"a document's tokens":        {maxTokens, func(n int) validator { return ResolveParams{Tokens: list(n)} }},
		"a document's token":         {maxToken, func(n int) validator { return ResolveParams{Tokens: []string{text(n)}} }},
		"a command's words":          {1000, func(n int) validator { return ProposeParams{Argv: list(n)} }},
		"a command":                  {maxText, func(n int) validator { return ProposeParams{Argv: []string{text(n)}} }},
		"a verb":                     {64, func(n int) validator { return ProposeParams{Verb: text(n), Identifier: "x"} }},
		"a verb's target":            {maxToken, func(n int) validator { return ProposeParams{Verb: "stop", Identifier: text(n)} }},
		"a command's profile":        {1024, func(n int) validator { return ProposeParams{Argv: list(1), Profile: text(n)} }},
		"a plan":                     {maxToken, func(n int) validator { return DecideParams{Plan: text(n), Decision: "reject"} }},
		"a reason":                   {maxText, func(n int) validator { return DecideParams{Plan: "x", Decision: "reject", Reason: text(n)} }},
		"a profile":                  {1024, func(n int) validator { return ProfileSelectParams{Name: text(n)} }},
		"workspaces":                 {MaxWorkspaces, func(n int) validator { return WorkspacesParams{Workspaces: list(n)} }},
		"a workspace":                {32 << 10, func(n int) validator { return WorkspacesParams{Workspaces: []string{text(n)}} }},
	} {
		if err := c.with(c.longest).validate(); err != nil {
			t.Errorf("%s of %d: %v", name, c.longest, err)
		}
		err := c.with(c.longest + 1).validate()
		if wire, ok := errors.AsType[*jsonrpc2.Error](err); !ok || wire.Code != jsonrpc2.InvalidParams {
			t.Errorf("%s of %d: %v, want it refused", name, c.longest+1, err)
		}
	}
}
