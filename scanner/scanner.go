// Package scanner reads AWS: which profiles there are, what each account
// holds, and how one resource is right now.
//
// Its entry points are Scanner.Scan, which fills the estate, and
// Scanner.Describe, the only live read of one resource.
//
// Invariants: a scan returns resources and problems, one denied service or
// dead region never hides the rest; a resource is deleted only inside a shard
// listed whole; only allow-listed properties of a resource are kept.
package scanner

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
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

const (
	// ledgerFile is where the ledger is kept, relative to the home.
	ledgerFile = "data/ledger"
	// maxConcurrency keeps a mistyped setting from flooding AWS.
	maxConcurrency = 256
)

// Config is what the user allows scans to do.
type Config struct {
	// Profiles to scan when none is named; "*" means all.
	Profiles []string `json:"profiles,omitempty" yaml:"profiles,omitempty"`
	// Regions to scan when none is named; empty means all that are enabled.
	Regions []string `json:"regions,omitempty" yaml:"regions,omitempty"`
	// Endpoints allowed besides AWS and loopback.
	Endpoints []string `json:"endpoints,omitempty" yaml:"endpoints,omitempty"`
	// HTTPSProxy is the URL of the proxy for AWS, such as
	// http://proxy.example:3128; "" means none. Variables of the environment
	// choose none, and loopback is always called directly.
	HTTPSProxy string `json:"https_proxy,omitempty" yaml:"https_proxy,omitempty"`
	// Concurrency bounds the AWS calls under way at once; 0 means 16.
	Concurrency int `json:"concurrency,omitempty" yaml:"concurrency,omitempty"`
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

// Options narrow one scan.
type Options struct {
	Profiles []string `json:"profiles,omitempty"`
	Regions  []string `json:"regions,omitempty"`
	Services []string `json:"services,omitempty"`
}

// Shard is the unit a scan completes or not.
type Shard struct {
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
	Type      string `json:"resource_type"`
}

// ShardState is what the ledger knows of a shard.
type ShardState struct {
	Shard
	// State is complete, denied, failed, never or doubtful.
	State string `json:"state"`
	// At is when the shard was last listed whole; zero for never.
	At      time.Time `json:"at,omitzero"`
	Count   int       `json:"count"`
	Problem string    `json:"problem,omitempty"`
}

// Problem is a part of a scan that did not work.
type Problem struct {
	Profile   string `json:"profile,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Region    string `json:"region,omitempty"`
	Service   string `json:"service,omitempty"`
	// Code is denied, credentials, unreachable, throttled, endpoint, profile or failed.
	Code    string `json:"code"`
	Message string `json:"message"`
	// Hint says what the user can do.
	Hint string `json:"hint,omitempty"`

	// about says what is missing for it, where that is not a list; a result has
	// it in Message.
	about string
}

// String says in a line what did not work, where, and what to do.
func (p Problem) String() string {
	var where []string
	for _, s := range [...]string{p.Profile, p.AccountID, p.Region, p.Service} {
		if s != "" && s != globalRegion {
			where = append(where, s)
		}
	}
	s := p.Message
	if len(where) > 0 {
		s = strings.Join(where, " ") + ": " + s
	}
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}

// Progress is how far a scan is. Total grows while accounts are discovered.
type Progress struct {
	Done      int `json:"done"`
	Total     int `json:"total"`
	Resources int `json:"resources"`
	// Message says what is being read, such as "rds in us-west-2".
	Message string `json:"message"`
}

// Result is what a scan found. Problems stand beside resources.
type Result struct {
	Resources int      `json:"resources"`
	Changed   int      `json:"changed"`
	Removed   int      `json:"removed"`
	Accounts  []string `json:"accounts"`
	// Profiles are those that the accounts were read with, in the order of the
	// accounts' discovery.
	Profiles []string `json:"profiles"`
	// Unread are profiles with credentials that no scan has read, where nobody
	// chose which to read.
	Unread    []string  `json:"unread_profiles,omitempty"`
	Shards    int       `json:"shards"`
	Problems  []Problem `json:"problems"`
	Cancelled bool      `json:"cancelled,omitempty"`
	// Duration in milliseconds.
	Duration int64 `json:"duration_ms"`
}

// Scanner reads AWS into the estate. Safe for concurrent use.
type Scanner struct {
	config Config
	estate *storage.Estate
	ledger *ledger
	wait   patience

	mu       sync.Mutex // guards what follows
	accesses map[accessKey]*access
}

// New returns a scanner over an open store. keys must be the store's.
func New(cfg Config, estate *storage.Estate, keys *seal.Keys) (*Scanner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l, err := openLedger(keys.File(ledgerFile))
	if err != nil {
		return nil, err
	}
	s := &Scanner{config: cfg, estate: estate, ledger: l, wait: ordinaryPatience(), accesses: map[accessKey]*access{}}
	// A store that was emptied or replaced is not covered by an older ledger.
	for _, shard := range l.list() {
		if shard.Count > 0 {
			if _, stored := estate.Search("", filterOf(shard.Shard), 1); stored == 0 {
				l.forget(shard.Shard)
			}
		}
	}
	return s, nil
}

// Check refuses AWS files that others could have written, files inside a
// workspace, and endpoints that are neither AWS, loopback nor allowed.
// It reads no profile and calls nobody.
func (s *Scanner) Check(env Environment) error {
	if _, err := env.files(); err != nil {
		return err
	}
	if region, from := env.region(profile{}); region != "" {
		if err := checkRegion(region, from); err != nil {
			return err
		}
	}
	_, err := s.endpoints(env, shared{}, profile{})
	return err
}

// Ledger lists what is known of every shard ever asked for, and of those that
// were not though their account has them. Global types have the region "global".
// One that was listed whole is doubtful where the store has lost some of it.
func (s *Scanner) Ledger() []ShardState {
	list, doubtful := s.ledger.list(), s.estate.Doubtful()
	for i, sh := range list {
		if sh.State == stateComplete && isDoubtful(sh.Shard, doubtful) {
			list[i].State, list[i].Problem = stateDoubtful, "not all that was stored is there any more; scan again"
		}
	}
	return list
}

// Age is when the record was last known to be true: the later of its own time
// and that of its shard.
func (s *Scanner) Age(r storage.Record) time.Time {
	if at := s.ledger.shard(shardOf(r.Key)).At; at.After(r.LastSynced) {
		return at
	}
	return r.LastSynced
}

// shardOf is the shard that lists a resource.
func shardOf(k storage.Key) Shard {
	shard := Shard{AccountID: k.AccountID, Region: k.Region, Type: k.Type}
	if c, ok := services.CollectorOf(k.Type); ok && c.Global {
		shard.Region = globalRegion
	}
	return shard
}

// filterOf finds the resources of a shard.
func filterOf(s Shard) storage.Filter {
	f := storage.Filter{AccountID: s.AccountID, Region: s.Region, Type: s.Type}
	if s.Region == globalRegion {
		f.Region = ""
	}
	return f
}

// checkRegion refuses what can't be a region: names become parts of host names.
// from says where the name stands; "" means that it was asked for.
func checkRegion(name, from string) error {
	if kind.RegionShaped(name) {
		return nil
	}
	// It may be a key that was put there by mistake.
	shown := scrub(fmt.Sprintf("%q", name))
	hint := "write it like us-west-2"
	switch plain := strings.ToLower(trimSpace(name)); {
	case !kind.RegionShaped(plain):
	case strings.HasSuffix(name, "\r"):
		hint = "take the carriage return off its end, which a file with the line ends of Windows brings"
	case plain != strings.ToLower(name):
		hint = "take the blanks around it away"
	default:
		hint = "write it in small letters: " + plain
	}
	if from == "" {
		return explained(ErrOptions, codeFailed, shown+" is not the name of a region", hint, nil)
	}
	return explained(ErrSettings, codeProfile, from+" is "+shown+", which is not the name of a region", hint, nil)
}

// Validate refuses settings that can't work.
func (c Config) Validate() error {
	for _, p := range c.Profiles {
		if strings.TrimSpace(p) == "" {
			return errors.New("reading the scanner's settings: profiles holds an empty name")
		}
	}
	for _, r := range c.Regions {
		if err := checkRegion(r, ""); err != nil {
			return fmt.Errorf("reading the scanner's settings: regions: %w", err)
		}
	}
	for _, e := range c.Endpoints {
		if _, err := parseEndpoint(e, "aws.endpoints"); err != nil {
			return fmt.Errorf("reading the scanner's settings: endpoints: %w", err)
		}
	}
	if _, err := parseProxy(c.HTTPSProxy); err != nil {
		return fmt.Errorf("reading the scanner's settings: %w", err)
	}
	if c.Concurrency < 0 || c.Concurrency > maxConcurrency {
		return fmt.Errorf("reading the scanner's settings: concurrency is %d; choose 1 to %d, or 0 for the default", c.Concurrency, maxConcurrency)
	}
	return nil
}
