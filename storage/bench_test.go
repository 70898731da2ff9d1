package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
)

func BenchmarkBulkUpsert(b *testing.B) {
	for _, n := range []int{20_000, 100_000} {
		rs := instances(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := newHome(b).open(b)
				b.StartTimer()
				if _, err := s.Estate.BulkUpsert(context.Background(), rs); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
		})
	}
}

func BenchmarkBulkUpsertUnchanged(b *testing.B) {
	rs := instances(20_000)
	s := newHome(b).open(b)
	if _, err := s.Estate.BulkUpsert(context.Background(), rs); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Estate.BulkUpsert(context.Background(), rs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rs))*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{20_000, 100_000} {
		h := newHome(b)
		s := h.open(b)
		if _, err := s.Estate.BulkUpsert(context.Background(), instances(n)); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		for _, cached := range []bool{true, false} {
			b.Run(fmt.Sprintf("%d/cache=%v", n, cached), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					if !cached {
						os.Remove(filepath.Join(h.dir, "data", "index.cache"))
					}
					b.StartTimer()
					s := h.open(b)
					b.StopTimer()
					s.Close()
					b.StartTimer()
				}
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s := newHome(b).open(b)
	rs := instances(1000)
	if _, err := s.Estate.BulkUpsert(context.Background(), rs); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Estate.Get(context.Background(), rs[i%len(rs)].Key()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIndexCache loads the identifier index of 100,000 resources from its
// sealed file, and reads the bare file, in turn. The budget is 150 ms.
func BenchmarkIndexCache(b *testing.B) {
	const n = 100_000
	h := newHome(b)
	full := index.New(&kind.Set{})
	for i := range n {
		full.Put((&Estate{kinds: &kind.Set{}}).record(instance(i), 1, uint64(i)))
	}
	file := h.keys.File("data/index.cache")
	content, err := full.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	if err := file.Save(content); err != nil {
		b.Fatal(err)
	}
	var load, read []time.Duration
	for range 11 * b.N {
		start := time.Now()
		if _, err := os.ReadFile(filepath.Join(h.dir, "data", "index.cache")); err != nil {
			b.Fatal(err)
		}
		read = append(read, time.Since(start))
		start = time.Now()
		c := cache{file: file, index: index.New(&kind.Set{})}
		if !c.load() || c.index.Len() != n {
			b.Fatal("the cache does not load")
		}
		load = append(load, time.Since(start))
	}
	slices.Sort(load)
	slices.Sort(read)
	ours, raw := load[len(load)/2], read[len(read)/2]
	fmt.Printf("\n  index of 100,000 from its cache  %v, budget 150ms; reading the file %v\n", ours.Round(time.Millisecond), raw.Round(10*time.Microsecond))
	b.ReportMetric(float64(ours.Milliseconds()), "ms-index-cache")
	b.ReportMetric(0, "ns/op")
}
