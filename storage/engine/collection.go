package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// point is what memory holds of a stored point. It never changes; a write
// replaces it.
type point struct {
	id  uuid.UUID
	seq uint64
	// values are by index: an integer itself, a keyword as its word number,
	// or none.
	values []int64
	// damaged: the head does not open. The point is known, and unreadable.
	damaged bool
}

// collection is one open data file and its memory.
type collection struct {
	name   string
	place  string
	config *qdrant.CreateCollection
	keys   *seal.Keys
	db     *bbolt.DB

	// writing lets one writer at a time choose sequence numbers, commit and publish.
	writing sync.Mutex
	next    uint64

	// mu guards the fields below.
	mu      sync.RWMutex
	indexes []fieldIndex
	paths   [][]string
	// points are in order of their ids.
	points []*point
	words  map[string]int64
	// faults are problems by sequence number; 0 is the file itself.
	faults map[uint64]Problem
}

func dataFile(dir string) string { return filepath.Join(dir, "data.db") }

func headsBucket() []byte  { return []byte("heads") }
func bodiesBucket() []byte { return []byte("bodies") }

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func openDB(path string) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: another cloudops process owns this data; use it, or end it first", ErrInUse)
	}
	return db, err
}

// createCollection makes the data file of a new collection, durable on return.
func createCollection(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	db, err := openDB(dataFile(dir))
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{headsBucket(), bodiesBucket()} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, db.Close(), syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// openCollection checks a data file and loads its heads.
func openCollection(dir string, e entry, keys *seal.Keys) (*collection, error) {
	c := &collection{
		name: e.Name, place: "engine/" + e.Dir, keys: keys, config: &qdrant.CreateCollection{},
		words: map[string]int64{}, faults: map[uint64]Problem{}, next: 1,
	}
	if err := proto.Unmarshal(e.Config, c.config); err != nil {
		return nil, fmt.Errorf("%w: decoding its configuration: %v", ErrCorrupt, err)
	}
	for _, i := range e.Indexes {
		path, ok := parsePath(i.Field)
		if !ok {
			return nil, fmt.Errorf("%w: its index %q is malformed", ErrCorrupt, i.Field)
		}
		c.indexes, c.paths = append(c.indexes, i), append(c.paths, path)
	}
	file := dataFile(dir)
	hint := fmt.Sprintf("nothing was changed; restore %s from a backup, or move the folder %s away and scan again", file, filepath.Dir(dir))
	stale, err := check(file)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: the file is gone", ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, hint)
	}
	if stale {
		c.faults[0] = Problem{Collection: c.name, Message: "a header of " + file + " is damaged; the write before the damage may be missing, a scan brings it back"}
	}
	err = guarded(func() error {
		if c.db, err = openDB(file); err != nil {
			return err
		}
		return c.load()
	})
	if err != nil {
		if c.db != nil {
			err = errors.Join(err, c.db.Close())
		}
		if !errors.Is(err, ErrInUse) && !errors.Is(err, seal.ErrWrongKey) && !errors.Is(err, ErrCorrupt) {
			err = fmt.Errorf("%w: %v", ErrCorrupt, err)
		}
		return nil, fmt.Errorf("%w; %s", err, hint)
	}
	return c, nil
}

// load opens all heads. A head that does not open costs its point only.
func (c *collection) load() error {
	return c.db.View(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		if heads == nil || bodies == nil {
			return fmt.Errorf("%w: a bucket is missing", ErrCorrupt)
		}
		type stored struct{ key, value, body []byte }
		var all []stored
		cursor := bodies.Cursor()
		bk, bv := cursor.First()
		err := heads.ForEach(func(k, v []byte) error {
			for bk != nil && bytes.Compare(bk, k) < 0 {
				bk, bv = cursor.Next()
			}
			s := stored{key: k, value: v}
			if bytes.Equal(bk, k) {
				s.body = bv
			}
			all = append(all, s)
			return nil
		})
		if err != nil {
			return err
		}
		points := make([]*point, len(all))
		var g errgroup.Group
		for part := range slices.Chunk(indices(len(all)), max(1, len(all)/runtime.GOMAXPROCS(0)+1)) {
			g.Go(func() error {
				return guarded(func() error {
					for _, i := range part {
						points[i] = c.loadPoint(all[i].key, all[i].value, all[i].body)
					}
					return nil
				})
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, p := range points {
			c.next = max(c.next, p.seq+1)
		}
		slices.SortFunc(points, func(a, b *point) int {
			// Of two records of one id the later write counts.
			return cmp.Or(bytes.Compare(a.id[:], b.id[:]), -cmp.Compare(a.seq, b.seq))
		})
		c.points = slices.CompactFunc(points, func(a, b *point) bool { return a.id == b.id })
		return nil
	})
}

func indices(n int) []int {
	is := make([]int, n)
	for i := range is {
		is[i] = i
	}
	return is
}

func (c *collection) loadPoint(key, value, body []byte) *point {
	p := &point{}
	if len(key) == 8 {
		p.seq = binary.BigEndian.Uint64(key)
	}
	h, err := c.openHead(p.seq, value)
	if err == nil {
		p.id = h.id
		p.values, err = c.evaluate(h, func() ([]byte, error) { return c.openBody(p.seq, body) })
	}
	if err != nil {
		p.damaged = true
		if len(value) >= len(p.id) {
			copy(p.id[:], value)
		}
		c.fault(p)
	}
	return p
}

// evaluate finds the values of all indexes. body is called when an indexed
// value lies there.
func (c *collection) evaluate(h head, body func() ([]byte, error)) ([]int64, error) {
	values := make([]int64, len(c.indexes))
	for i, path := range c.paths {
		from := h.small
		if slices.Contains(h.large, path[0]) {
			var err error
			if from, err = body(); err != nil {
				return nil, err
			}
		}
		v, err := lookup(from, path)
		if err != nil {
			return nil, err
		}
		values[i] = none
		switch {
		case v.kind == list:
			return nil, status.Errorf(codes.Unimplemented, "the embedded engine does not index arrays, such as the one in %q", c.indexes[i].Field)
		case v.kind == keyword && c.indexes[i].Type == "keyword":
			values[i] = c.word(v.s)
		case v.kind == integer && c.indexes[i].Type == "integer":
			// The least integer stands for no value; nothing else needs it.
			values[i] = max(v.n, none+1)
		}
	}
	return values, nil
}

// word numbers a keyword, so that equal ones take no memory.
func (c *collection) word(s string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.words[s]
	if !ok {
		n = int64(len(c.words))
		c.words[s] = n
	}
	return n
}

func (c *collection) at(seq uint64, field string) seal.Place {
	return seal.Place{Collection: c.place, Point: strconv.FormatUint(seq, 10), Field: field}
}

// A stored head begins with the id in the clear: should the seal not open, it
// tells which point is lost. The id inside the seal is the one that counts.
func (c *collection) openHead(seq uint64, b []byte) (head, error) {
	if len(b) < 16 {
		return head{}, errMalformed
	}
	plain, err := c.keys.Open(b[16:], c.at(seq, "head"))
	if err != nil {
		return head{}, err
	}
	return decodeHead(plain)
}

func (c *collection) openBody(seq uint64, b []byte) ([]byte, error) {
	return c.keys.Open(b, c.at(seq, "body"))
}

// fault notes that a point is damaged.
func (c *collection) fault(p *point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[p.seq] = Problem{Collection: c.name, Point: p.id.String(), Message: "a stored point fails its check and was left out"}
}

func (c *collection) problems() []Problem {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []Problem
	for _, p := range c.faults {
		all = append(all, p)
	}
	return all
}

// find returns the place of an id among points, and whether it is there. The
// caller holds mu or writing.
func (c *collection) find(id uuid.UUID) (int, bool) {
	return slices.BinarySearchFunc(c.points, id, func(p *point, id uuid.UUID) int { return bytes.Compare(p.id[:], id[:]) })
}

// addIndex makes an index of what is stored. The caller makes it durable.
func (c *collection) addIndex(i fieldIndex, path []string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	next := &collection{
		name: c.name, place: c.place, keys: c.keys, db: c.db, words: map[string]int64{}, faults: map[uint64]Problem{}, next: 1,
		indexes: append(slices.Clone(c.indexes), i), paths: append(slices.Clone(c.paths), path),
	}
	if err := next.load(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes, c.paths, c.points, c.words = next.indexes, next.paths, next.points, next.words
	return nil
}
