package daemon

import (
	"context"
	"errors"
	"fmt"
	"testing"

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
		{context.Canceled, CodeCancelled, nil},
		{context.DeadlineExceeded, CodeUnavailable, nil},
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
		if errors.Is(e, executor.ErrVoid) {
			t.Errorf("%v became void", c.err)
		}
	}
	if e := fromWire(toWire(refusef(CodeDegraded, "do this", "that"))); e.Hint != "do this" {
		t.Errorf("the hint is %q", e.Hint)
	}
}
