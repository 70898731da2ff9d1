package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"
)

// Build identifies a binary.
type Build struct {
	Version string `json:"version"`
	// ID is a hash of the executable.
	ID string `json:"id"`
	// Time is when the executable was written; the later one serves.
	Time time.Time `json:"time"`
}

// ThisBuild identifies the running program: a hash of its executable's size and
// beginning, and when that was written. What cannot be read stays empty, and
// hands nothing over.
func ThisBuild(version string) Build {
	path, err := os.Executable()
	if err != nil {
		return Build{Version: version}
	}
	return buildOf(path, version)
}

// buildOf hashes no more than the beginning, since every start would wait for
// the rest. Go's linker puts a hash of all of the program there: on Linux a
// note, elsewhere the start of the code. The version is hashed too, for those
// who link without.
func buildOf(path, version string) Build {
	const beginning = 64 << 10
	b := Build{Version: version}
	f, err := os.Open(path)
	if err != nil {
		return b
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return b
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d\n", version, info.Size())
	if _, err := io.Copy(h, io.LimitReader(f, beginning)); err != nil {
		return b
	}
	b.ID, b.Time = hex.EncodeToString(h.Sum(nil)[:16]), info.ModTime().UTC()
	return b
}

// replaces reports whether b should serve instead of old.
func (b Build) replaces(old Build) bool {
	return b.ID != "" && old.ID != "" && b.ID != old.ID && b.written().After(old.written())
}

// written is when a build was made. A time that is yet to come, from a clock
// that went wrong, says nothing: it would never be replaced, or end a daemon
// for nothing.
func (b Build) written() time.Time {
	const clocks = 24 * time.Hour // that zones and clocks may differ by
	if b.Time.After(time.Now().Add(clocks)) {
		return time.Time{}
	}
	return b.Time
}
