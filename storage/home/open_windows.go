package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Open opens a file of the home with os.OpenFile's flags; no link is opened.
func Open(path string, flag int) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return os.OpenFile(path, flag, 0o600)
}

// Tighten trusts the access list that the profile directory hands down.
func Tighten(string) error { return nil }
