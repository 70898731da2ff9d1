package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrRunning: another daemon serves this home.
var ErrRunning = errors.New("a daemon already serves this home")

const (
	lockName = "daemon.lock"
	// lockPatience outlasts clients that only look whether the lock is held.
	lockPatience = 300 * time.Millisecond
	// handoverGrace is how long a home is kept for the newer build that asked: well
	// below answerTime, so that others still get a daemon if it never comes.
	handoverGrace = 3 * time.Second
)

// errLocked: another open file has the lock.
var errLocked = errors.New("locked")

// lock is the right to serve a home: a file lock that dies with its process. The
// file tells clients the process and its socket.
type lock struct{ file *os.File }

// lockState is the file's content: one line each.
type lockState struct {
	pid    int
	socket string
	// successor is the build time of the client that a daemon made way for at
	// handedOver.
	successor, handedOver time.Time
}

// takeLock locks a home, or returns ErrRunning with the process that has it.
func takeLock(home string, build Build) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(home, lockName), os.O_CREATE|os.O_RDWR|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the daemon's lock: %w", err)
	}
	for end := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err = tryLock(f, true)
		if !errors.Is(err, errLocked) || time.Now().After(end) {
			break
		}
	}
	state := readLock(f)
	switch {
	case errors.Is(err, errLocked):
		f.Close()
		return nil, fmt.Errorf("%w: process %d", ErrRunning, state.pid)
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("locking the home: %w", err)
	case state.expectsNewer(build):
		f.Close()
		return nil, fmt.Errorf("%w: a newer build is about to", ErrRunning)
	}
	return &lock{file: f}, nil
}

// expectsNewer reports whether the home waits for a newer build than this.
func (s lockState) expectsNewer(build Build) bool {
	ago := time.Since(s.handedOver)
	return s.successor.After(build.Time) && ago >= 0 && ago < handoverGrace
}

// record tells clients where the daemon is.
func (l *lock) record(s lockState) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n%s\n", s.pid, s.socket)
	if !s.successor.IsZero() {
		fmt.Fprintf(&b, "%s\n%s\n", s.successor.Format(time.RFC3339Nano), s.handedOver.Format(time.RFC3339Nano))
	}
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("writing the daemon's lock: %w", err)
	}
	if _, err := l.file.WriteAt([]byte(b.String()), 0); err != nil {
		return fmt.Errorf("writing the daemon's lock: %w", err)
	}
	return nil
}

// release gives the home up. A successor keeps it from older builds for a while.
func (l *lock) release(successor time.Time) {
	s := lockState{successor: successor}
	if !successor.IsZero() {
		s.handedOver = time.Now()
	}
	_ = l.record(s)
	l.file.Close()
}

// lockedBy reads what a home's lock says, and whether a daemon holds it.
func lockedBy(home string) (s lockState, held bool) {
	f, err := os.OpenFile(filepath.Join(home, lockName), os.O_RDONLY|noFollow, 0)
	if err != nil {
		return lockState{}, false
	}
	defer f.Close()
	s = readLock(f)
	return s, errors.Is(tryLock(f, false), errLocked)
}

func readLock(f *os.File) (s lockState) {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil {
		return s
	}
	lines := strings.Split(string(b), "\n")
	s.pid, _ = strconv.Atoi(lines[0])
	if len(lines) > 1 {
		s.socket = lines[1]
	}
	if len(lines) > 3 {
		s.successor, _ = time.Parse(time.RFC3339Nano, lines[2])
		s.handedOver, _ = time.Parse(time.RFC3339Nano, lines[3])
	}
	return s
}
