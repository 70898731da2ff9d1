// Package home is the inventory of CLOUDOPS_HOME: which files lie in it, what is
// lost when one of them is damaged or gone, and what to do then.
//
// Damage to a file costs what its absence costs, never more: what can be made
// anew is set aside under another name (Aside) and made anew, and whoever asks
// is told of it until that file is removed.
package home

import (
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// File is one file of a home, or several of a kind.
type File struct {
	// Pattern is the path as path.Match takes it, relative to the home.
	Pattern string
	// Anew: without it, all but what Lost says is as before.
	Anew bool
	// Lost is what is lost with it, "" for nothing.
	Lost string
	// Mend is what to do about that.
	Mend string
}

// Files lists what may lie in a home. Folders of other programs, such as
// data/qdrant-local, are not ours to list.
func Files() []File {
	const restore = "put it back from a backup"
	return []File{
		{"keyset", false, "without it nothing in the home can be opened", restore + ", or the keys from a recovery file: cloudops key import"},
		{"encryption-is-off.key", false, "without it nothing in the home can be opened", restore},
		{"config.yaml", false, "nothing is served on settings that cannot be read", "correct the line that is named, or write {} into the file to have all defaults"},
		{"profile", true, "the profile that was selected is forgotten", "select it again: cloudops profiles select NAME"},
		{"audit.log", false, "nothing runs until it is whole, and what it recorded may be lost", "look with: cloudops audit verify; then " + restore},
		{"anchor-audit", false, "nothing runs until it is whole", restore},
		{"data/configured", true, "a config.yaml that goes missing while no daemon runs is not missed", ""},
		{"data/user", true, "requests carry a new random user id", ""},
		{"data/ledger", true, "what was read of which account and region is forgotten", "read the accounts again: cloudops scan"},
		{"data/digests", true, "whether resources are missing cannot be told", "read the accounts again: cloudops scan"},
		{"data/index.cache", true, "", ""},
		{"data/mode", true, "the mode of config.yaml is taken for the one that the data is in", "see that qdrant.mode is right"},
		{"data/qdrant-binary", true, "the qdrant program is not known any more", "look at it, then run: cloudops config trust-qdrant"},
		{"data/conversations/*.key", false, "what was said in that conversation cannot be read", restore + ", or delete the conversation"},
		{"data/conversations/*.head", true, "", ""},
		{"data/qdrant/catalogue", true, "", ""},
		{"data/qdrant/catalogue.copy", true, "", ""},
		{"data/qdrant/*/data.db", true, "the resources or the conversations that it held", "read the accounts again: cloudops scan; conversations come back from a backup only"},
		{"data/qdrant/lock", true, "", ""},
		{"daemon.lock", true, "", ""},
		{"keyset.lock", true, "", ""},
		{"log/*", true, "", ""},
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

const aside = ".damaged-"

// AsidePattern matches what Aside adds to a path.
const AsidePattern = aside + "*"

// Aside is the name under which a damaged file is kept.
func Aside(path string, now time.Time) string {
	return path + aside + now.UTC().Format("20060102T150405.000")
}

// IsAside tells whether a file is one that was set aside.
func IsAside(path string) bool { return strings.Contains(filepath.Base(path), aside) }

// Kept is a damaged file that was set aside.
type Kept struct {
	// File is the entry of what it was.
	File
	// Name is that file's path, relative to the home; Path is where it is kept.
	Name, Path string
}

// SetAside lists the files of a home that were set aside.
func SetAside(dir string) []Kept {
	var all []Kept
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error { // what can't be read is passed over
		if err != nil {
			return nil
		}
		if d.IsDir() && d.Name() == "qdrant-local" {
			return fs.SkipDir
		}
		if !IsAside(p) {
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return nil
		}
		name := filepath.ToSlash(rel)
		name = name[:strings.LastIndex(name, aside)]
		if f, ok := Find(name); ok {
			all = append(all, Kept{f, name, p})
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return all
}
