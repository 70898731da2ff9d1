package daemon

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

func TestErrorsKeepTheirMeaningAcrossTheSocket(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		is   error
	}{
		{executor.ErrRefused, CodeRefused, executor.ErrRefused},
		{executor.ErrVoid, CodeRefused, executor.ErrRefused},
		{executor.ErrRejected, CodeRejected, executor.ErrRejected},
		{executor.ErrUndecided, CodeUndecided, executor.ErrUndecided},
		{executor.ErrLate, CodeLate, executor.ErrLate},
		{agent.ErrPrompt, -32602, nil},
		{aws.ErrOptions, -32602, nil},
		{aws.ErrSettings, -32602, nil},
		{storage.ErrInvalid, -32602, nil},
		{storage.ErrUnavailable, CodeUnavailable, aws.ErrUnreachable},
		{seal.ErrRotating, CodeRefused, executor.ErrRefused},
		{seal.ErrMoved, CodeDegraded, nil},
		{errors.ErrUnsupported, -32601, nil},
		{executor.ErrNoPlan, CodeNotFound, storage.ErrNotFound},
		{aws.ErrUnknownProfile, CodeNotFound, storage.ErrNotFound},
		{aws.ErrNoCredentials, CodeDenied, aws.ErrDenied},
		{aws.ErrDenied, CodeDenied, aws.ErrDenied},
		{aws.ErrUnreachable, CodeUnavailable, aws.ErrUnreachable},
		{aws.ErrEndpoint, CodeRefused, executor.ErrRefused},
		{aws.ErrGone, CodeNotFound, storage.ErrNotFound},
		{storage.ErrNotFound, CodeNotFound, storage.ErrNotFound},
		{storage.ErrCorrupt, CodeDegraded, nil},
		{storage.ErrInUse, CodeUnavailable, aws.ErrUnreachable},
		{seal.ErrNoKey, CodeDegraded, nil},
		{seal.ErrWrongKey, CodeDegraded, nil},
		{seal.ErrUnavailable, CodeDegraded, nil},
		{seal.ErrUnauthenticated, CodeDegraded, nil},
		{context.Canceled, CodeCancelled, context.Canceled},
		{context.DeadlineExceeded, CodeUnavailable, aws.ErrUnreachable},
		{errors.New("something else"), -32603, nil},
		{refusef(CodeDegraded, "do this", "that"), CodeDegraded, nil},
	} {
		e := fromWire(toWire(fmt.Errorf("doing it: %w", c.err)))
		if e.Code != c.code || e.Message != "doing it: "+c.err.Error() {
			t.Errorf("%v became %+v, want code %d", c.err, e, c.code)
		}
		if c.is != nil && !errors.Is(e, c.is) {
			t.Errorf("%v is no %v any more", c.err, c.is)
		}
		for _, other := range []error{
			executor.ErrVoid, executor.ErrRefused, executor.ErrRejected, executor.ErrUndecided, executor.ErrLate,
			context.Canceled, storage.ErrNotFound, aws.ErrDenied, aws.ErrUnreachable,
		} {
			if errors.Is(e, other) && other != c.is {
				t.Errorf("%v became %v", c.err, other)
			}
		}
	}
	for hint, err := range map[string]error{
		"do this": refusef(CodeDegraded, "do this", "that"),
		"look at what changed and propose the command again": executor.ErrVoid,
		"see how far it is with: cloudops key status":        seal.ErrRotating,
		"end the process that has the store open":            storage.ErrInUse,
		"": executor.ErrRejected,
	} {
		if e := fromWire(toWire(err)); e.Hint != hint {
			t.Errorf("%v: the hint is %q, want %q", err, e.Hint, hint)
		}
	}
}
