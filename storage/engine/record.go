package engine

import (
	"errors"
	"math"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"
)

// A point is stored as a head and a body. The head has the id, all small
// values and the names of the others; the body has the others. So filters and
// opening read heads only, whatever is indexed later.

// smallValue is the longest encoded value that a head takes.
const smallValue = 256

// Numbers of the head's fields.
const (
	headID    = 1
	headSmall = 2 // an encoded qdrant.Struct
	headLarge = 3 // the name of a field in the body
)

type head struct {
	id    uuid.UUID
	small []byte
	large []string
}

func (h head) encode() []byte {
	b := protowire.AppendTag(make([]byte, 0, len(h.small)+64), headID, protowire.BytesType)
	b = protowire.AppendBytes(b, h.id[:])
	b = protowire.AppendTag(b, headSmall, protowire.BytesType)
	b = protowire.AppendBytes(b, h.small)
	for _, name := range h.large {
		b = protowire.AppendTag(b, headLarge, protowire.BytesType)
		b = protowire.AppendString(b, name)
	}
	return b
}

var errMalformed = errors.New("malformed record")

func decodeHead(b []byte) (h head, err error) {
	seen := false
	err = records(b, func(num protowire.Number, _, v []byte) error {
		switch num {
		case headID:
			seen = true
			return h.id.UnmarshalBinary(v)
		case headSmall:
			h.small = v
		case headLarge:
			h.large = append(h.large, string(v))
		}
		return nil
	})
	if err == nil && !seen {
		err = errMalformed
	}
	return h, err
}

// split makes the head and the encoded body of an encoded payload; a nil body is
// empty.
func split(id uuid.UUID, payload []byte) (h head, body []byte, err error) {
	h.id, h.small = id, make([]byte, 0, 512)
	err = records(payload, func(_ protowire.Number, record, entry []byte) error {
		name, value, err := pair(entry)
		if len(value) > smallValue {
			h.large, body = append(h.large, string(name)), append(body, record...)
		} else {
			h.small = append(h.small, record...)
		}
		return err
	})
	return h, body, err
}

// pair is the name and the value of an entry of an encoded map.
func pair(entry []byte) (name, value []byte, err error) {
	err = records(entry, func(num protowire.Number, _, v []byte) error {
		switch num {
		case 1:
			name = v
		case 2:
			value = v
		}
		return nil
	})
	return name, value, err
}

// none stands for a point without a value in an index.
const none = math.MinInt64

// kind is what an index can hold of a value.
type kind int

const (
	missing kind = iota
	keyword
	integer
	list
	other
)

type scalar struct {
	kind kind
	s    []byte
	n    int64
}

// entries yields the names and encoded values of an encoded qdrant.Struct.
func entries(b []byte, yield func(name, value []byte) error) error {
	return records(b, func(num protowire.Number, _, entry []byte) error {
		if num != structFields {
			return nil
		}
		name, value, err := pair(entry)
		if err != nil {
			return err
		}
		return yield(name, value)
	})
}

// lookup follows a path through an encoded qdrant.Struct.
func lookup(b []byte, path []string) (found scalar, err error) {
	err = entries(b, func(name, value []byte) (err error) {
		if string(name) == path[0] {
			found, err = decodeValue(value, path[1:])
		}
		return err
	})
	return found, err
}

// Numbers of the qdrant.Value variants that matter here.
const (
	valueNull    = 1
	valueDouble  = 2
	valueInteger = 3
	valueString  = 4
	valueBool    = 5
	valueStruct  = 6
	valueList    = 7
)

func decodeValue(b []byte, rest []string) (scalar, error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		if len(b) == 0 { // a value without a kind is null
			return scalar{kind: other}, nil
		}
		return scalar{}, errMalformed
	}
	b = b[n:]
	switch {
	case num == valueList:
		return scalar{kind: list}, nil
	case num == valueStruct && typ == protowire.BytesType && len(rest) > 0:
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return scalar{}, errMalformed
		}
		return lookup(v, rest)
	case len(rest) > 0:
		return scalar{}, nil
	case num == valueString && typ == protowire.BytesType:
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return scalar{}, errMalformed
		}
		return scalar{kind: keyword, s: v}, nil
	case num == valueDouble && typ == protowire.Fixed64Type:
		v, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return scalar{}, errMalformed
		}
		// An integer index takes a double that is one.
		if f := math.Float64frombits(v); f == math.Trunc(f) && math.Abs(f) < 1<<63 {
			return scalar{kind: integer, n: int64(f)}, nil
		}
	case num == valueInteger && typ == protowire.VarintType:
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return scalar{}, errMalformed
		}
		return scalar{kind: integer, n: int64(v)}, nil
	}
	return scalar{kind: other}, nil
}

// parsePath reads Qdrant's JSON path as far as storage writes it: segments of
// letters, digits, _ and -, or quoted ones without any escape, joined by dots.
func parsePath(path string) ([]string, bool) {
	var segments []string
	for {
		var segment string
		if rest, quoted := strings.CutPrefix(path, `"`); quoted {
			end := strings.IndexAny(rest, `"\`)
			if end < 0 || rest[end] == '\\' {
				return nil, false
			}
			segment, path = rest[:end], rest[end+1:]
		} else {
			end := strings.IndexFunc(path, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
			})
			if end < 0 {
				end = len(path)
			}
			if segment, path = path[:end], path[end:]; segment == "" {
				return nil, false
			}
		}
		segments = append(segments, segment)
		if path == "" {
			return segments, true
		}
		if path[0] != '.' {
			return nil, false
		}
		path = path[1:]
	}
}
