package daemon

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/agent"
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

// What a request carries is bounded: every text, list and number has a limit, the
// longest is taken, and one byte, entry or unit more is not.
func TestRequestsAreBounded(t *testing.T) {
	for _, d := range requests {
		for _, f := range reflect.VisibleFields(d.Params) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			i := slices.IndexFunc(d.Limits, func(l Limit) bool { return l.Field == name })
			switch kind := f.Type.Kind(); {
			case f.Anonymous || kind == reflect.Bool || kind == reflect.Map:
			case i < 0:
				t.Errorf("%s: nothing bounds %q", d.Name, name)
			case d.Limits[i].Min > 0 && d.Limits[i].check(name, reflect.ValueOf("")) == nil:
				t.Errorf("%s: %q may be empty", d.Name, name)
			case d.Limits[i].Among == nil && d.Limits[i].Max != endless:
				testLimit(t, d, d.Limits[i], kind)
			}
		}
	}
	if l := EstateScan.Limits[0]; l.check(l.Field, reflect.ValueOf([]string{"", strings.Repeat("x", l.Max+1)})) == nil {
		t.Errorf("only the first of %q is bounded", l.Field)
	}
	if err := ExecutionList.Check([]byte(`{"limit":-1}`)); err == nil || !strings.Contains(err.Error(), "must not be negative") {
		t.Errorf("fewer than none: %v", err)
	}
	if l := ConversationSend.Limits[1]; l.Field != "prompt" || l.Max != agent.LongestPrompt {
		t.Errorf("a prompt is bounded by %d, and the agent takes %d", l.Max, agent.LongestPrompt)
	}
}

func testLimit(t *testing.T, d *Descriptor, l Limit, kind reflect.Kind) {
	long := func(n int) any { return strings.Repeat("x", n) }
	edges := map[int]func(n int) any{}
	switch kind {
	case reflect.Int:
		edges[l.Max] = func(n int) any { return n }
	case reflect.String:
		edges[l.Max] = long
	case reflect.Slice:
		edges[l.Max] = func(n int) any { return []string{long(n).(string)} }
		edges[l.Entries] = func(n int) any { return make([]string, n) }
	}
	for most, value := range edges {
		if err := l.check(l.Field, reflect.ValueOf(value(most))); err != nil {
			t.Errorf("%s: %q of %d: %v", d.Name, l.Field, most, err)
		}
		params, err := json.Marshal(map[string]any{l.Field: value(most + 1)})
		if err != nil {
			t.Fatal(err)
		}
		wire, ok := errors.AsType[*jsonrpc2.Error](l.check(l.Field, reflect.ValueOf(value(most+1))))
		if !ok || wire.Code != jsonrpc2.InvalidParams || d.Check(params) == nil {
			t.Errorf("%s: %q of %d is not refused", d.Name, l.Field, most+1)
		}
	}
}
