// Package seal holds all keys and does all encryption of cloudops, with Tink.
//
// Its entry point is Unlock. A 32-byte key-encryption key comes from the OS
// keychain, an environment variable or a file; it wraps the keysets of the
// home's keyset file. docs/security.md gives the byte layouts.
//
// Invariants: a value opens only at the place it was sealed for; a missing key
// beside an existing store is an error and never makes a new key; no key
// material is logged, printed or part of an error.
package seal

import (
	"errors"
)

// The errors callers tell apart. Each is wrapped with how to mend it.
var (
	// ErrNoKey: a store exists, its key-encryption key does not.
	ErrNoKey = errors.New("encryption key missing")
	// ErrWrongKey: the key does not open this store.
	ErrWrongKey = errors.New("wrong encryption key")
	// ErrUnavailable: the key source cannot be reached or read.
	ErrUnavailable = errors.New("key source unavailable")
	// ErrUnauthenticated: a sealed value was altered, or belongs elsewhere.
	ErrUnauthenticated = errors.New("sealed value does not authenticate")
)

// Source is where the key-encryption key is kept. At most one field is set;
// none set means the OS keychain, or on a first run without one a key file.
type Source struct {
	Keychain *Keychain `json:"os_keychain,omitempty" yaml:"os_keychain,omitempty"`
	EnvVar   string    `json:"env_var,omitempty" yaml:"env_var,omitempty"`
	File     string    `json:"file,omitempty" yaml:"file,omitempty"`
}

// Keychain names an entry of the OS keychain.
type Keychain struct {
	Service string `json:"service" yaml:"service"`
	Account string `json:"account" yaml:"account"`
}

// Keys are the open keysets of one home. Safe for concurrent use.
type Keys struct{}

// Unlock opens the keysets of a home. Where neither keyset file nor store
// exists it makes both, durable before first use.
func Unlock(home string, src Source) (*Keys, error) { return nil, errors.ErrUnsupported }

// StoreID is the random id of the home's store, bound into every seal.
func (k *Keys) StoreID() string { return "" }

// Source says in words where the key-encryption key is kept.
func (k *Keys) Source() string { return "" }

// Place is where a value belongs; it is authenticated with the value.
type Place struct {
	// Collection is the logical name: aws_estate, chat_history, audit, file.
	Collection string
	// Point is the point id, record number or file name.
	Point string
	// Field is the payload field.
	Field string
	// Version counts the writes of the value.
	Version uint64
}

// Seal compresses and encrypts a value for a place.
func (k *Keys) Seal(plain []byte, at Place) ([]byte, error) { return nil, errors.ErrUnsupported }

// Open is the inverse of Seal; anything else is ErrUnauthenticated.
func (k *Keys) Open(sealed []byte, at Place) ([]byte, error) { return nil, errors.ErrUnsupported }

// PointID is the keyed UUIDv8 of a canonical key.
func (k *Keys) PointID(canonical string) string { return "" }

// File is one small sealed file in the home, replaced whole and atomically.
type File struct{}

// File names a sealed file; path is relative to the home.
func (k *Keys) File(path string) *File { return nil }

// Load returns the content; errors match fs.ErrNotExist or ErrUnauthenticated.
func (f *File) Load() ([]byte, error) { return nil, errors.ErrUnsupported }

// Save replaces the content: written, synced, renamed.
func (f *File) Save(plain []byte) error { return errors.ErrUnsupported }

// Remove deletes the file; an absent file is no error.
func (f *File) Remove() error { return errors.ErrUnsupported }

// Anchor is a small value kept apart from the home where the key source allows.
type Anchor struct{}

// Anchor names an anchored value, such as "audit".
func (k *Keys) Anchor(name string) *Anchor { return nil }

// Load returns the value, "" if none was saved.
func (a *Anchor) Load() (string, error) { return "", errors.ErrUnsupported }

// Save replaces the value.
func (a *Anchor) Save(value string) error { return errors.ErrUnsupported }

// Where says in words where it is kept: "the OS keychain", "a sealed file".
func (a *Anchor) Where() string { return "" }
