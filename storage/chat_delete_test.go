package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

// talk makes a conversation of messages.
func talk(t testing.TB, s *Service, texts ...string) string {
	t.Helper()
	id, err := s.Chat.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if _, err := s.Chat.Append(t.Context(), id, Message{Role: []Role{RoleUser, RoleAssistant}[i%2], Content: text}); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// stored counts the points of chat_history.
func stored(t *testing.T, s *Service) int {
	t.Helper()
	n, err := s.Chat.client.Count(t.Context(), &qdrant.CountPoints{CollectionName: s.Chat.name, Exact: qdrant.PtrOf(true)})
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// gone checks that nothing tells of a deleted conversation.
func gone(t *testing.T, s *Service, id string) {
	t.Helper()
	ctx := t.Context()
	if _, err := s.Chat.History(ctx, id, 0); !errors.Is(err, ErrNotFound) {
		t.Errorf("History: %v, want ErrNotFound", err)
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser}); !errors.Is(err, ErrNotFound) {
		t.Errorf("Append: %v, want ErrNotFound", err)
	}
	if _, err := s.Chat.UpdateContext(ctx, id, ContextUpdate{AddLabels: []string{"x"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("UpdateContext: %v, want ErrNotFound", err)
	}
	if _, err := s.Chat.Conversation(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("Conversation: %v, want ErrNotFound", err)
	}
	cs, err := s.Chat.Conversations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		if c.ID == id {
			t.Errorf("it is listed: %+v", c)
		}
	}
}

func TestADeletedConversationLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx := t.Context()
	h := newHome(t)
	s := h.open(t)
	texts := make([]string, 600) // of several pages
	for i := range texts {
		texts[i] = fmt.Sprint("the walrus ", i)
	}
	id, other := talk(t, s, texts...), talk(t, s, "another")
	for range 2 {
		if err := s.Chat.Delete(ctx, id); err != nil {
			t.Fatal(err)
		}
		gone(t, s, id)
		if n := stored(t, s); n != 2 {
			t.Errorf("%d points are stored, want the 2 of the other conversation", n)
		}
	}
	if found, _, err := s.Chat.SearchConversations(ctx, "walrus", 0); err != nil || len(found) != 0 {
		t.Errorf("it is found: %+v, %v", found, err)
	}
	s.Close()
	s = h.open(t)
	gone(t, s, id)
	if ms, err := s.Chat.History(ctx, other, 0); err != nil || len(ms) != 1 {
		t.Errorf("the other one: %+v, %v", ms, err)
	}
	if left := s.Health().Problems; len(left) != 0 {
		t.Errorf("problems: %+v", left)
	}
	for _, bad := range []string{"", "x", "../" + other, strings.ToUpper(other)} {
		if err := s.Chat.Delete(ctx, bad); !errors.Is(err, ErrNotFound) {
			t.Errorf("Delete(%q): %v, want ErrNotFound", bad, err)
		}
	}
}

// Whoever copied the points, by whatever means, has nothing once the
// conversation is deleted.
func TestNoCopyOfThePointsGivesADeletedConversationBack(t *testing.T) {
	ctx := t.Context()
	h := newHome(t)
	s := h.open(t)
	id := talk(t, s, "the passphrase is walrus", "noted")
	kept := talk(t, s, "this one stays")
	s.Close()
	qdrantDir, snapshot := filepath.Join(h.dir, "data", "qdrant"), filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(snapshot, os.DirFS(qdrantDir)); err != nil {
		t.Fatal(err)
	}

	s = h.open(t)
	if err := s.Chat.Delete(ctx, id); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.RemoveAll(qdrantDir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(qdrantDir, os.DirFS(snapshot)); err != nil {
		t.Fatal(err)
	}

	// The home after the deletion, over the points from before it.
	s, err := Open(ctx, Config{}, unlock(t, h.dir), &kind.Set{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if n := stored(t, s); n != 5 {
		t.Fatalf("the copy holds %d points, want 5", n)
	}
	gone(t, s, id)
	if ms, err := s.Chat.History(ctx, kept, 0); err != nil || len(ms) != 1 || ms[0].Content != "this one stays" {
		t.Errorf("the other one: %+v, %v", ms, err)
	}
	// No key of the home opens a point of it.
	tried := 0
	err = scroll(ctx, s.Chat.client, s.Chat.name, s.Chat.of(id), func(p *qdrant.RetrievedPoint) {
		other, err := s.Estate.keys.Conversation(kept)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []sealer{s.Estate.keys, other} {
			tried++
			if plain, _, err := openField(key, p.GetPayload(), chatPlace(p.GetId().GetUuid(), 0)); !errors.Is(err, seal.ErrUnauthenticated) {
				t.Errorf("a point opens: %q, %v", plain, err)
			}
		}
	})
	if err != nil || tried != 6 {
		t.Errorf("tried %d times, %v", tried, err)
	}
}

func TestADeletionCutShortIsFinishedAtTheNextStart(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	id, other := talk(t, s, "first", "second"), talk(t, s, "another")
	if err := h.keys.DestroyConversation(id); err != nil {
		t.Fatal(err)
	}
	gone(t, s, id)
	if n := stored(t, s); n != 5 {
		t.Fatalf("%d points, want 5", n)
	}
	s.Close()

	h.keys = unlock(t, h.dir)
	s = h.open(t)
	gone(t, s, id)
	if n := stored(t, s); n != 2 {
		t.Errorf("%d points are left, want 2", n)
	}
	path := filepath.Join(h.dir, "data", "conversations", id+".key")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the erased key file is left: %v", err)
	}
	if ms, err := s.Chat.History(t.Context(), other, 0); err != nil || len(ms) != 1 {
		t.Errorf("the other one: %+v, %v", ms, err)
	}
}

// A key that is merely missing may come back, so its messages wait for it.
func TestAMissingKeyDestroysNothing(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	id := talk(t, s, "first")
	s.Close()
	path := filepath.Join(h.dir, "data", "conversations", id+".key")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h.keys = unlock(t, h.dir)
	s = h.open(t)
	if _, err := s.Chat.History(t.Context(), id, 0); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "key file is gone") {
		t.Errorf("History: %v", err)
	}
	if cs, err := s.Chat.Conversations(t.Context()); err != nil || len(cs) != 1 || cs[0].ID != id || !strings.Contains(cs[0].Damage, "key file is gone") {
		t.Errorf("Conversations = %+v, %v", cs, err)
	}
	s.Close()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = h.open(t)
	if ms, err := s.Chat.History(t.Context(), id, 0); err != nil || len(ms) != 1 {
		t.Errorf("after the key came back: %+v, %v", ms, err)
	}
}

func TestWritersNoticeADeletion(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	id := talk(t, s, "first")
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := s.Chat.Append(context.Background(), id, Message{Role: RoleUser, Content: "more"})
				if i == 0 {
					started <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, ErrNotFound) {
						t.Errorf("Append: %v, want ErrNotFound", err)
					}
					return
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := s.Chat.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := stored(t, s); n != 0 {
		t.Errorf("%d points were written after the deletion", n)
	}
}
