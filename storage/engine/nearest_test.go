package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
)

// putVector upserts a point with a vector of 4 numbers.
func (f *fixture) putVector(n int, kind string, v ...float32) {
	f.t.Helper()
	_, err := f.points.Upsert(ctx(), &qdrant.UpsertPoints{CollectionName: "c", Points: []*qdrant.PointStruct{{
		Id: qdrant.NewID(uid(n)), Payload: qdrant.NewValueMap(map[string]any{"kind": kind}), Vectors: qdrant.NewVectorsDense(v),
	}}})
	f.must(err)
}

func (f *fixture) nearest(filter *qdrant.Filter, limit uint64, v ...float32) (ns []int) {
	f.t.Helper()
	resp, err := f.points.Query(ctx(), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense(v), Filter: filter, Limit: &limit})
	f.must(err)
	for _, p := range resp.GetResult() {
		var n int
		fmt.Sscanf(p.GetId().GetUuid()[24:], "%x", &n)
		ns = append(ns, n)
	}
	return ns
}

func TestEqualScoresComeByID(t *testing.T) {
	f := start(t)
	f.collection()
	order := rand.Perm(50)
	for _, n := range order {
		f.putVector(n+1, "a", 1, float32(n%2), 0, 0)
	}
	f.must(f.upsert(3, map[string]any{"kind": "a"})) // its place is taken by the next
	f.putVector(51, "b", 1, 0, 0, 0)
	for range 2 {
		if got := f.nearest(nil, 5, 1, 0, 0, 0); !slices.Equal(got, []int{1, 2, 4, 5, 6}) {
			t.Errorf("of equal scores come %v", got)
		}
		if got := f.nearest(nil, 3, 0, 1, 0, 0); !slices.Equal(got, []int{2, 4, 6}) {
			t.Errorf("of equal scores come %v", got)
		}
		f.restart()
	}
}

// What memory finds is what a plain look at all vectors finds, through all that
// can happen to points.
func TestNearestFollowsEveryWrite(t *testing.T) {
	f := start(t)
	f.collection()
	random := rand.New(rand.NewPCG(5, 6))
	vectors, kinds := map[int][]float32{}, map[int]string{}
	check := func(step int) {
		t.Helper()
		query := []float32{random.Float32() - 0.5, random.Float32() - 0.5, random.Float32() - 0.5, random.Float32() - 0.5}
		score := func(n int) (s float32) {
			for i, x := range vectors[n] {
				s += x * query[i]
			}
			return s
		}
		var want []int
		for n := range vectors {
			if kinds[n] == "a" {
				want = append(want, n)
			}
		}
		slices.SortFunc(want, func(a, b int) int {
			if score(a) > score(b) {
				return -1
			}
			return 1
		})
		got := f.nearest(must(qdrant.NewMatch("kind", "a")), 5, query...)
		if want = want[:min(5, len(want))]; !slices.Equal(got, want) {
			t.Fatalf("step %d: %v, want %v", step, got, want)
		}
	}
	for step := range 400 {
		n, v := 1+random.IntN(40), make([]float32, 4)
		for i := range v {
			v[i] = random.Float32()
		}
		kind := []string{"a", "b"}[random.IntN(2)]
		switch _, there := kinds[n]; {
		case random.IntN(4) == 0:
			_, err := f.points.Delete(ctx(), &qdrant.DeletePoints{CollectionName: "c", Points: qdrant.NewPointsSelector(qdrant.NewID(uid(n)))})
			f.must(err)
			delete(vectors, n)
			delete(kinds, n)
		case random.IntN(4) == 0:
			f.must(f.upsert(n, map[string]any{"kind": kind}))
			delete(vectors, n)
			kinds[n] = kind
		case there && random.IntN(3) == 0:
			_, err := f.points.UpdateVectors(ctx(), &qdrant.UpdatePointVectors{CollectionName: "c", Points: []*qdrant.PointVectors{{
				Id: qdrant.NewID(uid(n)), Vectors: qdrant.NewVectorsDense(v),
			}}})
			f.must(err)
			vectors[n] = v
		default:
			f.putVector(n, kind, v...)
			vectors[n], kinds[n] = v, kind
		}
		check(step)
		if step%57 == 0 {
			f.restart()
			check(step)
		}
	}
	if len(vectors) < 5 {
		t.Errorf("only %d vectors are left", len(vectors))
	}
}

// data is the one data file of the fixture, closed.
func (f *fixture) data() string {
	f.t.Helper()
	all, err := filepath.Glob(filepath.Join(f.dir, "*", "data.db"))
	if err != nil || len(all) != 1 {
		f.t.Fatalf("data files: %v, %v", all, err)
	}
	return all[0]
}

func TestADamagedVectorCostsOnlyItself(t *testing.T) {
	f := start(t)
	f.collection()
	for n := range 3 {
		f.putVector(n+1, "a", float32(n), 0, 0, 0)
	}
	f.stop()
	db, err := bbolt.Open(f.data(), 0o600, nil)
	f.must(err)
	f.must(db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("vectors"))
		k, v := b.Cursor().Last()
		damaged := bytes.Clone(v)
		damaged[len(damaged)/2] ^= 1
		return b.Put(k, damaged)
	}))
	f.must(db.Close())
	f.begin()
	if got := f.nearest(nil, 5, 1, 0, 0, 0); !slices.Equal(got, []int{2, 1}) {
		t.Errorf("Query finds %v, want the whole ones", got)
	}
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the points are %v, %v", got, err)
	}
	if ps := f.eng.Problems(); len(ps) != 1 || ps[0].Point != uid(3) || !strings.Contains(ps[0].Message, "vector") {
		t.Errorf("the problems are %v", ps)
	}
	f.putVector(3, "a", 9, 0, 0, 0)
	if ps := f.eng.Problems(); len(ps) != 0 {
		t.Errorf("after writing it anew: %v", ps)
	}
}

// A store from before there were vectors has no bucket for them.
func TestAStoreWithoutVectorsNeedsNoMigration(t *testing.T) {
	f := start(t)
	f.fill()
	f.stop()
	db, err := bbolt.Open(f.data(), 0o600, nil)
	f.must(err)
	f.must(db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("vectors")) }))
	f.must(db.Close())
	before, err := os.ReadFile(f.data())
	f.must(err)
	f.begin()
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 9 {
		t.Errorf("the points are %v, %v", got, err)
	}
	if got := f.nearest(nil, 5, 1, 0, 0, 0); len(got) != 0 {
		t.Errorf("Query finds %v", got)
	}
	if after, err := os.ReadFile(f.data()); err != nil || !bytes.Equal(after, before) {
		t.Errorf("opening and reading changed the file, %v", err)
	}
	f.putVector(1, "a", 1, 0, 0, 0)
	f.restart()
	if got := f.nearest(nil, 5, 1, 0, 0, 0); !slices.Equal(got, []int{1}) {
		t.Errorf("Query finds %v", got)
	}
}
