package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

const (
	logName = "daemon.log"
	// maxLog is the size at which the log is put aside, in bytes.
	maxLog = 4 << 20
)

// Log is w for the records of a home's daemon. Where w is the home's log, as in
// a daemon that a client started, it is put aside as daemon.log.1 whenever it
// has grown long. It takes one writer at a time.
func Log(home string, w io.Writer) io.Writer {
	path := filepath.Join(home, "log", logName)
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	info, err := f.Stat()
	if err != nil {
		return w
	}
	if named, err := os.Lstat(path); err != nil || !os.SameFile(info, named) {
		return w
	}
	return &boundedLog{file: f, path: path, size: info.Size()}
}

// boundedLog is a log that is open for appending.
type boundedLog struct {
	file *os.File
	path string
	size int64
}

func (l *boundedLog) Write(b []byte) (int, error) {
	if l.size+int64(len(b)) > maxLog {
		// What this process says as it crashes goes to the same open file, so that
		// its content is moved, not the file. A full disk costs the old records.
		_ = copyFile(l.path, l.path+".1")
		if err := l.file.Truncate(0); err != nil {
			return 0, fmt.Errorf("emptying the daemon's log: %w", err)
		}
		l.size = 0
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	return n, err
}

// copyFile replaces a file that only the user can read with the content of
// another.
func copyFile(from, to string) error {
	in, err := os.OpenFile(from, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY|noFollow, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// openLog opens the daemon's log for appending, and says where what follows
// begins.
func openLog(home string) (f *os.File, from int64, err error) {
	dir := filepath.Join(home, "log")
	for _, d := range []string{home, dir} {
		if err := privateDir(d); err != nil {
			return nil, 0, err
		}
	}
	f, err = os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND|noFollow, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the daemon's log: %w", err)
	}
	if info, err := f.Stat(); err == nil {
		from = info.Size()
	}
	return f, from, nil
}

// written is what was written to a log since an offset, if long its end.
func written(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 16 << 10
	if info, err := f.Stat(); err == nil && info.Size()-from > most {
		from = info.Size() - most
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return ""
	}
	return string(b)
}

// lastWords is the last line that was meant for people: no record of the log.
func lastWords(text string) string {
	for _, line := range slices.Backward(strings.Split(text, "\n")) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, line))
		if line != "" && line[0] != '{' {
			return line
		}
	}
	return ""
}
