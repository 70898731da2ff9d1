package home

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
)

// watcher is told of every file and folder that was made durable.
var watcher atomic.Pointer[func(path string)]

// WatchSyncs calls f with the path of every file and folder that Sync and SyncDir
// make durable, until stop. It is for tests: a kill loop cannot see what a power
// cut would take.
func WatchSyncs(f func(path string)) (stop func()) {
	watcher.Store(&f)
	return func() { watcher.Store(nil) }
}

// Sync makes what was written to a file durable.
func Sync(f *os.File) error {
	err := f.Sync()
	if told := watcher.Load(); err == nil && told != nil {
		(*told)(f.Name())
	}
	return err
}

// SyncDir makes what was made, renamed or removed in a folder durable. Windows,
// whose file system journals that by itself, syncs no folders.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(Sync(f), f.Close())
}
