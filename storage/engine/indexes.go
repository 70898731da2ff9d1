package engine

import (
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// indexes are the indexed fields of a collection, and the numbers that stand
// for their keywords, so that equal ones take no memory. Safe for concurrent use.
type indexes struct {
	fields []fieldIndex
	paths  [][]string

	// mu guards words.
	mu    sync.RWMutex
	words map[string]int64
}

func newIndexes(fields []fieldIndex) (*indexes, error) {
	x := &indexes{fields: fields, words: map[string]int64{}}
	for _, f := range fields {
		path, ok := parsePath(f.Field)
		if !ok {
			return nil, fmt.Errorf("%w: its index %q is malformed", ErrCorrupt, f.Field)
		}
		x.paths = append(x.paths, path)
	}
	return x, nil
}

// find is the place of an index among the others.
func (x *indexes) find(field, typ string) (int, error) {
	for i, index := range x.fields {
		if index.Field == field && index.Type == typ {
			return i, nil
		}
	}
	return 0, status.Errorf(codes.InvalidArgument, "Index required but not found for %q of one of the following types: [%s]", field, typ)
}

// evaluate finds the values of all indexes. body is called when an indexed
// value lies there.
func (x *indexes) evaluate(h head, body func() ([]byte, error), values []int64) error {
	for i := range values {
		values[i] = none
	}
	if err := x.scan(h.small, values); err != nil {
		return err
	}
	for _, path := range x.paths {
		if slices.Contains(h.large, path[0]) {
			b, err := body()
			if err != nil {
				return err
			}
			return x.scan(b, values)
		}
	}
	return nil
}

// scan finds the values of indexes in an encoded qdrant.Struct.
func (x *indexes) scan(b []byte, values []int64) error {
	return entries(b, func(name, value []byte) error {
		for i, path := range x.paths {
			if string(name) != path[0] {
				continue
			}
			v, err := decodeValue(value, path[1:])
			if err != nil {
				return err
			}
			switch {
			case v.kind == list:
				return status.Errorf(codes.Unimplemented, "the embedded engine does not index arrays, such as the one in %q", x.fields[i].Field)
			case v.kind == keyword && x.fields[i].Type == "keyword":
				values[i] = x.word(v.s)
			case v.kind == integer && x.fields[i].Type == "integer":
				// The least integer stands for no value; nothing else needs it.
				values[i] = max(v.n, none+1)
			default:
				values[i] = none
			}
		}
		return nil
	})
}

// word is the number of a keyword, which gets one when it has none.
func (x *indexes) word(s []byte) int64 {
	x.mu.RLock()
	n, ok := x.words[string(s)]
	x.mu.RUnlock()
	if ok {
		return n
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n, ok = x.words[string(s)]; !ok {
		n = int64(len(x.words))
		x.words[string(s)] = n
	}
	return n
}

// known is the number of a keyword, or one that no point has.
func (x *indexes) known(s string) int64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n, ok := x.words[s]; ok {
		return n
	}
	return -1
}
