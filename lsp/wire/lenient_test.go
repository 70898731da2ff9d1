package wire

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

// What clients in languages without absent values, or with one kind of number,
// write for the same message.
func TestMessagesAreReadAsTheyWereMeant(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`{"jsonrpc":"2.0","id":1,"result":{"a":null},"error":null}`, `answer 1: {"a":null}`},
		{`{"jsonrpc":"2.0","id":1,"error":null,"result":null}`, `answer 1: null`},
		{`{"jsonrpc":"2.0","id":1,"error":null}`, `answer 1: null`},
		{`{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":5,"message":"no"}}`, `failure 1: 5 no`},
		{`{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":[null],"error":null}`, `answer 1: [null]`},
		{`{"jsonrpc":"2.0","id":1.0,"result":7}`, `answer 1: 7`},
		{`{"jsonrpc":"2.0","id":null,"error":{"code":5,"message":"no"}}`, `failure null: 5 no`},
		{`{"jsonrpc":"2.0","id":2.0,"method":"x"}`, `call 2: x`},
		{`{"jsonrpc":"2.0","id":1e2,"method":"x"}`, `call 100: x`},
		{`{"jsonrpc":"2.0","id":"a","method":"x","params":null}`, `call "a": x`},
		{`{"jsonrpc":"2.0","id":2,"method":"x","result":null,"error":null}`, `call 2: x`},
		{`{"jsonrpc":"2.0","id":null,"method":"x"}`, `note: x`},
		{`{"jsonrpc":"2.0","id":null,"method":"x","error":null}`, `note: x`},

		{`{"jsonrpc":"2.0","id":1.5,"method":"x"}`, `nothing`},
		{`{"jsonrpc":"2.0","id":1e300,"method":"x"}`, `nothing`},
		{`{"jsonrpc":"2.0","id":true,"method":"x"}`, `nothing`},
		{`{"jsonrpc":"2.0","id":{},"method":"x"}`, `nothing`},
		{`{"jsonrpc":"2.0","id":1,"method":"x","result":5}`, `nothing`},
		{`{"jsonrpc":"2.0","id":1,"result":5,"error":{"code":5,"message":"no"}}`, `nothing`},
		{`{"jsonrpc":"2.0","id":1}`, `nothing`},
		{`{"jsonrpc":"2.0","id":1,"method":null}`, `nothing`},
		{`{"jsonrpc":null,"id":1,"method":"x"}`, `nothing`},
		{`{"id":1.0,"method":"x"}`, `nothing`},
		{`null`, `nothing`},
	} {
		got := "nothing"
		m, err := DecodeMessage([]byte(c.body))
		id := func(id jsonrpc2.ID) string {
			if n, ok := id.Number(); ok {
				return fmt.Sprint(n)
			}
			if s, ok := id.StringValue(); ok {
				return fmt.Sprintf("%q", s)
			}
			return "null"
		}
		switch m := m.(type) {
		case *jsonrpc2.Call:
			got = "call " + id(m.ID()) + ": " + m.Method()
		case *jsonrpc2.Notification:
			got = "note: " + m.Method()
		case *jsonrpc2.Response:
			got = "answer " + id(m.ID()) + ": " + string(m.Result())
			if wire, ok := m.Err().(*jsonrpc2.Error); ok {
				got = fmt.Sprintf("failure %s: %d %s", id(m.ID()), wire.Code, wire.Message)
			}
		}
		if got != c.want || (err != nil) != (c.want == "nothing") {
			t.Errorf("%s: got %s (%v), want %s", c.body, got, err, c.want)
		}
	}
}

func TestNullMembersAreLeftOut(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":null,"b":1}`:                     `{"b":1}`,
		`{"b":1,"a":null}`:                     `{"b":1}`,
		`{"a":null}`:                           `{}`,
		` { "a" : null , "b" : [ null , {} ]}`: `{"b":[null,{}]}`,
		`{"a":{"b":{"c":null,"d":"null"}}}`:    `{"a":{"b":{"d":"null"}}}`,
		`[{"a":null},null]`:                    `[{},null]`,
		`null`:                                 `null`,
		`{"a":"x","b":2}`:                      `{"a":"x","b":2}`,
		"{\"a\":\"\xff\",\"b\":null}":          "{\"a\":\"\xff\"}",
		`{"a":null,`:                           `{"a":null,`,
		`{"a":nul}`:                            `{"a":nul}`,
	} {
		if got := string(WithoutNulls([]byte(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// FuzzWithoutNulls: what is left is what decoding sees without the nulls.
func FuzzWithoutNulls(f *testing.F) {
	f.Add(`{"a":null,"b":[{"c":null}],"d":"null"}`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, in string) {
		var v any
		if !jsontext.Value(in).IsValid() || json.Unmarshal([]byte(in), &v) != nil {
			return // of a name that is there twice either may count
		}
		var got any
		if err := json.Unmarshal(WithoutNulls([]byte(in)), &got); err != nil {
			t.Fatalf("%q became no JSON: %v", in, err)
		}
		want, err := json.Marshal(stripped(v))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(got); err != nil || string(b) != string(want) {
			t.Errorf("%q became %s, want %s", in, b, want)
		}
	})
}

func stripped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			} else {
				v[name] = stripped(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = stripped(v[i])
		}
	}
	return v
}
