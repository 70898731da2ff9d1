package engine

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"go.etcd.io/bbolt"

	"github.com/cloudops/cloudops/storage/seal"
)

// alone is an engine with a collection of vectors of one number.
func alone(t *testing.T) *collection {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(dir, seal.Source{File: filepath.Join(t.TempDir(), "kek")})
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(filepath.Join(keys.Home(), "data", "qdrant"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if _, err := (collectionsService{e: e}).Create(context.Background(), &qdrant.CreateCollection{
		CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
	}); err != nil {
		t.Fatal(err)
	}
	return e.collections["c"]
}

// stored counts what the data file has: heads, bodies and vectors.
func (c *collection) stored(t *testing.T) (heads, vectors int) {
	t.Helper()
	if err := c.db.View(func(tx *bbolt.Tx) error {
		heads, vectors = tx.Bucket(headsBucket()).Stats().KeyN, tx.Bucket(vectorsBucket()).Stats().KeyN
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return heads, vectors
}

func vectored(id uuid.UUID) *write {
	return &write{row: row{point: point{id: id}, vector: []float32{1}}}
}

// Writers of one new point that were sealed side by side, each under a number of
// its own, leave one point.
func TestWritersOfOneNewPointLeaveOne(t *testing.T) {
	c := alone(t)
	id, next := uuid.New(), c.next.Load()
	c.writing.Lock()
	var writers sync.WaitGroup
	for range 3 {
		writers.Go(func() {
			if err := c.upsert([]*write{vectored(id)}); err != nil {
				t.Error(err)
			}
		})
	}
	waiting(3)
	if c.next.Load() != next+3 {
		t.Fatal("they have no number each")
	}
	c.writing.Unlock()
	writers.Wait()
	if heads, vectors := c.stored(t); heads != 1 || vectors != 1 {
		t.Errorf("%d heads and %d vectors are stored of one point", heads, vectors)
	}
	points, _ := c.table.byID(matcher{}, uuid.Nil, 10)
	if found, err := c.read(points, true); err != nil || len(found) != 1 || len(c.problems()) > 0 {
		t.Errorf("read %d, %v, %v; want the one, whole", len(found), err, c.problems())
	}
}

// waiting returns once so many writers have sealed and wait for their turn.
func waiting(writers int) {
	stacks := make([]byte, 1<<20)
	for n := 0; n < writers; runtime.Gosched() {
		n = 0
		for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "[sync.Mutex.Lock") && strings.Contains(stack, "(*collection).upsert(") {
				n++
			}
		}
	}
}

// What a writer sealed is sealed once more where a key or an index is new by the
// time of its turn.
func TestWhatIsSealedForWhatIsNoLongerSoIsSealedAnew(t *testing.T) {
	for name, change := range map[string]func(c *collection) error{
		"a new key": func(c *collection) error {
			_, err := c.keys.Rotate()
			return err
		},
		"a new index": func(c *collection) (err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.indexes, err = newIndexes([]fieldIndex{{Field: "n", Type: "integer"}})
			c.table = newTable(1, 1, 0)
			return err
		},
	} {
		c := alone(t)
		c.writing.Lock()
		done := make(chan error, 1)
		go func() { done <- c.upsert([]*write{vectored(uuid.New())}) }()
		waiting(1)
		if err := change(c); err != nil {
			t.Fatal(err)
		}
		c.writing.Unlock()
		if err := <-done; err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		points, _ := c.table.byID(matcher{}, uuid.Nil, 10)
		if len(points) != 1 {
			t.Fatalf("%s: %d points", name, len(points))
		}
		if err := c.db.View(func(tx *bbolt.Tx) error {
			head := tx.Bucket(headsBucket()).Get(seqKey(points[0].seq))
			vector := tx.Bucket(vectorsBucket()).Get(seqKey(points[0].seq))
			if !c.keys.Current(head[idSize:]) || !c.keys.Current(vector) {
				t.Errorf("%s: what is stored is sealed under an earlier key", name)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Of a point that is deleted nothing stays, on the disk or in memory: not its
// vector either, and its room is used again.
func TestNothingStaysOfADeletedPoint(t *testing.T) {
	c := alone(t)
	for range 3 {
		var writes []*write
		var ids []uuid.UUID
		for range 10 {
			ids = append(ids, uuid.New())
			writes = append(writes, vectored(ids[len(ids)-1]))
		}
		if err := c.upsert(writes); err != nil {
			t.Fatal(err)
		}
		if heads, vectors := c.stored(t); heads != 10 || vectors != 10 {
			t.Fatalf("%d heads and %d vectors are stored of 10 points", heads, vectors)
		}
		if err := c.remove(ids); err != nil {
			t.Fatal(err)
		}
		if heads, vectors := c.stored(t); heads != 0 || vectors != 0 {
			t.Errorf("%d heads and %d vectors are left of deleted points", heads, vectors)
		}
		if v := &c.table.vectors; len(v.spare) != int(v.used) {
			t.Errorf("of the room of %d vectors %d are free, want all", v.used, len(v.spare))
		}
	}
	if c.table.vectors.used != 10 || len(c.table.ids) != 10 {
		t.Errorf("memory has room for %d vectors and %d rows, want the 10 that were there at once", c.table.vectors.used, len(c.table.ids))
	}
}
