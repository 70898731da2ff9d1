package seal

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// memory is a keychain for faults that a real one shows too rarely.
type memory struct {
	mu      sync.Mutex
	entries map[string]string
	writes  int
}

func (m *memory) vault() vault {
	m.entries = map[string]string{}
	return vault{
		timeout: keychainTimeout,
		read: func(service, account string) (string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if text, ok := m.entries[service+"/"+account]; ok {
				return text, nil
			}
			return "", keyring.ErrNotFound
		},
		write: func(service, account, text string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.writes++
			m.entries[service+"/"+account] = text
			return nil
		},
		erase: func(service, account string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if _, ok := m.entries[service+"/"+account]; !ok {
				return keyring.ErrNotFound
			}
			delete(m.entries, service+"/"+account)
			return nil
		},
	}
}

var inKeychain = Source{Keychain: &Keychain{}}

// A store must not begin on a key that the source does not give back.
func TestNoStoreBeginsBeforeItsKeyIsKept(t *testing.T) {
	refused := errors.New("no space left")
	for name, breaks := range map[string]func(*vault){
		"lost":    func(v *vault) { v.write = func(string, string, string) error { return nil } },
		"refused": func(v *vault) { v.write = func(string, string, string) error { return refused } },
		"cut": func(v *vault) {
			write := v.write
			v.write = func(service, account, text string) error { return write(service, account, text[:20]) }
		},
		"panics": func(v *vault) { v.read = func(string, string) (string, error) { panic("signal body") } },
	} {
		v, home := new(memory).vault(), newHome(t)
		breaks(&v)
		k, err := unlock(home, inKeychain, v)
		if k != nil || !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if len(tree(t, home)) > 0 {
			t.Errorf("%s: a store was made", name)
		}
	}
}

// A write that was given up may still arrive, and would then replace the key of
// the store that a second try made.
func TestALateKeyReplacesNone(t *testing.T) {
	var m memory
	v, home := m.vault(), newHome(t)
	prompt, slow, hasty := make(chan struct{}), v, v
	slow.timeout, hasty.timeout = time.Second, 10*time.Millisecond
	slow.write = func(service, account, text string) error {
		<-prompt
		return v.write(service, account, text)
	}
	if _, err := unlock(home, inKeychain, slow); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := unlock(home, inKeychain, hasty); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "try again") {
		t.Fatalf("a second try while the first may still write: %v", err)
	}
	close(prompt)
	k, err := unlock(home, inKeychain, v)
	if err != nil {
		t.Fatal(err)
	}
	again, err := unlock(home, Source{}, v)
	if err != nil || again.StoreID() != k.StoreID() {
		t.Fatal(err)
	}
	if m.writes != 1 {
		t.Errorf("%d keys were written", m.writes)
	}
}
