package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// config is config.yaml: the storage settings at the top level, the rest
// below. Every key may be absent; an unknown key is an error.
type config struct {
	storage.Config `yaml:",inline"`

	Encryption encryptionConfig `json:"encryption,omitzero" yaml:"encryption,omitempty"`
	AWS        scanner.Config   `json:"aws,omitzero" yaml:"aws,omitempty"`
	Policy     executor.Config  `json:"policy,omitzero" yaml:"policy,omitempty"`
	// UserID goes with requests to a backend; empty means the random one made at first run.
	UserID string       `json:"user_id,omitempty" yaml:"user_id,omitempty"`
	Daemon daemonConfig `json:"daemon,omitzero" yaml:"daemon,omitempty"`

	home string
	// said: the file says something, be it only a comment's worth of nothing.
	said bool
}

// encryptionConfig says whether what is stored is protected, and where the key is.
type encryptionConfig struct {
	// Enabled is true unless set to false: then the key lies open in the home, and
	// whoever gets hold of the home reads everything. Only the embedded engine
	// takes that. Change it on an existing store with `cloudops key move`.
	Enabled *bool `json:"enabled,omitempty" yaml:"enabled,omitempty"`
	// KeySource is where the key is kept; it counts while Enabled is true.
	KeySource seal.Source `json:"key_source,omitzero" yaml:"key_source,omitempty"`
}

// off: encryption is switched off.
func (e encryptionConfig) off() bool { return e.Enabled != nil && !*e.Enabled }

// source is where the key has to be.
func (e encryptionConfig) source() seal.Source {
	if e.off() {
		return seal.Source{InHome: true}
	}
	return e.KeySource
}

// daemonConfig is about the process that owns the home.
type daemonConfig struct {
	// IdleMinutes before a daemon without clients ends; 0 means 30.
	IdleMinutes int `json:"idle_minutes,omitempty" yaml:"idle_minutes,omitempty"`
}

// secretVariables are the environment variables that hold secrets.
func (c config) secretVariables() []string {
	var names []string
	for _, src := range []seal.Source{c.Encryption.source(), c.Qdrant.APIKey} {
		if src.EnvVar != "" {
			names = append(names, src.EnvVar)
		}
	}
	return names
}

func (c config) idle() time.Duration { return time.Duration(c.Daemon.IdleMinutes) * time.Minute }

// homeDir is the folder that holds everything. One that is a link, such as to
// another disk, is the folder that the link leads to.
func homeDir() (string, error) {
	home := os.Getenv("CLOUDOPS_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("finding the home directory: %w; set CLOUDOPS_HOME", err)
		}
		home = filepath.Join(user, ".cloudops")
	}
	if !filepath.IsAbs(home) {
		return "", usageError{fmt.Errorf("CLOUDOPS_HOME must be an absolute path")}
	}
	home = filepath.Clean(home)
	info, err := os.Lstat(home)
	if err != nil || info.Mode().Type() != fs.ModeSymlink {
		return home, nil // one that is not there yet is made
	}
	if !ownedByUser(info) {
		return "", fmt.Errorf("refusing the home %s: it is a link that another user made; set CLOUDOPS_HOME to a folder of your own", home)
	}
	real, err := filepath.EvalSymlinks(home)
	if err != nil {
		return "", fmt.Errorf("following the link %s: %v; mount or make the folder that it leads to, or set CLOUDOPS_HOME to another", home, err)
	}
	return real, nil
}

// loadConfig reads config.yaml of the home; an absent file is all defaults.
func loadConfig() (config, error) {
	home, err := homeDir()
	if err != nil {
		return config{}, err
	}
	if err := daemon.CheckHome(home, workspaces()); err != nil {
		return config{}, err
	}
	text, there, err := readConfig(home)
	if err != nil {
		return config{}, err
	}
	return parseConfig(home, text, there)
}

// readConfig reads the home's config.yaml, if there is one. A link that leads
// nowhere is none that is absent: what it said is not known.
func readConfig(home string) (text []byte, there bool, err error) {
	path := config{home: home}.path()
	text, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
		return nil, false, fmt.Errorf("reading the configuration: %s is a link that leads nowhere; put the file there, or remove the link", path)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading the configuration: %w", err)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), true, nil
}

// parseConfig reads the text of the home's config.yaml, if there is one.
func parseConfig(home string, text []byte, there bool) (config, error) {
	c := config{home: home}
	path := c.path()
	var texts []string
	if there {
		err := ownFile(path)
		if err != nil {
			return config{}, err
		}
		if texts, err = checkYAML(text); err != nil {
			return config{}, fmt.Errorf("reading %s: %w", path, err)
		}
		if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
			return config{}, fmt.Errorf("reading %s: %sit is not as it must be", path, position(err))
		}
	}
	c.home, c.said = home, len(bytes.TrimSpace(text)) > 0 // a file without keys makes all of it empty
	if c.DataPath == "" {
		c.DataPath = filepath.Join(home, "data")
	}
	if err := c.validate(path); err != nil {
		return c, errors.New(withoutValues(err.Error(), texts))
	}
	return c, nil
}

// outdated reports whether config.yaml says something else by now. One that is
// wrong, or gone, or emptied says nothing: what runs goes on, and the policy
// closes.
func (c config) outdated() bool {
	now, err := loadConfig()
	if err != nil || c.said && !now.said {
		return false
	}
	c.said = now.said
	return !reflect.DeepEqual(now, c)
}

// liveConfig is the home's configuration of this moment, for what is in force as
// soon as it is written. Safe for concurrent use.
type liveConfig struct {
	home string

	mu sync.Mutex // guards what follows
	// text is the file as it was read last, empty while there was none.
	text []byte
	c    config
	err  error
}

// configured is the file by which a home knows that a config.yaml was in force,
// also before the daemon that asks. It lies with the data, and goes with it.
const configured = "data/configured"

// errGone: what config.yaml said is not known, and "nothing" would be a guess.
var errGone = errors.New("config.yaml is gone or empty, and what it said is not known; put it back, or write {} into it to go on with all defaults")

// gone is errGone where a file was in force and there is none, or nothing in it.
func gone(home string, text []byte) error {
	if len(bytes.TrimSpace(text)) > 0 {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(home, configured)); err != nil {
		return nil // a home that never had one has all defaults
	}
	return errGone
}

// remember lets the home know that its config.yaml is in force; one without a
// store has nothing to be guarded yet.
func remember(home string) error {
	path := filepath.Join(home, configured)
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	err := seal.ReplaceFile(path, []byte("A config.yaml was in force here. Without one nothing is changed in AWS.\n"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("noting that there is a config.yaml: %w", err)
	}
	return nil
}

// now reads the file, and parses it where it is another than the last time. A
// file that was there and is gone or empty is errGone.
func (l *liveConfig) now() (config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, there, err := readConfig(l.home)
	switch {
	case err != nil:
		return config{}, err
	case len(l.text) > 0 && len(bytes.TrimSpace(text)) == 0:
		return config{}, errGone
	case gone(l.home, text) != nil:
		return config{}, errGone
	case len(l.text) > 0 && bytes.Equal(text, l.text):
		// That others can write it by now is noticed all the same.
		return l.c, errors.Join(l.err, ownFile(config{home: l.home}.path()))
	}
	l.c, l.err = parseConfig(l.home, text, there)
	if len(bytes.TrimSpace(text)) > 0 {
		l.text = text
		if l.err == nil {
			l.err = remember(l.home)
		}
	}
	return l.c, l.err
}

// policy is what commands may do now.
func (l *liveConfig) policy() (executor.Config, error) {
	c, err := l.now()
	return c.Policy, err
}

func (c config) path() string { return filepath.Join(c.home, "config.yaml") }

func (c config) validate(path string) error {
	checks := []error{c.Config.Validate(), c.AWS.Validate(), c.Policy.Validate()}
	if c.Daemon.IdleMinutes < 0 {
		checks = append(checks, errors.New("daemon.idle_minutes: must not be negative"))
	}
	if mode := c.Config.Effective().Qdrant.Mode; c.Encryption.off() && mode != "embedded" {
		checks = append(checks, fmt.Errorf("encryption.enabled: false is for the embedded engine only, but qdrant.mode is %s: set it to true", mode))
	}
	if c.Encryption.off() && c.S3Backup != nil {
		checks = append(checks, errors.New("encryption.enabled: false is for this machine only, but there is an s3_backup: set it to true"))
	}
	if samePlace(c.Qdrant.APIKey, c.Encryption.source()) {
		checks = append(checks, errors.New("qdrant.api_key: the encryption key is there, which is sent to nobody; name the place of the API key"))
	}
	if c.DataPath != filepath.Join(c.home, "data") {
		checks = append(checks, errors.New("data_path: must be the folder data of CLOUDOPS_HOME in this version"))
	}
	if err := errors.Join(checks...); err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	return nil
}

// samePlace tells whether two sources that name a place name the same one.
func samePlace(a, b seal.Source) bool {
	return a.EnvVar != "" && a.EnvVar == b.EnvVar || a.File != "" && filepath.Clean(a.File) == filepath.Clean(b.File) ||
		a.Keychain != nil && b.Keychain != nil && a.Keychain.Account != "" && *a.Keychain == *b.Keychain
}

// ownFile refuses a configuration that somebody else could have written.
func ownFile(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || !ownedByUser(info) {
		return fmt.Errorf("refusing %s: it must be a regular file that only you can write (chmod 600)", path)
	}
	return nil
}
