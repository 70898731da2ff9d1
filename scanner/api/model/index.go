package model

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Entry is a service in the index of names.
type Entry struct {
	// Name, Command, ID and FullName are those of Service.
	Name, Command, ID, FullName string

	operations func() ([]Name, map[string]int)
}

// Name is an operation in the index of names.
type Name struct {
	// Name and CLI are those of Operation.
	Name, CLI string
	Access    Access
}

// catalogue is the services by all their names, and in order.
type catalogue struct {
	services []*Entry
	by       map[string]*Entry
}

var index = sync.OnceValue(func() catalogue {
	x, err := readIndex()
	if err != nil {
		// What is embedded can be read, or the program is not the one that was
		// built.
		panic("reading the index of AWS operations: " + err.Error())
	}
	return x
})

// readIndex reads the services. The operations of one are read when they are
// first asked for.
func readIndex() (catalogue, error) {
	var x catalogue
	b, err := unpackFile("index.zst")
	if err != nil {
		return x, err
	}
	x.by = map[string]*Entry{}
	for text := string(b); text != ""; {
		head, rest, _ := strings.Cut(text, "\n")
		end := 0
		for end < len(rest) && rest[end] == '\t' {
			end += strings.IndexByte(rest[end:], '\n') + 1
		}
		f := strings.Split(head, "\t")
		e := &Entry{Name: f[0], Command: spelling(f[0], f[1]), ID: f[2], FullName: f[3], operations: names(rest[:end])}
		x.services = append(x.services, e)
		text = rest[end:]
	}
	// Where two services share a name, the CLI's command counts most.
	for _, of := range []func(*Entry) string{
		func(e *Entry) string { return e.Command },
		func(e *Entry) string { return e.Name },
		func(e *Entry) string { return fold(e.ID) },
	} {
		for _, e := range x.services {
			if name := of(e); name != "" && x.by[name] == nil {
				x.by[name] = e
			}
		}
	}
	return x, nil
}

// names reads the lines of a service's operations, once.
func names(text string) func() ([]Name, map[string]int) {
	read := sync.OnceValue(func() (x struct {
		all []Name
		by  map[string]int
	}) {
		x.all = make([]Name, 0, strings.Count(text, "\n"))
		x.by = make(map[string]int, 2*cap(x.all))
		for line := range strings.Lines(text) {
			f := append(strings.Split(strings.TrimSpace(line), "\t"), "")
			n := Name{Name: f[0], CLI: spelling(f[0], f[2]), Access: levels[f[1]]}
			x.by[n.CLI], x.by[n.Name] = len(x.all), len(x.all)
			x.all = append(x.all, n)
		}
		delete(x.by, "")
		return x
	})
	return func() ([]Name, map[string]int) { x := read(); return x.all, x.by }
}

func fold(id string) string { return strings.ToLower(id) }

// Services lists all services, by name.
func Services() []*Entry { return slices.Clone(index().services) }

// FindService finds a service by the CLI's name, botocore's or AWS's id: s3api,
// s3, "Secrets Manager".
func FindService(name string) (*Entry, bool) {
	x := index()
	e, ok := x.by[name]
	if !ok {
		e, ok = x.by[fold(name)]
	}
	return e, ok
}

// Find finds an operation of a service, each by the CLI's name or AWS's.
func Find(service, operation string) (*Entry, Name, bool) {
	e, ok := FindService(service)
	if !ok {
		return nil, Name{}, false
	}
	n, ok := e.Find(operation)
	return e, n, ok
}

// Operations lists the operations of a service, by AWS's names.
func (e *Entry) Operations() []Name {
	all, _ := e.operations()
	return slices.Clone(all)
}

// Find finds an operation by AWS's name or the CLI's.
func (e *Entry) Find(operation string) (Name, bool) {
	all, by := e.operations()
	i, ok := by[operation]
	if !ok {
		return Name{}, false
	}
	return all[i], true
}

// NearestServices are the names of services that a misspelt one is likest to,
// the likest first, as the CLI spells them.
func NearestServices(misspelt string) []string {
	var all []string
	for _, e := range index().services {
		all = append(all, cmp.Or(e.Command, e.Name))
	}
	return nearest(misspelt, all)
}

// Nearest are the names of operations that a misspelt one is likest to, the
// likest first, in the spelling that it has.
func (e *Entry) Nearest(misspelt string) []string {
	ops, _ := e.operations()
	cli := misspelt == strings.ToLower(misspelt)
	var all []string
	for _, o := range ops {
		if cli && o.CLI != "" {
			all = append(all, o.CLI)
		} else {
			all = append(all, o.Name)
		}
	}
	return nearest(misspelt, all)
}

// nearest are up to three names at most a third of the word away from it; where
// there is none, those that it is a part of.
func nearest(word string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	low := strings.ToLower(word)
	var near, parts []candidate
	for _, name := range names {
		other := strings.ToLower(name)
		if far := distance(low, other); far <= max(1, len(low)/3) {
			near = append(near, candidate{name, far})
		} else if len(low) > 2 && strings.Contains(other, low) {
			parts = append(parts, candidate{name, len(other)})
		}
	}
	if len(near) == 0 {
		near = parts
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	var out []string
	for _, c := range near[:min(3, len(near))] {
		out = append(out, c.name)
	}
	return out
}

// distance is the number of bytes to put in, take out or change to make one
// word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
