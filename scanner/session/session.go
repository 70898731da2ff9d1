// Package session is who calls AWS and how: profiles and their credentials,
// endpoints, transport, whose the credentials are, and what an error of a call
// means.
//
// Its entry point is Manager.Client, the AWS side of one client of the daemon
// as a value. Client.Open makes a Session of it: one profile at work in a
// region, ready to call AWS.
//
// Invariants: the environment of this process is never consulted; files that
// others could have written, or that a workspace holds, are never read;
// credentials live in the SDK's cache only; no error shows a secret; one home
// talks to one endpoint.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrNoCredentials: the profile has none, or they expired.
	ErrNoCredentials = errors.New("no usable AWS credentials")
	// ErrUnknownProfile: no shared file has it.
	ErrUnknownProfile = errors.New("unknown AWS profile")
	// ErrSettings: a variable or an AWS file says something that can't be.
	ErrSettings = errors.New("the AWS settings can't be used")
	// ErrDenied: AWS refused the call.
	ErrDenied = errors.New("access denied by AWS")
	// ErrUnreachable: AWS, or its endpoint, did not answer.
	ErrUnreachable = errors.New("AWS unreachable")
	// ErrEndpoint: the endpoint is not allowed here.
	ErrEndpoint = errors.New("endpoint refused")
	// ErrOptions: a region or service that there is not was asked for.
	ErrOptions = errors.New("wrong option")
	// ErrGone: AWS says that the resource does not exist.
	ErrGone = services.ErrGone
)

// maxAccesses bounds the profiles kept ready, of all clients together.
const maxAccesses = 64

// Config is what the user allows about calling AWS.
type Config struct {
	// Endpoints allowed besides AWS and loopback.
	Endpoints []string `json:"endpoints,omitempty" yaml:"endpoints,omitempty"`
	// HTTPSProxy is the URL of the proxy for AWS, such as
	// http://proxy.example:3128; "" means none. Variables of the environment
	// choose none, and loopback is always called directly.
	HTTPSProxy string `json:"https_proxy,omitempty" yaml:"https_proxy,omitempty"`
}

// Validate refuses settings that can't work.
func (c Config) Validate() error {
	for _, e := range c.Endpoints {
		if _, err := parseEndpoint(e, "aws.endpoints"); err != nil {
			return fmt.Errorf("endpoints: %w", err)
		}
	}
	_, err := parseProxy(c.HTTPSProxy)
	return err
}

// Environment is the AWS side of the session that asks: what its AWS_*
// variables said. The daemon's own environment is never consulted.
type Environment struct {
	Profile string `json:"profile,omitempty"`
	Region  string `json:"region,omitempty"`
	// RegionVariable is the variable that Region comes from, for messages.
	RegionVariable string `json:"region_variable,omitempty"`
	EndpointURL    string `json:"endpoint_url,omitempty"`
	// ServiceEndpoints are the endpoints of single services, by the SDK's id
	// such as "sso_oidc".
	ServiceEndpoints map[string]string `json:"service_endpoints,omitempty"`
	// The switches are as the variables have them; "" leaves them to the profile.
	IgnoreEndpoints string `json:"ignore_endpoints,omitempty"`
	UseFIPS         string `json:"use_fips,omitempty"`
	UseDualStack    string `json:"use_dualstack,omitempty"`
	ConfigFile      string `json:"config_file,omitempty"`
	CredentialsFile string `json:"credentials_file,omitempty"`
	CABundle        string `json:"ca_bundle,omitempty"`
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
	SessionToken    string `json:"session_token,omitempty"`
	// SettingsProfile is the profile whose region and endpoints go with the
	// keys above; "" means default.
	SettingsProfile string `json:"settings_profile,omitempty"`
	// Ignored are the names of variables that are set and don't count here,
	// though other programs follow them, such as HTTPS_PROXY.
	Ignored []string `json:"ignored,omitempty"`
	// Home is the user's home directory, for the default files.
	Home string `json:"home,omitempty"`
	// Workspaces are the folders the session has open; AWS files inside them are refused.
	Workspaces []string `json:"workspaces,omitempty"`
}

// Profile is one entry of the shared AWS files.
type Profile struct {
	Name   string `json:"name"`
	Region string `json:"region,omitempty"`
	// Kind is how it gets credentials: keys, sso, role, process, web-identity, environment, none.
	Kind     string `json:"kind"`
	MFA      bool   `json:"mfa,omitempty"`
	Selected bool   `json:"selected"`
	// AccountID is known once the profile was used.
	AccountID string `json:"account_id,omitempty"`
}

// Identity is who AWS says the caller is (sts:GetCallerIdentity).
type Identity struct {
	Profile   string `json:"profile"`
	AccountID string `json:"account_id"`
	ARN       string `json:"arn"`
	Partition string `json:"partition"`
	// Source is the credential provider, such as SharedConfigCredentials.
	Source   string `json:"source"`
	Endpoint string `json:"endpoint,omitempty"`
	// Expires is zero for credentials that do not.
	Expires time.Time `json:"expires,omitzero"`
}

// Manager keeps the profiles of all clients ready; one serves a daemon. Safe
// for concurrent use.
type Manager struct {
	// Patience is how long AWS is waited for, before the first use.
	Patience Patience

	config   Config
	accounts *Accounts

	mu       sync.Mutex // guards what follows
	accesses map[accessKey]*access
}

// NewManager returns a manager that goes by what is known of the accounts and
// adds to it.
func NewManager(cfg Config, known *Accounts) *Manager {
	return &Manager{Patience: ordinaryPatience(), config: cfg, accounts: known, accesses: map[accessKey]*access{}}
}

// Client is the AWS side of one client of the daemon, such as an editor. What
// its files say is looked at each time, so that edited files count at once.
type Client struct {
	manager *Manager
	env     Environment
}

// Client is the AWS side that an environment describes. It reads nothing yet.
func (m *Manager) Client(env Environment) *Client { return &Client{m, env} }

// Check refuses AWS files that others could have written, files inside a
// workspace, and endpoints that are neither AWS, loopback nor allowed.
// It reads no profile and calls nobody.
func (c *Client) Check() error {
	if _, err := c.env.files(); err != nil {
		return err
	}
	if region, from := c.env.region(profile{}); region != "" {
		if err := checkRegion(region, from); err != nil {
			return err
		}
	}
	_, err := c.manager.config.endpoints(c.env, shared{}, profile{})
	return err
}

// Named are the profile and the region that the client chose; "" for none.
func (c *Client) Named() (profile, region string) { return c.env.Profile, c.env.Region }

// Same says whether two clients see AWS alike, whatever workspaces are open.
func (c *Client) Same(other *Client) bool {
	mine, err := keyOf(c.env, "")
	theirs, failed := keyOf(other.env, "")
	return err == nil && failed == nil && mine == theirs
}

// Open readies a profile for calls to a region; "" means the client's own
// profile, and that profile's region. It calls nobody.
func (c *Client) Open(profile, region string) (*Session, error) {
	if region != "" {
		if err := CheckRegion(region); err != nil {
			return nil, err
		}
	}
	a, err := c.manager.access(c.env, profile)
	if err != nil {
		return nil, err
	}
	return &Session{Profile: a.profile, Region: cmp.Or(region, a.region), manager: c.manager, access: a}, nil
}

// ForAccount opens the profile to use for an account, at that profile's region:
// the client's own if it is of that account, else the one that scanned it. A
// client that names a profile which does not exist has none.
func (c *Client) ForAccount(ctx context.Context, accountID string) (*Session, error) {
	var first error
	for i, profile := range c.profilesFor(accountID) {
		s, err := c.Open(profile, "")
		var id Identity
		if err == nil {
			id, err = s.Identity(ctx)
		}
		misnamed := i == 0 && c.env.Profile != "" && errors.Is(err, ErrUnknownProfile)
		switch {
		case err == nil && id.AccountID == accountID:
			return s, nil
		case misnamed, errors.Is(err, ErrEndpoint), errors.Is(err, ErrUnreachable), ctx.Err() != nil:
			return nil, err
		case err != nil && first == nil:
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, Explained(ErrNoCredentials, CodeCredentials, "no profile of this session belongs to the account "+accountID,
		"scan with a profile of that account: cloudops scan --profile NAME", nil)
}

// profilesFor are the profiles that may belong to an account, the client's own
// first, then those that did.
func (c *Client) profilesFor(accountID string) []string {
	own := c.env.selected()
	known, _ := c.manager.accounts.Get(accountID)
	return append([]string{own}, without(known.Profiles, own)...)
}

// Known is who the client last was in an account, from memory: false when no
// call of its profiles told yet. It calls nobody.
func (c *Client) Known(accountID string) (Identity, bool) {
	files, err := c.env.files()
	if err != nil {
		return Identity{}, false
	}
	for _, profile := range c.profilesFor(accountID) {
		key, err := keyOf(c.env, profile)
		if err != nil {
			continue
		}
		a := c.manager.ready(key, files)
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

// Session is one profile at work in a region, ready to call AWS.
type Session struct {
	Profile, Region string

	manager *Manager
	access  *access
}

// In is the same profile at work in another region.
func (s *Session) In(region string) *Session {
	there := *s
	there.Region = region
	return &there
}

// Config calls AWS there; it repeats what can succeed a moment later.
func (s *Session) Config() aws.Config {
	cfg := s.access.config.Copy()
	cfg.Region = s.Region
	return cfg
}

// Endpoint is where a service is reached, by the SDK's id; "" means AWS.
func (s *Session) Endpoint(service string) string { return s.access.endpoints.of(service) }

// Explain says what an error of a call means, and names the endpoint, profile
// or region that it is about. To a denial it adds the action to ask for.
func (s *Session) Explain(err error, action string) error {
	err = s.access.explain(s.Region, err)
	if f, ok := errors.AsType[*failure](err); ok && f.code == CodeDenied && f.hint == "" {
		named := *f
		named.hint = fmt.Sprintf("allow %s to profile %s", action, s.Profile)
		return &named
	}
	return err
}
