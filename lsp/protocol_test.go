package lsp_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
)

const module = "github.com/cloudops/cloudops"

// The page for authors of plugins is the one that the descriptors give.
func TestProtocolPage(t *testing.T) {
	t.Chdir("..") // the comments are found by the packages' folders
	const file, mark = "docs/protocol.md", "<!-- What follows is made of the Go types by: go test ./lsp -run TestProtocol -update -->\n"
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(have), mark)
	if !ok {
		t.Fatalf("%s has lost its mark: %s", file, mark)
	}
	var p page
	p.write()
	// Comments are read for the packages whose types are shown, and all is written again.
	for dir := range p.packages() {
		if err := p.comments.AddGoComments(module, "./"+dir, jsonschema.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	p.Reset()
	p.write()
	generated(t, file, head+mark+p.String())
}

const written = "// Generated from the Go types by: go test ./lsp -run TestProtocol -update\n"

// What the VS Code extension and its panel know of the protocol is what the
// descriptors give. The panel is given the limits alone, since all else would be
// in its bundle.
func TestProtocolOfVSCode(t *testing.T) {
	const dir = "../editors/vscode/src/"
	generated(t, dir+"protocol.gen.ts", typeScript())
	generated(t, dir+"limits.gen.ts", fmt.Sprintf(written+`
/** The version of the daemon's protocol that this extension speaks. */
export const PROTOCOL = %d;
/** The longest prompt, in bytes. */
export const LONGEST_PROMPT = %d;
`, daemon.ProtocolVersion, agent.LongestPrompt))
}

// generated compares a file with what it should be, or writes it.
func generated(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if have, err := os.ReadFile(file); err != nil || string(have) != want {
		t.Errorf("%s is stale; run: go test ./lsp -run TestProtocol -update", file)
	}
}

// renamed are types whose own name says too little, or means something else in TypeScript.
var renamed = map[string]string{
	"index.Record": "ResourceRecord", "scanner.Result": "ScanResult", "executor.Event": "ExecutionEvent",
	"engine.Problem": "StoreProblem", "endpoint.State": "StoreConnection", "storage.Health": "StoreHealth",
	"agent.Execution": "PastExecution", "agent.Request": "AgentRequest", "agent.UserContext": "RequestUser", "lsp.cardParams": "Card",
	"storage.Change": "EstateChange", "index.Key": "ResourceKey",
}

// words are the values of texts that have few.
var words = map[reflect.Type][]string{
	reflect.TypeFor[executor.Risk](): {string(executor.RiskLow), string(executor.RiskMedium), string(executor.RiskHigh), string(executor.RiskCritical)},
	reflect.TypeFor[storage.Role]():  {string(storage.RoleUser), string(storage.RoleAssistant), string(storage.RoleSystem)},
}

func nameOf(t reflect.Type) string { return cmp.Or(renamed[t.String()], t.Name()) }

// member is a field as JSON has it.
type member struct {
	name     string
	of       reflect.Type
	optional bool
	field    reflect.StructField
	in       reflect.Type
}

// members are the fields of a struct in JSON, those of what it embeds among them.
func members(t reflect.Type) (all []member) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			all = append(all, members(f.Type)...)
		case f.IsExported() && name != "-":
			all = append(all, member{name, f.Type, strings.Contains(options, "omit"), f, t})
		}
	}
	return all
}

// collect finds the structs that a type is made of, parts before wholes. Two of
// one name would be one in TypeScript.
func collect(t reflect.Type, into *[]reflect.Type) {
	switch {
	case t == nil || t == reflect.TypeFor[time.Time]() || slices.Contains(*into, t):
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer || t.Kind() == reflect.Map:
		collect(t.Elem(), into)
	case t.Kind() == reflect.Struct && t.Name() != "":
		for _, m := range members(t) {
			collect(m.of, into)
		}
		for _, other := range *into {
			if nameOf(other) == nameOf(t) {
				panic(fmt.Sprintf("%v and %v are both called %s: give one another name in renamed", other, t, nameOf(t)))
			}
		}
		*into = append(*into, t)
	}
}

// spoken is a message as an editor has it.
type spoken struct {
	daemon.Message
	limits  []daemon.Limit
	command string
	again   bool
}

// requests, questions and notes are what passes between an editor and the server.
func messages() (requests, questions, notes []spoken) {
	for _, d := range daemon.Requests() {
		if d.Forwarded() {
			s := spoken{Message: d.Message, limits: d.Limits, again: d.Repeatable()}
			if d.Command() {
				s.command = strings.ReplaceAll(d.Name, "/", ".")
			}
			requests = append(requests, s)
		}
	}
	prompt := daemon.Prompt.Message
	prompt.Params = reflect.TypeFor[lsp.CardParams]()
	for _, n := range daemon.Notes() {
		notes = append(notes, spoken{Message: n})
	}
	return requests, []spoken{{Message: prompt}}, notes
}

// page writes what the page says of the messages.
type page struct {
	strings.Builder
	comments jsonschema.Reflector
	types    []reflect.Type
	// shown are the types of parameters.
	shown []reflect.Type
}

func (p *page) add(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// packages are the folders of the types that are shown.
func (p *page) packages() map[string]bool {
	dirs := map[string]bool{}
	for _, t := range slices.Concat(p.types, p.shown) {
		dirs[strings.TrimPrefix(t.PkgPath(), module+"/")] = true
	}
	return dirs
}

func (p *page) write() {
	requests, questions, notes := messages()
	p.add("\n## Requests\n\n| request | what it does | sent again by itself | as a command |\n|---|---|---|---|\n")
	for _, r := range requests {
		again := map[bool]string{true: "yes", false: "no"}[r.again]
		command := "-"
		if r.command != "" {
			command = "`" + r.command + "`"
		}
		p.add("| [`%s`](#%s) | %s | %s | %s |\n", r.Name, anchor(r.Name), r.Doc, again, command)
	}
	for _, r := range requests {
		p.message(r)
	}
	p.add("\n## What you are asked\n")
	for _, q := range questions {
		p.message(q)
	}
	p.add("\n## Notifications\n")
	for _, n := range notes {
		p.message(n)
	}
	p.add("\n## Types\n")
	for _, t := range slices.SortedFunc(slices.Values(p.types), func(a, b reflect.Type) int { return cmp.Compare(nameOf(a), nameOf(b)) }) {
		p.add("\n### %s\n", nameOf(t))
		if about := p.comment(t, ""); about != "" {
			p.add("\n%s\n", about)
		}
		p.fields(t, nil)
	}
}

func (p *page) message(s spoken) {
	p.add("\n### `%s`\n\n%s\n", s.Name, s.Doc)
	if s.Params.NumField() > 0 {
		if about := p.comment(s.Params, ""); about != "" {
			p.add("%s\n", about)
		}
		p.fields(s.Params, s.limits)
		p.shown = append(p.shown, s.Params)
		for _, m := range members(s.Params) {
			collect(m.of, &p.types)
		}
	} else {
		p.add("\nIt has no parameters.\n")
	}
	if s.Result != nil {
		p.add("\nThe answer: %s\n", p.typ(s.Result))
		collect(s.Result, &p.types)
	}
}

// fields is a table of what a struct has.
func (p *page) fields(t reflect.Type, limits []daemon.Limit) {
	p.add("\n| field | type | meaning |\n|---|---|---|\n")
	for _, m := range members(t) {
		typ := p.typ(m.of)
		if i := slices.IndexFunc(limits, func(l daemon.Limit) bool { return l.Field == m.name }); i >= 0 {
			typ += ", " + bounds(m.of, limits[i])
		}
		if m.optional {
			typ += ", optional"
		}
		p.add("| `%s` | %s | %s |\n", m.name, typ, p.comment(m.in, m.field.Name))
	}
}

// bounds says a limit.
func bounds(t reflect.Type, l daemon.Limit) string {
	switch kind := t.Kind(); {
	case l.Among != nil:
		return "one of `" + strings.Join(allowed(l), "`, `") + "`"
	case kind == reflect.Slice:
		return fmt.Sprintf("at most %d, each of at most %d bytes", l.Entries, l.Max)
	case kind == reflect.Int && l.Max > 1<<32:
		return "not negative"
	case kind == reflect.Int:
		return fmt.Sprintf("%d to %d", l.Min, l.Max)
	case l.Min > 0:
		return fmt.Sprintf("%d to %d bytes", l.Min, l.Max)
	}
	return fmt.Sprintf("at most %d bytes", l.Max)
}

// typ says a type, with a link to what it is made of.
func (p *page) typ(t reflect.Type) string {
	switch kind := t.Kind(); {
	case t == reflect.TypeFor[time.Time]():
		return "time (RFC 3339)"
	case words[t] != nil:
		return "`" + strings.Join(words[t], "`, `") + "`"
	case kind == reflect.Pointer:
		return p.typ(t.Elem())
	case kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return "base64"
	case kind == reflect.Slice:
		return "list of " + p.typ(t.Elem())
	case kind == reflect.Map:
		return "map to " + p.typ(t.Elem())
	case kind == reflect.Struct && t.Name() == "":
		return "an empty object"
	case kind == reflect.Struct:
		return fmt.Sprintf("[%s](#%s)", nameOf(t), anchor(nameOf(t)))
	case kind == reflect.Interface:
		return "anything"
	case kind == reflect.String:
		return "string"
	case kind == reflect.Bool:
		return "boolean"
	}
	return "number"
}

// comment is what the Go type or its field is said to be.
func (p *page) comment(t reflect.Type, field string) string {
	key := t.PkgPath() + "." + t.Name()
	if field != "" {
		key += "." + field
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(p.comments.CommentMap[key]), " "), "|", `\|`)
}

func anchor(s string) string { return strings.ToLower(strings.ReplaceAll(s, "/", "")) }

// typeScript is the extension's module.
func typeScript() string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	add(written + `// What the server says is checked when it arrives.
import * as v from 'valibot';

/** A request to the server. */
export interface Outgoing<P, S extends v.GenericSchema> {
  method: string;
  result: S;
  /** What it is sent; never set. */
  params?: P;
}
/** A notification or a question of the server. */
export interface Incoming<S extends v.GenericSchema> {
  method: string;
  params: S;
}
const text = v.optional(v.string(), '');
const count = v.optional(v.number());
const flag = v.optional(v.boolean());
const nothing = v.unknown();
// Go writes what is empty as null.
function list<T extends v.GenericSchema>(of: T) {
  return v.pipe(
    v.optional(v.nullable(v.array(of)), []),
    v.transform((x) => x ?? []),
  );
}
function map<T extends v.GenericSchema>(of: T) {
  return v.pipe(
    v.optional(v.nullable(v.record(v.string(), of)), {}),
    v.transform((x): Record<string, v.InferOutput<T>> => x ?? {}),
  );
}
function maybe<T extends v.GenericSchema>(of: T) {
  return v.optional(v.nullable(of));
}
`)

	requests, questions, notes := messages()
	for _, t := range slices.SortedFunc(maps.Keys(words), func(a, b reflect.Type) int { return cmp.Compare(a.Name(), b.Name()) }) {
		add("\nexport const %s = v.picklist(%s);\nexport type %[1]s = v.InferOutput<typeof %[1]s>;\n", t.Name(), "["+quoted(words[t], ", ")+"]")
	}
	var types []reflect.Type
	for _, r := range requests {
		collect(r.Result, &types)
	}
	for _, m := range slices.Concat(questions, notes) {
		collect(m.Params, &types)
	}
	for _, t := range types {
		add("\nexport const %s = v.object({\n", nameOf(t))
		for _, m := range members(t) {
			add("  %s: %s,\n", m.name, schema(m.of, m.optional))
		}
		add("});\nexport type %s = v.InferOutput<typeof %[1]s>;\n", nameOf(t))
	}
	for _, r := range requests {
		add("\n")
		params := "object"
		if all := members(r.Params); len(all) > 0 {
			params = nameOf(r.Params)
			add("export interface %s {\n", params)
			for _, m := range all {
				typ := inTypeScript(m.of)
				if i := slices.IndexFunc(r.limits, func(l daemon.Limit) bool { return l.Field == m.name }); i >= 0 && r.limits[i].Among != nil {
					typ = quoted(allowed(r.limits[i]), " | ")
				}
				add("  %s%s: %s;\n", m.name, map[bool]string{true: "?"}[m.optional], typ)
			}
			add("}\n")
		}
		add("/** %s */\nexport const %s: Outgoing<%s, typeof %s> = {\n  method: '%s',\n  result: %[4]s,\n};\n",
			r.Doc, camel(r.Name), params, schema(r.Result, false), r.Name)
	}
	for _, m := range slices.Concat(questions, notes) {
		add("\n/** %s */\nexport const %s: Incoming<typeof %s> = {\n  method: '%s',\n  params: %[3]s,\n};\n",
			m.Doc, camel(m.Name), schema(m.Params, false), m.Name)
	}
	return b.String()
}

func quoted(words []string, between string) string {
	return "'" + strings.Join(words, "'"+between+"'") + "'"
}

// allowed are the words of a limit; "" stands for none.
func allowed(l daemon.Limit) []string {
	return slices.DeleteFunc(slices.Clone(l.Among), func(w string) bool { return w == "" })
}

// camel is what a method is called in TypeScript.
func camel(method string) string {
	parts := strings.Split(strings.TrimPrefix(method, "cloudops/"), "/")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// schema checks a value of a type; what is left out has an empty one.
func schema(t reflect.Type, optional bool) string {
	pick := func(must, may string) string { return map[bool]string{false: must, true: may}[optional] }
	switch kind := t.Kind(); {
	case words[t] != nil:
		return pick(t.Name(), "v.optional("+t.Name()+")")
	case kind == reflect.Pointer && t.Elem() == reflect.TypeFor[time.Time](), t == reflect.TypeFor[time.Time](), kind == reflect.String,
		kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return pick("v.string()", "text")
	case kind == reflect.Pointer:
		return "maybe(" + schema(t.Elem(), false) + ")"
	case kind == reflect.Slice:
		return "list(" + schema(t.Elem(), false) + ")"
	case kind == reflect.Map:
		return "map(" + schema(t.Elem(), false) + ")"
	case kind == reflect.Struct && t.Name() == "":
		return "nothing"
	case kind == reflect.Struct:
		return pick(nameOf(t), "maybe("+nameOf(t)+")")
	case kind == reflect.Interface:
		return "v.unknown()"
	case kind == reflect.Bool:
		return pick("v.boolean()", "flag")
	}
	return pick("v.number()", "count")
}

// inTypeScript is the type of a parameter.
func inTypeScript(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return inTypeScript(t.Elem()) + "[]"
	case reflect.Map:
		return "{ [key: string]: " + inTypeScript(t.Elem()) + " }"
	}
	return "number"
}
