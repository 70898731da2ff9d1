package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloudops/cloudops/storage/seal"
)

// trustFile remembers, sealed, which program was started before.
const trustFile = "data/qdrant-binary"

// known is what trustFile holds.
type known struct {
	Path string `json:"path"`
	// SHA256 of the program, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// find is the program to start: the configured one, or the first in the
// system's folders. The PATH has no say.
func find(configured string) (string, error) {
	if configured != "" {
		if !filepath.IsAbs(configured) {
			return "", fmt.Errorf("qdrant.binary %q must be an absolute path", configured)
		}
		if _, err := os.Stat(configured); err != nil {
			return "", fmt.Errorf("qdrant.binary: %w", err)
		}
		return configured, nil
	}
	for _, dir := range systemFolders() {
		if path := filepath.Join(dir, "qdrant"); isProgram(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no qdrant program in %s: install one (docs/qdrant.md says how), or set qdrant.binary, or use mode: embedded",
		strings.Join(systemFolders(), ", "))
}

func systemFolders() []string {
	return []string{"/usr/local/bin", "/usr/bin", "/opt/homebrew/bin", "/opt/qdrant"}
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// Trust refuses a program that somebody else could have put there, or that
// lies where anything may: each folder above it counts, through links.
func Trust(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	}
	if !isProgram(real) {
		return fmt.Errorf("refusing %s: it is no program", path)
	}
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp", "/dev/shm"} {
		if rel, err := filepath.Rel(dir, real); err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("refusing %s: programs in %s may be anybody's; put it into /usr/local/bin", path, dir)
		}
	}
	for at := real; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return fmt.Errorf("checking %s: %w", path, err)
		}
		if err := unshared(info); err != nil {
			return fmt.Errorf("refusing %s: %s %w", path, at, err)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// Fingerprint is the SHA-256 of a program, in hexadecimal.
func Fingerprint(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// recognise refuses a program that is not the one started before. The first is
// remembered.
func recognise(keys *seal.Keys, path string) error {
	sum, err := Fingerprint(path)
	if err != nil {
		return err
	}
	var k known
	err = keys.File(trustFile).LoadOrSetAside(func(b []byte) error { return json.Unmarshal(b, &k) })
	if errors.Is(err, fs.ErrNotExist) {
		return Remember(keys, path, sum)
	}
	if err != nil {
		return fmt.Errorf("reading which qdrant program is trusted: %w", err)
	}
	if k.SHA256 != sum {
		return fmt.Errorf("refusing %s: it is not the program that was started before (its SHA-256 is now %s, was %s of %s); if you updated it, run: cloudops config trust-qdrant", path, sum, k.SHA256, k.Path)
	}
	return nil
}

// Program is the program that would be started now, and its SHA-256. It is
// checked, but not yet trusted.
func Program(configured string) (path, sum string, err error) {
	if path, err = find(configured); err != nil {
		return "", "", err
	}
	if err = Trust(path); err != nil {
		return "", "", err
	}
	sum, err = Fingerprint(path)
	return path, sum, err
}

// Remember trusts a program from now on.
func Remember(keys *seal.Keys, path, sum string) error {
	b, err := json.Marshal(known{path, sum})
	if err == nil {
		err = keys.File(trustFile).Save(b)
	}
	if err != nil {
		return fmt.Errorf("remembering which qdrant program is trusted: %w", err)
	}
	return nil
}
