package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The folder of the conversations' keys may be lost as a whole: what was said
// is told to be lost, and counted, wherever conversations are told of. Where the
// daemon runs meanwhile, nothing is lost.
func TestTheFolderOfConversationsIsLost(t *testing.T) {
	for name, lose := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"a dangling link": func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.Symlink(dir+".elsewhere", dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			s := h.open(t)
			ids := twelve(t, s)
			s.Close()
			dir := filepath.Join(h.dir, "data", "conversations")
			if err := lose(dir); err != nil {
				t.Fatal(err)
			}
			h.keys = unlock(t, h.dir)
			s = h.open(t)
			listed, err := s.Chat.Conversations(t.Context())
			if err != nil || len(listed) != len(ids) {
				t.Fatalf("listed: %+v, %v", listed, err)
			}
			for _, c := range listed {
				if c.Messages != 12 || c.Unreadable != 12 || c.Damage == "" {
					t.Errorf("listed as %+v, want 12 messages that can't be read", c)
				}
			}
			problems := fmt.Sprint(s.Health().Problems)
			for _, id := range ids {
				if !strings.Contains(problems, id) || !strings.Contains(problems, "12 messages") {
					t.Errorf("of %s health says only %s", id, problems)
				}
				if _, err := s.Chat.History(t.Context(), id, 0); !errors.Is(err, ErrCorrupt) {
					t.Errorf("its messages: %v, want ErrCorrupt", err)
				}
			}
			// A new conversation does not make the loss forgotten.
			if _, err := s.Chat.Create(t.Context()); (err == nil) != (name == "removed") {
				t.Errorf("a new conversation: %v", err)
			}
			if again, err := s.Chat.Conversations(t.Context()); err != nil || !slices.ContainsFunc(again, func(c Conversation) bool { return c.ID == ids[2] && c.Damage != "" }) {
				t.Errorf("then listed: %+v, %v", again, err)
			}
			if name != "removed" {
				return
			}
			if err := s.Chat.Delete(t.Context(), ids[0]); err != nil {
				t.Fatal(err)
			}
			if left, err := s.Chat.Conversations(t.Context()); err != nil || len(left) != 3 || strings.Contains(fmt.Sprint(s.Health().Problems), ids[0]) {
				t.Errorf("after one was deleted: %+v, %v", left, err)
			}
		})
	}
}

// What a running daemon holds in memory is written back when its file is lost,
// and that is said.
func TestWhatMemoryHoldsIsWrittenBack(t *testing.T) {
	for _, name := range []string{"keyset", "data/digests", "data/conversations"} {
		for what, lose := range map[string]func(path string) error{
			"removed": os.RemoveAll,
			"damaged": func(path string) error { return os.WriteFile(path, []byte("damaged"), 0o600) },
		} {
			if name == "data/conversations" && what == "damaged" {
				continue // a folder
			}
			t.Run(name+" "+what, func(t *testing.T) {
				h := newHome(t)
				s := h.open(t)
				if err := s.Estate.Upsert(t.Context(), instance(1)); err != nil {
					t.Fatal(err)
				}
				ids := twelve(t, s)
				if h := s.Health(); len(h.Problems)+len(h.Warnings) > 0 {
					t.Fatalf("before: %+v %+v", h.Problems, h.Warnings)
				}
				if err := lose(filepath.Join(h.dir, filepath.FromSlash(name))); err != nil {
					t.Fatal(err)
				}
				health := s.Health()
				if len(health.Problems) > 0 || !strings.Contains(fmt.Sprint(health.Warnings), name) {
					t.Errorf("it says %+v, %+v; want that %s was written back", health.Problems, health.Warnings, name)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				h.keys = unlock(t, h.dir)
				s = h.open(t)
				accounted(t, "afterwards", s, ids)
				if _, err := s.Estate.Get(t.Context(), instance(1).Key()); err != nil {
					t.Error(err)
				}
				if p := s.Health().Problems; len(p) > 0 {
					t.Errorf("afterwards: %+v", p)
				}
			})
		}
	}
}
