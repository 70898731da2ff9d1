package engine

import (
	"container/heap"
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"
)

// scored is a point and its likeness to what is looked for.
type scored struct {
	point
	// score is the larger the nearer.
	score float32
}

// before orders by nearness, then by id, so that equal scores always come in
// the same order.
func (a scored) before(b scored) bool {
	return a.score > b.score || a.score == b.score && compareIDs(&a.id, &b.id) < 0
}

// nearestHeap has the farthest point on top.
type nearestHeap []scored

func (h nearestHeap) Len() int           { return len(h) }
func (h nearestHeap) Less(i, j int) bool { return h[j].before(h[i]) }
func (h nearestHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *nearestHeap) Push(x any)        { *h = append(*h, x.(scored)) }
func (h *nearestHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// nearest compares a vector with that of every row which meets the filter: it
// is exact.
func (t *table) nearest(m matcher, d metric, query []float32, limit int) []scored {
	var best nearestHeap
	for r := range t.slots {
		if t.slots[r] == absent || !t.match(m, int32(r)) {
			continue
		}
		s := scored{score: d.score(query, t.vectors.at(t.slots[r]))}
		if len(best) == limit && s.score < best[0].score {
			continue
		}
		if s.point = t.point(int32(r)); len(best) < limit {
			heap.Push(&best, s)
		} else if s.before(best[0]) {
			best[0] = s
			heap.Fix(&best, 0)
		}
	}
	slices.SortFunc(best, func(a, b scored) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return best
}

// metric is one of Qdrant's distances.
type metric struct {
	// prepare is what is done to a vector before it is stored or looked for.
	prepare func([]float32)
	// score is the larger the nearer.
	score func(a, b []float32) float32
	// shown turns a score into the one that Qdrant answers.
	shown func(float32) float32
}

func metricOf(d qdrant.Distance) (metric, bool) {
	same := func(s float32) float32 { return s }
	none := func([]float32) {}
	switch d {
	case qdrant.Distance_Cosine:
		return metric{normalise, dot, same}, true
	case qdrant.Distance_Dot:
		return metric{none, dot, same}, true
	case qdrant.Distance_Euclid:
		return metric{none, euclid, negated}, true
	case qdrant.Distance_Manhattan:
		return metric{none, manhattan, negated}, true
	}
	return metric{}, false
}

func negated(s float32) float32 { return -s }

// normalise gives a vector the length 1, unless it has it, or none at all.
func normalise(v []float32) {
	length := dot(v, v)
	if length < 0x1p-23 || math.Abs(float64(length)-1) <= 1e-6 {
		return
	}
	length = float32(math.Sqrt(float64(length)))
	for i := range v {
		v[i] /= length
	}
}

// Each of these has four sums, so that the processor can add them side by side.

func dot(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range min(len(a), len(b)) {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

func euclid(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		d0, d1, d2, d3 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		a, b = a[4:], b[4:]
	}
	for i := range min(len(a), len(b)) {
		d := a[i] - b[i]
		s0 += d * d
	}
	return -float32(math.Sqrt(float64(s0 + s1 + s2 + s3)))
}

func manhattan(a, b []float32) float32 {
	var sum float32
	for i := range min(len(a), len(b)) {
		sum += float32(math.Abs(float64(a[i] - b[i])))
	}
	return -sum
}
