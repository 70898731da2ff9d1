package storage

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/seal"
)

// reseal seals what was said anew in conversations that got a new key, and drops
// their earlier keys where nothing is left that they may be needed for. A
// conversation with something unreadable keeps them; the next rotation tries again.
func (c *Chat) reseal(ctx context.Context) (done int, err error) {
	ids, err := c.keys.Conversations()
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		key, err := c.keys.Conversation(id)
		if err != nil || !key.Renewing() {
			continue // deleted, or told of when it is asked for
		}
		n, err := c.resealConversation(ctx, id, key)
		if done += n; err != nil {
			return done, wrap("sealing a conversation anew", err)
		}
	}
	return done, nil
}

func (c *Chat) resealConversation(ctx context.Context, id string, key *seal.Sealer) (done int, err error) {
	var old []*qdrant.PointId
	err = scroll(ctx, c.client, c.name, c.of(id), func(p *qdrant.RetrievedPoint) {
		if !sealedNow(key, p, chatField) {
			old = append(old, p.GetId())
		}
	})
	if err != nil {
		return 0, err
	}
	for page := range slices.Chunk(old, pageSize) {
		n, err := c.resealMessages(ctx, id, key, page)
		if done += n; err != nil {
			return done, err
		}
	}
	return done, c.retire(ctx, id, key)
}

// resealMessages reads points anew while nobody may write to the conversation.
func (c *Chat) resealMessages(ctx context.Context, id string, key *seal.Sealer, ids []*qdrant.PointId) (done int, err error) {
	t := c.memory(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return 0, nil
	}
	points, err := c.client.Get(ctx, &qdrant.GetPoints{CollectionName: c.name, Ids: ids, WithPayload: qdrant.NewWithPayload(true)})
	if err != nil {
		return 0, err
	}
	done, _, err = sealAnew(ctx, c.client, c.name, key, points, chatPlace("", 0), c.faults)
	return done, err
}

// retire drops the earlier keys of a conversation if all that was said in it is
// there, and sealed under the newest.
func (c *Chat) retire(ctx context.Context, id string, key *seal.Sealer) error {
	t := c.memory(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return nil
	}
	var messages int64
	whole, heads := true, 0
	err := scroll(ctx, c.client, c.name, c.of(id), func(p *qdrant.RetrievedPoint) {
		whole = whole && sealedNow(key, p, chatField)
		if p.GetPayload()[fieldRole].GetStringValue() == roleConversation {
			heads++
		} else {
			messages++
		}
	})
	if err != nil {
		return err
	}
	if !t.loaded {
		if err := c.load(ctx, id, key, t); err != nil {
			return nil // told of when it is asked for
		}
	}
	if !whole || heads != 1 || messages < int64(t.head.Messages) {
		return nil
	}
	if err := c.keep(key, t.head, t.version); err != nil { // under the newest key
		return err
	}
	if err := c.keys.RetireConversation(id); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
