package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// sessionSource is the source of keys that the session brought.
	sessionSource = "EnvConfigCredentials"
	// application names cloudops in the user agent.
	application = "cloudops"
)

// access is one profile of one client, ready to call AWS. Its credentials
// live in the SDK's cache only.
type access struct {
	profile   string
	region    string
	source    string
	way       *way
	endpoints endpoints
	config    aws.Config
	// files are those that it was made of, as they were then.
	files []fileState
	// logins are the tokens that it reads while it is used.
	logins []string
	// proxies are the session's variables of proxies, which don't count.
	proxies []string

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
func (m *Manager) access(env Environment, profile string) (*access, error) {
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
	a := m.ready(key, files)
	if a == nil {
		if a, err = m.newAccess(env, files, profile); err != nil {
			m.mu.Lock()
			delete(m.accesses, key)
			m.mu.Unlock()
			return nil, err
		}
		m.mu.Lock()
		if known := m.accesses[key]; known != nil && known.current(files) {
			a = known
		} else {
			if known == nil && len(m.accesses) >= maxAccesses {
				clear(m.accesses)
			}
			m.accesses[key] = a
		}
		m.mu.Unlock()
	}
	for _, path := range a.logins {
		if err := env.trustedLogin(path, profile); err != nil {
			return nil, err
		}
	}
	return a, m.accounts.allows(a.endpoints)
}

// ready is an access that was made of the files as they are; nil if there is none.
func (m *Manager) ready(key accessKey, files sharedFiles) *access {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accesses[key]; a != nil && a.current(files) {
		return a
	}
	return nil
}

// current says whether an access is made of these files, unchanged. Behind them
// it has those that its profile names.
func (a *access) current(files sharedFiles) bool {
	now := slices.Clone(files.states)
	for _, f := range a.files[min(len(now), len(a.files)):] {
		now = append(now, stateOf(f.path))
	}
	return slices.Equal(a.files, now)
}

// newAccess reads a profile without the help of config.LoadDefaultConfig, which
// would mix in the variables of this process.
func (m *Manager) newAccess(env Environment, files sharedFiles, name string) (*access, error) {
	all, err := files.load()
	if err != nil {
		return nil, err
	}
	fromSession := name == environmentProfile && env.AccessKeyID != ""
	if fromSession && env.SecretAccessKey == "" {
		return nil, Explained(ErrNoCredentials, CodeCredentials, "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY",
			"set both, or unset AWS_ACCESS_KEY_ID to use the profiles", nil)
	}
	p, err := all.used(env, name)
	if err != nil {
		return nil, err
	}
	a := &access{profile: name, region: "us-east-1", files: files.states, asking: make(chan struct{}, 1)}
	if m.config.HTTPSProxy == "" {
		a.proxies = env.IgnoredProxies()
	}
	if region, from := env.region(p); region != "" {
		if err := checkRegion(region, from); err != nil {
			return nil, err
		}
		a.region = region
	}
	if a.endpoints, err = m.config.endpoints(env, all, p); err != nil {
		return nil, err
	}
	v := variants{env.variant(env.UseFIPS, p, "use_fips_endpoint"), env.variant(env.UseDualStack, p, "use_dualstack_endpoint")}
	if err := v.check(a.endpoints); err != nil {
		return nil, err
	}
	bundle := files.bundle.resolved
	if own := p.get("ca_bundle"); bundle == "" && own != "" {
		resolved, info, err := env.trusted(own)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, p.refuse("ca_bundle", "has a ca_bundle that does not exist", "correct ca_bundle, or remove the line")
		}
		if err != nil {
			return nil, Explained(ErrNoCredentials, CodeCredentials, "the CA bundle of profile "+p.name+" can't be used: "+Explain(err).Message, Explain(err).Hint, err)
		}
		bundle = resolved
		a.files = append(slices.Clip(a.files), stateOfInfo(resolved, info))
	}
	client, err := m.httpClient(bundle)
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
		ConfigSources: []any{a.endpoints, v},
	}
	if a.endpoints.base != "" {
		a.config.BaseEndpoint = aws.String(a.endpoints.base)
	}

	w := env.way()
	if !fromSession {
		if w, err = (&resolver{env: env, shared: all}).way(p, false); err != nil {
			return nil, err
		}
	}
	if err := a.checkPartition(w, p); err != nil {
		return nil, err
	}
	credentials, err := w.provider(env, a.config)
	if err != nil {
		return nil, err
	}
	a.way, a.source, a.logins = w, credentials.source, credentials.logins
	a.config.Credentials = aws.NewCredentialsCache(credentials, func(o *aws.CredentialsCacheOptions) {
		o.ExpiryWindow = time.Minute
	})
	return a, nil
}

// checkPartition refuses a role that the services of the region can't know: they
// would call the keys wrong.
func (a *access) checkPartition(w *way, p profile) error {
	for ; w != nil && a.endpoints.of("sts") == ""; w = w.source {
		of, err := arn.Parse(w.role.arn)
		if here := kind.Partition(a.region); err == nil && of.Partition != here {
			return Explained(ErrSettings, CodeProfile,
				fmt.Sprintf("the role of profile %s is of the partition %s, and the region %s is of %s", w.profile, of.Partition, a.region, here),
				"give profile "+p.name+" a region of "+of.Partition+", or correct role_arn", nil)
		}
	}
	return nil
}

// used is the profile of a name. For the keys of the session it has what goes
// with them, such as the region.
func (all shared) used(env Environment, name string) (profile, error) {
	asked := env.Profile != "" || name != env.selected()
	if name == environmentProfile && env.AccessKeyID != "" {
		name, asked = env.beside(), env.SettingsProfile != ""
		if !asked {
			return all.profiles[name], nil
		}
	}
	p, known := all.profiles[name]
	if !known {
		return p, unknownProfile(env, name, asked, all.list(env))
	}
	return p, nil
}

// variants are the two other kinds of endpoints that AWS has.
type variants struct{ fips, dualStack bool }

func (v variants) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, v.fips, nil
}

func (v variants) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, v.dualStack, nil
}

// check refuses a variant of an endpoint that is named: only AWS's own have any.
func (v variants) check(e endpoints) error {
	for name, on := range map[string]bool{"use_fips_endpoint": v.fips, "use_dualstack_endpoint": v.dualStack} {
		if on && e.shown() != "" {
			return Explained(ErrSettings, CodeProfile, name+" can't be had of the endpoint "+e.shown()+", only of AWS's own",
				"switch "+name+" off in the profile, or AWS_"+strings.ToUpper(name)+", or take the endpoint away", nil)
		}
	}
	return nil
}

// variant is a switch that a variable turns, else the profile.
func (env Environment) variant(variable string, p profile, name string) bool {
	if variable == "" {
		variable = p.word(name)
	}
	return isTrue(variable)
}

// isTrue reads a switch as the AWS CLI does.
func isTrue(s string) bool { return strings.EqualFold(s, "true") }

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
	case f.because == keysUnknown && kind.Partition(region) != "aws":
		named.message += " in " + region + ", which is of the partition " + kind.Partition(region)
		named.hint = "check the keys of the profile, and that they are of an account of that partition; else set another region"
	case f.because == keysUnknown:
		named.hint += "; and that the region " + region + " is enabled in the account"
	}
	switch named.code {
	case CodeUnreachable:
		where := a.where(err)
		named.message = where + ": " + named.message
		if proxies := a.bypassed(where); proxies != "" && NoAnswer(err) {
			named.hint += "; " + proxies + " is set and does not count here: name the proxy as aws.https_proxy in config.yaml"
		}
	case CodeCredentials:
		return a.way.own(&named)
	}
	return &named
}

// where is what an error says that it did not reach.
func (a *access) where(err error) string {
	there := a.endpoints.base
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		there = a.endpoints.of(serviceID(operation.ServiceID))
	}
	if there != "" {
		return there
	}
	var request *url.Error
	if errors.As(err, &request) {
		if u, err := url.Parse(request.URL); err == nil && u.Host != "" {
			return "AWS (" + u.Host + ")"
		}
	}
	return "AWS"
}

// bypassed names the variables of proxies that other programs would go by to
// the same place.
func (a *access) bypassed(where string) string {
	if u, err := url.Parse(where); err == nil && loopback(u.Hostname()) {
		return ""
	}
	return strings.Join(a.proxies, ", ")
}
