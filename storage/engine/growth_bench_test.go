package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/engine"
)

// BenchmarkGrowth shows what a point costs among a thousand and among a
// million, with vectors of 32 numbers and 300 bytes: no more than linear growth
// means that no line costs more than the first.
func BenchmarkGrowth(b *testing.B) {
	const size, batch = 32, 1000
	for range b.N {
		r := engine.NewRatios(b, "points", "upsert of one", "open, for one", "memory of one", "on disk", "filtered top 10, for one")
		for _, points := range []int{1_000, 10_000, 100_000, 1_000_000} {
			f := start(b)
			client := f.client(b)
			benchCollection(b, client, size)
			random := rand.New(rand.NewPCG(3, 4))
			var upsert, open, query engine.Sample
			for from := 0; from < points; from += batch {
				request := &qdrant.UpsertPoints{CollectionName: "c", Points: benchmarkPoints(random, from, batch, size, 100), Wait: qdrant.PtrOf(true)}
				upsert.Time(func() {
					if _, err := client.Upsert(ctx(), request); err != nil {
						b.Fatal(err)
					}
				})
			}
			f.stop()
			info, err := os.Stat(f.data())
			f.must(err)
			f.eng, f.stop = nil, nil
			before := heap()
			open.Time(f.begin)
			memory := heap() - before
			for range 5 {
				nearest := &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQuery(benchmarkPoints(random, 0, 1, size, 1)[0].Vectors.GetVector().GetDense().Data...), Filter: must(qdrant.NewMatch("resource_type", "type_3"))}
				query.Time(func() {
					resp, err := f.points.Query(ctx(), nearest)
					if err != nil || len(resp.GetResult()) != 10 {
						b.Fatal(resp, err)
					}
				})
			}
			each := func(d time.Duration) time.Duration { return d / time.Duration(points) }
			r.Row(points, each(upsert.Sum()), each(open.Sum()), fmt.Sprint(memory/points, " B"), fmt.Sprint(int(info.Size())/points, " B"), each(query.Median()))
			f.stop()
			f.stop = func() {}
			os.Remove(f.data())
		}
		r.Print()
	}
}

// heap is what is live on the heap.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
