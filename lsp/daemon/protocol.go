// Package daemon serves cloudops/* requests over a private socket, and is the
// client of the same: dial, start on demand, shake hands, subscribe.
//
// Its entries are Serve (one process per home), Dial (a connection that starts
// a daemon when there is none, hands over to a newer build and reconnects) and
// the parameter and result types in this file, which are the whole protocol.
//
// Invariants: the socket's folder is the user's own and 0700, both ends check
// the peer's user id; a request never carries a path to write or a URL to
// fetch; a plan is decided only by the answer to a prompt that the daemon
// opened on an interactive connection.
package daemon

import (
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// ProtocolVersion is compared in the handshake.
const ProtocolVersion = 1

// The requests that clients send.
const (
	MethodHello                = "cloudops/hello"
	MethodWorkspaces           = "cloudops/workspaces"
	MethodProfileList          = "cloudops/profile/list"
	MethodProfileSelect        = "cloudops/profile/select"
	MethodProfileIdentity      = "cloudops/profile/identity"
	MethodEstateScan           = "cloudops/estate/scan"
	MethodEstateStatus         = "cloudops/estate/status"
	MethodEstateSearch         = "cloudops/estate/search"
	MethodEstateGet            = "cloudops/estate/get"
	MethodEstateResolve        = "cloudops/estate/resolve"
	MethodConversationCreate   = "cloudops/conversation/create"
	MethodConversationList     = "cloudops/conversation/list"
	MethodConversationMessages = "cloudops/conversation/messages"
	MethodConversationSend     = "cloudops/conversation/send"
	MethodConversationRename   = "cloudops/conversation/rename"
	MethodConversationLabel    = "cloudops/conversation/label"
	MethodConversationSearch   = "cloudops/conversation/search"
	MethodConversationExport   = "cloudops/conversation/export"
	MethodConversationDelete   = "cloudops/conversation/delete"
	MethodExecutionPropose     = "cloudops/execution/propose"
	MethodExecutionDecide      = "cloudops/execution/decide"
	MethodExecutionPending     = "cloudops/execution/pending"
	MethodExecutionList        = "cloudops/execution/list"
	MethodAudit                = "cloudops/execution/audit"
	MethodAuditVerify          = "cloudops/execution/verify"
	MethodStoreMigrate         = "cloudops/store/migrate"
	MethodKeyStatus            = "cloudops/key/status"
	MethodKeyRotate            = "cloudops/key/rotate"
	MethodKeyExport            = "cloudops/key/export"
	MethodKeyExported          = "cloudops/key/exported"
)

// MethodPrompt is what the daemon asks of a client: it puts a plan before the
// person at this connection. MethodConfirm is the other, for terminals.
const MethodPrompt = "cloudops/prompt"

// The notifications that the daemon sends.
const (
	NoteEstateChanged    = "cloudops/estate/changed"
	NoteExecutionChanged = "cloudops/execution/changed"
	NoteExecutionOutput  = "cloudops/execution/output"
	NoteProgress         = "cloudops/progress"
	NoteText             = "cloudops/conversation/text"
)

// NoteCancel takes back a request by its id, as in LSP.
const NoteCancel = "$/cancelRequest"

// Error codes beyond those of JSON-RPC; data is an ErrorData.
const (
	CodeRefused     = -32010
	CodeNotFound    = -32011
	CodeDenied      = -32012
	CodeUnavailable = -32013
	CodeDegraded    = -32014
	CodeRejected    = -32015
	CodeHandover    = -32016
	// CodeFull: too many sessions are open, and all of them are at work.
	CodeFull = -32017
	// CodeUndecided: nobody decided, and the plan goes on waiting.
	CodeUndecided = -32018
	// CodeLate: AWS has, or had, the command that was to be stopped.
	CodeLate = -32019
)

// Build identifies a binary.
type Build struct {
	Version string `json:"version"`
	// ID is a hash of the executable.
	ID string `json:"id"`
	// Time is when the executable was written; the later one serves.
	Time time.Time `json:"time"`
}

// HelloParams opens a session.
type HelloParams struct {
	Protocol int   `json:"protocol"`
	Build    Build `json:"build"`
	// Kind is editor or terminal.
	Kind string `json:"kind"`
	// Interactive: a person can be asked here.
	Interactive bool `json:"interactive"`
	// Cards: the editor shows whole cards, and has a dialog of its own for what
	// is high or critical.
	Cards       bool                `json:"cards,omitempty"`
	Environment scanner.Environment `json:"environment"`
}

// HelloResult is the daemon's side of the handshake.
type HelloResult struct {
	Protocol int    `json:"protocol"`
	Build    Build  `json:"build"`
	StoreID  string `json:"store_id,omitempty"`
	Session  string `json:"session"`
	PID      int    `json:"pid"`
	// Problems say why the daemon is degraded, and the mend; none when well.
	Problems []string `json:"problems,omitempty"`
	// Notices are worth telling once, such as where a new key was put.
	Notices []string `json:"notices,omitempty"`
}

// MaxWorkspaces bounds the folders that one session has open.
const MaxWorkspaces = 1000

// WorkspacesParams are all the folders that the session has open, in the place
// of those that it had. A home inside one of them is refused, as by hello.
type WorkspacesParams struct {
	Workspaces []string `json:"workspaces"`
}

// ProfileSelectParams chooses the session's profile.
type ProfileSelectParams struct {
	Name string `json:"name"`
}

// ProfileListResult lists the shared files' profiles.
type ProfileListResult struct {
	Profiles []scanner.Profile `json:"profiles"`
}

// ScanParams asks for a scan. Token names its progress notes; "" for none.
type ScanParams struct {
	scanner.Options
	Token string `json:"token,omitempty"`
}

// ProgressNote is one step of what Token names.
type ProgressNote struct {
	Token string `json:"token"`
	scanner.Progress
}

// StatusResult is the state of the estate.
type StatusResult struct {
	Resources int                  `json:"resources"`
	Scanning  bool                 `json:"scanning"`
	Shards    []scanner.ShardState `json:"shards"`
	Problems  []string             `json:"problems,omitempty"`
	Storage   storage.Health       `json:"storage"`
	// Key says in words where the key-encryption key is kept.
	Key string `json:"key"`
	// EncryptionOff: that key lies open beside what it seals.
	EncryptionOff bool `json:"encryption_off,omitempty"`
	// Audit is why the audit log does not hold, so that nothing runs; empty where
	// it holds.
	Audit string `json:"audit,omitempty"`
}

// SearchParams asks for resources by words and filter.
type SearchParams struct {
	Query string `json:"query"`
	storage.Filter
	Limit int `json:"limit,omitempty"`
}

// SearchResult says how it searched; Mode is "words" until vectors come.
type SearchResult struct {
	Mode      string           `json:"mode"`
	Total     int              `json:"total"`
	Resources []storage.Record `json:"resources"`
	// Gaps say, when nothing was found, where it could hide.
	Gaps []string `json:"gaps,omitempty"`
}

// GetParams asks for whole resources by any identifier.
type GetParams struct {
	Identifier string `json:"identifier"`
	// Live asks AWS instead of the store.
	Live bool `json:"live,omitempty"`
}

// GetResult holds every resource that carries the identifier.
type GetResult struct {
	Resources []storage.Resource `json:"resources"`
}

// ResolveParams asks which tokens name resources.
type ResolveParams struct {
	Tokens []string `json:"tokens"`
}

// ResolveResult has no entry for tokens that name nothing.
type ResolveResult struct {
	Generation uint64                      `json:"generation"`
	Records    map[string][]storage.Record `json:"records"`
	// Gaps say of a token where others that it names could hide: shards denied,
	// failed or never listed. What is unique has none.
	Gaps map[string][]string `json:"gaps,omitempty"`
}

// EstateChanged drops what a client remembers of the estate.
type EstateChanged = storage.Change

// ConversationListParams narrows the list; an empty field does not.
type ConversationListParams struct {
	Label string `json:"label,omitempty"`
}

// ConversationParams names a conversation: by its id, the beginning of one that
// no other has, or its whole title. So do all that name one.
type ConversationParams struct {
	ID    string `json:"conversation_id"`
	Limit int    `json:"limit,omitempty"`
}

// ConversationCreated is a new conversation.
type ConversationCreated struct {
	ID string `json:"conversation_id"`
}

// ConversationListResult lists all, the latest first.
type ConversationListResult struct {
	Conversations []storage.Conversation `json:"conversations"`
}

// MessagesResult is a conversation's history in order.
type MessagesResult struct {
	Messages []storage.Message `json:"messages"`
	// Unreadable is how many messages of the conversation are damaged or gone.
	Unreadable int `json:"unreadable,omitempty"`
}

// ConversationRenameParams gives a conversation another title.
type ConversationRenameParams struct {
	ID    string `json:"conversation_id"`
	Title string `json:"title"`
}

// ConversationLabelParams takes labels off a conversation and adds others.
type ConversationLabelParams struct {
	ID     string   `json:"conversation_id"`
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// ConversationResult is a conversation after a change, or as it was deleted.
type ConversationResult struct {
	Conversation storage.Conversation `json:"conversation"`
}

// ConversationSearchParams asks for the conversations that have all the words.
type ConversationSearchParams struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

// ConversationSearchResult lists them, the latest first.
type ConversationSearchResult struct {
	Total         int                       `json:"total"`
	Conversations []storage.ConversationHit `json:"conversations"`
}

// ConversationExportParams asks for all of a conversation. Format is json, the
// default, or markdown, which comes as well.
type ConversationExportParams struct {
	ID     string `json:"conversation_id"`
	Format string `json:"format,omitempty"`
}

// ConversationExportResult is all of a conversation.
type ConversationExportResult struct {
	Conversation storage.Conversation `json:"conversation"`
	Messages     []storage.Message    `json:"messages"`
	// Unreadable is how many messages are damaged or gone, and left out.
	Unreadable int    `json:"unreadable,omitempty"`
	Markdown   string `json:"markdown,omitempty"`
}

// ConversationDeleteParams names a conversation, as ConversationParams does.
type ConversationDeleteParams struct {
	ID string `json:"conversation_id"`
}

// SendParams is one turn; an empty conversation id begins a new one.
// Token names its text notes; "" for none.
type SendParams struct {
	ID     string `json:"conversation_id,omitempty"`
	Prompt string `json:"prompt"`
	Token  string `json:"token,omitempty"`
}

// TextNote is streamed text of a turn.
type TextNote struct {
	Token string `json:"token"`
	Text  string `json:"text"`
}

// ProposeParams asks for a plan: a whole command line as Argv, or Verb on the
// resource that Identifier names (which must be one).
type ProposeParams struct {
	Argv       []string `json:"argv,omitempty"`
	Verb       string   `json:"verb,omitempty"`
	Identifier string   `json:"identifier,omitempty"`
	// Profile, when Argv is set: the profile to run it with.
	Profile string `json:"profile,omitempty"`
}

// ProposeResult is a plan that waits, or, for a read that policy allows, the
// execution that it became.
type ProposeResult struct {
	Plan      executor.Plan       `json:"plan"`
	Execution *executor.Execution `json:"execution,omitempty"`
}

// DecideParams asks for a decision on a plan. Decision "ask" puts the card
// before the person at this connection; "reject" needs no prompt. "stop" keeps a
// plan that was just approved from being run; the error that it is answered with
// says whether it came in time, and a plan that nobody decided on goes on waiting.
type DecideParams struct {
	Plan     string `json:"plan"`
	Decision string `json:"decision"`
	Reason   string `json:"reason,omitempty"`
}

// DecideResult is what became of the plan.
type DecideResult struct {
	Execution executor.Execution `json:"execution"`
}

// PromptResult is the person's answer: a title of the prompt, or "" where they
// closed the question. A client that can't ask answers with an error instead,
// which decides nothing, and the plan goes on waiting.
type PromptResult struct {
	Title  string `json:"title"`
	Digest string `json:"digest"`
	// Reason is why it was rejected, in the person's words, if given.
	Reason string `json:"reason,omitempty"`
}

// PendingResult is the queue of plans, oldest first.
type PendingResult struct {
	Plans []executor.Plan `json:"plans"`
}

// ExecutionListParams narrows the list.
type ExecutionListParams struct {
	Conversation string `json:"conversation_id,omitempty"`
	Limit        int    `json:"limit,omitempty"`
}

// ExecutionListResult lists executions, newest first.
type ExecutionListResult struct {
	Executions []executor.Execution `json:"executions"`
	// Problem is why the audit log, of which this is a view, does not hold.
	Problem string `json:"problem,omitempty"`
}

// AuditParams limits the entries to the newest; 0 means all.
type AuditParams struct {
	Limit int `json:"limit,omitempty"`
}

// AuditResult lists audit entries in order.
type AuditResult struct {
	Entries []executor.Entry `json:"entries"`
	// Problem is why the log does not hold, so that nothing runs.
	Problem string `json:"problem,omitempty"`
}

// KeyStatusResult tells of the keys; nothing in it is secret.
type KeyStatusResult struct {
	StoreID string `json:"store_id"`
	seal.Status
	// Resealing is there while values of earlier keys are sealed anew.
	Resealing *Resealing `json:"resealing,omitempty"`
}

// Resealing is how far the sealing anew after a rotation is.
type Resealing struct {
	// Done of Total values were looked at in this pass.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Problem is why earlier keys are kept for now.
	Problem string `json:"problem,omitempty"`
}

// KeyRotateParams asks for new keys. Token names the progress notes of sealing
// all anew; "" for none.
type KeyRotateParams struct {
	Token string `json:"token,omitempty"`
}

// KeyRotateResult is how the keys are when all is sealed anew, or cannot be.
type KeyRotateResult struct {
	// Renewed: the key-encryption key is a new one too.
	Renewed bool `json:"key_encryption_key_renewed"`
	KeyStatusResult
}

// KeyExportParams names the one who can open the export; see seal.NewExport.
type KeyExportParams struct {
	Recipient string `json:"recipient"`
}

// KeyExportResult is what seal.Export makes a recovery file of.
type KeyExportResult struct {
	Parcel []byte `json:"parcel"`
}

// MigrateParams asks to move the store to a mode: embedded, local or remote.
// Token names its progress notes; "" for none.
type MigrateParams struct {
	To    string `json:"to"`
	Token string `json:"token,omitempty"`
}

// MigrateResult is what was moved.
type MigrateResult struct {
	From        string          `json:"from"`
	To          string          `json:"to"`
	Collections []storage.Moved `json:"collections"`
}
