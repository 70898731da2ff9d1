package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/seal"
)

// collection is one open data file and its memory.
type collection struct {
	name   string
	place  string
	config *qdrant.CreateCollection
	metric metric
	keys   *seal.Keys
	db     *bbolt.DB

	// writing lets one writer at a time choose sequence numbers, commit and publish.
	writing sync.Mutex
	next    uint64

	// mu guards the fields below.
	mu      sync.RWMutex
	indexes []fieldIndex
	paths   [][]string
	table   table
	words   map[string]int64
	// faults are problems by sequence number; 0 is the file itself.
	faults map[uint64]Problem
}

func dataFile(dir string) string { return filepath.Join(dir, "data.db") }

func headsBucket() []byte  { return []byte("heads") }
func bodiesBucket() []byte { return []byte("bodies") }

// vectorsBucket is made with the first vector.
func vectorsBucket() []byte { return []byte("vectors") }

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
	var known bool
	if c.metric, known = metricOf(c.config.GetVectorsConfig().GetParams().GetDistance()); !known {
		return nil, fmt.Errorf("%w: its distance is unknown", ErrCorrupt)
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

// load opens all heads and vectors. What does not open costs its point only.
func (c *collection) load() error {
	c.table = newTable(len(c.indexes), c.size())
	return c.db.View(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		if heads == nil || bodies == nil {
			return fmt.Errorf("%w: a bucket is missing", ErrCorrupt)
		}
		type stored struct{ key, head, body, vector []byte }
		var all []stored
		body, vector := along(bodies), along(tx.Bucket(vectorsBucket()))
		vectors := 0
		err := heads.ForEach(func(k, v []byte) error {
			s := stored{k, v, body(k), vector(k)}
			if s.vector != nil {
				vectors++
			}
			all = append(all, s)
			return nil
		})
		if err != nil {
			return err
		}
		rows := make([]row, len(all))
		flat := make([]float32, vectors*c.size())
		for i, s := range all {
			if s.vector != nil {
				rows[i].vector, flat = flat[:c.size():c.size()], flat[c.size():]
			}
		}
		err = inParallel(len(all), func(i int) error {
			c.loadRow(&rows[i], all[i].key, all[i].head, all[i].body, all[i].vector)
			return nil
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			c.next = max(c.next, r.seq+1)
		}
		slices.SortFunc(rows, func(a, b row) int {
			// Of two records of one id the later write counts.
			return cmp.Or(bytes.Compare(a.id[:], b.id[:]), -cmp.Compare(a.seq, b.seq))
		})
		rows = slices.CompactFunc(rows, func(a, b row) bool { return a.id == b.id })
		c.table.grow(len(rows), vectors)
		c.table.put(rows)
		return nil
	})
}

// along finds values by keys that only grow.
func along(b *bbolt.Bucket) func(key []byte) []byte {
	if b == nil {
		return func([]byte) []byte { return nil }
	}
	cursor := b.Cursor()
	k, v := cursor.First()
	return func(key []byte) []byte {
		for k != nil && bytes.Compare(k, key) < 0 {
			k, v = cursor.Next()
		}
		if bytes.Equal(k, key) {
			return v
		}
		return nil
	}
}

// inParallel calls f for 0 to n-1, on all processors.
func inParallel(n int, f func(int) error) error {
	var g errgroup.Group
	part := max(16, n/runtime.GOMAXPROCS(0)+1)
	for from := 0; from < n; from += part {
		g.Go(func() error {
			return guarded(func() error {
				for i := from; i < min(from+part, n); i++ {
					if err := f(i); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// size is how many numbers a vector has.
func (c *collection) size() int { return int(c.config.GetVectorsConfig().GetParams().GetSize()) }

// loadRow opens what is stored of a point. Its vector, if it has one, is room
// to be filled.
func (c *collection) loadRow(r *row, key, stored, body, vector []byte) {
	if len(key) == 8 {
		r.seq = binary.BigEndian.Uint64(key)
	}
	h, err := c.openHead(r.seq, stored)
	if err == nil {
		r.id = h.id
		r.values, err = c.evaluate(h, func() ([]byte, error) { return c.openBody(r.seq, body) })
	}
	if err != nil {
		r.damaged, r.vector = true, nil
		if len(stored) >= len(r.id) {
			copy(r.id[:], stored)
		}
		c.fault(r.point, "a stored point fails its check and was left out")
		return
	}
	if r.vector != nil {
		if err := c.openVector(r.seq, vector, r.vector); err != nil {
			r.vector = nil
			c.fault(r.point, "a stored vector fails its check and was left out; the rest of its point is whole")
		}
	}
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

func (c *collection) sealVector(seq uint64, v []float32) ([]byte, error) {
	plain := make([]byte, 0, 4*len(v))
	for _, x := range v {
		plain = binary.LittleEndian.AppendUint32(plain, math.Float32bits(x))
	}
	return c.keys.Seal(plain, c.at(seq, "vector"))
}

func (c *collection) openVector(seq uint64, b []byte, into []float32) error {
	plain, err := c.keys.Open(b, c.at(seq, "vector"))
	if err != nil {
		return err
	}
	if len(plain) != 4*len(into) {
		return errMalformed
	}
	for i := range into {
		into[i] = math.Float32frombits(binary.LittleEndian.Uint32(plain[4*i:]))
	}
	return nil
}

// fault notes what is damaged of a point.
func (c *collection) fault(p point, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[p.seq] = Problem{Collection: c.name, Point: p.id.String(), Message: message}
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

// addIndex makes an index of what is stored. The caller makes it durable.
func (c *collection) addIndex(i fieldIndex, path []string) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	next := &collection{
		name: c.name, place: c.place, config: c.config, metric: c.metric, keys: c.keys, db: c.db, words: map[string]int64{}, faults: map[uint64]Problem{}, next: 1,
		indexes: append(slices.Clone(c.indexes), i), paths: append(slices.Clone(c.paths), path),
	}
	if err := next.load(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes, c.paths, c.table, c.words = next.indexes, next.paths, next.table, next.words
	return nil
}
