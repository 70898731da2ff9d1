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
	read    func(service, account string) (string, error)
	write   func(service, account, text string) error
	erase   func(service, account string) error
}

// systemVault is the keychain of the system.
func systemVault() vault {
	return vault{
		timeout: keychainTimeout,
		read: func(service, account string) (string, error) {
			if err := checkBus(); err != nil {
				return "", err
			}
			return keyring.Get(service, account)
		},
		write: func(service, account, text string) error {
			if err := checkBus(); err != nil {
				return err
			}
			return keyring.Set(service, account, text)
		},
		erase: func(service, account string) error {
			if err := checkBus(); err != nil {
				return err
			}
			return keyring.Delete(service, account)
		},
	}
}

// get returns an entry; fs.ErrNotExist if the keychain has none of that name.
func (v vault) get(service, account string) (string, error) {
	text, _, err := bounded(v.timeout, func() (string, error) {
		text, err := v.read(service, account)
		if errors.Is(err, keyring.ErrNotFound) {
			return "", fs.ErrNotExist
		}
		return text, keychainError("reading", err)
	})
	return text, err
}

// set stores an entry, replacing one of that name. The error of a call that was
// given up is an unfinished.
func (v vault) set(service, account, text string) error {
	_, done, err := bounded(v.timeout, func() (struct{}, error) {
		return struct{}{}, keychainError("writing", v.write(service, account, text))
	})
	select {
	case <-done:
		return err
	default:
		return &unfinished{err, done}
	}
}

// remove deletes an entry; an absent one is no error.
func (v vault) remove(service, account string) error {
	_, _, err := bounded(v.timeout, func() (struct{}, error) {
		err := v.erase(service, account)
		if errors.Is(err, keyring.ErrNotFound) {
			return struct{}{}, nil
		}
		return struct{}{}, keychainError("cleaning up in", err)
	})
	return err
}

// reachable tells whether there is a keychain at all, be it locked. An error
// means that this cannot be told.
func (v vault) reachable() (bool, error) {
	runs, _, err := bounded(v.timeout, func() (bool, error) { return keychainRuns(v.timeout) })
	return runs, err
}

func keychainError(doing string, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s the OS keychain: %w; unlock it (log in to the desktop session) and try again", ErrUnavailable, doing, err)
}

// unfinished is the error of a call that was given up but still runs.
type unfinished struct {
	error
	done <-chan struct{}
}

func (u *unfinished) Unwrap() error { return u.error }

// bounded runs a call that may never return. One that is given up goes on in
// the background until done is closed.
func bounded[T any](limit time.Duration, call func() (T, error)) (_ T, done <-chan struct{}, _ error) {
	var value T
	err := fmt.Errorf("%w: the OS keychain gave an answer that makes no sense", ErrUnavailable)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// The keychain library panics on answers that it doesn't expect.
		defer func() { _ = recover() }()
		value, err = call()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return value, ended, err
	case <-timer.C:
		var none T
		return none, ended, fmt.Errorf("%w: the OS keychain did not answer within %s; it may be waiting for its password: "+
			"unlock it and try again", ErrUnavailable, limit)
	}
}
