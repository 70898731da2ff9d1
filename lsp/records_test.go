package lsp

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
)

type answers = daemon.ResolveResult

func known(token string, rs ...storage.Record) answers {
	return answers{Records: map[string][]storage.Record{token: rs}}
}

func TestRecordsAskOnce(t *testing.T) {
	asked := 0
	r := newRecords(func(_ context.Context, tokens []string) (answers, error) {
		asked += len(tokens)
		return known("known", storage.Record{Name: "x"}), nil
	})
	for range 3 {
		found, err := r.lookup(t.Context(), []string{"known", "unknown"})
		if err != nil || found["known"] == nil || found["unknown"] != nil {
			t.Fatalf("got %v, %v", found, err)
		}
	}
	if asked != 2 {
		t.Errorf("%d tokens were asked for, want 2", asked)
	}
	r.drop()
	if _, err := r.lookup(t.Context(), []string{"known"}); err != nil || asked != 3 {
		t.Errorf("after a drop: asked %d, %v", asked, err)
	}
}

// An answer that was under way when the estate changed may be old, so it is
// used and not kept.
func TestRecordsOfAnOldEstateAreNotKept(t *testing.T) {
	state := "running"
	var r *records
	r = newRecords(func(context.Context, []string) (answers, error) {
		old := known("i", storage.Record{State: state})
		if state == "running" {
			state = "stopped"
			r.drop()
		}
		return old, nil
	})
	if _, err := r.lookup(t.Context(), []string{"i"}); err != nil {
		t.Fatal(err)
	}
	found, err := r.lookup(t.Context(), []string{"i"})
	if err != nil || found["i"].records[0].State != "stopped" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRecordsFailuresAreNotKept(t *testing.T) {
	fail := errors.New("away")
	r := newRecords(func(context.Context, []string) (answers, error) { return known("i", storage.Record{}), fail })
	if _, err := r.lookup(t.Context(), []string{"i"}); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	fail = nil
	if found, err := r.lookup(t.Context(), []string{"i"}); err != nil || found["i"] == nil {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	r := newRecords(func(context.Context, []string) (answers, error) { return answers{}, nil })
	for i := 0; i < 3*maxKnown; i += maxTokens {
		tokens := make([]string, maxTokens)
		for j := range tokens {
			tokens[j] = fmt.Sprint(i + j)
		}
		if _, err := r.lookup(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
		if len(r.known) > maxKnown {
			t.Fatalf("%d tokens are kept", len(r.known))
		}
	}
}
