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
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrNoCredentials: the profile has none, or they expired.
	ErrNoCredentials = errors.New("no usable AWS credentials")
	// ErrUnknownProfile: no shared file has it.
	ErrUnknownProfile = errors.New("unknown AWS profile")
	// ErrDenied: AWS refused the call.
	ErrDenied = errors.New("access denied by AWS")
	// ErrUnreachable: AWS, or its endpoint, did not answer.
	ErrUnreachable = errors.New("AWS unreachable")
	// ErrEndpoint: the endpoint is not allowed here.
	ErrEndpoint = errors.New("endpoint refused")
	// ErrGone: AWS says that the resource does not exist.
	ErrGone = errors.New("resource does not exist in AWS")
)

// Config is what the user allows scans to do.
type Config struct {
	// Profiles to scan when none is named; "*" means all.
	Profiles []string `json:"profiles,omitempty" yaml:"profiles,omitempty"`
	// Regions to scan when none is named; empty means all that are enabled.
	Regions []string `json:"regions,omitempty" yaml:"regions,omitempty"`
	// Endpoints allowed besides AWS and loopback.
	Endpoints []string `json:"endpoints,omitempty" yaml:"endpoints,omitempty"`
	// Concurrency bounds the AWS calls under way at once; 0 means 16.
	Concurrency int `json:"concurrency,omitempty" yaml:"concurrency,omitempty"`
}

// Environment is the AWS side of the session that asks: what its AWS_*
// variables said. The daemon's own environment is never consulted.
type Environment struct {
	Profile         string `json:"profile,omitempty"`
	Region          string `json:"region,omitempty"`
	EndpointURL     string `json:"endpoint_url,omitempty"`
	ConfigFile      string `json:"config_file,omitempty"`
	CredentialsFile string `json:"credentials_file,omitempty"`
	CABundle        string `json:"ca_bundle,omitempty"`
	AccessKeyID     string `json:"access_key_id,omitempty"`
	SecretAccessKey string `json:"secret_access_key,omitempty"`
	SessionToken    string `json:"session_token,omitempty"`
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
	// State is complete, denied, failed or never.
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
	Resources int       `json:"resources"`
	Changed   int       `json:"changed"`
	Removed   int       `json:"removed"`
	Accounts  []string  `json:"accounts"`
	Shards    int       `json:"shards"`
	Problems  []Problem `json:"problems"`
	Cancelled bool      `json:"cancelled,omitempty"`
	// Duration in milliseconds.
	Duration int64 `json:"duration_ms"`
}

// Scanner reads AWS into the estate. Safe for concurrent use.
type Scanner struct{}

// New returns a scanner over an open store.
func New(cfg Config, estate *storage.Estate, keys *seal.Keys) (*Scanner, error) {
	return nil, errors.ErrUnsupported
}

// Check refuses AWS files that others could have written, files inside a
// workspace, and endpoints that are neither AWS, loopback nor allowed.
func (s *Scanner) Check(env Environment) error { return errors.ErrUnsupported }

// Profiles lists the profiles of the session's shared files.
func (s *Scanner) Profiles(env Environment) ([]Profile, error) { return nil, errors.ErrUnsupported }

// Scan lists the chosen profiles' resources into the estate. The error is for
// what stops everything; what stops a part is a Problem.
func (s *Scanner) Scan(ctx context.Context, env Environment, o Options, report func(Progress)) (Result, error) {
	return Result{}, errors.ErrUnsupported
}

// Describe reads one resource from AWS now, without storing it.
// ErrGone: AWS says there is none.
func (s *Scanner) Describe(ctx context.Context, env Environment, k storage.Key) (storage.Resource, error) {
	return storage.Resource{}, errors.ErrUnsupported
}

// Refresh describes a resource and brings the estate up to date with it.
func (s *Scanner) Refresh(ctx context.Context, env Environment, k storage.Key) (storage.Resource, error) {
	return storage.Resource{}, errors.ErrUnsupported
}

// ProfileFor is the profile to use for an account: the session's if it is of
// that account, else the one that scanned it.
func (s *Scanner) ProfileFor(ctx context.Context, env Environment, accountID string) (string, error) {
	return "", errors.ErrUnsupported
}

// AWS is a checked client configuration for a profile and region, and whose it
// is. It retries nothing: its users run commands.
func (s *Scanner) AWS(ctx context.Context, env Environment, profile, region string) (aws.Config, Identity, error) {
	return aws.Config{}, Identity{}, errors.ErrUnsupported
}

// Ledger lists what is known of every shard ever asked for.
func (s *Scanner) Ledger() []ShardState { return nil }

// Age is when the record was last known to be true: the later of its own time
// and that of its shard.
func (s *Scanner) Age(r storage.Record) time.Time { return r.LastSynced }
