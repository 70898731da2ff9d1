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
type matcher []equal

func (m matcher) match(p *point) bool {
	if p.damaged {
		return false
	}
	for _, e := range m {
		if p.values[e.index] != e.word {
			return false
		}
	}
	return true
}

// compile makes a matcher of a filter. Fields must have a keyword index, as
// Qdrant demands in strict mode. The caller holds mu.
func (c *collection) compile(f *qdrant.Filter) (matcher, error) {
	var m matcher
	for _, condition := range f.GetMust() {
		field := condition.GetField()
		if field == nil { // an empty condition always holds
			continue
		}
		match, ok := field.GetMatch().GetMatchValue().(*qdrant.Match_Keyword)
		if !ok {
			return nil, status.Errorf(codes.InvalidArgument, "the condition on %q does not say what to match", field.GetKey())
		}
		index, err := c.index(field.GetKey(), "keyword")
		if err != nil {
			return nil, err
		}
		word, ok := c.words[match.Keyword]
		if !ok {
			word = -1 // no point has it
		}
		m = append(m, equal{index, word})
	}
	return m, nil
}

func (c *collection) index(field, typ string) (int, error) {
	for i, index := range c.indexes {
		if index.Field == field && index.Type == typ {
			return i, nil
		}
	}
	return 0, status.Errorf(codes.InvalidArgument, "Index required but not found for %q of one of the following types: [%s]", field, typ)
}

func parseIDs(ids []*qdrant.PointId) ([]uuid.UUID, error) {
	parsed := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		var err error
		if parsed[i], err = uuid.Parse(id.GetUuid()); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "Unable to parse UUID: %q", id.GetUuid())
		}
	}
	return parsed, nil
}
