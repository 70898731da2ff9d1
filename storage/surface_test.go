package storage

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/engine"
)

// The engine handles exactly the RPCs, conditions and options that storage sends.
func TestTheEngineHandlesExactlyWhatIsSent(t *testing.T) {
	ctx := context.Background()
	var mu sync.Mutex
	sent := map[string]bool{}
	record := grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		mu.Lock()
		sent[method] = true
		engine.Used(req.(proto.Message).ProtoReflect(), func(name string) bool {
			sent[name] = true
			return true
		})
		mu.Unlock()
		return invoke(ctx, method, req, reply, cc, opts...)
	})
	for _, cfg := range []Config{
		{},
		{Collections: CollectionConfigs{AWSEstate: CollectionConfig{Distance: "euclidean"}}},
	} {
		s, err := open(ctx, cfg, newHome(t).keys, record)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Estate.BulkUpsert(ctx, instances(600))
		must(err)
		_, err = s.Estate.List(ctx, Filter{Type: "rds_instance", State: "available"})
		must(err)
		_, err = s.Estate.Get(ctx, instance(1).Key())
		must(err)
		must(s.Estate.Delete(ctx, instance(1).Key()))
		_, err = s.Estate.Count(ctx)
		must(err)
		id, err := s.Chat.Create(ctx)
		must(err)
		_, err = s.Chat.Append(ctx, id, Message{Role: RoleUser})
		must(err)
		_, err = s.Chat.History(ctx, id, 3)
		must(err)
		_, err = s.Chat.Conversations(ctx)
		must(err)
	}
	handled := map[string]bool{}
	for _, name := range engine.Surface() {
		handled[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if !handled[name] {
			t.Errorf("storage sends %s, which the engine does not handle", name)
		}
		delete(handled, name)
	}
	for _, name := range slices.Sorted(maps.Keys(handled)) {
		t.Errorf("the engine handles %s, which storage never sends", name)
	}
}
