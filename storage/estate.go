package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
)

// Estate is the collection aws_estate and the index over it. Safe for
// concurrent use.
type Estate struct {
	client *qdrant.Client
	keys   *seal.Keys
	kinds  *kind.Set
	name   string
	// tags are the types of the tag keys that are stored in the clear.
	tags   map[string]string
	size   int
	index  *index.Index
	faults *faults
	// embed, if set, makes the vectors of what is about to be written.
	embed Embed

	// writing lets one writer at a time choose versions, write and publish. It
	// guards cache and digests.
	writing sync.Mutex
	cache   *cache
	digests *digests

	// mu guards the fields below.
	mu         sync.Mutex
	generation uint64
	doubtful   []Shard
	watchers   map[chan Change]bool
}

// openEstate loads the index from its cache, or else from the collection.
func openEstate(ctx context.Context, client *qdrant.Client, keys *seal.Keys, kinds *kind.Set, cfg CollectionConfig, file, digested *seal.File, f *faults) (*Estate, error) {
	e := &Estate{
		client: client, keys: keys, name: cfg.Name, tags: cfg.plainTags(), size: cfg.VectorSize,
		kinds: kinds, index: index.New(kinds), faults: f,
		watchers: map[chan Change]bool{},
	}
	e.cache = &cache{file: file, index: e.index}
	e.digests = &digests{file: digested, keys: keys, shards: map[Shard]*digest{}}
	e.digests.unread = e.digests.load()
	digested.Hold(func() error {
		e.writing.Lock()
		defer e.writing.Unlock()
		return e.digests.save()
	})
	e.cache.timer = time.AfterFunc(quiet, func() {
		_ = e.flush() // tried again, and told, when the store closes
	})
	e.writing.Lock()
	defer e.writing.Unlock()
	if !e.cache.load() {
		err := e.rebuild(ctx)
		if errors.Is(err, ErrCorrupt) { // it cannot be opened at all, which the engine tells of
			e.doubtAll()
			err = nil
		}
		return e, err
	}
	e.trustCache()
	// What loading took goes back to the system, after the first questions.
	time.AfterFunc(3*time.Second, debug.FreeOSMemory)
	if err := e.agree(ctx); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrCorrupt) {
		return e, err
	}
	return e, nil // memory serves until Qdrant is back, or for good
}

// agree builds the index anew if the collection disagrees with it, or if it is
// not known whether the last write was done. The caller holds writing.
func (e *Estate) agree(ctx context.Context) error {
	count, err := e.Count(ctx)
	if err != nil || !e.cache.doubtful && count == e.index.Len() {
		return err
	}
	return e.rebuild(ctx)
}

// rebuild makes the index of what the collection holds. The caller holds writing.
func (e *Estate) rebuild(ctx context.Context) error {
	var found []Record
	var closed []string
	var page []*qdrant.RetrievedPoint
	open := func() {
		records := make([]*Record, len(page))
		inParallel(len(page), func(i int) {
			if r, version, err := e.open(page[i]); err == nil {
				whole := e.record(r.Resource, version, r.Digest)
				records[i] = &whole
			}
		})
		for i, r := range records {
			if r != nil {
				found = append(found, *r)
			} else {
				closed = append(closed, page[i].GetId().GetUuid())
			}
		}
		page = page[:0]
	}
	err := scroll(ctx, e.client, e.name, nil, func(p *qdrant.RetrievedPoint) {
		if page = append(page, p); len(page) == pageSize {
			open()
		}
	})
	if err != nil {
		return wrap("building the index", err)
	}
	open()
	_, err = e.digests.file.Load()
	// What lies in the engine of this home is this store's, be it damaged.
	if errors.Is(err, fs.ErrNotExist) && len(closed) > 0 && len(found) == 0 && e.index.Len() == 0 && e.faults.endpoint.Stored() == 0 {
		e.faults.mended(closed...) // they are no damage of this store
		return fmt.Errorf("the collection %s holds %d points, none of which this store wrote or can open: it is another store's; choose other names in collections.aws_estate.name and collections.chat_history.name", e.name, len(closed))
	}
	there := make(map[string]bool, len(found))
	for _, r := range found {
		there[r.Canonical()] = true
		e.index.Put(r)
	}
	var gone []Key
	for r := range e.index.All() {
		if !there[r.Canonical()] {
			gone = append(gone, r.Key)
		}
	}
	for _, k := range gone {
		e.index.Delete(k)
	}
	e.compareDigests()
	e.cache.doubtful = false
	e.cache.changed()
	return nil
}

// reconnected brings memory and the collection together again.
func (e *Estate) reconnected(ctx context.Context) error {
	e.writing.Lock()
	err := e.agree(ctx)
	e.writing.Unlock()
	if err == nil {
		e.notify(Change{})
	}
	return err
}

func (e *Estate) flush() error {
	e.writing.Lock()
	defer e.writing.Unlock()
	if !e.cache.unsaved() {
		return nil
	}
	// A cache is only there when all that it holds is settled.
	if err := e.digests.settle(); err != nil {
		return err
	}
	return e.cache.flush()
}

func (e *Estate) close() error {
	e.mu.Lock()
	for ch := range e.watchers {
		close(ch)
	}
	e.watchers = nil
	e.mu.Unlock()
	e.cache.timer.Stop()
	return e.flush()
}

// Upsert stores one resource; it is written only if its content changed.
func (e *Estate) Upsert(ctx context.Context, r Resource) error {
	_, err := e.BulkUpsert(ctx, []Resource{r})
	return err
}

// BulkUpsert stores resources in batches and returns how many had changed. A
// resource that cannot be stored does not keep back the others; a batch that could
// not be written ends it.
func (e *Estate) BulkUpsert(ctx context.Context, rs []Resource) (changed int, err error) {
	damaged := e.faults.points()
	var errs []error
	var written []Key
	for batch := range slices.Chunk(rs, pagesAtOnce*pageSize) {
		keys, err := e.upsertBatch(ctx, batch, damaged)
		written = append(written, keys...)
		errs = append(errs, err)
		if ctx.Err() != nil || errors.As(err, &unwritten{}) {
			break
		}
	}
	if len(written) > 0 {
		e.notify(changeOf(written))
	}
	return len(written), errors.Join(errs...)
}

// unwritten is the error of a whole batch, which the next one would share.
type unwritten struct{ error }

func (u unwritten) Unwrap() error { return u.error }

func (e *Estate) upsertBatch(ctx context.Context, batch []Resource, damaged map[string]bool) ([]Key, error) {
	type change struct {
		id       string
		resource Resource
		digest   uint64
		record   Record
		point    *qdrant.PointStruct
		err      error
	}
	all := make([]change, len(batch))
	inParallel(len(batch), func(i int) {
		c := &all[i]
		if c.resource, c.digest, c.err = e.normalise(batch[i]); c.err == nil {
			c.id = e.keys.PointID(c.resource.Key().Canonical())
		}
	})
	e.writing.Lock()
	defer e.writing.Unlock()
	// Of several with one key the last counts.
	changes := map[string]*change{}
	var errs []error
	for i := range all {
		c := &all[i]
		if c.err != nil {
			errs = append(errs, c.err)
			continue
		}
		r := c.resource
		known, ok := e.index.Get(r.Key())
		if ok && known.Digest == c.digest && !damaged[c.id] {
			delete(changes, c.id)
			if r.LastSynced.After(known.LastSynced) {
				e.index.Confirm(r.LastSynced, r.Key())
				e.cache.dirty = true
			}
			continue
		}
		c.record = e.record(r, known.Version+1, c.digest)
		changes[c.id] = c
	}
	order := slices.Collect(maps.Values(changes))
	inParallel(len(order), func(i int) {
		c := order[i]
		c.point, c.err = e.seal(c.id, c.resource, c.digest, c.record.Version)
	})
	var points []*qdrant.PointStruct
	var written []Resource
	var shards []Shard
	order = slices.DeleteFunc(order, func(c *change) bool {
		if c.err != nil {
			errs = append(errs, fmt.Errorf("sealing a resource of type %s: %w", c.resource.Type, c.err))
			return true
		}
		points, written, shards = append(points, c.point), append(written, c.resource), append(shards, shardOf(c.record.Key))
		if known, ok := e.index.Get(c.record.Key); ok {
			shards = append(shards, shardOf(known.Key))
		}
		return false
	})
	if len(order) == 0 {
		return nil, errors.Join(errs...)
	}
	errs = append(errs, e.addVectors(ctx, points, written))
	if err := e.begin(shards); err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	// One page is sealed and sent while another is being synced.
	pages := slices.Collect(slices.Chunk(points, pageSize))
	failed := make([]error, len(pages))
	var sending sync.WaitGroup
	for i, page := range pages {
		sending.Go(func() { failed[i] = upsert(ctx, e.client, e.name, page) })
	}
	sending.Wait()
	var stored []Key
	for i, page := range slices.Collect(slices.Chunk(order, pageSize)) {
		if failed[i] != nil {
			e.cache.doubtful = true
			continue
		}
		for _, c := range page {
			e.faults.mended(c.id)
			if known, ok := e.index.Get(c.record.Key); ok {
				e.digests.remove(known)
			}
			e.digests.add(c.record)
			e.index.Put(c.record)
			stored = append(stored, c.record.Key)
		}
	}
	if len(stored) > 0 {
		e.cache.changed()
	}
	for _, err := range failed {
		if err != nil {
			errs = append(errs, unwritten{wrap("storing resources", err)})
			break // the others are alike
		}
	}
	return stored, errors.Join(errs...)
}

// begin is called before shards are written to.
func (e *Estate) begin(shards []Shard) error {
	// What cannot be written must not cost the cache: while Qdrant is away it is
	// what the next start goes on from.
	if state := e.faults.endpoint.State(); !state.Connected {
		return fmt.Errorf("writing to the estate: %w: %s", ErrUnavailable, strings.TrimPrefix(state.Problem, ErrUnavailable.Error()+": "))
	}
	if err := e.cache.invalidate(); err != nil {
		return err
	}
	return e.digests.open(shards)
}

// known finds the record of a key; a key without ARN finds a resource that has one.
func (e *Estate) known(k Key) (Record, bool) {
	if r, ok := e.index.Get(k); ok || k.ARN != "" {
		return r, ok
	}
	for _, r := range e.index.Find(k.ID) {
		if r.ID == k.ID && r.Type == k.Type && r.AccountID == k.AccountID && r.Region == k.Region {
			return r, true
		}
	}
	return Record{}, false
}

// Get returns the resource of a key, or ErrNotFound. A key without an ARN finds
// the resource of that type, account, region and id. ErrCorrupt: it was stored
// and cannot be read; the next scan stores it anew.
func (e *Estate) Get(ctx context.Context, k Key) (Resource, error) {
	r, ok := e.known(k)
	if !ok {
		return Resource{}, fmt.Errorf("reading resource %s: %w", k.ID, ErrNotFound)
	}
	found, err := e.fetch(ctx, []Record{r})
	if err != nil {
		return Resource{}, err
	}
	if len(found) == 0 {
		if _, ok := e.known(k); !ok { // deleted meanwhile
			return Resource{}, fmt.Errorf("reading resource %s: %w", k.ID, ErrNotFound)
		}
		return Resource{}, fmt.Errorf("reading resource %s: %w: what is stored of it does not open; scan again to store it anew", k.ID, ErrCorrupt)
	}
	return found[0], nil
}

// fetch reads the points of records, in their order; damaged ones are noted
// and left out.
func (e *Estate) fetch(ctx context.Context, rs []Record) ([]Resource, error) {
	found := make([]Resource, 0, len(rs))
	for page := range slices.Chunk(rs, pageSize) {
		ids := make([]*qdrant.PointId, len(page))
		for i, r := range page {
			ids[i] = qdrant.NewIDUUID(e.keys.PointID(r.Canonical()))
		}
		points, err := e.client.Get(ctx, &qdrant.GetPoints{CollectionName: e.name, Ids: ids, WithPayload: qdrant.NewWithPayload(true)})
		if err != nil {
			return nil, wrap("reading resources", err)
		}
		suspects := map[string]Key{}
		for i, r := range page {
			suspects[ids[i].GetUuid()] = r.Key
		}
		for _, p := range points {
			delete(suspects, p.GetId().GetUuid())
			if r, ok := e.asWritten(p, suspects); ok {
				found = append(found, r)
			}
		}
		again, err := e.recheck(ctx, suspects)
		if err != nil {
			return nil, err
		}
		found = append(found, again...)
	}
	return found, nil
}

// asWritten opens a point, which must be as it was last written. One that is not
// becomes a suspect: it may just have been written.
func (e *Estate) asWritten(p *qdrant.RetrievedPoint, suspects map[string]Key) (Resource, bool) {
	r, version, err := e.open(p)
	if err != nil {
		return Resource{}, false
	}
	if known, ok := e.index.Get(r.Key()); !ok || known.Version != version || known.Digest != r.Digest {
		suspects[p.GetId().GetUuid()] = r.Key()
		return Resource{}, false
	}
	return e.confirmed(r.Resource), true
}

// recheck reads points once more while nobody writes. Those that are not as they
// were last written, or not there, are noted; the others are returned.
func (e *Estate) recheck(ctx context.Context, suspects map[string]Key) (found []Resource, err error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	e.writing.Lock()
	defer e.writing.Unlock()
	for page := range slices.Chunk(slices.Sorted(maps.Keys(suspects)), pageSize) {
		ids := make([]*qdrant.PointId, len(page))
		for i, id := range page {
			ids[i] = qdrant.NewIDUUID(id)
		}
		points, err := e.client.Get(ctx, &qdrant.GetPoints{CollectionName: e.name, Ids: ids, WithPayload: qdrant.NewWithPayload(true)})
		if err != nil {
			return nil, wrap("reading resources", err)
		}
		there := map[string]*qdrant.RetrievedPoint{}
		for _, p := range points {
			there[p.GetId().GetUuid()] = p
		}
		for _, id := range page {
			known, ok := e.index.Get(suspects[id])
			p := there[id]
			switch {
			case p == nil && !ok: // deleted meanwhile
			case p == nil:
				e.faults.add(e.name, id, fmt.Errorf("%w: a stored resource is missing or unreadable; scan again", ErrCorrupt))
			case !ok:
				e.faults.add(e.name, id, fmt.Errorf("%w: a resource that was deleted is there again", ErrCorrupt))
			default:
				r, version, err := e.open(p)
				switch {
				case err != nil: // noted
				case known.Version != version || known.Digest != r.Digest:
					e.faults.add(e.name, id, fmt.Errorf("%w: a stored resource is not as it was last written; scan again", ErrCorrupt))
				default:
					found = append(found, e.confirmed(r.Resource))
				}
			}
		}
	}
	return found, nil
}

// confirmed moves LastSynced to when the resource was last seen unchanged.
func (e *Estate) confirmed(r Resource) Resource {
	if known, ok := e.index.Get(r.Key()); ok && known.LastSynced.After(r.LastSynced) {
		r.LastSynced = known.LastSynced
	}
	return r
}

// Find returns the records that carry an identifier: id, name, ARN, address,
// DNS name. Several resources may share a name. It reads memory only.
func (e *Estate) Find(identifier string) []Record { return e.index.Find(identifier) }

// Resolve looks up many tokens at once; tokens that name nothing are absent.
// It reads memory only.
func (e *Estate) Resolve(tokens []string) map[string][]Record { return e.index.Resolve(tokens) }

// Delete removes resources; absent keys are no error.
func (e *Estate) Delete(ctx context.Context, ks ...Key) error {
	var deleted []Key
	var err error
	for page := range slices.Chunk(ks, pageSize) {
		var keys []Key
		keys, err = e.deletePage(ctx, page)
		if deleted = append(deleted, keys...); err != nil {
			break
		}
	}
	if len(deleted) > 0 {
		e.notify(changeOf(deleted))
	}
	return err
}

// deletePage returns what was there and is not any more.
func (e *Estate) deletePage(ctx context.Context, page []Key) ([]Key, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	var ids []*qdrant.PointId
	var known []Record
	var shards []Shard
	for _, k := range page {
		r, ok := e.known(k)
		if ok && !slices.ContainsFunc(known, func(have Record) bool { return have.Key == r.Key }) {
			known, shards = append(known, r), append(shards, shardOf(r.Key))
			ids = append(ids, qdrant.NewIDUUID(e.keys.PointID(r.Canonical())))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	if err := e.begin(shards); err != nil {
		return nil, err
	}
	ctx, cancel := whole(ctx)
	defer cancel()
	result, err := e.client.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: e.name, Points: qdrant.NewPointsSelectorIDs(ids), Wait: qdrant.PtrOf(true),
	})
	if err := completed(result, err); err != nil {
		e.cache.doubtful = true
		return nil, wrap("deleting resources", err)
	}
	var deleted []Key
	for i, r := range known {
		e.faults.mended(ids[i].GetUuid())
		e.digests.remove(r)
		e.index.Delete(r.Key)
		deleted = append(deleted, r.Key)
	}
	e.cache.changed()
	return deleted, nil
}

// ByAccount lists everything of one account.
func (e *Estate) ByAccount(ctx context.Context, id string) ([]Resource, error) {
	return e.List(ctx, Filter{AccountID: id})
}

// ByRegion lists everything of one region.
func (e *Estate) ByRegion(ctx context.Context, region string) ([]Resource, error) {
	return e.List(ctx, Filter{Region: region})
}

// ByType lists everything of one type, such as rds_instance.
func (e *Estate) ByType(ctx context.Context, typ string) ([]Resource, error) {
	return e.List(ctx, Filter{Type: typ})
}

// List reads whole resources by filter, in the order of their ids. Those that
// cannot be read are left out; Service.Health tells of them.
func (e *Estate) List(ctx context.Context, f Filter) ([]Resource, error) {
	var found []Resource
	if len(f.Tags) > 0 {
		// No server knows the tags: memory says which resources are meant.
		rs, _ := e.index.Search("", f, -1)
		var err error
		if found, err = e.fetch(ctx, rs); err != nil {
			return nil, err
		}
	} else {
		suspects, seen := map[string]Key{}, map[string]bool{}
		err := scroll(ctx, e.client, e.name, conditions(f), func(p *qdrant.RetrievedPoint) {
			seen[p.GetId().GetUuid()] = true
			if r, ok := e.asWritten(p, suspects); ok {
				found = append(found, r)
			}
		})
		if err != nil {
			return nil, wrap("listing resources", err)
		}
		known, _ := e.index.Search("", f, -1)
		for _, r := range known {
			if id := e.keys.PointID(r.Canonical()); !seen[id] && exactly(r, f) {
				suspects[id] = r.Key
			}
		}
		again, err := e.recheck(ctx, suspects)
		if err != nil {
			return nil, err
		}
		for _, r := range again {
			if exactly(e.record(r, 0, 0), f) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b Resource) int {
		return bytes.Compare([]byte(a.ID+"\x00"+a.Key().Canonical()), []byte(b.ID+"\x00"+b.Key().Canonical()))
	})
	return found, nil
}

// exactly says whether conditions lets a record through, which minds the case.
func exactly(r Record, f Filter) bool {
	is := func(want, have string) bool { return want == "" || valid(want) == have }
	return is(f.Type, r.Type) && is(f.AccountID, r.AccountID) && is(f.Region, r.Region) && is(f.Service, r.Service) && is(f.State, r.State)
}

func conditions(f Filter) *qdrant.Filter {
	var must []*qdrant.Condition
	add := func(field, value string) {
		if value != "" {
			must = append(must, qdrant.NewMatchKeyword(field, valid(value)))
		}
	}
	add(fieldType, f.Type)
	add(fieldAccount, f.AccountID)
	add(fieldRegion, f.Region)
	add(fieldService, f.Service)
	add(fieldState, f.State)
	return &qdrant.Filter{Must: must}
}

// Count is the number of stored resources.
func (e *Estate) Count(ctx context.Context) (int, error) {
	n, err := e.client.Count(ctx, &qdrant.CountPoints{CollectionName: e.name, Exact: qdrant.PtrOf(true)})
	if err != nil {
		return 0, wrap("counting resources", err)
	}
	return int(n), nil
}

// Search ranks records by identifier, name, tag and type words, best first.
// An empty query lists all that the filter lets through. limit 0 means 10,
// below 0 no limit; total counts the matches before the limit. It reads memory
// only.
func (e *Estate) Search(query string, f Filter, limit int) (found []Record, total int) {
	return e.index.Search(query, f, limit)
}

// Keys lists the keys of all that a filter lets through. It reads memory only.
func (e *Estate) Keys(f Filter) []Key {
	rs, _ := e.index.Search("", f, -1)
	ks := make([]Key, len(rs))
	for i, r := range rs {
		ks[i] = r.Key
	}
	return ks
}
