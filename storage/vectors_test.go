package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/kind"
)

// around embeds the n-th instance as a vector that turns with n.
func around(_ context.Context, rs []Resource) ([][]float32, error) {
	vectors := make([][]float32, len(rs))
	for i, r := range rs {
		n := 0
		fmt.Sscanf(r.ID, "pg-instance-%d", &n)
		vectors[i] = turned(n)
	}
	return vectors, nil
}

func turned(n int) []float32 {
	v := make([]float32, 384)
	v[0], v[1] = float32(math.Cos(float64(n)/100)), float32(math.Sin(float64(n)/100))
	return v
}

func ids(hits []Hit) (all []string) {
	for _, h := range hits {
		all = append(all, strings.TrimPrefix(h.Resource.ID, "pg-instance-000"))
	}
	return all
}

func TestNearest(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	s.Estate.EmbedWith(around)
	rs := instances(30)
	for i := range rs {
		if i%2 == 0 {
			rs[i].State, rs[i].Tags = "stopped", map[string]string{"env": "test"}
		}
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for name, test := range map[string]struct {
			filter Filter
			limit  int
			want   []string
		}{
			"three":    {Filter{}, 3, []string{"00", "01", "02"}},
			"stopped":  {Filter{State: "stopped"}, 2, []string{"00", "02"}},
			"tagged":   {Filter{Tags: map[string]string{"env": "production"}}, 2, []string{"01", "03"}},
			"both":     {Filter{State: "stopped", Tags: map[string]string{"env": "production"}}, 2, nil},
			"nowhere":  {Filter{Region: "eu-west-9"}, 2, nil},
			"untagged": {Filter{Tags: map[string]string{"env": "none"}}, 2, nil},
			"default":  {Filter{}, 0, []string{"00", "01", "02", "03", "04", "05", "06", "07", "08", "09"}},
		} {
			hits, err := s.Estate.Nearest(ctx, turned(0), test.filter, test.limit)
			if err != nil || !slices.Equal(ids(hits), test.want) {
				t.Errorf("%s: %v, %v; want %v", name, ids(hits), err, test.want)
			}
			for _, h := range hits {
				if h.Score > 1.000001 || h.Score < 0.99 || h.Resource.Engine != "postgres" {
					t.Errorf("%s: hit %+v", name, h)
				}
			}
		}
		s.Close()
		s = h.open(t)
	}
}

func TestSetVectors(t *testing.T) {
	ctx := context.Background()
	s := newHome(t).open(t)
	if _, err := s.Estate.BulkUpsert(ctx, instances(600)); err != nil {
		t.Fatal(err)
	}
	if hits, err := s.Estate.Nearest(ctx, turned(0), Filter{}, 0); err != nil || len(hits) != 0 {
		t.Errorf("without vectors Nearest = %v, %v", ids(hits), err)
	}
	vectors := map[Key][]float32{}
	for n := range 601 { // the last one is not stored
		vectors[instance(n).Key()] = turned(n)
	}
	if err := s.Estate.SetVectors(ctx, vectors); err != nil {
		t.Fatal(err)
	}
	if hits, err := s.Estate.Nearest(ctx, turned(300), Filter{}, 600); err != nil || len(hits) != 600 || hits[0].Resource.ID != "pg-instance-00300" {
		t.Errorf("Nearest = %d hits, %v", len(hits), err)
	}
	// A resource whose content changed loses its vector, an unchanged one keeps it.
	changed := instance(300)
	changed.State = "stopped"
	if _, err := s.Estate.BulkUpsert(ctx, []Resource{changed, instance(301)}); err != nil {
		t.Fatal(err)
	}
	if hits, err := s.Estate.Nearest(ctx, turned(301), Filter{}, 2); err != nil || !slices.Equal(ids(hits), []string{"301", "302"}) && !slices.Equal(ids(hits), []string{"pg-instance-00301", "pg-instance-00302"}) {
		if len(hits) == 0 || hits[0].Resource.ID != "pg-instance-00301" {
			t.Errorf("after an upsert: %v, %v", ids(hits), err)
		}
	}
	all, err := s.Estate.Nearest(ctx, turned(301), Filter{}, 1000)
	if err != nil || len(all) != 599 {
		t.Errorf("after an upsert %d have a vector, %v; want 599", len(all), err)
	}
	for name, bad := range map[string][]float32{"short": {1}, "none": nil, "no number": append(make([]float32, 383), float32(math.NaN()))} {
		if err := s.Estate.SetVectors(ctx, map[Key][]float32{instance(1).Key(): bad}); err == nil {
			t.Errorf("%s: a vector that does not fit was stored", name)
		}
		if _, err := s.Estate.Nearest(ctx, bad, Filter{}, 1); err == nil {
			t.Errorf("%s: a vector that does not fit was looked for", name)
		}
	}
}

func TestWhatCannotBeEmbeddedIsStoredWithoutVector(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("the model is asleep")
	for name, test := range map[string]struct {
		embed Embed
		want  string
		hits  int
	}{
		"fails":     {func(context.Context, []Resource) ([][]float32, error) { return nil, broken }, "asleep", 0},
		"too few":   {func(context.Context, []Resource) ([][]float32, error) { return [][]float32{turned(1)}, nil }, "1 vectors", 0},
		"one short": {func(context.Context, []Resource) ([][]float32, error) { return [][]float32{{1}, turned(1)}, nil }, "384", 1},
		"one none":  {func(context.Context, []Resource) ([][]float32, error) { return [][]float32{nil, turned(1)}, nil }, "", 1},
	} {
		s := newHome(t).open(t)
		s.Estate.EmbedWith(test.embed)
		n, err := s.Estate.BulkUpsert(ctx, instances(2))
		if n != 2 || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: BulkUpsert = %d, %v; want 2, and %q", name, n, err, test.want)
		}
		if rs, err := s.Estate.List(ctx, Filter{}); err != nil || len(rs) != 2 {
			t.Errorf("%s: stored are %d, %v", name, len(rs), err)
		}
		if hits, err := s.Estate.Nearest(ctx, turned(1), Filter{}, 0); err != nil || len(hits) != test.hits {
			t.Errorf("%s: Nearest = %v, %v", name, ids(hits), err)
		}
	}
}

// A server that makes up a hit, or alters one, is noticed.
func TestATamperedHitIsLeftOut(t *testing.T) {
	ctx := context.Background()
	w := &wire{}
	s := newHome(t).openWire(t, Config{}, w)
	s.Estate.EmbedWith(around)
	if _, err := s.Estate.BulkUpsert(ctx, instances(3)); err != nil {
		t.Fatal(err)
	}
	w.set(func(reply any) {
		if r, ok := reply.(*qdrant.QueryResponse); ok {
			r.Result[0].Payload, r.Result[1].Payload = r.Result[1].Payload, r.Result[0].Payload
		}
	})
	hits, err := s.Estate.Nearest(ctx, turned(0), Filter{}, 3)
	if err != nil || len(hits) != 1 || len(s.Health().Problems) != 2 {
		t.Errorf("Nearest = %v, %v; problems %v", ids(hits), err, s.Health().Problems)
	}
}

func TestPlainTagsHaveTheirType(t *testing.T) {
	for typ, values := range map[string]map[string]string{
		"keyword": {"a": `string_value:"a"`, "": `string_value:""`},
		"text":    {"some words": `string_value:"some words"`},
		"integer": {"5": "integer_value:5", "-1": "integer_value:-1", "5.0": "", "five": "", "": "", "99999999999999999999": ""},
		"float":   {"1.5": "double_value:1.5", "5": "double_value:5", "NaN": "", "inf": "", "1e999": "", "x": ""},
		"bool":    {"true": "bool_value:true", "false": "bool_value:false", "yes": ""},
		"geo":     {"52.5, 13.4": "struct", "91,0": "", "0,181": "", "52.5": "", "a,b": "", "NaN,1": ""},
	} {
		for text, want := range values {
			got := plainTag(typ, text)
			shown := strings.ReplaceAll(got.String(), " ", "")
			if (got == nil) != (want == "") || got != nil && !strings.HasPrefix(shown, strings.ReplaceAll(want, " ", "")) {
				t.Errorf("%q as %s is %v, want %q", text, typ, got, want)
			}
			if got != nil && typ != "text" && typeOf(got) != typ {
				t.Errorf("%q as %s is taken for %s", text, typ, typeOf(got))
			}
		}
	}
}

func TestTagsOfEveryTypeSurvive(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	cfg := Config{Collections: CollectionConfigs{AWSEstate: CollectionConfig{IndexedFields: everyType()}}}
	r := instance(1)
	r.Tags = map[string]string{"keyword": "k", "text": "a b", "integer": "7", "float": "0.5", "bool": "true", "geo": "52.5,13.4", "other": "x"}
	for _, c := range []Config{cfg, {}} { // also when they are no longer listed
		s, err := Open(ctx, c, h.keys, &kind.Set{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Estate.Upsert(ctx, r); err != nil {
			t.Fatal(err)
		}
		got, err := s.Estate.Get(ctx, r.Key())
		if err != nil || len(got.Tags) != len(r.Tags) || got.Tags["geo"] != "52.5,13.4" || len(s.Health().Problems) > 0 {
			t.Errorf("Get = %+v, %v; problems %v", got, err, s.Health().Problems)
		}
		s.Close()
	}
	cfg.Collections.AWSEstate.IndexedFields[1].Type = "float"
	if _, err := Open(ctx, cfg, h.keys, &kind.Set{}); err == nil || !strings.Contains(err.Error(), "tags.integer") {
		t.Errorf("with an index of another type: %v", err)
	}
}
