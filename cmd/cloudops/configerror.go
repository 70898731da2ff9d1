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

	"github.com/cloudops/cloudops/storage/index"
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
	if near := index.Nearest(name, all); near != "" {
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
