// Package scanner reads AWS: what each account holds, and how one resource is
// right now.
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
	"time"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
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
	Regions        []string `json:"regions,omitempty" yaml:"regions,omitempty"`
	session.Config `yaml:",inline"`
	// Concurrency bounds the AWS calls under way at once; 0 means 16.
	Concurrency int `json:"concurrency,omitempty" yaml:"concurrency,omitempty"`
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
	Unread    []string          `json:"unread_profiles,omitempty"`
	Shards    int               `json:"shards"`
	Problems  []session.Problem `json:"problems"`
	Cancelled bool              `json:"cancelled,omitempty"`
	// Duration in milliseconds.
	Duration int64 `json:"duration_ms"`
}

// Scanner reads AWS into the estate. Safe for concurrent use.
type Scanner struct {
	// Sessions open the AWS side of who asks.
	Sessions *session.Manager

	config Config
	estate *storage.Estate
	ledger *ledger
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
	s := &Scanner{Sessions: session.NewManager(cfg.Config, l.accounts), config: cfg, estate: estate, ledger: l}
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
	if of := services.Kinds().Of(k.Type); of != nil && of.Global {
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

// Validate refuses settings that can't work.
func (c Config) Validate() error {
	for _, p := range c.Profiles {
		if strings.TrimSpace(p) == "" {
			return errors.New("reading the scanner's settings: profiles holds an empty name")
		}
	}
	for _, r := range c.Regions {
		if err := session.CheckRegion(r); err != nil {
			return fmt.Errorf("reading the scanner's settings: regions: %w", err)
		}
	}
	if err := c.Config.Validate(); err != nil {
		return fmt.Errorf("reading the scanner's settings: %w", err)
	}
	if c.Concurrency < 0 || c.Concurrency > maxConcurrency {
		return fmt.Errorf("reading the scanner's settings: concurrency is %d; choose 1 to %d, or 0 for the default", c.Concurrency, maxConcurrency)
	}
	return nil
}
