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
	// Was is how many resources were stored then.
	Doubtful bool `json:"doubtful,omitempty"`
	Was      int  `json:"was,omitempty"`
}

// digestsContent is the file's.
type digestsContent struct {
	Format int       `json:"format"`
	Shards []*digest `json:"shards"`
}

const digestsFormat = 1

// load reads the file. fs.ErrNotExist: nothing was stored yet.
func (d *digests) load() error {
	var c digestsContent
	err := d.file.LoadOrSetAside(func(b []byte) error {
		err := json.Unmarshal(b, &c)
		if err == nil && c.Format != digestsFormat {
			err = fmt.Errorf("%w: the digests of the estate are of format %d", seal.ErrNewer, c.Format)
		}
		return err
	})
	if err != nil {
		return err
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
		have.Doubtful, have.Was = want.Doubtful, want.Was
		if !have.Doubtful && !want.Open && (have.Count != want.Count || have.Sum != want.Sum) {
			have.Doubtful, have.Was = true, want.Count
		}
	}
	for s, have := range held {
		have.Doubtful = have.Doubtful || d.shards[s] == nil
		if have.Doubtful {
			wrong[s] = have.wrong()
		}
	}
	d.shards = held
	return wrong
}

// wrong says what is doubtful.
func (d *digest) wrong() error {
	if d.Count == d.Was {
		return fmt.Errorf("%w: of %s other versions are there than were stored; scan again", ErrCorrupt, d.Shard)
	}
	return fmt.Errorf("%w: of %s %d resources are there, %d were stored; scan again", ErrCorrupt, d.Shard, d.Count, d.Was)
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
			e.faults.note(s.String(), Problem{Collection: e.name, Message: d.wrong().Error()})
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
			e.faults.note("digests", Problem{Message: fmt.Sprintf("whether resources are missing cannot be told: %v", err), Mend: "read the accounts again: cloudops scan"})
		}
		return
	}
	for s, err := range e.digests.compare(held.shards) {
		e.faults.note(s.String(), Problem{Collection: e.name, Message: err.Error()})
	}
	e.doubt()
}

// doubtAll is for a collection that cannot be read.
func (e *Estate) doubtAll() {
	for _, d := range e.digests.shards {
		if !d.Doubtful {
			d.Doubtful, d.Was, d.Count, d.Sum = true, d.Count, 0, 0
		}
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

// suspect makes the shards of damaged points doubtful, and says in the problems
// which resources they are.
func (e *Estate) suspect(problems []Problem) {
	at := map[string]int{}
	for i, p := range problems {
		if p.Point != "" && strings.HasPrefix(p.Collection, e.name) {
			at[p.Point] = i
		}
	}
	if len(at) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for r := range e.index.All() {
		i, ok := at[e.keys.PointID(r.Canonical())]
		if !ok {
			continue
		}
		problems[i].Message = fmt.Sprintf("%s %s in %s of %s: %s", r.Type, r.ID, r.Region, r.AccountID, problems[i].Message)
		if s := shardOf(r.Key); !slices.Contains(e.doubtful, s) {
			e.doubtful = append(slices.Clip(e.doubtful), s)
		}
	}
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
			d.Doubtful, d.Was = false, 0
			e.faults.mended(have.String())
			e.cache.changed()
		}
	}
	e.doubt() // what is still damaged becomes doubtful again when it is met
}
