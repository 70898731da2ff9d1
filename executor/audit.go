package executor

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

const (
	auditFile   = "audit.log"
	auditFormat = "cloudops audit 1"
	// A longer line is none of ours: an execution's output is bounded far below.
	maxRecord = 4 << 20
	// maxProblems bounds a report.
	maxProblems = 100
)

// record is one line of the audit file. Prev is the hash of the record before;
// the hash of a record is SHA-256(prev, sealed), so that the chain can be
// checked without the key. The seal binds Seq and Prev too, so that only the
// key's holder can make a chain that holds.
type record struct {
	Seq    uint64 `json:"seq"`
	Prev   string `json:"prev"`
	Sealed []byte `json:"sealed"`
}

func (r record) hash() string {
	prev, err := hex.DecodeString(r.Prev)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append(prev, r.Sealed...))
	return hex.EncodeToString(sum[:])
}

func (r record) place() seal.Place {
	return seal.Place{Collection: "audit", Point: strconv.FormatUint(r.Seq, 10), Field: r.Prev, Version: 1}
}

// content is what a record seals.
type content struct {
	Time      time.Time  `json:"time"`
	Kind      string     `json:"kind"`
	Execution *Execution `json:"execution,omitempty"`
	Text      string     `json:"text,omitempty"`
}

// audit is the append-only log: one sealed record a line, each chained to the
// one before, the end of the chain anchored apart. Safe for concurrent use.
type audit struct {
	keys   *seal.Keys
	anchor *seal.Anchor
	path   string

	mu   sync.Mutex // guards what follows
	file *os.File   // nil when broken
	size int64
	// count and head are the end of the chain.
	count uint64
	head  string
	// anchored is the count last anchored.
	anchored uint64
	// written are the file's times after the last write; others' writes move them.
	written stamp
	// broken is why nothing may be appended, and so why nothing may run.
	broken error
}

// openAudit opens the log of a home and gives each record that authenticates,
// with its place in the file, to each. A log that does not hold is broken: it
// is left untouched and takes no more records. What a crash left of a record
// that was never acknowledged is cut off, and that is noted in the log.
func openAudit(dir string, keys *seal.Keys, now time.Time, each func(Entry, span)) *audit {
	a := &audit{keys: keys, anchor: keys.Anchor("audit"), path: filepath.Join(dir, auditFile)}
	if err := a.open(now, each); err != nil {
		a.broken = err
	}
	return a
}

func (a *audit) open(now time.Time, each func(Entry, span)) error {
	w, err := a.walk(each)
	if err != nil {
		return err
	}
	if len(w.problems) > 0 {
		return fmt.Errorf("the audit log does not hold: %s; look with `cloudops audit verify`, and put %s back from a backup", w.problems[0], a.path)
	}
	f, err := home.Open(a.path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("opening the audit log: %w", err)
	}
	if err := prepare(f, a.path, w.size); err != nil {
		f.Close()
		return fmt.Errorf("opening the audit log: %w", err)
	}
	a.file, a.size, a.count, a.head, a.anchored = f, w.size, w.count, w.head, w.anchored
	if err := a.remember(); err != nil {
		return err
	}
	if at := a.keys.Imported(); !at.IsZero() {
		_, _, err := a.append(content{Time: now, Kind: "local", Text: fmt.Sprintf("the keys were brought back from a recovery file, or moved to another place, at %s; "+
			"that nothing is missing behind the %d records before this one can't be told", at.Format(time.RFC3339), w.count)})
		if err != nil {
			return err
		}
		if err := a.keys.ImportNoted(); err != nil {
			return err
		}
	}
	if w.torn > 0 {
		_, _, err := a.append(content{Time: now, Kind: "local",
			Text: fmt.Sprintf("removed %d bytes of a record that a crash cut short; it was never acknowledged", w.torn)})
		return err
	}
	return nil
}

// prepare makes the file private, durable in its folder and exactly size long.
func prepare(f *os.File, path string, size int64) error {
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := home.Sync(f); err != nil {
		return err
	}
	return home.SyncDir(filepath.Dir(path))
}

// usable is nil, or why nothing can be recorded. It notices at once what others
// did to the file.
func (a *audit) usable() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return a.broken
	}
	return a.unchanged()
}

// append makes a record durable, anchors it and returns it with its place in
// the file. An error means that the caller must not act on the record, though
// it may be in the log.
func (a *audit) append(c content) (Entry, span, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return Entry{}, span{}, a.broken
	}
	if a.anchored != a.count {
		// The anchor never falls behind by more than one record.
		if err := a.saveAnchor(); err != nil {
			return Entry{}, span{}, err
		}
	}
	if err := a.unchanged(); err != nil {
		return Entry{}, span{}, err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return Entry{}, span{}, fmt.Errorf("recording to the audit log: %w", err)
	}
	r := record{Seq: a.count + 1, Prev: a.head}
	if r.Sealed, err = a.keys.Seal(plain, r.place()); err != nil {
		return Entry{}, span{}, fmt.Errorf("recording to the audit log: %w", err)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return Entry{}, span{}, fmt.Errorf("recording to the audit log: %w", err)
	}
	line = append(line, '\n')
	if err := a.write(line); err != nil {
		return Entry{}, span{}, fmt.Errorf("recording to the audit log: %w", err)
	}
	at := span{a.size, len(line)}
	a.size += int64(len(line))
	a.count, a.head = r.Seq, r.hash()
	if err := a.saveAnchor(); err != nil {
		return Entry{}, span{}, err
	}
	return r.entry(c), at, nil
}

// write puts a line on disk whole or not at all; when neither is sure, the log
// takes no more records.
func (a *audit) write(line []byte) error {
	_, err := a.file.WriteAt(line, a.size)
	if err == nil {
		if err = home.Sync(a.file); err == nil {
			return a.remember()
		}
		a.broken = fmt.Errorf("the audit log could not be synced: %w; restart the daemon when the disk is well", err)
		return a.broken
	}
	if back := errors.Join(a.file.Truncate(a.size), home.Sync(a.file)); back != nil {
		a.broken = fmt.Errorf("the audit log could not be written: %w; restart the daemon when the disk is well", errors.Join(err, back))
		return a.broken
	}
	return err
}

// remember takes the times of the file for those of our own last write.
func (a *audit) remember() (err error) {
	if a.written, err = stampOf(a.file); err != nil {
		return fmt.Errorf("checking the audit log: %w", err)
	}
	return nil
}

// unchanged notices that the file was replaced, cut or written by another. Where
// only its times tell of that, all of it is checked anew: it may have been read
// and written back as it was. The caller holds mu.
func (a *audit) unchanged() error {
	mine, err := a.file.Stat()
	if err != nil {
		return fmt.Errorf("checking the audit log: %w", err)
	}
	now, err := stampOf(a.file)
	if err != nil {
		return fmt.Errorf("checking the audit log: %w", err)
	}
	there, err := os.Lstat(a.path)
	switch {
	case err != nil || !os.SameFile(mine, there) || mine.Size() != a.size:
		a.broken = fmt.Errorf("the audit log was changed by something else while it was open: look with `cloudops audit verify`, put %s back from a backup, then restart the daemon", a.path)
	case now != a.written:
		w, err := a.walk(func(Entry, span) {})
		if err != nil {
			w.problem("%v", err)
		}
		if len(w.problems) == 0 && w.head == a.head {
			return a.remember()
		}
		w.problem("it is not what was written")
		a.broken = fmt.Errorf("the audit log was changed by something else while it was open: %s; look with `cloudops audit verify`, put %s back from a backup, then restart the daemon", w.problems[0], a.path)
	}
	return a.broken
}

func (a *audit) saveAnchor() error {
	if err := a.anchor.Save(fmt.Sprintf("%d %s", a.count, a.head)); err != nil {
		return fmt.Errorf("anchoring the audit log in %s: %w", a.anchor.Where(), err)
	}
	a.anchored = a.count
	return nil
}

func (a *audit) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := a.file.Close()
	a.file = nil
	a.broken = errors.New("the audit log is closed")
	return err
}

// span is where a record's line stands in the file.
type span struct {
	at  int64
	len int
}

// read opens the records of spans, in that order. One that can't be opened any
// more is left out; verify tells of it.
func (a *audit) read(spans ...span) ([]Entry, error) {
	if len(spans) == 0 {
		return nil, nil
	}
	f, err := home.Open(a.path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	defer f.Close()
	entries := make([]Entry, 0, len(spans))
	for _, s := range spans {
		line := make([]byte, s.len)
		if _, err := f.ReadAt(line, s.at); err != nil {
			continue
		}
		r, err := decode(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			continue
		}
		if e, err := a.unseal(r); err == nil {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func (a *audit) unseal(r record) (Entry, error) {
	plain, err := a.keys.Open(r.Sealed, r.place())
	if err != nil {
		return Entry{}, fmt.Errorf("opening audit record %d: %w", r.Seq, err)
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return Entry{}, fmt.Errorf("opening audit record %d: %w", r.Seq, err)
	}
	return r.entry(c), nil
}

func (r record) entry(c content) Entry {
	return Entry{Seq: r.Seq, Time: c.Time, Kind: c.Kind, Execution: c.Execution, Text: c.Text, Hash: r.hash(), Previous: r.Prev}
}

// decode reads a line. There is one spelling of every record, so that no byte
// can change unnoticed.
func decode(line []byte) (record, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return r, err
	}
	again, err := json.Marshal(r)
	if err != nil {
		return r, err
	}
	if !bytes.Equal(again, line) || len(r.Prev) != 2*sha256.Size || r.hash() == "" {
		return r, errors.New("not in the form of a record")
	}
	return r, nil
}

// walked is what a walk over the file found.
type walked struct {
	// size is the length of the whole lines, torn what follows them.
	size, torn int64
	count      uint64
	head       string
	anchored   uint64
	problems   []string
}

func (w *walked) problem(format string, args ...any) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, fmt.Sprintf(format, args...))
	}
}

// walk reads the file from its beginning, checks everything and gives the
// records that authenticate to each. The error is for a file or an anchor that
// can't be read.
func (a *audit) walk(each func(Entry, span)) (walked, error) {
	genesis := sha256.Sum256([]byte(auditFormat + " " + a.keys.StoreID()))
	w := walked{head: hex.EncodeToString(genesis[:])}
	// After an import the place of the anchor may be another one, or have been lost
	// with the key: then it vouches for nothing.
	vouches := a.keys.Imported().IsZero()
	var anchor anchored
	if vouches {
		value, err := a.anchor.Load()
		if err == nil {
			anchor, err = parseAnchor(value)
		}
		if err != nil { // what is there can be read all the same
			vouches = false
			w.problem("its anchor in %s cannot be read: %v", a.anchor.Where(), err)
		}
	}
	w.anchored = anchor.count
	switch _, err := os.Lstat(a.path); {
	case errors.Is(err, fs.ErrNotExist):
		if anchor.count > 0 {
			w.problem("the file is gone; its anchor knows of %d records", anchor.count)
		}
		return w, nil
	case err != nil:
		return w, fmt.Errorf("reading the audit log: %w", err)
	}
	f, err := home.Open(a.path, os.O_RDONLY)
	if err != nil {
		return w, fmt.Errorf("reading the audit log: %w", err)
	}
	defer f.Close()
	found := ""
	b := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, whole, length, err := readLine(b)
		if err != nil {
			return w, fmt.Errorf("reading the audit log: %w", err)
		}
		if !whole {
			w.torn = length
			break
		}
		at := span{w.size, int(length)}
		w.size += length
		r, err := decode(line)
		if err != nil {
			w.problem("line %d is not a record", n)
			continue
		}
		switch {
		case r.Seq != w.count+1:
			w.problem("line %d holds record %d where record %d belongs: records are missing, moved or added", n, r.Seq, w.count+1)
		case r.Prev != w.head:
			w.problem("record %d does not continue the one before it", r.Seq)
		}
		if e, err := a.unseal(r); err != nil {
			w.problem("record %d does not open: it was altered, moved or made with another key", r.Seq)
		} else {
			each(e, at)
		}
		w.count, w.head = r.Seq, r.hash()
		if r.Seq == anchor.count {
			found = w.head
		}
	}
	switch {
	case !vouches:
	case anchor.count == 0 && w.count > 1:
		w.problem("its anchor is gone")
	case anchor.count > w.count:
		w.problem("it ends at record %d, its anchor knows of %d: the end was cut off", w.count, anchor.count)
	case w.count > anchor.count+1:
		// A crash leaves it one behind.
		w.problem("it ends at record %d, its anchor knows of %d: the anchor was put back to an older one", w.count, anchor.count)
	case anchor.count > 0 && found != anchor.head:
		w.problem("record %d is not the one that was anchored", anchor.count)
	}
	return w, nil
}

// readLine reads up to a newline. Of a line longer than maxRecord only the
// length is kept.
func readLine(b *bufio.Reader) (line []byte, whole bool, length int64, err error) {
	for {
		part, err := b.ReadSlice('\n')
		length += int64(len(part))
		if length <= maxRecord {
			line = append(line, part...)
		} else {
			line = nil
		}
		switch {
		case err == nil:
			return bytes.TrimSuffix(line, []byte("\n")), true, length, nil
		case errors.Is(err, io.EOF):
			return line, false, length, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, false, length, err
		}
	}
}

type anchored struct {
	count uint64
	head  string
}

func parseAnchor(value string) (anchored, error) {
	if value == "" {
		return anchored{}, nil
	}
	count, head, _ := strings.Cut(value, " ")
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil || len(head) != 2*sha256.Size {
		return anchored{}, errors.New("it is not in the form of an anchor")
	}
	return anchored{n, head}, nil
}

// entries lists the newest entries in order; limit 0 means all.
func (a *audit) entries(limit int) ([]Entry, error) {
	all := []Entry{}
	_, err := a.walk(func(e Entry, _ span) {
		if all = append(all, e); limit > 0 && len(all) >= 2*limit {
			all = append(all[:0], all[len(all)-limit:]...)
		}
	})
	if limit > 0 && len(all) > limit {
		all = all[len(all)-limit:]
	}
	if err != nil && len(all) == 0 {
		return nil, err
	}
	return all, nil
}

// verify checks the file as it is on disk now.
func (a *audit) verify() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	w, err := a.walk(func(Entry, span) {})
	if err != nil {
		w.problem("%v", err)
	}
	if w.torn > 0 {
		w.problem("%d bytes of an unfinished record stand at the end", w.torn)
	}
	if a.broken != nil && len(w.problems) == 0 {
		w.problem("%v", a.broken)
	}
	anchor := fmt.Sprintf("record %d, kept in %s", w.anchored, a.anchor.Where())
	if w.anchored == 0 {
		anchor = "none yet; it will be kept in " + a.anchor.Where()
	}
	return Report{OK: len(w.problems) == 0, Records: int(w.count), Head: w.head, Anchor: anchor, Problems: w.problems}
}
