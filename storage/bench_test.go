package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
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
