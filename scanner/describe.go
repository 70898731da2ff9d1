package scanner

import (
	"context"
	"errors"
	"fmt"
	"time"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// describeTime bounds one live read, its retries included.
const describeTime = 30 * time.Second

// Describe reads one resource from AWS now, without storing it. The session must
// be of its account. session.ErrGone: AWS says there is none.
func (s *Scanner) Describe(ctx context.Context, from *session.Session, k storage.Key) (storage.Resource, error) {
	r, live, err := s.read(ctx, from, k)
	if err != nil {
		return r, err
	}
	live()
	return r, nil
}

// read is what a list would tell of one resource; live adds in place what only a
// live read tells, which is never stored: the next list would take it away.
func (s *Scanner) read(ctx context.Context, from *session.Session, k storage.Key) (r storage.Resource, live func(), err error) {
	collector, ok := services.CollectorOf(k.Type)
	if !ok {
		return storage.Resource{}, nil, fmt.Errorf("describing a resource: the type %q is unknown", k.Type)
	}
	if k.ID == "" || k.AccountID == "" || (k.Region == "" && !collector.Global) {
		return storage.Resource{}, nil, errors.New("describing a resource: its identifier, account and region must be known")
	}
	id, err := from.Identity(ctx)
	if err != nil {
		return storage.Resource{}, nil, err
	}
	if id.AccountID != k.AccountID {
		return storage.Resource{}, nil, fmt.Errorf("describing a resource: it is of account %s, and profile %s of %s", k.AccountID, from.Profile, id.AccountID)
	}
	if k.Region != "" {
		if err := session.CheckRegion(k.Region); err != nil {
			return storage.Resource{}, nil, err
		}
		from = from.In(k.Region)
	}
	reading, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	cfg := from.Config()
	r, err = collector.Describe(reading, cfg, services.Target{
		AccountID:   k.AccountID,
		AccountName: s.nameOf(k.AccountID),
		Partition:   id.Partition,
		Region:      from.Region,
	}, k.ID)
	if err != nil {
		if ctx.Err() != nil {
			return storage.Resource{}, nil, ctx.Err()
		}
		return storage.Resource{}, nil, from.Explain(err, collector.Reads)
	}
	return r, func() {
		if collector.Live == nil {
			return
		}
		reading, cancel := context.WithTimeout(ctx, describeTime)
		defer cancel()
		collector.Live(reading, cfg, r)
	}, nil
}

// nameOf is what an account is called; "" for one that was never met.
func (s *Scanner) nameOf(accountID string) string {
	a, _ := s.ledger.accounts.Get(accountID)
	return a.Name
}

// Refresh describes a resource and brings the estate up to date with it.
// session.ErrGone: AWS says there is none, and it was removed from the estate.
func (s *Scanner) Refresh(ctx context.Context, from *session.Session, k storage.Key) (storage.Resource, error) {
	r, live, err := s.read(ctx, from, k)
	if errors.Is(err, session.ErrGone) {
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

// Reads reports whether scans read resources of a type, such as rds_instance.
func Reads(typ string) bool {
	_, ok := services.CollectorOf(typ)
	return ok
}
