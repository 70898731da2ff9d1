package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// BenchmarkNearest looks for the ten nearest of those that a filter lets
// through, one in ten, and compares that with a plain loop over just their
// vectors where they lie, in turn.
func BenchmarkNearest(b *testing.B) {
	const points, size, limit = 100_000, 384, 10
	random := rand.New(rand.NewPCG(1, 2))
	t := newTable(1, size, points)
	d, _ := metricOf(1)
	var matching []int32
	for range points / 1000 {
		rows := make([]row, 1000)
		for i := range rows {
			v := make([]float32, size)
			for j := range v {
				v[j] = float32(random.NormFloat64())
			}
			d.prepare(v)
			rows[i] = row{values: []int64{int64(random.IntN(10))}, vector: v}
			for j := range rows[i].id {
				rows[i].id[j] = byte(random.Uint32())
			}
		}
		t.put(rows)
	}
	for r, v := range t.columns[0] {
		if v == 3 {
			matching = append(matching, int32(r))
		}
	}
	filter := matcher{equal: []equal{{0, 3}}}
	plain := func(query []float32) (best []float32) {
		for _, r := range matching {
			s := dot(query, t.vectors.at(t.slots[r]))
			if len(best) == limit && s <= best[limit-1] {
				continue
			}
			at, _ := slices.BinarySearchFunc(best, s, func(a, b float32) int { return int(min(1, max(-1, (b-a)*1e9))) })
			if best = slices.Insert(best, at, s); len(best) > limit {
				best = best[:limit]
			}
		}
		return best
	}
	var ours, loop Sample
	for round := range b.N * 41 {
		query := make([]float32, size)
		for j := range query {
			query[j] = float32(random.NormFloat64())
		}
		var want []float32
		var got []scored
		first, second := func() { loop.Time(func() { want = plain(query) }) }, func() { ours.Time(func() { got = t.nearest(filter, d, query, limit) }) }
		if round%2 == 0 {
			first, second = second, first
		}
		first()
		second()
		for i, s := range got {
			if s.score != want[i] {
				b.Fatalf("the scores are %v, want %v", got, want)
			}
		}
	}
	r := NewRatios(b, "top 10 of 100,000 points, a tenth matching", "engine", "plain loop", "ratio", "budget")
	r.Line("filtered nearest", ours.Median(), loop.Median(), "1.3x")
	r.Print()
}
