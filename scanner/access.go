package scanner

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/middleware"

	services "github.com/cloudops/cloudops/scanner/aws"
)

const (
	// application names cloudops in the user agent.
	application = "cloudops"
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
	// ignoresProxy: the session names a proxy in a variable that isn't followed.
	ignoresProxy bool
	// files are those that it was made of, as they were then.
	files []fileState
	// logins are the tokens that it reads while it is used.
	logins []string

	// asking lets one caller at a time ask who the credentials belong to.
	asking chan struct{}

	mu       sync.Mutex // guards what follows
	identity Identity
	asked    time.Time
}

// accessKey names an access without holding the session's secrets.
type accessKey [sha256.Size]byte

func keyOf(env Environment, profile string) (accessKey, error) {
	// Workspaces only matter to the check of the files.
	env.Workspaces = nil
	text, err := json.Marshal(struct {
		Environment
		UsedProfile string
	}{env, profile})
	if err != nil {
		return accessKey{}, fmt.Errorf("reading the session's environment: %w", err)
	}
	return sha256.Sum256(text), nil
}

// access checks a session's AWS side and readies a profile of it; "" means the
// selected one. What it is made of is looked at each time, so that edited files
// count at once. It calls nobody.
func (s *Scanner) access(ctx context.Context, env Environment, profile string) (*access, error) {
	if profile == "" {
		profile = env.selected()
	}
	files, err := env.files()
	if err != nil {
		return nil, err
	}
	key, err := keyOf(env, profile)
	if err != nil {
		return nil, err
	}
	a := s.ready(key, files)
	if a == nil {
		if a, err = s.newAccess(ctx, env, files, profile); err != nil {
			s.mu.Lock()
			delete(s.accesses, key)
			s.mu.Unlock()
			return nil, err
		}
		s.mu.Lock()
		if known := s.accesses[key]; known != nil && known.current(files) {
			a = known
		} else {
			if known == nil && len(s.accesses) >= maxAccesses {
				clear(s.accesses)
			}
			s.accesses[key] = a
		}
		s.mu.Unlock()
	}
	for _, path := range a.logins {
		if err := env.trustedLogin(path, profile); err != nil {
			return nil, err
		}
	}
	return a, s.ledger.checkEndpoint(a.endpoints)
}

// ready is an access that was made of the files as they are; nil if there is none.
func (s *Scanner) ready(key accessKey, files sharedFiles) *access {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accesses[key]; a != nil && a.current(files) {
		return a
	}
	return nil
}

// current says whether an access is made of these files, unchanged.
func (a *access) current(files sharedFiles) bool {
	if len(a.files) < len(files.states) {
		return false
	}
	for i, f := range a.files {
		if i < len(files.states) {
			if f != files.states[i] {
				return false
			}
		} else if f != stateOf(f.path) {
			return false
		}
	}
	return true
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

	a := &access{profile: profile, region: "us-east-1", files: files.states, asking: make(chan struct{}, 1)}
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
	bundle := files.bundle
	if bundle == "" && shared.CustomCABundle != "" {
		resolved, info, err := env.trusted(shared.CustomCABundle)
		if err != nil {
			return nil, explained(ErrNoCredentials, codeCredentials, "the CA bundle of profile "+profile+" is refused: "+scrub(err.Error()), "correct ca_bundle", err)
		}
		bundle = resolved
		a.files = append(a.files, stateOfInfo(resolved, info))
	}
	a.ignoresProxy = env.ProxyVariable && s.config.HTTPSProxy == ""
	client, err := s.httpClient(bundle)
	if err != nil {
		return nil, err
	}
	a.config = aws.Config{
		Region:     a.region,
		HTTPClient: client,
		APIOptions: []func(*middleware.Stack) error{services.Genuine},
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
	} else if provider, a.source, err = a.chain(a.config, env, shared); err != nil {
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

// explain says what an error of a call to a region means, and names the
// endpoint, profile or region that it is about.
func (a *access) explain(region string, err error) error {
	f, ok := errors.AsType[*failure](classify(err))
	if !ok {
		return err
	}
	named := *f
	_, asked := a.known()
	switch {
	case f.because == keysUnknown && region != a.region && !asked.IsZero():
		// The keys are good where they were asked about. EC2 calls this AuthFailure.
		named.because, named.kind, named.code = regionDisabled, regionDisabled.kind, regionDisabled.code
		named.message = "the region refuses the keys that AWS accepts in " + a.region + "; it may not be enabled in the account"
		named.hint = regionDisabled.hint
	case f.because == keysUnknown:
		named.hint += "; and that the region " + region + " is enabled in the account"
	}
	switch named.code {
	case codeUnreachable:
		where := a.endpoints.base
		if where == "" {
			where = "AWS"
			if a.ignoresProxy && connection(err) {
				named.hint += "; HTTPS_PROXY is set, which cloudops does not follow: name the proxy as aws.https_proxy in config.yaml"
			}
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
