package executor

import (
	"os"
	"time"
)

// stamp is when a file's content last changed.
type stamp struct{ content time.Time }

func stampOf(f *os.File) (stamp, error) {
	info, err := f.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stamp{info.ModTime()}, nil
}
