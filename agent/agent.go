// Package agent is one turn of conversation: find the resources a prompt
// means, build the enriched request, ask a backend, and return its reply with
// plans as data. It never runs anything.
//
// Its entry point is Agent.Send. The backend is chosen by configuration;
// agent/backend/builtin is the offline default.
//
// Invariants: a reply is exactly one of commands, information and
// clarification; a backend's text is data, its commands are vetted like
// anybody's.
package agent

import (
	"context"
	"errors"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// Config is what requests carry about the user.
type Config struct {
	// UserID is the random id made at first run.
	UserID string
}

// Request is the enriched request that a backend answers.
type Request struct {
	Prompt              string               `json:"prompt"`
	IdentifiedResources []IdentifiedResource `json:"identified_resources"`
	// Omitted counts, by mention, the resources found that were too many to send.
	Omitted     map[string]int `json:"omitted,omitempty"`
	ChatHistory []Turn         `json:"chat_history"`
	UserContext UserContext    `json:"user_context"`
}

// IdentifiedResource is a resource that the prompt, or the turns before it, mean.
type IdentifiedResource struct {
	Type         string            `json:"type"`
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	ARN          string            `json:"arn,omitempty"`
	Region       string            `json:"region"`
	Account      string            `json:"account"`
	CurrentState string            `json:"current_state"`
	Tags         map[string]string `json:"tags,omitempty"`
	Permissions  *storage.IAM      `json:"permissions,omitempty"`
	Metadata     map[string]any    `json:"metadata"`
	LastSynced   string            `json:"last_synced,omitempty"`
	// Mention is the text that led here.
	Mention string `json:"mention"`
	// FoundBy is name (the prompt names it), description (it is the kind that
	// the prompt describes) or history (an earlier turn mentioned it).
	FoundBy string `json:"found_by"`
}

// Turn is one earlier message.
type Turn struct {
	Role      storage.Role `json:"role"`
	Content   string       `json:"content"`
	Resources []string     `json:"resources_mentioned,omitempty"`
	// Executed are the command lines that the turn reports as run.
	Executed []string `json:"commands_executed,omitempty"`
	// Reply is the structured reply of an assistant's turn.
	Reply *Reply `json:"reply,omitempty"`
}

// UserContext is who asks, from where.
type UserContext struct {
	UserID        string `json:"user_id"`
	DefaultRegion string `json:"default_region"`
	Profile       string `json:"profile"`
}

// Reply is exactly one of commands, information and clarification.
type Reply struct {
	Commands []executor.Command `json:"commands,omitempty"`
	// Information is Markdown; the backend has escaped foreign text in it.
	Information   string         `json:"information,omitempty"`
	Clarification *Clarification `json:"clarification,omitempty"`
	// Mentions are the canonical keys of the resources that the reply is about,
	// in its order, so that the next turn can say "it" or "the second one".
	Mentions []string `json:"resources_mentioned,omitempty"`
}

// Clarification is a question back to the person.
type Clarification struct {
	// Question is Markdown; the backend has escaped foreign text in it.
	Question string   `json:"question"`
	Choices  []Choice `json:"choices,omitempty"`
	// About is the request so far; the answer completes it.
	About string `json:"about,omitempty"`
}

// Choice is one possible answer; sending Prompt as the next turn picks it.
type Choice struct {
	// Label is plain text, not escaped.
	Label  string `json:"label"`
	Prompt string `json:"prompt"`
	// Resource is the canonical key of the resource it stands for, if it is one.
	Resource string `json:"resource,omitempty"`
}

// Backend answers a request. Text may be streamed in parts before the reply
// returns; the reply is what counts.
type Backend interface {
	Answer(ctx context.Context, r Request, stream func(text string)) (Reply, error)
}

// Message is a person's side of a turn.
type Message struct {
	Conversation string
	Prompt       string
	Environment  scanner.Environment
	Origin       executor.Origin
}

// Answer is the outcome of a turn.
type Answer struct {
	Conversation string  `json:"conversation_id"`
	Request      Request `json:"request"`
	Reply        Reply   `json:"reply"`
	// Plans are the vetted commands, waiting for approval.
	Plans []executor.Plan `json:"plans,omitempty"`
	// Refused says why commands of the reply did not become plans.
	Refused []string `json:"refused,omitempty"`
	// Text is the reply as Markdown, foreign text escaped.
	Text string `json:"text"`
}

// Agent holds conversations. Safe for concurrent use.
type Agent struct{}

// New returns an agent over an open store.
func New(cfg Config, store *storage.Service, sc *scanner.Scanner, ex *executor.Executor, b Backend) *Agent {
	return &Agent{}
}

// Send does one turn and stores both sides of it.
func (a *Agent) Send(ctx context.Context, m Message, stream func(text string)) (Answer, error) {
	return Answer{}, errors.ErrUnsupported
}

// Record stores in its conversation what became of a plan.
func (a *Agent) Record(ctx context.Context, x executor.Execution) error { return errors.ErrUnsupported }
