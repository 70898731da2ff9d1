package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/storage/seal"
)

// Shard is what one list of AWS shows: the resources of a type in a region of an
// account.
type Shard struct {
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
	Type      string `json:"resource_type"`
}

func (s Shard) String() string {
	return fmt.Sprintf("%s in %s of %s", s.Type, s.Region, s.AccountID)
}

// digests tell of each shard what the collection must hold. They never leave the
// home: a collection that was put back, cut down or filled up by whoever keeps
// it differs from them. Its user keeps calls apart by the lock that writers hold.
//
// A shard is open in the file while it is written to: what is stored of it may
// be ahead of the file, so that after a crash it is not compared.
type digests struct {
	file   *seal.File
	keys   *seal.Keys
	shards map[Shard]*digest
	// unread is why the file was not read, until memory stands in for it.
	unread error
}

// digest is the number of a shard's resources and the sum of their digests.
type digest struct {
	Shard
	Count int    `json:"count"`
	Sum   uint64 `json:"sum,string"`
	Open  bool   `json:"open,omitempty"`
	// Doubtful: the collection held something else, and no list was whole since.
	Doubtful bool `json:"doubtful,omitempty"`
}

// digestsContent is the file's.
type digestsContent struct {
	Format int       `json:"format"`
	Shards []*digest `json:"shards"`
}

const digestsFormat = 1

// load reads the file. fs.ErrNotExist: nothing was stored yet.
func (d *digests) load() error {
	b, err := d.file.Load()
	if err != nil {
		return err
	}
	var c digestsContent
	if err := json.Unmarshal(b, &c); err != nil || c.Format != digestsFormat {
		return fmt.Errorf("the digests of the estate are of an unknown format (%d)", c.Format)
	}
	for _, s := range c.Shards {
		d.shards[s.Shard] = s
	}
	return nil
}

func (d *digests) save() error {
	c := digestsContent{Format: digestsFormat, Shards: make([]*digest, 0, len(d.shards))}
	for _, s := range d.shards {
		if s.Count > 0 || s.Open || s.Doubtful {
			c.Shards = append(c.Shards, s)
		}
	}
	b, err := json.Marshal(c)
	if err == nil {
		err = d.file.Save(b)
	}
	if err != nil {
		return fmt.Errorf("saving the digests of the estate: %w", err)
	}
	return nil
}

func shardOf(k Key) Shard { return Shard{k.AccountID, k.Region, k.Type} }

func (d *digests) of(s Shard) *digest {
	if d.shards[s] == nil {
		d.shards[s] = &digest{Shard: s}
	}
	return d.shards[s]
}

// open marks shards in the file, before they are written to.
func (d *digests) open(shards []Shard) error {
	fresh := false
	for _, s := range shards {
		if x := d.of(s); !x.Open {
			x.Open, fresh = true, true
		}
	}
	if !fresh {
		return nil
	}
	return d.save()
}

// settle saves what was written since.
func (d *digests) settle() error {
	for _, s := range d.shards {
		s.Open = false
	}
	return d.save()
}

// add takes in a record, remove takes one out.
func (d *digests) add(r Record)    { d.count(r, 1) }
func (d *digests) remove(r Record) { d.count(r, -1) }

func (d *digests) count(r Record, n int) {
	x := d.of(shardOf(r.Key))
	x.Count += n
	x.Sum += uint64(n) * d.keys.Digest(fmt.Appendf(nil, "%s\x00%d\x00%d", r.Canonical(), r.Version, r.Digest))
}

// compare takes over what the collection holds, and returns the shards of which
// it holds something else than was stored, with what was found.
func (d *digests) compare(held map[Shard]*digest) map[Shard]error {
	wrong := map[Shard]error{}
	for s, want := range d.shards {
		have := held[s]
		if have == nil {
			have = &digest{Shard: s}
			held[s] = have
		}
		if have.Doubtful = want.Doubtful; have.Doubtful {
			wrong[s] = fmt.Errorf("%w: of %s not all is there that was stored, or something else; scan again", ErrCorrupt, s)
		}
		switch {
		case want.Open || have.Count == want.Count && have.Sum == want.Sum:
		case have.Count == want.Count:
			wrong[s] = fmt.Errorf("%w: of %s other versions are there than were stored; scan again", ErrCorrupt, s)
		default:
			wrong[s] = fmt.Errorf("%w: of %s %d resources are there, %d were stored; scan again", ErrCorrupt, s, have.Count, want.Count)
		}
	}
	for s, have := range held {
		if d.shards[s] == nil {
			wrong[s] = fmt.Errorf("%w: of %s %d resources are there, none were stored; scan again", ErrCorrupt, s, have.Count)
		}
	}
	for s := range wrong {
		held[s].Doubtful = true
	}
	d.shards = held
	return wrong
}

// trustCache is for an index that came from its cache, which goes with the
// digests.
func (e *Estate) trustCache() {
	if e.digests.unread != nil {
		for r := range e.index.All() {
			e.digests.add(r)
		}
		e.digests.unread = nil
		e.cache.changed()
		return
	}
	for s, d := range e.digests.shards {
		if d.Doubtful {
			e.faults.note(s.String(), Problem{Collection: e.name, Message: fmt.Sprintf("%v: of %s not all is there that was stored, or something else; scan again", ErrCorrupt, s)})
		}
	}
	e.doubt()
}

// compareDigests compares the digests with an index that was just built from the
// collection.
func (e *Estate) compareDigests() {
	held := digests{keys: e.keys, shards: map[Shard]*digest{}}
	for r := range e.index.All() {
		held.add(r)
	}
	if err := e.digests.unread; err != nil {
		e.digests.shards, e.digests.unread = held.shards, nil
		if !errors.Is(err, fs.ErrNotExist) {
			e.faults.note("digests", Problem{Message: fmt.Sprintf("whether resources are missing cannot be told: %v; scan again", err)})
		}
		return
	}
	for s, err := range e.digests.compare(held.shards) {
		e.faults.note(s.String(), Problem{Collection: e.name, Message: err.Error()})
	}
	e.doubt()
}

// Doubtful lists the shards of which the collection holds something else than
// was stored: what is absent there may be missing. A whole list of one, told by
// Listed, settles it. It reads memory only and waits for no writer.
func (e *Estate) Doubtful() []Shard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.doubtful
}

// doubt makes Doubtful tell what the digests say.
func (e *Estate) doubt() {
	var all []Shard
	for s, d := range e.digests.shards {
		if d.Doubtful {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Shard) int { return strings.Compare(a.String(), b.String()) })
	e.mu.Lock()
	defer e.mu.Unlock()
	e.doubtful = all
}

// Listed says that all resources of a shard were listed and stored; an empty
// region means every one.
func (e *Estate) Listed(s Shard) {
	if len(e.Doubtful()) == 0 {
		return
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	for have, d := range e.digests.shards {
		if d.Doubtful && have.AccountID == s.AccountID && have.Type == s.Type && (s.Region == "" || have.Region == s.Region) {
			d.Doubtful = false
			e.faults.mended(have.String())
			e.cache.changed()
		}
	}
	e.doubt()
}
