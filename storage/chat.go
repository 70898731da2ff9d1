package storage

import (
	"context"
	"errors"
)

// Chat is the collection chat_history. Each conversation is sealed under a key
// of its own.
type Chat struct{}

// Create begins a conversation and returns its id, a random UUID.
func (c *Chat) Create(ctx context.Context) (string, error) { return "", errors.ErrUnsupported }

// Append adds a message at the end of its conversation and returns it with
// ID, Index and Timestamp filled. ErrNotFound: no such conversation.
func (c *Chat) Append(ctx context.Context, contextID string, m Message) (Message, error) {
	return Message{}, errors.ErrUnsupported
}

// History returns messages in order; with a limit, the newest ones.
func (c *Chat) History(ctx context.Context, contextID string, limit int) ([]Message, error) {
	return nil, errors.ErrUnsupported
}

// Conversations lists all, the latest first.
func (c *Chat) Conversations(ctx context.Context) ([]Conversation, error) {
	return nil, errors.ErrUnsupported
}
