// Package home is the inventory of CLOUDOPS_HOME: which files lie in it, whose
// they are and of what nature, what is lost when one of them is damaged or gone,
// and what to do then. List is what a home holds, with the entry of each.
//
// The inventory is one list, not registered by the owners: the keys are renewed,
// moved and imported where no owner of a file is open, or linked in, and what is
// looked at then must not depend on that.
//
// Damage to a file costs what its absence costs, never more: what can be made
// anew is set aside under another name (Aside) and made anew, and whoever asks
// is told of it until that file is removed.
package home

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Nature is what a file is to a copy of the home, and to who finds one.
type Nature uint8

const (
	// Secret files hold keys, be they wrapped.
	Secret Nature = 1 << iota
	// Sealed files say nothing of the estate to who lacks the keys.
	Sealed
	// Derived files, all of them together, may be deleted while no daemon runs:
	// nothing is lost, and they come back.
	Derived
	// Plain files can be read by who has the home; nothing of the estate is in them.
	Plain
)

// File is one file of a home, or several of a kind.
type File struct {
	// Pattern is the path as path.Match takes it, relative to the home.
	Pattern string
	// Owner is the package that reads and writes it.
	Owner  string
	Nature Nature
	// Anew: without it, all but what Lost says is as before.
	Anew bool
	// Lost is what is lost with it, "" for nothing.
	Lost string
	// Mend is what to do about that.
	Mend string
}

// Is tells whether a file is of all these natures.
func (f File) Is(n Nature) bool { return f.Nature&n == n }

// Files lists what may lie in a home. Folders of other programs, such as
// data/qdrant-local, are not ours to list.
func Files() []File {
	const restore = "put it back from a backup"
	return []File{
		{"keyset", "storage/seal", Secret, false, "without it nothing in the home can be opened", restore + ", or the keys from a recovery file: cloudops key import"},
		{"encryption-is-off.key", "storage/seal", Secret, false, "without it nothing in the home can be opened", restore},
		{"encryption-is-off.key.next", "storage/seal", Secret, false, "a change of keys that was cut short cannot be finished", restore},
		{"config.yaml", "cmd/cloudops", Plain, false, "nothing is served on settings that cannot be read", "correct the line that is named, or write {} into the file to have all defaults"},
		{"profile", "cmd/cloudops", Plain, true, "the profile that was selected is forgotten", "select it again: cloudops profiles select NAME"},
		{"audit.log", "executor", Sealed, false, "nothing runs until it is whole, and what it recorded may be lost", "look with: cloudops audit verify; then " + restore},
		{"anchor-audit", "storage/seal", Sealed, false, "nothing runs until it is whole", restore},
		{"data/configured", "cmd/cloudops", Plain, true, "a config.yaml that goes missing while no daemon runs is not missed", ""},
		{"data/user", "cmd/cloudops", Sealed, true, "requests carry a new random user id", ""},
		{"data/ledger", "scanner", Sealed, true, "what was read of which account and region is forgotten", "read the accounts again: cloudops scan"},
		{"data/digests", "storage", Sealed, true, "whether resources are missing cannot be told", "read the accounts again: cloudops scan"},
		{"data/index.cache", "storage", Sealed | Derived, true, "", ""},
		{"data/mode", "storage", Plain, true, "the mode of config.yaml is taken for the one that the data is in", "see that qdrant.mode is right"},
		{"data/qdrant-binary", "storage/endpoint", Sealed, true, "the qdrant program is not known any more", "look at it, then run: cloudops config trust-qdrant"},
		{"data/conversations/*.key", "storage/seal", Secret, false, "what was said in that conversation cannot be read", restore + ", or delete the conversation"},
		{"data/conversations/*.head", "storage", Sealed, true, "", ""},
		{"data/qdrant/catalogue", "storage/engine", Sealed, true, "", ""},
		{"data/qdrant/catalogue.copy", "storage/engine", Sealed | Derived, true, "", ""},
		{"data/qdrant/*/data.db", "storage/engine", Sealed, true, "the resources or the conversations that it held", "read the accounts again: cloudops scan; conversations come back from a backup only"},
		{"data/qdrant/*/salvaged.db", "storage/engine", Sealed | Derived, true, "", ""},
		{"data/qdrant/lock", "storage/engine", Plain | Derived, true, "", ""},
		{"daemon.lock", "lsp/daemon", Plain | Derived, true, "", ""},
		{"keyset.lock", "storage/seal", Plain | Derived, true, "", ""},
		{"log/*", "lsp/daemon", Plain | Derived, true, "", ""},
	}
}

// Find is the entry of a path relative to the home, with slashes.
func Find(name string) (File, bool) {
	for _, f := range Files() {
		if ok, _ := path.Match(f.Pattern, name); ok { // the patterns are well-formed
			return f, true
		}
	}
	return File{}, false
}

// Entry is what lies in a home under one name.
type Entry struct {
	// File is its entry in the inventory, if it is Known there.
	File
	Known bool
	// Left tells what a crash left of an unfinished file, or what was damaged and
	// set aside; it goes by the name that it was to have, or had.
	Left bool
	// Name is the path relative to the home, with slashes; Path is where it is.
	Name, Path string
}

// List lists the files of a home. What can't be read is an error beside what can.
func List(dir string) (all []Entry, err error) {
	err = walk(dir, func(name string, d fs.DirEntry) error {
		was := strings.TrimSuffix(name, ".tmp")
		if IsAside(name) {
			was = name[:strings.LastIndex(name, aside)]
		} else if !d.Type().IsRegular() {
			return nil
		}
		f, known := Find(was)
		all = append(all, Entry{f, known, was != name, was, filepath.Join(dir, filepath.FromSlash(name))})
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return all, err
}

// walk visits what lies in a home, itself included. What is gone meanwhile is
// passed over, and so is the folder of a qdrant program, which keeps it as it
// likes.
func walk(dir string, visit func(name string, d fs.DirEntry) error) error {
	var unread []error
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			unread = append(unread, err)
			return nil
		case d.IsDir() && d.Name() == "qdrant-local":
			return fs.SkipDir
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(rel), d)
	})
	return errors.Join(append(unread, err)...)
}

const aside = ".damaged-"

// AsidePattern matches what Aside adds to a path.
const AsidePattern = aside + "*"

// Aside is the name under which a damaged file is kept.
func Aside(path string, now time.Time) string {
	return path + aside + now.UTC().Format("20060102T150405.000")
}

// IsAside tells whether a file is one that was set aside.
func IsAside(path string) bool { return strings.Contains(filepath.Base(path), aside) }

// SetAside lists the files of a home that were set aside.
func SetAside(dir string) (kept []Entry) {
	all, _ := List(dir) // what can't be read is passed over
	for _, e := range all {
		if e.Known && IsAside(e.Path) {
			kept = append(kept, e)
		}
	}
	return kept
}
