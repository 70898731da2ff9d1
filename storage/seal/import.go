package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"google.golang.org/protobuf/proto"

	aeadsubtle "github.com/tink-crypto/tink-go/v2/aead/subtle"
)

// ErrKeysWork: there is nothing to import, since the store opens.
var ErrKeysWork = errors.New("the keys of this store work")

// Import is a recovery file whose keys open the store of a home. Nothing was
// changed so far.
type Import struct {
	home    string
	source  Source
	content content
	// made is when the recovery file was; moved: there was none.
	made  time.Time
	moved bool
	// exported is the newest key in the recovery file.
	exported uint32
}

// OpenImport decrypts a recovery file and makes sure that its keys open the
// store in the home. src is where the new key-encryption key will be kept.
// Errors match ErrKeysWork, ErrPassphrase, ErrNotRecovery or ErrOtherStore;
// nothing is changed.
func OpenImport(home string, src Source, f *RecoveryFile, passphrase string) (*Import, error) {
	i, err := openImport(home, src, f, passphrase, systemVault())
	if err != nil {
		return nil, fmt.Errorf("importing the keys: %w", err)
	}
	return i, nil
}

func openImport(home string, src Source, f *RecoveryFile, passphrase string, v vault) (*Import, error) {
	if _, err := os.Lstat(home); err != nil {
		return nil, fmt.Errorf("there is no store in %s: copy the old home there first: %w", home, err)
	}
	home, err := prepareHome(home)
	if err != nil {
		return nil, err
	}
	if src, err = src.normal(home); err != nil {
		return nil, err
	}
	ks, err := readKeyset(home)
	if err != nil && !errors.Is(err, errNoKeyset) && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	if ks != nil && ks.StoreID != f.StoreID {
		return nil, fmt.Errorf("%w: it is of store %s, but %s holds store %s", ErrOtherStore, f.StoreID, home, ks.StoreID)
	}
	if ks != nil {
		recorded, err := ks.Source.normal(home)
		if src == (Source{}) && err == nil {
			src = recorded
		}
		if err == nil && src.equal(recorded) && works(home, ks, recorded, v) {
			return nil, fmt.Errorf("%w: %s opens it; nothing was changed", ErrKeysWork, recorded)
		}
	}
	c, err := f.open(passphrase)
	if err != nil {
		return nil, err
	}
	i := &Import{home: home, source: src, content: c, made: f.Made, exported: keyIDs(c.values)[0]}
	if err := i.check(ks); err != nil {
		return nil, err
	}
	if ks != nil && ks.Source.InHome {
		return i, i.distrust()
	}
	return i, nil
}

// distrust makes a new key for a store whose keys lay open in its home, unless
// they stay there.
func (i *Import) distrust() (err error) {
	if !i.source.InHome && len(keyIDs(i.content.values)) == 1 {
		i.content.values, err = withNewKey(i.content.values)
	}
	return err
}

// OpenMove opens the keys of a store from where they are, to keep the
// key-encryption key at another source. A key that lay open in the home is not
// trusted any more: everything is sealed anew under a new one. ErrKeysWork if
// the store's key is at that source. Nothing is changed.
func OpenMove(home string, src Source) (*Import, error) {
	i, err := openMove(home, src, systemVault())
	if err != nil {
		return nil, fmt.Errorf("moving the key: %w", err)
	}
	return i, nil
}

func openMove(home string, src Source, v vault) (*Import, error) {
	home, err := prepareHome(home)
	if err != nil {
		return nil, err
	}
	if src, err = src.normal(home); err != nil {
		return nil, err
	}
	ks, err := readKeyset(home)
	if err != nil {
		return nil, err
	}
	from, err := ks.Source.normal(home)
	if err != nil {
		return nil, fmt.Errorf("%w: it names no usable key source", ErrCorrupt)
	}
	if src == (Source{}) && from.InHome {
		src = defaultKeychain(home)
		if there, err := v.reachable(); err != nil {
			return nil, err
		} else if !there {
			if src, err = fallbackFile(home); err != nil {
				return nil, err
			}
		}
	}
	if src == (Source{}) || src.equal(from) {
		return nil, fmt.Errorf("%w: the configuration names no other place than %s, where the key is", ErrKeysWork, from)
	}
	if ks.Next {
		return nil, fmt.Errorf("%w: end the rotation first: configure %s and start cloudops once", ErrRotating, from)
	}
	kek, err := from.load(home, v)
	defer clear(kek)
	if err != nil {
		return nil, err
	}
	c, err := ks.open(home, from, kek)
	if err != nil {
		return nil, err
	}
	i := &Import{home: home, source: src, content: c, moved: true}
	if from.InHome {
		return i, i.distrust()
	}
	return i, nil
}

// From says in words where the key is that an OpenMove found; it stays there.
func (i *Import) From() string { return i.content.source.String() }

// works tells whether a keyset file opens.
func works(home string, ks *keysetFile, src Source, v vault) bool {
	for _, from := range []Source{src, src.beside()} {
		kek, err := from.peek(home, v)
		if err == nil {
			_, err = ks.open(home, src, kek)
			clear(kek)
			if err == nil {
				return true
			}
		}
		if !ks.Next || src.EnvVar != "" {
			break
		}
	}
	return false
}

// check makes sure that the keys are all that the store needs.
func (i *Import) check(ks *keysetFile) error {
	older := fmt.Errorf("%w: the keys were rotated after it was made; use a later one", ErrOtherStore)
	sealer, err := i.content.sealer()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRecovery, err)
	}
	proven, opens := false, false
	if ks != nil && ks.Format > keysetFormat1 {
		// The newest key of the store sealed this.
		if _, err := sealer.Open(ks.State, statePlace()); err != nil {
			return older
		}
		proven = true
	}
	k, err := i.content.keys(i.home, vault{})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotRecovery, err)
	}
	known := map[uint32]bool{}
	for _, id := range keyIDs(i.content.values) {
		known[id] = true
	}
	names, err := k.sealedFiles()
	if err != nil {
		return fmt.Errorf("looking for sealed files: %w", err)
	}
	for name, id := range names {
		// Deeper down a Qdrant may keep files that only look like ours.
		if !known[id] && !proven && strings.Count(name, "/") < 2 {
			return older
		}
		if !opens && known[id] {
			_, err := k.File(name).Load()
			opens = err == nil
		}
	}
	ids, err := k.Conversations()
	if err != nil {
		return err
	}
	for _, id := range ids {
		path, err := k.conversationPath(id)
		if err != nil {
			return err
		}
		b, err := readSmall(path, maxConversationKey)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var wrapped tinkpb.EncryptedKeyset
		if len(b) == 0 || erased(b) || proto.Unmarshal(b[1:], &wrapped) != nil {
			continue
		}
		if id, ok := keyOf(wrapped.GetEncryptedKeyset()); ok && !known[id] && !proven {
			return older
		}
	}
	if !proven && !opens {
		return fmt.Errorf("%w: there is nothing in %s that they open; copy the old home there first", ErrOtherStore, i.home)
	}
	return nil
}

// StoreID is the store whose keys were found.
func (i *Import) StoreID() string { return i.content.storeID }

// Source says in words where the key-encryption key will be kept.
func (i *Import) Source() string {
	if i.source == (Source{}) {
		return "the OS keychain, or a key file where there is none"
	}
	return i.source.String()
}

// Store puts the keys to use: a key-encryption key that is already at the
// source, or else a new one, wraps them in the home's keyset file.
func (i *Import) Store() error {
	if err := i.store(systemVault()); err != nil {
		return fmt.Errorf("importing the keys: %w", err)
	}
	return nil
}

func (i *Import) store(v vault) error {
	release, err := lockFile(keysetPath(i.home)+".lock", keysetWait)
	if err != nil {
		return err
	}
	defer release()
	src := i.source
	if src == (Source{}) {
		src = defaultKeychain(i.home)
		reachable, err := v.reachable()
		if err != nil {
			return err
		}
		if !reachable {
			if src, err = fallbackFile(i.home); err != nil {
				return err
			}
		}
	}
	// A variable stays set, for the daemon that is started next.
	kek, err := src.peek(i.home, v)
	if errors.Is(err, fs.ErrNotExist) {
		kek, err = src.obtain(i.home, v)
	}
	defer clear(kek)
	if err != nil {
		return err
	}
	c := i.content
	c.source, c.next = src, false
	if c.wrapper, err = aeadsubtle.NewAESGCM(kek); err != nil {
		return fmt.Errorf("preparing the key-encryption key: %w", err)
	}
	c.state = c.state.clone()
	c.state.Imported = now()
	ids := keyIDs(c.values)
	if c.state.Made[ids[0]].IsZero() {
		c.state.Made[ids[0]] = c.state.Imported
	}
	if !i.moved {
		c.state.Exported, c.state.ExportedKey = i.made, i.exported
	}
	return c.write(i.home)
}

// Imported is when the keys came from a recovery file or from another source,
// until ImportNoted; zero if they did not. What was anchored apart from the home may be lost then.
func (k *Keys) Imported() time.Time {
	k.changing.Lock()
	defer k.changing.Unlock()
	return k.content.state.Imported
}

// ImportNoted says that the audit log tells of the import.
func (k *Keys) ImportNoted() error {
	return k.change("noting the import", func(c content) (content, error) {
		c.state.Imported = time.Time{}
		return c, nil
	})
}
