package storage

import (
	"errors"
	"os"
	"testing"

	"github.com/cloudops/cloudops/storage/endpoint"
)

// What holds of conversations on the embedded engine holds on every Qdrant.
func TestConversationsOnEveryQdrant(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	check := func(t *testing.T, cfg Config, adjust ...func(*endpoint.Config)) {
		ctx := t.Context()
		h := newHome(t)
		s := mustOpen(t, cfg, h.keys, adjust...)
		texts := make([]string, 300) // of several pages
		for i := range texts {
			texts[i] = "nothing of note"
		}
		texts[7] = "the Wálrus is here"
		id, other := talk(t, s, texts...), talk(t, s, "another")
		title := "The incident"
		if _, err := s.Chat.UpdateContext(ctx, id, ContextUpdate{Title: &title, AddLabels: []string{"may"}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			found, total, err := s.Chat.SearchConversations(ctx, "walrus MAY", 0)
			if err != nil || total != 1 || len(found) != 1 || found[0].ID != id || found[0].MessageIndex != 7 {
				t.Errorf("found %+v, %v", found, err)
			}
			if c, err := s.Chat.Conversation(ctx, "The incident"); err != nil || c.ID != id || c.Messages != 300 || !c.HasLabel("may") {
				t.Errorf("Conversation = %+v, %v", c, err)
			}
			if n := stored(t, s); n != 303 {
				t.Errorf("%d points, want 303", n)
			}
			if c := s.Health().Collections[0]; c.PointsCount != 303 || c.Status == unknownStatus {
				t.Errorf("health %+v", c)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, cfg, h.keys, adjust...)
		}
		if m, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "more"}); err != nil || m.Index != 300 {
			t.Errorf("Append = %+v, %v", m, err)
		}
		if err := s.Chat.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		gone(t, s, id)
		if n := stored(t, s); n != 2 {
			t.Errorf("%d points are left, want the 2 of the other one", n)
		}
		if ms, err := s.Chat.History(ctx, other, 0); err != nil || len(ms) != 1 {
			t.Errorf("the other one: %+v, %v", ms, err)
		}
	}
	t.Run("embedded", func(t *testing.T) { check(t, Config{}) })
	t.Run("remote", func(t *testing.T) { check(t, remoteConfig(serveStandIn(t).url)) })
	if url := os.Getenv("CLOUDOPS_TEST_QDRANT_URL"); url != "" {
		t.Run("real", func(t *testing.T) { check(t, remoteConfig(url)) })
	}
}

// While the server is away the key is destroyed all the same; what is left of the
// conversation goes when the server is back.
func TestADeletionReachesAServerThatWasAway(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	server := serveStandIn(t)
	cfg, h := remoteConfig(server.url), newHome(t)
	s := mustOpen(t, cfg, h.keys)
	id, other := talk(t, s, "first", "second"), talk(t, s, "another")
	server.Kill()
	if err := s.Chat.Delete(t.Context(), id); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Delete: %v, want ErrUnavailable", err)
	}
	if _, err := s.Chat.History(t.Context(), id, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("History: %v, want ErrNotFound", err)
	}
	server.start()
	eventually(t, "the connection is back", func() bool { return s.Health().Connection.Connected })
	gone(t, s, id)
	if n := stored(t, s); n != 2 {
		t.Errorf("%d points are left, want the 2 of the other one", n)
	}
	if ms, err := s.Chat.History(t.Context(), other, 0); err != nil || len(ms) != 1 {
		t.Errorf("the other one: %+v, %v", ms, err)
	}
	if left := s.Health().Problems; len(left) != 0 {
		t.Errorf("problems: %+v", left)
	}
}
