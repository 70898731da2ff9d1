package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/seal"
)

// titleLength is how many characters of the first prompt make the title.
const titleLength = 60

// Chat is the collection chat_history. Each conversation is sealed under a key
// of its own. Safe for concurrent use.
type Chat struct {
	client *qdrant.Client
	keys   *seal.Keys
	name   string
	faults *faults

	// mu guards the fields below.
	mu      sync.Mutex
	threads map[string]*thread
	// checked is nil until all was looked through, and after damage was met.
	checked *checked
}

// thread is what memory holds of a conversation.
type thread struct {
	// mu lets one writer at a time choose the next index.
	mu     sync.Mutex
	loaded bool
	head   Conversation
	// version is that of the head's point.
	version uint64
	next    int64
	// floor is above the index of every write that got no answer: the server may
	// do it later.
	floor int64
	// gone: it was deleted.
	gone bool
}

func newChat(client *qdrant.Client, keys *seal.Keys, name string, f *faults) *Chat {
	return &Chat{client: client, keys: keys, name: name, faults: f, threads: map[string]*thread{}}
}

// Create begins a conversation and returns its id, a random UUID.
func (c *Chat) Create(ctx context.Context) (string, error) {
	if err := c.settle(ctx); err != nil { // before there is a folder again
		return "", fmt.Errorf("beginning a conversation: %w", err)
	}
	now := time.Now().UTC()
	id := uuid.NewString()
	// Held until its first point is stored, so that no rotation drops the key that
	// seals it.
	t := c.memory(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head, t.version = Conversation{ID: id, CreatedAt: now, UpdatedAt: now}, 1
	// The key is made last, so that one by itself always means that something is
	// lost.
	key, err := c.keys.NewConversation(id, func(key *seal.Sealer) error { return c.keep(key, t.head, t.version) })
	if err != nil {
		return "", errors.Join(fmt.Errorf("beginning a conversation: %w", err), c.forgetKept(id))
	}
	head, err := sealHead(key, t.head, t.version)
	if err != nil {
		return "", fmt.Errorf("beginning a conversation: %w", err)
	}
	if err := upsert(ctx, c.client, c.name, []*qdrant.PointStruct{head}); err != nil {
		if unanswered(err) {
			return "", wrap("beginning a conversation", err)
		}
		return "", errors.Join(wrap("beginning a conversation", err), c.forgetKept(id), c.keys.DeleteConversation(id))
	}
	t.loaded = true
	return id, nil
}

// Append adds a message at the end of its conversation and returns it with
// ID, Index and Timestamp filled. ErrNotFound: no such conversation.
func (c *Chat) Append(ctx context.Context, contextID string, m Message) (Message, error) {
	if m.Role != RoleUser && m.Role != RoleAssistant && m.Role != RoleSystem {
		return Message{}, fmt.Errorf("storing a message: %q is no role", m.Role)
	}
	key, t, err := c.thread(ctx, contextID)
	if err != nil {
		return Message{}, fmt.Errorf("storing a message: %w", err)
	}
	defer t.mu.Unlock()
	m.ID, m.ContextID, m.Index, m.Timestamp = uuid.NewString(), contextID, t.next, time.Now().UTC()
	message, err := sealMessage(key, m)
	if err != nil {
		return Message{}, fmt.Errorf("storing a message: %w", err)
	}
	next := summed(t.head, m)
	head, err := sealHead(key, next, t.version+1)
	if err != nil {
		return Message{}, fmt.Errorf("storing a message: %w", err)
	}
	if err := upsert(ctx, c.client, c.name, []*qdrant.PointStruct{message, head}); err != nil {
		t.loaded = false // it may have been done
		if unanswered(err) {
			t.floor = m.Index + 1
		}
		return Message{}, wrap("storing a message", err)
	}
	t.head, t.version, t.next = next, t.version+1, t.next+1
	c.wrote(key, t.head, t.version)
	return m, nil
}

// summed is the head of a conversation after one more message.
func summed(head Conversation, m Message) Conversation {
	head.Messages++
	head.UpdatedAt = m.Timestamp
	if head.Title == "" && m.Role == RoleUser {
		head.Title = title(m.Content)
	}
	return head
}

// title is the beginning of a prompt, on one line.
func title(prompt string) string {
	clean := oneLine(prompt)
	if len(clean) > titleLength {
		return strings.TrimSpace(string(clean[:titleLength-1])) + "…"
	}
	return string(clean)
}

// oneLine is a text without controls and with single spaces.
func oneLine(text string) []rune {
	return []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " "))
}

// thread returns the key and the locked memory of a conversation.
func (c *Chat) thread(ctx context.Context, id string) (*seal.Sealer, *thread, error) {
	key, err := c.keys.Conversation(id)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		if lost, lerr := c.keyless(ctx); lerr != nil {
			return nil, nil, lerr
		} else if _, ok := lost[id]; ok {
			return nil, nil, fmt.Errorf("conversation %s: %w: %s", id, ErrCorrupt, keyGone)
		}
		return nil, nil, fmt.Errorf("conversation %s: %w", id, ErrNotFound)
	case err != nil:
		return nil, nil, fmt.Errorf("conversation %s: %w: %s (%w)", id, ErrCorrupt, keyDamaged, err)
	}
	t := c.memory(id)
	t.mu.Lock()
	if t.gone {
		t.mu.Unlock()
		return nil, nil, fmt.Errorf("conversation %s: %w", id, ErrNotFound)
	}
	if !t.loaded {
		if err := c.load(ctx, id, key, t); err != nil {
			t.mu.Unlock()
			return nil, nil, err
		}
	}
	return key, t, nil
}

// memory is what is held of a conversation, made when there is nothing.
func (c *Chat) memory(id string) *thread {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.threads[id]
	if t == nil {
		t = &thread{}
		c.threads[id] = t
	}
	return t
}

// load reads the head of a conversation and finds where it ends. Where the head
// cannot be read, or is an earlier one, what is kept of it counts; without that
// it is summed up from the messages.
func (c *Chat) load(ctx context.Context, id string, key sealer, t *thread) error {
	points, err := c.client.Get(ctx, &qdrant.GetPoints{
		CollectionName: c.name, Ids: []*qdrant.PointId{qdrant.NewIDUUID(id)}, WithPayload: qdrant.NewWithPayload(true),
	})
	if err != nil {
		return wrap("reading a conversation", err)
	}
	intact, wrong := false, errors.New("the record that sums it up is gone")
	for _, p := range points {
		t.head, t.version, wrong = openHead(key, p)
		intact = wrong == nil
	}
	last, err := c.newest(ctx, id, 1)
	if err != nil {
		return err
	}
	if t.next = 0; len(last) > 0 {
		t.next = last[0].GetPayload()[fieldIndex].GetIntegerValue() + 1
	}
	switch kept := c.kept(id, key); {
	case intact && kept.Version <= t.version:
	case kept.Version > 0:
		if intact {
			wrong = errors.New("an earlier state of it is there than was stored")
		}
		t.head, t.version, intact = kept.Head, kept.Version, kept.Head.Messages == 0 && t.next == 0
	case t.next == 0:
		return fmt.Errorf("conversation %s: %w: %w", id, ErrCorrupt, errAllGone)
	default:
		messages, err := c.all(ctx, id, key)
		if err != nil {
			return err
		}
		t.head = Conversation{ID: id}
		for _, m := range messages {
			t.head = summed(t.head, m)
		}
		if len(messages) > 0 {
			t.head.CreatedAt = messages[0].Timestamp
		}
		// What the newest message was is known; how many there are of it is not.
		t.head.Messages = int(t.next)
	}
	if !intact {
		c.faults.add(c.name, id, fmt.Errorf("%w: %w", ErrCorrupt, wrong))
	}
	// The newest message may be damaged, or yet to come; its index is not given
	// out again.
	t.next = max(t.next, int64(t.head.Messages), t.floor)
	t.loaded = true
	return nil
}

func (c *Chat) of(id string) *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword(fieldContext, id)}}
}

// newest reads the last points of a conversation, the newest first. The head
// is not among them, as it has no index.
func (c *Chat) newest(ctx context.Context, id string, limit int) ([]*qdrant.RetrievedPoint, error) {
	points, err := c.client.Scroll(ctx, &qdrant.ScrollPoints{
		CollectionName: c.name, Filter: c.of(id), Limit: qdrant.PtrOf(uint32(limit)), WithPayload: qdrant.NewWithPayload(true),
		OrderBy: &qdrant.OrderBy{Key: fieldIndex, Direction: qdrant.PtrOf(qdrant.Direction_Desc)},
	})
	if err != nil {
		return nil, wrap("reading a conversation", err)
	}
	return points, nil
}

// all reads all messages of a conversation, in order.
func (c *Chat) all(ctx context.Context, id string, key sealer) ([]Message, error) {
	var messages []Message
	err := scroll(ctx, c.client, c.name, c.of(id), func(p *qdrant.RetrievedPoint) {
		if p.GetPayload()[fieldRole].GetStringValue() != roleConversation {
			messages = c.open(messages, key, p)
		}
	})
	if err != nil {
		return nil, wrap("reading a conversation", err)
	}
	slices.SortFunc(messages, func(a, b Message) int { return cmp.Compare(a.Index, b.Index) })
	return messages, nil
}

// open adds a stored message; damage is noted.
func (c *Chat) open(to []Message, key sealer, p *qdrant.RetrievedPoint) []Message {
	m, err := openMessage(key, p)
	if err != nil {
		if c.faults.add(c.name, p.GetId().GetUuid(), err) {
			c.mu.Lock()
			c.checked = nil
			c.mu.Unlock()
		}
		return to
	}
	return append(to, m)
}

// History returns messages in order; with a limit, the newest ones. Those that
// cannot be read are left out; Service.Health tells of them. ErrNotFound: no
// such conversation.
func (c *Chat) History(ctx context.Context, contextID string, limit int) ([]Message, error) {
	key, t, err := c.thread(ctx, contextID)
	if err != nil {
		return nil, fmt.Errorf("reading messages: %w", err)
	}
	t.mu.Unlock() // reading keeps nobody out
	if limit <= 0 || limit > pageSize {
		messages, err := c.all(ctx, contextID, key)
		if err == nil && limit > 0 && len(messages) > limit {
			messages = messages[len(messages)-limit:]
		}
		return messages, err
	}
	points, err := c.newest(ctx, contextID, limit)
	if err != nil {
		return nil, err
	}
	var messages []Message
	for _, p := range slices.Backward(points) {
		messages = c.open(messages, key, p)
	}
	return messages, nil
}

// keyGone and keyDamaged are what Conversation.Damage says of a key file.
const (
	keyGone    = "its key file is gone, so nothing of it can be read; put the file back from a backup, or delete the conversation"
	keyDamaged = "its key file is damaged, so nothing of it can be read; put the file back from a backup, or delete the conversation"
)

var errAllGone = errors.New("nothing of it is there any more but its key; restore a backup, or delete the conversation")

// Conversations lists all, the latest first; Damage and Unreadable say what is
// wrong with one.
func (c *Chat) Conversations(ctx context.Context) ([]Conversation, error) {
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	stored, err := c.heads(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	found := c.checked
	c.mu.Unlock()
	ids, err := c.keys.Conversations()
	if err != nil {
		return nil, err
	}
	first := found == nil || !slices.Equal(found.with, ids)
	if first {
		found = c.look(stored)
		found.with = ids
	}
	seen, closed := map[string]Conversation{}, map[string]Conversation{}
	for _, id := range ids {
		if head, ok := stored[id]; ok && !found.stale[id] {
			seen[id] = head.Conversation
			continue
		}
		_, t, err := c.thread(ctx, id)
		switch {
		case errors.Is(err, ErrNotFound): // deleted
		case errors.Is(err, ErrCorrupt):
			c.faults.add(c.name, id, err)
			closed[id] = Conversation{ID: id, Damage: keyDamaged}
			if errors.Is(err, errAllGone) {
				closed[id] = Conversation{ID: id, Damage: errAllGone.Error()}
			}
		case err != nil:
			return nil, err
		default:
			seen[id] = t.head
			t.mu.Unlock()
		}
	}
	if first {
		if err := c.count(ctx, found, seen); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.checked = found
		c.mu.Unlock()
	}
	for _, id := range ids {
		c.faults.mended(keyOf(id))
	}
	keyless, err := c.keyless(ctx)
	if err != nil {
		return nil, err
	}
	for id, n := range keyless {
		c.faults.note(keyOf(id), Problem{Collection: c.name, Point: id, Message: fmt.Sprintf("%v: %s: %d messages", ErrCorrupt, keyGone, n)})
		delete(seen, id)
		closed[id] = Conversation{ID: id, Messages: n, Unreadable: n, Damage: keyGone}
	}
	all := slices.AppendSeq(make([]Conversation, 0, len(seen)), maps.Values(closed))
	for _, head := range seen {
		all = append(all, c.told(head))
	}
	slices.SortFunc(all, func(a, b Conversation) int { return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// heads reads the heads that open.
func (c *Chat) heads(ctx context.Context) (map[string]numbered, error) {
	found := map[string]numbered{}
	err := scroll(ctx, c.client, c.name, onlyHeads(), func(p *qdrant.RetrievedPoint) {
		id := p.GetId().GetUuid()
		key, err := c.keys.Conversation(id)
		if err != nil {
			return // deleted, or told of below
		}
		head, version, err := openHead(key, p)
		if err != nil {
			c.faults.add(c.name, id, err)
			return
		}
		found[id] = numbered{head, version}
	})
	if err != nil {
		return nil, wrap("listing conversations", err)
	}
	return found, nil
}

func onlyHeads() *qdrant.Filter {
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeyword(fieldRole, roleConversation)}}
}
