package scanner

import (
	"fmt"
	"slices"
	"strings"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
)

// Filter is a filter as it is meant: a service may stand in the type's place,
// and a profile in that of its account. What nothing can be called is
// session.ErrOptions, with what may have been meant, since a search by it finds nothing
// whatever there is.
func (s *Scanner) Filter(f storage.Filter) (storage.Filter, error) {
	var types, names []string
	for _, c := range services.Collectors() {
		types, names = append(types, c.Type), append(names, c.Service)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	f.Type, f.Service = strings.ToLower(f.Type), strings.ToLower(f.Service)
	f.Region, f.State = strings.ToLower(f.Region), strings.ToLower(f.State)
	if slices.Contains(names, f.Type) && (f.Service == "" || f.Service == f.Type) {
		f.Type, f.Service = "", f.Type
	}
	if err := oneOf("type", f.Type, types); err != nil {
		return f, err
	}
	if err := oneOf("service", f.Service, names); err != nil {
		return f, err
	}

	accounts, regions, allKnown := s.ledger.places()
	if f.AccountID != "" && len(accounts) > 0 {
		id, ok := accounts[f.AccountID]
		if !ok {
			var known []string
			for name := range accounts {
				known = append(known, name)
			}
			slices.Sort(known)
			return f, oneOf("account", f.AccountID, known)
		}
		f.AccountID = id
	}
	// A region that was never heard of may exist where AWS does not tell which do.
	regions = append(regions, s.config.Regions...)
	if allKnown || !kind.EndsInDirection(f.Region) {
		if err := oneOf("region", f.Region, regions); err != nil {
			return f, err
		}
	}
	// Nothing need be in a state now for who writes nearly one to mean it.
	states := services.Kinds().States()
	if f.State == "" || slices.Contains(states, f.State) {
		return f, nil
	}
	if _, found := s.estate.Search("", storage.Filter{State: f.State}, 1); found > 0 {
		return f, nil
	}
	// AWS may have others, so that only what is nearly one is a slip.
	if index.Nearest(f.State, states) != "" {
		return f, oneOf("state", f.State, states)
	}
	return f, nil
}

// oneOf refuses a name that is none of those there are; "" is no name.
func oneOf(what, name string, known []string) error {
	if name == "" || slices.Contains(known, name) {
		return nil
	}
	const most = 12
	hint := ""
	if near := index.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	} else if n := len(known); n > 0 {
		hint = "there are: " + strings.Join(known[:min(n, most)], ", ")
		if n > most {
			hint += fmt.Sprintf(" and %d more", n-most)
		}
	}
	return session.Explained(session.ErrOptions, session.CodeFailed, fmt.Sprintf("there is no %s %q", what, name), hint, nil)
}

// places are the accounts that are known, by id and by name, and the regions;
// all says whether AWS told all regions of each account.
func (l *ledger) places() (accounts map[string]string, regions []string, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	accounts = map[string]string{}
	_, known := l.accounts.List()
	all = len(known) > 0
	for _, a := range known {
		accounts[a.ID] = a.ID
		all = all && l.covered[a.ID].RegionsKnown
	}
	for _, a := range known {
		if _, taken := accounts[a.Name]; a.Name != "" && !taken {
			accounts[a.Name] = a.ID
		}
	}
	for s := range l.shards {
		accounts[s.AccountID] = s.AccountID
		if s.Region != globalRegion && !slices.Contains(regions, s.Region) {
			regions = append(regions, s.Region)
		}
	}
	slices.Sort(regions)
	return accounts, regions, all
}
