package scanner

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/cloudops/cloudops/storage/seal"
)

// The states of a shard.
const (
	stateComplete = "complete"
	stateDenied   = "denied"
	stateFailed   = "failed"
	stateNever    = "never"
)

// ledgerFormat is the version of the sealed content.
const ledgerFormat = 1

// globalRegion is the region of shards whose one list holds all regions.
const globalRegion = "global"

// ledger is what is known of every shard, of the accounts, and which endpoint
// the home is bound to. It lives in one sealed file.
//
// A shard becomes complete only after its resources are durable, so the file
// may be behind the store but never ahead of it.
type ledger struct {
	file *seal.File

	mu       sync.Mutex // guards what follows
	endpoint string
	accounts map[string]*account
	shards   map[Shard]ShardState
	dirty    bool
	saved    time.Time

	saving sync.Mutex // orders writes of the file
}

// account is what is known of an account.
type account struct {
	ID string `json:"account_id"`
	// Name is the profile that the account is called by.
	Name string `json:"name"`
	// Profiles are those that were seen to belong to it, the latest first.
	Profiles []string `json:"profiles"`
	// RegionsKnown: AWS told which regions the account has, and all are in the ledger.
	RegionsKnown bool `json:"regions_known"`
	// Asked are the regions that scans were to read, "*" for all that it has.
	Asked []string `json:"asked,omitempty"`
}

// ledgerContent is the ledger as it is stored.
type ledgerContent struct {
	Format   int          `json:"format"`
	Endpoint string       `json:"endpoint"`
	Accounts []*account   `json:"accounts"`
	Shards   []ShardState `json:"shards"`
}

func openLedger(file *seal.File) (*ledger, error) {
	l := &ledger{file: file, accounts: map[string]*account{}, shards: map[Shard]ShardState{}}
	file.Hold(func() error {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return l.save(0)
	})
	var c ledgerContent
	err := file.LoadOrSetAside(func(content []byte) error {
		if err := json.Unmarshal(content, &c); err != nil {
			return err
		}
		if c.Format != ledgerFormat {
			return fmt.Errorf("%w: it has format %d, this program knows %d; use the program that wrote it", seal.ErrNewer, c.Format, ledgerFormat)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the scan ledger: %w", err)
	}
	l.endpoint = c.Endpoint
	for _, a := range c.Accounts {
		if a != nil {
			l.accounts[a.ID] = a
		}
	}
	for _, s := range c.Shards {
		l.shards[s.Shard] = s
	}
	return l, nil
}

// save writes what changed. With every it writes at most that often.
func (l *ledger) save(every time.Duration) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	if !l.dirty || (every > 0 && time.Since(l.saved) < every) {
		l.mu.Unlock()
		return nil
	}
	c := ledgerContent{Format: ledgerFormat, Endpoint: l.endpoint, Shards: l.sorted()}
	for _, a := range l.accounts {
		c.Accounts = append(c.Accounts, a)
	}
	slices.SortFunc(c.Accounts, func(a, b *account) int { return cmp.Compare(a.ID, b.ID) })
	content, err := json.Marshal(c)
	l.dirty = false
	l.mu.Unlock()
	if err == nil {
		err = l.file.Save(content)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.dirty = true
		return fmt.Errorf("saving the scan ledger: %w", err)
	}
	l.saved = time.Now()
	return nil
}

// sorted lists the shards in a fixed order. l.mu is held.
func (l *ledger) sorted() []ShardState {
	list := make([]ShardState, 0, len(l.shards))
	for _, s := range l.shards {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b ShardState) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Type, b.Type))
	})
	return list
}

func (l *ledger) list() []ShardState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sorted()
}

func (l *ledger) shard(s Shard) ShardState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shards[s]
}

// expect makes shards known that were never listed.
func (l *ledger) expect(shards []Shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range shards {
		if _, ok := l.shards[s]; !ok {
			l.shards[s] = ShardState{Shard: s, State: stateNever}
			l.dirty = true
		}
	}
}

// regionsKnown records that the ledger has all regions of an account.
func (l *ledger) regionsKnown(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[id]; a != nil && !a.RegionsKnown {
		a.RegionsKnown, l.dirty = true, true
	}
}

// complete records that a shard was listed whole, beginning at a time. The
// shard's resources must be durable.
func (l *ledger) complete(s Shard, at time.Time, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shards[s].At.After(at) {
		return // a list that began later has ended before
	}
	l.shards[s] = ShardState{Shard: s, State: stateComplete, At: at, Count: count}
	l.dirty = true
}

// incomplete records why a list of a shard, begun at a time, could not be ended;
// when the shard was last listed stays known.
func (l *ledger) incomplete(s Shard, at time.Time, state, problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.shards[s]
	if known.At.After(at) {
		return // a list that began later was whole
	}
	known.Shard, known.State, known.Problem = s, state, problem
	l.shards[s] = known
	l.dirty = true
}

// forget makes a shard never listed.
func (l *ledger) forget(s Shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shards[s] = ShardState{Shard: s, State: stateNever}
	l.dirty = true
}

// checkEndpoint refuses an endpoint that the home is not bound to.
func (l *ledger) checkEndpoint(e endpoints) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.endpoint == "" || l.endpoint == e.String() {
		return nil
	}
	return explained(ErrEndpoint, codeEndpoint,
		fmt.Sprintf("this home holds an estate read from %s, and the session asks %s", spoken(l.endpoint), spoken(e.String())),
		"use another CLOUDOPS_HOME for it", nil)
}

func spoken(endpoint string) string {
	if endpoint == "aws" {
		return "AWS"
	}
	return endpoint
}

// met records that a profile belongs to an account, and binds the home to the
// endpoint that said so. What it records is durable when it returns.
func (l *ledger) met(a *access, id string) error {
	if err := l.checkEndpoint(a.endpoints); err != nil {
		return err
	}
	l.mu.Lock()
	if l.endpoint == "" {
		l.endpoint, l.dirty = a.endpoints.String(), true
	}
	known := l.accounts[id]
	if known == nil {
		known = &account{ID: id, Name: a.profile}
		l.accounts[id], l.dirty = known, true
	}
	// A profile with a name of its own names the account better.
	if plain(known.Name) && !plain(a.profile) {
		known.Name, l.dirty = a.profile, true
	}
	if len(known.Profiles) == 0 || known.Profiles[0] != a.profile {
		others := slices.DeleteFunc(slices.Clone(known.Profiles), func(p string) bool { return p == a.profile })
		known.Profiles, l.dirty = append([]string{a.profile}, others...), true
	}
	l.mu.Unlock()
	return l.save(0)
}

func plain(profile string) bool { return profile == "default" || profile == environmentProfile }

func (l *ledger) nameOf(id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[id]; a != nil {
		return a.Name
	}
	return ""
}

func (l *ledger) profilesOf(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.accounts[id]; a != nil {
		return slices.Clone(a.Profiles)
	}
	return nil
}

// accountOf is the account that a profile was last seen to belong to.
func (l *ledger) accountOf(profile string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.accounts {
		if slices.Contains(a.Profiles, profile) {
			return id
		}
	}
	return ""
}
