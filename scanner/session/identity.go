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

// identify asks AWS who the caller is, unless that is known and younger than
// maxAge. The first answer binds the home to the endpoint.
func (m *Manager) identify(ctx context.Context, a *access, maxAge time.Duration) (Identity, error) {
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
	if id, asked := a.known(); !asked.IsZero() && time.Since(asked) < maxAge {
		return id, nil
	}
	id, err := m.ask(ctx, a)
	if err != nil {
		return Identity{}, err
	}
	if err := m.accounts.met(a, id.AccountID); err != nil {
		return Identity{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identity, a.asked = id, time.Now()
	return id, nil
}

// ask gets credentials and asks AWS whose they are.
func (m *Manager) ask(ctx context.Context, a *access) (Identity, error) {
	asking, cancel := context.WithTimeout(ctx, m.Patience.Identity)
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
