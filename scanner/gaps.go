package scanner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// Gaps says in words where resources could be that the estate doesn't show: the
// shards within the filter's type, account, region and service that were not
// listed whole the last time, with the reason. Regions that no scan and no
// configuration asked for are none, nor are accounts outside of the configured
// profiles. None means that what is not in the estate was not in AWS at the time
// of the ledger, as far as the user has it read.
func (s *Scanner) Gaps(f storage.Filter) []string { return s.gaps(whereOf(f)) }

// whereOf is the part of AWS that a filter lets through.
func whereOf(f storage.Filter) kind.Where {
	w := kind.Where{AccountID: f.AccountID, Region: f.Region, Unread: strings.TrimSpace(f.Service + " " + f.Type)}
	for _, c := range services.Collectors() {
		if (f.Type == "" || f.Type == c.Type) && (f.Service == "" || f.Service == c.Service) {
			w.Types = append(w.Types, c.Type)
		}
	}
	return w
}

// GapsFor says like Gaps where what a search did not find could be: a query that
// is an identifier by its looks is missing only where it could be.
func (s *Scanner) GapsFor(query string, f storage.Filter) []string {
	w := whereOf(f)
	if services.Kinds().Identifies(query) {
		could := services.Kinds().Where(query)
		if len(could.Types) == 0 {
			return s.gaps(could)
		}
		w.Types = slices.DeleteFunc(w.Types, func(typ string) bool { return !slices.Contains(could.Types, typ) })
		w.AccountID, w.Region = cmp.Or(w.AccountID, could.AccountID), cmp.Or(w.Region, could.Region)
		if len(w.Types) == 0 {
			return nil // the filter lets through what can't carry it
		}
	}
	return s.gaps(w)
}

// GapsOf says like Gaps, of each identifier, where resources could be that carry
// it besides those found. What can't carry it is left out, and there are none
// where nothing but what was found can.
func (s *Scanner) GapsOf(found map[string][]storage.Record) map[string][]string {
	all := map[string][]string{}
	said := map[string][]string{} // by place, since most names could be anywhere
	for identifier, rs := range found {
		if len(rs) > 0 && !slices.ContainsFunc(rs, func(r storage.Record) bool { return !services.Kinds().Unique(r.Type, r.ARN, r.Name, identifier) }) {
			continue
		}
		w := services.Kinds().Where(identifier)
		place := fmt.Sprint(w)
		gaps, known := said[place]
		if !known {
			gaps = s.gaps(w)
			said[place] = gaps
		}
		if len(gaps) > 0 {
			all[identifier] = gaps
		}
	}
	return all
}

func (s *Scanner) gaps(w kind.Where) []string {
	return s.ledger.gaps(w, s.config, s.estate.Doubtful()...)
}

// gaps names shards of the same kind together: "rds_cluster, s3_bucket in
// eu-west-1 of staging (210987654321): denied by AWS". Shards are doubtful of
// which the store has lost something.
func (l *ledger) gaps(w kind.Where, cfg Config, doubtful ...storage.Shard) []string {
	if len(w.Types) == 0 {
		return []string{w.Unread + ": this version does not read it"}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.shards) == 0 {
		return []string{"nothing was scanned yet"}
	}
	// The types missing in a region come first, then the regions missing them.
	type place struct{ account, region, why string }
	types := map[place][]string{}
	places := []place{}
	for _, s := range l.sorted() {
		if s.State == stateComplete && isDoubtful(s.Shard, doubtful) {
			s.State = stateDoubtful
		}
		if s.State == stateComplete || (w.AccountID != "" && w.AccountID != s.AccountID) ||
			(w.Region != "" && w.Region != s.Region && s.Region != globalRegion) ||
			!slices.Contains(w.Types, s.Type) || !l.wanted(s.Shard, w, cfg) {
			continue
		}
		p := place{s.AccountID, s.Region, s.why()}
		if types[p] == nil {
			places = append(places, p)
		}
		types[p] = append(types[p], s.Type)
	}
	type group struct{ account, why, types string }
	regions := map[group][]string{}
	groups := []group{}
	for _, p := range places {
		g := group{p.account, p.why, strings.Join(types[p], ", ")}
		if regions[g] == nil {
			groups = append(groups, g)
		}
		regions[g] = append(regions[g], p.region)
	}
	// A reason is said once of an account.
	type reason struct{ account, why string }
	missing := map[reason][]string{}
	reasons := []reason{}
	for _, g := range groups {
		what := g.types
		if !slices.Equal(regions[g], []string{globalRegion}) {
			what += " in " + several(regions[g])
		}
		r := reason{g.account, g.why}
		if missing[r] == nil {
			reasons = append(reasons, r)
		}
		missing[r] = append(missing[r], what)
	}
	said := []string{}
	for _, r := range reasons {
		said = append(said, fmt.Sprintf("%s of %s: %s", strings.Join(missing[r], " and "), l.spokenAccount(r.account), r.why))
	}
	if slices.ContainsFunc(services.Collectors(), func(c services.Collector) bool { return !c.Global && slices.Contains(w.Types, c.Type) }) {
		said = append(said, l.unknownRegions(w, cfg)...)
	}
	return said
}

// allRegions stands in an account's asked regions for all that it has.
const allRegions = "*"

// asked records that a scan was to read regions of an account; none means all.
func (l *ledger) asked(id string, regions []string) {
	if len(regions) == 0 {
		regions = []string{allRegions}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.covered[id]
	for _, region := range regions {
		if !slices.Contains(c.Asked, region) {
			c.Asked, l.dirty = append(c.Asked, region), true
		}
	}
	l.covered[id] = c
}

// wanted says whether the user has a shard read, by a scan or the configuration,
// or asks about its region now. l.mu is held.
func (l *ledger) wanted(s Shard, w kind.Where, cfg Config) bool {
	a, met := l.account(s.AccountID)
	if !met || w.AccountID == s.AccountID && w.Region == s.Region {
		return true
	}
	if !a.configured(cfg) {
		return false
	}
	if s.Region == globalRegion || s.Region == w.Region || slices.Contains(cfg.Regions, s.Region) || slices.Contains(a.Asked, s.Region) {
		return true
	}
	return len(cfg.Regions) == 0 && a.askedForAll()
}

// account is all that is known of an account; false for one that was never met.
// l.mu is held.
func (l *ledger) account(id string) (account, bool) {
	known, met := l.accounts.Get(id)
	return account{known, l.covered[id]}, met
}

// askedForAll says whether scans were to read all regions of the account. A
// ledger of before that was kept doesn't tell.
func (c coverage) askedForAll() bool {
	return len(c.Asked) == 0 || slices.Contains(c.Asked, allRegions)
}

// configured says whether the account is of those that the user has read.
func (a account) configured(cfg Config) bool {
	return len(cfg.Profiles) == 0 || slices.Contains(cfg.Profiles, "*") || len(a.Asked) > 0 ||
		slices.ContainsFunc(a.Profiles, func(p string) bool { return slices.Contains(cfg.Profiles, p) })
}

// unknownRegions names the accounts that may have regions which the ledger
// does not: AWS never told. l.mu is held.
func (l *ledger) unknownRegions(w kind.Where, cfg Config) []string {
	read := map[string]bool{}
	listed := map[string]bool{}
	for s := range l.shards {
		read[s.AccountID] = true
		listed[s.AccountID] = listed[s.AccountID] || (w.Region != "" && s.Region == w.Region)
	}
	said := []string{}
	_, known := l.accounts.List()
	for _, of := range known {
		id, a := of.ID, account{of, l.covered[of.ID]}
		if a.RegionsKnown || listed[id] || (w.AccountID != "" && w.AccountID != id) || !a.configured(cfg) {
			continue
		}
		switch {
		case !read[id]:
			said = append(said, l.spokenAccount(id)+": never scanned")
		case w.Region != "" || len(cfg.Regions) == 0 && a.askedForAll():
			said = append(said, "other regions of "+l.spokenAccount(id)+": AWS did not tell which there are")
		}
	}
	return said
}

// spokenAccount is an account's name and number.
func (l *ledger) spokenAccount(id string) string {
	if a, _ := l.accounts.Get(id); a.Name != "" {
		return a.Name + " (" + id + ")"
	}
	return id
}

// why says in words why a shard is not known whole.
func (s ShardState) why() string {
	switch s.State {
	case stateDenied:
		return "denied by AWS"
	case stateFailed:
		if s.Problem != "" {
			return "could not be read: " + s.Problem
		}
		return "could not be read"
	case stateDoubtful:
		return "what was stored is not whole, scan again"
	}
	return "never scanned"
}

// stateDoubtful is that of a complete shard of which the store has lost
// something; it is never in the ledger.
const stateDoubtful = "doubtful"

// isDoubtful tells whether a shard is among those of which the store has lost
// something.
func isDoubtful(s Shard, doubtful []storage.Shard) bool {
	return slices.ContainsFunc(doubtful, func(d storage.Shard) bool {
		return d.AccountID == s.AccountID && d.Type == s.Type && (d.Region == s.Region || s.Region == globalRegion)
	})
}

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
	session.Problem
	about    string
	regions  []string
	services []string
}

// add takes what did not work; about says what is missing for it, where that is
// not a list.
func (ps *problems) add(p session.Problem, about string) {
	for i := range ps.all {
		g := &ps.all[i]
		if g.about != about || g.Code != p.Code || g.AccountID != p.AccountID || g.Profile != p.Profile || g.Hint != p.Hint {
			continue
		}
		// AWS words the same denial differently for each region. What doesn't
		// answer is one problem, whatever was asked of it.
		away := p.Code == session.CodeUnreachable || p.Code == session.CodeCredentials
		if (g.Message != p.Message && p.Code != session.CodeDenied && !away) || (g.Service != p.Service && !away) {
			continue
		}
		if p.Region != "" && p.Region != globalRegion && !slices.Contains(g.regions, p.Region) {
			g.regions = append(g.regions, p.Region)
		}
		if p.Service != "" && !slices.Contains(g.services, p.Service) {
			g.services = append(g.services, p.Service)
		}
		return
	}
	g := grouped{Problem: p, about: about}
	if p.Region != "" && p.Region != globalRegion {
		g.regions = []string{p.Region}
	}
	if p.Service != "" {
		g.services = []string{p.Service}
	}
	ps.all = append(ps.all, g)
}

func (ps *problems) list() []session.Problem {
	list := []session.Problem{}
	for _, g := range ps.all {
		p := g.Problem
		if g.about != "" {
			p.Message = g.about + ": " + p.Message
		}
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
