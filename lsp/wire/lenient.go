package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

// DecodeMessage reads a message as it was meant. Clients whose language has no
// absent values write null for them, and those whose numbers are all floats
// write 1.0 for an id.
func DecodeMessage(body []byte) (jsonrpc2.Message, error) {
	m, err := jsonrpc2.DecodeMessage(body)
	if err == nil {
		return m, nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil, err
	}
	null := func(name string) bool { return string(members[name]) == "null" }
	_, asks := members["method"]
	asks = asks && !null("method")
	for _, name := range []string{"method", "params"} {
		if null(name) {
			delete(members, name)
		}
	}
	if null("error") {
		delete(members, "error")
		if members["result"] == nil {
			members["result"] = json.RawMessage("null")
		}
	}
	if _, failed := members["error"]; null("result") && (failed || asks) {
		delete(members, "result")
	}
	if id, ok := ParseID(members["id"]); ok {
		if n, number := id.Number(); number {
			members["id"] = strconv.AppendInt(nil, n, 10)
		}
	}
	mended, encodeErr := json.Marshal(members)
	if encodeErr != nil {
		return nil, err
	}
	if m, mendedErr := jsonrpc2.DecodeMessage(mended); mendedErr == nil {
		return m, nil
	}
	return nil, err
}

// ParseID reads the id of a call: a string, or a number without a fraction.
func ParseID(raw []byte) (id jsonrpc2.ID, ok bool) {
	if len(raw) > 0 && raw[0] == '"' {
		s, err := jsontext.AppendUnquote(nil, raw)
		return jsonrpc2.NewStringID(string(s)), err == nil
	}
	text := string(raw)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return jsonrpc2.NewNumberID(n), true
	}
	const exact = 1 << 53
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != float64(int64(f)) || f > exact || f < -exact || strings.ContainsAny(text, "xX_") {
		return jsonrpc2.ID{}, false
	}
	return jsonrpc2.NewNumberID(int64(f)), true
}

// WithoutNulls leaves out the members of objects that are null, which means the
// same as their absence. JSON that is malformed comes back as it is.
func WithoutNulls(value []byte) []byte {
	if !bytes.Contains(value, []byte("null")) {
		return value
	}
	in := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	out, err := appendWithoutNulls(make([]byte, 0, len(value)), in)
	if err != nil {
		return value
	}
	return out
}

// appendWithoutNulls copies one value. How deep values may nest is up to the decoder.
func appendWithoutNulls(out []byte, in *jsontext.Decoder) ([]byte, error) {
	open := in.PeekKind()
	if open != '{' && open != '[' {
		v, err := in.ReadValue()
		return append(out, v...), err
	}
	if _, err := in.ReadToken(); err != nil {
		return out, err
	}
	out = append(out, byte(open))
	for first := true; ; {
		kind := in.PeekKind()
		if kind == '}' || kind == ']' {
			_, err := in.ReadToken()
			return append(out, byte(kind)), err
		}
		before := len(out)
		if !first {
			out = append(out, ',')
		}
		if open == '{' {
			name, err := in.ReadValue()
			if err != nil {
				return out, err
			}
			out = append(append(out, name...), ':')
			if in.PeekKind() == 'n' {
				if _, err := in.ReadToken(); err != nil {
					return out, err
				}
				out = out[:before]
				continue
			}
		}
		var err error
		if out, err = appendWithoutNulls(out, in); err != nil {
			return out, err
		}
		first = false
	}
}
