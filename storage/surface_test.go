package storage

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/kind"
)

// everyType is a plain tag for each type of index.
func everyType() (fields []IndexedField) {
	for _, typ := range []string{"keyword", "integer", "float", "bool", "geo", "text"} {
		fields = append(fields, IndexedField{Name: "tags." + typ, Type: typ, Indexed: true})
	}
	return fields
}

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
		{Collections: CollectionConfigs{AWSEstate: CollectionConfig{Distance: "manhattan", IndexedFields: everyType()}}},
	} {
		s, err := open(ctx, cfg, newHome(t).keys, &kind.Set{}, func(c *endpoint.Config) { c.Options = append(c.Options, record) })
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
		vector := slices.Repeat([]float32{1}, 384)
		_, err = s.Estate.BulkUpsert(ctx, instances(600))
		must(err)
		s.Estate.EmbedWith(func(context.Context, []Resource) ([][]float32, error) { return [][]float32{vector}, nil })
		must(s.Estate.Upsert(ctx, instance(601)))
		must(s.Estate.SetVectors(ctx, map[Key][]float32{instance(2).Key(): vector}))
		for _, f := range []Filter{{}, {Type: "rds_instance"}, {Tags: map[string]string{"env": "production"}}} {
			_, err = s.Estate.Nearest(ctx, vector, f, 0)
			must(err)
		}
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
		_, err = s.Estate.keys.Rotate()
		must(err)
		_, err = s.Reseal(ctx, nil)
		must(err)
		remote := remoteConfig(serveStandIn(t).url)
		remote.Collections.AWSEstate = cfg.Collections.AWSEstate
		_, err = s.Migrate(ctx, remote, nothing, nil)
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
