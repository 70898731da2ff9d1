package scanner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// defaultConcurrency is how many AWS calls are under way at once.
	defaultConcurrency = 16
	// scanAttempts is how often a scan makes a call that is throttled or fails.
	scanAttempts = 5
	// mostBarren is how many pages in a row may have nothing new before a list
	// is taken for one without an end.
	mostBarren = 100
	// ledgerEvery is how often a running scan saves the ledger.
	ledgerEvery = time.Second
)

// scan is one run of Scan.
type scan struct {
	*Scanner
	report     func(Progress)
	collectors []services.Collector
	regions    []string // asked for; empty means all that are enabled
	calls      chan struct{}

	mu       sync.Mutex // guards what follows
	result   Result
	progress Progress
	problems problems
	down     map[string]error // what doesn't answer, by unit.host
}

// unit is one list: a collector in a region of an account.
type unit struct {
	account   *scanned
	region    string
	collector services.Collector
}

// scanned is an account of a scan, read with one profile.
type scanned struct {
	*session.Session
	identity session.Identity
	name     string
}

func (u unit) shard() Shard {
	region := u.region
	if u.collector.Global {
		region = globalRegion
	}
	return Shard{AccountID: u.account.identity.AccountID, Region: region, Type: u.collector.Type}
}

// host is what is unreachable when the unit's calls get no answer.
func (u unit) host() string {
	if there := u.account.Endpoint(u.collector.Service); there != "" {
		return there
	}
	return u.collector.Service + " " + u.region
}

// Scan lists the chosen profiles' resources into the estate. The error is for
// what stops everything; what stops a part is a Problem. Ending ctx ends the
// scan with Cancelled set: whole shards are kept, others stay as they were.
// report is called for one step at a time and must not block; nil reports nothing.
func (s *Scanner) Scan(ctx context.Context, who *session.Client, o Options, report func(Progress)) (Result, error) {
	began := time.Now()
	if report == nil {
		report = func(Progress) {}
	}
	concurrency := s.config.Concurrency
	if concurrency == 0 {
		concurrency = defaultConcurrency
	}
	run := &scan{
		Scanner: s, report: report, regions: o.Regions,
		calls: make(chan struct{}, concurrency), down: map[string]error{},
	}
	run.result.Accounts, run.result.Profiles = []string{}, []string{}
	if len(run.regions) == 0 {
		run.regions = s.config.Regions
	}
	err := run.all(ctx, who, o, concurrency)
	if saving := s.ledger.save(0); err == nil {
		err = saving
	}
	if ctx.Err() != nil {
		run.result.Cancelled = true
		err = nil
	}
	run.result.Problems = run.problems.list()
	slices.Sort(run.result.Accounts)
	run.result.Duration = time.Since(began).Milliseconds()
	return run.result, err
}

func (s *scan) all(ctx context.Context, who *session.Client, o Options, concurrency int) error {
	var err error
	if s.collectors, err = chosenCollectors(o.Services); err != nil {
		return err
	}
	for _, region := range s.regions {
		if err := session.CheckRegion(region); err != nil {
			return err
		}
	}
	named := o.Profiles
	if len(named) == 0 {
		named = s.config.Profiles
	}
	var chosen []string
	if chosen, s.result.Unread, err = who.Choose(named); err != nil {
		return err
	}
	s.step(Progress{Message: "finding out which accounts there are"})
	accounts, err := s.accounts(ctx, who, chosen)
	if err != nil {
		return err
	}
	units, err := s.units(ctx, accounts)
	if err != nil {
		return err
	}
	s.step(Progress{Total: len(units), Message: fmt.Sprintf("%d lists in %d accounts", len(units), len(accounts))})

	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrency)
	for _, u := range units {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return s.unit(gctx, u) })
	}
	return g.Wait()
}

// chosenCollectors are those of the named services or types; none named means all.
func chosenCollectors(names []string) ([]services.Collector, error) {
	all := slices.Clone(services.Collectors())
	if len(names) == 0 {
		return all, nil
	}
	known := []string{}
	for _, c := range all {
		known = append(known, c.Service, c.Type)
	}
	for _, name := range names {
		if !slices.Contains(known, strings.ToLower(name)) {
			slices.Sort(known)
			return nil, session.Explained(session.ErrOptions, session.CodeFailed, fmt.Sprintf("there is no service %q", name),
				"choose from: "+strings.Join(slices.Compact(known), ", "), nil)
		}
	}
	return slices.DeleteFunc(all, func(c services.Collector) bool {
		return !slices.ContainsFunc(names, func(name string) bool {
			return strings.EqualFold(name, c.Service) || strings.EqualFold(name, c.Type)
		})
	}), nil
}

// accounts identifies the profiles; of several that belong to one account the
// first is used. The error means that none can be used.
func (s *scan) accounts(ctx context.Context, who *session.Client, chosen []string) ([]*scanned, error) {
	found := make([]*scanned, len(chosen))
	failed := make([]error, len(chosen))
	var g errgroup.Group
	g.SetLimit(8)
	for i, profile := range chosen {
		g.Go(func() error {
			a := &scanned{}
			if a.Session, failed[i] = who.Open(profile, ""); failed[i] == nil {
				a.identity, failed[i] = a.Identity(ctx)
			}
			found[i] = a
			return nil
		})
	}
	_ = g.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	accounts := []*scanned{}
	var first error
	for i, profile := range chosen {
		if err := failed[i]; err != nil {
			p := session.Explain(err)
			p.Profile = profile
			s.problems.add(p, "")
			// An endpoint that is refused is never a part of the estate.
			if first == nil || errors.Is(err, session.ErrEndpoint) {
				first = err
			}
			continue
		}
		a := found[i]
		if slices.ContainsFunc(accounts, func(b *scanned) bool { return b.identity.AccountID == a.identity.AccountID }) {
			continue
		}
		a.name = s.nameOf(a.identity.AccountID)
		accounts = append(accounts, a)
		s.result.Accounts = append(s.result.Accounts, a.identity.AccountID)
		s.result.Profiles = append(s.result.Profiles, profile)
	}
	if len(accounts) == 0 {
		return nil, first
	}
	return accounts, nil
}

// units finds the regions of each account and lists what is to be read. The
// profile's own region comes first, since people look there first.
func (s *scan) units(ctx context.Context, accounts []*scanned) ([]unit, error) {
	regions := make([][]string, len(accounts))
	var g errgroup.Group
	g.SetLimit(8)
	for i, a := range accounts {
		g.Go(func() error {
			regions[i] = s.regionsOf(ctx, a)
			return nil
		})
	}
	_ = g.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var first, rest []unit
	for i, a := range accounts {
		for _, c := range s.collectors {
			if c.Global {
				first = append(first, unit{a, a.Region, c})
				continue
			}
			for _, region := range regions[i] {
				if u := (unit{a, region, c}); region == a.Region {
					first = append(first, u)
				} else {
					rest = append(rest, u)
				}
			}
		}
	}
	units := append(first, rest...)
	none := !slices.ContainsFunc(regions, func(of []string) bool { return len(of) > 0 })
	if none || len(units) == 0 {
		whys := []string{}
		for i, p := range s.problems.list() {
			if len(s.problems.all[i].regions) > 0 {
				whys = append(whys, p.String())
			}
		}
		return nil, session.Explained(nil, session.CodeFailed, strings.Join(whys, "; "), "", nil)
	}
	shards := []Shard{}
	for _, u := range units {
		shards = append(shards, u.shard())
	}
	s.ledger.expect(shards)
	return units, nil
}

// regionsOf is where an account is read: the regions asked for that it has,
// else all that are enabled, else the profile's own.
func (s *scan) regionsOf(ctx context.Context, a *scanned) []string {
	s.ledger.asked(a.identity.AccountID, s.regions)
	enabled, err := services.Regions(ctx, a.Patiently(scanAttempts, s.calls), a.identity.Partition)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		if len(s.regions) > 0 {
			return s.possible(a)
		}
		p := session.Explain(a.Explain(err, "ec2:DescribeRegions"))
		p.Profile, p.AccountID, p.Service = a.Profile, a.identity.AccountID, "ec2"
		s.add(p, "the account's regions are unknown, so only "+a.Region+" is read")
		return []string{a.Region}
	}
	// What is not read this time is known to be missing.
	shards := []Shard{}
	for _, c := range services.Collectors() {
		for _, region := range enabled {
			if !c.Global {
				shards = append(shards, Shard{AccountID: a.identity.AccountID, Region: region, Type: c.Type})
			}
		}
		if c.Global {
			shards = append(shards, Shard{AccountID: a.identity.AccountID, Region: globalRegion, Type: c.Type})
		}
	}
	s.ledger.expect(shards)
	s.ledger.regionsKnown(a.identity.AccountID)
	if len(s.regions) == 0 {
		return enabled
	}
	return slices.DeleteFunc(s.possible(a), func(region string) bool {
		if slices.Contains(enabled, region) {
			return false
		}
		s.add(session.Problem{
			Profile: a.Profile, AccountID: a.identity.AccountID, Region: region, Code: session.CodeFailed,
			Message: "the region does not exist, or is not enabled in the account",
			Hint:    "check its name, or enable it in the account's settings",
		}, "")
		return true
	})
}

// possible are the regions asked for, once each, that are of the account's
// partition. The regions of another are a Problem.
func (s *scan) possible(a *scanned) []string {
	chosen := []string{}
	for _, region := range s.regions {
		switch {
		case slices.Contains(chosen, region):
		case kind.Partition(region) == a.identity.Partition:
			chosen = append(chosen, region)
		default:
			s.add(session.Problem{
				Profile: a.Profile, AccountID: a.identity.AccountID, Region: region, Code: session.CodeFailed,
				Message: "the region belongs to " + kind.Partition(region) + ", the account to " + a.identity.Partition,
				Hint:    "choose another region or profile",
			}, "")
		}
	}
	return chosen
}

// storeError is an error of the store, which ends the scan.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

// unit reads one shard. Its error ends the scan; what AWS refuses is a Problem.
func (s *scan) unit(ctx context.Context, u unit) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	down := s.down[u.host()]
	s.mu.Unlock()
	if down != nil {
		s.failed(u, time.Now(), down)
		return nil
	}
	account := u.account.identity
	target := services.Target{AccountID: account.AccountID, AccountName: u.account.name, Partition: account.Partition, Region: u.region}
	began := time.Now().UTC()
	seen, count, barren := map[string]bool{}, 0, 0
	sink := services.Sink{
		Emit: func(ctx context.Context, page []storage.Resource) error {
			before := len(seen)
			for i := range page {
				if strings.TrimSpace(page[i].ID) == "" {
					return services.NotAWS("a resource without its id")
				}
				seen[page[i].Key().Canonical()] = true
				if err := s.keep(ctx, u.collector, &page[i]); err != nil {
					return storeError{err}
				}
			}
			if barren++; len(seen) > before {
				barren = 0
			}
			if barren == mostBarren {
				return fmt.Errorf("%w: %d pages in a row have nothing new", services.ErrEndless, barren)
			}
			if len(page) == 0 {
				return nil
			}
			changed, err := s.estate.BulkUpsert(ctx, page)
			if err != nil {
				return storeError{fmt.Errorf("storing scanned resources: %w", err)}
			}
			count += len(page)
			s.found(u, len(page), changed)
			return nil
		},
		Note: func(action string, err error) {
			p := session.Explain(u.account.In(u.region).Explain(err, action))
			p.Profile, p.AccountID, p.Region, p.Service = u.account.Profile, account.AccountID, u.region, u.collector.Service
			s.add(p, "some details are unknown ("+action+")")
		},
	}
	err := u.collector.List(ctx, u.account.In(u.region).Patiently(scanAttempts, s.calls), target, sink)
	var store storeError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &store):
		return store.error
	case err != nil:
		s.failed(u, began, u.account.In(u.region).Explain(err, u.collector.Reads))
		return nil
	}
	removed, err := s.removeStale(ctx, u, began, seen)
	if err != nil {
		return err
	}
	s.estate.Listed(storage.Shard{AccountID: account.AccountID, Region: filterOf(u.shard()).Region, Type: u.collector.Type})
	s.ledger.complete(u.shard(), began, count)
	if err := s.ledger.save(ledgerEvery); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Removed += removed
	s.result.Shards++
	s.progress.Done++
	s.progress.Message = u.collector.Type + " in " + u.shard().Region
	s.report(s.progress)
	return nil
}

// removeStale deletes what the shard held and a whole list of it did not show.
// What was written since the list began is younger than the list.
func (s *scan) removeStale(ctx context.Context, u unit, began time.Time, seen map[string]bool) (int, error) {
	now := time.Now()
	stale := []storage.Key{}
	records, _ := s.estate.Search("", filterOf(u.shard()), math.MaxInt32)
	for _, r := range records {
		younger := !r.LastSynced.Before(began) && !r.LastSynced.After(now)
		if !seen[r.Canonical()] && !younger {
			stale = append(stale, r.Key)
		}
	}
	if len(stale) == 0 {
		return 0, nil
	}
	if err := s.estate.Delete(ctx, stale...); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("removing resources that AWS no longer has: %w", err)
	}
	return len(stale), nil
}

// failed records that a shard could not be listed; its rows are kept.
func (s *scan) failed(u unit, began time.Time, err error) {
	p := session.Explain(err)
	p.Profile, p.AccountID = u.account.Profile, u.account.identity.AccountID
	p.Region, p.Service = u.shard().Region, u.collector.Service
	state := stateFailed
	if p.Code == session.CodeDenied {
		state = stateDenied
	}
	s.ledger.incomplete(u.shard(), began, state, p.Message)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Code == session.CodeUnreachable && session.NoAnswer(err) && s.down[u.host()] == nil {
		s.down[u.host()] = err
	}
	s.problems.add(p, "")
	s.progress.Done++
	s.progress.Message = u.collector.Type + " in " + p.Region + ": " + p.Code
	s.report(s.progress)
}

func (s *scan) add(p session.Problem, about string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems.add(p, about)
}

func (s *scan) found(u unit, n, changed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Resources += n
	s.result.Changed += changed
	s.progress.Resources += n
	s.progress.Message = u.collector.Type + " in " + u.shard().Region
	s.report(s.progress)
}

func (s *scan) step(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = p
	s.report(p)
}
