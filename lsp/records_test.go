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
	r := newRecords(func(_ context.Context, tokens []string, _ bool) (answers, error) {
		asked += len(tokens)
		return known("known", storage.Record{Name: "x"}), nil
	})
	for range 3 {
		found, err := r.lookup(t.Context(), []string{"known", "unknown"}, false)
		if err != nil || found["known"] == nil || found["unknown"] != nil {
			t.Fatalf("got %v, %v", found, err)
		}
	}
	if asked != 2 {
		t.Errorf("%d tokens were asked for, want 2", asked)
	}
	r.drop()
	if _, err := r.lookup(t.Context(), []string{"known"}, false); err != nil || asked != 3 {
		t.Errorf("after a drop: asked %d, %v", asked, err)
	}
}

// A change takes away what it names and what was nothing; the rest is answered
// as before, and asked anew behind that.
func TestRecordsForgetWhatAChangeNames(t *testing.T) {
	key := func(id string) storage.Key { return storage.Key{Type: "ec2_instance", ID: id} }
	for _, c := range []struct {
		name   string
		change storage.Change
		asked  string // of web, other and none, when all are looked up again
	}{
		{"of one", storage.Change{Since: 1, Generation: 2, Shards: make([]storage.Shard, 1), Keys: []storage.Key{key("web")}}, "[web none]"},
		{"of one that nothing mentions", storage.Change{Since: 1, Generation: 2, Shards: make([]storage.Shard, 1), Keys: []storage.Key{key("x")}}, "[none]"},
		{"of many", storage.Change{Since: 1, Generation: 9, Shards: make([]storage.Shard, 1)}, "[none]"},
		{"of no resource", storage.Change{Since: 1, Generation: 1}, "[none]"},
		{"of anything", storage.Change{Since: 1, Generation: 2}, "[web other none]"},
		{"after one that was missed", storage.Change{Since: 5, Generation: 6, Shards: make([]storage.Shard, 1), Keys: []storage.Key{key("x")}}, "[web other none]"},
		{"after a reconnect", storage.Change{}, "[web other none]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			r := newRecords(func(_ context.Context, tokens []string, _ bool) (answers, error) {
				asked = tokens
				return answers{Records: map[string][]storage.Record{"web": {{Key: key("web")}}, "other": {{Key: key("other")}}}}, nil
			})
			r.change(storage.Change{Since: 1, Generation: 1})
			all := []string{"web", "other", "none"}
			lookup := func() {
				asked = nil
				if _, err := r.lookup(t.Context(), all, false); err != nil {
					t.Fatal(err)
				}
			}
			lookup()
			r.change(c.change)
			if lookup(); fmt.Sprint(asked) != c.asked {
				t.Errorf("%v was asked for, want %s", asked, c.asked)
			}
			r.change(storage.Change{Since: c.change.Generation, Generation: c.change.Generation})
			if err := r.renew(t.Context(), all); err != nil || len(asked) != 3 {
				t.Errorf("behind that %v was asked for (%v), want all", asked, err)
			}
			if lookup(); asked != nil {
				t.Errorf("what is new is asked for again: %v", asked)
			}
		})
	}
}

// An answer that was under way when the estate changed may be old, so it is
// used and not kept.
func TestRecordsOfAnOldEstateAreNotKept(t *testing.T) {
	state := "running"
	var r *records
	r = newRecords(func(context.Context, []string, bool) (answers, error) {
		old := known("i", storage.Record{State: state})
		if state == "running" {
			state = "stopped"
			r.drop()
		}
		return old, nil
	})
	if _, err := r.lookup(t.Context(), []string{"i"}, false); err != nil {
		t.Fatal(err)
	}
	found, err := r.lookup(t.Context(), []string{"i"}, false)
	if err != nil || found["i"].records[0].State != "stopped" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRecordsFailuresAreNotKept(t *testing.T) {
	fail := errors.New("away")
	r := newRecords(func(context.Context, []string, bool) (answers, error) { return known("i", storage.Record{}), fail })
	if _, err := r.lookup(t.Context(), []string{"i"}, false); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	fail = nil
	if found, err := r.lookup(t.Context(), []string{"i"}, false); err != nil || found["i"] == nil {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	r := newRecords(func(context.Context, []string, bool) (answers, error) { return answers{}, nil })
	for i := 0; i < 3*maxKnown; i += maxTokens {
		tokens := make([]string, maxTokens)
		for j := range tokens {
			tokens[j] = fmt.Sprint(i + j)
		}
		if _, err := r.lookup(t.Context(), tokens, false); err != nil {
			t.Fatal(err)
		}
		if len(r.known) > maxKnown {
			t.Fatalf("%d tokens are kept", len(r.known))
		}
	}
}
