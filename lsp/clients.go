package lsp

import (
	"errors"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
)

// asks is how an editor is asked about a plan.
type asks int

const (
	// asksCard: by cloudops/prompt; the editor shows the whole card.
	asksCard asks = iota
	// asksWhole: by a message, which is shown with all of its lines.
	asksWhole
	// asksEnd: by a message, of which the last lines stand beside the choices. They
	// are few, and hold what is decided on.
	asksEnd
	// asksNever: not at all; the person is told where to decide.
	asksNever
)

// kind is one row of the table of editors: what is known of how they put the
// questions of a server. docs/clients.md is this table, for people.
type kind struct {
	// title is what people call the editor.
	title string
	// name is what it calls itself in clientInfo, "" where that doesn't matter.
	name string
	// says tells apart what bears one name, by what it says of itself; nil for all.
	says func(protocol.ClientCapabilities) bool
	asks asks
	// waits is told besides a question that is shown only when it is called for.
	waits string
	// instead is told where nothing can be asked: why, and for an editor with a
	// terminal how to decide there. Editors cut such messages to a line.
	instead string
	// dismissed says what comes back when a person closes the question.
	dismissed string
	// shown says how this row was tried.
	shown string
}

// kinds is the table; the first row that fits an editor counts. The last fits
// all: what is not known gets the few lines that every editor can show.
var kinds = []kind{
	{
		title: "Neovim with the CloudOps plugin", name: "Neovim", says: saysCards, asks: asksCard,
		dismissed: "nothing is decided", shown: "Neovim 0.10.4 (`editors/nvim`)",
	},
	{
		title: "VS Code with the CloudOps extension", says: saysCards, asks: asksCard,
		dismissed: "nothing is decided", shown: "VS Code 1.139 (`editors/vscode`)",
	},
	{
		title: "Neovim without it", name: "Neovim", asks: asksNever,
		instead:   "Neovim takes digits that are typed for a file for an answer, so without the CloudOps plugin decide it with :terminal cloudops approvals",
		dismissed: "", shown: "Neovim 0.10.4 (`editors/clients`)",
	},
	{
		title: "Helix 25.07 and newer", name: "helix", says: saysMessages, asks: asksWhole,
		dismissed: "null, also by the next letter that is typed", shown: "a build of 2026-07-23, by hand",
	},
	{
		title: "Helix before 25.07", name: "helix", asks: asksNever,
		instead:   "this Helix can't show a question",
		dismissed: "", shown: "Helix 25.01.1 (`editors/clients`)",
	},
	{
		title: "Emacs with eglot", name: "Eglot", asks: asksEnd,
		dismissed: "no answer (C-g)", shown: "Emacs 30.1 (`editors/clients`)",
	},
	{
		title: "Emacs with lsp-mode", name: "emacs", asks: asksEnd,
		dismissed: "no answer (C-g)", shown: "lsp-mode 9.0.0 (`editors/clients`)",
	},
	{
		title: "Kakoune with kak-lsp", name: "kak-lsp", asks: asksWhole,
		waits:     "a question waits: answer it with :lsp-show-message-request-next",
		dismissed: "null", shown: "kak-lsp 22.0.0, by hand",
	},
	{
		title: "Vim with vim-lsp", name: "vim-lsp", asks: asksNever,
		instead:   "vim-lsp answers with the first choice or with none, so decide it with :terminal cloudops approvals",
		dismissed: "", shown: "vim-lsp 474c6566, by hand",
	},
	{
		title: "Vim or Neovim with ALE", name: "ALE", asks: asksNever,
		instead:   "ALE can't show a question, so decide it with :terminal cloudops approvals",
		dismissed: "", shown: "ALE 4.0.0, by hand",
	},
	{
		title: "any other", asks: asksEnd,
		dismissed: "as it may be", shown: "a client of our own (`lsp`)",
	},
}

func saysCards(c protocol.ClientCapabilities) bool { return showsCards(c.Experimental) }

func saysMessages(c protocol.ClientCapabilities) bool {
	return c.Window != nil && c.Window.ShowMessage != nil
}

// kindOf finds the row of an editor.
func kindOf(name string, can protocol.ClientCapabilities) kind {
	for _, k := range kinds {
		if (k.name == "" || k.name == name) && (k.says == nil || k.says(can)) {
			return k
		}
	}
	return kinds[len(kinds)-1]
}

// question is the message that a plan is asked with. Its error says, in words
// for the person, why it is not asked here and where it is decided.
func (k kind) question(p executor.Prompt) (string, error) {
	switch k.asks {
	case asksNever:
		return "", errors.New("it waits in `cloudops approvals`: " + k.instead)
	case asksWhole:
		return render.CardNotification(p), nil
	}
	text, fits := render.CardEnd(p.Plan)
	if !fits {
		return "", errors.New("the command is too long to stand in full beside the choices of a message: decide it in a terminal with `cloudops approvals`")
	}
	return text, nil
}
