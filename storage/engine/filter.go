package engine

import (
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// equal is one condition: the value of an index is a word.
type equal struct {
	index int
	word  int64
}

// matcher is a compiled filter: all must hold.
type matcher struct {
	equal []equal
	// only, unless nil, are the rows that may match.
	only map[int32]bool
}

// compile makes a matcher of a filter. Fields must have a keyword index, as
// Qdrant demands in strict mode. The caller holds mu.
func (c *collection) compile(f *qdrant.Filter) (matcher, error) {
	var m matcher
	for _, condition := range f.GetMust() {
		if has := condition.GetHasId(); has != nil {
			if err := c.restrict(&m, has.GetHasId()); err != nil {
				return m, err
			}
			continue
		}
		field := condition.GetField()
		if field == nil { // an empty condition always holds
			continue
		}
		match, ok := field.GetMatch().GetMatchValue().(*qdrant.Match_Keyword)
		if !ok {
			return m, status.Errorf(codes.InvalidArgument, "the condition on %q does not say what to match", field.GetKey())
		}
		index, err := c.indexes.find(field.GetKey(), "keyword")
		if err != nil {
			return m, err
		}
		m.equal = append(m.equal, equal{index, c.indexes.known(match.Keyword)})
	}
	return m, nil
}

// restrict lets a matcher through to the rows of ids only.
func (c *collection) restrict(m *matcher, raw []*qdrant.PointId) error {
	ids, err := parseIDs(raw)
	if err != nil {
		return err
	}
	rows := make(map[int32]bool, len(ids))
	for _, id := range ids {
		if r, ok := c.table.get(id); ok && (m.only == nil || m.only[r]) {
			rows[r] = true
		}
	}
	m.only = rows
	return nil
}

func parseIDs(ids []*qdrant.PointId) (parsed []uuid.UUID, err error) {
	parsed = make([]uuid.UUID, len(ids))
	for i, id := range ids {
		if parsed[i], err = parseID(id); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func parseID(id *qdrant.PointId) (uuid.UUID, error) {
	parsed, err := uuid.Parse(id.GetUuid())
	if err != nil {
		return parsed, status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %q", id.GetUuid())
	}
	return parsed, nil
}
