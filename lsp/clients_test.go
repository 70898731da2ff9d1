package lsp

import (
	"fmt"
	"testing"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// row is a kind of editor as docs/clients.md shows it.
func (k kind) row() string {
	by := "anything else"
	switch {
	case k.name != "" && k.says != nil:
		by = "`" + k.name + "` and its capabilities"
	case k.name != "":
		by = "`" + k.name + "`"
	case k.says != nil:
		by = "its capabilities"
	}
	how := map[asks]string{
		asksCard:  "by a card of its own",
		asksWhole: "by a message with the whole card",
		asksEnd:   "by a message of six lines, of which the last are what is decided on",
		asksNever: "not at all: ",
	}[k.asks] + k.instead
	if k.waits != "" {
		how += ", and another that says: " + k.waits
	}
	closed := k.dismissed
	if closed == "" {
		closed = "-"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", k.title, by, how, closed, k.shown)
}

// The page that people read is the table that decides.
func TestTheClientsPageIsTheTable(t *testing.T) {
	want := "| editor | told by | how it is asked | when the question is closed | tried with |\n|---|---|---|---|---|\n"
	for _, k := range kinds {
		want += k.row()
	}
	comparePage(t, "../docs/clients.md", "<!-- the table of lsp/clients.go -->\n", want)
}

// Every editor has one row, and what can't be asked says what to do instead.
func TestEveryEditorIsInTheTable(t *testing.T) {
	yes := true
	dialog := protocol.ClientCapabilities{Window: &protocol.WindowClientCapabilities{ShowMessage: &protocol.ShowMessageRequestClientCapabilities{
		MessageActionItem: &protocol.ClientShowMessageActionItemOptions{AdditionalPropertiesSupport: &yes},
	}}}
	cards := protocol.ClientCapabilities{Experimental: protocol.LSPAny(`{"cloudops":{"cards":true}}`)}
	for _, c := range []struct {
		name string
		can  protocol.ClientCapabilities
		want string
	}{
		{"Visual Studio Code", cards, "VS Code with the CloudOps extension"},
		{"Neovim", cards, "Neovim with the CloudOps plugin"},
		{"Neovim", protocol.ClientCapabilities{}, "Neovim without it"},
		{"Neovim", dialog, "Neovim without it"},
		{"helix", dialog, "Helix 25.07 and newer"},
		{"helix", protocol.ClientCapabilities{}, "Helix before 25.07"},
		{"helix", protocol.ClientCapabilities{Window: &protocol.WindowClientCapabilities{}}, "Helix before 25.07"},
		{"Eglot", protocol.ClientCapabilities{}, "Emacs with eglot"},
		{"emacs", protocol.ClientCapabilities{}, "Emacs with lsp-mode"},
		{"kak-lsp", dialog, "Kakoune with kak-lsp"},
		{"vim-lsp", protocol.ClientCapabilities{}, "Vim with vim-lsp"},
		{"ALE", protocol.ClientCapabilities{}, "Vim or Neovim with ALE"},
		{"Visual Studio Code", dialog, "any other"},
		{"", protocol.ClientCapabilities{}, "any other"},
		{"", dialog, "any other"},
		{"NEOVIM", protocol.ClientCapabilities{}, "any other"},
	} {
		if got := kindOf(c.name, c.can).title; got != c.want {
			t.Errorf("%q is taken for %q, want %q", c.name, got, c.want)
		}
	}
	for _, k := range kinds {
		if (k.asks == asksNever) != (k.instead != "") || k.shown == "" {
			t.Errorf("%s: its row is not whole: %+v", k.title, k)
		}
	}
}

// Where a question that was taken back is still on the screen, the next one is
// seen only when that was answered: what comes right after is for neither.
func TestAnAnswerRightAfterALateOneIsTooEarly(t *testing.T) {
	var a asked
	a.shown()
	first, second := jsonrpc2.NewNumberID(1), jsonrpc2.NewNumberID(2)
	a.withdrawn(first)
	a.shown()
	a.since = time.Now().Add(-time.Hour)
	a.answered(second)
	if a.within(time.Minute) {
		t.Error("its own answer made it new")
	}
	a.answered(first)
	if !a.within(time.Minute) {
		t.Error("it was not seen before the late answer, and can be answered at once")
	}
	a.since = time.Now().Add(-time.Hour)
	a.answered(first)
	if a.within(time.Minute) {
		t.Error("a second answer to the old one counts too")
	}
}
