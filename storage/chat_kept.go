package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"

	inventory "github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

// What is left of a conversation can't tell what is lost of it. So its head is
// kept a second time, in a file beside its key, and how many messages there were
// is told from the later of the two.

// keptHead is the content of that file.
type keptHead struct {
	Version uint64       `json:"version"`
	Head    Conversation `json:"head"`
}

const keptSuffix = ".head"

// lostMark stands in the place of a second record that was lost together with
// the key.
const lostMark = "lost with its key\n"

func (c *Chat) keptPath(id string) string {
	return filepath.Join(c.keys.Home(), "data", "conversations", id+keptSuffix)
}

func keptPlace(id string) seal.Place {
	return seal.Place{Collection: chatCollection, Point: id, Field: "head"}
}

// keep writes the file, durable on return.
func (c *Chat) keep(key sealer, h Conversation, version uint64) error {
	plain, err := json.Marshal(keptHead{version, h.stored()})
	if err != nil {
		return err
	}
	sealed, err := key.Seal(plain, keptPlace(h.ID))
	if err == nil {
		err = seal.ReplaceFile(c.keptPath(h.ID), sealed)
	}
	if err != nil {
		return fmt.Errorf("keeping what is known of conversation %s: %w", h.ID, err)
	}
	return nil
}

// wrote keeps the head after a write, which must not fail any more: the next one
// makes up for a file that could not be written.
func (c *Chat) wrote(key sealer, h Conversation, version uint64) {
	if err := c.keep(key, h, version); err != nil {
		c.faults.note(keptAbout(h.ID), Problem{Collection: c.name, Message: err.Error()})
		return
	}
	c.faults.mended(h.ID, keptAbout(h.ID))
}

func keptAbout(id string) string { return "what is kept of " + id }

// kept reads the file; the zero value if there is none. A damaged one is set
// aside, since the next one replaces it.
func (c *Chat) kept(id string, key sealer) (k keptHead) {
	sealed, err := seal.ReadFile(c.keptPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return keptHead{}
	}
	if string(sealed) == lostMark {
		return keptHead{}
	}
	if err == nil {
		var plain []byte
		if plain, err = key.Open(sealed, keptPlace(id)); err == nil {
			err = json.Unmarshal(plain, &k)
		}
	}
	if err == nil && k.Head.ID == id {
		return k
	}
	aside, err := seal.SetAside(c.keptPath(id))
	if err != nil {
		aside = err.Error()
	}
	c.faults.note(keptAbout(id), Problem{Collection: c.name,
		Message: fmt.Sprintf("the second record of conversation %s was damaged and is written anew from the first; the damaged one is kept as %s", id, aside)})
	return keptHead{}
}

// forgetKept removes the file of a conversation that was deleted, and what was
// set aside of it.
func (c *Chat) forgetKept(id string) error {
	aside, _ := filepath.Glob(c.keptPath(id) + inventory.AsidePattern) // the pattern is well-formed
	for _, path := range append(aside, c.keptPath(id)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// settle brings the folder of keys and second records together with what is
// stored, where files of it were lost. Where all of it was, a mark is left of
// each conversation in the place of its second record. Points
// that are there without any file are no loss but a deleted conversation that
// somebody put back.
func (c *Chat) settle(ctx context.Context) error {
	ids, err := c.unfiled(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := os.MkdirAll(filepath.Dir(c.keptPath(id)), 0o700)
		if err == nil {
			err = seal.ReplaceFile(c.keptPath(id), []byte(lostMark))
		}
		if err != nil {
			c.faults.note("conversations", Problem{Message: fmt.Sprintf("the folder of the conversations' keys is gone, and cannot be made: %v", err),
				Mend: "put the folder back from a backup, or remove what stands in its place"})
			break // it is looked for again
		}
		c.faults.mended("conversations")
	}
	c.faults.writeBack(c.keys)
	return nil
}

// unfiled lists the conversations that are stored, where their folder is gone.
func (c *Chat) unfiled(ctx context.Context) (ids []string, err error) {
	if _, err := os.Stat(filepath.Dir(c.keptPath(""))); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = scroll(ctx, c.client, c.name, onlyHeads(), func(p *qdrant.RetrievedPoint) { ids = append(ids, p.GetId().GetUuid()) })
	if err != nil {
		return nil, wrap("listing conversations", err)
	}
	return ids, nil
}

// keyless lists the conversations whose key file is gone, not even erased, with
// how many messages of each are left, which nobody can read. A second record
// without points is a creation that was cut short.
func (c *Chat) keyless(ctx context.Context) (map[string]int, error) {
	ids, err := c.unfiled(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Dir(c.keptPath("")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing conversations: %w", err)
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), keptSuffix); ok {
			ids = append(ids, id)
		}
	}
	with, err := c.keys.Conversations()
	if err != nil {
		return nil, err
	}
	gone := map[string]int{}
	for _, id := range ids {
		if _, there := slices.BinarySearch(with, id); there {
			continue
		}
		err := scroll(ctx, c.client, c.name, c.of(id), func(p *qdrant.RetrievedPoint) {
			n := gone[id]
			if p.GetPayload()[fieldRole].GetStringValue() != roleConversation {
				n++
			}
			gone[id] = n
		})
		if err != nil {
			return nil, wrap("looking for what is left of a conversation", err)
		}
	}
	return gone, nil
}

// checked is what was found when all conversations were looked through.
type checked struct {
	// lost counts the messages of each that cannot be read.
	lost map[string]int
	// stale are those whose head is older than what is kept of it.
	stale map[string]bool
	// with are those that had a key file.
	with []string
}

// numbered is a head with the version of its point.
type numbered struct {
	Conversation
	version uint64
}

// checkOnce looks through all conversations unless that was done and the same
// have a key since. What it finds is among the faults; what it cannot reach is
// looked at the next time.
func (c *Chat) checkOnce(ctx context.Context) {
	c.mu.Lock()
	found := c.checked
	c.mu.Unlock()
	with, err := c.keys.Conversations()
	if err != nil || found == nil || !slices.Equal(found.with, with) {
		_, _ = c.Conversations(ctx)
	}
}

// look compares heads with what is kept of them, once. It writes what is kept
// anew where that is behind or gone.
func (c *Chat) look(heads map[string]numbered) *checked {
	found := &checked{lost: map[string]int{}, stale: map[string]bool{}}
	for id, h := range heads {
		key, err := c.keys.Conversation(id)
		if err != nil {
			continue
		}
		switch k := c.kept(id, key); {
		case k.Version > h.version:
			found.stale[id] = true
		case k.Version < h.version:
			if err := c.keep(key, h.Conversation, h.version); err != nil {
				c.faults.note(keptAbout(id), Problem{Collection: c.name, Message: err.Error()})
			}
		}
	}
	return found
}

// count finds out how many messages of each conversation cannot be read. Those
// that were written since the heads were read are no loss.
func (c *Chat) count(ctx context.Context, found *checked, heads map[string]Conversation) error {
	expected := uint64(0)
	for _, h := range heads {
		expected += uint64(h.Messages) + 1
	}
	if c.faults.endpoint.Stored() == 0 { // a server sees to its own disk; what it left out shows in the number
		n, err := c.client.Count(ctx, &qdrant.CountPoints{CollectionName: c.name, Exact: qdrant.PtrOf(true)})
		if err != nil {
			return wrap("counting messages", err)
		}
		if n >= expected {
			return nil
		}
	}
	opened := map[string]int{}
	err := scroll(ctx, c.client, c.name, nil, func(p *qdrant.RetrievedPoint) {
		id := p.GetPayload()[fieldContext].GetStringValue()
		if _, ok := heads[id]; !ok || p.GetPayload()[fieldRole].GetStringValue() == roleConversation {
			return
		}
		if key, err := c.keys.Conversation(id); err == nil {
			opened[id] += len(c.open(nil, key, p))
		}
	})
	if err != nil {
		return wrap("looking through conversations", err)
	}
	for id, h := range heads {
		_, err := c.keys.Conversation(id)
		if lost := h.Messages - opened[id]; lost > 0 && err == nil {
			found.lost[id] = lost
			c.faults.note(messagesOf(id), Problem{Collection: c.name, Message: fmt.Sprintf("%d of %d messages of conversation %s are damaged or gone", lost, h.Messages, id)})
		}
	}
	return nil
}

// told is a conversation with what is known to be wrong with it.
func (c *Chat) told(head Conversation) Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checked != nil {
		head.Unreadable = c.checked.lost[head.ID]
	}
	if head.Unreadable > 0 {
		head.Damage = fmt.Sprintf("%d of its %d messages are damaged or gone", head.Unreadable, head.Messages)
	}
	return head
}

func messagesOf(id string) string { return "messages of " + id }

func keyOf(id string) string { return "key of " + id }
