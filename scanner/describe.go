package scanner

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
)

// Describe reads one resource from AWS now, without storing it.
// ErrGone: AWS says there is none.
func (s *Scanner) Describe(ctx context.Context, env Environment, k storage.Key) (storage.Resource, error) {
	r, live, err := s.read(ctx, env, k)
	if err != nil {
		return r, err
	}
	live()
	return r, nil
}

// read is what a list would tell of one resource; live adds in place what only a
// live read tells, which is never stored: the next list would take it away.
func (s *Scanner) read(ctx context.Context, env Environment, k storage.Key) (r storage.Resource, live func(), err error) {
	collector, ok := services.CollectorOf(k.Type)
	if !ok {
		return storage.Resource{}, nil, fmt.Errorf("describing a resource: the type %q is unknown", k.Type)
	}
	if k.ID == "" || k.AccountID == "" || (k.Region == "" && !collector.Global) {
		return storage.Resource{}, nil, errors.New("describing a resource: its identifier, account and region must be known")
	}
	profile, err := s.ProfileFor(ctx, env, k.AccountID)
	if err != nil {
		return storage.Resource{}, nil, err
	}
	a, err := s.access(ctx, env, profile)
	if err != nil {
		return storage.Resource{}, nil, err
	}
	id, err := s.identify(ctx, a, identityLasts)
	if err != nil {
		return storage.Resource{}, nil, err
	}
	region := k.Region
	if region == "" {
		region = a.region
	}
	if err := checkRegion(region, ""); err != nil {
		return storage.Resource{}, nil, err
	}
	reading, cancel := context.WithTimeout(ctx, s.wait.describe)
	defer cancel()
	cfg := a.in(region)
	r, err = collector.Describe(reading, cfg, services.Target{
		AccountID:   k.AccountID,
		AccountName: s.ledger.nameOf(k.AccountID),
		Partition:   id.Partition,
		Region:      region,
	}, k.ID)
	if err != nil {
		if ctx.Err() != nil {
			return storage.Resource{}, nil, ctx.Err()
		}
		return storage.Resource{}, nil, withAction(a.explain(region, err), collector.Reads, profile)
	}
	return r, func() {
		if collector.Live == nil {
			return
		}
		reading, cancel := context.WithTimeout(ctx, s.wait.describe)
		defer cancel()
		collector.Live(reading, cfg, r)
	}, nil
}

// Refresh describes a resource and brings the estate up to date with it.
// ErrGone: AWS says there is none, and it was removed from the estate.
func (s *Scanner) Refresh(ctx context.Context, env Environment, k storage.Key) (storage.Resource, error) {
	r, live, err := s.read(ctx, env, k)
	if errors.Is(err, ErrGone) {
		if removing := s.estate.Delete(ctx, k); removing != nil {
			return r, removing
		}
		return r, err
	}
	if err != nil {
		return r, err
	}
	collector, _ := services.CollectorOf(k.Type)
	if err := s.keep(ctx, collector, &r); err != nil {
		return r, err
	}
	if err := s.estate.Upsert(ctx, r); err != nil {
		return r, err
	}
	live()
	return r, nil
}

// keep fills in what is known of a resource from earlier, where a detail of it
// could not be read now: what a failed call did not tell is not gone.
func (s *Scanner) keep(ctx context.Context, c services.Collector, r *storage.Resource) error {
	if c.Lacks == nil || !c.Lacks(*r) {
		return nil
	}
	known, err := s.estate.Get(ctx, r.Key())
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading what is known of a resource: %w", err)
	}
	c.Keep(r, known, s.Age(storage.Record{Key: known.Key(), LastSynced: known.LastSynced}))
	return nil
}

// AWS is a checked client configuration for a profile and region, and whose it
// is, asked just now. It retries nothing: its users run commands.
// Empty means the session's own profile and that profile's region.
func (s *Scanner) AWS(ctx context.Context, env Environment, profile, region string) (aws.Config, Identity, error) {
	if region != "" {
		if err := checkRegion(region, ""); err != nil {
			return aws.Config{}, Identity{}, err
		}
	}
	a, err := s.access(ctx, env, profile)
	if err != nil {
		return aws.Config{}, Identity{}, err
	}
	id, err := s.identify(ctx, a, 0)
	if err != nil {
		return aws.Config{}, Identity{}, err
	}
	cfg := a.in(region)
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg, id, nil
}

// Reads reports whether scans read resources of a type, such as rds_instance.
func Reads(typ string) bool {
	_, ok := services.CollectorOf(typ)
	return ok
}

// withAction adds to a denial what to ask an administrator for.
func withAction(err error, action, profile string) error {
	var f *failure
	if !errors.As(err, &f) || f.code != codeDenied || f.hint != "" {
		return err
	}
	named := *f
	named.hint = fmt.Sprintf("allow %s to profile %s", action, profile)
	return &named
}
