package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is read as an API key goes to a server: never the key of a store.
func TestAStoresKeyIsNoSecretForOthers(t *testing.T) {
	home := t.TempDir()
	for _, s := range []Source{
		{Keychain: &Keychain{Account: "encryption_key"}},
		{Keychain: &Keychain{Service: "cloudops", Account: "encryption_key-0123456789ab-next"}},
	} {
		if text, err := s.Secret(home, "qdrant_api_key"); err == nil || text != "" || !strings.Contains(err.Error(), "sent to nobody") {
			t.Errorf("%v: %q, %v", s, text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "api")
	if err := os.WriteFile(path, []byte("the-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := (Source{File: path}).Secret(home, "qdrant_api_key"); err != nil || text != "the-key" {
		t.Errorf("Secret = %q, %v", text, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := (Source{File: path}).Secret(home, "qdrant_api_key"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a file that others can read: %v", err)
	}
}
