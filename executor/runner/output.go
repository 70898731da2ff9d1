package runner

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudops/cloudops/executor/catalog"
)

// maxOutput bounds the bytes of what is kept of a result.
const maxOutput = 64 << 10

// output is the kept part of a result as indented JSON, in the AWS CLI's shape;
// "" when there is nothing to keep. Of a list too long, the first elements that
// fit are kept.
func output(op *catalog.Operation, items any, more bool) string {
	if op.Items == "" {
		return ""
	}
	kept, err := pick(items, op.Output)
	if err != nil || kept == nil {
		return ""
	}
	list, isList := kept.([]any)
	render := func(n int) string {
		whole := map[string]any{op.Items: kept}
		if isList {
			whole[op.Items] = list[:n]
			if more || n < len(list) {
				whole["Truncated"] = fmt.Sprintf("the first %d are shown", n)
			}
		}
		b, err := json.MarshalIndent(whole, "", "  ")
		if err != nil {
			return ""
		}
		return string(b)
	}
	n := len(list)
	s := render(n)
	for len(s) > maxOutput {
		if n == 0 {
			return ""
		}
		n /= 2
		s = render(n)
	}
	return s
}

// pick keeps the listed paths of a value, by its JSON names.
func pick(value any, paths []string) (any, error) {
	b, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	return prune(plain, paths), nil
}

// prune drops what no path leads to, and what is null or empty.
func prune(value any, paths []string) any {
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			var below []string
			whole := false
			for _, p := range paths {
				head, rest, deeper := strings.Cut(p, ".")
				if head != name {
					continue
				}
				if deeper {
					below = append(below, rest)
				} else {
					whole = true
				}
			}
			switch {
			case whole && scalar(inner):
				out[name] = inner
			case below != nil:
				if inner = prune(inner, below); inner != nil {
					out[name] = inner
				}
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, inner := range v {
			if inner = prune(inner, paths); inner != nil {
				out = append(out, inner)
			}
		}
		return out
	}
	return nil
}

// scalar reports whether a path may end here: at a value, or a list of values.
func scalar(value any) bool {
	switch v := value.(type) {
	case nil, map[string]any:
		return false
	case []any:
		for _, inner := range v {
			if _, nested := inner.([]any); nested || !scalar(inner) {
				return false
			}
		}
		return len(v) > 0
	}
	return true
}
