package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/storage"
)

const (
	// maxText bounds a command's arguments together, and a reason, in bytes.
	maxText = 64 << 10
	// maxLabels bounds the labels of one request.
	maxLabels = 100
)

// ConversationCreated is a new conversation.
type ConversationCreated struct {
	ID string `json:"conversation_id"`
}

var ConversationCreate = request("cloudops/conversation/create", proposes|forwarded|command, needStore,
	"Begins a conversation.", conversationCreate)

func conversationCreate(ctx context.Context, x *session, p *Parts, _ none) (ConversationCreated, error) {
	id, err := p.Store.Chat.Create(ctx)
	if err != nil {
		return ConversationCreated{}, err
	}
	return ConversationCreated{ID: id}, nil
}

// ConversationListParams narrows the list; an empty field does not.
type ConversationListParams struct {
	Label string `json:"label,omitempty"`
}

// ConversationListResult lists all, the latest first.
type ConversationListResult struct {
	Conversations []storage.Conversation `json:"conversations"`
}

var ConversationList = request("cloudops/conversation/list", reads|forwarded|command, needStore,
	"Lists the conversations, the latest first.", conversationList,
	text("label", maxToken))

func conversationList(ctx context.Context, x *session, p *Parts, params ConversationListParams) (ConversationListResult, error) {
	list, err := p.Store.Chat.Conversations(ctx)
	if err != nil {
		return ConversationListResult{}, err
	}
	if params.Label != "" {
		list = slices.DeleteFunc(list, func(c storage.Conversation) bool { return !c.HasLabel(params.Label) })
	}
	return ConversationListResult{Conversations: list}, nil
}

// ConversationParams names a conversation: by its id, the beginning of one that
// no other has, or its whole title. So do all that name one.
type ConversationParams struct {
	ID    string `json:"conversation_id"`
	Limit int    `json:"limit,omitempty"`
}

// MessagesResult is a conversation's history in order.
type MessagesResult struct {
	Messages []storage.Message `json:"messages"`
	// Unreadable is how many messages of the conversation are damaged or gone.
	Unreadable int `json:"unreadable,omitempty"`
}

// conversation finds the one that a request means.
func conversation(ctx context.Context, p *Parts, name string) (storage.Conversation, error) {
	c, err := p.Store.Chat.Conversation(ctx, name)
	return c, noConversation(name, err)
}

var ConversationMessages = request("cloudops/conversation/messages", reads|forwarded|command, needStore,
	"Returns the messages of a conversation, in order.", conversationMessages,
	needed("conversation_id", maxToken), number("limit", endless))

func conversationMessages(ctx context.Context, x *session, p *Parts, params ConversationParams) (MessagesResult, error) {
	c, err := conversation(ctx, p, params.ID)
	if err != nil {
		return MessagesResult{}, err
	}
	messages, err := p.Store.Chat.History(ctx, c.ID, params.Limit)
	if err != nil {
		return MessagesResult{}, noConversation(params.ID, err)
	}
	return MessagesResult{Messages: messages, Unreadable: c.Unreadable}, nil
}

// TextNote is streamed text of a turn.
type TextNote struct {
	Token string `json:"token"`
	Text  string `json:"text"`
}

var NoteText = note[TextNote]("cloudops/conversation/text",
	"The next piece of the text of a turn that was sent with a token.")

// SendParams is one turn; an empty conversation id begins a new one.
// Token names its text notes; "" for none.
type SendParams struct {
	ID     string `json:"conversation_id,omitempty"`
	Prompt string `json:"prompt"`
	Token  string `json:"token,omitempty"`
}

var ConversationSend = request("cloudops/conversation/send", proposes|forwarded|command, needStore|needScanner|needAgent,
	"Does one turn: its text streams as notes, and what it proposes waits for a decision.", conversationSend,
	text("conversation_id", maxToken), needed("prompt", agent.LongestPrompt), text("token", maxToken))

// conversationSend does one turn; its text streams as notes before the answer.
func conversationSend(ctx context.Context, x *session, p *Parts, params SendParams) (agent.Answer, error) {
	id := ""
	if params.ID != "" {
		c, err := conversation(ctx, p, params.ID)
		if err != nil {
			return agent.Answer{}, err
		}
		id = c.ID
	}
	origin := x.origin()
	origin.Conversation, origin.Prompt = id, params.Prompt
	answer, err := p.Agent.Send(ctx, agent.Message{
		Conversation: id,
		Prompt:       params.Prompt,
		Client:       p.Scanner.Sessions.Client(x.environment()),
		Origin:       origin,
	}, func(text string) {
		if params.Token != "" {
			NoteText.to(x.conn, "", TextNote{Token: params.Token, Text: text})
		}
	})
	return answer, noConversation(id, err)
}

// ConversationRenameParams gives a conversation another title.
type ConversationRenameParams struct {
	ID    string `json:"conversation_id"`
	Title string `json:"title"`
}

// ConversationResult is a conversation after a change, or as it was deleted.
type ConversationResult struct {
	Conversation storage.Conversation `json:"conversation"`
}

var ConversationRename = request("cloudops/conversation/rename", forwarded, needStore,
	"Gives a conversation another title.", conversationRename,
	needed("conversation_id", maxToken), text("title", maxToken))

func conversationRename(ctx context.Context, x *session, p *Parts, params ConversationRenameParams) (ConversationResult, error) {
	return updateContext(ctx, p, params.ID, storage.ContextUpdate{Title: &params.Title})
}

// ConversationLabelParams takes labels off a conversation and adds others.
type ConversationLabelParams struct {
	ID     string   `json:"conversation_id"`
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

func (p ConversationLabelParams) validate() error {
	if n := len(p.Add) + len(p.Remove); n == 0 || n > maxLabels {
		return wire.Invalid(`"add" and "remove" must have 1 to %d labels`, maxLabels)
	}
	return nil
}

var ConversationLabel = request("cloudops/conversation/label", forwarded, needStore,
	"Takes labels off a conversation and adds others.", conversationLabel,
	needed("conversation_id", maxToken), texts("add", maxLabels, maxToken), texts("remove", maxLabels, maxToken))

func conversationLabel(ctx context.Context, x *session, p *Parts, params ConversationLabelParams) (ConversationResult, error) {
	return updateContext(ctx, p, params.ID, storage.ContextUpdate{AddLabels: params.Add, RemoveLabels: params.Remove})
}

func updateContext(ctx context.Context, p *Parts, name string, u storage.ContextUpdate) (ConversationResult, error) {
	c, err := conversation(ctx, p, name)
	if err != nil {
		return ConversationResult{}, err
	}
	if c, err = p.Store.Chat.UpdateContext(ctx, c.ID, u); err != nil {
		return ConversationResult{}, noConversation(name, err)
	}
	return ConversationResult{Conversation: c}, nil
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

var ConversationSearch = request("cloudops/conversation/search", reads|forwarded|command, needStore,
	"Finds the conversations that have all the words.", conversationSearch,
	text("query", maxToken), number("limit", maxFound))

func conversationSearch(ctx context.Context, x *session, p *Parts, params ConversationSearchParams) (ConversationSearchResult, error) {
	found, total, err := p.Store.Chat.SearchConversations(ctx, params.Query, params.Limit)
	if err != nil {
		return ConversationSearchResult{}, err
	}
	if found == nil {
		found = []storage.ConversationHit{}
	}
	return ConversationSearchResult{Total: total, Conversations: found}, nil
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

var ConversationExport = request("cloudops/conversation/export", reads|forwarded|command, needStore,
	"Returns all that is kept of a conversation.", conversationExport,
	needed("conversation_id", maxToken), oneOf("format", "", "json", "markdown"))

// conversationExport returns all that is kept of a conversation. Writing it to a
// file is the client's own affair.
func conversationExport(ctx context.Context, x *session, p *Parts, params ConversationExportParams) (ConversationExportResult, error) {
	c, err := conversation(ctx, p, params.ID)
	if err != nil {
		return ConversationExportResult{}, err
	}
	messages, err := p.Store.Chat.History(ctx, c.ID, 0)
	if err != nil {
		return ConversationExportResult{}, noConversation(params.ID, err)
	}
	// It may have grown since it was summed up. Indexes don't count messages: one
	// of a write that failed stays free.
	r := ConversationExportResult{Conversation: c, Messages: messages, Unreadable: max(0, c.Messages-len(messages))}
	if r.Messages == nil {
		r.Messages = []storage.Message{}
	}
	if params.Format == "markdown" {
		r.Markdown = render.Conversation(c, messages, r.Unreadable)
	}
	return r, nil
}

// ConversationDeleteParams names a conversation, as ConversationParams does.
type ConversationDeleteParams struct {
	ID string `json:"conversation_id"`
}

var ConversationDelete = request("cloudops/conversation/delete", forwarded, needStore|needExecutor,
	"Deletes a conversation and its key, once a person at the terminal confirmed it.", conversationDelete,
	needed("conversation_id", maxToken))

// conversationDelete asks the person at the terminal first. The audit log keeps
// the id and nothing that was said.
func conversationDelete(ctx context.Context, x *session, p *Parts, params ConversationDeleteParams) (ConversationResult, error) {
	c, err := conversation(ctx, p, params.ID)
	about := []string{"Title: " + c.Title, fmt.Sprintf("Messages: %d, the last of %s", c.Messages, render.Clock(c.UpdatedAt))}
	if errors.Is(err, storage.ErrCorrupt) {
		about = []string{err.Error(), "Until it is deleted, an intact copy of its files gives it back."}
		c, err = storage.Conversation{ID: params.ID}, nil
	}
	if err != nil {
		return ConversationResult{}, err
	}
	err = x.confirm(ctx, p.Executor, "Delete conversation "+c.ID, "delete", append(about,
		"What it proposed and nobody decided is rejected.",
		"Its key is destroyed: no copy, backup or snapshot gives it back.",
		"The audit log keeps the commands that it led to.")...)
	if err != nil {
		return ConversationResult{}, err
	}
	// What it proposed quotes it.
	for _, plan := range p.Executor.Pending() {
		if plan.Origin.Conversation != c.ID {
			continue
		}
		if err := p.Executor.Reject(plan.ID, "its conversation was deleted"); err != nil && !errors.Is(err, executor.ErrNoPlan) {
			return ConversationResult{}, err
		}
	}
	if err := p.Store.Chat.Delete(ctx, c.ID); err != nil {
		return ConversationResult{}, err
	}
	return ConversationResult{Conversation: c}, nil
}

// noConversation says that an error means that there is no such conversation.
func noConversation(id string, err error) error {
	if id != "" && errors.Is(err, storage.ErrNotFound) {
		return refusef(CodeNotFound, "list them with: cloudops conversations", "there is no conversation %q", id)
	}
	return err
}
