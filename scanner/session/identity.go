package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identityLasts is how long an identity is taken as known for reads.
const identityLasts = 5 * time.Minute

// Identity is who the credentials belong to. It may be a few minutes old.
func (s *Session) Identity(ctx context.Context) (Identity, error) {
	return s.identify(ctx, identityLasts)
}

// IdentityNow is who the credentials belong to, asked just now.
func (s *Session) IdentityNow(ctx context.Context) (Identity, error) { return s.identify(ctx, 0) }

// identify asks AWS who the caller is, unless that is known and younger than
// maxAge. The first answer binds the home to the endpoint.
func (s *Session) identify(ctx context.Context, maxAge time.Duration) (Identity, error) {
	a := s.access
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
	if id, asked := a.known(); !asked.IsZero() && time.Since(asked) < maxAge {
		return id, nil
	}
	id, err := s.Ask(ctx)
	if err != nil {
		return Identity{}, err
	}
	if err := s.manager.accounts.met(a, id.AccountID); err != nil {
		return Identity{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identity, a.asked = id, time.Now()
	return id, nil
}

// Ask is IdentityNow that remembers nothing, so that a check changes nothing.
func (s *Session) Ask(ctx context.Context) (Identity, error) {
	a := s.access
	asking, cancel := context.WithTimeout(ctx, s.manager.Patience.Identity)
	defer cancel()
	id := Identity{Profile: a.profile, Source: a.source, Endpoint: a.endpoints.shown()}
	creds, err := a.config.Credentials.Retrieve(asking)
	if err == nil {
		err = id.ask(asking, a.config)
	}
	switch {
	case ctx.Err() != nil && err != nil:
		return Identity{}, ctx.Err()
	case err != nil:
		return Identity{}, a.explain(a.region, err)
	}
	if creds.CanExpire {
		id.Expires = creds.Expires.UTC()
	}
	return id, nil
}

// ask calls sts:GetCallerIdentity, which needs no permission.
func (id *Identity) ask(ctx context.Context, cfg aws.Config) error {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer { return retryer(2) }
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("asking AWS who the caller is: %w", err)
	}
	if id.AccountID = aws.ToString(out.Account); id.AccountID == "" {
		return errors.New("asking AWS who the caller is: the answer names no account")
	}
	id.ARN, id.Partition = aws.ToString(out.Arn), "aws"
	if parsed, err := arn.Parse(id.ARN); err == nil && parsed.Partition != "" {
		id.Partition = parsed.Partition
	}
	return nil
}

// known is the last answer, and when it was asked for; zero for never.
func (a *access) known() (Identity, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identity, a.asked
}
