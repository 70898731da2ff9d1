//go:build !unix || darwin

package seal

import "time"

func checkBus() error { return nil }

// keychainRuns: the keychain is part of the system.
func keychainRuns(time.Duration) (bool, error) { return true, nil }
