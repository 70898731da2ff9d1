package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/seal"
)

// checkYAML compares the text of config.yaml with what it is read into, before it
// is: the decoder takes a number for text and turns 0123 into 83. It returns the
// texts that stand in it. Its errors name line and key, and quote no value, which
// may be a secret.
func checkYAML(text []byte) (texts []string, err error) {
	f, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, fmt.Errorf("%sit is no YAML; see that quotes and brackets are closed, and that what belongs together stands below each other", position(err))
	}
	c := &yamlCheck{anchors: map[string]ast.Node{}}
	for i, doc := range f.Docs {
		if i > 0 && doc.Body != nil {
			return nil, fmt.Errorf("line %d: another document begins, and only the first would count; put all of it into one", doc.Body.GetToken().Position.Line)
		}
		if doc.Body != nil {
			c.node(doc.Body, reflect.TypeFor[config](), nil)
		}
	}
	return c.texts, c.err
}

var yamlPosition = regexp.MustCompile(`^\s*\[(\d+):\d+\]`)

// position is where a parser's error is, "" where it doesn't say.
func position(err error) string {
	if m := yamlPosition.FindStringSubmatch(err.Error()); m != nil {
		return "line " + m[1] + ": "
	}
	return ""
}

type yamlCheck struct {
	anchors map[string]ast.Node
	texts   []string
	err     error
}

// fail keeps the first error.
func (c *yamlCheck) fail(n ast.Node, path []string, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("line %d: %s %s", n.GetToken().Position.Line, strings.Join(path, "."), fmt.Sprintf(format, args...))
	}
}

// node checks what stands at a path against the type that it is read into.
func (c *yamlCheck) node(n ast.Node, t reflect.Type, path []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := n.(type) {
	case *ast.AnchorNode:
		c.anchors[v.Name.GetToken().Value] = v.Value
		c.node(v.Value, t, path)
		return
	case *ast.AliasNode:
		if at := c.anchors[v.Value.GetToken().Value]; at != nil {
			c.node(at, t, path)
		}
		return
	case *ast.TagNode:
		c.fail(n, path, "has a tag; write the value without it")
		return
	case *ast.StringNode:
		// What should narrow and says nothing must not stand for what is widest.
		if v.Value == "" && len(path) > 0 && path[0] == "policy" {
			c.fail(n, path, "is empty; give it a value, or leave it out")
			return
		}
	case *ast.NullNode:
		if len(path) > 0 {
			c.fail(n, path, "is empty; give it a value, or leave it out")
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		c.mapping(n, t, path)
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			c.fail(n, path, "must be a list, such as [a, b]")
			return
		}
		for _, item := range list.Values {
			c.node(item, t.Elem(), path)
		}
	case reflect.String:
		c.text(n, path)
	case reflect.Bool:
		if _, ok := n.(*ast.BoolNode); !ok {
			c.fail(n, path, "must be true or false")
		}
	default:
		if number := n.GetToken().Value; n.Type() != ast.IntegerType || len(number) > 1 && strings.HasPrefix(strings.TrimLeft(number, "+-"), "0") {
			c.fail(n, path, "must be a whole number, without zeros before it")
		}
	}
}

func (c *yamlCheck) mapping(n ast.Node, t reflect.Type, path []string) {
	m, ok := n.(ast.MapNode)
	if !ok {
		if at := path[max(0, len(path)-1):]; slices.Contains(at, "api_key") || slices.Contains(at, "key_source") {
			c.fail(n, path, "says where a key is, never what it is: {env_var: NAME}, {file: /PATH} or {os_keychain: {service: S, account: A}}")
			return
		}
		c.fail(n, path, "must hold keys of its own")
		return
	}
	fields, lines := yamlFields(t), map[string]int{}
	for entries := m.MapRange(); entries.Next(); {
		name := entries.Key().GetToken().Value
		if _, merge := entries.Key().(*ast.MergeKeyNode); merge {
			c.node(entries.Value(), t, path)
			continue
		}
		below := append(slices.Clone(path), name)
		if fields[name] == nil {
			c.unknown(entries.Key(), name, path)
			return
		}
		if lines[name] > 0 {
			c.fail(entries.Key(), below, "stands in line %d already, and only one of the two can count; take the other out", lines[name])
			return
		}
		lines[name] = entries.Key().GetToken().Position.Line
		c.node(entries.Value(), fields[name], below)
	}
}

// unknown says which key was meant.
func (c *yamlCheck) unknown(n ast.Node, name string, path []string) {
	if c.err != nil {
		return
	}
	shown := "a key that it can't have"
	if len(name) <= 40 && !looksSecret(name) {
		shown = fmt.Sprintf("unknown field %q", name)
	}
	if len(path) > 0 {
		shown += " in " + strings.Join(path, ".")
	}
	all := keysOf(reflect.TypeFor[config](), path)
	if near := index.Nearest(name, all); near != "" {
		shown += "; did you mean " + near + "?"
	} else {
		shown += "; there are: " + strings.Join(all, ", ")
	}
	c.err = fmt.Errorf("line %d: %s", n.GetToken().Position.Line, shown)
}

// unquoted is text that other readers of YAML take for something else.
var unquoted = regexp.MustCompile(`^(\d{4}-\d\d?-\d\d?([Tt ].*)?|[-+]?\d[\d_]*(:[0-5]?\d)+|[-+]?[\d_]+([.eE][\d_.eE+-]*)?|0[xob][\da-fA-F_]+)$`)

func (c *yamlCheck) text(n ast.Node, path []string) {
	var value string
	switch v := n.(type) {
	case *ast.StringNode:
		value = v.Value
		if plain := v.Token != nil && v.Token.Type.String() == "String"; plain && unquoted.MatchString(value) {
			c.fail(n, path, "is text, but what stands there is read as a number or a time; put it into quotes")
			return
		}
	case *ast.LiteralNode:
		value = v.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		c.fail(n, path, "is text, but what stands there is read as a number; put it into quotes")
		return
	case *ast.BoolNode:
		c.fail(n, path, "is text, but what stands there is read as true or false; put it into quotes")
		return
	default:
		c.fail(n, path, "must be text")
		return
	}
	if looksSecret(value) {
		c.fail(n, path, "holds what looks like a key or a password; no secret stands in config.yaml: take it out, and if others could have read it, make a new one")
		return
	}
	if path[len(path)-1] == "env_var" && value != "" && !seal.IsVariable(value) {
		c.fail(n, path, "is no name of a variable, such as CLOUDOPS_KEY; what the variable holds stands in the environment only")
		return
	}
	if value != "" {
		c.texts = append(c.texts, value)
	}
}

var (
	secretShape = regexp.MustCompile(`-----(BEGIN|END)|PRIVATE KEY|\b(AKIA|ASIA)[A-Z0-9]{12,}|\b(sk-|ghp_|gho_|github_pat_|glpat-|xox[abp]-|AGE-SECRET-KEY-|eyJ[A-Za-z0-9])`)
	hexShape    = regexp.MustCompile(`^(0x)?[0-9a-fA-F]{32,}$`)
	digits      = regexp.MustCompile(`[0-9]+`)
	runs        = regexp.MustCompile(`[A-Za-z0-9+/=]{20,}`)
)

// looksSecret tells what has the shape of a key from what names a place. Names
// that people give have words in them, and keys change between capitals, small
// letters and digits all the time.
func looksSecret(value string) bool {
	if secretShape.MatchString(value) {
		return true
	}
	joined := strings.Join(strings.Fields(value), "")
	if hexShape.MatchString(strings.ReplaceAll(joined, ":", "")) {
		return true
	}
	if b, err := base64.StdEncoding.DecodeString(joined); err == nil && len(b) >= 16 && strings.HasSuffix(joined, "=") {
		return true
	}
	path := strings.HasPrefix(joined, "/") || strings.HasPrefix(joined, "~/") || strings.Contains(joined, "://")
	for _, run := range runs.FindAllString(joined, -1) {
		if !path && random(run) {
			return true
		}
		// Folders are words with a number at the end, if any: keys have more.
		for part := range strings.SplitSeq(run, "/") {
			if path && random(part) && len(digits.FindAllString(part, 2)) > 1 {
				return true
			}
		}
	}
	return false
}

// random tells whether letters and digits stand as by chance.
func random(s string) bool {
	if len(s) < 20 {
		return false
	}
	class := func(r rune) int {
		switch {
		case unicode.IsUpper(r):
			return 1
		case unicode.IsLower(r):
			return 2
		case unicode.IsDigit(r):
			return 3
		}
		return 4
	}
	changes, last := 0, 0
	for _, r := range s {
		if now := class(r); now != last {
			changes, last = changes+1, now
		}
	}
	return digits.MatchString(s) && changes*5 >= len(s)*2
}

// withoutValues takes out of an error what stands in config.yaml: it names the
// key, and what may stand there.
func withoutValues(said string, texts []string) string {
	for _, v := range texts {
		for _, v := range []string{v, strings.ToLower(v)} {
			said = strings.ReplaceAll(said, fmt.Sprintf(" %q", v), "")
			if len(v) >= 8 {
				said = strings.ReplaceAll(said, v, "…")
			}
		}
	}
	return said
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
