package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/kind"
)

// rotate is a whole rotation; one that was cut short is ended first.
func rotate(ctx context.Context, s *Service) error {
	keys := s.Estate.keys
	if !keys.Rotating() {
		if _, err := keys.Rotate(); err != nil {
			return err
		}
	}
	for {
		r, err := s.Reseal(ctx, nil)
		if err != nil {
			return err
		}
		if r.Unreadable > 0 {
			return fmt.Errorf("%d are unreadable", r.Unreadable)
		}
		if r.Done == 0 {
			return keys.Retire(0)
		}
	}
}

func TestARotationReachesEverything(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	s.Estate.EmbedWith(embedState)
	const n = 2*pageSize + 10
	rs := instances(n)
	for i := range rs {
		rs[i].State = fmt.Sprint(i % 300)
		rs[i].Metadata["note"] = strings.Repeat("long ", i%100) // some bodies are large
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
		t.Fatal(err)
	}
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "hello"}); err != nil {
		t.Fatal(err)
	}
	before, err := read(s, []string{id})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // saves the index
		t.Fatal(err)
	}
	oldKey, oldKeyset := filepath.Join(filepath.Dir(h.dir), "key", "kek"), filepath.Join(h.dir, "keyset")
	kek, err := os.ReadFile(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := os.ReadFile(oldKeyset)
	if err != nil {
		t.Fatal(err)
	}
	conversationKey := filepath.Join(h.dir, "data", "conversations", id+".key")
	oldConversation, err := os.ReadFile(conversationKey)
	if err != nil {
		t.Fatal(err)
	}

	s = h.open(t)
	pointID := h.keys.PointID(instance(1).Key().Canonical())
	if _, err := h.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	var reports []int
	r, err := s.Reseal(ctx, func(done, total int) {
		if done > total || len(reports) > 0 && done < reports[len(reports)-1] {
			t.Errorf("%d of %d after %v", done, total, reports)
		}
		reports = append(reports, done)
	})
	// Each resource, its point at rest and that of the conversation's two, the two
	// copies of the catalogue, the index, the conversation's key.
	if err != nil || r.Unreadable != 0 || r.Done < n || len(reports) < 5 {
		t.Fatalf("the first pass: %+v, %v, reports %v", r, err, reports)
	}
	if r, err := s.Reseal(ctx, nil); err != nil || r != (Resealed{}) {
		t.Fatalf("the second pass: %+v, %v; want nothing to do", r, err)
	}
	if err := h.keys.Retire(0); err != nil {
		t.Fatal(err)
	}
	same := func(s *Service) {
		t.Helper()
		after, err := read(s, []string{id})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Error("something was lost or changed")
		}
		if ps := s.Health().Problems; len(ps) > 0 {
			t.Errorf("problems: %v", ps)
		}
		hits, err := s.Estate.Nearest(ctx, unit("7"), Filter{State: "7"}, 10)
		if err != nil || len(hits) != 2 || hits[1].Score != 1 {
			t.Errorf("the vectors: %v, %v", hits, err)
		}
	}
	same(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	h.keys = unlock(t, h.dir)
	if h.keys.PointID(instance(1).Key().Canonical()) != pointID {
		t.Error("point ids changed")
	}
	s = h.open(t)
	same(s)
	var said []*qdrant.RetrievedPoint
	if err := scroll(ctx, s.Chat.client, s.Chat.name, s.Chat.of(id), func(p *qdrant.RetrievedPoint) { said = append(said, p) }); err != nil {
		t.Fatal(err)
	}
	s.Close()

	// Whoever kept the old keys opens nothing of what is there now.
	for path, b := range map[string][]byte{oldKey: kek, oldKeyset: keyset} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old := unlock(t, h.dir)
	if _, err := Open(ctx, Config{}, old, &kind.Set{}); err == nil {
		t.Error("the old keys open the store")
	}
	if _, err := old.Conversation(id); err == nil {
		t.Error("the old keys open a conversation")
	}
	// Nor does what was left of the conversation's own key.
	if err := os.WriteFile(conversationKey, oldConversation, 0o600); err != nil {
		t.Fatal(err)
	}
	stolen, err := old.Conversation(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range said {
		if _, _, err := openField(stolen, p.GetPayload(), chatPlace(p.GetId().GetUuid(), 0)); err == nil {
			t.Error("the old key of a conversation opens what it says now")
		}
	}
	if len(said) != 2 {
		t.Errorf("%d points of the conversation", len(said))
	}
}

// Writers go on while everything is sealed anew, and nothing of what they wrote
// is replaced by what was there before.
func TestWritersDuringAReseal(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	s.Estate.EmbedWith(embedState)
	if _, err := s.Estate.BulkUpsert(ctx, batches(0)); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	var stop atomic.Bool
	rounds := make([]int, 3)
	for set := range 3 {
		writers.Go(func() {
			for n := set + 3; !stop.Load(); n += 3 {
				if _, err := s.Estate.BulkUpsert(ctx, batch(n)); err != nil {
					t.Error(err)
					return
				}
				rounds[set] = n
			}
		})
	}
	var id string
	var begun []string
	messages := 0
	writers.Go(func() { // conversations that begin meanwhile
		for n := 0; !stop.Load() && n < 50; n++ {
			id, err := s.Chat.Create(ctx)
			if err == nil {
				_, err = s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "x"})
			}
			if err != nil {
				t.Error(err)
				return
			}
			begun = append(begun, id)
		}
	})
	writers.Go(func() {
		var err error
		if id, err = s.Chat.Create(ctx); err != nil {
			t.Error(err)
			return
		}
		for ; !stop.Load(); messages++ {
			if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "x"}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		if err := rotate(ctx, s); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	h.keys = unlock(t, h.dir)
	s = h.open(t)
	for set, n := range rounds {
		for _, want := range batch(n) {
			if got, err := s.Estate.Get(ctx, want.Key()); err != nil || got.State != want.State {
				t.Fatalf("set %d: %s has state %q, %v; want %s", set, want.ID, got.State, err, want.State)
			}
		}
		if hits, err := s.Estate.Nearest(ctx, unit(fmt.Sprint(n)), Filter{State: fmt.Sprint(n)}, 3*batchSize); err != nil || len(hits) != batchSize {
			t.Errorf("set %d has %d vectors, %v", set, len(hits), err)
		}
	}
	if ms, err := s.Chat.History(ctx, id, 0); err != nil || len(ms) != messages {
		t.Errorf("%d messages, %v; want %d", len(ms), err, messages)
	}
	for _, id := range begun {
		if ms, err := s.Chat.History(ctx, id, 0); err != nil || len(ms) != 1 {
			t.Errorf("a conversation that began meanwhile has %d messages, %v", len(ms), err)
		}
	}
	if ps := s.Health().Problems; len(ps) > 0 {
		t.Errorf("problems: %v", ps)
	}
}

// A message that does not open, or is kept back, keeps the keys of its conversation.
func TestAConversationKeepsItsKeysWhileTheyMayBeNeeded(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	id := talk(t, s, "one", "two")
	var first *qdrant.RetrievedPoint
	if err := scroll(ctx, s.Chat.client, s.Chat.name, s.Chat.of(id), func(p *qdrant.RetrievedPoint) {
		if p.GetPayload()[fieldIndex] != nil {
			first = p
		}
	}); err != nil || first == nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.client.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: s.Chat.name, Points: qdrant.NewPointsSelectorIDs([]*qdrant.PointId{first.GetId()}),
	}); err != nil {
		t.Fatal(err)
	}
	if err := rotate(ctx, s); err != nil {
		t.Fatal(err)
	}
	key, err := h.keys.Conversation(id)
	if err != nil || !key.Renewing() {
		t.Fatalf("the earlier keys are gone, %v", err)
	}
	// It comes back, and the next rotation drops them.
	if err := upsert(ctx, s.Chat.client, s.Chat.name, []*qdrant.PointStruct{newPoint(first.GetId().GetUuid(), first.GetPayload())}); err != nil {
		t.Fatal(err)
	}
	if err := rotate(ctx, s); err != nil {
		t.Fatal(err)
	}
	if key.Renewing() {
		t.Error("the earlier keys are kept")
	}
	if ms, err := s.Chat.History(ctx, id, 0); err != nil || len(ms) != 2 {
		t.Errorf("%d messages, %v", len(ms), err)
	}
}

// batches are the first batch of every set.
func batches(from int) (rs []Resource) {
	for set := range 3 {
		rs = append(rs, batch(from+set)...)
	}
	return rs
}

// What does not open, or what the server keeps back, keeps the old keys.
func TestAResealCountsWhatItCannotReach(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	if _, err := s.Estate.BulkUpsert(ctx, instances(5)); err != nil {
		t.Fatal(err)
	}
	point := func(n int) *qdrant.PointId {
		return qdrant.NewIDUUID(h.keys.PointID(instance(n).Key().Canonical()))
	}
	// Behind storage's back: one is damaged, one is gone.
	_, err := s.Estate.client.UpdateBatch(ctx, &qdrant.UpdateBatchPoints{CollectionName: s.Estate.name, Operations: []*qdrant.PointsUpdateOperation{
		qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{
			Payload:        map[string]*qdrant.Value{estateField: qdrant.NewValueString("AQEAAAAAAAAA")},
			PointsSelector: qdrant.NewPointsSelectorIDs([]*qdrant.PointId{point(1)}),
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Estate.client.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: s.Estate.name, Points: qdrant.NewPointsSelectorIDs([]*qdrant.PointId{point(2)}),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reseal(ctx, nil)
	if err != nil || r.Unreadable != 2 {
		t.Fatalf("%+v, %v; want two that are unreadable", r, err)
	}
	// A scan writes both anew.
	if _, err := s.Estate.BulkUpsert(ctx, instances(5)); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Reseal(ctx, nil); err != nil || r.Unreadable != 0 {
		t.Fatalf("after a scan: %+v, %v; want nothing unreadable", r, err)
	}
}

func TestACancelledResealGoesOn(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	if _, err := s.Estate.BulkUpsert(context.Background(), instances(3*pageSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.keys.Rotate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := s.Reseal(ctx, func(done, _ int) {
		if done > 0 {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("it went on")
	}
	if err := rotate(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if keys := h.keys.Status().Keys; len(keys) != 2 || h.keys.Rotating() {
		t.Errorf("keys %+v", keys)
	}
}
