package daemon

import (
	"context"
	"errors"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/storage"
)

// maxPrompt bounds one turn, in bytes.
const maxPrompt = 64 << 10

func conversationCreate(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
	id, err := p.Store.Chat.Create(ctx)
	if err != nil {
		return nil, err
	}
	return ConversationCreated{ID: id}, nil
}

func conversationList(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
	list, err := p.Store.Chat.Conversations(ctx)
	if err != nil {
		return nil, err
	}
	return ConversationListResult{Conversations: list}, nil
}

func (p ConversationParams) validate() error {
	if p.ID == "" || len(p.ID) > maxToken {
		return invalid(`"conversation_id" must name a conversation`)
	}
	if p.Limit < 0 {
		return invalid(`"limit" must not be negative`)
	}
	return nil
}

func conversationMessages(ctx context.Context, x *session, p *Parts, params ConversationParams) (any, error) {
	messages, err := p.Store.Chat.History(ctx, params.ID, params.Limit)
	if err != nil {
		return nil, noConversation(params.ID, err)
	}
	return MessagesResult{Messages: messages}, nil
}

func (p SendParams) validate() error {
	if p.Prompt == "" || len(p.Prompt) > maxPrompt {
		return invalid(`"prompt" must have 1 to %d bytes`, maxPrompt)
	}
	if len(p.ID) > maxToken || len(p.Token) > maxToken {
		return invalid(`"conversation_id" or "token" is longer than %d bytes`, maxToken)
	}
	return nil
}

// conversationSend does one turn; its text streams as notes before the answer.
func conversationSend(ctx context.Context, x *session, p *Parts, params SendParams) (any, error) {
	origin := x.origin()
	origin.Conversation, origin.Prompt = params.ID, params.Prompt
	answer, err := p.Agent.Send(ctx, agent.Message{
		Conversation: params.ID,
		Prompt:       params.Prompt,
		Environment:  x.environment(),
		Origin:       origin,
	}, func(text string) {
		if params.Token != "" {
			x.conn.notify(NoteText, TextNote{Token: params.Token, Text: text})
		}
	})
	return answer, noConversation(params.ID, err)
}

// noConversation says that an error means that there is no such conversation.
func noConversation(id string, err error) error {
	if id != "" && errors.Is(err, storage.ErrNotFound) {
		return refusef(CodeNotFound, "list them with: cloudops conversations", "there is no conversation %q", id)
	}
	return err
}
