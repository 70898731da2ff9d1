package engine

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// table is what memory holds of the points of a collection, in columns, so that
// a filter passes over few bytes. Whoever uses it keeps readers from writers.
type table struct {
	ids []uuid.UUID
	// seqs are the sequence numbers.
	seqs []uint64
	// damaged: the head does not open. The point is known, and unreadable.
	damaged []bool
	// columns hold a value for each index and row: an integer itself, a keyword
	// as its word number, or none.
	columns [][]int64
	// slots say where among the vectors that of a row is; absent: it has none.
	slots   []int32
	vectors []float32
	size    int
	// order lists the rows in use by the ids of their points.
	order []int32
	// spareRows and spareSlots are free.
	spareRows, spareSlots []int32
}

// absent is the slot of a row without a vector.
const absent = -1

// point names a stored point.
type point struct {
	id  uuid.UUID
	seq uint64
}

// row is a point on its way into a table.
type row struct {
	point
	damaged bool
	// values are by index.
	values []int64
	vector []float32
}

func newTable(indexes, size int) table {
	return table{columns: make([][]int64, indexes), size: size}
}

func (t *table) point(r int32) point { return point{t.ids[r], t.seqs[r]} }

// find returns the place of an id in the order, and whether it is there.
func (t *table) find(id uuid.UUID) (int, bool) {
	return slices.BinarySearchFunc(t.order, id, func(r int32, id uuid.UUID) int { return bytes.Compare(t.ids[r][:], id[:]) })
}

// get is the row of an id.
func (t *table) get(id uuid.UUID) (int32, bool) {
	at, ok := t.find(id)
	if !ok {
		return 0, false
	}
	return t.order[at], true
}

// vector is that of a row, or nil.
func (t *table) vector(r int32) []float32 {
	if t.slots[r] == absent {
		return nil
	}
	at := int(t.slots[r]) * t.size
	return t.vectors[at : at+t.size : at+t.size]
}

// grow makes room for n more points, and vectors of so many of them.
func (t *table) grow(n, vectors int) {
	t.ids, t.seqs, t.damaged = slices.Grow(t.ids, n), slices.Grow(t.seqs, n), slices.Grow(t.damaged, n)
	t.slots, t.order = slices.Grow(t.slots, n), slices.Grow(t.order, n)
	for i := range t.columns {
		t.columns[i] = slices.Grow(t.columns[i], n)
	}
	t.vectors = slices.Grow(t.vectors, vectors*t.size)
}

// put adds rows, and replaces those whose ids are there.
func (t *table) put(rows []row) {
	var added []int32
	for _, w := range rows {
		r, ok := t.get(w.id)
		if !ok {
			r = t.add()
			added = append(added, r)
		}
		t.ids[r], t.seqs[r], t.damaged[r] = w.id, w.seq, w.damaged
		for i := range t.columns {
			if t.columns[i][r] = none; i < len(w.values) {
				t.columns[i][r] = w.values[i]
			}
		}
		t.setVector(r, w.vector)
	}
	t.merge(added)
}

// add takes a free row.
func (t *table) add() int32 {
	if n := len(t.spareRows); n > 0 {
		r := t.spareRows[n-1]
		t.spareRows = t.spareRows[:n-1]
		return r
	}
	t.ids, t.seqs = append(t.ids, uuid.UUID{}), append(t.seqs, 0)
	t.damaged, t.slots = append(t.damaged, false), append(t.slots, absent)
	for i := range t.columns {
		t.columns[i] = append(t.columns[i], none)
	}
	return int32(len(t.ids) - 1)
}

// setVector copies a vector into a row; nil removes what is there.
func (t *table) setVector(r int32, v []float32) {
	switch {
	case v == nil && t.slots[r] != absent:
		t.spareSlots = append(t.spareSlots, t.slots[r])
		t.slots[r] = absent
	case v == nil:
	case t.slots[r] != absent:
		copy(t.vector(r), v)
	case len(t.spareSlots) > 0:
		n := len(t.spareSlots) - 1
		t.slots[r], t.spareSlots = t.spareSlots[n], t.spareSlots[:n]
		copy(t.vector(r), v)
	default:
		t.slots[r] = int32(len(t.vectors) / t.size)
		t.vectors = append(t.vectors, v...)
	}
}

// merge adds rows to the order from its end, so that a batch moves each
// element once.
func (t *table) merge(added []int32) {
	byID := func(a, b int32) int { return bytes.Compare(t.ids[a][:], t.ids[b][:]) }
	slices.SortFunc(added, byID)
	i, j := len(t.order)-1, len(added)-1
	t.order = append(t.order, added...)
	for k := len(t.order) - 1; j >= 0; k-- {
		if i >= 0 && byID(t.order[i], added[j]) > 0 {
			t.order[k] = t.order[i]
			i--
		} else {
			t.order[k] = added[j]
			j--
		}
	}
}

// remove frees the rows of ids that are there.
func (t *table) remove(ids []uuid.UUID) {
	gone := map[int32]bool{}
	for _, id := range ids {
		if r, ok := t.get(id); ok {
			gone[r] = true
		}
	}
	t.order = slices.DeleteFunc(t.order, func(r int32) bool { return gone[r] })
	for r := range gone {
		t.setVector(r, nil)
		t.spareRows = append(t.spareRows, r)
	}
}

// match says whether a row meets a filter. Damaged rows meet none.
func (t *table) match(m matcher, r int32) bool {
	for _, e := range m.equal {
		if t.columns[e.index][r] != e.word {
			return false
		}
	}
	return !t.damaged[r] && (m.only == nil || m.only[r])
}

// count is how many rows meet a filter.
func (t *table) count(m matcher) (n uint64) {
	for _, r := range t.order {
		if t.match(m, r) {
			n++
		}
	}
	return n
}

// byID is a page in order of ids, from an id on, and the id after it.
func (t *table) byID(m matcher, from *uuid.UUID, limit int) (page []point, next *uuid.UUID) {
	at := 0
	if from != nil {
		at, _ = t.find(*from)
	}
	for _, r := range t.order[at:] {
		if !t.match(m, r) {
			continue
		}
		if len(page) == limit {
			after := t.ids[r]
			return page, &after
		}
		page = append(page, t.point(r))
	}
	return page, nil
}

// ordered is the first page by the values of an index, and these values; points
// without one are left out.
func (t *table) ordered(m matcher, index, limit int, descending bool) (page []point, values []int64) {
	var all []int32
	column := t.columns[index]
	for _, r := range t.order {
		if column[r] != none && t.match(m, r) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b int32) int {
		if descending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(column[a], column[b]), bytes.Compare(t.ids[a][:], t.ids[b][:]))
	})
	for _, r := range all[:min(limit, len(all))] {
		page, values = append(page, t.point(r)), append(values, column[r])
	}
	return page, values
}
