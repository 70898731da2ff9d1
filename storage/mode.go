package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/seal"
)

// modeFile remembers where the data of the home is. A mode that was changed by
// hand would leave an empty estate beside a ledger that calls it complete.
const modeFile = "mode"

func modes() []string { return []string{endpoint.Embedded, endpoint.Local, endpoint.Remote} }

func (c QdrantConfig) validate() error {
	var errs []error
	if !slices.Contains(modes(), c.Mode) {
		errs = append(errs, fmt.Errorf("qdrant.mode %q: must be embedded, local or remote", c.Mode))
	}
	if c.Mode == endpoint.Remote || c.URL != "" {
		if _, _, _, err := endpoint.Address(c.URL); err != nil {
			errs = append(errs, fmt.Errorf("qdrant.url: %w", err))
		}
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		errs = append(errs, errors.New("qdrant.tls: cert_file and key_file go together"))
	}
	for name, path := range map[string]string{
		"tls.ca_file": c.TLS.CAFile, "tls.cert_file": c.TLS.CertFile, "tls.key_file": c.TLS.KeyFile,
		"binary": c.Binary, "storage_path": c.StoragePath,
	} {
		if path != "" && !filepath.IsAbs(path) {
			errs = append(errs, fmt.Errorf("qdrant.%s %q: must be an absolute path", name, path))
		}
	}
	return errors.Join(errs...)
}

// endpoint is how to reach the Qdrant of the configuration.
func (c Config) endpoint(keys *seal.Keys) (endpoint.Config, error) {
	dir, err := c.storagePath()
	if err != nil {
		return endpoint.Config{}, err
	}
	q := c.Qdrant
	e := endpoint.Config{
		Mode: q.Mode, Dir: dir, Keys: keys,
		URL: q.URL, CAFile: q.TLS.CAFile, CertFile: q.TLS.CertFile, KeyFile: q.TLS.KeyFile,
		Binary: q.Binary, Log: filepath.Join(keys.Home(), "log", "qdrant.log"),
	}
	if q.Mode == endpoint.Remote && q.APIKey != (seal.Source{}) {
		if e.APIKey, err = q.APIKey.Secret(keys.Home(), "qdrant_api_key"); err != nil {
			return endpoint.Config{}, fmt.Errorf("qdrant.api_key: %w", err)
		}
	}
	return e, nil
}

// storagePath is the folder of the embedded engine or of a local Qdrant.
func (c Config) storagePath() (string, error) {
	name := "qdrant"
	if c.Qdrant.Mode == endpoint.Local {
		name = "qdrant-local" // the engine's folder is nothing to a server
	}
	usual := filepath.Join(c.DataPath, name)
	if c.Qdrant.StoragePath == "" {
		return usual, nil
	}
	path := filepath.Clean(c.Qdrant.StoragePath)
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	if rel, err := filepath.Rel(c.DataPath, path); err != nil || !filepath.IsLocal(rel) || rel == "." {
		return "", fmt.Errorf("qdrant.storage_path %s: must lie in data_path %s", c.Qdrant.StoragePath, c.DataPath)
	}
	return path, nil
}

// bindMode refuses a mode other than the one that the home's data is in.
func bindMode(c Config) error {
	now, err := c.dataModes()
	switch {
	case err != nil:
		return err
	case len(now) == 0 || len(now) == 1 && now[0] == c.Qdrant.Mode:
		return nil
	case slices.Contains(now, c.Qdrant.Mode):
		return c.rememberMode(c.Qdrant.Mode)
	}
	return fmt.Errorf("qdrant.mode is %s, but the data of this home is in mode %s: set it back to %[2]s, and move the data with: cloudops migrate --to %[1]s", c.Qdrant.Mode, now[0])
}

// settleMode remembers the first mode, once its Qdrant was reached: a mistyped
// address must not bind a home that has nothing yet.
func settleMode(c Config) error {
	now, err := c.dataModes()
	if err != nil || len(now) > 0 {
		return err
	}
	return c.rememberMode(c.Qdrant.Mode)
}

// dataModes are the modes that hold the home's data: none yet, one, or two for
// the moment in which a migration switches.
func (c Config) dataModes() ([]string, error) {
	path := filepath.Join(c.DataPath, modeFile)
	b, err := seal.ReadFile(path)
	found := strings.Fields(string(b))
	switch {
	case err == nil && len(found) > 0 && len(found) <= 2 && !slices.ContainsFunc(found, func(m string) bool { return !slices.Contains(modes(), m) }):
		return found, nil
	case !errors.Is(err, fs.ErrNotExist):
		// It is damaged, and config.yaml says it once more.
		if _, err := seal.SetAside(path); err != nil {
			return nil, fmt.Errorf("reading which mode the data is in: %w", err)
		}
		return []string{c.Qdrant.Mode}, c.rememberMode(c.Qdrant.Mode)
	}
	// Homes of earlier versions have no such file.
	if _, err := os.Stat(filepath.Join(c.DataPath, "qdrant")); err == nil {
		return []string{endpoint.Embedded}, c.rememberMode(endpoint.Embedded)
	}
	return nil, nil
}

// rememberMode replaces the file as a whole.
func (c Config) rememberMode(mode string) error {
	path := filepath.Join(c.DataPath, modeFile)
	err := os.MkdirAll(c.DataPath, 0o700)
	if err == nil {
		err = seal.ReplaceFile(path, []byte(mode+"\n"))
	}
	if err != nil {
		return fmt.Errorf("remembering which mode the data is in: %w", err)
	}
	return nil
}

// QdrantProgram is the program that mode local would start, and its SHA-256.
func QdrantProgram(c Config) (path, sum string, err error) { return endpoint.Program(c.Qdrant.Binary) }

// TrustQdrant lets mode local start that program from now on.
func TrustQdrant(keys *seal.Keys, path, sum string) error { return endpoint.Remember(keys, path, sum) }
