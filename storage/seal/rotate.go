package seal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// auditCollection is the one whose values are never sealed anew: the hashes of
// the audit log are of its sealed records.
const auditCollection = "audit"

// ErrRotating: the values of the last rotation are not all sealed anew yet.
var ErrRotating = errors.New("a rotation is under way")

// keysetWait is how long a change of the keyset file waits for another process.
const keysetWait = 10 * time.Second

// Key is one of the keys that seal or sealed values.
type Key struct {
	// ID is what each value says of the key that sealed it, in hex.
	ID   string    `json:"id"`
	Made time.Time `json:"made_at,omitzero"`
	// Use is seals for the newest, opens for one that values are still sealed
	// under, audit for one that opens earlier records of the audit log only.
	Use string `json:"use"`
}

// Uses of a Key.
const (
	UseSeals = "seals"
	UseOpens = "opens"
	UseAudit = "audit"
)

// Status is what is known of the keys; nothing in it is secret.
type Status struct {
	// Source says in words where the key-encryption key is.
	Source string `json:"key_source"`
	Keys   []Key  `json:"keys"`
	// Exported is when a recovery file was last made; zero if never.
	Exported time.Time `json:"exported_at,omitzero"`
	// Covered: that recovery file holds the newest key.
	Covered bool `json:"export_covers_newest_key"`
}

// Status tells of the keys, the newest first.
func (k *Keys) Status() Status {
	k.changing.Lock()
	defer k.changing.Unlock()
	c := k.content
	s := Status{Source: c.source.String(), Exported: c.state.Exported}
	for i, id := range keyIDs(c.values) {
		use := UseOpens
		if i == 0 {
			use = UseSeals
			s.Covered = !s.Exported.IsZero() && c.state.ExportedKey == id
		}
		s.Keys = append(s.Keys, Key{ID: keyName(id), Made: c.state.Made[id], Use: use})
	}
	for _, id := range keyIDs(c.retired) {
		s.Keys = append(s.Keys, Key{ID: keyName(id), Made: c.state.Made[id], Use: UseAudit})
	}
	return s
}

func keyName(id uint32) string { return fmt.Sprintf("%08x", id) }

// Rotating tells whether keys of before a rotation are still kept, because
// values may be sealed under them.
func (k *Keys) Rotating() bool { return k.values.now.Load().handle.Len() > 1 }

// Current tells whether a value was sealed under the newest key, as it says
// itself.
func (k *Keys) Current(sealed []byte) bool { return k.main.Current(sealed) }

// change makes one change of the keyset file, unless another process made one
// since it was read. f changes the content; it may write on the way.
func (k *Keys) change(doing string, f func(content) (content, error)) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	release, err := lockFile(keysetPath(k.home)+".lock", keysetWait)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer release()
	ks, err := readKeyset(k.home)
	if err == nil && (ks.StoreID != k.storeID || !k.content.made(ks)) {
		err = errors.New("another process changed the keyset file; restart the daemon")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	c := k.content
	c.state = c.state.clone()
	c, err = f(c)
	if err == nil {
		err = k.write(c)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// write makes a content durable, then puts it to use. The caller holds changing.
func (k *Keys) write(c content) error {
	values, err := openRing(c.values)
	if err != nil {
		return err
	}
	old, err := c.openRetired(k.main.packer)
	if err != nil {
		return err
	}
	if err := c.write(k.home); err != nil {
		return err
	}
	k.content = c
	k.retired.Store(old)
	k.values.replace(values)
	return nil
}

// Stale tells that another process replaced the keyset file: these keys should
// be used no longer. It waits for nothing.
func (k *Keys) Stale() bool {
	if !k.changing.TryLock() {
		return false // this process replaces it
	}
	defer k.changing.Unlock()
	ks, err := readKeyset(k.home)
	return err == nil && (ks.StoreID != k.storeID || !k.content.made(ks))
}

// made tells whether a keyset file holds this content, wrapped by its own key.
func (c content) made(ks *keysetFile) bool {
	h, err := unwrap(ks.AEAD, c.wrapper, keysetAdditional(c.storeID, "aead"))
	return err == nil && slices.Equal(keyIDs(h), keyIDs(c.values))
}

// Rotate makes a new key that seals from now on, and a new key-encryption key
// where the source can keep one: an environment variable can't. What was sealed
// before opens until Retire. renewed tells whether the key-encryption key is a
// new one. A crash at any moment leaves a store that opens.
func (k *Keys) Rotate() (renewed bool, err error) {
	err = k.change("rotating the keys", func(c content) (content, error) {
		if len(keyIDs(c.values)) > 1 {
			return c, fmt.Errorf("%w: wait until all is sealed anew", ErrRotating)
		}
		var err error
		if c.values, err = withNewKey(c.values); err != nil {
			return c, err
		}
		c.state.Made[keyIDs(c.values)[0]] = now()
		if renewed = c.source.EnvVar == ""; !renewed {
			return c, nil
		}
		return k.renew(c)
	})
	return renewed && err == nil, err
}

// renew writes a content under a new key-encryption key. The new one waits
// beside the old one's place until the keyset file is wrapped by it, so that at
// every moment one of the two opens that file.
func (k *Keys) renew(c content) (content, error) {
	kek, err := newKey()
	if err != nil {
		return c, err
	}
	defer clear(kek)
	before := k.content
	before.next = true
	if err := k.write(before); err != nil {
		return c, err
	}
	undo := func(err error) (content, error) {
		before.next = false
		return c, errors.Join(err, c.source.beside().remove(k.home, k.vault), k.write(before))
	}
	if err := c.source.beside().replace(kek, k.home, k.vault); err != nil {
		return undo(err)
	}
	if c.wrapper, err = aeadsubtle.NewAESGCM(kek); err != nil {
		return undo(err)
	}
	c.next = true
	if err := k.write(c); err != nil {
		return undo(err)
	}
	// From here on the new key counts. What fails is tried again at the next start.
	if err := settle(k.home, c.source, kek, k.vault); err == nil {
		c.next = false
	}
	return c, nil
}

// settle moves the new key to its place.
func settle(home string, src Source, kek []byte, v vault) error {
	if err := src.replace(kek, home, v); err != nil {
		return err
	}
	return src.beside().remove(home, v)
}

// resume opens a keyset file whose key-encryption key was being replaced, and
// ends the replacement. c and err are what the key at the source's place opened.
func resume(home string, ks *keysetFile, src Source, c content, err error, v vault) (*Keys, error) {
	switch {
	case src.EnvVar != "":
		return nil, fmt.Errorf("%w: %s names a key beside an environment variable", ErrCorrupt, keysetPath(home))
	case err == nil:
		err = src.beside().remove(home, v)
	case errors.Is(err, ErrNoKey), errors.Is(err, ErrWrongKey):
		kek, nerr := src.beside().read(home, v)
		defer clear(kek)
		if nerr == nil {
			c, nerr = ks.open(home, src, kek)
		}
		if nerr != nil {
			return nil, err
		}
		err = settle(home, src, kek, v)
	default:
		return nil, err
	}
	k, kerr := c.keys(home, v)
	if kerr != nil || err != nil {
		// What is left to do is tried again at the next start.
		return k, kerr
	}
	_ = k.change("ending the replacement of the key", func(c content) (content, error) {
		c.next = false
		return c, nil
	})
	return k, nil
}

// Retire drops the keys of before the last rotation. Call it when no value is
// left that was sealed under them, except records of the audit log up to the
// one of this number, which they go on to open.
func (k *Keys) Retire(auditUntil uint64) error {
	return k.change("dropping old keys", func(c content) (content, error) {
		ids := keyIDs(c.values)
		if len(ids) < 2 {
			return c, nil
		}
		var err error
		if c.retired, err = joined(c.retired, c.values); err != nil {
			return c, err
		}
		if c.values, err = primaryOnly(c.values); err != nil {
			return c, err
		}
		for _, id := range ids[1:] {
			c.state.AuditUntil[id] = auditUntil
		}
		return c, nil
	})
}

// retired opens records of the audit log that earlier keys sealed.
type retired struct {
	sealer *Sealer
	until  map[uint32]uint64
}

// openRetired is nil where no key was retired.
func (c content) openRetired(p *packer) (*retired, error) {
	if c.retired == nil {
		return nil, nil
	}
	r, err := newRing(c.retired)
	if err != nil {
		return nil, err
	}
	return &retired{&Sealer{storeID: c.storeID, aead: r, packer: p}, c.state.AuditUntil}, nil
}

// open is for records up to the one that its key was last used for: whoever
// got hold of an old key adds no record to the log with it.
func (r *retired) open(sealed []byte, at Place) ([]byte, error) {
	plain, err := r.sealer.Open(sealed, at)
	if err != nil {
		return nil, err
	}
	id, _ := keyOf(bytes.TrimPrefix(sealed, []byte{format}))
	if n, err := strconv.ParseUint(at.Point, 10, 64); err != nil || n > r.until[id] {
		return nil, fmt.Errorf("opening a sealed value: %w: its key was retired before", ErrUnauthenticated)
	}
	return plain, nil
}
