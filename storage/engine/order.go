package engine

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"sort"

	"github.com/google/uuid"
)

// fullBlock is how many rows a block of an order has at most.
const fullBlock = 512

// order lists rows by the ids of their points, in blocks, so that adding or
// removing one moves few others. No block is empty.
type order [][]int32

// locate finds where an id is, or belongs. Without any block it is nowhere.
func (t *table) locate(id uuid.UUID) (block, at int, found bool) {
	compare := func(r int32, id uuid.UUID) int { return compareIDs(&t.ids[r], &id) }
	block = max(0, sort.Search(len(t.order), func(i int) bool { return compare(t.order[i][0], id) > 0 })-1)
	if len(t.order) > 0 {
		at, found = slices.BinarySearchFunc(t.order[block], id, compare)
	}
	return block, at, found
}

func compareIDs(a, b *uuid.UUID) int {
	return cmp.Or(
		cmp.Compare(binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(b[:8])),
		cmp.Compare(binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:])))
}

// insert adds a row whose id is not there.
func (t *table) insert(r int32) {
	if len(t.order) == 0 {
		t.order = order{append(make([]int32, 0, 16), r)}
		return
	}
	block, at, _ := t.locate(t.ids[r])
	rows := slices.Insert(t.order[block], at, r)
	if t.order[block] = rows; len(rows) > fullBlock {
		half := len(rows) / 2
		t.order = slices.Insert(t.order, block+1, append(make([]int32, 0, fullBlock+1), rows[half:]...))
		t.order[block] = rows[:half]
	}
}

// drop takes out the row of an id, and returns it.
func (t *table) drop(id uuid.UUID) (r int32, found bool) {
	block, at, found := t.locate(id)
	if !found {
		return 0, false
	}
	r = t.order[block][at]
	if t.order[block] = slices.Delete(t.order[block], at, at+1); len(t.order[block]) == 0 {
		t.order = slices.Delete(t.order, block, block+1)
	}
	return r, true
}

// rows yields all, by the ids of their points, from an id on.
func (t *table) rows(from uuid.UUID) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		block, at, _ := t.locate(from)
		for ; block < len(t.order); block, at = block+1, 0 {
			for _, r := range t.order[block][at:] {
				if !yield(r) {
					return
				}
			}
		}
	}
}
