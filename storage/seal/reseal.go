package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/home"
)

// maxConversationKeys bounds the keys of a conversation whose earlier ones can't
// be dropped.
const maxConversationKeys = 64

// Reseal seals anew what the home keeps outside of Qdrant and was sealed under
// earlier keys: sealed files, the keys of conversations and anchors. The audit
// log is left as it is. It returns how many were sealed anew, and what does not
// open, which is left as it is.
func (k *Keys) Reseal(ctx context.Context) (done int, unreadable []string, err error) {
	note := func(name string, changed bool, err error) error {
		switch {
		case errors.Is(err, ErrUnauthenticated):
			unreadable = append(unreadable, name)
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case err != nil:
			return fmt.Errorf("sealing %s anew: %w", name, err)
		case changed:
			done++
		}
		return ctx.Err()
	}
	names, err := k.sealedFiles()
	if err != nil {
		return 0, nil, fmt.Errorf("looking for sealed files: %w", err)
	}
	ours := map[uint32]bool{}
	for _, id := range keyIDs(k.values.now.Load().handle) {
		ours[id] = true
	}
	for name, id := range names {
		if !ours[id] {
			continue // a file of another program, such as a Qdrant's
		}
		changed, err := k.File(name).reseal()
		if err := note(name, changed, err); err != nil {
			return done, unreadable, err
		}
	}
	ids, err := k.Conversations()
	if err != nil {
		return done, unreadable, err
	}
	for _, id := range ids {
		changed, err := k.rewrapConversation(id)
		if err := note("the key of conversation "+id, changed, err); err != nil {
			return done, unreadable, err
		}
	}
	for _, name := range anchorNames() {
		changed, err := k.Anchor(name).reseal()
		if err := note("the anchor of "+name, changed, err); err != nil {
			return done, unreadable, err
		}
	}
	return done, unreadable, nil
}

// sealedFiles lists the sealed files of the home, with the key that each names:
// those of the inventory, and what begins as they do, since the store may lie in
// a folder of another name, and a later version may keep more. Files of other
// programs may be among them.
func (k *Keys) sealedFiles() (map[string]uint32, error) {
	names := map[string]uint32{}
	all, err := home.List(k.home)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		// What a crash left of an unfinished file is replaced with the next one; what
		// was damaged is kept as it is.
		if f.Left || f.Known && !f.Is(home.Sealed) {
			continue
		}
		head, err := readHead(f.Path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (len(head) == 0 || head[0] != format) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if id, ok := keyOf(head[1:]); ok {
			names[f.Name] = id
		}
	}
	return names, nil
}

// readHead reads the bytes that tell which key sealed a file.
func readHead(path string) ([]byte, error) {
	f, err := home.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 1+tinkPrefixSize)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return b[:n], err
}

// reseal replaces the file if an earlier key sealed it.
func (f *File) reseal() (changed bool, err error) {
	path, err := f.path()
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	head, err := readHead(path)
	if err != nil || f.keys.Current(head) {
		return false, err
	}
	sealed, err := readSmall(path, maxPlain+1024)
	if err != nil {
		return false, err
	}
	plain, err := f.keys.Open(sealed, f.place())
	if err != nil {
		return false, err
	}
	if sealed, err = f.keys.Seal(plain, f.place()); err != nil {
		return false, err
	}
	return true, ReplaceFile(path, sealed)
}

// reseal replaces the anchor in the keychain if an earlier key sealed it; one in
// a file is among the sealed files.
func (a *Anchor) reseal() (changed bool, err error) {
	if a.file != nil {
		return false, nil
	}
	a.keys.anchoring.Lock()
	defer a.keys.anchoring.Unlock()
	sealed, err := a.fetch()
	if err != nil || a.keys.Current(sealed) {
		return false, err
	}
	value, err := a.keys.Open(sealed, a.place())
	if err != nil {
		return false, err
	}
	return true, a.store(value)
}

// rewrapConversation wraps a conversation's keys anew if an earlier key wrapped
// them, and adds a new one, which seals from then on. The others open what was
// said before, until RetireConversation.
func (k *Keys) rewrapConversation(id string) (changed bool, err error) {
	path, err := k.conversationPath(id)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	b, err := readSmall(path, maxConversationKey)
	if err != nil || erased(b) {
		return false, err
	}
	var wrapped tinkpb.EncryptedKeyset
	if len(b) == 0 || b[0] != format || proto.Unmarshal(b[1:], &wrapped) != nil {
		return false, ErrUnauthenticated
	}
	if k.values.current(wrapped.GetEncryptedKeyset()) {
		return false, nil
	}
	h, err := unwrap(b[1:], k.values, k.conversationAdditional(id))
	if err != nil {
		return false, err
	}
	if h.Len() < maxConversationKeys {
		if h, err = withNewKey(h); err != nil {
			return false, err
		}
	}
	return true, k.replaceConversation(id, path, h)
}

// replaceConversation writes a conversation's keys. The old file may outlive a
// later deletion, so it is overwritten. The caller holds mu.
func (k *Keys) replaceConversation(id, path string, h *keyset.Handle) error {
	ready, err := openRing(h)
	if err != nil {
		return err
	}
	wrapped, err := wrap(h, k.values, k.conversationAdditional(id))
	if err != nil {
		return err
	}
	var old *os.File
	if runtime.GOOS != "windows" { // which replaces no file that is open
		if old, err = home.Open(path, os.O_WRONLY); err != nil {
			return err
		}
		defer old.Close()
	}
	if err := ReplaceFile(path, append([]byte{format}, wrapped...)); err != nil {
		return err
	}
	if s := k.conversations[id]; s != nil {
		s.aead.replace(ready)
	}
	if old == nil {
		return nil
	}
	return overwrite(old)
}

// RetireConversation drops the earlier keys of a conversation. Call it when
// everything said in it is sealed under the newest.
func (k *Keys) RetireConversation(id string) error {
	path, err := k.conversationPath(id)
	if err != nil {
		return fmt.Errorf("dropping a conversation's old keys: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.conversations[id]
	if s == nil {
		if s, err = k.loadConversation(id, path); err != nil {
			return fmt.Errorf("dropping a conversation's old keys: %w", err)
		}
	}
	h, err := primaryOnly(s.aead.now.Load().handle)
	if err == nil {
		err = k.replaceConversation(id, path, h)
	}
	if err != nil {
		return fmt.Errorf("dropping the old keys of conversation %s: %w", id, err)
	}
	return nil
}
