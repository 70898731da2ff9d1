package scanner

import (
	"context"
	"crypto/sha1" //nolint:gosec // the file names of the SSO cache are SHA-1 by AWS's definition
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	services "github.com/cloudops/cloudops/scanner/aws"
)

const (
	// application names cloudops in the user agent.
	application = "cloudops"
	// identityLasts is how long an identity is taken as known for reads.
	identityLasts = 5 * time.Minute
	// identityWait bounds the call that finds out whether AWS is there at all.
	identityWait = 20 * time.Second
	// maxAccesses bounds the profiles kept ready, of all sessions together.
	maxAccesses = 64
)

// access is one profile of one session, ready to call AWS. Its credentials
// live in the SDK's cache only.
type access struct {
	profile   string
	region    string
	source    string
	endpoints endpoints
	config    aws.Config

	mu       sync.Mutex // guards what follows
	identity Identity
	asked    time.Time
}

// access checks a session's AWS side and readies a profile of it; "" means the
// selected one. It calls nobody.
func (s *Scanner) access(ctx context.Context, env Environment, profile string) (*access, error) {
	if profile == "" {
		profile = env.selected()
	}
	files, err := env.files()
	if err != nil {
		return nil, err
	}
	key, err := fingerprint(env, files, profile)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	a := s.accesses[key]
	s.mu.Unlock()
	if a == nil {
		if a, err = s.newAccess(ctx, env, files, profile); err != nil {
			return nil, err
		}
		s.mu.Lock()
		if len(s.accesses) >= maxAccesses {
			clear(s.accesses)
		}
		if known := s.accesses[key]; known != nil {
			a = known
		}
		s.accesses[key] = a
		s.mu.Unlock()
	}
	return a, s.ledger.checkEndpoint(a.endpoints)
}

// fingerprint is the same as long as nothing that an access is made of changed.
func fingerprint(env Environment, files sharedFiles, profile string) ([sha256.Size]byte, error) {
	env.Workspaces = nil
	text, err := json.Marshal(env)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading the session's environment: %w", err)
	}
	return sha256.Sum256([]byte(string(text) + "\n" + files.state + "\n" + profile)), nil
}

// newAccess reads a profile without the help of config.LoadDefaultConfig, which
// would mix in the variables of this process.
func (s *Scanner) newAccess(ctx context.Context, env Environment, files sharedFiles, profile string) (*access, error) {
	known, err := profiles(env, files)
	if err != nil {
		return nil, err
	}
	shared := config.SharedConfig{Profile: profile}
	fromSession := profile == environmentProfile && env.AccessKeyID != ""
	if !fromSession {
		found := false
		for _, p := range known {
			found = found || p.Name == profile
		}
		if !found {
			return nil, unknownProfile(profile, known)
		}
		shared, err = config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
			o.ConfigFiles, o.CredentialsFiles = paths(files.config), paths(files.credentials)
		})
		if err != nil {
			return nil, explained(ErrNoCredentials, codeProfile, "profile "+profile+" is incomplete: "+scrub(err.Error()),
				"compare it with the output of: aws configure list --profile "+profile, err)
		}
	}

	a := &access{profile: profile, region: "us-east-1"}
	for _, region := range []string{env.Region, shared.Region} {
		if region != "" {
			if err := checkRegion(region); err != nil {
				return nil, err
			}
			a.region = region
			break
		}
	}
	if a.endpoints, err = s.endpoints(env, shared); err != nil {
		return nil, err
	}
	client, err := httpClient(env, files, shared)
	if err != nil {
		return nil, err
	}
	a.config = aws.Config{
		Region:     a.region,
		HTTPClient: client,
		AppID:      application,
		Retryer:    func() aws.Retryer { return retryer(3) },
		// Only what the profile says about endpoints is left for the clients to look up.
		ConfigSources: []any{a.endpoints, fipsAndDualStack{shared}},
	}
	if a.endpoints.base != "" {
		a.config.BaseEndpoint = aws.String(a.endpoints.base)
	}

	var provider aws.CredentialsProvider
	if fromSession {
		a.source = "EnvConfigCredentials"
		provider = credentials.NewStaticCredentialsProvider(env.AccessKeyID, env.SecretAccessKey, env.SessionToken)
	} else if provider, a.source, err = chain(a.config, env, shared); err != nil {
		return nil, err
	}
	a.config.Credentials = aws.NewCredentialsCache(explainedProvider{provider, profile, ""}, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = time.Minute
	})
	return a, nil
}

// fipsAndDualStack passes on two settings of a profile and nothing else of it.
type fipsAndDualStack struct{ shared config.SharedConfig }

func (f fipsAndDualStack) GetUseFIPSEndpoint(ctx context.Context) (aws.FIPSEndpointState, bool, error) {
	return f.shared.UseFIPSEndpoint, f.shared.UseFIPSEndpoint != aws.FIPSEndpointStateUnset, nil
}

func (f fipsAndDualStack) GetUseDualStackEndpoint(ctx context.Context) (aws.DualStackEndpointState, bool, error) {
	return f.shared.UseDualStackEndpoint, f.shared.UseDualStackEndpoint != aws.DualStackEndpointStateUnset, nil
}

// paths is never nil: for nil the SDK would read its default files.
func paths(path string) []string {
	if path == "" {
		return []string{}
	}
	return []string{path}
}

// endpoints is the session's endpoint, else what the profile says, else AWS.
func (s *Scanner) endpoints(env Environment, shared config.SharedConfig) (endpoints, error) {
	var e endpoints
	if env.EndpointURL != "" {
		base, err := s.config.endpoint(env.EndpointURL)
		e.base = base
		return e, err
	}
	if aws.ToBool(shared.IgnoreConfiguredEndpoints) {
		return e, nil
	}
	if shared.BaseEndpoint != "" {
		base, err := s.config.endpoint(shared.BaseEndpoint)
		if err != nil {
			return e, err
		}
		e.base = base
	}
	e.service = map[string]string{}
	for name, settings := range shared.Services.ServiceValues {
		if raw := settings["endpoint_url"]; raw != "" {
			u, err := s.config.endpoint(raw)
			if err != nil {
				return e, err
			}
			e.service[name] = u
		}
	}
	return e, nil
}

// httpClient gives up early: a dead endpoint must not hold a scan.
func httpClient(env Environment, files sharedFiles, shared config.SharedConfig) (aws.HTTPClient, error) {
	bundle := files.bundle
	if bundle == "" && shared.CustomCABundle != "" {
		resolved, _, err := env.trusted(shared.CustomCABundle)
		if err != nil {
			return nil, explained(ErrNoCredentials, codeCredentials, "the CA bundle of the profile is refused: "+scrub(err.Error()), "correct ca_bundle", err)
		}
		bundle = resolved
	}
	var roots *x509.CertPool
	if bundle != "" {
		pem, err := readShared(bundle)
		if err != nil {
			return nil, err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, explained(ErrNoCredentials, codeCredentials, fmt.Sprintf("the CA bundle %s holds no certificate", bundle), "give a file in PEM form", nil)
		}
	}
	return awshttp.NewBuildableClient().
		WithReadTimeout(30 * time.Second).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = 5 * time.Second
			t.ResponseHeaderTimeout = 30 * time.Second
			t.MaxIdleConnsPerHost = 16
			if roots != nil {
				t.TLSClientConfig.RootCAs = roots
			}
		}), nil
}

// retryer is the SDK's standard one, less patient with servers that don't answer.
func retryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = 5 * time.Second
		silent := retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			var network net.Error
			if errors.As(err, &network) && network.Timeout() {
				return aws.FalseTernary
			}
			return aws.UnknownTernary
		})
		o.Retryables = append([]retry.IsErrorRetryable{silent}, o.Retryables...)
	})
}

// explainedProvider says in words why there are no credentials.
type explainedProvider struct {
	aws.CredentialsProvider
	profile, login string
}

func (p explainedProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.CredentialsProvider.Retrieve(ctx)
	return creds, credentialsFailure(p.profile, p.login, err)
}

// chain is the standard chain of a profile: keys, web identity, SSO, login,
// process, and a role on top of any. What depends on the machine or on the
// daemon's own environment is refused.
func chain(cfg aws.Config, env Environment, p config.SharedConfig) (aws.CredentialsProvider, string, error) {
	var provider aws.CredentialsProvider
	source := ""
	switch {
	case p.Source != nil:
		var err error
		if provider, source, err = chain(cfg, env, *p.Source); err != nil {
			return nil, "", err
		}
	case p.Credentials.HasKeys():
		provider, source = credentials.StaticCredentialsProvider{Value: p.Credentials}, "SharedConfigCredentials"
	case p.CredentialSource != "":
		return nil, "", explained(ErrNoCredentials, codeCredentials,
			"profile "+p.Profile+" takes its credentials from the machine (credential_source), which cloudops does not",
			"use a profile with source_profile, SSO or keys", nil)
	case p.WebIdentityTokenFile != "":
		token, _, err := env.trusted(p.WebIdentityTokenFile)
		if err != nil {
			return nil, "", explained(ErrNoCredentials, codeCredentials, "the web identity token of profile "+p.Profile+" can't be used", "check web_identity_token_file", err)
		}
		return stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), p.RoleARN, stscreds.IdentityTokenFile(token), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = sessionName(p)
		}), stscreds.WebIdentityProviderName, nil
	case p.SSOSession != nil || p.SSOStartURL != "":
		token := ssoToken(env, p)
		if err := env.trustedToken(token, p.Profile); err != nil {
			return nil, "", err
		}
		provider, source = explainedProvider{ssoProvider(cfg, p, token), p.Profile, "aws sso login"}, ssocreds.ProviderName
	case p.LoginSession != "":
		token, err := logincreds.StandardCachedTokenFilepath(p.LoginSession, filepath.Join(env.Home, ".aws", "login", "cache"))
		if err != nil {
			return nil, "", credentialsFailure(p.Profile, "aws login", err)
		}
		if err := env.trustedToken(token, p.Profile); err != nil {
			return nil, "", err
		}
		provider, source = explainedProvider{logincreds.New(signin.NewFromConfig(cfg), token), p.Profile, "aws login"}, "LoginProvider"
	case p.CredentialProcess != "":
		provider, source = processcreds.NewProvider(p.CredentialProcess), processcreds.ProviderName
	default:
		return nil, "", explained(ErrNoCredentials, codeCredentials, "profile "+p.Profile+" has no credentials",
			"run: aws configure --profile "+p.Profile, nil)
	}
	if p.RoleARN == "" {
		return provider, source, nil
	}
	if p.MFASerial != "" {
		return nil, "", explained(ErrNoCredentials, codeCredentials, "profile "+p.Profile+" needs MFA, which can't be asked for here",
			"use a profile without mfa_serial, such as one of SSO", nil)
	}
	cfg.Credentials = aws.NewCredentialsCache(provider)
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName(p)
		o.Duration = time.Hour
		if p.RoleDurationSeconds != nil {
			o.Duration = *p.RoleDurationSeconds
		}
		if p.ExternalID != "" {
			o.ExternalID = &p.ExternalID
		}
	}), stscreds.ProviderName, nil
}

// sessionName is fixed, so that the caller's ARN stays the same between runs.
func sessionName(p config.SharedConfig) string {
	if p.RoleSessionName != "" {
		return p.RoleSessionName
	}
	return application
}

// ssoToken is the file where `aws sso login` left a token, in the session's home.
func ssoToken(env Environment, p config.SharedConfig) string {
	key := p.SSOStartURL
	if p.SSOSession != nil {
		key = p.SSOSession.Name
	}
	sum := sha1.Sum([]byte(key)) //nolint:gosec // see the import
	return filepath.Join(env.Home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
}

// trustedToken refuses a cached login that others could have put there: it
// decides whose account is acted on. An absent one is no error here.
func (env Environment) trustedToken(path, profile string) error {
	_, _, err := env.trusted(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return explained(ErrNoCredentials, codeCredentials, "the login of profile "+profile+" can't be used: "+Explain(err).Message, Explain(err).Hint, err)
}

// ssoProvider reads the token that `aws sso login` left.
func ssoProvider(cfg aws.Config, p config.SharedConfig, token string) aws.CredentialsProvider {
	cfg.Credentials = nil
	if p.SSOSession == nil {
		cfg.Region = p.SSORegion
		return ssocreds.New(sso.NewFromConfig(cfg), p.SSOAccountID, p.SSORoleName, p.SSOStartURL, func(o *ssocreds.Options) {
			o.CachedTokenFilepath = token
		})
	}
	cfg.Region = p.SSOSession.SSORegion
	return ssocreds.New(sso.NewFromConfig(cfg), p.SSOAccountID, p.SSORoleName, p.SSOSession.SSOStartURL, func(o *ssocreds.Options) {
		o.CachedTokenFilepath = token
		o.SSOTokenProvider = ssocreds.NewSSOTokenProvider(ssooidc.NewFromConfig(cfg), token)
	})
}

// Identity is who the profile's credentials belong to; "" means the selected
// profile. The answer may be a few minutes old.
func (s *Scanner) Identity(ctx context.Context, env Environment, profile string) (Identity, error) {
	a, err := s.access(ctx, env, profile)
	if err != nil {
		return Identity{}, err
	}
	return s.identify(ctx, a, identityLasts)
}

// identify asks AWS who the caller is, unless that is known and younger than
// maxAge. The first answer binds the home to the endpoint.
func (s *Scanner) identify(ctx context.Context, a *access, maxAge time.Duration) (Identity, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked.IsZero() && time.Since(a.asked) < maxAge {
		return a.identity, nil
	}
	asking, cancel := context.WithTimeout(ctx, identityWait)
	defer cancel()
	cfg := a.config.Copy()
	cfg.Retryer = func() aws.Retryer { return retryer(2) }
	caller, err := services.Identify(asking, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return Identity{}, ctx.Err()
		}
		return Identity{}, a.explain(classify(err))
	}
	creds, err := a.config.Credentials.Retrieve(asking)
	if err != nil {
		return Identity{}, err
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
	if err := s.ledger.met(a, caller.AccountID); err != nil {
		return Identity{}, err
	}
	a.identity, a.asked = id, time.Now()
	return id, nil
}

// explain names the endpoint or profile that an error is about.
func (a *access) explain(err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	switch f.code {
	case codeUnreachable:
		where := a.endpoints.base
		if where == "" {
			where = "AWS"
		}
		named.message = where + ": " + f.message
	case codeCredentials:
		if !strings.Contains(f.message, "profile "+a.profile) {
			named.message = "profile " + a.profile + ": " + f.message
		}
	}
	return &named
}

// in is the configuration for a region.
func (a *access) in(region string) aws.Config {
	cfg := a.config.Copy()
	if region != "" {
		cfg.Region = region
	}
	return cfg
}
