package scanner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
)

// gaps says where a resource could hide, shards of the same kind together:
// "rds_cluster, s3_bucket in eu-west-1 of staging (210987654321): denied". Shards
// are doubtful of which the store has lost something.
func (l *ledger) gaps(f storage.Filter, doubtful ...storage.Shard) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.shards) == 0 {
		return []string{"nothing was scanned yet"}
	}
	read := slices.DeleteFunc(services.Collectors(), func(c services.Collector) bool {
		return (f.Type != "" && f.Type != c.Type) || (f.Service != "" && f.Service != c.Service)
	})
	if len(read) == 0 {
		return []string{strings.TrimSpace(f.Service+" "+f.Type) + ": this version does not read it"}
	}
	// The types missing in a region come first, then the regions missing them.
	type place struct{ account, region, state string }
	types := map[place][]string{}
	places := []place{}
	for _, s := range l.sorted() {
		if s.State == stateComplete && slices.ContainsFunc(doubtful, func(d storage.Shard) bool {
			return d.AccountID == s.AccountID && d.Type == s.Type && (d.Region == s.Region || s.Region == globalRegion)
		}) {
			s.State = stateDoubtful
		}
		if s.State == stateComplete || (f.AccountID != "" && f.AccountID != s.AccountID) ||
			(f.Region != "" && f.Region != s.Region && s.Region != globalRegion) ||
			!slices.ContainsFunc(read, func(c services.Collector) bool { return c.Type == s.Type }) {
			continue
		}
		p := place{s.AccountID, s.Region, s.State}
		if types[p] == nil {
			places = append(places, p)
		}
		types[p] = append(types[p], s.Type)
	}
	type group struct{ account, state, types string }
	regions := map[group][]string{}
	groups := []group{}
	for _, p := range places {
		g := group{p.account, p.state, strings.Join(types[p], ", ")}
		if regions[g] == nil {
			groups = append(groups, g)
		}
		regions[g] = append(regions[g], p.region)
	}
	said := []string{}
	for _, g := range groups {
		where := "in " + several(regions[g]) + " "
		if slices.Equal(regions[g], []string{globalRegion}) {
			where = ""
		}
		said = append(said, fmt.Sprintf("%s %sof %s: %s", g.types, where, l.spokenAccount(g.account), spokenState[g.state]))
	}
	if slices.ContainsFunc(read, func(c services.Collector) bool { return !c.Global }) {
		said = append(said, l.unknownRegions(f)...)
	}
	return said
}

// unknownRegions names the accounts that may have regions which the ledger
// does not: AWS never told. l.mu is held.
func (l *ledger) unknownRegions(f storage.Filter) []string {
	read := map[string]bool{}
	asked := map[string]bool{}
	for s := range l.shards {
		read[s.AccountID] = true
		asked[s.AccountID] = asked[s.AccountID] || (f.Region != "" && s.Region == f.Region)
	}
	said := []string{}
	for _, id := range slices.Sorted(maps.Keys(l.accounts)) {
		if l.accounts[id].RegionsKnown || asked[id] || (f.AccountID != "" && f.AccountID != id) {
			continue
		}
		what := "other regions of %s: AWS did not tell which there are"
		if !read[id] {
			what = "%s: never scanned"
		}
		said = append(said, fmt.Sprintf(what, l.spokenAccount(id)))
	}
	return said
}

// spokenAccount is an account's name and number. l.mu is held.
func (l *ledger) spokenAccount(id string) string {
	if a := l.accounts[id]; a != nil && a.Name != "" {
		return a.Name + " (" + id + ")"
	}
	return id
}

var spokenState = map[string]string{
	stateDenied: "denied",
	stateFailed: "could not be read",
	stateNever:  "never scanned",

	stateDoubtful: "what was stored is not whole, scan again",
}

// stateDoubtful is that of a complete shard of which the store has lost
// something; it is never in the ledger.
const stateDoubtful = "doubtful"

// several names a few regions and counts many.
func several(regions []string) string {
	slices.Sort(regions)
	if len(regions) > 4 {
		return fmt.Sprintf("%d regions", len(regions))
	}
	return strings.Join(regions, ", ")
}

// problems collects what did not work, and says once what is the same in
// several regions.
type problems struct {
	all []grouped
}

type grouped struct {
	Problem
	regions  []string
	services []string
}

func (ps *problems) add(p Problem) {
	for i := range ps.all {
		g := &ps.all[i]
		if g.Code != p.Code || g.AccountID != p.AccountID || g.Profile != p.Profile || g.Hint != p.Hint {
			continue
		}
		// AWS words the same denial differently for each region. What doesn't
		// answer is one problem, whatever was asked of it.
		away := p.Code == codeUnreachable || p.Code == codeCredentials
		if (g.Message != p.Message && p.Code != codeDenied && !away) || (g.Service != p.Service && !away) {
			continue
		}
		if p.Region != "" && !slices.Contains(g.regions, p.Region) {
			g.regions = append(g.regions, p.Region)
		}
		if p.Service != "" && !slices.Contains(g.services, p.Service) {
			g.services = append(g.services, p.Service)
		}
		return
	}
	g := grouped{Problem: p}
	if p.Region != "" {
		g.regions = []string{p.Region}
	}
	if p.Service != "" {
		g.services = []string{p.Service}
	}
	ps.all = append(ps.all, g)
}

func (ps *problems) list() []Problem {
	list := []Problem{}
	for _, g := range ps.all {
		p := g.Problem
		if len(g.services) > 1 {
			p.Service = ""
		}
		if len(g.regions) > 1 {
			p.Region = ""
			p.Message += " (in " + several(g.regions) + ")"
		}
		list = append(list, p)
	}
	return list
}
