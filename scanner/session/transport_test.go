package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answering is an HTTP client as a function.
type answering func(*http.Request) (*http.Response, error)

func (f answering) Do(r *http.Request) (*http.Response, error) { return f(r) }

func get(t *testing.T, ctx context.Context) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A call is made when there is room for it, gives its room back however it ends,
// and is not made at all once nobody waits for it.
func TestCallsAreBounded(t *testing.T) {
	made := 0
	failed := errors.New("no answer")
	calls := make(chan struct{}, 2)
	c := bounded{answering(func(*http.Request) (*http.Response, error) {
		made++
		if len(calls) != 1 {
			t.Errorf("%d calls count as under way, want the one", len(calls))
		}
		if made == 1 {
			return nil, failed
		}
		return &http.Response{}, nil
	}), calls}
	if _, err := c.Do(get(t, t.Context())); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Do(get(t, t.Context())); err != nil {
		t.Errorf("got %v", err)
	}
	calls <- struct{}{}
	calls <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Do(get(t, ctx)); !errors.Is(err, context.Canceled) || made != 2 {
		t.Errorf("without room and with nobody who waits: %v after %d calls", err, made)
	}
}

// The time of a call is that of its whole answer, and ends with it.
func TestACallIsTimedToTheEndOfItsAnswer(t *testing.T) {
	for name, c := range map[string]struct{ err error }{"an answer": {}, "none": {errors.New("no answer")}} {
		var during context.Context
		client := timed{answering(func(r *http.Request) (*http.Response, error) {
			during = r.Context()
			if c.err != nil {
				return nil, c.err
			}
			return &http.Response{Body: io.NopCloser(strings.NewReader("all of it"))}, nil
		}), time.Hour}
		resp, err := client.Do(get(t, t.Context()))
		if end, bound := during.Deadline(); !bound || time.Until(end) > time.Hour {
			t.Errorf("%s: the call may go on until %v", name, end)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if during.Err() != nil {
				t.Errorf("%s: it ended before it was read", name)
			}
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "all of it" {
				t.Errorf("%s: %q, %v", name, b, err)
			}
			resp.Body.Close()
		}
		if during.Err() == nil {
			t.Errorf("%s: it goes on", name)
		}
	}
}
