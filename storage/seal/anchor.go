package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// maxAnchor keeps an anchor below the item size of every keychain.
const maxAnchor = 1024

// Anchor is a small value kept apart from the home where the key source allows:
// in the OS keychain if the key is there, else in a sealed file of the home.
// Safe for concurrent use.
type Anchor struct {
	keys *Keys
	name string
	// file is nil when the keychain keeps the value.
	file *File
}

// anchorNames lists all anchors: a keychain can't be searched for them when the
// keys rotate.
func anchorNames() []string { return []string{"audit"} }

// Anchor names an anchored value: "audit" is the only one.
func (k *Keys) Anchor(name string) *Anchor {
	a := &Anchor{keys: k, name: name}
	if k.source.Keychain == nil {
		a.file = k.File("anchor-" + name)
	}
	return a
}

func (a *Anchor) check() error {
	if !slices.Contains(anchorNames(), a.name) {
		return fmt.Errorf("%q is no name for an anchor", a.name)
	}
	return nil
}

// entry names the anchor in the keychain.
func (a *Anchor) entry() (service, account string) {
	return a.keys.source.Keychain.Service, "anchor-" + a.name + "-" + a.keys.storeID
}

func (a *Anchor) place() Place {
	return Place{Collection: "anchor", Point: a.name, Field: "value"}
}

// Load returns the value, "" if none was saved. Errors match ErrUnavailable or
// ErrUnauthenticated.
func (a *Anchor) Load() (string, error) {
	if err := a.check(); err != nil {
		return "", fmt.Errorf("loading an anchor: %w", err)
	}
	plain, err := a.load()
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("loading the anchor %q: %w", a.name, err)
	}
	return string(plain), nil
}

func (a *Anchor) load() ([]byte, error) {
	if a.file != nil {
		return a.file.Load()
	}
	sealed, err := a.fetch()
	if err != nil {
		return nil, err
	}
	return a.keys.Open(sealed, a.place())
}

// fetch reads the sealed value from the keychain.
func (a *Anchor) fetch() ([]byte, error) {
	service, account := a.entry()
	text, err := a.keys.vault.get(service, account)
	if err != nil {
		return nil, err
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, ErrUnauthenticated
	}
	return sealed, nil
}

// Save replaces the value, at most 1 KiB.
func (a *Anchor) Save(value string) error {
	if err := a.check(); err != nil {
		return fmt.Errorf("saving an anchor: %w", err)
	}
	if len(value) > maxAnchor {
		return fmt.Errorf("saving the anchor %q: %d bytes are more than the %d allowed", a.name, len(value), maxAnchor)
	}
	if err := a.save(value); err != nil {
		return fmt.Errorf("saving the anchor %q: %w", a.name, err)
	}
	return nil
}

func (a *Anchor) save(value string) error {
	if a.file != nil {
		return a.file.Save([]byte(value))
	}
	a.keys.anchoring.Lock()
	defer a.keys.anchoring.Unlock()
	return a.store([]byte(value))
}

// store seals a value into the keychain. The caller holds anchoring.
func (a *Anchor) store(value []byte) error {
	sealed, err := a.keys.Seal(value, a.place())
	if err != nil {
		return err
	}
	service, account := a.entry()
	return a.keys.vault.set(service, account, base64.StdEncoding.EncodeToString(sealed))
}

// Where says in words where it is kept: "the OS keychain", "a sealed file".
func (a *Anchor) Where() string {
	if a.file != nil {
		return "a sealed file"
	}
	return "the OS keychain"
}
