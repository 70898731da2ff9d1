package engine

import (
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
	vectors vectors
	// order lists the rows in use.
	order order
	// spare rows are free.
	spare []int32
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
	// values are by index.
	values []int64
	vector []float32
}

// newTable makes room for so many rows.
func newTable(indexes, size, rows int) table {
	t := table{
		ids: make([]uuid.UUID, 0, rows), seqs: make([]uint64, 0, rows), damaged: make([]bool, 0, rows),
		columns: make([][]int64, indexes), slots: make([]int32, 0, rows), vectors: newVectors(size),
	}
	for i := range t.columns {
		t.columns[i] = make([]int64, 0, rows)
	}
	return t
}

func (t *table) point(r int32) point { return point{t.ids[r], t.seqs[r]} }

// get is the row of an id.
func (t *table) get(id uuid.UUID) (int32, bool) {
	block, at, found := t.locate(id)
	if !found {
		return 0, false
	}
	return t.order[block][at], true
}

// put adds rows, and replaces those whose ids are there.
func (t *table) put(rows []row) {
	for _, w := range rows {
		r, ok := t.get(w.id)
		if !ok {
			r = t.add()
			t.ids[r] = w.id
			t.insert(r)
		}
		t.seqs[r], t.damaged[r] = w.seq, false
		for i := range t.columns {
			t.columns[i][r] = w.values[i]
		}
		t.setVector(r, w.vector)
	}
}

// add takes a free row.
func (t *table) add() int32 {
	if n := len(t.spare); n > 0 {
		r := t.spare[n-1]
		t.spare = t.spare[:n-1]
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
		t.vectors.free(t.slots[r])
		t.slots[r] = absent
	case v == nil:
	case t.slots[r] == absent:
		t.slots[r] = t.vectors.take()
		fallthrough
	default:
		copy(t.vectors.at(t.slots[r]), v)
	}
}

// remove frees the rows of ids that are there.
func (t *table) remove(ids []uuid.UUID) {
	for _, id := range ids {
		if r, ok := t.drop(id); ok {
			t.setVector(r, nil)
			t.spare = append(t.spare, r)
		}
	}
}

// arrange puts rows that were added without it in order. Of several rows of one
// id that of the latest write is kept.
func (t *table) arrange() {
	all := make([]int32, len(t.ids))
	for r := range all {
		all[r] = int32(r)
	}
	slices.SortFunc(all, func(a, b int32) int {
		return cmp.Or(compareIDs(&t.ids[a], &t.ids[b]), -cmp.Compare(t.seqs[a], t.seqs[b]))
	})
	kept := all[:0]
	for _, r := range all {
		if len(kept) > 0 && t.ids[r] == t.ids[kept[len(kept)-1]] {
			t.setVector(r, nil)
			t.spare = append(t.spare, r)
			continue
		}
		kept = append(kept, r)
	}
	for rows := range slices.Chunk(kept, fullBlock*3/4) {
		t.order = append(t.order, append(make([]int32, 0, fullBlock+1), rows...))
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
	for r := range t.rows(uuid.UUID{}) {
		if t.match(m, r) {
			n++
		}
	}
	return n
}

// byID is a page in order of ids, from an id on, and the id after it.
func (t *table) byID(m matcher, from uuid.UUID, limit int) (page []point, next *uuid.UUID) {
	for r := range t.rows(from) {
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
	for r := range t.rows(uuid.UUID{}) {
		if column[r] != none && t.match(m, r) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b int32) int {
		if descending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(column[a], column[b]), compareIDs(&t.ids[a], &t.ids[b]))
	})
	for _, r := range all[:min(limit, len(all))] {
		page, values = append(page, t.point(r)), append(values, column[r])
	}
	return page, values
}

// vectors are kept in chunks, so that growing moves none.
type vectors struct {
	size int
	// A chunk has 1<<shift vectors.
	shift  int
	chunks [][]float32
	used   int32
	spare  []int32
}

func newVectors(size int) vectors {
	v := vectors{size: size}
	for size<<(v.shift+1) <= 1<<18 { // a megabyte
		v.shift++
	}
	return v
}

// at is the vector in a slot.
func (v *vectors) at(slot int32) []float32 {
	from := int(slot) & (1<<v.shift - 1) * v.size
	return v.chunks[slot>>v.shift][from : from+v.size : from+v.size]
}

// take is a free slot.
func (v *vectors) take() int32 {
	if n := len(v.spare); n > 0 {
		slot := v.spare[n-1]
		v.spare = v.spare[:n-1]
		return slot
	}
	if int(v.used) == len(v.chunks)<<v.shift {
		v.chunks = append(v.chunks, make([]float32, v.size<<v.shift))
	}
	v.used++
	return v.used - 1
}

func (v *vectors) free(slot int32) { v.spare = append(v.spare, slot) }
