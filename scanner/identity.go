package scanner

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// identityLasts is how long an identity is taken as known for reads.
const identityLasts = 5 * time.Minute

// Identity is who the profile's credentials belong to; "" means the selected
// profile. The answer may be a few minutes old.
func (s *Scanner) Identity(ctx context.Context, env Environment, profile string) (Identity, error) {
	a, err := s.access(ctx, env, profile)
	if err != nil {
		return Identity{}, err
	}
	return s.identify(ctx, a, identityLasts)
}

// KnownIdentity is who the session last was in an account, from memory: false
// when no call of its profiles told yet. It calls nobody.
func (s *Scanner) KnownIdentity(env Environment, accountID string) (Identity, bool) {
	files, err := env.files()
	if err != nil {
		return Identity{}, false
	}
	for _, profile := range s.profilesFor(env, accountID) {
		key, err := keyOf(env, profile)
		if err != nil {
			continue
		}
		a := s.ready(key, files)
		if a == nil {
			continue
		}
		id, asked := a.known()
		if asked.IsZero() || id.AccountID != accountID {
			continue
		}
		// What has expired is renewed by the next call, until then it is unknown.
		if !id.Expires.After(time.Now()) {
			id.Expires = time.Time{}
		}
		return id, true
	}
	return Identity{}, false
}

// identify asks AWS who the caller is, unless that is known and younger than
// maxAge. The first answer binds the home to the endpoint.
func (s *Scanner) identify(ctx context.Context, a *access, maxAge time.Duration) (Identity, error) {
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
	if id, asked := a.known(); !asked.IsZero() && time.Since(asked) < maxAge {
		return id, nil
	}
	id, err := s.ask(ctx, a)
	if err != nil {
		return Identity{}, err
	}
	if err := s.ledger.met(a, id.AccountID); err != nil {
		return Identity{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identity, a.asked = id, time.Now()
	return id, nil
}

// Ask says who the session's selected profile belongs to, from AWS and just
// now. It remembers nothing of it, so that a check changes nothing.
func (s *Scanner) Ask(ctx context.Context, env Environment) (Identity, error) {
	a, err := s.access(ctx, env, "")
	if err != nil {
		return Identity{}, err
	}
	return s.ask(ctx, a)
}

// ask gets credentials and asks AWS whose they are.
func (s *Scanner) ask(ctx context.Context, a *access) (Identity, error) {
	asking, cancel := context.WithTimeout(ctx, s.wait.identity)
	defer cancel()
	creds, err := a.config.Credentials.Retrieve(asking)
	if err != nil {
		return Identity{}, a.unidentified(ctx, err)
	}
	cfg := a.config.Copy()
	cfg.Retryer = func() aws.Retryer { return retryer(2) }
	caller, err := services.Identify(asking, cfg)
	if err != nil {
		return Identity{}, a.unidentified(ctx, err)
	}
	id := Identity{
		Profile:   a.profile,
		AccountID: caller.AccountID,
		ARN:       caller.ARN,
		Partition: caller.Partition,
		Source:    a.source,
		Endpoint:  a.endpoints.shown(),
	}
	if creds.CanExpire {
		id.Expires = creds.Expires.UTC()
	}
	return id, nil
}

// unidentified explains why the caller is unknown.
func (a *access) unidentified(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return a.explain(a.region, err)
}

// known is the last answer, and when it was asked for; zero for never.
func (a *access) known() (Identity, time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identity, a.asked
}

// profilesFor are the profiles that may belong to an account, the session's
// own first, then those that did.
func (s *Scanner) profilesFor(env Environment, accountID string) []string {
	own := env.selected()
	profiles := []string{own}
	for _, p := range s.ledger.profilesOf(accountID) {
		if p != own {
			profiles = append(profiles, p)
		}
	}
	return profiles
}

// ProfileFor is the profile to use for an account: the session's if it is of
// that account, else the one that scanned it. A session that names a profile
// which does not exist has none.
func (s *Scanner) ProfileFor(ctx context.Context, env Environment, accountID string) (string, error) {
	var first error
	for i, profile := range s.profilesFor(env, accountID) {
		id, err := s.Identity(ctx, env, profile)
		misnamed := i == 0 && env.Profile != "" && errors.Is(err, ErrUnknownProfile)
		switch {
		case err == nil && id.AccountID == accountID:
			return profile, nil
		case misnamed, errors.Is(err, ErrEndpoint), errors.Is(err, ErrUnreachable), ctx.Err() != nil:
			return "", err
		case err != nil && first == nil:
			first = err
		}
	}
	if first != nil {
		return "", first
	}
	return "", explained(ErrNoCredentials, codeCredentials, "no profile of this session belongs to the account "+accountID,
		"scan with a profile of that account: cloudops scan --profile NAME", nil)
}
