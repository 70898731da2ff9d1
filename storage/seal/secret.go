package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Secret reads a secret text, such as an API key, from a source; account is
// the keychain entry's when none is named. It is for secrets that are not the
// key-encryption key. A variable stays set: whoever asks again needs it.
func (s Source) Secret(home, account string) (string, error) {
	if s.Keychain != nil && s.Keychain.Account == "" {
		kc := *s.Keychain
		kc.Account = account
		s.Keychain = &kc
	}
	s, err := s.normal(home)
	if err != nil {
		return "", err
	}
	if k := s.Keychain; k != nil && k.Service == defaultService && strings.HasPrefix(k.Account, defaultAccount) {
		return "", fmt.Errorf("refusing %s: a key that wraps a store's is there, which is sent to nobody; name the entry of the other secret", s)
	}
	var text string
	switch {
	case s.Keychain != nil:
		text, err = systemVault().get(s.Keychain.Service, s.Keychain.Account)
	case s.EnvVar != "":
		text = os.Getenv(s.EnvVar)
	case s.File != "":
		text, err = readKeyFile(s.File)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", fmt.Errorf("%w: %s holds nothing; put it there", ErrNoKey, s)
	}
	return text, nil
}
