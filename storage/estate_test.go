package storage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/kind"
)

// wire counts calls by method and lets a test change replies on their way.
type wire struct {
	mu    sync.Mutex
	calls map[string]int
	alter func(reply any)
}

func (w *wire) option(c *endpoint.Config) {
	c.Options = append(c.Options, grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, req, reply, cc, opts...)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.calls == nil {
			w.calls = map[string]int{}
		}
		w.calls[method]++
		if w.alter != nil && err == nil {
			w.alter(reply)
		}
		return err
	}))
}

func (w *wire) count(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[method]
}

func (w *wire) set(alter func(reply any)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alter = alter
}

func (h home) openWire(t testing.TB, cfg Config, w *wire) *Service {
	t.Helper()
	s, err := open(context.Background(), cfg, h.keys, &kind.Set{}, w.option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOnlyChangedResourcesAreWritten(t *testing.T) {
	ctx := context.Background()
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	rs := instances(600)
	if n, err := s.Estate.BulkUpsert(ctx, rs); n != 600 || err != nil {
		t.Fatalf("first BulkUpsert = %d, %v", n, err)
	}
	writes, generation := w.count("/qdrant.Points/Upsert"), s.Estate.Generation()
	later := rs[0].LastSynced.Add(time.Hour)
	for i := range rs {
		rs[i].LastSynced = later
		rs[i].IAM = &IAM{AllowedActions: []string{"rds:StopDBInstance"}}
	}
	if n, err := s.Estate.BulkUpsert(ctx, rs); n != 0 || err != nil {
		t.Errorf("unchanged BulkUpsert = %d, %v; want 0", n, err)
	}
	if now := w.count("/qdrant.Points/Upsert"); now != writes {
		t.Errorf("unchanged resources caused %d writes", now-writes)
	}
	if s.Estate.Generation() != generation {
		t.Error("the generation moved although nothing changed")
	}
	got, err := s.Estate.Get(ctx, rs[7].Key())
	if err != nil || !got.LastSynced.Equal(later) || got.IAM != nil {
		t.Errorf("Get = %v, %v, %v; want LastSynced %v and no IAM", got.LastSynced, got.IAM, err, later)
	}
	rs[7].State = "stopped"
	if n, err := s.Estate.BulkUpsert(ctx, rs); n != 1 || err != nil {
		t.Errorf("BulkUpsert after one change = %d, %v; want 1", n, err)
	}
	if r := s.Estate.Find(rs[7].ID); len(r) != 1 || r[0].State != "stopped" || r[0].Version != 2 {
		t.Errorf("Find after the change = %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// What memory knew to be unchanged, it still knows after a restart without cache.
	if err := os.Remove(filepath.Join(h.dir, "data", "index.cache")); err != nil {
		t.Fatal(err)
	}
	s = h.openWire(t, Config{}, w)
	if n, err := s.Estate.BulkUpsert(ctx, rs); n != 0 || err != nil {
		t.Errorf("unchanged BulkUpsert after a restart = %d, %v; want 0", n, err)
	}
}

// view is everything a reader can see of the estate.
func view(t testing.TB, s *Service) string {
	t.Helper()
	ctx := context.Background()
	var b strings.Builder
	add := func(v any, err error) {
		j, jerr := json.Marshal(v)
		fmt.Fprintf(&b, "%s %v %v\n", j, err, jerr)
	}
	add(s.Estate.Count(ctx))
	add(s.Estate.List(ctx, Filter{}))
	add(s.Estate.List(ctx, Filter{State: "stopped"}))
	add(s.Estate.List(ctx, Filter{Tags: map[string]string{"env": "staging"}}))
	add(s.Estate.ByAccount(ctx, "210987654321"))
	add(s.Estate.ByRegion(ctx, "us-west-2"))
	add(s.Estate.ByType(ctx, "ec2_instance"))
	for _, q := range []string{"", "stopped", "web", "env=staging", "pg-instance-00003"} {
		found, total := s.Estate.Search(q, Filter{}, -1)
		slices.SortFunc(found, func(a, b Record) int { return strings.Compare(a.Canonical(), b.Canonical()) })
		add(found, nil)
		add(total, nil)
	}
	add(s.Estate.Resolve([]string{"web", "pg-instance-00003", "10.0.0.7", "nothing"}), nil)
	add(len(s.Estate.Keys(Filter{Type: "rds_instance"})), nil)
	return b.String()
}

func mixed() []Resource {
	rs := instances(20)
	for i := range 10 {
		rs = append(rs, Resource{
			Type: "ec2_instance", ID: fmt.Sprintf("i-0%016x", i), Name: "web", AccountID: "210987654321", Region: "eu-west-1",
			Service: "ec2", State: []string{"running", "stopped"}[i%2], Tags: map[string]string{"env": "staging", "Name": "web"},
			Aliases: []string{fmt.Sprintf("10.0.0.%d", i)}, LastSynced: time.Date(2026, 3, 1, 0, 0, i, 5, time.UTC),
		})
	}
	return rs
}

func TestARestartChangesNothing(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	rs := mixed()
	rs = append(rs, Resource{Type: "s3_bucket", ID: "odd\xffname", Name: "odd\xffname", State: "a\xff\xfeb", Service: "s3"})
	if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
		t.Fatal(err)
	}
	if err := s.Estate.Delete(ctx, rs[4].Key(), instance(999).Key()); err != nil {
		t.Fatal(err)
	}
	rs[5].State = "stopped"
	if err := s.Estate.Upsert(ctx, rs[5]); err != nil {
		t.Fatal(err)
	}
	want := view(t, s)
	if !strings.HasPrefix(want, "30 ") {
		t.Fatalf("the estate counts %.3s, want 30", want)
	}
	cache := filepath.Join(h.dir, "data", "index.cache")
	for _, step := range []string{"with the cache", "without it", "with the new one", "with a damaged one"} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(cache); err != nil {
			t.Fatalf("no cache after closing: %v", err)
		}
		switch step {
		case "without it":
			os.Remove(cache)
		case "with a damaged one":
			if err := os.WriteFile(cache, []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s = h.open(t)
		if got := view(t, s); got != want {
			t.Errorf("%s, the store reads\n%s\nwant\n%s", step, got, want)
		}
	}
}

func TestTheCacheIsGoneBeforeAWrite(t *testing.T) {
	ctx := context.Background()
	h, w := newHome(t), &wire{}
	s := h.openWire(t, Config{}, w)
	if err := s.Estate.Upsert(ctx, instance(1)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = h.openWire(t, Config{}, w)
	cache := filepath.Join(h.dir, "data", "index.cache")
	seen := false
	w.set(func(reply any) {
		if _, ok := reply.(*qdrant.PointsOperationResponse); ok {
			_, err := os.Stat(cache)
			seen = err == nil
		}
	})
	for name, write := range map[string]func() error{
		"Upsert": func() error { return s.Estate.Upsert(ctx, instance(2)) },
		"Delete": func() error { return s.Estate.Delete(ctx, instance(1).Key()) },
	} {
		if err := s.Estate.flush(); err != nil {
			t.Fatal(err)
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if seen {
			t.Errorf("%s was acknowledged while an old cache lay on disk", name)
		}
	}
}

func TestListByEveryField(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	if _, err := s.Estate.BulkUpsert(ctx, mixed()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 30},
		{Filter{Type: "ec2_instance"}, 10},
		{Filter{AccountID: "123456789012"}, 20},
		{Filter{Region: "eu-west-1"}, 10},
		{Filter{Service: "rds"}, 20},
		{Filter{State: "stopped"}, 5},
		{Filter{State: "stopped", Type: "rds_instance"}, 0},
		{Filter{Tags: map[string]string{"env": "production"}}, 20},
		{Filter{Tags: map[string]string{"env": "production"}, Type: "ec2_instance"}, 0},
		{Filter{Region: "nowhere"}, 0},
		{Filter{Region: "\xff"}, 0},
	} {
		rs, err := s.Estate.List(ctx, test.f)
		if err != nil || len(rs) != test.want {
			t.Errorf("List(%+v) = %d, %v; want %d", test.f, len(rs), err, test.want)
		}
		if ks := s.Estate.Keys(test.f); len(ks) != test.want {
			t.Errorf("Keys(%+v) = %d, want %d", test.f, len(ks), test.want)
		}
	}
}

func TestAKeyWithoutARNFindsItsResource(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	if err := s.Estate.Upsert(ctx, instance(1)); err != nil {
		t.Fatal(err)
	}
	k := instance(1).Key()
	k.ARN = ""
	if r, err := s.Estate.Get(ctx, k); err != nil || r.ID != k.ID {
		t.Errorf("Get = %v, %v", r.ID, err)
	}
	k.Region = "eu-west-1"
	if _, err := s.Estate.Get(ctx, k); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get in another region: %v, want ErrNotFound", err)
	}
	k.Region = "us-west-2"
	if err := s.Estate.Delete(ctx, k); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Estate.Count(ctx); n != 0 || err != nil {
		t.Errorf("Count after Delete = %d, %v", n, err)
	}
}

func TestOneBadResourceKeepsNoneBack(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	bad := instance(2)
	bad.Metadata = map[string]any{"f": func() {}}
	n, err := s.Estate.BulkUpsert(ctx, []Resource{instance(1), bad, {Type: "x"}, instance(3)})
	if n != 2 || err == nil {
		t.Errorf("BulkUpsert = %d, %v; want 2 and an error", n, err)
	}
}

// What a server hands back is checked against the seal.
func TestATamperingServerIsNoticed(t *testing.T) {
	ctx := context.Background()
	h, w := newHome(t), &wire{}
	cfg := Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{
		IndexedFields: []IndexedField{{Name: "tags.env", Type: "keyword", Indexed: true}},
	}}}
	s := h.openWire(t, cfg, w)
	if _, err := s.Estate.BulkUpsert(ctx, instances(3)); err != nil {
		t.Fatal(err)
	}
	other, err := s.Estate.client.Get(ctx, &qdrant.GetPoints{
		CollectionName: "aws_estate", Ids: []*qdrant.PointId{qdrant.NewID(h.keys.PointID(instance(2).ARN))}, WithPayload: qdrant.NewWithPayload(true),
	})
	if err != nil || len(other) != 1 {
		t.Fatal(other, err)
	}
	for name, tamper := range map[string]func(payload map[string]*qdrant.Value){
		"type":    func(p map[string]*qdrant.Value) { p["resource_type"] = qdrant.NewValueString("ec2_instance") },
		"account": func(p map[string]*qdrant.Value) { p["account_id"] = qdrant.NewValueString("210987654321") },
		"region":  func(p map[string]*qdrant.Value) { p["region"] = qdrant.NewValueString("us-east-1") },
		"service": func(p map[string]*qdrant.Value) { delete(p, "service") },
		"state":   func(p map[string]*qdrant.Value) { p["state"] = qdrant.NewValueString("stopped") },
		"synced":  func(p map[string]*qdrant.Value) { p["last_synced"] = qdrant.NewValueInt(1 << 40) },
		"version": func(p map[string]*qdrant.Value) { p["record_version"] = qdrant.NewValueInt(1000) },
		"tag": func(p map[string]*qdrant.Value) {
			p["tags"].GetStructValue().Fields["env"] = qdrant.NewValueString("dev")
		},
		"swapped":  func(p map[string]*qdrant.Value) { p["encrypted_data"] = other[0].GetPayload()["encrypted_data"] },
		"emptied":  func(p map[string]*qdrant.Value) { clear(p) },
		"no text":  func(p map[string]*qdrant.Value) { p["encrypted_data"] = qdrant.NewValueInt(1) },
		"no value": func(p map[string]*qdrant.Value) { p["encrypted_data"] = nil },
	} {
		w.set(func(reply any) {
			switch r := reply.(type) {
			case *qdrant.GetResponse:
				tamper(r.GetResult()[0].Payload)
			case *qdrant.ScrollResponse:
				for _, p := range r.GetResult() {
					if p.GetId().GetUuid() == h.keys.PointID(instance(1).ARN) {
						tamper(p.Payload)
					}
				}
			}
		})
		if r, err := s.Estate.Get(ctx, instance(1).Key()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Get = %v, %v; want ErrCorrupt", name, r.State, err)
		}
		if rs, err := s.Estate.List(ctx, Filter{}); err != nil || len(rs) != 2 {
			t.Errorf("%s: List = %d, %v; want the other 2", name, len(rs), err)
		}
		if ps := s.Health().Problems; len(ps) != 1 || ps[0].Point != h.keys.PointID(instance(1).ARN) {
			t.Errorf("%s: Problems = %v", name, ps)
		}
		w.set(nil)
		// The next scan writes the damaged point again, though its content is the same.
		if n, err := s.Estate.BulkUpsert(ctx, instances(3)); n != 1 || err != nil {
			t.Fatalf("%s: BulkUpsert = %d, %v; want 1", name, n, err)
		}
		if ps := s.Health().Problems; len(ps) != 0 {
			t.Errorf("%s: Problems after mending = %v", name, ps)
		}
	}
	w.set(func(reply any) {
		if r, ok := reply.(*qdrant.GetResponse); ok {
			r.Result = nil
		}
	})
	if _, err := s.Estate.Get(ctx, instance(1).Key()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Get of an omitted point: %v, want ErrCorrupt", err)
	}
}

func TestWatchTellsOfTheNewestChange(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	changes, stop := s.Estate.Watch()
	other, _ := s.Estate.Watch()
	for i := range 5 {
		if err := s.Estate.Upsert(ctx, instance(i)); err != nil {
			t.Fatal(err)
		}
	}
	c := <-changes
	if c.Since != 0 || c.Generation != 5 || len(c.Keys) != 5 || c.Keys[4] != instance(4).Key() || len(c.Shards) != 1 {
		t.Errorf("a slow reader sees %+v, want generation 5 and what the five changes named", c)
	}
	if _, err := s.Estate.BulkUpsert(ctx, instances(maxNamed+10)); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.Since != 5 || len(c.Keys) != 0 || len(c.Shards) == 0 {
		t.Errorf("a change of more than can be named is %+v", c)
	}
	if err := s.Estate.Delete(ctx, instance(1).Key()); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.Since != 6 || len(c.Keys) != 1 || c.Keys[0] != instance(1).Key() {
		t.Errorf("a deletion is told as %+v", c)
	}
	stop()
	stop()
	if _, ok := <-changes; ok {
		t.Error("the channel is open after stop")
	}
	s.Close()
	<-other // the last change
	if _, ok := <-other; ok {
		t.Error("the channel is open after Close")
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for round := range 5 {
				rs := instances(60)
				for i := range rs {
					rs[i].State = fmt.Sprint(worker, round)
				}
				if _, err := s.Estate.BulkUpsert(ctx, rs[worker*4:]); err != nil {
					t.Error(err)
				}
				s.Estate.Search("pg", Filter{}, 5)
				if _, err := s.Estate.List(ctx, Filter{Region: "us-west-2"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	before := view(t, s)
	s.Close()
	if err := os.Remove(filepath.Join(h.dir, "data", "index.cache")); err != nil {
		t.Fatal(err)
	}
	s = h.open(t)
	if after := view(t, s); after != before {
		t.Error("memory and store differ after concurrent writes")
	}
	if ps := s.Health().Problems; len(ps) != 0 {
		t.Errorf("Problems = %v", ps)
	}
}

func TestConfigValidate(t *testing.T) {
	estate := func(c CollectionConfig) Config {
		return Config{Collections: CollectionConfigs{AWSEstate: c}}
	}
	field := func(name, typ string, indexed bool) Config {
		return estate(CollectionConfig{IndexedFields: []IndexedField{{name, typ, indexed}}})
	}
	for name, c := range map[string]Config{
		"nothing":        {},
		"seed spelling":  {Qdrant: QdrantConfig{Mode: "Embedded"}, Collections: CollectionConfigs{AWSEstate: CollectionConfig{Distance: "Cosine"}}},
		"a builtin":      field("resource_type", "Keyword", true),
		"a tag":          field("tags.env", "Keyword", true),
		"an unusual tag": field("tags.aws:cloudformation:stack-name", "keyword", false),
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]Config{
		"mode":            {Qdrant: QdrantConfig{Mode: "remote"}},
		"name":            estate(CollectionConfig{Name: "a/b"}),
		"same name":       estate(CollectionConfig{Name: "chat_history"}),
		"size":            estate(CollectionConfig{VectorSize: -1}),
		"distance":        estate(CollectionConfig{Distance: "taxi"}),
		"secret field":    field("arn", "keyword", true),
		"retyped":         field("region", "integer", true),
		"unindexed":       field("region", "keyword", false),
		"tag type":        field("tags.env", "datetime", true),
		"unaddressable":   field(`tags.a"b`, "keyword", true),
		"a tag of a chat": {Collections: CollectionConfigs{ChatHistory: CollectionConfig{IndexedFields: []IndexedField{{"tags.x", "keyword", true}}}}},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: Validate found nothing wrong", name)
		}
	}
	// Open completes defaults in its own copy.
	shared := field("tags.env", "Keyword", true)
	before := fmt.Sprintf("%+v", shared)
	_ = shared.Validate()
	if after := fmt.Sprintf("%+v", shared); after != before || !reflect.DeepEqual(shared, field("tags.env", "Keyword", true)) {
		t.Errorf("Validate changed its configuration to %s", after)
	}
}

// The layout of docs/security.md, "What is stored".
func TestPayloadsAreLaidOutAsDocumented(t *testing.T) {
	ctx := context.Background()
	for name, test := range map[string]struct {
		fields []IndexedField
		tags   map[string]string
	}{
		"by default": {},
		"with a tag": {[]IndexedField{{Name: "tags.env", Type: "keyword", Indexed: true}, {Name: "tags.absent", Type: "keyword"}}, map[string]string{"env": "production"}},
	} {
		s := newHome(t).openWire(t, Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{IndexedFields: test.fields}}}, &wire{})
		if err := s.Estate.Upsert(ctx, instance(1)); err != nil {
			t.Fatal(err)
		}
		id, err := s.Chat.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		stored := func(collection string) map[string]map[string]string {
			t.Helper()
			all := map[string]map[string]string{}
			if err := scroll(ctx, s.Estate.client, collection, nil, func(p *qdrant.RetrievedPoint) {
				fields := map[string]string{}
				for name, v := range p.GetPayload() {
					switch v.GetKind().(type) {
					case *qdrant.Value_StringValue:
						fields[name] = v.GetStringValue()
					case *qdrant.Value_IntegerValue:
						fields[name] = fmt.Sprint(v.GetIntegerValue())
					case *qdrant.Value_StructValue:
						for key, v := range v.GetStructValue().GetFields() {
							fields[name+"."+key] = v.GetStringValue()
						}
					default:
						fields[name] = "?"
					}
				}
				for _, sealed := range []string{"encrypted_data", "encrypted_content"} {
					if b, err := base64.StdEncoding.DecodeString(fields[sealed]); err == nil && len(b) > 40 && b[0] == 1 {
						fields[sealed] = "sealed"
					}
				}
				all[p.GetId().GetUuid()] = fields
			}); err != nil {
				t.Fatal(err)
			}
			return all
		}
		want := map[string]string{
			"resource_type": "rds_instance", "account_id": "123456789012", "region": "us-west-2", "service": "rds",
			"state": "available", "last_synced": "1772366400", "record_version": "1", "encrypted_data": "sealed",
		}
		for key, v := range test.tags {
			want["tags."+key] = v
		}
		if got := stored("aws_estate"); !reflect.DeepEqual(got, map[string]map[string]string{s.Estate.keys.PointID(instance(1).ARN): want}) {
			t.Errorf("%s, the estate stores %v, want %v", name, got, want)
		}
		at := fmt.Sprint(m.Timestamp.Unix())
		chat := map[string]map[string]string{
			id:   {"context_id": id, "role": "conversation", "timestamp": at, "record_version": "2", "encrypted_content": "sealed"},
			m.ID: {"context_id": id, "message_index": "0", "role": "user", "timestamp": at, "record_version": "1", "encrypted_content": "sealed"},
		}
		if got := stored("chat_history"); !reflect.DeepEqual(got, chat) {
			t.Errorf("%s, the chat stores %v, want %v", name, got, chat)
		}
	}
}

// Whatever a server answers, opening it fails or succeeds, and never panics.
func FuzzStoredPoint(f *testing.F) {
	h := newHome(f)
	s := h.open(f)
	if err := s.Estate.Upsert(context.Background(), instance(1)); err != nil {
		f.Fatal(err)
	}
	if err := scroll(context.Background(), s.Estate.client, "aws_estate", nil, func(p *qdrant.RetrievedPoint) {
		b, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p qdrant.RetrievedPoint
		if proto.Unmarshal(b, &p) != nil {
			return
		}
		if r, _, err := s.Estate.open(&p); err == nil && !reflect.DeepEqual(r.Resource, instance(1)) {
			t.Errorf("an altered point opens as %+v", r)
		}
		_, _ = openMessage(h.keys, &p)
		_, _, _ = openHead(h.keys, &p)
	})
}
