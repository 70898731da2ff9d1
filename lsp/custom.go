package lsp

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// pass hands a request of an editor's plugin to the daemon, unchanged. Absent
// params are an empty object.
func (s *server) pass(method string, params []byte) (known any, rest work, err error) {
	if len(params) == 0 {
		params = []byte("{}")
	}
	if !json.Valid(params) {
		return nil, nil, invalidParams(errors.New("they are not JSON"))
	}
	return nil, func(ctx context.Context) (any, error) {
		var res json.RawMessage
		if err := s.link.Call(ctx, method, json.RawMessage(params), &res); err != nil {
			return nil, wireError(err)
		}
		return jsonrpc2.RawMessage(res), nil
	}, nil
}

// settled reports whether an error says what became of a plan whose decision was
// cancelled: whether it was stopped, came too late, or waits.
func settled(err error) bool {
	e, ok := errors.AsType[*jsonrpc2.Error](err)
	return ok && slices.Contains([]jsonrpc2.Code{daemon.CodeLate, daemon.CodeUndecided, daemon.CodeCancelled}, e.Code)
}

// wireError keeps the daemon's code and hint on the way to the editor. Editors
// show both as they are, and they may quote AWS, so they are escaped here.
func wireError(err error) error {
	e, ok := errors.AsType[*daemon.Error](err)
	if !ok {
		return jsonrpc2.NewError(jsonrpc2.InternalError, render.Notification(err.Error()))
	}
	data, merr := json.Marshal(daemon.ErrorData{Hint: render.Notification(e.Hint)})
	if merr != nil {
		return merr
	}
	return &jsonrpc2.Error{Code: jsonrpc2.Code(e.Code), Message: render.Notification(e.Message), Data: data}
}
