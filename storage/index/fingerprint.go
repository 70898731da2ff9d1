package index

import "slices"

// fingerprints maps hashes to rows: a hash table with linear probing, eight
// bytes a slot. Rows of one hash share a slot through a list, so that a name
// which a thousand resources have costs no more than one they don't.
type fingerprints struct {
	slots []slot
	used  int
	lists [][]uint32
	// vacant are the numbers of unused lists.
	vacant []uint32
}

// slot holds nothing (0), a row (row+1) or a list (its number, with shared set).
type slot struct{ hash, val uint32 }

const shared = 1 << 31

// home is where the search for a hash begins.
func (f *fingerprints) home(hash uint32) int {
	return int(uint64(hash) * uint64(len(f.slots)) >> 32)
}

func (f *fingerprints) next(i int) int {
	if i++; i == len(f.slots) {
		return 0
	}
	return i
}

// slot is the position of a hash, or of the free slot where it would go.
func (f *fingerprints) slot(hash uint32) int {
	i := f.home(hash)
	for f.slots[i].val != 0 && f.slots[i].hash != hash {
		i = f.next(i)
	}
	return i
}

// grow makes room for n hashes at four fifths full.
func (f *fingerprints) grow(n int) {
	old := f.slots
	f.slots = make([]slot, n*5/4+8)
	for _, s := range old {
		if s.val != 0 {
			f.slots[f.slot(s.hash)] = s
		}
	}
}

// rows are the rows of a hash, ascending, valid while the lock is held. A
// single one is put into one.
func (f *fingerprints) rows(hash uint32, one *[1]uint32) []uint32 {
	if len(f.slots) == 0 {
		return nil
	}
	switch s := f.slots[f.slot(hash)]; {
	case s.val == 0:
		return nil
	case s.val&shared != 0:
		return f.lists[s.val&^shared]
	default:
		one[0] = s.val - 1
		return one[:]
	}
}

func (f *fingerprints) add(hash, row uint32) {
	if (f.used+1)*5 > len(f.slots)*4 {
		f.grow(f.used*3/2 + 8)
	}
	s := &f.slots[f.slot(hash)]
	switch {
	case s.val == 0:
		*s = slot{hash, row + 1}
		f.used++
	case s.val&shared != 0:
		list := &f.lists[s.val&^shared]
		if i, found := slices.BinarySearch(*list, row); !found {
			*list = slices.Insert(*list, i, row)
		}
	case s.val != row+1:
		list := []uint32{min(row, s.val-1), max(row, s.val-1)}
		if n := len(f.vacant); n > 0 {
			s.val = f.vacant[n-1] | shared
			f.vacant = f.vacant[:n-1]
			f.lists[s.val&^shared] = list
		} else {
			s.val = uint32(len(f.lists)) | shared
			f.lists = append(f.lists, list)
		}
	}
}

func (f *fingerprints) remove(hash, row uint32) {
	if len(f.slots) == 0 {
		return
	}
	i := f.slot(hash)
	s := &f.slots[i]
	if s.val&shared != 0 {
		n := s.val &^ shared
		list := f.lists[n]
		if at, found := slices.BinarySearch(list, row); found {
			list = slices.Delete(list, at, at+1)
		}
		f.lists[n] = list
		if len(list) == 1 {
			s.val = list[0] + 1
			f.lists[n] = nil
			f.vacant = append(f.vacant, n)
		}
		return
	}
	if s.val != row+1 {
		return
	}
	f.used--
	// Close the gap, so that no search ends early at it.
	for j := f.next(i); f.slots[j].val != 0; j = f.next(j) {
		h := f.home(f.slots[j].hash)
		if i <= j && (i < h && h <= j) || i > j && (i < h || h <= j) {
			continue
		}
		f.slots[i] = f.slots[j]
		i = j
	}
	f.slots[i] = slot{}
}
