package storage

import (
	"fmt"
	"time"

	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/seal"
)

// quiet is how long after the last write the cache is saved.
const quiet = 30 * time.Second

// cache is the disposable file of the index. It is removed before the first
// write after it was saved or loaded: a crash leaves none rather than an old
// one. Its user keeps calls apart by the lock that writers hold.
type cache struct {
	file  *seal.File
	index *index.Index
	timer *time.Timer
	// present: the file is on disk.
	present bool
	// dirty: memory has what the file has not.
	dirty bool
	// doubtful: a write may have been done or not, so memory must not be kept.
	doubtful bool
}

// load fills the index; false means that it has to be built anew.
func (c *cache) load() bool {
	b, err := c.file.Load()
	// Whatever is there must go before a write, even if it is unreadable.
	c.present = true
	return err == nil && c.index.UnmarshalBinary(b) == nil
}

// invalidate removes the file before a write.
func (c *cache) invalidate() error {
	if !c.present {
		return nil
	}
	if err := c.file.Remove(); err != nil {
		return fmt.Errorf("removing the index cache before a write: %w", err)
	}
	c.present, c.dirty = false, true
	return nil
}

// changed says that memory was changed; the file is saved after a quiet while.
func (c *cache) changed() {
	c.dirty = true
	c.timer.Reset(quiet)
}

// unsaved says whether memory has more than the file, and may be saved.
func (c *cache) unsaved() bool { return c.dirty && !c.doubtful }

// flush saves the file if memory has more than it.
func (c *cache) flush() error {
	if !c.unsaved() {
		return nil
	}
	b, err := c.index.MarshalBinary()
	if err == nil {
		err = c.file.Save(b)
	}
	if err != nil {
		return fmt.Errorf("saving the index cache: %w", err)
	}
	c.present, c.dirty = true, false
	return nil
}
