package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/zalando/go-keyring"
)

// vault calls the OS keychain, each call bounded in time.
type vault struct {
	timeout time.Duration
}

// get returns an entry; fs.ErrNotExist if the keychain has none of that name.
func (v vault) get(service, account string) (string, error) {
	return bounded(v.timeout, func() (string, error) {
		if err := checkBus(); err != nil {
			return "", err
		}
		text, err := keyring.Get(service, account)
		if errors.Is(err, keyring.ErrNotFound) {
			return "", fs.ErrNotExist
		}
		return text, keychainError("reading", err)
	})
}

// set stores an entry, replacing one of that name.
func (v vault) set(service, account, text string) error {
	_, err := bounded(v.timeout, func() (struct{}, error) {
		if err := checkBus(); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, keychainError("writing", keyring.Set(service, account, text))
	})
	return err
}

// reachable tells whether there is a keychain at all, be it locked. An error
// means that this cannot be told.
func (v vault) reachable() (bool, error) {
	return bounded(v.timeout, func() (bool, error) { return keychainRuns(v.timeout) })
}

func keychainError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s the OS keychain: %w; unlock it (log in to the desktop session) and try again", ErrUnavailable, doing, err)
}

// bounded runs a call that may never return. A call that is given up goes on
// in the background; what it stored is found the next time.
func bounded[T any](limit time.Duration, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if recover() != nil { // the keychain library trusts what services answer
				r = result{err: fmt.Errorf("%w: the OS keychain gave an answer that makes no sense", ErrUnavailable)}
			}
			done <- r
		}()
		r.value, r.err = call()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var r result
		return r.value, fmt.Errorf("%w: the OS keychain did not answer within %s; it may be waiting for its password: unlock it and try again", ErrUnavailable, limit)
	}
}
