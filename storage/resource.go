package storage

import (
	"time"

	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
)

// Key says which resource is meant.
type Key = index.Key

// Record is what the identifier index knows of a resource.
type Record = index.Record

// Resource is one AWS resource. Its JSON names are the wire format.
type Resource struct {
	Type          string            `json:"resource_type"`
	ID            string            `json:"identifier"`
	ARN           string            `json:"arn,omitempty"`
	Name          string            `json:"name,omitempty"`
	AccountID     string            `json:"account_id"`
	AccountName   string            `json:"account_name,omitempty"`
	Region        string            `json:"region"`
	Service       string            `json:"service"`
	State         string            `json:"state,omitempty"`
	Engine        string            `json:"engine,omitempty"`
	EngineVersion string            `json:"engine_version,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	// Constraints are facts that decide what may be done, such as can_stop.
	Constraints map[string]any `json:"constraints,omitempty"`
	// Metadata holds the allow-listed properties of the type, in snake case.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Summary is one line of facts for people.
	Summary string `json:"summary,omitempty"`
	// Aliases are further identifiers: addresses, DNS names, immutable ids.
	Aliases []string `json:"aliases,omitempty"`
	// ImmutableID never returns for another resource: the instance id, DbiResourceId.
	ImmutableID string     `json:"immutable_id,omitempty"`
	CreatedAt   *time.Time `json:"created_at,omitempty"`
	LastSynced  time.Time  `json:"last_synced"`
	// IAM is filled when a resource leaves the daemon; it is never stored.
	IAM *IAM `json:"iam,omitempty"`
}

// Key is the resource's identity.
func (r Resource) Key() Key {
	return Key{Type: r.Type, ID: r.ID, AccountID: r.AccountID, Region: r.Region, ARN: r.ARN}
}

// Facts are its properties as texts, by name; see kind.Facts.
func (r Resource) Facts() map[string]string {
	facts := kind.Facts(r.Metadata, r.Constraints)
	if r.Engine != "" {
		facts["engine"] = r.Engine
	}
	if r.EngineVersion != "" {
		facts["engine_version"] = r.EngineVersion
	}
	return facts
}

// View is what rules ask for.
func (r Resource) View() kind.View { return kind.View{State: r.State, Tags: r.Tags, Facts: r.Facts()} }

// IAM says what the caller may do to a resource. An action in none of the
// lists was not considered.
type IAM struct {
	AllowedActions []string    `json:"allowed_actions"`
	DeniedActions  []string    `json:"denied_actions"`
	UnknownActions []string    `json:"unknown_actions"`
	UserContext    UserContext `json:"user_context"`
}

// UserContext is who asks.
type UserContext struct {
	Username       string     `json:"username,omitempty"`
	RoleARN        string     `json:"role_arn,omitempty"`
	SessionExpires *time.Time `json:"session_expires,omitempty"`
}

// Filter narrows a listing; an empty field does not.
type Filter = index.Filter

// Role is who speaks in a conversation.
type Role string

// The roles of a message.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleSystem    Role = "system"
)

// Message is one turn of a conversation.
type Message struct {
	ID        string          `json:"id"`
	ContextID string          `json:"context_id"`
	Index     int64           `json:"message_index"`
	Role      Role            `json:"role"`
	Content   string          `json:"content"`
	Timestamp time.Time       `json:"timestamp"`
	Metadata  MessageMetadata `json:"metadata"`
}

// MessageMetadata is what a message refers to.
type MessageMetadata struct {
	// ResourcesMentioned are canonical keys (ARNs where there are any).
	ResourcesMentioned []string `json:"resources_mentioned,omitempty"`
	// CommandsExecuted are the command lines that ran.
	CommandsExecuted []string `json:"commands_executed,omitempty"`
	// Reply is the structured reply an assistant message stands for, as JSON.
	Reply []byte `json:"reply,omitempty"`
}

// Conversation sums up one conversation.
type Conversation struct {
	ID string `json:"id"`
	// Title is the beginning of the first prompt, or what a person called it.
	Title string `json:"title"`
	// Labels are in the order in which they were added.
	Labels []string `json:"labels,omitempty"`
	// Metadata is what UpdateContext was given.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Messages is how many there are, also those that cannot be read.
	Messages  int       `json:"messages"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at"`
	// Unreadable counts the messages that are damaged or gone, and Damage says in
	// words what is wrong; neither is stored.
	Unreadable int    `json:"unreadable,omitempty"`
	Damage     string `json:"damage,omitempty"`
}

// stored is what is kept of a conversation.
func (c Conversation) stored() Conversation {
	c.Unreadable, c.Damage = 0, ""
	return c
}
