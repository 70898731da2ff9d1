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
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// The errors callers tell apart. Each is wrapped with how to mend it.
var (
	// ErrNoKey: a store exists, its key-encryption key does not.
	ErrNoKey = errors.New("encryption key missing")
	// ErrWrongKey: the key does not open this store.
	ErrWrongKey = errors.New("wrong encryption key")
	// ErrUnavailable: the key source cannot be reached or read.
	ErrUnavailable = errors.New("key source unavailable")
	// ErrCorrupt: the keyset file is damaged.
	ErrCorrupt = errors.New("keyset file damaged")
	// ErrMoved: the configuration names another key source than the store's.
	ErrMoved = errors.New("key source changed")
	// ErrNewer: a newer version of cloudops wrote it.
	ErrNewer = errors.New("written by a newer version of cloudops")
	// ErrUnauthenticated: a sealed value was altered, or belongs elsewhere.
	ErrUnauthenticated = errors.New("sealed value does not authenticate")
)

// keychainTimeout bounds each call to the OS keychain, which may wait for a
// prompt that nobody sees.
const keychainTimeout = 10 * time.Second

// Keys are the open keysets of one home. Safe for concurrent use.
type Keys struct {
	home    string
	storeID string
	source  Source
	notices []string
	vault   vault
	main    *Sealer
	values  *ring
	points  *prf.Set
	// retired opens audit records of earlier keys.
	retired atomic.Pointer[retired]

	// changing lets one change of the keyset file at a time be made. It guards
	// content, which is what that file holds.
	changing sync.Mutex
	content  content

	// anchoring lets one writer at a time replace an anchor in the keychain.
	anchoring sync.Mutex

	mu            sync.Mutex
	files         map[string]*File
	conversations map[string]*Sealer
}

// Unlock opens the keysets of a home. Where neither keyset file nor store
// exists it makes both, durable before first use. An environment variable
// that held the key is unset, so that a second call does not find it.
func Unlock(home string, src Source) (*Keys, error) {
	k, err := unlock(home, src, systemVault())
	if err != nil {
		return nil, fmt.Errorf("unlocking the store: %w", err)
	}
	return k, nil
}

func unlock(home string, src Source, v vault) (*Keys, error) {
	home, err := prepareHome(home)
	if err != nil {
		return nil, err
	}
	configured, err := src.normal(home)
	if err != nil {
		return nil, err
	}
	ks, err := readKeyset(home)
	if errors.Is(err, errNoKeyset) {
		return firstRun(home, configured, v)
	}
	if err != nil {
		return nil, err
	}
	return reopen(home, ks, configured, v)
}

// reopen opens an existing keyset file.
func reopen(home string, ks *keysetFile, configured Source, v vault) (*Keys, error) {
	recorded, err := ks.Source.normal(home)
	if err != nil || recorded == (Source{}) {
		return nil, fmt.Errorf("%w: it names no usable key source; restore %s from a backup", ErrCorrupt, keysetPath(home))
	}
	if configured != (Source{}) && !configured.equal(recorded) || configured == (Source{}) && recorded.InHome {
		if configured == (Source{}) {
			configured = defaultKeychain(home)
		}
		return nil, fmt.Errorf("%w: the key of this store is kept in %s, but the configuration names %s: "+
			"configure the first, or move the key there with `cloudops key move`", ErrMoved, recorded, configured)
	}
	kek, err := recorded.load(home, v)
	defer clear(kek)
	var c content
	if err == nil {
		c, err = ks.open(home, recorded, kek)
	}
	if ks.Next {
		return resume(home, ks, recorded, c, err, v)
	}
	if err != nil {
		return nil, err
	}
	return c.keys(home, v)
}

// firstRun makes the keys of a home that has neither keyset file nor store.
func firstRun(home string, src Source, v vault) (k *Keys, err error) {
	// Whoever holds the lock makes a few calls of the keychain at most.
	release, err := lockFile(keysetPath(home)+".lock", 6*v.timeout)
	if err != nil {
		return nil, err
	}
	defer func() {
		// A key that is still being written could replace the one that another
		// process makes meanwhile.
		var late *unfinished
		if errors.As(err, &late) {
			go func() {
				<-late.done
				release()
			}()
			return
		}
		release()
	}()
	ks, err := readKeyset(home)
	if err == nil { // another process was first
		return reopen(home, ks, src, v)
	}
	if !errors.Is(err, errNoKeyset) {
		return nil, err
	}
	if err := refuseOrphanStore(home); err != nil {
		return nil, err
	}

	var notices []string
	if src == (Source{}) {
		src = defaultKeychain(home)
		reachable, err := v.reachable()
		if err != nil {
			return nil, err
		}
		if !reachable {
			if src, err = fallbackFile(home); err != nil {
				return nil, err
			}
			notices = append(notices, fmt.Sprintf("No OS keychain is running here, so the encryption key was put in %s. "+
				"Whoever reads that file and %s reads everything stored; a keychain is safer.", src.File, home))
		}
	}
	kek, err := src.obtain(home, v)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	c, err := newContent(src, kek)
	if err != nil {
		return nil, err
	}
	if k, err = c.keys(home, v); err != nil {
		return nil, err
	}
	if err := c.write(home); err != nil {
		return nil, err
	}
	k.notices = notices
	return k, nil
}

// StoreID is the random id of the home's store, bound into every seal.
func (k *Keys) StoreID() string { return k.storeID }

// Home is the real path of the home the keys belong to.
func (k *Keys) Home() string { return k.home }

// Source says in words where the key-encryption key is kept.
func (k *Keys) Source() string { return k.source.String() }

// Off tells that the key lies open in the home: encryption is off.
func (k *Keys) Off() bool { return k.source.InHome }

// Notices are what the user should be told once about where the key was put.
func (k *Keys) Notices() []string { return slices.Clone(k.notices) }

// Seal compresses and encrypts a value for a place. Values over 64 MiB are refused.
func (k *Keys) Seal(plain []byte, at Place) ([]byte, error) { return k.main.Seal(plain, at) }

// SealAsIs is Seal without the compression, for noise such as vectors and what
// was sealed before.
func (k *Keys) SealAsIs(plain []byte, at Place) ([]byte, error) {
	return k.main.seal(plain, at, packAsIs)
}

// Open is the inverse of Seal; anything else is ErrUnauthenticated.
func (k *Keys) Open(sealed []byte, at Place) ([]byte, error) {
	plain, err := k.main.Open(sealed, at)
	if err != nil && at.Collection == auditCollection {
		if old := k.retired.Load(); old != nil {
			return old.open(sealed, at)
		}
	}
	return plain, err
}

// PointID is the keyed UUIDv8 of a canonical key. It never changes while the
// store lives.
func (k *Keys) PointID(canonical string) string {
	var id uuid.UUID
	copy(id[:], k.prf(purposePoint, []byte(canonical), len(id)))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// Digest is a keyed digest: equal content has equal digests, and without the
// key nothing can be learned from one.
func (k *Keys) Digest(b []byte) uint64 {
	return binary.BigEndian.Uint64(k.prf(purposeDigest, b, 8))
}

// prf is the first n bytes, n at most 32, of the keyed function of b. Its only
// error is a larger n; keysetFile.open tried the function itself.
func (k *Keys) prf(purpose byte, b []byte, n int) []byte {
	in := make([]byte, 0, 2+len(b))
	in = append(in, format, purpose)
	out, err := k.points.ComputePrimaryPRF(append(in, b...), uint32(n))
	if err != nil {
		return make([]byte, n)
	}
	return out
}
