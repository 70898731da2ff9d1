package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// raw reads points as a server holds them, and puts them back.
func raw(t *testing.T, s *Service, rs ...Resource) []*qdrant.PointStruct {
	t.Helper()
	var points []*qdrant.PointStruct
	for _, r := range rs {
		found, err := s.Estate.client.Get(context.Background(), &qdrant.GetPoints{
			CollectionName: s.Estate.name, Ids: []*qdrant.PointId{qdrant.NewIDUUID(s.Estate.keys.PointID(r.Key().Canonical()))}, WithPayload: qdrant.NewWithPayload(true),
		})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		points = append(points, newPoint(found[0].GetId().GetUuid(), found[0].GetPayload()))
	}
	return points
}

// A collection that was put back, cut down or filled up behind our back is told
// from one that was not, also when memory is built anew from it.
func TestAServerThatReplaysOmitsOrBringsBackIsNoticed(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rs := instances(12)
	for i := range rs {
		rs[i].Region = []string{"us-west-2", "eu-west-1", "eu-north-1"}[i%3]
		rs[i].ARN = strings.Replace(rs[i].ARN, "us-west-2", rs[i].Region, 1)
	}
	_, err := s.Estate.BulkUpsert(ctx, rs)
	must(err)
	replayed, omitted, gone := rs[0], rs[3], rs[1]
	old := raw(t, s, replayed, gone)
	replayed.State = "stopped"
	must(s.Estate.Upsert(ctx, replayed))
	must(s.Estate.Delete(ctx, gone.Key()))
	if got := s.Estate.Doubtful(); len(got) > 0 {
		t.Errorf("before anything happened, %v are doubtful", got)
	}

	must(upsert(ctx, s.Estate.client, s.Estate.name, old))
	result, err := s.Estate.client.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: s.Estate.name, Points: qdrant.NewPointsSelectorIDs([]*qdrant.PointId{qdrant.NewIDUUID(s.Estate.keys.PointID(omitted.Key().Canonical()))}), Wait: qdrant.PtrOf(true),
	})
	must(completed(result, err))

	for _, r := range []Resource{replayed, omitted} {
		if got, err := s.Estate.Get(ctx, r.Key()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("Get of %s = %+v, %v", r.ID, got, err)
		}
	}
	listed, err := s.Estate.List(ctx, Filter{})
	must(err)
	if len(listed) != 9 {
		t.Errorf("List shows %d resources, want the 9 that are as they were written", len(listed))
	}
	for id, want := range map[string]string{replayed.ID: "not as it was last written", omitted.ID: "missing", gone.ID: "deleted is there again"} {
		point := ""
		for _, r := range rs {
			if r.ID == id {
				point = s.Estate.keys.PointID(r.Key().Canonical())
			}
		}
		told := false
		for _, p := range s.Health().Problems {
			told = told || p.Point == point && strings.Contains(p.Message, want)
		}
		if !told {
			t.Errorf("of %s it is not told that it is %s: %v", id, want, s.Health().Problems)
		}
	}

	forget := func() {
		t.Helper()
		must(s.Close())
		must(os.Remove(filepath.Join(h.dir, "data", "index.cache")))
		s = h.open(t)
	}
	check := func(when string, want ...string) {
		t.Helper()
		if got := fmt.Sprint(s.Estate.Doubtful()); got != fmt.Sprint(want) {
			t.Errorf("%s, %s are doubtful; want %v", when, got, want)
		}
		for _, shard := range want {
			if ps := fmt.Sprint(s.Health().Problems); !strings.Contains(ps, shard) || !strings.Contains(ps, "scan again") {
				t.Errorf("%s, the problems are %s", when, ps)
			}
		}
		if ps := s.Health().Problems; len(want) == 0 && len(ps) > 0 {
			t.Errorf("%s, the problems are %v", when, ps)
		}
	}
	west, east := "rds_instance in us-west-2 of 123456789012", "rds_instance in eu-west-1 of 123456789012"
	forget()
	check("built from what is there", east, west)
	must(s.Close())
	s = h.open(t)
	check("from the cache", east, west)

	// A scan of one shard settles that one only.
	_, err = s.Estate.BulkUpsert(ctx, append([]Resource{replayed}, rs[3], rs[6], rs[9]))
	must(err)
	s.Estate.Listed(Shard{"123456789012", "us-west-2", "rds_instance"})
	check("after one was listed", east)
	forget()
	check("and built anew", east)
	must(s.Estate.Delete(ctx, gone.Key()))
	s.Estate.Listed(Shard{AccountID: "123456789012", Type: "rds_instance"})
	check("after all were listed")
	forget()
	check("and built anew again")
	if got, err := s.Estate.Get(ctx, replayed.Key()); err != nil || got.State != "stopped" {
		t.Errorf("Get = %+v, %v", got, err)
	}

	// Digests that were altered are told of; nothing is refused.
	must(s.Close())
	must(os.Remove(filepath.Join(h.dir, "data", "index.cache")))
	must(os.WriteFile(filepath.Join(h.dir, "data", "digests"), []byte("noise"), 0o600))
	s = h.open(t)
	if ps := fmt.Sprint(s.Health().Problems); !strings.Contains(ps, "whether resources are missing cannot be told") {
		t.Errorf("with damaged digests, the problems are %s", ps)
	}
}
