package engine

import (
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What codec carries past the decoder means what the decoder would have read.
func TestPayloadsAreCarriedAsTheyAreMeant(t *testing.T) {
	entry := func(name string, v *qdrant.Value) []byte {
		return encoded(t, &qdrant.Struct{Fields: map[string]*qdrant.Value{name: v}})
	}
	text := func(s string) *qdrant.Value { return qdrant.NewValueString(s) }
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, test := range map[string]struct {
		in    []byte
		asIs  bool
		wrong bool
	}{
		"nothing":             {nil, true, false},
		"values":              {join(entry("a", text("b")), entry("n", qdrant.NewValueInt(-1)), entry("d", qdrant.NewValueDouble(0.5)), entry("b", qdrant.NewValueBool(true)), entry("0", qdrant.NewValueNull())), true, false},
		"a structure":         {entry("a", qdrant.NewValueFromFields(map[string]*qdrant.Value{"x": text("y"), "z": qdrant.NewValueFromFields(nil)})), true, false},
		"a list":              {entry("a", qdrant.NewValueFromList(text("y"))), false, false},
		"a name twice":        {join(entry("a", text("b")), entry("a", text("c"))), false, false},
		"a value twice":       {appendField(nil, 1, join(appendField(nil, 1, []byte("a")), appendField(nil, 2, join(encoded(t, text("b")), encoded(t, qdrant.NewValueInt(1)))))), false, false},
		"no name":             {appendField(nil, 1, appendField(nil, 2, encoded(t, text("b")))), false, false},
		"no value":            {appendField(nil, 1, appendField(nil, 1, []byte("a"))), false, false},
		"no kind":             {entry("a", &qdrant.Value{}), true, false},
		"a name that is none": {appendField(nil, 1, join(appendField(nil, 1, []byte("\xff")), appendField(nil, 2, encoded(t, text("b"))))), false, true},
		"a text that is none": {appendField(nil, 1, join(appendField(nil, 1, []byte("a")), appendField(nil, 2, appendField(nil, valueString, []byte("\xff"))))), false, true},
		"cut short":           {entry("a", text("b"))[:6], false, true},
		"a text as a number":  {appendField(nil, 1, join(appendField(nil, 1, []byte("a")), appendField(nil, 2, protowire.AppendVarint(protowire.AppendTag(nil, valueString, protowire.VarintType), 1)))), false, false},
	} {
		var want, got qdrant.Struct
		wrong := proto.Unmarshal(test.in, &want) != nil
		out, err := tidy(test.in)
		if wrong != test.wrong || (err != nil) != wrong {
			t.Errorf("%s: %v, and the decoder says it is wrong: %v; want %v", name, err, wrong, test.wrong)
			continue
		}
		if isTidy(test.in, 0) != test.asIs {
			t.Errorf("%s: it is carried as it is: %v", name, !test.asIs)
		}
		// What the decoder does not know is no part of a payload.
		want.ProtoReflect().SetUnknown(nil)
		if err := proto.Unmarshal(out, &got); err == nil && !wrong && got.String() != want.String() {
			t.Errorf("%s: it is carried as %v, but means %v", name, &got, &want)
		}
	}
}

func FuzzUpsert(f *testing.F) {
	f.Add(encoded(f, &qdrant.UpsertPoints{CollectionName: "c", Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{{
		Id: qdrant.NewID("00000000-0000-4000-8000-000000000000"), Vectors: qdrant.NewVectors(1, 2),
		Payload: map[string]*qdrant.Value{"a": qdrant.NewValueString("b"), "c": qdrant.NewValueFromList(qdrant.NewValueNull())},
	}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want, got qdrant.UpsertPoints
		wrong, err := proto.Unmarshal(b, &want), unmarshalUpsert(b, &got)
		if (err != nil) != (wrong != nil) {
			t.Fatalf("%v, but the decoder says %v", err, wrong)
		}
		if err != nil {
			return
		}
		if len(got.Points) != len(want.Points) {
			t.Fatalf("%d points, want %d", len(got.Points), len(want.Points))
		}
		for i, p := range got.Points {
			var carried qdrant.Struct
			if err := proto.Unmarshal(payload(p), &carried); err != nil {
				t.Fatalf("a carried payload does not decode: %v", err)
			}
			w := want.Points[i]
			meant := qdrant.Struct{Fields: w.GetPayload()}
			if carried.String() != meant.String() || p.GetId().String() != w.GetId().String() || p.GetVectors().String() != w.GetVectors().String() {
				t.Fatalf("a point is read as %v with %v, want %v", p, &carried, w)
			}
		}
	})
}
