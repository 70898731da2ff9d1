package executor

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

// Command is one AWS operation as data. Parameters are the API's, by CLI name
// ("db-instance-identifier"): strings, booleans or lists of strings.
type Command struct {
	Service    string         `json:"service"`
	Operation  string         `json:"operation"`
	Parameters map[string]any `json:"parameters"`
	Profile    string         `json:"profile,omitempty"`
	AccountID  string         `json:"account_id,omitempty"`
	Region     string         `json:"region,omitempty"`
}

const (
	// Longer command lines than these are never one of ours.
	maxArguments = 256
	maxLine      = 32 << 10
)

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// Argv is the AWS CLI call that the command equals, starting with "aws".
// Parameters come in the catalog's order as --name=value, region and profile
// last; the CLI has no argument for the account. It is meaningful for commands
// that Vet lets pass; for others it is only to be shown.
func (c Command) Argv() []string {
	argv := []string{"aws", c.Service, c.Operation}
	rest := maps.Clone(c.Parameters)
	if op, ok := catalog.Find(c.Service, c.Operation); ok {
		for _, p := range op.Parameters {
			if v, ok := rest[p.Name]; ok {
				argv = append(argv, argument(p.Name, v))
				delete(rest, p.Name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		argv = append(argv, argument(name, rest[name]))
	}
	if c.Region != "" {
		argv = append(argv, "--region="+c.Region)
	}
	if c.Profile != "" {
		argv = append(argv, "--profile="+c.Profile)
	}
	return argv
}

// argument is one parameter as the CLI takes it: a list of several as JSON.
func argument(name string, value any) string {
	switch v := value.(type) {
	case string:
		return "--" + name + "=" + v
	case bool:
		if v {
			return "--" + name
		}
		return "--no-" + name
	}
	if l, ok := list(value); ok && len(l) == 1 && !strings.HasPrefix(l[0], "[") {
		return "--" + name + "=" + l[0]
	}
	b, err := json.Marshal(value)
	if err != nil {
		return "--" + name
	}
	return "--" + name + "=" + string(b)
}

// String is Argv quoted for a POSIX shell.
func (c Command) String() string {
	argv := c.Argv()
	for i, a := range argv {
		name, value, ok := strings.Cut(a, "=")
		if ok && plain(name) {
			argv[i] = name + "=" + quote(value)
		} else {
			argv[i] = quote(a)
		}
	}
	return strings.Join(argv, " ")
}

func quote(s string) string {
	if plain(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plain reports whether every POSIX shell reads s as itself.
func plain(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("-_./:,@+%", r))
	}) < 0
}

// Words reads a line as a shell does and returns its words: the inverse of
// [Command.String]. A line in which a shell would do more than take off quotes
// (variables, commands, pipes, redirections, a second command) is ErrRefused.
func Words(line string) ([]string, error) {
	if len(line) > maxLine {
		return nil, refuse("the line is longer than %d bytes", maxLine)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, refuse("a shell would not read the line; put what has signs in it into single quotes")
	}
	var words []string
	for _, stmt := range file.Stmts {
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		if !ok || len(file.Stmts) > 1 || len(stmt.Redirs) > 0 || stmt.Negated || stmt.Background || len(call.Assigns) > 0 {
			return nil, refuse("the line is more than one plain command; put what has signs in it into single quotes")
		}
		for _, w := range call.Args {
			// SplitBraces changes the word, so literal looks first.
			if !literal(w.Parts) || syntax.SplitBraces(w) {
				return nil, refuse("a shell would put something else in the place of $, ` or {}; put it into single quotes")
			}
		}
		// Nothing is left to expand, and no files are looked up, but quotes.
		if words, err = expand.Fields(&expand.Config{}, call.Args...); err != nil {
			return nil, refuse("a shell would not read the line; put what has signs in it into single quotes")
		}
	}
	return words, nil
}

// literal reports whether the parts of a word stand for themselves.
func literal(parts []syntax.WordPart) bool {
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit, *syntax.SglQuoted:
		case *syntax.DblQuoted:
			if !literal(p.Parts) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Parse reads an AWS CLI call. Only exact names of known operations and
// parameters pass; all else is ErrRefused with the reason. Of the global
// options it takes --region, --profile and --output json.
func Parse(argv []string) (Command, error) {
	size := 0
	for _, a := range argv {
		size += len(a)
	}
	if len(argv) > maxArguments || size > maxLine {
		return Command{}, refuse("the command is too long; %s", known())
	}
	if len(argv) == 0 || argv[0] != "aws" {
		return Command{}, refuse(`a command begins with "aws", such as: aws rds stop-db-instance --db-instance-identifier my-database`)
	}
	p := parser{rest: argv[1:], c: Command{Parameters: map[string]any{}}, seen: map[string]bool{}}
	for len(p.rest) > 0 {
		if err := p.next(); err != nil {
			return Command{}, err
		}
	}
	return Vet(p.c)
}

type parser struct {
	rest []string
	c    Command
	seen map[string]bool
}

// next takes one word of the line, with its values.
func (p *parser) next() error {
	word := p.rest[0]
	p.rest = p.rest[1:]
	if !strings.HasPrefix(word, "-") {
		switch {
		case word == "":
			return refuse("an empty word stands in the command")
		case p.c.Service == "":
			p.c.Service = word
		case p.c.Operation == "":
			p.c.Operation = word
			_, err := operation(p.c)
			return err
		default:
			return refuse("unexpected %s: every value belongs to an option, and one line holds one command", show(word))
		}
		return nil
	}
	name, value, joined := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	if !strings.HasPrefix(word, "--") || name == "" {
		return refuse("unexpected %s: options are written --name", show(word))
	}
	if global, err := p.global(name, value, joined); global || err != nil {
		return err
	}
	if p.c.Operation == "" {
		return refuse("option %s before the operation: only --region, --profile and --output json may stand there", show("--"+name))
	}
	return p.parameter(name, value, joined)
}

// global takes the options that are not parameters of the operation.
func (p *parser) global(name, value string, joined bool) (bool, error) {
	var take func(string) error
	switch name {
	case "region":
		take = func(v string) error { p.c.Region = v; return nil }
	case "profile":
		take = func(v string) error { p.c.Profile = v; return nil }
	case "output":
		take = func(v string) error {
			if v != "json" {
				return refuse("--output %s: results are always JSON", show(v))
			}
			return nil
		}
	case "endpoint-url":
		return true, refuse("--endpoint-url: the endpoint comes from the session or config.yaml, never from a command")
	case "debug":
		return true, refuse("--debug: it prints session tokens")
	case "no-verify-ssl", "ca-bundle", "no-sign-request":
		return true, refuse("--%s: it weakens the connection to AWS", name)
	case "cli-input-json", "cli-input-yaml", "generate-cli-skeleton":
		return true, refuse("--%s: parameters are given one by one, so that they can be checked", name)
	case "query":
		return true, refuse("--query: results are shown whole")
	case "dry-run", "no-dry-run":
		return true, refuse("--%s: what the command would do is shown before it is approved", name)
	case "no-paginate", "max-items", "page-size", "starting-token", "color", "no-cli-pager", "no-color",
		"cli-read-timeout", "cli-connect-timeout", "cli-binary-format", "cli-auto-prompt", "no-cli-auto-prompt",
		"version", "v2-debug", "cli-error-format", "help":
		return true, refuse("--%s: it is not needed here; leave it out", name)
	default:
		return false, nil
	}
	if err := p.once(name); err != nil {
		return true, err
	}
	v, err := p.value(name, value, joined)
	if err != nil {
		return true, err
	}
	return true, take(v)
}

// parameter takes an option of the operation.
func (p *parser) parameter(name, value string, joined bool) error {
	op, err := operation(p.c)
	if err != nil {
		return err
	}
	on := true
	param, ok := op.Parameter(name)
	if !ok {
		if off, found := strings.CutPrefix(name, "no-"); found {
			param, ok = op.Parameter(off)
			ok = ok && param.Kind == catalog.Bool
			on = false
		}
	}
	if !ok {
		return unknownParameter(op, name)
	}
	if err := p.once(param.Name); err != nil {
		return err
	}
	switch param.Kind {
	case catalog.Bool:
		if joined {
			return refuse("--%s takes no value", name)
		}
		p.c.Parameters[param.Name] = on
	case catalog.List:
		l, err := p.list(name, value, joined)
		if err != nil {
			return err
		}
		p.c.Parameters[param.Name] = l
	default:
		v, err := p.value(name, value, joined)
		if err != nil {
			return err
		}
		p.c.Parameters[param.Name] = v
	}
	return nil
}

func (p *parser) once(name string) error {
	if p.seen[name] {
		return refuse("--%s is given twice", name)
	}
	p.seen[name] = true
	return nil
}

func (p *parser) value(name, value string, joined bool) (string, error) {
	if joined && value != "" {
		return value, nil
	}
	if joined || len(p.rest) == 0 || p.rest[0] == "" || strings.HasPrefix(p.rest[0], "-") {
		return "", refuse("--%s needs a value", name)
	}
	value, p.rest = p.rest[0], p.rest[1:]
	return value, nil
}

// list takes values up to the next option, or one JSON list.
func (p *parser) list(name, value string, joined bool) ([]string, error) {
	values := []string{value}
	if !joined {
		n := slices.IndexFunc(p.rest, func(s string) bool { return strings.HasPrefix(s, "-") })
		if n < 0 {
			n = len(p.rest)
		}
		values, p.rest = slices.Clone(p.rest[:n]), p.rest[n:]
	}
	if len(values) == 1 && strings.HasPrefix(values[0], "[") {
		d := json.NewDecoder(strings.NewReader(values[0]))
		var l []*string
		if err := d.Decode(&l); err != nil || slices.Contains(l, nil) {
			return nil, refuse("--%s: the list is not a JSON list of strings", name)
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, refuse("--%s: something follows the list", name)
		}
		values = values[:0]
		for _, s := range l {
			values = append(values, *s)
		}
	}
	if len(values) == 0 {
		return nil, refuse("--%s needs a value", name)
	}
	return values, nil
}

// Vet checks a command against the catalog, whoever wrote it, and returns its
// canonical form: new, its parameters of the types string, bool and []string.
// Whatever is not known or has another type is ErrRefused with the reason.
func Vet(c Command) (Command, error) {
	op, err := operation(c)
	if err != nil {
		return Command{}, err
	}
	out := Command{
		Service: c.Service, Operation: c.Operation, Profile: c.Profile, AccountID: c.AccountID, Region: c.Region,
		Parameters: make(map[string]any, len(c.Parameters)),
	}
	for name := range c.Parameters {
		if _, ok := op.Parameter(name); !ok {
			return Command{}, unknownParameter(op, name)
		}
	}
	for _, p := range op.Parameters {
		v, ok := c.Parameters[p.Name]
		if !ok {
			if p.Required {
				return Command{}, refuse("%s %s needs --%s, such as --%s %s", op.Service, op.Name, p.Name, p.Name, p.Like)
			}
			continue
		}
		if out.Parameters[p.Name], err = vetValue(p, v); err != nil {
			return Command{}, err
		}
	}
	if c.AccountID != "" && !accountID.MatchString(c.AccountID) {
		return Command{}, refuse("account %s: an account id is twelve digits", show(c.AccountID))
	}
	if c.Region != "" && !kind.RegionShaped(c.Region) {
		return Command{}, refuse("region %s: a region looks like us-west-2", show(c.Region))
	}
	if c.Profile != "" && !profileName(c.Profile) {
		return Command{}, refuse("profile %s: it is not the name of a profile", show(c.Profile))
	}
	return out, nil
}

func vetValue(p catalog.Parameter, value any) (any, error) {
	one := func(s string) (string, error) {
		if !p.Match(s) {
			return "", refuse("--%s %s: a value looks like %s", p.Name, show(s), p.Like)
		}
		if p.Fold {
			s = strings.ToLower(s)
		}
		return s, nil
	}
	switch p.Kind {
	case catalog.Bool:
		if v, ok := value.(bool); ok {
			return v, nil
		}
		return nil, refuse("--%s is a switch: true or false", p.Name)
	case catalog.Scalar:
		if v, ok := value.(string); ok {
			return one(v)
		}
		return nil, refuse("--%s takes one text, such as %s", p.Name, p.Like)
	}
	l, ok := list(value)
	if !ok || len(l) == 0 {
		return nil, refuse("--%s takes a list of texts, such as [%q]", p.Name, p.Like)
	}
	if len(l) > p.MaxItems {
		return nil, refuse("--%s: %d values at once; %d are the most", p.Name, len(l), p.MaxItems)
	}
	for i := range l {
		v, err := one(l[i])
		if err != nil {
			return nil, err
		}
		if slices.Contains(l[:i], v) {
			return nil, refuse("--%s: %s is given twice", p.Name, show(v))
		}
		l[i] = v
	}
	return l, nil
}

// list is a copy of a value that is a list of strings.
func list(value any) ([]string, bool) {
	switch v := value.(type) {
	case []string:
		return slices.Clone(v), true
	case []any:
		l := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			l[i] = s
		}
		return l, true
	}
	return nil, false
}

// For is the command that does a verb (start, stop, reboot, describe) to a
// resource type, or ErrRefused if there is none.
func For(verb, resourceType, id string) (Command, error) {
	d, ok := aws.Kinds().Action(resourceType, verb)
	if !ok {
		return Command{}, refuse("there is no command to %s a resource of type %s; %s", show(verb), show(resourceType), known())
	}
	op, err := operation(Command{Service: d.Service, Operation: d.Operation})
	if err != nil {
		return Command{}, err
	}
	var v any = id
	if p, _ := op.Parameter(op.Target); p.Kind == catalog.List {
		v = []string{id}
	}
	return Vet(Command{Service: op.Service, Operation: op.Name, Parameters: map[string]any{op.Target: v}})
}

// call is the operation of a command and what it does to its targets.
type call struct {
	*catalog.Operation
	does kind.Doing
}

// known says what the types can do, for refusals: "this version runs start and
// stop of EC2 and RDS".
var known = sync.OnceValue(func() string {
	var verbs, services []string
	for _, v := range kind.Verbs() {
		for _, k := range aws.Kinds().All() {
			if _, ok := k.Action(v.Is); !ok {
				continue
			}
			if !slices.Contains(verbs, v.Is) {
				verbs = append(verbs, v.Is)
			}
			if s := strings.ToUpper(k.Service); !slices.Contains(services, s) {
				services = append(services, s)
			}
		}
	}
	return "this version runs " + enumerate(verbs) + " of " + enumerate(services)
})

func enumerate(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

// operation finds a command's operation, or says what is known instead.
func operation(c Command) (call, error) {
	op, ok := catalog.Find(c.Service, c.Operation)
	does, reviewed := aws.Kinds().Doing(c.Service, c.Operation)
	if ok && reviewed {
		return call{op, does}, nil
	}
	names := catalog.Names(c.Service)
	switch {
	case c.Service == "" || c.Operation == "":
		return call{}, refuse("the command names no operation; %s", known())
	case names == nil:
		return call{}, refuse("service %s is not known; %s", show(c.Service), known())
	default:
		return call{}, refuse("operation %s of %s is not known; %s: %s", show(c.Operation), c.Service, known(), strings.Join(names, ", "))
	}
}

func unknownParameter(op call, name string) error {
	var names []string
	for _, p := range op.Parameters {
		names = append(names, "--"+p.Name)
	}
	return refuse("option %s of %s %s is not known; names are exact, and it takes %s", show("--"+name), op.Service, op.Name, strings.Join(names, ", "))
}

// profileName admits what can stand on a command line and on a card as itself.
func profileName(s string) bool {
	return len(s) <= 128 && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "@") && !strings.Contains(s, "://") &&
		utf8.ValidString(s) && strings.TrimSpace(s) == s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// show quotes foreign text for a message; what does not print is escaped.
func show(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.QuoteToASCII(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.QuoteToGraphic(s)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
