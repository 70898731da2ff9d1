// Package index is the daemon's memory of the estate: which identifier, name
// or tag belongs to which resource.
//
// Its entries are Index (the compact table, loaded from one sealed cache file)
// and Tokens / At (which parts of a text may name a resource). Documents and
// prompts use the same tokeniser, so what a hover finds, chat finds too.
//
// Invariants: a look-up touches neither network nor disk; a text is tokenised
// and its candidates looked up, it is never searched for every known name.
package index

import "time"

// Key says which resource is meant. ARN is empty where AWS defines none.
type Key struct {
	Type      string `json:"resource_type"`
	ID        string `json:"identifier"`
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
	ARN       string `json:"arn,omitempty"`
}

// Canonical is the text a point id is derived from: the ARN, else
// account|region|type|id.
func (k Key) Canonical() string {
	if k.ARN != "" {
		return k.ARN
	}
	return k.AccountID + "|" + k.Region + "|" + k.Type + "|" + k.ID
}

// Record is what memory knows of one resource: enough for a hover.
type Record struct {
	Key
	Service     string            `json:"service"`
	Name        string            `json:"name,omitempty"`
	AccountName string            `json:"account_name,omitempty"`
	State       string            `json:"state,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	// Summary is one line of facts, such as "db.t3.medium · postgres 14.7".
	Summary string `json:"summary,omitempty"`
	// Aliases are further identifiers: addresses, DNS names, immutable ids.
	Aliases []string `json:"aliases,omitempty"`
	// LastSynced is when AWS last confirmed the resource.
	LastSynced time.Time `json:"last_synced"`

	// Version counts the writes of the point; it is bound into its seal.
	Version uint64 `json:"-"`
	// Digest is a keyed digest of the stored content, to notice "unchanged".
	Digest uint64 `json:"-"`
}
