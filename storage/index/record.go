package index

import (
	"time"

	"github.com/cloudops/cloudops/storage/kind"
)

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
	// Facts are those that the rules of its type ask for, see kind.Kind.Asked.
	Facts map[string]string `json:"facts,omitempty"`
	// Aliases are further identifiers: addresses, DNS names, immutable ids.
	Aliases []string `json:"aliases,omitempty"`
	// LastSynced is when AWS last confirmed the resource.
	LastSynced time.Time `json:"last_synced"`

	// Version counts the writes of the point; it is bound into its seal.
	Version uint64 `json:"-"`
	// Digest is a keyed digest of the stored content, to notice "unchanged".
	Digest uint64 `json:"-"`
}

// View is what rules ask for.
func (r Record) View() kind.View { return kind.View{State: r.State, Tags: r.Tags, Facts: r.Facts} }

// Filter narrows a search; an empty field does not. Case does not matter.
type Filter struct {
	Type      string            `json:"resource_type,omitempty"`
	AccountID string            `json:"account_id,omitempty"`
	Region    string            `json:"region,omitempty"`
	Service   string            `json:"service,omitempty"`
	State     string            `json:"state,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}
