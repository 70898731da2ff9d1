package storage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	server.kill()
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
