package seal

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cloudops/cloudops/storage/home"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// IsVariable reports whether a shell could set an environment variable of that
// name. What could not be one may be a secret in its place.
func IsVariable(name string) bool { return variableName.MatchString(name) }

// Source is where the key-encryption key is kept. At most one field is set;
// none set means the OS keychain, or on a first run without one a key file.
type Source struct {
	Keychain *Keychain `json:"os_keychain,omitempty" yaml:"os_keychain,omitempty"`
	// EnvVar names a variable that holds 32 bytes in base64.
	EnvVar string `json:"env_var,omitempty" yaml:"env_var,omitempty"`
	// File is an absolute path, or one that begins with ~/.
	File string `json:"file,omitempty" yaml:"file,omitempty"`
	// InHome is the opposite of a safe place: the key lies open beside what it
	// seals, which is what encryption.enabled: false means.
	InHome bool `json:"in_home,omitempty" yaml:"-" jsonschema:"-"`
}

// inHomeName is the key file in the home of a store whose encryption is off.
const inHomeName = "encryption-is-off.key"

// Keychain names an entry of the OS keychain. Empty fields take the defaults
// "cloudops" and "encryption_key".
type Keychain struct {
	Service string `json:"service" yaml:"service"`
	Account string `json:"account" yaml:"account"`
}

const (
	defaultService = "cloudops"
	defaultAccount = "encryption_key"
	makeOne        = "head -c 32 /dev/urandom | base64"
)

// String says in words where the key is, never what it is.
func (s Source) String() string {
	switch {
	case s.Keychain != nil:
		return fmt.Sprintf("the OS keychain (service %q, account %q)", s.Keychain.Service, s.Keychain.Account)
	case s.EnvVar != "":
		return fmt.Sprintf("the environment variable %s", s.EnvVar)
	case s.File != "":
		return fmt.Sprintf("the key file %s", s.File)
	case s.InHome:
		return "the home itself, in the open: encryption is off"
	default:
		return "the default place"
	}
}

// normal checks a source, fills defaults and makes its path comparable.
func (s Source) normal(home string) (Source, error) {
	set := 0
	if s.Keychain != nil {
		set++
		kc := *s.Keychain
		if kc.Service == "" {
			kc.Service = defaultService
		}
		if kc.Account == "" {
			kc.Account = defaultKeychain(home).Keychain.Account
		}
		s.Keychain = &kc
	}
	if s.EnvVar != "" {
		set++
		if !IsVariable(s.EnvVar) {
			return Source{}, errors.New("the key's environment variable has no valid name; correct encryption.key_source")
		}
	}
	if s.File != "" {
		set++
		path := s.File
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			dir, err := os.UserHomeDir()
			if err != nil {
				return Source{}, fmt.Errorf("finding the key file: %w", err)
			}
			path = filepath.Join(dir, rest)
		}
		if !filepath.IsAbs(path) {
			return Source{}, errors.New("the key file is named by no absolute path; correct encryption.key_source.file")
		}
		s.File = filepath.Clean(path)
	}
	if s.InHome {
		set++
	}
	if set > 1 {
		return Source{}, errors.New("more than one key source is configured; keep one of os_keychain, env_var and file")
	}
	return s, nil
}

// equal compares normal sources.
func (s Source) equal(o Source) bool {
	if s.Keychain != nil && o.Keychain != nil {
		return *s.Keychain == *o.Keychain
	}
	return s == o
}

// defaultKeychain is the entry used when nothing is configured. Each home has
// its own.
func defaultKeychain(home string) Source {
	account := defaultAccount
	if dir, err := os.UserHomeDir(); err == nil {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, ".cloudops")); err != nil || real != home {
			account += "-" + homeTag(home)
		}
	}
	return Source{Keychain: &Keychain{Service: defaultService, Account: account}}
}

// fallbackFile is the key file of a first run without a keychain.
func fallbackFile(home string) (Source, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return Source{}, fmt.Errorf("%w: no OS keychain is running, and there is no folder for a key file: %w; configure encryption.key_source", ErrUnavailable, err)
	}
	return Source{File: filepath.Join(dir, "cloudops", homeTag(home)+".key")}, nil
}

// load reads the key of an existing store.
func (s Source) load(home string, v vault) ([]byte, error) {
	kek, err := s.read(home, v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s holds none, but the store in %s needs it; bring the key back there, or the keys from a recovery file (cloudops key import); no new one was made", ErrNoKey, s, home)
	}
	return kek, err
}

// obtain returns the key of a first run: the one already at the source, else a
// new one that was stored there and read back. An existing key is never
// replaced, since another store or a backup may need it.
func (s Source) obtain(home string, v vault) ([]byte, error) {
	kek, err := s.read(home, v)
	if !errors.Is(err, fs.ErrNotExist) {
		return kek, err
	}
	if s.EnvVar != "" {
		return nil, fmt.Errorf("%w: %s is not set; set it to 32 random bytes in base64 (%s) and keep a copy", ErrNoKey, s, makeOne)
	}
	fresh, err := newKey()
	if err != nil {
		return nil, err
	}
	defer clear(fresh)
	text := base64.StdEncoding.EncodeToString(fresh)
	if s.Keychain != nil {
		err = v.set(s.Keychain.Service, s.Keychain.Account, text)
	} else {
		err = createKeyFile(s.file(home), text)
	}
	if err != nil {
		return nil, err
	}
	kek, err = s.read(home, v)
	if err != nil {
		return nil, fmt.Errorf("%w: the new key was stored in %s but cannot be read back: %w", ErrUnavailable, s, err)
	}
	return kek, nil
}

// read returns the key at the source; fs.ErrNotExist if there is none.
func (s Source) read(home string, v vault) ([]byte, error) {
	var text string
	var err error
	switch {
	case s.Keychain != nil:
		text, err = v.get(s.Keychain.Service, s.Keychain.Account)
	case s.EnvVar != "":
		var ok bool
		text, ok = os.LookupEnv(s.EnvVar)
		os.Unsetenv(s.EnvVar) // no child and no crash report should inherit it
		if !ok || text == "" {
			err = fs.ErrNotExist
		}
	default:
		if err = s.refuseInside(home); err == nil {
			text, err = readKeyFile(s.file(home))
		}
	}
	if err != nil {
		return nil, err
	}
	// The decoder's error would quote a part of the key.
	kek, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(kek) != keySize {
		clear(kek)
		return nil, fmt.Errorf("%w: %s does not hold 32 bytes in base64; put the key of this store there, "+
			"or for a new store a random one (%s)", ErrWrongKey, s, makeOne)
	}
	return kek, nil
}

// beside is the place next to a source where a new key waits for its turn.
func (s Source) beside() Source {
	if s.Keychain != nil {
		return Source{Keychain: &Keychain{Service: s.Keychain.Service, Account: s.Keychain.Account + "-next"}}
	}
	return Source{File: s.File + ".next", InHome: s.InHome}
}

// file is where the key file of a source is.
func (s Source) file(home string) string {
	if s.InHome {
		return filepath.Join(home, inHomeName+s.File)
	}
	return s.File
}

// replace puts a key into a source, whatever is there, and reads it back.
func (s Source) replace(kek []byte, home string, v vault) error {
	text := base64.StdEncoding.EncodeToString(kek)
	var err error
	if s.Keychain != nil {
		err = v.set(s.Keychain.Service, s.Keychain.Account, text)
	} else if err = s.refuseInside(home); err == nil {
		if err = ReplaceFile(s.file(home), []byte(text+"\n")); err != nil {
			err = fmt.Errorf("%w: writing the key file: %w", ErrUnavailable, err)
		}
	}
	if err != nil {
		return err
	}
	back, err := s.read(home, v)
	defer clear(back)
	if err == nil && subtle.ConstantTimeCompare(back, kek) != 1 {
		err = errors.New("another key is there")
	}
	if err != nil {
		return fmt.Errorf("%w: the new key was stored in %s but cannot be read back: %w", ErrUnavailable, s, err)
	}
	return nil
}

// remove takes the key out of a source; an absent one is no error.
func (s Source) remove(home string, v vault) error {
	if s.Keychain != nil {
		return v.remove(s.Keychain.Service, s.Keychain.Account)
	}
	if err := removeSynced(s.file(home)); err != nil {
		return fmt.Errorf("%w: removing the key file: %w", ErrUnavailable, err)
	}
	return nil
}

// newKey is a random key-encryption key.
func newKey() ([]byte, error) {
	fresh := make([]byte, keySize)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return fresh, nil
}

// peek is read, but leaves a variable set for later.
func (s Source) peek(home string, v vault) ([]byte, error) {
	if s.EnvVar != "" {
		if text, ok := os.LookupEnv(s.EnvVar); ok {
			defer os.Setenv(s.EnvVar, text)
		}
	}
	return s.read(home, v)
}

// readKeyFile reads a key file that nobody else can.
func readKeyFile(path string) (string, error) {
	f, err := home.Open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("%w: opening the key file: %w", ErrUnavailable, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("%w: checking the key file: %w", ErrUnavailable, err)
	}
	if err := checkPrivate(info); err != nil {
		return "", fmt.Errorf("%w: refusing the key file %s: %w; make it yours alone: chmod 600 %s", ErrUnavailable, path, err, path)
	}
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("%w: reading the key file: %w", ErrUnavailable, err)
	}
	return string(b), nil
}

// refuseInside refuses a key file in the home: a copy of the home would carry
// its own key.
func (s Source) refuseInside(home string) error {
	if s.InHome {
		return nil
	}
	path := s.File
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		dir, err = filepath.Dir(path), nil
	}
	if err != nil {
		return fmt.Errorf("%w: finding the key file: %w", ErrUnavailable, err)
	}
	if rel, err := filepath.Rel(home, dir); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%w: refusing the key file %s: it lies inside %s, next to what it protects; keep it elsewhere", ErrUnavailable, path, home)
	}
	return nil
}

// createKeyFile writes a new key file, whole and durable. If another process
// made one meanwhile, that one stays.
func createKeyFile(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: making the key file's folder: %w", ErrUnavailable, err)
	}
	tmp, err := os.CreateTemp(dir, ".key-*")
	if err != nil {
		return fmt.Errorf("%w: making the key file: %w", ErrUnavailable, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text + "\n")
	if err == nil {
		err = home.Sync(tmp)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		// Unlike a rename, a link never replaces a key.
		if err = os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	if err == nil {
		err = home.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: making the key file: %w", ErrUnavailable, err)
	}
	return nil
}
