//go:build unix

package executor

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stamp is when a file's content and its other properties last changed. No
// program can put the second back.
type stamp struct{ content, properties time.Time }

func stampOf(f *os.File) (stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return stamp{}, err
	}
	return stamp{time.Unix(st.Mtim.Unix()), time.Unix(st.Ctim.Unix())}, nil
}
