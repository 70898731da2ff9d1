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

	"github.com/cloudops/cloudops/scanner/session"
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

	accounts *session.Accounts

	mu      sync.Mutex          // guards what follows
	covered map[string]coverage // by account
	shards  map[Shard]ShardState
	dirty   bool
	saved   time.Time

	saving sync.Mutex // orders writes of the file
}

// coverage is how much of an account scans were to read.
type coverage struct {
	// RegionsKnown: AWS told which regions the account has, and all are in the ledger.
	RegionsKnown bool `json:"regions_known"`
	// Asked are the regions that scans were to read, "*" for all that it has.
	Asked []string `json:"asked,omitempty"`
}

// account is all that is stored of an account.
type account struct {
	session.Account
	coverage
}

// ledgerContent is the ledger as it is stored.
type ledgerContent struct {
	Format   int          `json:"format"`
	Endpoint string       `json:"endpoint"`
	Accounts []account    `json:"accounts"`
	Shards   []ShardState `json:"shards"`
}

func openLedger(file *seal.File) (*ledger, error) {
	l := &ledger{file: file, covered: map[string]coverage{}, shards: map[Shard]ShardState{}}
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
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the scan ledger: %w", err)
	}
	var known []session.Account
	for _, a := range c.Accounts {
		if a.ID != "" {
			known, l.covered[a.ID] = append(known, a.Account), a.coverage
		}
	}
	l.accounts = session.NewAccounts(c.Endpoint, known, l.saveAll)
	file.Hold(l.saveAll)
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
	endpoint, known := l.accounts.List()
	c := ledgerContent{Format: ledgerFormat, Endpoint: endpoint, Shards: l.sorted()}
	for _, a := range known {
		c.Accounts = append(c.Accounts, account{a, l.covered[a.ID]})
	}
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

// saveAll writes the file whether or not a shard changed.
func (l *ledger) saveAll() error {
	l.mu.Lock()
	l.dirty = true
	l.mu.Unlock()
	return l.save(0)
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
	if c := l.covered[id]; !c.RegionsKnown {
		c.RegionsKnown, l.dirty = true, true
		l.covered[id] = c
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
