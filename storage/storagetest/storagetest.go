// Package storagetest holds what storage expects of a Qdrant, as one suite that
// any Qdrant can be put to, and a stand-in for the qdrant binary.
//
// Its entry points are Run and Serve. The suite asks for nothing that storage
// does not send.
package storagetest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Run puts a Qdrant to the suite. What it makes there has random names, and is
// deleted where the Qdrant can.
func Run(t *testing.T, client *qdrant.Client) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"collections", (*suite).collections},
		{"aliases", (*suite).aliases},
		{"indexes", (*suite).indexes},
		{"late indexes", (*suite).lateIndexes},
		{"scroll", (*suite).scroll},
		{"order", (*suite).order},
		{"get", (*suite).get},
		{"ids", (*suite).ids},
		{"upsert", (*suite).upsert},
		{"delete", (*suite).delete},
		{"nearest", (*suite).nearest},
		{"scores", (*suite).scores},
		{"vectors come and go", (*suite).vectors},
		{"fields are set", (*suite).setPayload},
		{"malformed vectors", (*suite).malformedVectors},
		{"malformed requests", (*suite).malformedRequests},
		{"large pages", (*suite).largePages},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &suite{t: t, client: client, c: "suite_" + uuid.NewString()}
			test.run(s)
		})
	}
}

// suite is one test with a collection name of its own.
type suite struct {
	t      *testing.T
	client *qdrant.Client
	c      string
}

func ctx() context.Context { return context.Background() }

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// refused checks the code of an error, and that it names something.
func (s *suite) refused(what string, err error, want codes.Code, names string) {
	s.t.Helper()
	if code(err) != want || !strings.Contains(fmt.Sprint(err), names) {
		s.t.Errorf("%s: %v; want %s that names %q", what, err, want, names)
	}
}

// code is that of an error which the client may have wrapped.
func code(err error) codes.Code {
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.Unknown
}

func (s *suite) create(name string, size uint64, d qdrant.Distance) error {
	err := s.client.CreateCollection(ctx(), &qdrant.CreateCollection{
		CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: size, Distance: d}),
		HnswConfig: &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(16)), EfConstruct: qdrant.PtrOf(uint64(100)), FullScanThreshold: qdrant.PtrOf(uint64(10000))},
	})
	if err == nil {
		s.t.Cleanup(func() {
			if err := s.client.DeleteCollection(ctx(), name); err != nil && code(err) != codes.Unimplemented {
				s.t.Error(err)
			}
		})
	}
	return err
}

// filled makes the collection and fills it.
func (s *suite) filled() {
	s.t.Helper()
	s.must(s.create(s.c, 2, qdrant.Distance_Dot))
	s.index("kind", qdrant.FieldType_FieldTypeKeyword)
	s.index(`tags."a.b"`, qdrant.FieldType_FieldTypeKeyword)
	s.index("n", qdrant.FieldType_FieldTypeInteger)
	for n, payload := range map[int]map[string]any{
		5: {"kind": "a", "n": 10, "tags": map[string]any{"a.b": "x"}},
		1: {"kind": "a", "n": 30},
		9: {"kind": "b", "n": 20, "big": strings.Repeat("y", 5000)},
		3: {"kind": "b", "n": 22.0},
		7: {"n": 11, "kind": 4},
		2: {"kind": strings.Repeat("long", 500), "n": "10", "tags": map[string]any{"a": map[string]any{"b": "x"}}},
		4: {"n": 21.5},
		6: {"kind": nil, "n": nil, "tags": "x"},
		8: {"kind": "", "n": 21},
	} {
		s.must(s.put(n, payload, nil))
	}
}

func (s *suite) index(field string, typ qdrant.FieldType) {
	s.t.Helper()
	s.must(s.tryIndex(field, typ))
}

func (s *suite) tryIndex(field string, typ qdrant.FieldType) error {
	_, err := s.client.CreateFieldIndex(ctx(), &qdrant.CreateFieldIndexCollection{
		CollectionName: s.c, FieldName: field, FieldType: &typ, Wait: qdrant.PtrOf(true),
	})
	return err
}

// id is the n-th point id.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

func ids(ns ...int) (all []*qdrant.PointId) {
	for _, n := range ns {
		all = append(all, qdrant.NewIDUUID(id(n)))
	}
	return all
}

func number(p *qdrant.PointId) (n int) {
	fmt.Sscanf(p.GetUuid()[max(0, len(p.GetUuid())-12):], "%x", &n)
	return n
}

// vectors are those of one point; a nil vector is none.
func vectors(v []float32) *qdrant.Vectors {
	if v == nil {
		return qdrant.NewVectorsMap(map[string]*qdrant.Vector{})
	}
	return qdrant.NewVectorsDense(v)
}

func (s *suite) put(n int, payload map[string]any, vector []float32) error {
	return s.putAll(&qdrant.PointStruct{Id: qdrant.NewIDUUID(id(n)), Payload: qdrant.NewValueMap(payload), Vectors: vectors(vector)})
}

func (s *suite) putAll(points ...*qdrant.PointStruct) error {
	result, err := s.client.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: s.c, Points: points, Wait: qdrant.PtrOf(true)})
	if err == nil && result.GetStatus() != qdrant.UpdateStatus_Completed {
		err = fmt.Errorf("the upsert is %s", result.GetStatus())
	}
	return err
}

func must(cs ...*qdrant.Condition) *qdrant.Filter { return &qdrant.Filter{Must: cs} }

// page returns the numbers of the points found, and of the first of the next page.
func (s *suite) page(r *qdrant.ScrollPoints) (ns []int, next int, err error) {
	r.CollectionName = s.c
	if r.WithPayload == nil {
		r.WithPayload = qdrant.NewWithPayload(true)
	}
	points, offset, err := s.client.ScrollAndOffset(ctx(), r)
	for _, p := range points {
		ns = append(ns, number(p.GetId()))
	}
	if offset != nil {
		next = number(offset)
	}
	return ns, next, err
}

func (s *suite) all(want ...int) {
	s.t.Helper()
	if got, _, err := s.page(&qdrant.ScrollPoints{Limit: qdrant.PtrOf(uint32(1000))}); err != nil || !slices.Equal(got, want) {
		s.t.Errorf("the collection has %v, %v; want %v", got, err, want)
	}
	count, err := s.client.Count(ctx(), &qdrant.CountPoints{CollectionName: s.c, Exact: qdrant.PtrOf(true)})
	if err != nil || int(count) != len(want) {
		s.t.Errorf("Count = %d, %v; want %d", count, err, len(want))
	}
}

func (s *suite) collections() {
	if exists, err := s.client.CollectionExists(ctx(), s.c); exists || err != nil {
		s.t.Errorf("before its creation: %v, %v", exists, err)
	}
	_, err := s.client.GetCollectionInfo(ctx(), s.c)
	s.refused("the schema of none", err, codes.NotFound, "doesn't exist")
	s.refused("a point of none", s.put(1, nil, nil), codes.NotFound, "doesn't exist")
	_, err = s.client.Count(ctx(), &qdrant.CountPoints{CollectionName: s.c, Exact: qdrant.PtrOf(true)})
	s.refused("the size of none", err, codes.NotFound, "doesn't exist")
	s.must(s.create(s.c, 384, qdrant.Distance_Euclid))
	s.refused("creating it again", s.create(s.c, 384, qdrant.Distance_Euclid), codes.AlreadyExists, "already exists")
	if exists, err := s.client.CollectionExists(ctx(), s.c); !exists || err != nil {
		s.t.Errorf("after its creation: %v, %v", exists, err)
	}
	info, err := s.client.GetCollectionInfo(ctx(), s.c)
	params, hnsw := info.GetConfig().GetParams().GetVectorsConfig().GetParams(), info.GetConfig().GetHnswConfig()
	if err != nil || params.GetSize() != 384 || params.GetDistance() != qdrant.Distance_Euclid || hnsw.GetM() != 16 ||
		hnsw.GetEfConstruct() != 100 || hnsw.GetFullScanThreshold() != 10000 || len(info.GetPayloadSchema()) != 0 ||
		info.GetPointsCount() != 0 || info.GetStatus() != qdrant.CollectionStatus_Green {
		s.t.Errorf("GetCollectionInfo = %v, %v", info, err)
	}
	for name, size := range map[string]uint64{"": 4, s.c + "_0": 0, s.c + "_large": 65537} {
		s.refused(fmt.Sprintf("%q of size %d", name, size), s.create(name, size, qdrant.Distance_Dot), codes.InvalidArgument, "")
	}
}

func (s *suite) aliases() {
	alias := s.c + "_alias"
	s.must(s.create(s.c, 4, qdrant.Distance_Cosine))
	s.refused("an alias of none", s.client.CreateAlias(ctx(), alias, s.c+"_none"), codes.NotFound, "doesn't exist")
	s.must(s.client.CreateAlias(ctx(), alias, s.c))
	s.refused("a collection named like an alias", s.create(alias, 4, qdrant.Distance_Cosine), codes.InvalidArgument, "already exists")
	s.refused("an alias named like a collection", s.client.CreateAlias(ctx(), s.c, s.c), codes.AlreadyExists, "already exists")
	s.must(s.put(1, map[string]any{"a": "b"}, nil))
	exists, err := s.client.CollectionExists(ctx(), alias)
	if count, _ := s.client.Count(ctx(), &qdrant.CountPoints{CollectionName: alias, Exact: qdrant.PtrOf(true)}); err != nil || !exists || count != 1 {
		s.t.Errorf("through the alias: it exists: %v, %v; it has %d points", exists, err, count)
	}
	second := s.c + "_2"
	s.must(s.create(second, 4, qdrant.Distance_Cosine))
	s.must(s.client.CreateAlias(ctx(), alias, second))
	all, err := s.client.ListAliases(ctx())
	s.must(err)
	named := map[string]string{}
	for _, a := range all {
		named[a.GetAliasName()] = a.GetCollectionName()
	}
	if count, err := s.client.Count(ctx(), &qdrant.CountPoints{CollectionName: alias, Exact: qdrant.PtrOf(true)}); err != nil || count != 0 || named[alias] != second {
		s.t.Errorf("the switched alias names %q, with %d points, %v", named[alias], count, err)
	}
}

func (s *suite) indexes() {
	s.must(s.create(s.c, 1, qdrant.Distance_Dot))
	want := map[string]qdrant.PayloadSchemaType{}
	for typ, schema := range map[qdrant.FieldType]qdrant.PayloadSchemaType{
		qdrant.FieldType_FieldTypeKeyword: qdrant.PayloadSchemaType_Keyword, qdrant.FieldType_FieldTypeInteger: qdrant.PayloadSchemaType_Integer,
		qdrant.FieldType_FieldTypeFloat: qdrant.PayloadSchemaType_Float, qdrant.FieldType_FieldTypeBool: qdrant.PayloadSchemaType_Bool,
		qdrant.FieldType_FieldTypeGeo: qdrant.PayloadSchemaType_Geo, qdrant.FieldType_FieldTypeText: qdrant.PayloadSchemaType_Text,
	} {
		field := fmt.Sprintf(`tags."%s key"`, strings.ToLower(schema.String()))
		for range 2 { // again is no error
			s.index(field, typ)
		}
		want[field] = schema
	}
	s.must(s.putAll(&qdrant.PointStruct{Id: ids(1)[0], Vectors: vectors(nil), Payload: map[string]*qdrant.Value{
		"tags": qdrant.NewValueFromFields(map[string]*qdrant.Value{
			"keyword key": qdrant.NewValueString("a"), "integer key": qdrant.NewValueInt(1), "float key": qdrant.NewValueDouble(1.5),
			"bool key": qdrant.NewValueBool(true), "text key": qdrant.NewValueString("some words"),
			"geo key": qdrant.NewValueFromFields(map[string]*qdrant.Value{"lon": qdrant.NewValueDouble(13.4), "lat": qdrant.NewValueDouble(52.5)}),
		}),
	}}))
	info, err := s.client.GetCollectionInfo(ctx(), s.c)
	s.must(err)
	got := map[string]qdrant.PayloadSchemaType{}
	for field, i := range info.GetPayloadSchema() {
		got[field] = i.GetDataType()
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("the schema is %v, want %v", got, want)
	}
	for _, field := range []string{"a.", `"a`, `"a\"b"`, "a b", "."} {
		s.refused("an index of "+field, s.tryIndex(field, qdrant.FieldType_FieldTypeKeyword), codes.InvalidArgument, "json path")
	}
}

func (s *suite) lateIndexes() {
	s.filled()
	s.index("tags", qdrant.FieldType_FieldTypeKeyword)
	s.index("big", qdrant.FieldType_FieldTypeKeyword)
	for field, test := range map[string]struct {
		value string
		want  int
	}{"tags": {"x", 6}, "big": {strings.Repeat("y", 5000), 9}} {
		got, _, err := s.page(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch(field, test.value))})
		if err != nil || !slices.Equal(got, []int{test.want}) {
			s.t.Errorf("%s finds %v, %v; want %d", field, got, err, test.want)
		}
	}
}

func (s *suite) scroll() {
	s.filled()
	limit := func(n uint32) *uint32 { return &n }
	for name, test := range map[string]struct {
		r    *qdrant.ScrollPoints
		want []int
		next int
	}{
		"all, by id":                  {&qdrant.ScrollPoints{}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"a page":                      {&qdrant.ScrollPoints{Limit: limit(3)}, []int{1, 2, 3}, 4},
		"from an id on":               {&qdrant.ScrollPoints{Limit: limit(3), Offset: ids(4)[0]}, []int{4, 5, 6}, 7},
		"from an absent id":           {&qdrant.ScrollPoints{Offset: ids(10)[0]}, nil, 0},
		"the last page":               {&qdrant.ScrollPoints{Limit: limit(9)}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"an empty filter":             {&qdrant.ScrollPoints{Filter: must()}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"an empty condition":          {&qdrant.ScrollPoints{Filter: must(&qdrant.Condition{})}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, 0},
		"a keyword":                   {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a"))}, []int{1, 5}, 0},
		"a keyword, paged":            {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a")), Limit: limit(1)}, []int{1}, 5},
		"an empty keyword":            {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", ""))}, []int{8}, 0},
		"a keyword of 2000 letters":   {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", strings.Repeat("long", 500)))}, []int{2}, 0},
		"a number is no keyword":      {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "4"))}, nil, 0},
		"keywords have case":          {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "A"))}, nil, 0},
		"an unknown keyword":          {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "zzz"))}, nil, 0},
		"two conditions":              {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a"), qdrant.NewMatch(`tags."a.b"`, "x"))}, []int{5}, 0},
		"two that exclude each other": {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", "a"), qdrant.NewMatch("kind", "b"))}, nil, 0},
		"a quoted path is one key":    {&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch(`tags."a.b"`, "x"))}, []int{5}, 0},
		"ids":                         {&qdrant.ScrollPoints{Filter: must(qdrant.NewHasID(ids(9, 42, 1, 9)...))}, []int{1, 9}, 0},
		"no ids":                      {&qdrant.ScrollPoints{Filter: must(qdrant.NewHasID())}, nil, 0},
		"ids and a keyword":           {&qdrant.ScrollPoints{Filter: must(qdrant.NewHasID(ids(9, 1)...), qdrant.NewMatch("kind", "b"))}, []int{9}, 0},
		"ids twice":                   {&qdrant.ScrollPoints{Filter: must(qdrant.NewHasID(ids(9, 1)...), qdrant.NewHasID(ids(1, 2)...))}, []int{1}, 0},
	} {
		got, next, err := s.page(test.r)
		if err != nil || !slices.Equal(got, test.want) || next != test.next {
			s.t.Errorf("%s: %v, then %d, %v; want %v, then %d", name, got, next, err, test.want, test.next)
		}
	}
	for n := 10; n < 20; n++ {
		s.must(s.put(n, nil, nil))
	}
	if got, next, err := s.page(&qdrant.ScrollPoints{}); err != nil || len(got) != 10 || next != 11 {
		s.t.Errorf("without a limit: %v, then %d, %v; want 10 points", got, next, err)
	}
}

func (s *suite) order() {
	s.filled()
	desc := &qdrant.OrderBy{Key: "n", Direction: qdrant.PtrOf(qdrant.Direction_Desc)}
	for name, test := range map[string]struct {
		limit  uint32
		filter *qdrant.Filter
		want   []int
	}{
		// 2 has a text and 4 a fraction, which are no integers; the double of 3 is one.
		"all":      {10, nil, []int{1, 3, 8, 9, 7, 5}},
		"the top":  {2, nil, []int{1, 3}},
		"filtered": {10, must(qdrant.NewMatch("kind", "b")), []int{3, 9}},
		"none":     {10, must(qdrant.NewMatch("kind", strings.Repeat("long", 500))), nil},
	} {
		got, next, err := s.page(&qdrant.ScrollPoints{OrderBy: desc, Limit: &test.limit, Filter: test.filter})
		if err != nil || !slices.Equal(got, test.want) || next != 0 {
			s.t.Errorf("%s: %v, then %d, %v; want %v", name, got, next, err, test.want)
		}
	}
	points, err := s.client.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: s.c, OrderBy: desc, Limit: qdrant.PtrOf(uint32(1)), WithPayload: qdrant.NewWithPayload(true)})
	if err != nil || len(points) != 1 || points[0].GetOrderValue().GetInt() != 30 || points[0].GetPayload()["kind"].GetStringValue() != "a" {
		s.t.Errorf("the top = %v, %v; want its order value and its payload", points, err)
	}
	s.must(s.put(40, map[string]any{"n": 99}, nil))
	s.must(s.put(41, map[string]any{"n": 99}, nil))
	if got, _, err := s.page(&qdrant.ScrollPoints{OrderBy: desc, Limit: qdrant.PtrOf(uint32(2))}); err != nil || !slices.Equal(got, []int{41, 40}) {
		s.t.Errorf("of equal values come %v, %v; want the later id first", got, err)
	}
	for _, key := range []string{"other", "kind"} {
		_, _, err := s.page(&qdrant.ScrollPoints{OrderBy: &qdrant.OrderBy{Key: key}})
		s.refused("by "+key, err, codes.InvalidArgument, "No range index")
	}
	_, _, err = s.page(&qdrant.ScrollPoints{OrderBy: desc, Offset: ids(1)[0]})
	s.refused("ordered from an id on", err, codes.InvalidArgument, "offset")
}

func (s *suite) get() {
	s.filled()
	for _, payload := range []bool{false, true} {
		points, err := s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(9, 42, 1, 9), WithPayload: qdrant.NewWithPayload(payload)})
		if err != nil || len(points) != 2 || number(points[0].GetId()) != 9 || number(points[1].GetId()) != 1 {
			s.t.Fatalf("Get = %v, %v; want 9 and 1, in that order, once", points, err)
		}
		if has := points[0].GetPayload()["big"].GetStringValue() == strings.Repeat("y", 5000); has != payload {
			s.t.Errorf("with payload %v: %v", payload, points[0])
		}
	}
	points, err := s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(1)})
	if err != nil || len(points) != 1 || len(points[0].GetPayload()) != 0 {
		s.t.Errorf("by default Get = %v, %v; want no payload", points, err)
	}
	if points, err := s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c}); err != nil || len(points) != 0 {
		s.t.Errorf("Get of nothing = %v, %v", points, err)
	}
}

func (s *suite) ids() {
	s.must(s.create(s.c, 1, qdrant.Distance_Dot))
	long := "8F14E45F-CEEA-467F-A0E6-DCF2B1FA3C11"
	for _, form := range []string{long, strings.ReplaceAll(long, "-", ""), strings.ToLower(long)} {
		s.must(s.putAll(&qdrant.PointStruct{Id: qdrant.NewIDUUID(form), Vectors: vectors(nil)}))
	}
	points, err := s.client.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: s.c})
	if err != nil || len(points) != 1 || points[0].GetId().GetUuid() != strings.ToLower(long) {
		s.t.Errorf("three forms of one id make %v, %v; want one, in lower case with hyphens", points, err)
	}
	for _, bad := range []string{"", "i-0abc", "123456789012-us-west-2-pg-instance-main1", id(1) + "0", strings.Repeat("x", 10000)} {
		err := s.putAll(&qdrant.PointStruct{Id: qdrant.NewIDUUID(bad), Vectors: vectors(nil)})
		s.refused("the id "+bad[:min(len(bad), 50)], err, codes.InvalidArgument, "UUID")
	}
	// The order is that of the 128 bits.
	s.must(s.putAll(
		&qdrant.PointStruct{Id: qdrant.NewIDUUID("ffffffff-ffff-ffff-ffff-ffffffffffff"), Vectors: vectors(nil)},
		&qdrant.PointStruct{Id: qdrant.NewIDUUID("00000000-0000-0000-0000-000000000000"), Vectors: vectors(nil)},
	))
	points, err = s.client.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: s.c})
	if err != nil || len(points) != 3 || points[0].GetId().GetUuid()[0] != '0' || points[2].GetId().GetUuid()[0] != 'f' {
		s.t.Errorf("in order: %v, %v", points, err)
	}
}

func (s *suite) upsert() {
	s.filled()
	s.must(s.put(5, map[string]any{"kind": "b"}, nil))
	points, err := s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(5), WithPayload: qdrant.NewWithPayload(true)})
	if err != nil || len(points) != 1 || len(points[0].GetPayload()) != 1 {
		s.t.Errorf("an upsert leaves %v, %v; want the new payload only", points, err)
	}
	for keyword, want := range map[string][]int{"a": {1}, "b": {3, 5, 9}} {
		if got, _, err := s.page(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", keyword))}); err != nil || !slices.Equal(got, want) {
			s.t.Errorf("kind %s finds %v, %v; want %v", keyword, got, err, want)
		}
	}
	s.must(s.putAll(
		&qdrant.PointStruct{Id: ids(20)[0], Payload: qdrant.NewValueMap(map[string]any{"kind": "first"}), Vectors: vectors(nil)},
		&qdrant.PointStruct{Id: ids(20)[0], Payload: qdrant.NewValueMap(map[string]any{"kind": "last"}), Vectors: vectors(nil)},
	))
	for keyword, want := range map[string][]int{"first": nil, "last": {20}} {
		if got, _, err := s.page(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatch("kind", keyword))}); err != nil || !slices.Equal(got, want) {
			s.t.Errorf("of an id given twice, kind %s finds %v, %v; want %v", keyword, got, err, want)
		}
	}
	s.all(1, 2, 3, 4, 5, 6, 7, 8, 9, 20)
	// One malformed point keeps back its whole request.
	err = s.putAll(&qdrant.PointStruct{Id: ids(30)[0], Vectors: vectors(nil)}, &qdrant.PointStruct{Id: qdrant.NewIDUUID("?"), Vectors: vectors(nil)})
	s.refused("a malformed point", err, codes.InvalidArgument, "UUID")
	s.all(1, 2, 3, 4, 5, 6, 7, 8, 9, 20)
	values := qdrant.NewValueMap(map[string]any{
		"text": "ü\x00\U0001F600", "empty": "", "int": math.MaxInt64, "least": math.MinInt64, "double": -0.5, "true": true, "nil": nil,
		"list": []any{"a", 1, nil, []any{}}, "map": map[string]any{"a": map[string]any{"b": "c"}, "": "empty key", "k \"q\" \\": 1},
	})
	s.must(s.putAll(&qdrant.PointStruct{Id: ids(21)[0], Payload: values, Vectors: vectors(nil)}))
	points, err = s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(21), WithPayload: qdrant.NewWithPayload(true)})
	s.must(err)
	if len(points) != 1 || len(points[0].GetPayload()) != len(values) {
		s.t.Fatalf("Get = %v", points)
	}
	for name, want := range values {
		if got := points[0].GetPayload()[name]; got.String() != want.String() {
			s.t.Errorf("%s comes back as %v, went as %v", name, got, want)
		}
	}
}

func (s *suite) delete() {
	s.filled()
	for range 2 {
		result, err := s.client.Delete(ctx(), &qdrant.DeletePoints{
			CollectionName: s.c, Points: qdrant.NewPointsSelectorIDs(ids(9, 42, 4, 9)), Wait: qdrant.PtrOf(true),
		})
		if err != nil || result.GetStatus() != qdrant.UpdateStatus_Completed {
			s.t.Errorf("Delete = %v, %v", result, err)
		}
		s.all(1, 2, 3, 5, 6, 7, 8)
	}
	s.must(s.put(9, map[string]any{"kind": "again"}, nil))
	s.all(1, 2, 3, 5, 6, 7, 8, 9)
	_, err := s.client.Delete(ctx(), &qdrant.DeletePoints{CollectionName: s.c, Wait: qdrant.PtrOf(true)})
	s.refused("a deletion of nothing", err, codes.InvalidArgument, "")
}

func (s *suite) query(vector []float32, limit uint64, filter *qdrant.Filter) ([]*qdrant.ScoredPoint, error) {
	return s.client.Query(ctx(), &qdrant.QueryPoints{
		CollectionName: s.c, Query: qdrant.NewQueryDense(vector), Filter: filter, Limit: &limit, WithPayload: qdrant.NewWithPayload(true),
	})
}

func numbers(ps []*qdrant.ScoredPoint) (ns []int) {
	for _, p := range ps {
		ns = append(ns, number(p.GetId()))
	}
	return ns
}

func (s *suite) nearest() {
	s.filled()
	for n := range 20 {
		kind := "even"
		if n%2 == 1 {
			kind = "odd"
		}
		s.must(s.put(100+n, map[string]any{"kind": kind, "big": strings.Repeat("z", 400)}, []float32{float32(n), 1}))
	}
	for name, test := range map[string]struct {
		vector []float32
		limit  uint64
		filter *qdrant.Filter
		want   []int
	}{
		"three":             {[]float32{1, 0}, 3, nil, []int{119, 118, 117}},
		"the other way":     {[]float32{-1, 0}, 3, nil, []int{100, 101, 102}},
		"filtered":          {[]float32{1, 0}, 3, must(qdrant.NewMatch("kind", "odd")), []int{119, 117, 115}},
		"none matches":      {[]float32{1, 0}, 3, must(qdrant.NewMatch("kind", "none")), nil},
		"without a vector":  {[]float32{1, 0}, 3, must(qdrant.NewMatch("kind", "a")), nil},
		"ids":               {[]float32{1, 0}, 3, must(qdrant.NewHasID(ids(1, 5, 105, 104, 42)...)), []int{105, 104}},
		"more than are":     {[]float32{1, 0}, 5, must(qdrant.NewHasID(ids(105, 104)...)), []int{105, 104}},
		"an empty filter":   {[]float32{1, 0}, 1, must(), []int{119}},
		"two conditions":    {[]float32{1, 0}, 1, must(qdrant.NewMatch("kind", "odd"), qdrant.NewHasID(ids(101, 102, 104)...)), []int{101}},
		"an enormous limit": {[]float32{1, 0}, 1 << 30, must(qdrant.NewHasID(ids(105)...)), []int{105}},
	} {
		got, err := s.query(test.vector, test.limit, test.filter)
		if err != nil || !slices.Equal(numbers(got), test.want) {
			s.t.Errorf("%s: %v, %v; want %v", name, numbers(got), err, test.want)
		}
	}
	got, err := s.query([]float32{1, 0}, 1, nil)
	if err != nil || got[0].GetPayload()["kind"].GetStringValue() != "odd" || len(got[0].GetPayload()["big"].GetStringValue()) != 400 {
		s.t.Errorf("with payload: %v, %v", got, err)
	}
	got, err = s.client.Query(ctx(), &qdrant.QueryPoints{CollectionName: s.c, Query: qdrant.NewQueryDense([]float32{1, 0})})
	if err != nil || len(got) != 10 || len(got[0].GetPayload()) != 0 {
		s.t.Errorf("by default: %d points, %v; want 10, without payload", len(got), err)
	}
}

func (s *suite) scores() {
	stored := map[int][]float32{1: {3, 4}, 2: {0.5, 0}, 3: {-1, -1}, 4: {0, 0}}
	for d, want := range map[qdrant.Distance]map[int]float64{
		qdrant.Distance_Dot:       {1: 10, 2: 1, 4: 0, 3: -3},
		qdrant.Distance_Cosine:    {1: 10 / (5 * math.Sqrt(5)), 2: 2 / math.Sqrt(5), 4: 0, 3: -3 / math.Sqrt(10)},
		qdrant.Distance_Euclid:    {2: math.Sqrt(1.5*1.5 + 1), 4: math.Sqrt(5), 1: math.Sqrt(10), 3: math.Sqrt(13)},
		qdrant.Distance_Manhattan: {2: 2.5, 4: 3, 1: 4, 3: 5},
	} {
		s.c = "suite_" + uuid.NewString()
		s.must(s.create(s.c, 2, d))
		for n, v := range stored {
			s.must(s.put(n, nil, v))
		}
		got, err := s.query([]float32{2, 1}, 10, nil)
		if err != nil || len(got) != len(want) {
			s.t.Fatalf("%s: %v, %v", d, got, err)
		}
		near := func(a, b float64) bool { return a < b }
		if d == qdrant.Distance_Dot || d == qdrant.Distance_Cosine {
			near = func(a, b float64) bool { return a > b }
		}
		for i, p := range got {
			if n := number(p.GetId()); math.Abs(float64(p.GetScore())-want[n]) > 1e-6 {
				s.t.Errorf("%s: point %d has score %v, want %v", d, n, p.GetScore(), want[n])
			}
			if i > 0 && near(float64(p.GetScore()), float64(got[i-1].GetScore())) {
				s.t.Errorf("%s: out of order: %v", d, got)
			}
		}
		if got, err := s.query([]float32{0, 0}, 10, nil); err != nil || len(got) != len(stored) {
			s.t.Errorf("%s: the zero vector finds %v, %v", d, got, err)
		}
	}
}

func (s *suite) updateVectors(points ...*qdrant.PointVectors) error {
	result, err := s.client.UpdateVectors(ctx(), &qdrant.UpdatePointVectors{CollectionName: s.c, Points: points, Wait: qdrant.PtrOf(true)})
	if err == nil && result.GetStatus() != qdrant.UpdateStatus_Completed {
		err = fmt.Errorf("the update is %s", result.GetStatus())
	}
	return err
}

func (s *suite) vectors() {
	s.must(s.create(s.c, 2, qdrant.Distance_Dot))
	finds := func(want ...int) {
		s.t.Helper()
		got, err := s.query([]float32{1, 0}, 10, nil)
		if err != nil || !slices.Equal(numbers(got), want) {
			s.t.Errorf("Query finds %v, %v; want %v", numbers(got), err, want)
		}
	}
	for n := 1; n <= 4; n++ {
		s.must(s.put(n, map[string]any{"keep": "this"}, nil))
	}
	finds()
	s.must(s.updateVectors(
		&qdrant.PointVectors{Id: ids(1)[0], Vectors: vectors([]float32{1, 0})}, &qdrant.PointVectors{Id: ids(2)[0], Vectors: vectors([]float32{2, 0})},
	))
	finds(2, 1)
	s.must(s.updateVectors(&qdrant.PointVectors{Id: ids(1)[0], Vectors: vectors([]float32{3, 0})}))
	finds(1, 2)
	got, err := s.query([]float32{1, 0}, 10, nil)
	if err != nil || len(got) != 2 || got[0].GetPayload()["keep"].GetStringValue() != "this" {
		s.t.Errorf("a new vector leaves %v, %v; want the payload as it was", got, err)
	}
	s.must(s.put(3, nil, []float32{9, 0}))
	s.must(s.put(1, nil, nil)) // an upsert without a vector takes it away
	finds(3, 2)
	_, err = s.client.Delete(ctx(), &qdrant.DeletePoints{CollectionName: s.c, Points: qdrant.NewPointsSelectorIDs(ids(3)), Wait: qdrant.PtrOf(true)})
	s.must(err)
	finds(2)
	s.must(s.put(3, nil, []float32{1, 1}))
	finds(2, 3)
	stored, err := s.client.Scroll(ctx(), &qdrant.ScrollPoints{
		CollectionName: s.c, WithVectors: qdrant.NewWithVectors(true), WithPayload: qdrant.NewWithPayload(false),
	})
	s.must(err)
	for _, p := range stored {
		want := map[string][]float32{id(2): {2, 0}, id(3): {1, 1}}[p.GetId().GetUuid()]
		v := p.GetVectors().GetVector()
		got := v.GetDense().GetData()
		if got == nil {
			//lint:ignore SA1019 servers up to 1.17 answer so
			got = v.GetData()
		}
		if !slices.Equal(got, want) {
			s.t.Errorf("the vector of %s reads %v, want %v", p.GetId().GetUuid(), got, want)
		}
	}
	err = s.updateVectors(&qdrant.PointVectors{Id: ids(2)[0], Vectors: vectors([]float32{0, 0})}, &qdrant.PointVectors{Id: ids(77)[0], Vectors: vectors([]float32{1, 1})})
	s.refused("the vector of none", err, codes.NotFound, id(77))
	s.all(1, 2, 3, 4)
}

func (s *suite) setPayload() {
	s.must(s.create(s.c, 2, qdrant.Distance_Dot))
	s.index("state", qdrant.FieldType_FieldTypeKeyword)
	large := strings.Repeat("large ", 100)
	for n := 1; n <= 3; n++ {
		s.must(s.put(n, map[string]any{"keep": "this", "state": "old", "sealed": large}, []float32{float32(n), 0}))
	}
	set := func(n int, fields map[string]any) *qdrant.PointsUpdateOperation {
		return qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{
			Payload: qdrant.NewValueMap(fields), PointsSelector: qdrant.NewPointsSelectorIDs(ids(n)),
		})
	}
	update := func(ops ...*qdrant.PointsUpdateOperation) error {
		results, err := s.client.UpdateBatch(ctx(), &qdrant.UpdateBatchPoints{CollectionName: s.c, Operations: ops, Wait: qdrant.PtrOf(true)})
		if err == nil && len(results) != len(ops) {
			err = fmt.Errorf("%d results of %d operations", len(results), len(ops))
		}
		for _, r := range results {
			if r.GetStatus() != qdrant.UpdateStatus_Completed {
				err = fmt.Errorf("an update is %s", r.GetStatus())
			}
		}
		return err
	}
	s.must(update(set(1, map[string]any{"sealed": "short"}), set(2, map[string]any{"state": "new"}), set(2, map[string]any{"state": "newer"})))
	got, err := s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(1, 2), WithPayload: qdrant.NewWithPayload(true)})
	s.must(err)
	for i, want := range []map[string]any{{"keep": "this", "state": "old", "sealed": "short"}, {"keep": "this", "state": "newer", "sealed": large}} {
		if !proto.Equal(&qdrant.Struct{Fields: got[i].GetPayload()}, &qdrant.Struct{Fields: qdrant.NewValueMap(want)}) {
			s.t.Errorf("point %d has %v, want %v", i+1, got[i].GetPayload(), want)
		}
	}
	// Operations follow one another; null takes a field away.
	s.must(update(set(3, map[string]any{"one": 1, "keep": "that"}), set(3, map[string]any{"two": 2, "sealed": nil}), set(3, map[string]any{"keep": nil})))
	got, err = s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: ids(3), WithPayload: qdrant.NewWithPayload(true)})
	s.must(err)
	if want := qdrant.NewValueMap(map[string]any{"one": 1, "two": 2, "state": "old"}); len(got) != 1 || !proto.Equal(&qdrant.Struct{Fields: got[0].GetPayload()}, &qdrant.Struct{Fields: want}) {
		s.t.Errorf("after three operations a point has %v, want %v", got, want)
	}
	s.refused("the fields of none", update(set(77, map[string]any{"state": "new"})), codes.NotFound, id(77))
	near, err := s.query([]float32{1, 0}, 10, nil)
	if err != nil || !slices.Equal(numbers(near), []int{3, 2, 1}) {
		s.t.Errorf("the vectors are %v, %v; want all as before", numbers(near), err)
	}
	found, _, err := s.page(&qdrant.ScrollPoints{Filter: must(qdrant.NewMatchKeyword("state", "newer"))})
	if err != nil || !slices.Equal(found, []int{2}) {
		s.t.Errorf("the filter finds %v, %v; want the new state", found, err)
	}
}

func (s *suite) malformedVectors() {
	s.must(s.create(s.c, 2, qdrant.Distance_Cosine))
	s.must(s.put(1, nil, []float32{1, 0}))
	for _, v := range [][]float32{{1}, {1, 2, 3}} {
		s.refused("an upsert", s.put(2, nil, v), codes.InvalidArgument, "expected dim: 2")
		s.refused("an update", s.updateVectors(&qdrant.PointVectors{Id: ids(1)[0], Vectors: vectors(v)}), codes.InvalidArgument, "expected dim: 2")
		_, err := s.query(v, 1, nil)
		s.refused("a query", err, codes.InvalidArgument, "expected dim: 2")
	}
	err := s.putAll(&qdrant.PointStruct{Id: ids(3)[0]})
	s.refused("a point without vectors", err, codes.InvalidArgument, "vectors")
	s.all(1)
}

func (s *suite) malformedRequests() {
	s.filled()
	_, _, err := s.page(&qdrant.ScrollPoints{Limit: qdrant.PtrOf(uint32(0))})
	s.refused("a page of none", err, codes.InvalidArgument, "limit")
	_, err = s.client.Get(ctx(), &qdrant.GetPoints{CollectionName: s.c, Ids: []*qdrant.PointId{qdrant.NewIDUUID("x")}})
	s.refused("a malformed id", err, codes.InvalidArgument, "UUID")
	_, _, err = s.page(&qdrant.ScrollPoints{Offset: qdrant.NewIDUUID("x")})
	s.refused("a malformed offset", err, codes.InvalidArgument, "UUID")
	_, _, err = s.page(&qdrant.ScrollPoints{Filter: must(qdrant.NewHasID(qdrant.NewIDUUID("x")))})
	s.refused("a malformed id in a filter", err, codes.InvalidArgument, "UUID")
	s.all(1, 2, 3, 4, 5, 6, 7, 8, 9)
}

func (s *suite) largePages() {
	s.must(s.create(s.c, 1, qdrant.Distance_Dot))
	// Larger than gRPC's usual 4 MiB.
	const count = 256
	var points []*qdrant.PointStruct
	for n := range count {
		points = append(points, &qdrant.PointStruct{Id: ids(n)[0], Vectors: vectors(nil), Payload: qdrant.NewValueMap(map[string]any{"big": strings.Repeat(string(rune('a'+n%26)), 30_000)})})
	}
	s.must(s.putAll(points...))
	got, next, err := s.page(&qdrant.ScrollPoints{Limit: qdrant.PtrOf(uint32(count))})
	if err != nil || len(got) != count || next != 0 {
		s.t.Errorf("a page has %d points, then %d, %v; want %d", len(got), next, err, count)
	}
}
