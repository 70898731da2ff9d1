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
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// The errors callers tell apart. Each is wrapped with what to do about it.
var (
	// ErrPrompt: the prompt is not one.
	ErrPrompt = errors.New("the prompt can't be taken")
	// ErrBackend: the backend failed, or its reply is none.
	ErrBackend = errors.New("the backend did not answer")
)

// LongestPrompt bounds a prompt, in bytes. Whoever takes prompts in asks here.
const LongestPrompt = 32 << 10

const (
	// mostTurns bounds how much of a conversation is read for a turn.
	mostTurns = 200
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
	// Executions are what became of the commands that this conversation proposed
	// and somebody decided, newest first: from the audit log, not from the chat.
	Executions []Execution `json:"executions,omitempty"`
	// Accounts are those that the profiles of the session are known to belong to.
	Accounts    []Account   `json:"accounts,omitempty"`
	UserContext UserContext `json:"user_context"`
}

// Execution is what became of one command.
type Execution struct {
	// Line is the command as the AWS CLI would take it.
	Line string `json:"command"`
	// Status is rejected, expired, void, running, succeeded, failed or unknown.
	Status  string        `json:"status"`
	Targets []storage.Key `json:"targets"`
	// Undo is the command that undoes it: only of what succeeded.
	Undo *executor.Command `json:"undo,omitempty"`
	At   time.Time         `json:"at,omitzero"`
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
	// Live: AWS was asked for all of this in this turn, since the prompt asks how
	// it is now.
	Live bool `json:"live,omitempty"`
	// NotAsked says why AWS was not asked, or did not answer, though the prompt
	// asks that.
	NotAsked string `json:"not_asked,omitempty"`
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

// Account is an AWS account and the profiles that people call it by.
type Account struct {
	ID       string   `json:"account_id"`
	Profiles []string `json:"profiles"`
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
	// Client is who asks, as AWS sees them.
	Client *session.Client
	Origin executor.Origin
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
type Agent struct {
	cfg      Config
	store    *storage.Service
	scanner  *scanner.Scanner
	executor *executor.Executor
	backend  Backend

	mu sync.Mutex
	// busy holds the conversations with a turn under way, guarded by mu; the
	// channel closes at the turn's end.
	busy map[string]chan struct{}
}

// New returns an agent over an open store.
func New(cfg Config, store *storage.Service, sc *scanner.Scanner, ex *executor.Executor, b Backend) *Agent {
	return &Agent{cfg: cfg, store: store, scanner: sc, executor: ex, backend: b, busy: map[string]chan struct{}{}}
}

// Send does one turn and stores both sides of it; turns of one conversation
// follow one another. stream gets the text of information as it comes and may
// be nil. When the error is ErrBackend the answer still names the conversation.
func (a *Agent) Send(ctx context.Context, m Message, stream func(text string)) (Answer, error) {
	if err := check(m.Prompt); err != nil {
		return Answer{}, err
	}
	answer := Answer{Conversation: m.Conversation}
	var history []storage.Message
	if m.Conversation == "" {
		id, err := a.store.Chat.Create(ctx)
		if err != nil {
			return answer, err
		}
		answer.Conversation = id
	}
	release, err := a.occupy(ctx, answer.Conversation)
	if err != nil {
		return answer, err
	}
	defer release()
	if m.Conversation != "" {
		if history, err = a.store.Chat.History(ctx, m.Conversation, mostTurns); err != nil {
			return answer, fmt.Errorf("reading conversation %s: %w", m.Conversation, err)
		}
	}

	found := a.identify(m.Prompt, history)
	said := storage.Message{Role: storage.RoleUser, Content: m.Prompt,
		Metadata: storage.MessageMetadata{ResourcesMentioned: found.keys()}}
	if _, err := a.store.Chat.Append(ctx, answer.Conversation, said); err != nil {
		return answer, fmt.Errorf("storing the prompt: %w", err)
	}
	a.live(ctx, m, &found)
	answer.Request = a.enrich(ctx, m, found, history)
	if m.Conversation != "" {
		answer.Request.Executions = a.executions(m.Conversation)
	}

	m.Origin.Conversation, m.Origin.Prompt = answer.Conversation, m.Prompt
	err = a.answer(ctx, m, &answer, stream)
	reply := storage.Message{Role: storage.RoleAssistant, Content: answer.Text}
	if errors.Is(err, context.Canceled) {
		reply.Role, reply.Content = storage.RoleSystem, "Stopped before there was an answer."
	} else if err != nil {
		reply.Role, reply.Content = storage.RoleSystem, render.Markdown("No answer: "+err.Error())
	} else if reply.Metadata, err = a.metadata(answer); err != nil {
		return answer, err
	}
	// A turn that was cancelled is still remembered as such.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, serr := a.store.Chat.Append(keep, answer.Conversation, reply); serr != nil {
		err = errors.Join(err, fmt.Errorf("storing the answer: %w", serr))
	}
	return answer, err
}

// check refuses prompts that nobody wrote by hand.
func check(prompt string) error {
	switch {
	case strings.TrimSpace(prompt) == "":
		return fmt.Errorf("%w: it is empty; write what you want to know or have done", ErrPrompt)
	case len(prompt) > LongestPrompt:
		return fmt.Errorf("%w: it has %d bytes, at most %d are taken; name the resources instead of pasting their listing", ErrPrompt, len(prompt), LongestPrompt)
	case !utf8.ValidString(prompt):
		return fmt.Errorf("%w: it is not UTF-8 text", ErrPrompt)
	}
	return nil
}

// occupy waits until no other turn of the conversation is under way.
func (a *Agent) occupy(ctx context.Context, conversation string) (release func(), err error) {
	for {
		a.mu.Lock()
		other := a.busy[conversation]
		if other == nil {
			done := make(chan struct{})
			a.busy[conversation] = done
			a.mu.Unlock()
			return func() {
				a.mu.Lock()
				delete(a.busy, conversation)
				a.mu.Unlock()
				close(done)
			}, nil
		}
		a.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the turn before: %w", ctx.Err())
		}
	}
}

// Record stores in its conversation what became of a plan. Executions that no
// conversation asked for are left out.
func (a *Agent) Record(ctx context.Context, x executor.Execution) error {
	if x.Origin.Conversation == "" {
		return nil
	}
	m := storage.Message{Role: storage.RoleSystem, Content: outcome(x)}
	for _, t := range x.Targets {
		m.Metadata.ResourcesMentioned = append(m.Metadata.ResourcesMentioned, t.Canonical())
	}
	if ran(x) {
		m.Metadata.CommandsExecuted = []string{x.Line}
	}
	if _, err := a.store.Chat.Append(ctx, x.Origin.Conversation, m); err != nil {
		return fmt.Errorf("recording what became of %s: %w", x.ID, err)
	}
	return nil
}
