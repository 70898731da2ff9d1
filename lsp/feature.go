package lsp

import (
	"slices"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
)

// feature is all that is known of one method of LSP: whoever dispatches, answers
// initialize, reads settings or documents what an editor gets reads it here.
type feature struct {
	// method is its name.
	method string
	// setting, as NAME.enabled, switches it off in an editor; "" where nothing does.
	setting string
	// actions: it also shows what may be done to the resources.
	actions bool
	// offer says in the answer to initialize that it is there, and returns in a
	// word or two what this editor gets of it; "" for nothing. It is nil for what
	// every connection has. docs/features.md is what it returns.
	offer func(client, *protocol.ServerCapabilities) string
	// serve answers it.
	serve method
}

// features is all that the server answers, besides the daemon's own requests
// (custom.go). One that is about a document is made by about.
func features() []feature {
	return []feature{
		{method: protocol.MethodInitialize, serve: located(decode((*server).initialize))},
		{method: protocol.MethodInitialized, serve: decode((*server).initialized)},
		{method: protocol.MethodShutdown, serve: decode((*server).shutdown)},
		{method: protocol.MethodExit, serve: decode((*server).exit)},
		{method: protocol.MethodSetTrace, serve: decode(ignore)},
		{method: protocol.MethodProgress, serve: decode(ignore)},
		{method: protocol.MethodWindowWorkDoneProgressCancel, serve: decode((*server).workDoneProgressCancel)},
		{method: protocol.MethodWorkspaceDidChangeConfiguration, serve: decode((*server).didChangeConfiguration)},

		{method: protocol.MethodTextDocumentDidOpen, serve: decode((*server).didOpen)},
		{method: protocol.MethodTextDocumentDidChange, offer: offerSync, serve: decode((*server).didChange)},
		{method: protocol.MethodTextDocumentDidSave, serve: decode(ignore)},
		{method: protocol.MethodTextDocumentDidClose, serve: decode((*server).didClose)},
		{
			method: protocol.MethodWorkspaceDidChangeWorkspaceFolders, offer: offerFolders,
			serve: located(decode((*server).didChangeWorkspaceFolders)),
		},
		{method: protocol.MethodWorkspaceExecuteCommand, offer: offerCommands, serve: decode((*server).executeCommand)},

		hover,
		codeAction,
	}
}

// unsupported are LSP's other methods. A request of them is told that nothing
// answers it, a notification is ignored; what is in neither list is no LSP.
var unsupported = []string{
	protocol.MethodTextDocumentWillSave,
	protocol.MethodTextDocumentWillSaveWaitUntil,
	protocol.MethodNotebookDocumentDidOpen,
	protocol.MethodNotebookDocumentDidChange,
	protocol.MethodNotebookDocumentDidSave,
	protocol.MethodNotebookDocumentDidClose,
	protocol.MethodTextDocumentDeclaration,
	protocol.MethodTextDocumentDefinition,
	protocol.MethodTextDocumentTypeDefinition,
	protocol.MethodTextDocumentImplementation,
	protocol.MethodTextDocumentReferences,
	protocol.MethodTextDocumentPrepareCallHierarchy,
	protocol.MethodCallHierarchyIncomingCalls,
	protocol.MethodCallHierarchyOutgoingCalls,
	protocol.MethodTextDocumentPrepareTypeHierarchy,
	protocol.MethodTypeHierarchySupertypes,
	protocol.MethodTypeHierarchySubtypes,
	protocol.MethodTextDocumentDocumentHighlight,
	protocol.MethodTextDocumentDocumentLink,
	protocol.MethodDocumentLinkResolve,
	protocol.MethodTextDocumentCodeLens,
	protocol.MethodCodeLensResolve,
	protocol.MethodTextDocumentFoldingRange,
	protocol.MethodTextDocumentSelectionRange,
	protocol.MethodTextDocumentDocumentSymbol,
	protocol.MethodTextDocumentSemanticTokensFull,
	protocol.MethodTextDocumentSemanticTokensFullDelta,
	protocol.MethodTextDocumentSemanticTokensRange,
	protocol.MethodTextDocumentInlineValue,
	protocol.MethodTextDocumentInlayHint,
	protocol.MethodInlayHintResolve,
	protocol.MethodTextDocumentMoniker,
	protocol.MethodTextDocumentCompletion,
	protocol.MethodCompletionItemResolve,
	protocol.MethodTextDocumentDiagnostic,
	protocol.MethodWorkspaceDiagnostic,
	protocol.MethodTextDocumentSignatureHelp,
	protocol.MethodCodeActionResolve,
	protocol.MethodTextDocumentDocumentColor,
	protocol.MethodTextDocumentColorPresentation,
	protocol.MethodTextDocumentFormatting,
	protocol.MethodTextDocumentRangeFormatting,
	protocol.MethodTextDocumentRangesFormatting,
	protocol.MethodTextDocumentOnTypeFormatting,
	protocol.MethodTextDocumentRename,
	protocol.MethodTextDocumentPrepareRename,
	protocol.MethodTextDocumentLinkedEditingRange,
	protocol.MethodTextDocumentInlineCompletion,
	protocol.MethodWorkspaceSymbol,
	protocol.MethodWorkspaceSymbolResolve,
	protocol.MethodWorkspaceWillCreateFiles,
	protocol.MethodWorkspaceWillRenameFiles,
	protocol.MethodWorkspaceWillDeleteFiles,
	protocol.MethodWorkspaceDidCreateFiles,
	protocol.MethodWorkspaceDidRenameFiles,
	protocol.MethodWorkspaceDidDeleteFiles,
	protocol.MethodWorkspaceDidChangeWatchedFiles,
	protocol.MethodWorkspaceTextDocumentContent,
}

// notFound is the answer to a request that nothing serves.
func notFound(name string) error {
	if slices.Contains(unsupported, name) {
		return jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "cloudops does not answer %s; docs/features.md says what it does", name)
	}
	return jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "no such method: %.100q", name)
}

// offered is what initialize tells an editor that the server can do.
func offered(can client) protocol.ServerCapabilities {
	c := protocol.ServerCapabilities{PositionEncoding: can.encoding.kind()}
	for _, f := range features() {
		if f.offer != nil {
			f.offer(can, &c)
		}
	}
	return c
}
