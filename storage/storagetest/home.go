package storagetest

import (
	"path/filepath"
	"testing"

	"github.com/cloudops/cloudops/storage/seal"
)

// Home makes a home of its own for a test, and opens its keys; their file lies
// beside it.
func Home(t testing.TB) (dir string, keys *seal.Keys) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(dir, seal.Source{File: filepath.Join(filepath.Dir(dir), "key")})
	if err != nil {
		t.Fatal(err)
	}
	return dir, keys
}
