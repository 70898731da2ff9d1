// Package daemon serves cloudops/* requests over a private socket, and is the
// client of the same: dial, start on demand, shake hands, subscribe.
//
// Its entries are Serve (one process per home), Dial (a connection that starts
// a daemon when there is none, hands over to a newer build and reconnects) and
// the lists in request.go, which are the whole protocol: each request, question
// and notification is one descriptor, beside what serves it. docs/protocol.md and
// the types of the VS Code extension are made from them.
//
// Invariants: the socket's folder is the user's own and 0700, both ends check
// the peer's user id; a request never carries a path to write or a URL to
// fetch; a plan is decided only by the answer to a prompt that the daemon
// opened on an interactive connection.
package daemon

import (
	"strings"
	"time"

	"github.com/cloudops/cloudops/lsp/wire"
)

// ProtocolVersion is compared in the handshake.
const ProtocolVersion = 1

const (
	// maxRequest bounds one message to the daemon, in bytes.
	maxRequest = 16 << 20
	// maxReply bounds one message to a client: listings may be long.
	maxReply = 512 << 20
	// maxInFlight bounds the calls that one peer may have open.
	maxInFlight = 256
	// frameTime is how long a peer may take to send one message to the daemon.
	frameTime = 20 * time.Second
)

// Error codes beyond those of JSON-RPC; data is an ErrorData.
const (
	CodeRefused     = -32010
	CodeNotFound    = -32011
	CodeDenied      = -32012
	CodeUnavailable = wire.CodeUnavailable
	CodeDegraded    = -32014
	CodeRejected    = -32015
	CodeHandover    = -32016
	// CodeFull: too many sessions are open, and all of them are at work.
	CodeFull = -32017
	// CodeUndecided: nobody decided, and the plan goes on waiting.
	CodeUndecided = -32018
	// CodeLate: AWS has, or had, the command that was to be stopped.
	CodeLate = -32019
)

// known keeps method names that peers made up out of logs and replies.
func known(method string) string {
	if strings.HasPrefix(method, "cloudops/") && len(method) < 64 &&
		strings.IndexFunc(method, func(r rune) bool { return r != '/' && (r < 'a' || r > 'z') }) < 0 {
		return method
	}
	return "an unknown method"
}
