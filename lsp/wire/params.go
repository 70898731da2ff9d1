package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

// Codec encodes and decodes payloads; JSON that is ready passes as it is.
type Codec struct {
	Encode func(v any) ([]byte, error)
	Decode func(data []byte, v any) error
}

// Plain is the codec of the socket. Text that is not UTF-8 is mended rather than
// fatal.
var Plain = Codec{
	Encode: func(v any) ([]byte, error) {
		return jsonv2.Marshal(v, jsontext.AllowInvalidUTF8(true), jsonv2.Deterministic(true))
	},
	Decode: func(data []byte, v any) error { return jsonv2.Unmarshal(data, v) },
}

// Marshal implements jsonrpc2.Codec.
func (c Codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.(jsonrpc2.RawMessage); ok {
		if raw == nil {
			return []byte("null"), nil
		}
		return raw, nil
	}
	return c.Encode(v)
}

// Unmarshal implements jsonrpc2.Codec.
func (c Codec) Unmarshal(data []byte, v any) error {
	if raw, ok := v.(*jsonrpc2.RawMessage); ok {
		*raw = bytes.Clone(data)
		return nil
	}
	return c.Decode(data, v)
}

// DecodeParams is strict: exact names, right types, nothing twice. Its errors
// name the field and never repeat a value.
func DecodeParams(params []byte, into any) error {
	if len(params) == 0 || string(params) == "null" {
		params = []byte("{}")
	}
	err := jsonv2.Unmarshal(params, into, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	field, why := "", "malformed"
	var semantic *jsonv2.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		field = string(semantic.JSONPointer)
		why = "has the wrong type"
		if errors.Is(err, jsonv2.ErrUnknownName) {
			why = "is unknown"
		} else if semantic.GoType != nil {
			why = fmt.Sprintf("must be %s, not %s", kindOf(semantic.GoType.Kind().String()), given(semantic.JSONKind))
		}
	case errors.As(err, &syntactic):
		field = string(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			why = "is there twice"
		}
	}
	if len(field) > 100 {
		field = field[:100]
	}
	if field == "" {
		field = "params"
	} else {
		field = strconv.QuoteToASCII(strings.TrimPrefix(field, "/"))
	}
	return Invalid("%s %s", field, why)
}

// given says a JSON kind in words.
func given(k jsontext.Kind) string {
	switch k {
	case '[':
		return "an array"
	case '{':
		return "an object"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	}
	return "null"
}

// kindOf says a Go kind in JSON's words.
func kindOf(kind string) string {
	switch {
	case kind == "slice" || kind == "array":
		return "an array"
	case kind == "struct" || kind == "map":
		return "an object"
	case kind == "bool":
		return "a boolean"
	case strings.Contains(kind, "int") || strings.Contains(kind, "float"):
		return "a number"
	}
	return "a " + kind
}

// DecodeLoosely reads what it knows and skips the rest.
func DecodeLoosely(params []byte, into any) error {
	if len(params) == 0 {
		return Invalid("there are none")
	}
	if err := jsonv2.Unmarshal(params, into); err != nil {
		return DecodeParams(params, into)
	}
	return nil
}
