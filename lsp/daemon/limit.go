package daemon

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/lsp/wire"
)

// Limit bounds a parameter beyond its type: a text in bytes, a number, a list in
// entries, each of which is a text.
type Limit struct {
	// Field is its name in JSON.
	Field string
	// Min and Max are both allowed.
	Min, Max int
	// Entries is how many a list may have.
	Entries int
	// Among, if given, are the only words that it may be.
	Among []string
}

func text(field string, most int) Limit   { return Limit{Field: field, Max: most} }
func needed(field string, most int) Limit { return Limit{Field: field, Min: 1, Max: most} }
func number(field string, most int) Limit { return Limit{Field: field, Max: most} }
func texts(field string, entries, longest int) Limit {
	return Limit{Field: field, Entries: entries, Max: longest}
}

// oneOf is a word among some; with "" it may be left out.
func oneOf(field string, words ...string) Limit { return Limit{Field: field, Among: words} }

// endless is the most of a number that has none.
const endless = math.MaxInt

// among says the words that are allowed.
func (l Limit) among() string {
	words := slices.DeleteFunc(slices.Clone(l.Among), func(w string) bool { return w == "" })
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// check refuses a value that breaks the limit.
func (l Limit) check(field string, v reflect.Value) error {
	switch n := 0; v.Kind() {
	case reflect.Slice:
		if v.Len() > l.Entries {
			return wire.Invalid("%q has more than %d entries", field, l.Entries)
		}
		for i := range v.Len() {
			if err := l.check(fmt.Sprint(field, "/", i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Int:
		if n = int(v.Int()); n >= l.Min && n <= l.Max {
			return nil
		}
		if l.Max == endless {
			return wire.Invalid("%q must not be negative", field)
		}
		return wire.Invalid("%q must be %d to %d", field, l.Min, l.Max)
	default:
		switch n = v.Len(); {
		case l.Among != nil:
			if !slices.Contains(l.Among, v.String()) {
				return wire.Invalid("%q must be %s", field, l.among())
			}
		case n > l.Max && l.Min == 0:
			return wire.Invalid("%q is longer than %d bytes", field, l.Max)
		case n > l.Max || n < l.Min:
			return wire.Invalid("%q must have %d to %d bytes", field, l.Min, l.Max)
		}
	}
	return nil
}

// bound is a limit and where its parameter is in the parameters' type.
type bound struct {
	Limit
	index []int
}

// bind finds the parameters that limits are about. A limit of something else is
// a mistake of this package, which no program that holds it outlives.
func bind(params reflect.Type, limits []Limit) []bound {
	bounds := make([]bound, len(limits))
	for i, l := range limits {
		in := params
		for name := range strings.SplitSeq(l.Field, "/") {
			f, ok := fieldOf(in, name)
			if !ok {
				panic(fmt.Sprintf("%v has no parameter %s", params, l.Field))
			}
			bounds[i].index, in = append(bounds[i].index, f.Index...), f.Type
		}
		bounds[i].Limit = l
	}
	return bounds
}

// fieldOf is the field that a name in JSON stands for.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range reflect.VisibleFields(t) {
		if own, _, _ := strings.Cut(f.Tag.Get("json"), ","); own == name && !f.Anonymous {
			return f, true
		}
	}
	return reflect.StructField{}, false
}
