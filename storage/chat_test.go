package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

func TestHistoryIsInOrder(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.Create(ctx); err != nil {
		t.Fatal(err)
	}
	const count = 300
	for i := range count {
		m, err := s.Chat.Append(ctx, id, Message{
			Role: []Role{RoleUser, RoleAssistant}[i%2], Content: fmt.Sprint("message ", i),
			Metadata: MessageMetadata{ResourcesMentioned: []string{"arn:x"}, Reply: []byte{0, 1, 2}},
		})
		if err != nil || m.Index != int64(i) || m.ID == "" || m.Timestamp.IsZero() || m.ContextID != id {
			t.Fatalf("Append %d = %+v, %v", i, m, err)
		}
	}
	check := func(s *Service) {
		t.Helper()
		for _, limit := range []int{0, 1, 7, 256, 257, count, 1000} {
			ms, err := s.Chat.History(ctx, id, limit)
			want := count
			if limit > 0 {
				want = min(limit, count)
			}
			if err != nil || len(ms) != want {
				t.Fatalf("History(%d) has %d messages, %v; want %d", limit, len(ms), err, want)
			}
			for i, m := range ms {
				if n := count - want + i; m.Index != int64(n) || m.Content != fmt.Sprint("message ", n) || string(m.Metadata.Reply) != "\x00\x01\x02" {
					t.Fatalf("History(%d)[%d] = %+v, want message %d", limit, i, m, n)
				}
			}
		}
		cs, err := s.Chat.Conversations(ctx)
		if err != nil || len(cs) != 2 || cs[0].ID != id || cs[0].Messages < count || cs[0].Title != "message 0" || cs[1].Messages != 0 {
			t.Errorf("Conversations = %+v, %v", cs, err)
		}
	}
	check(s)
	s.Close()
	s = h.open(t)
	check(s)
	if m, err := s.Chat.Append(ctx, id, Message{Role: RoleSystem, Content: "after a restart"}); err != nil || m.Index != count {
		t.Errorf("Append after a restart = %+v, %v", m, err)
	}
}

func TestUnknownConversations(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	for _, id := range []string{"", "x", "../../x", "0b24bdd6-5a4c-4a9a-8f4f-1f6f5d2e8a11", "0B24BDD6-5A4C-4A9A-8F4F-1F6F5D2E8A11"} {
		if _, err := s.Chat.History(ctx, id, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("History(%q): %v, want ErrNotFound", id, err)
		}
		if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser}); !errors.Is(err, ErrNotFound) {
			t.Errorf("Append(%q): %v, want ErrNotFound", id, err)
		}
	}
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []Role{"", "conversation", "root"} {
		if _, err := s.Chat.Append(ctx, id, Message{Role: role}); err == nil {
			t.Errorf("a message of role %q was stored", role)
		}
	}
	if ms, err := s.Chat.History(ctx, id, 0); len(ms) != 0 || err != nil {
		t.Errorf("History of a new conversation = %v, %v", ms, err)
	}
}

func TestConcurrentMessagesEachHaveAnIndex(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ms, err := s.Chat.History(ctx, id, 0)
	if err != nil || len(ms) != 80 {
		t.Fatalf("History has %d messages, %v; want 80", len(ms), err)
	}
	for i, m := range ms {
		if m.Index != int64(i) {
			t.Fatalf("message %d has index %d", i, m.Index)
		}
	}
}

func TestTitles(t *testing.T) {
	for prompt, want := range map[string]string{
		"Stop pg-instance-main1":     "Stop pg-instance-main1",
		"  two\n\tlines\x1b[31m ":    "two lines [31m",
		strings.Repeat("é", 61):      strings.Repeat("é", 59) + "…",
		strings.Repeat("é", 60):      strings.Repeat("é", 60),
		strings.Repeat("word ", 100): strings.TrimSpace(strings.Repeat("word ", 12))[:59] + "…",
	} {
		if got := title(prompt); got != want {
			t.Errorf("title(%q) = %q, want %q", prompt, got, want)
		}
	}
}

func TestADestroyedKeyTakesItsConversation(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	var ids []string
	for range 2 {
		id, err := s.Chat.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "hello"}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := h.keys.DestroyConversation(ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.History(ctx, ids[0], 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("History: %v, want ErrNotFound", err)
	}
	cs, err := s.Chat.Conversations(ctx)
	if err != nil || len(cs) != 1 || cs[0].ID != ids[1] {
		t.Errorf("Conversations = %v, %v", cs, err)
	}
}

func TestADamagedHeadIsSummedUpAgain(t *testing.T) {
	ctx := context.Background()
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: text}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = h.openWire(t, Config{}, w)
	w.set(func(reply any) {
		drop := func(ps []*qdrant.RetrievedPoint) []*qdrant.RetrievedPoint {
			return slices.DeleteFunc(ps, func(p *qdrant.RetrievedPoint) bool { return p.GetId().GetUuid() == id })
		}
		switch r := reply.(type) {
		case *qdrant.GetResponse:
			r.Result = drop(r.Result)
		case *qdrant.ScrollResponse:
			r.Result = drop(r.Result)
		}
	})
	cs, err := s.Chat.Conversations(ctx)
	if err != nil || len(cs) != 1 || cs[0].Title != "first" || cs[0].Messages != 2 {
		t.Errorf("Conversations = %+v, %v", cs, err)
	}
	if m, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "third"}); err != nil || m.Index != 2 {
		t.Errorf("Append = %+v, %v", m, err)
	}
	w.set(nil)
	if cs, err := s.Chat.Conversations(ctx); err != nil || len(cs) != 1 || cs[0].Messages != 3 {
		t.Errorf("Conversations after mending = %+v, %v", cs, err)
	}
}
