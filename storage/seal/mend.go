package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/cloudops/cloudops/storage/home"
)

// seen is what a file was when this process last read or wrote it. Nobody else
// writes to the home meanwhile, so that another file there is a loss.
type seen struct{ info fs.FileInfo }

func (s *seen) now(path string) {
	s.info, _ = os.Lstat(path) // nil is as never seen
}

// lost says in a word what became of the file; "" where it is as it was, or was
// never there.
func (s *seen) lost(path string) string {
	if s.info == nil {
		return ""
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "gone"
	case err != nil || !os.SameFile(info, s.info) || info.Size() != s.info.Size() || !info.ModTime().Equal(s.info.ModTime()):
		return "changed"
	}
	return ""
}

// Hold says that memory has the content of a file as long as this process runs,
// and how to save it.
func (f *File) Hold(save func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = save
}

// mend saves a file that is held and was lost. One that still opens is taken for
// what it is.
func (f *File) mend() (lost string, err error) {
	path, err := f.path()
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	lost, save := f.seen.lost(path), f.held
	f.mu.Unlock()
	if lost == "" || save == nil {
		return "", nil
	}
	if _, err := f.Load(); err == nil {
		return "", nil
	}
	return lost, save()
}

// Mended is a file that was gone, or changed by somebody else, while this process
// ran, and was written back from memory.
type Mended struct {
	// Name is its path relative to the home, with slashes.
	Name string
	// Lost is gone or changed.
	Lost string
	// Err is why it could not be written back.
	Err error
}

// Mend writes back what memory holds: the keyset file, the keys of conversations
// that were used, and the files that are held. It looks at the files only, unless
// one was lost.
func (k *Keys) Mend() (all []Mended) {
	if lost, err := k.mendKeyset(); lost != "" {
		all = append(all, Mended{"keyset", lost, err})
	}
	k.mu.Lock()
	files := slices.Collect(maps.Values(k.files))
	for id, s := range k.conversations {
		path, err := k.conversationPath(id)
		if err != nil {
			continue
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			all = append(all, Mended{"data/conversations/" + id + conversationSuffix, "gone", k.restore(id, path, s)})
		}
	}
	k.mu.Unlock()
	for _, f := range files {
		if lost, err := f.mend(); lost != "" {
			all = append(all, Mended{f.name, lost, err})
		}
	}
	slices.SortFunc(all, func(a, b Mended) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Kept tells whether the home is where it was, with its keyset file: what was
// removed of it belongs there.
func (k *Keys) Kept() bool {
	_, err := os.Lstat(keysetPath(k.home))
	return err == nil
}

// restore writes the key file of a conversation anew. The caller holds mu.
func (k *Keys) restore(id, path string, s *Sealer) error {
	wrapped, err := wrap(s.aead.now.Load().handle, k.values, k.conversationAdditional(id))
	if err == nil {
		err = os.MkdirAll(k.conversationDir(), 0o700)
	}
	if err == nil {
		err = ReplaceFile(path, append([]byte{format}, wrapped...))
	}
	if err == nil {
		err = home.SyncDir(filepath.Dir(k.conversationDir()))
	}
	return err
}

// mendKeyset writes the keyset file back where there is none that opens and the
// store is still there. Another that is whole is another process's.
func (k *Keys) mendKeyset() (lost string, err error) {
	if !k.changing.TryLock() {
		return "", nil // this process replaces it
	}
	defer k.changing.Unlock()
	path := keysetPath(k.home)
	_, err = readKeyset(k.home)
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, errNoKeyset):
		lost = "gone"
	case errors.Is(err, ErrCorrupt):
		lost = "changed"
	default:
		return "", nil // it cannot be read now
	}
	if _, err := os.Lstat(filepath.Join(k.home, "data")); err != nil {
		return "", nil // the home was taken away as a whole
	}
	release, err := lockFile(path+".lock", keysetWait)
	if err != nil {
		return lost, err
	}
	defer release()
	if _, err := readKeyset(k.home); err == nil {
		return "", nil
	}
	if err := k.content.write(k.home); err != nil {
		return lost, fmt.Errorf("writing the keyset file back: %w", err)
	}
	return lost, nil
}
