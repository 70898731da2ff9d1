package engine

import (
	"testing"

	"github.com/google/uuid"
)

// Of two rows of one id, as a crash of an earlier version could leave them, that
// of the later write counts, in whatever order they are found.
func TestTheLaterRowOfAnIDCounts(t *testing.T) {
	id, other := uuid.New(), uuid.New()
	for _, seqs := range [][]uint64{{3, 8}, {8, 3}} {
		table := newTable(0, 1, 3)
		for _, seq := range seqs {
			r := table.add()
			table.ids[r], table.seqs[r] = id, seq
		}
		r := table.add()
		table.ids[r], table.seqs[r] = other, 5
		table.arrange()
		if r, ok := table.get(id); !ok || table.seqs[r] != 8 {
			t.Errorf("of %v the row %d counts", seqs, table.seqs[r])
		}
		if n := table.count(matcher{}); n != 2 {
			t.Errorf("%d rows are counted, want 2", n)
		}
	}
}

// A row that does not open is in no count and on no page.
func TestDamagedRowsAreLeftOut(t *testing.T) {
	table := newTable(0, 1, 3)
	for seq := range uint64(3) {
		r := table.add()
		table.ids[r], table.seqs[r] = uuid.New(), seq
		table.damaged[r] = seq == 1
	}
	table.arrange()
	page, _ := table.byID(matcher{}, uuid.UUID{}, 10)
	if n := table.count(matcher{}); n != 2 || len(page) != 2 || page[0].seq == 1 || page[1].seq == 1 {
		t.Errorf("%d rows are counted, the page is %v", n, page)
	}
}
