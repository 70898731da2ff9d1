package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/storage/kind"
)

// What could not be written while Qdrant was away does not cost the cache, which
// is what a start without a server goes on from.
func TestAWriteThatCannotBeDoneLeavesTheCache(t *testing.T) {
	ctx := t.Context()
	server := serveStandIn(t)
	cfg, h := remoteConfig(server.url), newHome(t)
	s := mustOpen(t, cfg, h.keys)
	if _, err := s.Estate.BulkUpsert(ctx, instances(10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, cfg, h.keys)
	server.Kill()
	if _, err := s.Estate.Count(ctx); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Count: %v", err)
	}
	for what, err := range map[string]error{
		"Upsert": s.Estate.Upsert(ctx, instance(11)), "Delete": s.Estate.Delete(ctx, instance(1).Key()),
	} {
		if !errors.Is(err, ErrUnavailable) || strings.Count(err.Error(), ErrUnavailable.Error()) != 1 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "data", "index.cache")); err != nil {
		t.Error(err)
	}
	s = mustOpen(t, cfg, h.keys)
	if hl := s.Health(); hl.Connection.Connected || hl.Resources != 10 || len(s.Estate.Find("pg-instance-00001")) != 1 {
		t.Errorf("%+v", hl)
	}
}

// A server that lets us in no more is away, says why, and is used again once it
// lets us in.
func TestAKeyThatIsRevokedIsTold(t *testing.T) {
	ctx := t.Context()
	server := serveStandIn(t)
	s := mustOpen(t, remoteConfig(server.url), newHome(t).keys)
	if _, err := s.Estate.BulkUpsert(ctx, instances(3)); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.start("QDRANT__SERVICE__API_KEY=another")
	eventually(t, "the refusal is told", func() bool {
		_, err := s.Estate.Count(ctx)
		state := s.Health().Connection
		return errors.Is(err, ErrUnavailable) && !state.Connected && strings.Contains(state.Problem, "qdrant.api_key")
	})
	if len(s.Estate.Find("pg-instance-00001")) != 1 {
		t.Error("memory does not answer")
	}
	server.Kill()
	server.start()
	eventually(t, "it is let in again", func() bool { return s.Health().Connection.Connected })
	if n, err := s.Estate.Count(ctx); err != nil || n != 3 {
		t.Errorf("Count = %d, %v", n, err)
	}
}

// The collection of another store is neither written to nor called damaged.
func TestACollectionOfAnotherStoreIsLeftAlone(t *testing.T) {
	ctx := t.Context()
	cfg := remoteConfig(serveStandIn(t).url)
	theirs := mustOpen(t, cfg, newHome(t).keys)
	if _, err := theirs.Estate.BulkUpsert(ctx, instances(3)); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, cfg, newHome(t).keys, &kind.Set{})
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "another store's") || !strings.Contains(err.Error(), "collections.aws_estate.name") {
		t.Errorf("Open: %v", err)
	}
	if rs, err := theirs.Estate.List(ctx, Filter{}); err != nil || len(rs) != 3 || len(theirs.Health().Problems) > 0 {
		t.Errorf("List = %d, %v, %+v", len(rs), err, theirs.Health())
	}
}

// A store whose home lost all but its keys finds its collection again.
func TestACollectionOfThisStoreIsFoundAgain(t *testing.T) {
	ctx := t.Context()
	cfg, h := remoteConfig(serveStandIn(t).url), newHome(t)
	s := mustOpen(t, cfg, h.keys)
	if _, err := s.Estate.BulkUpsert(ctx, instances(3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(h.dir, "data")); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, cfg, h.keys)
	if hl := s.Health(); hl.Resources != 3 || len(hl.Problems) > 0 {
		t.Errorf("%+v", hl)
	}
}

// A first run that reaches no server leaves the mode free; one that does binds it.
func TestAMistypedAddressBindsNoHome(t *testing.T) {
	h := newHome(t)
	if _, err := Open(t.Context(), remoteConfig("http://127.0.0.1:1"), h.keys, &kind.Set{}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Open: %v", err)
	}
	cfg := remoteConfig(serveStandIn(t).url)
	mustOpen(t, cfg, h.keys).Close()
	if _, err := Open(t.Context(), Config{}, h.keys, &kind.Set{}); err == nil || !strings.Contains(err.Error(), "cloudops migrate --to embedded") {
		t.Errorf("Open: %v", err)
	}
	h = newHome(t)
	if _, err := Open(t.Context(), remoteConfig("http://127.0.0.1:1"), h.keys, &kind.Set{}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Open: %v", err)
	}
	h.open(t)
}
