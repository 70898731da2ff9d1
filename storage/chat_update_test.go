package storage

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/kind"
)

func TestATitleAndLabelsStay(t *testing.T) {
	ctx := t.Context()
	h := newHome(t)
	s := h.open(t)
	id, newer := talk(t, s, "Stop pg-instance-main1"), talk(t, s, "newer")
	before, err := s.Chat.Conversation(ctx, id)
	if err != nil || before.CreatedAt.IsZero() {
		t.Fatalf("%+v, %v", before, err)
	}
	title := "  The walrus\n incident "
	got, err := s.Chat.UpdateContext(ctx, id, ContextUpdate{Title: &title, AddLabels: []string{"prod", " Café ", "PROD", "tmp"}})
	if err != nil || got.Title != "The walrus incident" || !slices.Equal(got.Labels, []string{"prod", "Café", "tmp"}) {
		t.Fatalf("UpdateContext = %+v, %v", got, err)
	}
	got, err = s.Chat.UpdateContext(ctx, id, ContextUpdate{RemoveLabels: []string{"TMP", "absent"}, Metadata: map[string]any{"ticket": "OPS-1", "n": 3}})
	if err != nil || !slices.Equal(got.Labels, []string{"prod", "Café"}) {
		t.Fatalf("UpdateContext = %+v, %v", got, err)
	}
	if got, err = s.Chat.UpdateContext(ctx, id, ContextUpdate{Metadata: map[string]any{"n": nil, "who": []string{"me"}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := s.Chat.Append(ctx, newer, Message{Role: RoleUser, Content: "more"}); err != nil || m.Index != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	check := func(s *Service) {
		t.Helper()
		c, err := s.Chat.Conversation(ctx, id)
		if err != nil || c.Title != "The walrus incident" || !slices.Equal(c.Labels, []string{"prod", "Café"}) || c.Messages != 1 ||
			!c.UpdatedAt.Equal(before.UpdatedAt) || !c.CreatedAt.Equal(before.CreatedAt) ||
			!reflect.DeepEqual(c.Metadata, map[string]any{"ticket": "OPS-1", "who": []any{"me"}}) {
			t.Errorf("Conversation = %+v, %v", c, err)
		}
		if !c.HasLabel("cafe") || c.HasLabel("tmp") || c.HasLabel("pro") {
			t.Errorf("labels %v", c.Labels)
		}
		if cs, err := s.Chat.Conversations(ctx); err != nil || len(cs) != 2 || cs[0].ID != newer {
			t.Errorf("a change of the title moved it in the list: %+v, %v", cs, err)
		}
	}
	check(s)
	s.Close()
	s = h.open(t)
	check(s)
	// A later prompt does not take the title back.
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "another prompt"}); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Chat.Conversation(ctx, id); err != nil || c.Title != "The walrus incident" || c.Messages != 2 {
		t.Errorf("Conversation = %+v, %v", c, err)
	}
}

func TestWhatATitleOrLabelCannotBe(t *testing.T) {
	s := newHome(t).open(t)
	id := talk(t, s, "first")
	title := func(s string) *string { return &s }
	many := make([]string, mostLabels+1)
	for i := range many {
		many[i] = fmt.Sprint("label ", i)
	}
	for name, u := range map[string]ContextUpdate{
		"an empty title":           {Title: title(" \n\x00")},
		"a title too long":         {Title: title(strings.Repeat("é", mostTitle+1))},
		"an empty label":           {AddLabels: []string{"ok", ""}},
		"a label too long":         {AddLabels: []string{strings.Repeat("é", mostLabel+1)}},
		"too many labels":          {AddLabels: many},
		"metadata too big":         {Metadata: map[string]any{"x": strings.Repeat("x", mostMetadata)}},
		"metadata that is no JSON": {Metadata: map[string]any{"x": func() {}}},
	} {
		if _, err := s.Chat.UpdateContext(t.Context(), id, u); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if c, err := s.Chat.Conversation(t.Context(), id); err != nil || c.Title != "first" || len(c.Labels) != 0 || c.Metadata != nil {
		t.Errorf("the refused changes were made: %+v, %v", c, err)
	}
}

func TestAConversationIsNamedAsPeopleDo(t *testing.T) {
	ctx := t.Context()
	s := newHome(t).open(t)
	a, b, c := talk(t, s, "Stop pg-instance-main1"), talk(t, s, "twice"), talk(t, s, "twice")
	for _, name := range []string{a, a[:13], strings.ToUpper(a[:13]), "Stop pg-instance-main1"} {
		if got, err := s.Chat.Conversation(ctx, name); err != nil || got.ID != a || got.Messages != 1 {
			t.Errorf("Conversation(%q) = %+v, %v", name, got, err)
		}
	}
	for name, want := range map[string]error{
		"twice": ErrInvalid, "": ErrNotFound, "Stop": ErrNotFound, "twicE": ErrNotFound, "zz": ErrNotFound,
		"0b24bdd6-5a4c-4a9a-8f4f-1f6f5d2e8a11": ErrNotFound, b + c: ErrNotFound,
	} {
		if got, err := s.Chat.Conversation(ctx, name); !errors.Is(err, want) {
			t.Errorf("Conversation(%q) = %+v, %v; want %v", name, got, err, want)
		}
	}
}

// The newest message may be damaged: its place is not given to another.
func TestAnIndexIsNeverGivenOutTwice(t *testing.T) {
	ctx := t.Context()
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	id := talk(t, s, "first", "second", "third")
	s.Close()
	s = h.openWire(t, Config{}, w)
	w.set(func(reply any) {
		if r, ok := reply.(*qdrant.ScrollResponse); ok {
			r.Result = slices.DeleteFunc(r.Result, func(p *qdrant.RetrievedPoint) bool {
				return p.GetPayload()[fieldIndex].GetIntegerValue() == 2
			})
		}
	})
	m, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "fourth"})
	if err != nil || m.Index != 3 || time.Since(m.Timestamp) > time.Hour {
		t.Errorf("Append = %+v, %v; want index 3", m, err)
	}
}

// A write that got no answer may be done later; its index is its own.
func TestAMessageThatComesLateKeepsItsIndex(t *testing.T) {
	ctx := t.Context()
	var late *qdrant.UpsertPoints
	hold := false
	s, err := open(ctx, Config{}, newHome(t).keys, &kind.Set{}, func(c *endpoint.Config) {
		c.Options = append(c.Options, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if u, ok := req.(*qdrant.UpsertPoints); ok && hold {
				hold, late = false, proto.Clone(u).(*qdrant.UpsertPoints)
				return status.Error(codes.DeadlineExceeded, "no answer")
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	id := talk(t, s, "first")
	hold = true
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "slow"}); err == nil {
		t.Fatal("a message without an answer counts as stored")
	}
	if m, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "next"}); err != nil || m.Index != 2 {
		t.Errorf("Append = %+v, %v; want index 2", m, err)
	}
	if _, err := s.Chat.client.Upsert(ctx, late); err != nil {
		t.Fatal(err)
	}
	ms, err := s.Chat.History(ctx, id, 0)
	if err != nil || len(ms) != 3 {
		t.Fatalf("History = %+v, %v; want 3 messages", ms, err)
	}
	for i, want := range []string{"first", "slow", "next"} {
		if ms[i].Index != int64(i) || ms[i].Content != want {
			t.Errorf("message %d is %d, %q; want %q", i, ms[i].Index, ms[i].Content, want)
		}
	}
}
