package session

import (
	"io/fs"
	"os/user"
)

// On Windows a profile folder is private by its access list, which modes don't show.

func ownedByUser(fs.FileInfo) bool { return true }

func writableByOthers(fs.FileInfo) bool { return false }

func writableByAll(fs.FileInfo) bool { return false }

// UserHome is the home that the system has on record.
func UserHome() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// fileID: times and sizes must do.
func fileID(fs.FileInfo) uint64 { return 0 }
