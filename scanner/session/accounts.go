package session

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Account is an account as its profiles made it known.
type Account struct {
	ID string `json:"account_id"`
	// Name is the profile that the account is called by.
	Name string `json:"name"`
	// Profiles are those that were seen to belong to it, the latest first.
	Profiles []string `json:"profiles"`
}

// Accounts is what is known of the accounts, and the endpoint that the home is
// bound to.
type Accounts struct {
	save func() error

	mu       sync.Mutex // guards what follows
	endpoint string
	all      map[string]Account
	// latest are the accounts that profiles belonged to when AWS was last asked.
	latest  map[string]string
	unsaved bool
}

// NewAccounts takes what was known before. save makes durable what List says.
func NewAccounts(endpoint string, known []Account, save func() error) *Accounts {
	a := &Accounts{save: save, endpoint: endpoint, all: map[string]Account{}, latest: map[string]string{}}
	for _, one := range known {
		a.all[one.ID] = one
	}
	return a
}

// List is all accounts by their numbers, and the endpoint; "" for none yet.
func (a *Accounts) List() (endpoint string, known []Account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.all {
		known = append(known, one)
	}
	slices.SortFunc(known, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return a.endpoint, known
}

// Get is an account by its number; false for one that was never met.
func (a *Accounts) Get(id string) (Account, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, met := a.all[id]
	return one, met
}

// of is the account that a profile was last seen to belong to; of several from
// before, which keys that were replaced leave behind, always the same.
func (a *Accounts) of(profile string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if id := a.latest[profile]; id != "" {
		return id
	}
	for _, id := range slices.Sorted(maps.Keys(a.all)) {
		if slices.Contains(a.all[id].Profiles, profile) {
			return id
		}
	}
	return ""
}

// allows refuses endpoints that the home is not bound to.
func (a *Accounts) allows(e endpoints) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.endpoint == "" || a.endpoint == e.String() {
		return nil
	}
	return Explained(ErrEndpoint, CodeEndpoint,
		fmt.Sprintf("this home holds an estate read from %s, and the session asks %s", spoken(a.endpoint), spoken(e.String())),
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
func (a *Accounts) met(by *access, id string) error {
	if err := a.allows(by.endpoints); err != nil {
		return err
	}
	a.mu.Lock()
	if a.endpoint == "" {
		a.endpoint, a.unsaved = by.endpoints.String(), true
	}
	a.latest[by.profile] = id
	known, met := a.all[id]
	// A profile with a name of its own names the account better.
	if !met || plain(known.Name) && !plain(by.profile) {
		known.ID, known.Name = id, by.profile
	}
	if len(known.Profiles) == 0 || known.Profiles[0] != by.profile {
		known.Profiles = append([]string{by.profile}, without(known.Profiles, by.profile)...)
	}
	if before := a.all[id]; before.Name != known.Name || !slices.Equal(before.Profiles, known.Profiles) {
		a.all[id], a.unsaved = known, true
	}
	unsaved := a.unsaved
	a.unsaved = false
	a.mu.Unlock()
	if !unsaved {
		return nil
	}
	err := a.save()
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.unsaved = true
	}
	return err
}

func without(profiles []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(profiles), func(p string) bool { return p == one })
}

func plain(profile string) bool { return profile == defaultProfile || profile == environmentProfile }
