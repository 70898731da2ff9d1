package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudops/cloudops/storage/home"
)

const (
	conversationSuffix = ".key"
	// maxConversationKey bounds what is read of a conversation's key file.
	maxConversationKey = 1 << 16
)

func (k *Keys) conversationDir() string { return filepath.Join(k.home, "data", "conversations") }

// conversationPath is the key file of a conversation. The id ends in a path,
// so only the one spelling of a UUID passes.
func (k *Keys) conversationPath(id string) (string, error) {
	if !isUUID(id) {
		return "", fmt.Errorf("a conversation id must be a UUID: %w", fs.ErrInvalid)
	}
	return filepath.Join(k.conversationDir(), id+conversationSuffix), nil
}

func isUUID(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.String() == id
}

// NewConversation makes the key of a new conversation, durable on return. id is a
// UUID in lower case; an existing one matches fs.ErrExist. first, unless nil,
// seals what must not be missing once the key is there; its error is returned.
func (k *Keys) NewConversation(id string, first func(*Sealer) error) (*Sealer, error) {
	path, err := k.conversationPath(id)
	if err != nil {
		return nil, fmt.Errorf("making a conversation's key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return nil, fmt.Errorf("making the key of conversation %s: %w", id, err)
	}
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("making a conversation's key: %w", err)
	}
	wrapped, err := wrap(h, k.values, k.conversationAdditional(id))
	if err != nil {
		return nil, fmt.Errorf("making a conversation's key: %w", err)
	}
	if err := os.MkdirAll(k.conversationDir(), 0o700); err != nil {
		return nil, fmt.Errorf("making a conversation's key: %w", err)
	}
	if first != nil {
		r, err := newRing(h)
		if err == nil {
			err = first(&Sealer{storeID: k.storeID, aead: r, packer: k.main.packer})
		}
		if err != nil {
			return nil, err
		}
	}
	if err := ReplaceFile(path, append([]byte{format}, wrapped...)); err != nil {
		return nil, fmt.Errorf("making a conversation's key: %w", err)
	}
	// The folders themselves may be new.
	for _, dir := range []string{filepath.Dir(k.conversationDir()), k.home} {
		if err := home.SyncDir(dir); err != nil {
			return nil, fmt.Errorf("making a conversation's key: %w", err)
		}
	}
	return k.loadConversation(id, path)
}

// Conversation returns the sealer of a conversation. Errors match
// fs.ErrNotExist when it was deleted or never made, ErrUnauthenticated when its
// key file is damaged.
func (k *Keys) Conversation(id string) (*Sealer, error) {
	path, err := k.conversationPath(id)
	if err != nil {
		return nil, fmt.Errorf("opening a conversation's key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.conversations[id]; s != nil {
		return s, nil
	}
	return k.loadConversation(id, path)
}

// loadConversation reads a key file into the cache. The caller holds mu.
func (k *Keys) loadConversation(id, path string) (*Sealer, error) {
	b, err := readSmall(path, maxConversationKey)
	if err != nil {
		return nil, fmt.Errorf("opening the key of conversation %s: %w", id, err)
	}
	if erased(b) { // its deletion has yet to be finished
		return nil, fmt.Errorf("opening the key of conversation %s: it was deleted: %w", id, fs.ErrNotExist)
	}
	if len(b) == 0 || b[0] != format {
		return nil, fmt.Errorf("opening the key of conversation %s: %w", id, ErrUnauthenticated)
	}
	h, err := unwrap(b[1:], k.values, k.conversationAdditional(id))
	if err != nil {
		return nil, fmt.Errorf("opening the key of conversation %s: %w", id, err)
	}
	r, err := newRing(h)
	if err != nil {
		return nil, fmt.Errorf("opening the key of conversation %s: %w: %w", id, ErrUnauthenticated, err)
	}
	s := &Sealer{storeID: k.storeID, aead: r, packer: k.main.packer}
	k.conversations[id] = s
	return s, nil
}

func (k *Keys) conversationAdditional(id string) []byte {
	return additional(purposeConversation, k.storeID, id)
}

// DestroyConversation destroys the key of a conversation, and with it all that
// was sealed under it, wherever copies are. Sealers handed out before stop
// working. What stays is an erased file, which says that the deletion has yet to
// be finished by DeleteConversation. An absent one is no error.
func (k *Keys) DestroyConversation(id string) error {
	path, err := k.conversationPath(id)
	if err != nil {
		return fmt.Errorf("destroying a conversation's key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.destroyConversation(id, path); err != nil {
		return fmt.Errorf("destroying the key of conversation %s: %w", id, err)
	}
	return nil
}

// destroyConversation overwrites a key file. The caller holds mu.
func (k *Keys) destroyConversation(id, path string) error {
	if s := k.conversations[id]; s != nil {
		s.gone.Store(true)
		delete(k.conversations, id)
	}
	return erase(path)
}

// DeleteConversation destroys the key of a conversation and removes its file.
// An absent one is no error.
func (k *Keys) DeleteConversation(id string) error {
	path, err := k.conversationPath(id)
	if err != nil {
		return fmt.Errorf("deleting a conversation's key: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	err = k.destroyConversation(id, path)
	if err == nil {
		err = removeSynced(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the folder may be absent too
		return fmt.Errorf("deleting the key of conversation %s: %w", id, err)
	}
	return nil
}

// Destroyed lists the conversations whose deletion has yet to be finished,
// sorted.
func (k *Keys) Destroyed() ([]string, error) {
	ids, err := k.Conversations()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(ids, func(id string) bool {
		b, err := readSmall(filepath.Join(k.conversationDir(), id+conversationSuffix), maxConversationKey)
		return err != nil || !erased(b)
	}), nil
}

// Conversations lists the ids of all conversations, sorted.
func (k *Keys) Conversations() ([]string, error) {
	entries, err := os.ReadDir(k.conversationDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing conversations: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), conversationSuffix); ok && isUUID(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// erase overwrites a small file; an absent one is no error.
func erase(path string) error {
	f, err := home.Open(path, os.O_WRONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = overwrite(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// erasedMark begins a key file that was erased, so that zeros are mere damage.
const erasedMark = "erased by cloudops\n"

// overwrite makes a small file zeros after the mark, on the disk.
func overwrite(f *os.File) error {
	info, err := f.Stat()
	if err == nil {
		b := make([]byte, max(min(info.Size(), maxConversationKey), int64(len(erasedMark))))
		copy(b, erasedMark)
		_, err = f.Write(b)
	}
	if err == nil {
		err = home.Sync(f)
	}
	return err
}

// erased tells a file that was overwritten by erase.
func erased(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte(erasedMark))
	return ok && len(bytes.Trim(rest, "\x00")) == 0
}

func removeSynced(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return home.SyncDir(filepath.Dir(path))
}
