package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// secretInPlace is a key that was written where only its place belongs.
var secretInPlace = regexp.MustCompile(`(?m)(?:^|[{,])\s*(api_key|key_source)\s*:\s*["']?[^\s{&*#"']`)

// explainYAML says what is wrong with a configuration: where, and which key was
// meant. It quotes no value, which may be a secret.
func explainYAML(text []byte, err error) string {
	said := yaml.FormatError(err, false, false)
	if m := secretInPlace.FindSubmatch(text); m != nil {
		return fmt.Sprintf("%s says where a key is, never what it is: {env_var: NAME}, {file: /PATH} or {os_keychain: {service: S, account: A}}", m[1])
	}
	unknown, ok := errors.AsType[*yaml.UnknownFieldError](err)
	if !ok {
		return said
	}
	in := parents(text, unknown.GetToken())
	all := keysOf(reflect.TypeFor[config](), in)
	at := ""
	if len(in) > 0 {
		at = " in " + strings.Join(in, ".")
	}
	name := unknown.GetToken().Value
	if near := nearest(name, all); near != "" {
		return fmt.Sprintf("%s%s; did you mean %s?", said, at, near)
	}
	return fmt.Sprintf("%s%s; there are: %s", said, at, strings.Join(all, ", "))
}

// parents are the keys above the one that a token is.
func parents(text []byte, t *token.Token) []string {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil
	}
	var path string
	for _, doc := range f.Docs {
		ast.Walk(visitor(func(n ast.Node) {
			if v, ok := n.(*ast.MappingValueNode); ok {
				if k := v.Key.GetToken(); k.Position.Offset == t.Position.Offset && k.Value == t.Value {
					path = v.Key.GetPath()
				}
			}
		}), doc.Body)
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")
	steps := strings.Split(path, ".")
	steps = slices.DeleteFunc(steps, func(s string) bool { return s == "" })
	if len(steps) == 0 {
		return nil
	}
	return steps[:len(steps)-1]
}

type visitor func(ast.Node)

func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// keysOf are the keys that a configuration may have below a path, sorted.
func keysOf(t reflect.Type, path []string) []string {
	for _, step := range path {
		step, _, _ = strings.Cut(step, "[") // of a list
		below := yamlFields(t)[step]
		if below == nil {
			return nil
		}
		t = below
	}
	var keys []string
	for k := range yamlFields(t) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// yamlFields are the types of a struct's fields by their keys.
func yamlFields(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	fields := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return fields
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline"):
			for k, v := range yamlFields(f.Type) {
				fields[k] = v
			}
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

// nearest is the one of some words that another was meant to be; "" for none.
func nearest(word string, words []string) string {
	best, least := "", max(2, len(word)/3)+1
	word = strings.ToLower(word)
	for _, w := range words {
		d := distance(word, w)
		if len(word) > 2 && strings.HasPrefix(w, word) {
			d = 1
		}
		if d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is how many letters were left out, added, changed or swapped.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
