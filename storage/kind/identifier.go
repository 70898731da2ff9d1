package kind

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Form is the looks of an identifier that AWS makes up, or that nothing else
// has: an id, an address, the name of a host.
type Form struct {
	// Pattern matches the whole, in lower case unless Case is set.
	Pattern string
	Case    bool
	// Address: it is an IP address, and Pattern is "".
	Address bool

	whole *regexp.Regexp
}

// Addresses is the form of those that have IP addresses.
var Addresses = Form{Address: true}

// ID is the form of the ids that EC2 gives, such as i-0123456789abcdef0.
func ID(prefix string) Form { return Form{Pattern: prefix + `-(?:[0-9a-f]{8}|[0-9a-f]{17})`} }

// Host is the form of the names of hosts that end in a domain.
func Host(domain string) Form { return Form{Pattern: `[^/\s]*` + regexp.QuoteMeta(domain) + `.*`} }

// otherID is an id that EC2 could have given to something.
var otherID = regexp.MustCompile(`^[a-z]+(?:-[a-z]+)*-(?:[0-9a-f]{8}|[0-9a-f]{17})$`)

func (f Form) matches(identifier string) bool {
	if f.Address {
		_, err := netip.ParseAddr(identifier)
		return err == nil
	}
	if !f.Case {
		identifier = strings.ToLower(identifier)
	}
	return f.whole.MatchString(identifier)
}

// Where is the part of AWS that can hold what an identifier names.
type Where struct {
	// AccountID and Region are "" for any.
	AccountID, Region string
	// Types are those that can, of the types that are read; none where none can.
	Types []string
	// Unread says, where there are none, what it would be, such as "lambda function".
	Unread string
}

// ARN is what an ARN says; ok is false for a text that is none.
type ARN struct{ Partition, Service, Region, AccountID, Resource string }

// ParseARN reads an ARN.
func ParseARN(s string) (a ARN, ok bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ARN{}, false
	}
	return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, true
}

// Where tells by the looks of an identifier what it can name, and where.
func (s *Set) Where(identifier string) Where {
	identifier = strings.TrimSpace(identifier)
	if a, ok := ParseARN(identifier); ok {
		begin, _, _ := strings.Cut(strings.ReplaceAll(a.Resource, "/", ":"), ":")
		w := Where{AccountID: a.AccountID, Region: a.Region, Unread: a.Service + " " + begin}
		for _, k := range s.kinds {
			if !k.Unread && k.Service == a.Service && strings.HasPrefix(a.Resource, k.ARN) {
				w.Types = append(w.Types, k.Type)
			}
		}
		return w
	}
	w := Where{Unread: identifier[:max(0, strings.LastIndexByte(identifier, '-'))]}
	made := s.made(identifier)
	for _, k := range s.kinds {
		switch {
		case k.Unread:
		case len(made) > 0 && slices.Contains(made, k), made == nil && k.names(identifier):
			w.Types = append(w.Types, k.Type)
		}
	}
	return w
}

// made lists the types of which an identifier has a form; nil where it looks
// like a name, and none where it is an id of something that is not read.
func (s *Set) made(identifier string) []*Kind {
	var out []*Kind
	for _, k := range s.kinds {
		if slices.ContainsFunc(k.Forms, func(f Form) bool { return f.matches(identifier) }) {
			out = append(out, k)
		}
	}
	if out == nil && otherID.MatchString(strings.ToLower(identifier)) {
		return []*Kind{}
	}
	return out
}

// names says whether people could have chosen an identifier for the type.
func (k *Kind) names(identifier string) bool { return k.Named == "" || k.named.MatchString(identifier) }

// Identifies says whether a text is an identifier by its looks, and no name.
func (s *Set) Identifies(text string) bool {
	text = strings.TrimSpace(text)
	if _, ok := ParseARN(text); ok && !strings.ContainsAny(text, " \t") {
		return true
	}
	return s.made(text) != nil
}

// Unique says whether an identifier of a resource can be nothing else's: its
// ARN, an id that AWS made up, an address or a name of a host. What people
// choose can be chosen again in another region or account, but for the names of
// some types.
func (s *Set) Unique(typ, arn, name, identifier string) bool {
	if k := s.byType[typ]; k != nil && k.UniqueName || strings.EqualFold(identifier, arn) {
		return true
	}
	return len(s.made(identifier)) > 0 && !strings.EqualFold(identifier, name)
}
