package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

// accounted checks that each of some conversations of twelve messages either has
// them all, or says how many are missing, before and after one more is written.
func accounted(t *testing.T, where string, s *Service, ids []string) {
	t.Helper()
	ctx := t.Context()
	cs, err := s.Chat.Conversations(ctx)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	problems := s.Health().Problems
	for i, id := range ids {
		at := slices.IndexFunc(cs, func(c Conversation) bool { return c.ID == id })
		if at < 0 {
			t.Errorf("%s: conversation %d is not listed", where, i)
			continue
		}
		c := cs[at]
		ms, err := s.Chat.History(ctx, id, 0)
		if errors.Is(err, ErrCorrupt) && c.Damage != "" && len(problems) > 0 {
			continue
		}
		if err != nil {
			t.Errorf("%s: conversation %d: %v, listed as %+v", where, i, err, c)
			continue
		}
		if len(ms)+c.Unreadable != 12 || c.Messages != 12 || (c.Unreadable > 0) != (c.Damage != "") {
			t.Errorf("%s: conversation %d has %d messages and is listed as %+v", where, i, len(ms), c)
		}
		if len(ms) < 12 && !strings.Contains(fmt.Sprint(problems), id) {
			t.Errorf("%s: of conversation %d messages are missing, and health says %v", where, i, problems)
		}
		if want := fmt.Sprintf("%d: message 0", i); c.Title != want {
			t.Errorf("%s: conversation %d is called %q", where, i, c.Title)
		}
		if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "one more"}); err != nil {
			t.Errorf("%s: conversation %d: %v", where, i, err)
		}
		if after, err := s.Chat.Conversation(ctx, id); err != nil || after.Messages != 13 {
			t.Errorf("%s: after one more, conversation %d is %+v, %v", where, i, after, err)
		}
	}
}

// twelve begins three conversations of twelve messages.
func twelve(t *testing.T, s *Service) (ids []string) {
	for i := range 3 {
		texts := make([]string, 12)
		for n := range texts {
			texts[n] = fmt.Sprintf("%d: message %d", i, n)
		}
		ids = append(ids, talk(t, s, texts...))
	}
	return ids
}

// What is left can't tell what is lost.
func TestADamagedPageShortensNoConversationSilently(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	ids := twelve(t, s)
	s.Close()
	putBack := h.save(t)
	file := largest(t, h)
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	lost := 0
	for at := 0; at < len(original); at += page {
		if len(bytes.Trim(original[at:at+page], "\x00")) == 0 {
			continue
		}
		putBack()
		damaged := bytes.Clone(original)
		clear(damaged[at : at+page])
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s := h.open(t)
		accounted(t, fmt.Sprintf("page %d zeroed", at/page), s, ids)
		if len(s.Health().Problems) > 0 {
			lost++
		}
		s.Close()
	}
	if lost == 0 {
		t.Error("no page was of any use")
	}
}

// largest is the largest data file of the engine.
func largest(t *testing.T, h home) (path string) {
	t.Helper()
	size := int64(0)
	for _, f := range files(t, filepath.Join(h.dir, "data", "qdrant")) {
		if info, err := os.Stat(f); err == nil && info.Size() > size {
			path, size = f, info.Size()
		}
	}
	return path
}

// Whatever points a Qdrant leaves out, what is missing is counted.
func TestLostPointsShortenNoConversationSilently(t *testing.T) {
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	ids := twelve(t, s)
	s.Close()
	points := map[string]bool{}
	s = h.openWire(t, Config{}, w)
	w.set(func(reply any) {
		if r, ok := reply.(*qdrant.ScrollResponse); ok {
			for _, p := range r.Result {
				points[p.GetId().GetUuid()] = p.GetPayload()[fieldContext] != nil
			}
		}
	})
	if _, err := s.Chat.Conversations(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.set(nil)
	s.Close()
	var all []string
	for id, chat := range points {
		if chat {
			all = append(all, id)
		}
	}
	if len(all) != 39 {
		t.Fatalf("%d points, want 39", len(all))
	}
	for _, lost := range all {
		s := h.openWire(t, Config{}, w)
		drop := func(ps []*qdrant.RetrievedPoint) []*qdrant.RetrievedPoint {
			return slices.DeleteFunc(ps, func(p *qdrant.RetrievedPoint) bool { return p.GetId().GetUuid() == lost })
		}
		w.set(func(reply any) {
			switch r := reply.(type) {
			case *qdrant.GetResponse:
				r.Result = drop(r.Result)
			case *qdrant.ScrollResponse:
				r.Result = drop(r.Result)
			}
		})
		cs, err := s.Chat.Conversations(t.Context())
		if err != nil || len(cs) != 3 {
			t.Fatalf("Conversations = %+v, %v", cs, err)
		}
		missing := 0
		for _, c := range cs {
			ms, err := s.Chat.History(t.Context(), c.ID, 0)
			if err != nil || c.Messages != 12 || len(ms)+c.Unreadable != 12 || !strings.HasSuffix(c.Title, ": message 0") {
				t.Errorf("without %s: %d messages, %v, listed as %+v", lost, len(ms), err, c)
			}
			missing += 12 - len(ms)
		}
		if missing > 1 || missing == 1 == slices.Contains(ids, lost) {
			t.Errorf("without %s: %d messages are missing", lost, missing)
		}
		if ps := s.Health().Problems; len(ps) == 0 {
			t.Errorf("without %s: nothing is told", lost)
		}
		w.set(nil)
		s.Close()
	}
}

// The second record of a conversation is made anew where it is gone or damaged,
// and is as unreadable as the rest once the conversation was deleted.
func TestTheSecondRecordOfAConversation(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	id := talk(t, s, "first", "second")
	path := filepath.Join(h.dir, "data", "conversations", id+".head")
	for name, damage := range map[string]func([]byte) []byte{
		"gone": nil, "empty": func([]byte) []byte { return nil }, "cut": func(b []byte) []byte { return b[:len(b)/2] },
		"a bit": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
	} {
		s.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err = os.Remove(path); err == nil && damage != nil {
			err = os.WriteFile(path, damage(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		s = h.open(t)
		cs, err := s.Chat.Conversations(t.Context())
		if err != nil || len(cs) != 1 || cs[0].Title != "first" || cs[0].Messages != 2 || cs[0].Damage != "" {
			t.Errorf("%s: Conversations = %+v, %v", name, cs, err)
		}
		if told := len(s.Health().Problems) > 0; told != (damage != nil) {
			t.Errorf("%s: problems %+v", name, s.Health().Problems)
		}
		for _, kept := range keptFiles(t, h) {
			if err := os.Remove(kept); err != nil {
				t.Fatal(err)
			}
		}
		if k := s.Chat.kept(id, must(t, s, id)); k.Head.Messages != 2 || k.Head.Title != "first" {
			t.Errorf("%s: it was not written anew: %+v", name, k)
		}
	}
	if err := s.Chat.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("after the conversation was deleted: %v", err)
	}
}

func must(t *testing.T, s *Service, id string) sealer {
	t.Helper()
	key, err := s.Chat.keys.Conversation(id)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
