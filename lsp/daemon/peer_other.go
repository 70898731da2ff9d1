//go:build !linux && !darwin

package daemon

import (
	"net"
	"os"
)

// peerOf cannot ask here: the socket's private folder is the only guard.
func peerOf(*net.UnixConn) (uid int, p peer, err error) {
	return os.Getuid(), peer{terminal: true}, nil
}
