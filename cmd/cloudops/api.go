package main

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/scanner/api/model"
)

// apiResult is what was asked for: all services, one with its operations, or
// one operation of it.
type apiResult struct {
	Services   []apiService   `json:"services,omitempty"`
	Service    *apiService    `json:"service,omitempty"`
	Operations []apiName      `json:"operations,omitempty"`
	Operation  *apiOperation  `json:"operation,omitempty"`
	Input      []apiParameter `json:"input,omitempty"`
	Output     []apiParameter `json:"output,omitempty"`
}

type apiService struct {
	// Command is the CLI's, empty where it has none.
	Command    string `json:"command"`
	Name       string `json:"name"`
	ID         string `json:"id"`
	FullName   string `json:"full_name"`
	Operations int    `json:"operations"`
}

type apiName struct {
	// Command is the CLI's, empty where it has none.
	Command string `json:"command"`
	Name    string `json:"name"`
	// Access is IAM's level: List, Read, Write, Tagging, Permissions management;
	// empty where it is not known.
	Access string `json:"access"`
	Doc    string `json:"documentation"`
}

type apiOperation struct {
	apiName
	Deprecated bool     `json:"deprecated"`
	Message    string   `json:"deprecated_message,omitempty"`
	Action     string   `json:"iam_action,omitempty"`
	Resources  []string `json:"iam_resources,omitempty"`
	Dependent  []string `json:"iam_dependent_actions,omitempty"`
	Paged      bool     `json:"paged"`
	Errors     []string `json:"errors,omitempty"`
}

type apiParameter struct {
	Name string `json:"name"`
	// Argument is the CLI's, with its dashes; only of the operation's own.
	Argument   string         `json:"argument,omitempty"`
	Type       string         `json:"type"`
	Required   bool           `json:"required,omitempty"`
	Sensitive  bool           `json:"sensitive,omitempty"`
	Deprecated bool           `json:"deprecated,omitempty"`
	Values     []string       `json:"values,omitempty"`
	Pattern    string         `json:"pattern,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Members    []apiParameter `json:"members,omitempty"`
}

// unknownName is a name that AWS doesn't have.
type unknownName struct {
	what, name string
	nearest    []string
}

func (u unknownName) Error() string {
	s := fmt.Sprintf("there is no %s %q", u.what, u.name)
	if len(u.nearest) > 0 {
		s += "; the nearest: " + strings.Join(u.nearest, ", ")
	}
	return s
}

func (unknownName) Is(target error) bool { return target == fs.ErrNotExist }

func (a *app) apiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "api [SERVICE [OPERATION]]",
		Short: "Describe the services and operations of AWS",
		Long: `Describes any operation of any AWS service: its parameters, its access level, the
IAM actions that it needs, and how the aws CLI spells it. Without an operation it
lists those of the service, without a service all services. Names are the CLI's or
AWS's own: "rds stop-db-instance", "rds StopDBInstance".

All of it is known to this program: nobody is asked.`,
		Args: args(cobra.MaximumNArgs(2)),
		RunE: func(_ *cobra.Command, given []string) error {
			switch len(given) {
			case 0:
				return a.apiServices()
			case 1:
				return a.apiService(given[0])
			}
			return a.apiOperation(given[0], given[1])
		},
	}
}

func (a *app) apiServices() error {
	var r apiResult
	var rows [][]string
	total := 0
	for _, e := range model.Services() {
		s := describeService(e)
		r.Services = append(r.Services, s)
		rows = append(rows, []string{cmp.Or(s.Command, s.Name), s.FullName, strconv.Itoa(s.Operations)})
		total += s.Operations
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprint(w, render.Table([]string{"SERVICE", "NAME", "OPERATIONS"}, rows))
		fmt.Fprintf(w, "\n%d services, %d operations.\n", len(rows), total)
	})
}

func describeService(e *model.Entry) apiService {
	return apiService{Command: e.Command, Name: e.Name, ID: e.ID, FullName: e.FullName, Operations: len(e.Operations())}
}

// apiEntry finds a service and loads its model.
func apiEntry(name string) (*model.Entry, *model.Service, error) {
	e, ok := model.FindService(name)
	if !ok {
		return nil, nil, unknownName{"AWS service", name, model.NearestServices(name)}
	}
	s, err := model.Load(e.Name)
	return e, s, err
}

func (a *app) apiService(name string) error {
	e, s, err := apiEntry(name)
	if err != nil {
		return err
	}
	of := describeService(e)
	r := apiResult{Service: &of}
	var rows [][]string
	for _, o := range s.Operations {
		n := describeName(o)
		r.Operations = append(r.Operations, n)
		rows = append(rows, []string{cmp.Or(n.Command, n.Name), accessWord(n.Access), n.Doc})
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n\n", render.Terminal(of.FullName))
		fmt.Fprint(w, render.Table([]string{"OPERATION", "ACCESS", ""}, rows))
	})
}

func describeName(o *model.Operation) apiName {
	return apiName{Command: o.CLI, Name: o.Name, Access: string(o.Access()), Doc: o.Doc}
}

// accessWord is an access level for people.
func accessWord(access string) string { return cmp.Or(strings.ToLower(access), "unknown") }

func (a *app) apiOperation(service, name string) error {
	e, s, err := apiEntry(service)
	if err != nil {
		return err
	}
	o, ok := s.Operation(name)
	if !ok {
		return unknownName{"operation of " + cmp.Or(e.Command, e.Name), name, e.Nearest(name)}
	}
	of := describeService(e)
	d := apiOperation{apiName: describeName(o), Deprecated: o.Deprecated, Message: o.DeprecatedMessage, Paged: o.Pages != nil}
	if o.IAM != nil {
		d.Action, d.Resources, d.Dependent = o.IAM.Action, o.IAM.Resources, o.IAM.Dependent
	}
	for _, e := range o.Errors {
		d.Errors = append(d.Errors, e.Name)
	}
	r := apiResult{Service: &of, Operation: &d, Input: describeMembers(o.Input, apiDepth), Output: describeMembers(o.Output, apiDepth)}
	for i, p := range r.Input {
		if argument := o.Argument(p.Name); argument != "" && e.Command != "" {
			r.Input[i].Argument = "--" + argument
		}
	}
	return a.print(r, func(w io.Writer) { writeOperation(w, r) })
}

// apiDepth is how many levels of structures are described: there are some that
// hold themselves.
const apiDepth = 3

func describeMembers(s *model.Shape, depth int) []apiParameter {
	if s == nil || depth == 0 {
		return nil
	}
	var out []apiParameter
	for _, m := range s.Members {
		p := apiParameter{
			Name: m.Name, Type: typeName(m.Shape), Required: m.Required,
			Sensitive: m.Shape.Sensitive, Deprecated: m.Deprecated || m.Shape.Deprecated,
			Values: m.Shape.Enum, Pattern: m.Shape.Pattern, Min: m.Shape.Min, Max: m.Shape.Max,
		}
		inner := m.Shape
		for inner.Element != nil || inner.Value != nil {
			inner = cmp.Or(inner.Element, inner.Value).Shape
		}
		if inner.Type == model.Structure {
			p.Members = describeMembers(inner, depth-1)
		} else if len(p.Values) == 0 {
			p.Values = inner.Enum
		}
		out = append(out, p)
	}
	return out
}

func typeName(s *model.Shape) string {
	switch {
	case s.Type == model.ListType:
		return "list of " + typeName(s.Element.Shape)
	case s.Type == model.Map:
		return "map of " + typeName(s.Value.Shape)
	case s.EventStream:
		return "event stream"
	case s.Document:
		return "document"
	case s.Union:
		return "union"
	}
	return string(s.Type)
}

func writeOperation(w io.Writer, r apiResult) {
	o := r.Operation
	if o.Command != "" && r.Service.Command != "" {
		fmt.Fprintf(w, "aws %s %s\n", render.Terminal(r.Service.Command), render.Terminal(o.Command))
	} else {
		fmt.Fprintf(w, "%s %s, which the aws CLI does not have\n", render.Terminal(r.Service.ID), render.Terminal(o.Name))
	}
	fmt.Fprintf(w, "%s of %s\n", render.Terminal(o.Name), render.Terminal(r.Service.FullName))
	if o.Doc != "" {
		fmt.Fprintln(w, render.Terminal(o.Doc))
	}
	fmt.Fprintln(w)
	say := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-11s %s\n", what, render.Terminal(text))
		}
	}
	access := accessWord(o.Access)
	if o.Access == "" {
		access += ", so taken for one that writes"
	}
	say("access", access)
	say("iam action", o.Action)
	say("resources", strings.Join(o.Resources, ", "))
	say("needs also", strings.Join(o.Dependent, ", "))
	if o.Deprecated {
		say("deprecated", cmp.Or(o.Message, "yes"))
	}
	writeMembers(w, "PARAMETER", r.Input, apiDepth)
	writeMembers(w, "RESULT", r.Output, 2)
}

// writeMembers writes so many levels.
func writeMembers(w io.Writer, title string, all []apiParameter, depth int) {
	if len(all) == 0 {
		return
	}
	var rows [][]string
	var add func(all []apiParameter, level int)
	add = func(all []apiParameter, level int) {
		if level == depth {
			return
		}
		for _, p := range all {
			var said []string
			for _, x := range []struct {
				is   bool
				word string
			}{{p.Required, "required"}, {p.Sensitive, "sensitive"}, {p.Deprecated, "deprecated"}} {
				if x.is {
					said = append(said, x.word)
				}
			}
			if len(p.Values) > 0 {
				shown := strings.Join(p.Values[:min(6, len(p.Values))], " | ")
				if len(p.Values) > 6 {
					shown += fmt.Sprintf(" | %d more", len(p.Values)-6)
				}
				said = append(said, shown)
			}
			rows = append(rows, []string{strings.Repeat("  ", level) + cmp.Or(p.Argument, p.Name), p.Type, strings.Join(said, ", ")})
			add(p.Members, level+1)
		}
	}
	add(all, 0)
	fmt.Fprintf(w, "\n%s", render.Table([]string{title, "TYPE", ""}, rows))
}
