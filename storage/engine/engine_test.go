package engine_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/cloudops/cloudops/storage/engine"
	"github.com/cloudops/cloudops/storage/seal"
)

// fixture is an engine that can be restarted, with a raw connection to it.
type fixture struct {
	t    testing.TB
	dir  string
	keys *seal.Keys
	eng  *engine.Engine
	conn *grpc.ClientConn
	stop func()

	collections qdrant.CollectionsClient
	points      qdrant.PointsClient
}

func start(t testing.TB) *fixture {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key", "kek")})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, dir: filepath.Join(keys.Home(), "data", "qdrant"), keys: keys}
	f.begin()
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *fixture) begin() {
	f.t.Helper()
	eng, err := engine.Open(f.dir, f.keys)
	if err != nil {
		f.t.Fatal(err)
	}
	conn, served, err := connect(eng)
	if err != nil {
		f.t.Fatal(err)
	}
	f.eng, f.conn, f.collections, f.points = eng, conn, qdrant.NewCollectionsClient(conn), qdrant.NewPointsClient(conn)
	f.stop = func() {
		conn.Close()
		if err := eng.Close(); err != nil {
			f.t.Error(err)
		}
		<-served
	}
}

// connect serves an engine in memory.
func connect(eng *engine.Engine) (*grpc.ClientConn, <-chan error, error) {
	l := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- eng.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///engine", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	return conn, served, err
}

func (f *fixture) restart() {
	f.t.Helper()
	f.stop()
	f.begin()
}

func ctx() context.Context { return context.Background() }

// collection makes a collection c with a keyword, a nested keyword and an integer index.
func (f *fixture) collection() {
	f.t.Helper()
	if _, err := f.collections.Create(ctx(), &qdrant.CreateCollection{
		CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot}),
	}); err != nil {
		f.t.Fatal(err)
	}
	f.index("kind", qdrant.FieldType_FieldTypeKeyword)
	f.index(`tags."a.b"`, qdrant.FieldType_FieldTypeKeyword)
	f.index("n", qdrant.FieldType_FieldTypeInteger)
}

func (f *fixture) index(field string, typ qdrant.FieldType) {
	f.t.Helper()
	if _, err := f.points.CreateFieldIndex(ctx(), &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: &typ}); err != nil {
		f.t.Fatal(err)
	}
}

func uid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func (f *fixture) upsert(n int, payload map[string]any) error {
	_, err := f.points.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{
		Id: qdrant.NewID(uid(n)), Payload: qdrant.NewValueMap(payload), Vectors: qdrant.NewVectorsMap(nil),
	}}})
	return err
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// scroll returns the numbers of the points found.
func (f *fixture) scroll(r *qdrant.ScrollPoints) ([]int, *qdrant.PointId, error) {
	r.CollectionName = "c"
	resp, err := f.points.Scroll(ctx(), r)
	if err != nil {
		return nil, nil, err
	}
	ns := []int{}
	for _, p := range resp.GetResult() {
		var n int
		fmt.Sscanf(p.GetId().GetUuid()[24:], "%x", &n)
		ns = append(ns, n)
	}
	return ns, resp.GetNextPageOffset(), nil
}

func must(cs ...*qdrant.Condition) *qdrant.Filter { return &qdrant.Filter{Must: cs} }

func (f *fixture) fill() {
	f.t.Helper()
	f.collection()
	for n, payload := range map[int]map[string]any{
		5: {"kind": "a", "n": 10, "tags": map[string]any{"a.b": "x"}},
		1: {"kind": "a", "n": 30},
		9: {"kind": "b", "n": 20, "big": strings.Repeat("y", 5000)},
		3: {"kind": "b", "n": 20.5},
		7: {"n": 10, "kind": 4},
		2: {"kind": strings.Repeat("long", 500), "n": "10", "tags": map[string]any{"a": map[string]any{"b": "x"}}},
		4: {},
		6: {"kind": nil, "n": nil, "tags": "x"},
		8: {"kind": "", "n": 20},
	} {
		f.must(f.upsert(n, payload))
	}
}

func TestScroll(t *testing.T) {
	f := start(t)
	f.fill()
	limit := func(n uint32) *uint32 { return &n }
	desc := &qdrant.OrderBy{Key: "n", Direction: qdrant.PtrOf(qdrant.Direction_Desc)}
	asc := &qdrant.OrderBy{Key: "n"}
	for round := range 2 {
		for name, test := range map[string]struct {
			r    *qdrant.ScrollPoints
			want []int
			next int
		}{
			"all, by id":                   {&qdrant.ScrollPoints{}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
			"a page":                       {&qdrant.ScrollPoints{Limit: limit(3)}, []int{1, 2, 3}, 4},
			"from an id on":                {&qdrant.ScrollPoints{Limit: limit(3), Offset: qdrant.NewID(uid(4))}, []int{4, 5, 6}, 7},
			"from an absent id":            {&qdrant.ScrollPoints{Offset: qdrant.NewID(uid(10))}, []int{}, 0},
			"the last page":                {&qdrant.ScrollPoints{Limit: limit(9)}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
			"an empty filter":              {&qdrant.ScrollPoints{Filter: &qdrant.Filter{}}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
			"an empty condition":           {&qdrant.ScrollPoints{Filter: must(&qdrant.Condition{})}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
			"a keyword":                    {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a"))}, []int{1, 5}, 0},
			"a keyword, paged":             {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a")), Limit: limit(1)}, []int{1}, 5},
			"an empty keyword":             {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", ""))}, []int{8}, 0},
			"a keyword too long for heads": {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", strings.Repeat("long", 500)))}, []int{2}, 0},
			"a number is no keyword":       {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "4"))}, []int{}, 0},
			"an unknown keyword":           {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "zzz"))}, []int{}, 0},
			"two conditions":               {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a"), qdrant.NewMatch(`tags."a.b"`, "x"))}, []int{5}, 0},
			"a quoted path is one key":     {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch(`tags."a.b"`, "x"))}, []int{5}, 0},
			// 3 has a fraction and 2 a text, which are no integers; ties are by id.
			"ascending":              {&qdrant.ScrollPoints{OrderBy: asc}, []int{5, 7, 8, 9, 1}, 0},
			"descending":             {&qdrant.ScrollPoints{OrderBy: desc}, []int{1, 9, 8, 7, 5}, 0},
			"the newest":             {&qdrant.ScrollPoints{OrderBy: desc, Limit: limit(2)}, []int{1, 9}, 0},
			"ordered and filtered":   {&qdrant.ScrollPoints{OrderBy: asc, Filter: must(qdrant.NewMatch("kind", "b"))}, []int{9}, 0},
			"ordered, none with one": {&qdrant.ScrollPoints{OrderBy: asc, Filter: must(qdrant.NewMatch("kind", strings.Repeat("long", 500)))}, []int{}, 0},
		} {
			got, next, err := f.scroll(test.r)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("round %d, %s: %v, %v; want %v", round, name, got, err, test.want)
			}
			want := ""
			if test.next != 0 {
				want = uid(test.next)
			}
			if next.GetUuid() != want {
				t.Errorf("round %d, %s: the next page begins at %q, want %q", round, name, next.GetUuid(), want)
			}
		}
		f.restart()
	}
	for n := 10; n < 20; n++ {
		f.must(f.upsert(n, nil))
	}
	if got, next, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 10 || next.GetUuid() != uid(11) {
		t.Errorf("without a limit: %v, %v, %v; want 10 points", got, next, err)
	}
	resp, err := f.points.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: "c", OrderBy: desc, Limit: limit(1)})
	if err != nil || resp.GetResult()[0].GetOrderValue().GetInt() != 30 || resp.GetResult()[0].GetPayload()["kind"].GetStringValue() != "a" {
		t.Errorf("ordered: %v, %v; want the order value and, by default, the payload", resp, err)
	}
}

func TestUpsertReplacesTheWholePoint(t *testing.T) {
	f := start(t)
	f.collection()
	f.must(f.upsert(1, map[string]any{"kind": "a", "n": 1, "big": strings.Repeat("y", 1000), "tags": map[string]any{"a.b": "x"}}))
	f.must(f.upsert(1, map[string]any{"kind": "b"}))
	for round := range 2 {
		resp, err := f.points.Get(ctx(), &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewID(uid(1))}, WithPayload: qdrant.NewWithPayload(true)})
		if err != nil || len(resp.GetResult()) != 1 || len(resp.GetResult()[0].GetPayload()) != 1 {
			t.Errorf("round %d: Get = %v, %v; want only kind", round, resp, err)
		}
		for keyword, want := range map[string]int{"a": 0, "b": 1} {
			if got, _, err := f.scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", keyword))}); err != nil || len(got) != want {
				t.Errorf("round %d: kind %s finds %v, %v", round, keyword, got, err)
			}
		}
		f.restart()
	}
	// Of one id given twice the last counts.
	_, err := f.points.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{
		{Id: qdrant.NewID(uid(2)), Payload: qdrant.NewValueMap(map[string]any{"kind": "first"}), Vectors: qdrant.NewVectorsMap(nil)},
		{Id: qdrant.NewID(strings.ToUpper(uid(2))), Payload: qdrant.NewValueMap(map[string]any{"kind": "last"}), Vectors: qdrant.NewVectorsMap(nil)},
	}})
	f.must(err)
	if got, _, err := f.scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "last"))}); err != nil || !slices.Equal(got, []int{2}) {
		t.Errorf("kind last finds %v, %v", got, err)
	}
}

func TestGetAndDelete(t *testing.T) {
	f := start(t)
	f.fill()
	ids := func(ns ...int) (ids []*qdrant.PointId) {
		for _, n := range ns {
			ids = append(ids, qdrant.NewID(uid(n)))
		}
		return ids
	}
	resp, err := f.points.Get(ctx(), &qdrant.GetPoints{CollectionName: "c", Ids: ids(9, 42, 1, 9)})
	f.must(err)
	if rs := resp.GetResult(); len(rs) != 2 || rs[0].GetId().GetUuid() != uid(9) || rs[1].GetId().GetUuid() != uid(1) || len(rs[0].GetPayload()) != 0 {
		t.Errorf("Get = %v; want 9 and 1, in that order, once, without payload", rs)
	}
	for range 2 {
		deleted, err := f.points.Delete(ctx(), &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelectorIDs(ids(9, 42, 4, 9))})
		if err != nil || deleted.GetResult().GetStatus() != qdrant.UpdateStatus_Completed {
			t.Errorf("Delete = %v, %v", deleted, err)
		}
		count, err := f.points.Count(ctx(), &qdrant.CountPoints{CollectionName: "c", Exact: qdrant.PtrOf(true)})
		if err != nil || count.GetResult().GetCount() != 7 {
			t.Errorf("Count = %v, %v; want 7", count, err)
		}
		f.restart()
	}
	f.must(f.upsert(9, map[string]any{"kind": "again"}))
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || !slices.Equal(got, []int{1, 2, 3, 5, 6, 7, 8, 9}) {
		t.Errorf("after deleting and adding: %v, %v", got, err)
	}
}

func TestCollectionsAndAliases(t *testing.T) {
	f := start(t)
	create := func(name string) error {
		_, err := f.collections.Create(ctx(), &qdrant.CreateCollection{
			CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Cosine}),
			HnswConfig: &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(16))},
		})
		return err
	}
	alias := func(alias, name string) error {
		_, err := f.collections.UpdateAliases(ctx(), &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{{
			Action: &qdrant.AliasOperations_CreateAlias{CreateAlias: &qdrant.CreateAlias{CollectionName: name, AliasName: alias}},
		}}})
		return err
	}
	for name, test := range map[string]struct {
		err  func() error
		want codes.Code
	}{
		"no name":          {func() error { return create("") }, codes.InvalidArgument},
		"alias of nothing": {func() error { return alias("x", "none") }, codes.NotFound},
		"a missing one":    {func() error { return f.upsert(1, nil) }, codes.NotFound},
		"described, missing": {func() error {
			_, err := f.collections.Get(ctx(), &qdrant.GetCollectionInfoRequest{CollectionName: "none"})
			return err
		}, codes.NotFound},
		"without vector size": {func() error {
			_, err := f.collections.Create(ctx(), &qdrant.CreateCollection{CollectionName: "x"})
			return err
		}, codes.InvalidArgument},
	} {
		if err := test.err(); status.Code(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	f.must(create("one"))
	f.must(create("two"))
	f.must(alias("c", "one"))
	if err := create("one"); status.Code(err) != codes.AlreadyExists {
		t.Errorf("creating it again: %v", err)
	}
	if err := create("c"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("creating one named like an alias: %v", err)
	}
	if err := alias("one", "two"); status.Code(err) != codes.AlreadyExists {
		t.Errorf("an alias named like a collection: %v", err)
	}
	f.index("kind", qdrant.FieldType_FieldTypeKeyword)
	f.must(f.upsert(1, map[string]any{"kind": "a"}))
	for range 2 {
		exists, err := f.collections.CollectionExists(ctx(), &qdrant.CollectionExistsRequest{CollectionName: "c"})
		if err != nil || !exists.GetResult().GetExists() {
			t.Errorf("CollectionExists of the alias = %v, %v", exists, err)
		}
		info, err := f.collections.Get(ctx(), &qdrant.GetCollectionInfoRequest{CollectionName: "one"})
		if err != nil || info.GetResult().GetPointsCount() != 1 || info.GetResult().GetConfig().GetHnswConfig().GetM() != 16 ||
			info.GetResult().GetConfig().GetParams().GetVectorsConfig().GetParams().GetSize() != 4 ||
			info.GetResult().GetPayloadSchema()["kind"].GetDataType() != qdrant.PayloadSchemaType_Keyword {
			t.Errorf("Get = %v, %v", info, err)
		}
		f.restart()
	}
	f.must(alias("c", "two"))
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 0 {
		t.Errorf("through the switched alias: %v, %v; want nothing", got, err)
	}
	aliases, err := f.collections.ListAliases(ctx(), &qdrant.ListAliasesRequest{})
	if err != nil || len(aliases.GetAliases()) != 1 || aliases.GetAliases()[0].GetCollectionName() != "two" {
		t.Errorf("ListAliases = %v, %v", aliases, err)
	}
}

func TestALateIndexCoversWhatIsStored(t *testing.T) {
	f := start(t)
	f.fill()
	f.index("tags", qdrant.FieldType_FieldTypeKeyword)
	f.index("big", qdrant.FieldType_FieldTypeKeyword)
	for range 2 {
		if got, _, err := f.scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("tags", "x"))}); err != nil || !slices.Equal(got, []int{6}) {
			t.Errorf("tags x finds %v, %v", got, err)
		}
		if got, _, err := f.scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("big", strings.Repeat("y", 5000)))}); err != nil || !slices.Equal(got, []int{9}) {
			t.Errorf("big finds %v, %v", got, err)
		}
		f.restart()
	}
}

func TestRefusals(t *testing.T) {
	f := start(t)
	f.fill()
	point := func(change func(*qdrant.PointStruct)) error {
		p := &qdrant.PointStruct{Id: qdrant.NewID(uid(77)), Vectors: qdrant.NewVectorsMap(nil)}
		change(p)
		_, err := f.points.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{p}})
		return err
	}
	scroll := func(r *qdrant.ScrollPoints) error {
		_, _, err := f.scroll(r)
		return err
	}
	query := func(r *qdrant.QueryPoints) error {
		r.CollectionName = "c"
		_, err := f.points.Query(ctx(), r)
		return err
	}
	for name, test := range map[string]struct {
		err  error
		want codes.Code
		text string
	}{
		"limit 0":             {scroll(&qdrant.ScrollPoints{Limit: qdrant.PtrOf(uint32(0))}), codes.InvalidArgument, "limit"},
		"order by no index":   {scroll(&qdrant.ScrollPoints{OrderBy: &qdrant.OrderBy{Key: "other"}}), codes.InvalidArgument, "No range index"},
		"order by a keyword":  {scroll(&qdrant.ScrollPoints{OrderBy: &qdrant.OrderBy{Key: "kind"}}), codes.InvalidArgument, "No range index"},
		"order and offset":    {scroll(&qdrant.ScrollPoints{OrderBy: &qdrant.OrderBy{Key: "n"}, Offset: qdrant.NewID(uid(1))}), codes.InvalidArgument, "offset"},
		"filter by no index":  {scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("other", "x"))}), codes.InvalidArgument, "Index required"},
		"ascending, spelled":  {scroll(&qdrant.ScrollPoints{OrderBy: &qdrant.OrderBy{Key: "n", StartFrom: qdrant.NewStartFromInt(1)}}), codes.Unimplemented, "start_from"},
		"should":              {scroll(&qdrant.ScrollPoints{Filter: &qdrant.Filter{Should: []*qdrant.Condition{qdrant.NewMatch("kind", "a")}}}), codes.Unimplemented, "should"},
		"must not":            {scroll(&qdrant.ScrollPoints{Filter: &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatch("kind", "a")}}}), codes.Unimplemented, "must_not"},
		"nested":              {scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewFilterAsCondition(must()))}), codes.Unimplemented, "filter"},
		"range":               {scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewRange("n", &qdrant.Range{}))}), codes.Unimplemented, "range"},
		"integer":             {scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatchInt("n", 1))}), codes.Unimplemented, "integer"},
		"has vector":          {scroll(&qdrant.ScrollPoints{Filter: must(qdrant.NewHasVector(""))}), codes.Unimplemented, "has_vector"},
		"some payload":        {scroll(&qdrant.ScrollPoints{WithPayload: qdrant.NewWithPayloadInclude("n")}), codes.Unimplemented, "include"},
		"vectors by name":     {scroll(&qdrant.ScrollPoints{WithVectors: qdrant.NewWithVectorsInclude("v")}), codes.Unimplemented, "include"},
		"a condition of none": {scroll(&qdrant.ScrollPoints{Filter: must(&qdrant.Condition{ConditionOneOf: &qdrant.Condition_Field{Field: &qdrant.FieldCondition{Key: "kind"}}})}), codes.InvalidArgument, "match"},
		"no vectors":          {point(func(p *qdrant.PointStruct) { p.Vectors = nil }), codes.InvalidArgument, "vectors"},
		"a sparse vector":     {point(func(p *qdrant.PointStruct) { p.Vectors = qdrant.NewVectorsSparse([]uint32{1}, []float32{1}) }), codes.Unimplemented, "sparse"},
		"a short vector":      {point(func(p *qdrant.PointStruct) { p.Vectors = qdrant.NewVectors(1, 2, 3) }), codes.InvalidArgument, "expected dim: 4"},
		"no number":           {point(func(p *qdrant.PointStruct) { p.Vectors = qdrant.NewVectors(1, 2, 3, float32(math.NaN())) }), codes.InvalidArgument, "finite"},
		"infinity":            {point(func(p *qdrant.PointStruct) { p.Vectors = qdrant.NewVectors(1, 2, 3, float32(math.Inf(-1))) }), codes.InvalidArgument, "finite"},
		"a query of nothing":  {query(&qdrant.QueryPoints{}), codes.InvalidArgument, "expected dim: 4"},
		"a query by id":       {query(&qdrant.QueryPoints{Query: qdrant.NewQueryID(qdrant.NewID(uid(1)))}), codes.Unimplemented, "id"},
		"a threshold":         {query(&qdrant.QueryPoints{Query: qdrant.NewQuery(1, 2, 3, 4), ScoreThreshold: qdrant.PtrOf(float32(1))}), codes.Unimplemented, "score_threshold"},
		"a named vector": {point(func(p *qdrant.PointStruct) {
			p.Vectors = qdrant.NewVectorsMap(map[string]*qdrant.Vector{"v": qdrant.NewVector(1)})
		}), codes.Unimplemented, "vectors"},
		"an unknown field": {point(func(p *qdrant.PointStruct) { p.ProtoReflect().SetUnknown([]byte("\x4a\x01x")) }), codes.Unimplemented, "unknown field"},
		"a number as id":   {point(func(p *qdrant.PointStruct) { p.Id = qdrant.NewIDNum(1) }), codes.Unimplemented, "num"},
		"no id":            {point(func(p *qdrant.PointStruct) { p.Id = nil }), codes.InvalidArgument, "UUID"},
		"not an id":        {point(func(p *qdrant.PointStruct) { p.Id = qdrant.NewID("i-0abc") }), codes.InvalidArgument, "UUID"},
		"an indexed array": {point(func(p *qdrant.PointStruct) { p.Payload = qdrant.NewValueMap(map[string]any{"kind": []any{"a"}}) }), codes.Unimplemented, "array"},
	} {
		if status.Code(test.err) != test.want || !strings.Contains(fmt.Sprint(test.err), test.text) {
			t.Errorf("%s: %v; want %s that names %q", name, test.err, test.want, test.text)
		}
	}
	for _, field := range []string{"", ".", "a.", `"a`, `"a\"b"`, "a b", "tags[].x"} {
		_, err := f.points.CreateFieldIndex(ctx(), &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: field, FieldType: qdrant.FieldType_FieldTypeKeyword.Enum()})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("an index of %q: %v", field, err)
		}
	}
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 9 {
		t.Errorf("after the refusals there are %v, %v", got, err)
	}
}

// methods lists all RPCs of Qdrant, with an empty request and reply of each.
func methods(t testing.TB) (names []string, inputs map[string]proto.Message) {
	t.Helper()
	inputs = map[string]proto.Message{}
	protoregistry.GlobalFiles.RangeFilesByPackage("qdrant", func(fd protoreflect.FileDescriptor) bool {
		for i := range fd.Services().Len() {
			s := fd.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				typ, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprintf("/%s/%s", s.FullName(), m.Name())
				names = append(names, name)
				inputs[name] = typ.New().Interface()
			}
		}
		return true
	})
	slices.Sort(names)
	if len(names) < 40 {
		t.Fatalf("Qdrant has more RPCs than %d", len(names))
	}
	return names, inputs
}

func TestEverythingElseIsUnimplemented(t *testing.T) {
	f := start(t)
	names, inputs := methods(t)
	surface := engine.Surface()
	for _, name := range names {
		err := f.conn.Invoke(ctx(), name, inputs[name], new(qdrant.HealthCheckReply))
		if listed := slices.Contains(surface, name); listed == (status.Code(err) == codes.Unimplemented) {
			t.Errorf("%s: %v; in Surface: %v", name, err, listed)
		}
	}
}

// FuzzRequests sends any bytes as any request: nothing panics, and what was
// stored stays readable.
func FuzzRequests(f *testing.F) {
	fx := start(f)
	fx.fill()
	names, inputs := methods(f)
	for i, name := range names {
		if slices.Contains(engine.Surface(), name) {
			f.Add(uint8(i), []byte("\x0a\x01c"))
		}
	}
	for i, seed := range map[string]proto.Message{
		"/qdrant.Points/Scroll": &qdrant.ScrollPoints{CollectionName: "c", Filter: must(qdrant.NewMatch("kind", "a")), OrderBy: &qdrant.OrderBy{Key: "n"}},
		"/qdrant.Points/Upsert": &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{Id: qdrant.NewID(uid(1)), Payload: qdrant.NewValueMap(map[string]any{"kind": "a", "x": []any{nil}}), Vectors: qdrant.NewVectorsMap(nil)}}},
		"/qdrant.Points/Get":    &qdrant.GetPoints{CollectionName: "c", Ids: []*qdrant.PointId{qdrant.NewID(uid(1))}, WithPayload: qdrant.NewWithPayload(true)},
	} {
		b, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(slices.Index(names, i)), b)
	}
	f.Fuzz(func(t *testing.T, method uint8, b []byte) {
		name := names[int(method)%len(names)]
		req := proto.Clone(inputs[name])
		if proto.Unmarshal(b, req) != nil {
			return
		}
		err := fx.conn.Invoke(ctx(), name, req, new(qdrant.HealthCheckReply))
		if code := status.Code(err); code == codes.DataLoss || code == codes.Unavailable {
			t.Fatalf("%s of %v: %v", name, req, err)
		}
		if ps := fx.eng.Problems(); len(ps) > 0 {
			t.Fatalf("%s of %v leaves damage: %v", name, req, ps)
		}
	})
}

func TestACutShortCreationLeavesNothingNamed(t *testing.T) {
	f := start(t)
	f.fill()
	// A folder that no catalogue names is what a crash leaves.
	if err := os.MkdirAll(filepath.Join(f.dir, "00000000-0000-4000-8000-000000000000"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.restart()
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 9 {
		t.Errorf("after the crash there are %v, %v", got, err)
	}
}
