package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

const (
	// mostTitle and mostLabel are in characters, mostMetadata is in bytes.
	mostTitle    = 200
	mostLabel    = 64
	mostLabels   = 32
	mostMetadata = 64 << 10
)

// ContextUpdate is what changes about a conversation; what is left out stays.
type ContextUpdate struct {
	// Title is one line of up to 200 characters.
	Title *string
	// AddLabels and RemoveLabels are lines of up to 64 characters. Labels that
	// differ in case and accents only are one.
	AddLabels, RemoveLabels []string
	// Metadata is JSON of the caller's own, set key by key; nil removes a key.
	Metadata map[string]any
}

// UpdateContext changes what is said about a conversation. Its messages and its
// place in the list stay. ErrNotFound: no such conversation; ErrInvalid: the
// title, a label or the metadata cannot be.
func (c *Chat) UpdateContext(ctx context.Context, contextID string, u ContextUpdate) (Conversation, error) {
	key, t, err := c.thread(ctx, contextID)
	if err != nil {
		return Conversation{}, fmt.Errorf("changing a conversation: %w", err)
	}
	defer t.mu.Unlock()
	next, err := u.apply(t.head)
	if err != nil {
		return Conversation{}, fmt.Errorf("changing a conversation: %w", err)
	}
	head, err := sealHead(key, next, t.version+1)
	if err != nil {
		return Conversation{}, fmt.Errorf("changing a conversation: %w", err)
	}
	if err := upsert(ctx, c.client, c.name, []*qdrant.PointStruct{head}); err != nil {
		t.loaded = false // it may have been done
		return Conversation{}, wrap("changing a conversation", err)
	}
	t.head, t.version = next, t.version+1
	c.wrote(key, t.head, t.version)
	return next, nil
}

// apply returns the head after the update; what the head holds is not changed.
func (u ContextUpdate) apply(head Conversation) (Conversation, error) {
	if u.Title != nil {
		title, err := line(*u.Title, "title", mostTitle)
		if err != nil {
			return head, err
		}
		head.Title = title
	}
	labels := slices.Clone(head.Labels)
	for _, l := range u.RemoveLabels {
		labels = slices.DeleteFunc(labels, func(have string) bool { return sameLabel(have, l) })
	}
	for _, l := range u.AddLabels {
		label, err := line(l, "label", mostLabel)
		if err != nil {
			return head, err
		}
		if !slices.ContainsFunc(labels, func(have string) bool { return sameLabel(have, label) }) {
			labels = append(labels, label)
		}
	}
	if len(labels) > mostLabels {
		return head, fmt.Errorf("%w: a conversation bears up to %d labels", ErrInvalid, mostLabels)
	}
	head.Labels = labels
	if len(u.Metadata) > 0 {
		all := maps.Clone(head.Metadata)
		if all == nil {
			all = map[string]any{}
		}
		for k, v := range u.Metadata {
			if all[k] = v; v == nil {
				delete(all, k)
			}
		}
		// As it will be read again.
		b, err := json.Marshal(all)
		if err != nil || len(b) > mostMetadata {
			return head, fmt.Errorf("%w: the metadata must be JSON of up to %d bytes", ErrInvalid, mostMetadata)
		}
		head.Metadata = nil
		if err := json.Unmarshal(b, &head.Metadata); err != nil {
			return head, errors.Join(ErrInvalid, err)
		}
		if len(head.Metadata) == 0 {
			head.Metadata = nil
		}
	}
	return head, nil
}

// line is a text on one line, refused where nothing is left or it is too long.
func line(text, what string, most int) (string, error) {
	clean := oneLine(text)
	if len(clean) == 0 {
		return "", fmt.Errorf("%w: the %s is empty", ErrInvalid, what)
	}
	if len(clean) > most {
		return "", fmt.Errorf("%w: the %s has %d characters, at most %d are kept", ErrInvalid, what, len(clean), most)
	}
	return string(clean), nil
}

// sameLabel says whether two texts are one label.
func sameLabel(a, b string) bool {
	return string(fold(string(oneLine(a))).text) == string(fold(string(oneLine(b))).text)
}

// HasLabel says whether a conversation bears a label, whatever its case and
// accents.
func (c Conversation) HasLabel(label string) bool {
	return slices.ContainsFunc(c.Labels, func(have string) bool { return sameLabel(have, label) })
}

// Conversation sums up the conversation that a person means by an id, the
// beginning of one, or a whole title. ErrNotFound: there is none; ErrInvalid:
// there are several.
func (c *Chat) Conversation(ctx context.Context, name string) (Conversation, error) {
	_, t, err := c.thread(ctx, name)
	if err == nil {
		head := t.head
		t.mu.Unlock()
		c.checkOnce(ctx)
		return c.told(head), nil
	}
	if !errors.Is(err, ErrNotFound) || name == "" {
		return Conversation{}, err
	}
	all, err := c.Conversations(ctx)
	if err != nil {
		return Conversation{}, err
	}
	begins := strings.ToLower(name)
	all = slices.DeleteFunc(all, func(x Conversation) bool { return !strings.HasPrefix(x.ID, begins) && x.Title != name })
	switch len(all) {
	case 0:
		return Conversation{}, fmt.Errorf("conversation %q: %w", name, ErrNotFound)
	case 1:
		return all[0], nil
	}
	return Conversation{}, fmt.Errorf("%w: %d conversations are called %q, such as %s and %s; give more of the id", ErrInvalid, len(all), name, all[0].ID, all[1].ID)
}
