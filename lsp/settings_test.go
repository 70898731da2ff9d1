package lsp

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// What an editor may set, by where it says so. A workspace can write both, so
// neither widens what the other, or config.yaml, allows.
func TestSettingsByOrigin(t *testing.T) {
	type on struct{ hover, actions, readOnly bool }
	all := on{hover: true, actions: true}
	for _, c := range []struct {
		name, initialize, configuration string
		want                            on
		ignored                         []string
	}{
		{name: "nothing said", want: all},
		{name: "no object", initialize: `7`, configuration: `"x"`, want: all},
		{name: "hover off at start", initialize: `{"hover":{"enabled":false}}`, want: on{actions: true}},
		{name: "hover off later", configuration: `{"cloudops":{"hover":{"enabled":false}}}`, want: on{actions: true}},
		{name: "dotted", configuration: `{"cloudops.hover.enabled":false,"codeActions.enabled":false}`, want: on{}},
		{name: "actions off", initialize: `{"codeActions":{"enabled":false}}`, want: on{hover: true}},
		{name: "read only", initialize: `{"readOnly":true}`, want: on{true, true, true}},
		{name: "read only stays", initialize: `{"readOnly":true}`, configuration: `{"readOnly":false}`, want: on{true, true, true}},
		{name: "off stays off", initialize: `{"hover":{"enabled":false}}`, configuration: `{"hover":{"enabled":true}}`, want: on{actions: true}},
		{name: "a wrong type changes nothing", initialize: `{"hover":{"enabled":"no"}}`, want: all, ignored: []string{"hover.enabled"}},
		{
			name: "what config.yaml alone may say",
			initialize: `{"endpoint_url":"http://203.0.113.1","profiles":["admin"],"home":"/tmp/x","server":{"path":"/tmp/evil"},
				"approvals":{"auto":true},"executor":{"reads":"allow"},"aws":{"profile":"x","regions":["*"]}}`,
			want:    all,
			ignored: []string{"endpoint_url", "profiles", "home", "server.path", "approvals.auto", "executor.reads", "aws.profile", "aws.regions"},
		},
		{name: "deep", initialize: strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000), want: all},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s settings
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			s.set(fromInitialize, []byte(c.initialize), logger)
			s.set(fromConfiguration, []byte(c.configuration), logger)
			if got := (on{!s.off("hover"), !s.off("codeActions"), s.readOnly()}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			for _, name := range c.ignored {
				if !strings.Contains(log.String(), "setting="+name) {
					t.Errorf("%s is not named as ignored: %s", name, log.String())
				}
			}
			if strings.Contains(log.String(), "203.0.113.1") {
				t.Error("the log quotes a value")
			}
		})
	}
}

// A setting that was turned off in the editor comes back when it is turned on.
func TestSettingsAreLive(t *testing.T) {
	var s settings
	log := slog.New(slog.DiscardHandler)
	s.set(fromConfiguration, []byte(`{"hover":{"enabled":false}}`), log)
	s.set(fromConfiguration, []byte(`{"hover":{"enabled":true}}`), log)
	if s.off("hover") {
		t.Error("hover stays off")
	}
}

// Settings that are null, or a value that is, say nothing: they are asked for
// anew, and until the editor answers what it said before holds.
func TestSettingsThatAreNullSayNothing(t *testing.T) {
	asked := make(chan struct{})
	answer := make(chan []protocol.LSPAny)
	s := newServer(t.Context(), Config{In: strings.NewReader(""), Out: io.Discard})
	t.Cleanup(s.finish)
	yes := true
	s.at, s.client = running, newClient("", protocol.ClientCapabilities{Workspace: &protocol.WorkspaceClientCapabilities{Configuration: &yes}})
	s.editor = configured{s.editor, asked, answer}
	s.spawn(func() { s.followSettings(s.ctx) })
	notify := func(params string) {
		t.Helper()
		rest, err := s.notification(protocol.MethodWorkspaceDidChangeConfiguration, []byte(params))
		if err == nil {
			_, err = rest(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	notify(`{"settings":{"readOnly":true,"hover":{"enabled":null},"codeActions":null}}`)
	if !s.settings.readOnly() || s.settings.off("hover") || s.settings.off("codeActions") {
		t.Error("a value of null is taken for false")
	}
	for _, params := range []string{`{"settings":null}`, `{}`} {
		notify(params)
		<-asked
		if !s.settings.readOnly() {
			t.Errorf("%s takes readOnly back before the editor was asked", params)
		}
		answer <- []protocol.LSPAny{protocol.LSPAny(`{"readOnly":true}`)}
	}
	notify(`{"settings":null}`)
	<-asked
	answer <- []protocol.LSPAny{protocol.LSPAny(`null`)}
	notify(`{"settings":null}`)
	<-asked // so that the answer before it was taken
	if s.settings.readOnly() {
		t.Error("a setting that was taken out of the editor stays")
	}
}

// configured is an editor that answers with settings.
type configured struct {
	protocol.Client
	asked  chan struct{}
	answer chan []protocol.LSPAny
}

func (c configured) Configuration(ctx context.Context, _ *protocol.ConfigurationParams) ([]protocol.LSPAny, error) {
	select {
	case c.asked <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case got := <-c.answer:
		return got, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Only folders of this disk are paths: of any other scheme the path means
// something else there, up to / itself.
func TestFoldersOfOtherSchemesAreNoPaths(t *testing.T) {
	var list []protocol.WorkspaceFolder
	for _, u := range []uri.URI{
		"vscode-vfs://github/", "vscode-remote://ssh/home/me", "untitled:x", "fileish:///x", "git:/repo", "/plain", "",
		"file:///here",
	} {
		list = append(list, protocol.WorkspaceFolder{URI: u, Name: "x"})
	}
	if got := folderPaths(list); len(got) != 1 || got[0] != "/here" {
		t.Errorf("the folders are %q, want /here alone", got)
	}
}
