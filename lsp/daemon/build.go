package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// ThisBuild identifies the running program: a hash of its executable and when
// that was written. What cannot be read stays empty, and hands nothing over.
func ThisBuild(version string) Build {
	b := Build{Version: version}
	path, err := os.Executable()
	if err != nil {
		return b
	}
	f, err := os.Open(path)
	if err != nil {
		return b
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return b
	}
	b.ID = hex.EncodeToString(h.Sum(nil)[:16])
	if info, err := f.Stat(); err == nil {
		b.Time = info.ModTime().UTC()
	}
	return b
}

// replaces reports whether b should serve instead of old.
func (b Build) replaces(old Build) bool {
	return b.ID != "" && old.ID != "" && b.ID != old.ID && b.Time.After(old.Time)
}
