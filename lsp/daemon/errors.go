package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// CodeCancelled is LSP's RequestCancelled.
const CodeCancelled = wire.CodeCancelled

// Error is the daemon's refusal of a request.
type Error struct {
	// Code is one of this package's, or of JSON-RPC's.
	Code    int
	Message string
	// Hint says what the user can do next.
	Hint string
}

func (e *Error) Error() string { return e.Message }

// Is lets clients ask for the refusals of other packages by their sentinels,
// as far as the codes tell them apart.
func (e *Error) Is(target error) bool {
	switch target {
	case executor.ErrRefused:
		return e.Code == CodeRefused
	case executor.ErrRejected:
		return e.Code == CodeRejected
	case executor.ErrUndecided:
		return e.Code == CodeUndecided
	case executor.ErrLate:
		return e.Code == CodeLate
	case context.Canceled:
		return e.Code == CodeCancelled
	case storage.ErrNotFound:
		return e.Code == CodeNotFound
	case aws.ErrDenied:
		return e.Code == CodeDenied
	case aws.ErrUnreachable:
		return e.Code == CodeUnavailable
	}
	return false
}

// ErrorData travels in a JSON-RPC error.
type ErrorData struct {
	Hint string `json:"hint,omitempty"`
}

// meanings gives each package's errors their code, and a hint where the error's
// own words may lack one. The first match counts.
func meanings() []struct {
	err  error
	code int
	hint string
} {
	return []struct {
		err  error
		code int
		hint string
	}{
		{executor.ErrVoid, CodeRefused, "look at what changed and propose the command again"},
		{executor.ErrRejected, CodeRejected, ""},
		{executor.ErrUndecided, CodeUndecided, ""},
		{executor.ErrLate, CodeLate, ""},
		{executor.ErrNoPlan, CodeNotFound, "list what is pending, or propose the command again"},
		{executor.ErrRefused, CodeRefused, ""},
		{aws.ErrEndpoint, CodeRefused, ""},
		{aws.ErrUnknownProfile, CodeNotFound, ""},
		{agent.ErrPrompt, int(jsonrpc2.InvalidParams), ""},
		{aws.ErrOptions, int(jsonrpc2.InvalidParams), ""},
		{aws.ErrSettings, int(jsonrpc2.InvalidParams), ""},
		{aws.ErrNoCredentials, CodeDenied, ""},
		{aws.ErrDenied, CodeDenied, ""},
		{aws.ErrUnreachable, CodeUnavailable, ""},
		{aws.ErrGone, CodeNotFound, ""},
		{seal.ErrRotating, CodeRefused, "see how far it is with: cloudops key status"},
		{seal.ErrMoved, CodeDegraded, ""},
		{seal.ErrNoKey, CodeDegraded, ""},
		{seal.ErrWrongKey, CodeDegraded, ""},
		{seal.ErrUnavailable, CodeDegraded, ""},
		{seal.ErrUnauthenticated, CodeDegraded, "restore the file from a backup, or scan again"},
		{storage.ErrInvalid, int(jsonrpc2.InvalidParams), ""},
		{storage.ErrCorrupt, CodeDegraded, ""},
		{storage.ErrInUse, CodeUnavailable, "end the process that has the store open"},
		{storage.ErrUnavailable, CodeUnavailable, "searches and hovers go on from memory; `cloudops status` shows the connection"},
		{storage.ErrNotFound, CodeNotFound, ""},
		{context.Canceled, CodeCancelled, ""},
		{context.DeadlineExceeded, CodeUnavailable, "try again"},
		{errors.ErrUnsupported, int(jsonrpc2.MethodNotFound), ""},
	}
}

// toWire is the one place where errors become codes.
func toWire(err error) *jsonrpc2.Error {
	if wire, ok := errors.AsType[*jsonrpc2.Error](err); ok {
		return wire
	}
	e := &Error{Code: int(jsonrpc2.InternalError), Message: err.Error()}
	if own, ok := errors.AsType[*Error](err); ok {
		e.Code, e.Hint = own.Code, own.Hint
	} else {
		for _, m := range meanings() {
			if errors.Is(err, m.err) {
				e.Code, e.Hint = m.code, m.hint
				break
			}
		}
	}
	wire := &jsonrpc2.Error{Code: jsonrpc2.Code(e.Code), Message: e.Message}
	if e.Hint != "" {
		if data, err := json.Marshal(ErrorData{Hint: e.Hint}); err == nil {
			wire.Data = data
		}
	}
	return wire
}

// fromWire is its inverse, for clients.
func fromWire(wire *jsonrpc2.Error) *Error {
	e := &Error{Code: int(wire.Code), Message: wire.Message}
	var data ErrorData
	if json.Unmarshal(wire.Data, &data) == nil {
		e.Hint = data.Hint
	}
	return e
}

// refusef is a refusal with a code and a hint.
func refusef(code int, hint, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}
