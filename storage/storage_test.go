package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

// home is a home of the test with an unlocked key.
type home struct {
	dir  string
	keys *seal.Keys
}

func newHome(t testing.TB) home {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return home{dir, unlock(t, dir)}
}

func unlock(t testing.TB, dir string) *seal.Keys {
	t.Helper()
	keys, err := seal.Unlock(dir, seal.Source{File: filepath.Join(filepath.Dir(dir), "key", "kek")})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func (h home) open(t testing.TB) *Service {
	t.Helper()
	s, err := Open(context.Background(), Config{}, h.keys, &kind.Set{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func instance(n int) Resource {
	id := fmt.Sprintf("pg-instance-%05d", n)
	return Resource{
		Type: "rds_instance", ID: id, Name: id, ARN: "arn:aws:rds:us-west-2:123456789012:db:" + id,
		AccountID: "123456789012", AccountName: "production-account", Region: "us-west-2", Service: "rds", State: "available",
		Engine: "postgres", EngineVersion: "14.7", Tags: map[string]string{"env": "production", "owner": "team-quokka"},
		Constraints: map[string]any{"can_stop": true},
		Metadata:    map[string]any{"instance_class": "db.t3.medium", "allocated_storage": 100.0, "vpc_id": "vpc-0badcafe"},
		Summary:     "db.t3.medium · postgres 14.7", Aliases: []string{id + ".abcdefg.us-west-2.rds.amazonaws.com"},
		ImmutableID: "db-ABCDEFGHIJKL", LastSynced: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func instances(n int) []Resource {
	rs := make([]Resource, n)
	for i := range rs {
		rs[i] = instance(i)
	}
	return rs
}

func TestARoundTrip(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	want := instance(1)
	if n, err := s.Estate.BulkUpsert(ctx, []Resource{want, instance(2)}); err != nil || n != 2 {
		t.Fatalf("BulkUpsert = %d, %v; want 2", n, err)
	}
	got, err := s.Estate.Get(ctx, want.Key())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); a != b {
		t.Errorf("Get =\n%s, want\n%s", a, b)
	}
	if found := s.Estate.Find("pg-instance-00001"); len(found) != 1 || found[0].Key != want.Key() {
		t.Errorf("Find = %v", found)
	}
	if _, err := s.Estate.Get(ctx, instance(3).Key()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get of an absent key: %v, want ErrNotFound", err)
	}
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "Stop pg-instance-00001"}); err != nil {
		t.Fatal(err)
	}
	if ms, err := s.Chat.History(ctx, id, 0); err != nil || len(ms) != 1 || ms[0].Content != "Stop pg-instance-00001" {
		t.Errorf("History = %v, %v", ms, err)
	}
	if h := s.Health(); len(h.Problems) != 0 || h.Resources != 2 {
		t.Errorf("Health = %+v", h)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = h.open(t)
	if got, err := s.Estate.Get(ctx, want.Key()); err != nil || got.Metadata["vpc_id"] != "vpc-0badcafe" {
		t.Errorf("Get after a restart = %v, %v", got, err)
	}
	if cs, err := s.Chat.Conversations(ctx); err != nil || len(cs) != 1 || cs[0].Title != "Stop pg-instance-00001" || cs[0].Messages != 1 {
		t.Errorf("Conversations = %v, %v", cs, err)
	}
}

func (h home) openConfig(t testing.TB, cfg Config) *Service {
	t.Helper()
	s, err := Open(context.Background(), cfg, h.keys, &kind.Set{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
