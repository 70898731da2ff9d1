package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// Closing lets what is under way end: what was acknowledged is there afterwards,
// and what comes later is refused.
func TestAGracefulShutdownLosesNothing(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	const writers = 6
	ids := make([]string, writers)
	for i := range ids {
		ids[i] = talk(t, s)
	}
	var wg sync.WaitGroup
	var begun atomic.Int64
	started := make(chan struct{})
	said, stored := make([]int, writers), make([][]string, writers)
	for i := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				_, serr := s.Chat.Append(ctx, ids[i], Message{Role: RoleUser, Content: fmt.Sprint(n)})
				if serr == nil {
					said[i]++
				}
				r := instance(1000*i + n)
				rerr := s.Estate.Upsert(ctx, r)
				if rerr == nil {
					stored[i] = append(stored[i], r.ID)
				}
				if begun.Add(1) == 5*writers {
					close(started)
				}
				if serr != nil && rerr != nil {
					return
				}
			}
		})
	}
	<-started
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	wg.Wait()
	if err := s.Estate.Upsert(ctx, instance(99_999)); err == nil {
		t.Error("a closed store takes writes")
	}
	if _, err := s.Chat.Create(ctx); err == nil {
		t.Error("a closed store begins conversations")
	}

	s = h.open(t)
	for i := range writers {
		ms, err := s.Chat.History(ctx, ids[i], 0)
		if err != nil || len(ms) < said[i] {
			t.Errorf("conversation %d has %d messages, %v; %d were acknowledged", i, len(ms), err, said[i])
		}
		for n, m := range ms {
			if m.Index != int64(n) || m.Content != fmt.Sprint(n) {
				t.Fatalf("message %d of conversation %d is %+v", n, i, m)
			}
		}
		for _, id := range stored[i] {
			if len(s.Estate.Find(id)) != 1 {
				t.Errorf("%s was acknowledged and is not there", id)
			}
		}
	}
	if left := s.Health().Problems; len(left) != 0 {
		t.Errorf("problems: %+v", left)
	}
}

// What is done again, since nobody knows whether it was done, is done once.
func TestBulkOperationsMayBeRepeated(t *testing.T) {
	ctx := context.Background()
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	rs := instances(600)
	keys := make([]Key, len(rs))
	for i, r := range rs {
		keys[i] = r.Key()
	}
	// The answer to the second batch is lost: it was done, and is told as failed.
	batches := 0
	w.set(func(reply any) {
		if r, ok := reply.(*qdrant.PointsOperationResponse); ok {
			if batches++; batches == 2 {
				r.Result.Status = qdrant.UpdateStatus_Acknowledged
			}
		}
	})
	if n, err := s.Estate.BulkUpsert(ctx, rs); err == nil || n >= 600 {
		t.Fatalf("BulkUpsert = %d, %v; want an error of the second batch", n, err)
	}
	w.set(nil)
	for range 3 {
		if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Estate.Count(ctx); err != nil || n != 600 {
			t.Fatalf("%d are stored, %v; want 600", n, err)
		}
	}
	// Doubles within one call, and in another order.
	twice := append(slices.Clone(rs), rs...)
	slices.Reverse(twice)
	if n, err := s.Estate.BulkUpsert(ctx, twice); err != nil || n != 0 {
		t.Errorf("the same again changed %d, %v; want 0", n, err)
	}
	for range 2 {
		if err := s.Estate.Delete(ctx, keys[:300]...); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Estate.Count(ctx); err != nil || n != 300 {
			t.Fatalf("%d are left, %v; want 300", n, err)
		}
	}
	if _, err := s.Estate.Get(ctx, keys[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get of a deleted one: %v", err)
	}
	s.Close()
	s = h.open(t)
	if n, err := s.Estate.Count(ctx); err != nil || n != 300 || s.Health().Resources != 300 {
		t.Errorf("after a restart %d, %v; want 300", n, err)
	}
}

func TestResourcesByAccountRegionAndType(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	if _, err := s.Estate.BulkUpsert(ctx, mixed()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		list func(context.Context, string) ([]Resource, error)
		of   string
		want int
		has  func(Resource) string
	}{
		"account":           {s.Estate.ByAccount, "123456789012", 20, func(r Resource) string { return r.AccountID }},
		"region":            {s.Estate.ByRegion, "eu-west-1", 10, func(r Resource) string { return r.Region }},
		"type":              {s.Estate.ByType, "ec2_instance", 10, func(r Resource) string { return r.Type }},
		"an unknown type":   {s.Estate.ByType, "ec2", 0, nil},
		"an unknown region": {s.Estate.ByRegion, "EU-WEST-1", 0, nil},
	} {
		rs, err := c.list(ctx, c.of)
		if err != nil || len(rs) != c.want {
			t.Errorf("by %s: %d, %v; want %d", name, len(rs), err, c.want)
		}
		for _, r := range rs {
			if c.has(r) != c.of {
				t.Errorf("by %s %s: %+v", name, c.of, r)
			}
		}
	}
	// Searching takes the same filters.
	found, total := s.Estate.Search("instance", Filter{Region: "eu-west-1", State: "stopped"}, 3)
	all, err := s.Estate.List(ctx, Filter{Region: "eu-west-1", State: "stopped"})
	if err != nil || total != len(all) || len(found) != min(3, total) || total == 0 {
		t.Errorf("Search found %d of %d, List %d, %v", len(found), total, len(all), err)
	}
	for _, r := range found {
		if r.Region != "eu-west-1" || r.State != "stopped" {
			t.Errorf("Search found %+v", r)
		}
	}
}
