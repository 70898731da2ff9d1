package storage

import (
	"math"
	"strconv"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// plainTag is a tag's value as it stands outside the seal, for an index of a
// type; nil where the text is no such value. A place is "latitude,longitude".
func plainTag(typ, text string) *qdrant.Value {
	switch typ {
	case kindInteger:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return qdrant.NewValueInt(n)
		}
	case kindFloat:
		if x, ok := number(text); ok {
			return qdrant.NewValueDouble(x)
		}
	case kindBool:
		if b, err := strconv.ParseBool(text); err == nil {
			return qdrant.NewValueBool(b)
		}
	case kindGeo:
		first, second, _ := strings.Cut(text, ",")
		lat, ok := number(first)
		lon, also := number(second)
		if ok && also && math.Abs(lat) <= 90 && math.Abs(lon) <= 180 {
			return qdrant.NewValueFromFields(map[string]*qdrant.Value{"lat": qdrant.NewValueDouble(lat), "lon": qdrant.NewValueDouble(lon)})
		}
	default:
		return qdrant.NewValueString(text)
	}
	return nil
}

func number(text string) (float64, bool) {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// typeOf is the type of index that a plain tag was stored for.
func typeOf(v *qdrant.Value) string {
	switch v.GetKind().(type) {
	case *qdrant.Value_IntegerValue:
		return kindInteger
	case *qdrant.Value_DoubleValue:
		return kindFloat
	case *qdrant.Value_BoolValue:
		return kindBool
	case *qdrant.Value_StructValue:
		return kindGeo
	}
	return kindKeyword
}
