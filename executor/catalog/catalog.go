// Package catalog is what each AWS operation is: its parameters, access level,
// IAM actions, the states it leads from and to, its inverse and its effect.
//
// Its entry points are Find, For and All. What the table (operations.go) does
// not hold does not run.
//
// Invariants: names are exact, as the AWS CLI spells them; a parameter's
// pattern admits nothing that a CLI would read as an option, a file or a URL;
// the result of an operation is cut down to the listed fields.
package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	Verb               string
	Access             Access
	// Reviewed: a harmless metadata read that policy may allow without asking.
	Reviewed bool
	// Actions are the IAM actions needed.
	Actions []string
	// Type is the storage resource type of the targets.
	Type string
	// Target is the parameter that names the targets.
	Target     string
	Parameters []Parameter
	// Inverse is the operation of the same service that undoes it; "" if none does.
	Inverse string
	// Effect says in a sentence what the person will notice.
	Effect string
	// Disrupts: what runs on the target stops answering.
	Disrupts bool
	// From are the states it can start from; nil means any.
	From []string
	// Already are the states in which there is nothing left to do.
	Already []string
	// Done are the states that end the wait; nil means no wait.
	Done []string
	// Settles: the state before and after is the same, so that the wait must see
	// it twice in a row.
	Settles bool
	// Failed are the states from which Done is not reached any more.
	Failed []string
	// Output are the paths of the result that are kept; Items is its list.
	Items  string
	Output []string
}

// Changes reports whether the operation changes AWS.
func (o Operation) Changes() bool { return o.Access != AccessList }

// Parameter finds a parameter by its exact name.
func (o Operation) Parameter(name string) (Parameter, bool) {
	i := slices.IndexFunc(o.Parameters, func(p Parameter) bool { return p.Name == name })
	if i < 0 {
		return Parameter{}, false
	}
	return o.Parameters[i], true
}

// All lists the operations.
func All() []Operation { return slices.Clone(operations()) }

// Find finds an operation by its exact names.
func Find(service, name string) (Operation, bool) {
	return find(func(o Operation) bool { return o.Service == service && o.Name == name })
}

// For finds the operation that does a verb to a resource type.
func For(verb, resourceType string) (Operation, bool) {
	return find(func(o Operation) bool { return o.Verb == verb && o.Type == resourceType })
}

func find(match func(Operation) bool) (Operation, bool) {
	all := operations()
	i := slices.IndexFunc(all, match)
	if i < 0 {
		return Operation{}, false
	}
	return all[i], true
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
