// Package catalog is what each AWS operation is: its parameters, access level,
// IAM actions and what is kept of its result. What it does to a resource, from
// which states and how it is undone, is said by the resource's kind.
//
// Its entry points are Find and Names. What the table (operations.go) does not
// hold does not run.
//
// Invariants: names are exact, as the AWS CLI spells them; a parameter's
// pattern admits nothing that a CLI would read as an option, a file or a URL;
// the result of an operation is cut down to the listed fields.
package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"sync"
)

// Kind is the shape of a parameter's value.
type Kind string

// The kinds: one string, a list of distinct strings, a switch.
const (
	Scalar Kind = "scalar"
	List   Kind = "list"
	Bool   Kind = "bool"
)

// Access is the access level of the AWS service reference.
type Access string

// The access levels of the operations known here.
const (
	AccessList  Access = "List"
	AccessWrite Access = "Write"
)

// Parameter is one input of an operation.
type Parameter struct {
	// Name is the CLI's, without dashes in front.
	Name     string
	Kind     Kind
	Required bool
	// Pattern matches a whole value, or a whole element of a list.
	Pattern string
	// Fold: AWS reads the value in lower case.
	Fold bool
	// Max bounds the bytes of a value; MaxItems the elements of a list.
	Max, MaxItems int
	// Like is an example for messages.
	Like string
	// Actions are needed besides the operation's when the parameter is given.
	Actions []string
	// Raises: the parameter makes the operation riskier, for this reason.
	Raises string
}

// Match reports whether a value fits the pattern and the bounds.
func (p Parameter) Match(value string) bool {
	return value != "" && len(value) <= p.Max && pattern(p.Pattern).MatchString(value)
}

// Operation is one AWS operation.
type Operation struct {
	// Service and Name are the CLI's: rds, stop-db-instance. API is AWS's: StopDBInstance.
	Service, Name, API string
	Access             Access
	// Reviewed: a harmless metadata read that policy may allow without asking.
	Reviewed bool
	// Actions are the IAM actions needed.
	Actions []string
	// Target is the parameter that names the targets.
	Target     string
	Parameters []Parameter
	// Output are the paths of the result that are kept; Items is its list.
	Items  string
	Output []string
}

// Changes reports whether the operation changes AWS.
func (o *Operation) Changes() bool { return o.Access != AccessList }

// Parameter finds a parameter by its exact name.
func (o *Operation) Parameter(name string) (Parameter, bool) {
	i := slices.IndexFunc(o.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return o.Parameters[i], true
}

var byName = sync.OnceValue(func() map[[2]string]*Operation {
	m := map[[2]string]*Operation{}
	all := operations()
	for i := range all {
		m[[2]string{all[i].Service, all[i].Name}] = &all[i]
	}
	return m
})

// Find finds an operation by its exact names. It is not the caller's to change.
func Find(service, name string) (*Operation, bool) {
	o, ok := byName()[[2]string{service, name}]
	return o, ok
}

// All lists the operations, which are not the caller's to change.
func All() []*Operation { return slices.Collect(maps.Values(byName())) }

// Names lists the operations of a service, sorted; none of one that is not known.
func Names(service string) []string {
	var names []string
	for name := range byName() {
		if name[0] == service {
			names = append(names, name[1])
		}
	}
	slices.Sort(names)
	return names
}

// Version identifies the content of the table.
var Version = sync.OnceValue(func() string {
	b, err := json.Marshal(operations())
	if err != nil {
		return "" // the table holds strings and booleans only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
})

var compiled = sync.OnceValue(func() map[string]*regexp.Regexp {
	m := map[string]*regexp.Regexp{}
	for _, o := range operations() {
		for _, p := range o.Parameters {
			if p.Kind != Bool && m[p.Pattern] == nil {
				m[p.Pattern] = regexp.MustCompile(`^(?:` + p.Pattern + `)$`)
			}
		}
	}
	return m
})

var never = regexp.MustCompile(`[^\s\S]`)

// pattern is the compiled form of a pattern of the table; any other matches nothing.
func pattern(s string) *regexp.Regexp {
	if re := compiled()[s]; re != nil {
		return re
	}
	return never
}
