package storage

import (
	"encoding/json"
	"fmt"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/seal"
)

// chatCollection and chatField are where a message is sealed for, whatever the
// collection is called.
const (
	chatCollection = "chat_history"
	chatField      = "encrypted_content"
)

// roleConversation marks the point that sums up a conversation. Its id is the
// conversation's; it has no message_index.
const roleConversation = "conversation"

func chatPlace(id string, version uint64) seal.Place {
	return seal.Place{Collection: chatCollection, Point: id, Field: chatField, Version: version}
}

// plainHead and plainMessage are what stands outside the seal.
func plainHead(h Conversation) map[string]*qdrant.Value {
	return map[string]*qdrant.Value{
		fieldContext: qdrant.NewValueString(h.ID), fieldRole: qdrant.NewValueString(roleConversation),
		fieldTimestamp: qdrant.NewValueInt(h.UpdatedAt.Unix()),
	}
}

func plainMessage(m Message) map[string]*qdrant.Value {
	return map[string]*qdrant.Value{
		fieldContext: qdrant.NewValueString(m.ContextID), fieldIndex: qdrant.NewValueInt(m.Index),
		fieldRole: qdrant.NewValueString(string(m.Role)), fieldTimestamp: qdrant.NewValueInt(m.Timestamp.Unix()),
	}
}

func sealHead(key sealer, h Conversation, version uint64) (*qdrant.PointStruct, error) {
	return sealChat(key, h.ID, h.stored(), plainHead(h), version)
}

// A message is written once.
func sealMessage(key sealer, m Message) (*qdrant.PointStruct, error) {
	return sealChat(key, m.ID, m, plainMessage(m), 1)
}

func sealChat(key sealer, id string, v any, payload map[string]*qdrant.Value, version uint64) (*qdrant.PointStruct, error) {
	content, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := sealField(key, payload, content, chatPlace(id, version)); err != nil {
		return nil, err
	}
	return newPoint(id, payload), nil
}

func openHead(key sealer, p *qdrant.RetrievedPoint) (h Conversation, version uint64, err error) {
	version, err = openChat(key, p, &h)
	if err == nil {
		err = same(p.GetPayload(), plainHead(h))
	}
	return h, version, err
}

func openMessage(key sealer, p *qdrant.RetrievedPoint) (m Message, err error) {
	if _, err = openChat(key, p, &m); err == nil {
		err = same(p.GetPayload(), plainMessage(m))
	}
	return m, err
}

func openChat(key sealer, p *qdrant.RetrievedPoint, v any) (version uint64, err error) {
	content, version, err := openField(key, p.GetPayload(), chatPlace(p.GetId().GetUuid(), 0))
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(content, v); err != nil {
		return 0, fmt.Errorf("%w: decoding a message: %v", ErrCorrupt, err)
	}
	return version, nil
}
