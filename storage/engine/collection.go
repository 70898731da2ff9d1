package engine

import (
	"bytes"
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
	"sync/atomic"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/storage/home"
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
	// file is the data file as it was opened.
	file os.FileInfo
	// length is what it had after the last write.
	length atomic.Int64

	// spare holds buffers that vectors were encoded in.
	spare sync.Pool
	// next is a sequence number that no point has.
	next atomic.Uint64
	// writing lets one writer at a time commit and publish.
	writing sync.Mutex

	// mu guards the fields below.
	mu      sync.RWMutex
	indexes *indexes
	table   table
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
	return errors.Join(createDB(dataFile(dir)), home.SyncDir(dir), home.SyncDir(filepath.Dir(dir)))
}

func createDB(path string) error {
	db, err := openDB(path)
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
	return errors.Join(err, db.Close())
}

// openCollection checks a data file and loads its heads.
func openCollection(dir string, e entry, keys *seal.Keys) (*collection, error) {
	c := &collection{
		name: e.Name, place: "engine/" + e.Dir, keys: keys, config: &qdrant.CreateCollection{},
		faults: map[uint64]Problem{},
	}
	c.next.Store(1)
	if err := proto.Unmarshal(e.Config, c.config); err != nil {
		return nil, fmt.Errorf("%w: decoding its configuration: %v", ErrCorrupt, err)
	}
	var known bool
	if c.metric, known = metricOf(c.config.GetVectorsConfig().GetParams().GetDistance()); !known {
		return nil, fmt.Errorf("%w: its distance is unknown", ErrCorrupt)
	}
	if c.size() < 1 {
		return nil, fmt.Errorf("%w: its vectors have no size", ErrCorrupt)
	}
	var err error
	if c.indexes, err = newIndexes(e.Indexes); err != nil {
		return nil, err
	}
	file := dataFile(dir)
	hint := fmt.Sprintf("nothing was changed; restore %s from a backup", file)
	stale, err := check(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		// A missing file costs what it held; a damaged one never costs more.
		c.faults[0] = Problem{Collection: c.name, Message: "its data file " + file + " was gone, so it begins empty"}
		err = createCollection(dir)
	case errors.Is(err, ErrCorrupt):
		if failed := guarded(func() error { return c.salvage(dir) }); failed != nil {
			err = fmt.Errorf("%w; saving what is left of it: %w", err, failed)
		} else {
			stale, err = check(file)
		}
	}
	if readOnly(err) && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, hint)
	}
	if stale {
		c.faults[0] = Problem{Collection: c.name, Message: "a header of " + file + " is damaged; the write before the damage may be missing"}
	}
	kept, _ := filepath.Glob(file + home.AsidePattern) // the pattern is well-formed
	for _, k := range kept {
		c.faults[^uint64(0)] = Problem{Collection: c.name, Message: "its data file was damaged, and what could be read of it is used; the damaged one is kept as " + k + " until you delete it"}
	}
	err = guarded(func() error {
		if c.db, err = openDB(file); err != nil {
			return err
		}
		if c.file, err = os.Lstat(file); err != nil {
			return err
		}
		c.length.Store(c.file.Size())
		return c.load()
	})
	if err != nil {
		if c.db != nil {
			err = errors.Join(err, c.db.Close())
		}
		if readOnly(err) {
			return nil, err
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
	return c.db.View(func(tx *bbolt.Tx) error {
		heads, bodies := tx.Bucket(headsBucket()), tx.Bucket(bodiesBucket())
		if heads == nil || bodies == nil {
			return fmt.Errorf("%w: a bucket is missing", ErrCorrupt)
		}
		count := 0
		if err := heads.ForEach(func(_, _ []byte) error { count++; return nil }); err != nil {
			return err
		}
		c.table = newTable(len(c.indexes.fields), c.size(), count)
		var reading sync.Mutex // a transaction is for one goroutine at a time
		body := func(key []byte) []byte {
			reading.Lock()
			defer reading.Unlock()
			return bodies.Get(key)
		}
		vector := along(tx.Bucket(vectorsBucket()))
		page := make([]sealedRow, 0, 4096)
		err := heads.ForEach(func(k, v []byte) error {
			if page = append(page, sealedRow{c.table.add(), k, v, vector(k)}); len(page) < cap(page) {
				return nil
			}
			defer func() { page = page[:0] }()
			return c.loadPage(page, body)
		})
		if err == nil {
			err = c.loadPage(page, body)
		}
		c.table.arrange()
		return err
	})
}

// sealedRow is what the data file has of a row; nil is nothing.
type sealedRow struct {
	row               int32
	key, head, vector []byte
}

// loadPage opens rows; body finds the body of a key.
func (c *collection) loadPage(page []sealedRow, body func(key []byte) []byte) error {
	t := &c.table
	for _, s := range page {
		if s.vector != nil {
			t.slots[s.row] = t.vectors.take()
		}
		if len(s.key) == 8 {
			t.seqs[s.row] = binary.BigEndian.Uint64(s.key)
		}
		if next := t.seqs[s.row] + 1; c.next.Load() < next {
			c.next.Store(next)
		}
	}
	err := inParallel(len(page), func(i int) error {
		c.loadRow(page[i], body)
		return nil
	})
	for _, s := range page {
		if t.damaged[s.row] {
			t.setVector(s.row, nil)
		}
	}
	return err
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

// loadRow opens what is stored of a row, whose slot is room for the vector.
func (c *collection) loadRow(s sealedRow, body func(key []byte) []byte) {
	t, seq := &c.table, c.table.seqs[s.row]
	values := make([]int64, len(t.columns))
	h, err := c.openHead(seq, s.head)
	if err == nil {
		t.ids[s.row] = h.id
		err = c.indexes.evaluate(h, func() ([]byte, error) { return c.openBody(seq, body(s.key)) }, values)
	}
	if err != nil {
		t.damaged[s.row] = true
		if len(s.head) >= len(h.id) {
			copy(t.ids[s.row][:], s.head)
		}
		c.fault(t.point(s.row), "a stored point fails its check and was left out")
		return
	}
	for i, v := range values {
		t.columns[i][s.row] = v
	}
	if s.vector != nil && c.openVector(seq, s.vector, t.vectors.at(t.slots[s.row])) != nil {
		// The slot is lost until the next start, which matters to nobody.
		t.slots[s.row] = absent
		c.fault(t.point(s.row), "a stored vector fails its check and was left out; the rest of its point is whole")
	}
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
	plain, _ := c.spare.Get().(*[]byte)
	if plain == nil {
		plain = new([]byte)
	}
	*plain = (*plain)[:0]
	for _, x := range v {
		*plain = binary.LittleEndian.AppendUint32(*plain, math.Float32bits(x))
	}
	defer c.spare.Put(plain)
	return c.keys.SealAsIs(*plain, c.at(seq, "vector"))
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
	switch err := c.inPlace(); {
	case errors.Is(err, os.ErrNotExist):
		all = append(all, Problem{Collection: c.name, Message: err.Error() + "; nothing is stored until it is back, and nothing of it is lost yet",
			Mend: "have it written back: cloudops daemon restart"})
	case err != nil:
		all = append(all, Problem{Collection: c.name, Message: err.Error() + "; nothing is stored until the daemon starts anew",
			Mend: "see that the file that is there is the right one, then run: cloudops daemon restart"})
	}
	return all
}

// inPlace is why what is written would not be there at the next start, if so:
// the data file was removed, replaced or cut off while it is open. What is open
// stays whole where it was not cut off.
func (c *collection) inPlace() error {
	path := c.db.Path()
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the data file %s was removed while it is open: %w", path, os.ErrNotExist)
	case err != nil:
		return fmt.Errorf("the data file cannot be looked at: %w", err)
	case !os.SameFile(info, c.file):
		return fmt.Errorf("another file was put in the place of the data file %s while it is open", path)
	}
	if size := c.length.Load(); info.Size() < size { // data files never shrink
		return fmt.Errorf("the data file %s was cut off while it is open: %d bytes of %d are there", path, info.Size(), size)
	}
	return nil
}

// update is a write, which is refused where it would not last.
func (c *collection) update(f func(*bbolt.Tx) error) error {
	if err := c.inPlace(); err != nil {
		return fmt.Errorf("%w; run: cloudops daemon restart", err)
	}
	if err := c.db.Update(f); err != nil {
		return err
	}
	if info, err := os.Lstat(c.db.Path()); err == nil && os.SameFile(info, c.file) {
		c.length.Store(info.Size())
	}
	return nil
}

// close closes the data file, and writes it anew where it was removed, unless
// the home was taken away as a whole.
func (c *collection) close() error {
	var err error
	if errors.Is(c.inPlace(), os.ErrNotExist) && c.keys.Kept() {
		err = guarded(c.writeBack)
	}
	return errors.Join(err, c.db.Close())
}

func (c *collection) writeBack() error {
	path := c.db.Path()
	dir := filepath.Dir(path)
	fresh := filepath.Join(dir, "salvaged.db")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = c.copyAll(fresh)
	}
	if err == nil {
		err = errors.Join(os.Rename(fresh, path), home.SyncDir(dir), home.SyncDir(filepath.Dir(dir)))
	}
	if err != nil {
		return fmt.Errorf("writing the data file %s back: %w", path, err)
	}
	return nil
}

// copyAll makes a data file with all that is in the open one.
func (c *collection) copyAll(fresh string) error {
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := openDB(fresh)
	if err != nil {
		return err
	}
	return errors.Join(bbolt.Compact(db, c.db, 1<<20), db.Close())
}

// addIndex makes an index of what is stored. The caller makes it durable.
func (c *collection) addIndex(i fieldIndex) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	next := &collection{
		name: c.name, place: c.place, config: c.config, metric: c.metric, keys: c.keys, db: c.db, faults: map[uint64]Problem{},
	}
	var err error
	if next.indexes, err = newIndexes(append(slices.Clone(c.indexes.fields), i)); err != nil {
		return err
	}
	if err := next.load(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.indexes, c.table = next.indexes, next.table
	return nil
}
