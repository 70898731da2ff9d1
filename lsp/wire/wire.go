// Package wire is JSON-RPC for both of its users: the language server, on an
// editor's pipes, and the daemon with its clients, on a socket.
//
// Its entries are Conn, a whole connection over a socket, and Stdio, a stream over
// an editor's pipes, which share Reader (framing), Calls, Guard, Codec, and how
// messages and parameters are read. Two things differ on purpose. Towards editors,
// some of which miscount, a Reader is lenient: it skips what is malformed and goes
// on; towards sockets it ends the connection. And what an editor leaves unread holds
// up the reading from it, while a socket's peer that does not read is dropped, so
// that it holds up nobody else: each has a writer of its own.
//
// Invariants: a length alone costs no memory; nothing that a peer sends, and no
// panic in a handler, ends more than one request or one connection; errors never
// repeat a value that was sent.
package wire

import "go.lsp.dev/jsonrpc2"

const (
	// CodeUnavailable refuses what is too much at once.
	CodeUnavailable = -32013
	// CodeCancelled is LSP's RequestCancelled.
	CodeCancelled = -32800
	// Cancel is the notification that takes back a request by its id, as in LSP.
	Cancel = "$/cancelRequest"
)

// Invalid is the refusal of a request's parameters.
func Invalid(format string, args ...any) error {
	return jsonrpc2.Errorf(jsonrpc2.InvalidParams, "invalid params: "+format, args...)
}
