package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cloudops/cloudops/storage/home"
)

// File is one small sealed file in the home, replaced whole and atomically.
// Safe for concurrent use.
type File struct {
	keys *Keys
	// name is the path relative to the home, with slashes; it is authenticated.
	name string
	mu   sync.Mutex
	seen seen
	// held saves what memory holds of it; nil where that is nowhere.
	held func() error
}

// File names a sealed file; path is relative to the home.
func (k *Keys) File(path string) *File {
	name := filepath.ToSlash(filepath.Clean(path))
	k.mu.Lock()
	defer k.mu.Unlock()
	f := k.files[name]
	if f == nil {
		f = &File{keys: k, name: name}
		k.files[name] = f
	}
	return f
}

func (f *File) path() (string, error) {
	local := filepath.FromSlash(f.name)
	if !filepath.IsLocal(local) || local == "." || strings.ContainsRune(f.name, 0) {
		return "", fmt.Errorf("%q is no file inside the home", f.name)
	}
	return filepath.Join(f.keys.home, local), nil
}

func (f *File) place() Place { return Place{Collection: "file", Point: f.name, Field: "content"} }

// Load returns the content; errors match fs.ErrNotExist or ErrUnauthenticated.
func (f *File) Load() ([]byte, error) {
	path, err := f.path()
	if err != nil {
		return nil, fmt.Errorf("loading a sealed file: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	sealed, err := readSmall(path, maxPlain+1024)
	if err != nil {
		return nil, fmt.Errorf("loading a sealed file: %w", err)
	}
	plain, err := f.keys.Open(sealed, f.place())
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	f.seen.now(path)
	return plain, nil
}

// LoadOrSetAside is Load of a file that can be made anew: decode takes its
// content, and one that does not open, or that decode refuses, is set aside and
// is as if it had never been. Errors match fs.ErrNotExist, or ErrNewer where
// decode says so: a newer version can read it.
func (f *File) LoadOrSetAside(decode func([]byte) error) error {
	plain, err := f.Load()
	if err == nil {
		err = decode(plain)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNewer) {
		return err
	}
	path, perr := f.path()
	if perr != nil {
		return perr
	}
	if _, aerr := SetAside(path); aerr != nil {
		return errors.Join(err, aerr)
	}
	return fmt.Errorf("%s was damaged: %w", path, fs.ErrNotExist)
}

// Save replaces the content: written, synced, renamed.
func (f *File) Save(plain []byte) error {
	path, err := f.path()
	if err != nil {
		return fmt.Errorf("saving a sealed file: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// Sealed while nobody else may write, so that a rotation finds it.
	sealed, err := f.keys.Seal(plain, f.place())
	if err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("saving a sealed file: %w", err)
	}
	if err := ReplaceFile(path, sealed); err != nil {
		return fmt.Errorf("saving a sealed file: %w", err)
	}
	f.seen.now(path)
	return nil
}

// Remove deletes the file; an absent file is no error.
func (f *File) Remove() error {
	path, err := f.path()
	if err != nil {
		return fmt.Errorf("removing a sealed file: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = seen{}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = home.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("removing a sealed file: %w", err)
	}
	return nil
}
