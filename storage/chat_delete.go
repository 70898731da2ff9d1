package storage

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
)

// Delete destroys a conversation: first its key, so that nothing gives it back,
// then its points. A deletion that is cut short is finished when the store is
// opened. An absent one is no error; ErrNotFound: the id is none.
func (c *Chat) Delete(ctx context.Context, contextID string) error {
	if u, err := uuid.Parse(contextID); err != nil || u.String() != contextID {
		return fmt.Errorf("deleting conversation %q: %w", contextID, ErrNotFound)
	}
	t := c.memory(contextID)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := c.keys.DestroyConversation(contextID); err != nil {
		return fmt.Errorf("deleting a conversation: %w", err)
	}
	if err := c.forgetKept(contextID); err != nil {
		return fmt.Errorf("deleting a conversation: %w", err)
	}
	t.gone = true // for those who wait to write
	c.mu.Lock()
	delete(c.threads, contextID)
	c.mu.Unlock()
	if err := c.finishDeletion(ctx, contextID); err != nil {
		return fmt.Errorf("the conversation can't be read any more, but what is left of it has yet to be removed; that is done when Qdrant is back, or cloudops starts again: %w", err)
	}
	return nil
}

// finishDeletion removes what is left of a conversation whose key was destroyed.
func (c *Chat) finishDeletion(ctx context.Context, id string) error {
	ctx, cancel := whole(ctx)
	defer cancel()
	if err := c.removePoints(ctx, id); err != nil {
		return err
	}
	if err := c.forgetKept(id); err != nil {
		return err
	}
	c.faults.mended(keptAbout(id), messagesOf(id), keyOf(id))
	return c.keys.DeleteConversation(id)
}

func (c *Chat) removePoints(ctx context.Context, id string) error {
	var ids []*qdrant.PointId
	err := scroll(ctx, c.client, c.name, c.of(id), func(p *qdrant.RetrievedPoint) { ids = append(ids, p.GetId()) })
	if err != nil {
		return wrap("looking for its messages", err)
	}
	// The head may be damaged, which the filter does not find.
	ids = append(ids, qdrant.NewIDUUID(id))
	for page := range slices.Chunk(ids, pageSize) {
		result, err := c.client.Delete(ctx, &qdrant.DeletePoints{
			CollectionName: c.name, Points: qdrant.NewPointsSelectorIDs(page), Wait: qdrant.PtrOf(true),
		})
		if err := completed(result, err); err != nil {
			return wrap("deleting its messages", err)
		}
		for _, p := range page {
			c.faults.mended(p.GetUuid())
		}
	}
	return nil
}

// finishDeletions removes what is left of conversations whose key was destroyed.
// The erased key file is the proof of it: a key that is merely absent may come
// back from a backup. What fails is told of, and tried again at the next start.
func (c *Chat) finishDeletions(ctx context.Context) error {
	ids, err := c.keys.Destroyed()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := c.finishDeletion(ctx, id); err != nil {
			c.faults.add(c.name, id, fmt.Errorf("removing what is left of a deleted conversation: %w", err))
		}
	}
	return nil
}
