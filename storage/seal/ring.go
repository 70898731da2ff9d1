package seal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// tinkPrefix begins what a keyset encrypts: a byte, then the id of the key.
const (
	tinkPrefix     = 1
	tinkPrefixSize = 5
)

// ring is an AEAD keyset in use. A rotation replaces it as a whole, while it is
// used. Safe for concurrent use.
type ring struct {
	now atomic.Pointer[opened]
	// before is the state before the last one, for what was read under it and is
	// being opened.
	before atomic.Pointer[former]
}

// former is a state that counts until a time.
type former struct {
	*opened
	until time.Time
}

// formerTime is how long a value that was read may take to be opened.
const formerTime = 10 * time.Second

// opened is one state of a ring.
type opened struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	primary uint32
}

func openRing(h *keyset.Handle) (*opened, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, err
	}
	primary, err := h.Primary()
	if err != nil {
		return nil, err
	}
	return &opened{handle: h, aead: a, primary: primary.KeyID()}, nil
}

func newRing(h *keyset.Handle) (*ring, error) {
	o, err := openRing(h)
	if err != nil {
		return nil, err
	}
	r := &ring{}
	r.now.Store(o)
	return r, nil
}

// Encrypt and Decrypt make it a tink.AEAD.
func (r *ring) Encrypt(plain, additional []byte) ([]byte, error) {
	return r.now.Load().aead.Encrypt(plain, additional)
}

// Decrypt takes what any of its keys encrypted.
func (r *ring) Decrypt(ciphertext, additional []byte) ([]byte, error) {
	plain, err := r.now.Load().aead.Decrypt(ciphertext, additional)
	if before := r.before.Load(); err != nil && before != nil && time.Now().Before(before.until) {
		return before.aead.Decrypt(ciphertext, additional)
	}
	return plain, err
}

// replace puts another state to use.
func (r *ring) replace(o *opened) {
	r.before.Store(&former{r.now.Load(), time.Now().Add(formerTime)})
	r.now.Store(o)
}

// current tells whether its newest key made a ciphertext.
func (r *ring) current(ciphertext []byte) bool {
	id, ok := keyOf(ciphertext)
	return ok && id == r.now.Load().primary
}

// keyOf is the id of the key that made a ciphertext, by its own word.
func keyOf(ciphertext []byte) (uint32, bool) {
	if len(ciphertext) < tinkPrefixSize || ciphertext[0] != tinkPrefix {
		return 0, false
	}
	return binary.BigEndian.Uint32(ciphertext[1:]), true
}

// keyIDs lists the keys of a keyset, the primary first, then the newest first.
func keyIDs(h *keyset.Handle) []uint32 {
	if h == nil {
		return nil
	}
	var ids []uint32
	for i := h.Len() - 1; i >= 0; i-- {
		e, err := h.Entry(i)
		switch {
		case err != nil:
		case e.IsPrimary():
			ids = slices.Insert(ids, 0, e.KeyID())
		default:
			ids = append(ids, e.KeyID())
		}
	}
	return ids
}

// withNewKey is a keyset that gained a key, which is its primary from now on.
func withNewKey(h *keyset.Handle) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return m.Handle()
}

// primaryOnly is a keyset that lost all keys but its primary.
func primaryOnly(h *keyset.Handle) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	for _, id := range keyIDs(h)[1:] {
		if err := m.Delete(id); err != nil {
			return nil, fmt.Errorf("dropping a key: %w", err)
		}
	}
	return m.Handle()
}

// joined is a keyset of the keys of to, which may be nil, and those of from that
// are not its primary.
func joined(to, from *keyset.Handle) (*keyset.Handle, error) {
	m := keyset.NewManager()
	if to != nil {
		m = keyset.NewManagerFromHandle(to)
	}
	last := uint32(0)
	for i := range from.Len() {
		e, err := from.Entry(i)
		if err != nil {
			return nil, err
		}
		if e.IsPrimary() {
			continue
		}
		if last, err = m.AddKey(e.Key()); err != nil {
			return nil, fmt.Errorf("keeping an old key: %w", err)
		}
	}
	if last == 0 {
		return to, nil
	}
	if err := m.SetPrimary(last); err != nil { // every keyset has one
		return nil, err
	}
	return m.Handle()
}
