//go:build unix

package session

import (
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// ownedByUser: root is trusted too, since package managers link files of its.
func ownedByUser(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(st.Uid) == os.Getuid() || st.Uid == 0)
}

func writableByOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func writableByAll(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

// UserHome is the home that the system has on record, whatever $HOME says.
func UserHome() string {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// fileID changes when another file takes the place of one.
func fileID(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
