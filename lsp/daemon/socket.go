package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is the shortest limit of the supported systems, with its NUL.
const maxSocketPath = 103

// socketPath is where a home's daemon listens: one socket per home, in the first
// folder that can be had for it, which is made here if needed. Another process
// may come to another folder; the home's lock says where the daemon is.
func socketPath(home string) (string, error) {
	real, err := realPath(home)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(real))
	name := hex.EncodeToString(sum[:8]) + ".sock"
	own := "cloudops-" + strconv.Itoa(os.Getuid())
	dirs := []string{filepath.Join(os.TempDir(), own), filepath.Join("/tmp", own)}
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) && ownFolder(run) {
		dirs = append([]string{filepath.Join(run, "cloudops")}, dirs...)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if len(path) > maxSocketPath {
			continue
		}
		err := privateDir(dir)
		if errors.Is(err, fs.ErrNotExist) { // a folder for temporary files that is gone
			continue
		}
		return path, err
	}
	return "", errors.New("placing the socket: no folder is there whose path is short enough; set TMPDIR to one")
}

// realPath is absolute and free of links as far as the path can be followed.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the home: %w", err)
	}
	for dir := abs; ; dir = filepath.Dir(dir) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return filepath.Join(real, strings.TrimPrefix(abs, dir)), nil
		}
		if dir == filepath.Dir(dir) {
			return abs, nil
		}
	}
}

// privateDir makes a folder, or refuses one that anybody else can reach.
func privateDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder %s: %w", dir, err)
	}
	return checkPrivate(dir)
}

// checkPrivate refuses a folder that anybody else can reach.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("checking the folder %s: %w", dir, err)
	}
	switch {
	case !info.IsDir():
		return fmt.Errorf("refusing %s: it is not a folder; remove it", dir)
	case !ownedByUser(info):
		return fmt.Errorf("refusing %s: another user owns it; for the socket, set XDG_RUNTIME_DIR to a folder of your own", dir)
	case openToOthers(info):
		return fmt.Errorf("refusing %s: other users can reach it; run: chmod 700 %s", dir, dir)
	}
	return nil
}

// ownFolder reports whether path is a folder of the user's.
func ownFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && ownedByUser(info)
}

// socket is a bound socket and the file that leads to it.
type socket struct {
	*net.UnixListener
	path string
	file fs.FileInfo
}

// unreachable: nobody can dial the socket any more, as its file is gone or
// another one. Folders for temporary files are emptied under living processes.
func (s *socket) unreachable() bool {
	info, err := os.Lstat(s.path)
	return err != nil || !os.SameFile(info, s.file)
}

// leave stops listening and removes the file, if it is still this socket's.
func (s *socket) leave() {
	s.SetUnlinkOnClose(!s.unreachable())
	s.Close()
}

// listen binds the socket. Only the holder of the home's lock may call it: it
// removes what an earlier daemon left.
func listen(path string) (*socket, error) {
	switch err := checkSocket(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing a stale socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening on the socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("closing the socket to others: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("checking the socket: %w", err)
	}
	return &socket{l, path, info}, nil
}

// errNoSocket: something else has the socket's place.
var errNoSocket = errors.New("it is not a socket; remove it")

// checkSocket looks at what has the socket's place. A link is none, lest it lead
// to somebody else's.
func checkSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("checking the socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("refusing %s: %w", path, errNoSocket)
	}
	return nil
}

// dialSocket connects to a socket in a folder that is the user's own, held by a
// process of the user's own.
func dialSocket(path string) (net.Conn, error) {
	if !filepath.IsAbs(path) { // such as a name that no folder guards
		return nil, fmt.Errorf("refusing the socket %q: it is not the path of a file", path)
	}
	if err := checkPrivate(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := checkSocket(path); err != nil {
		return nil, err
	}
	nc, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("dialing the daemon: %w", err)
	}
	if _, err := checkPeer(nc); err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// peer is the kernel's word on who is at the other end; zero where it has none.
type peer struct {
	pid        int
	executable string
	// terminal: it has a controlling terminal, or the system does not tell.
	terminal bool
}

// checkPeer refuses other users.
func checkPeer(nc net.Conn) (peer, error) {
	u, ok := nc.(*net.UnixConn)
	if !ok {
		// An in-process pipe: the peer is this process.
		exe, _ := os.Executable()
		return peer{pid: os.Getpid(), executable: exe, terminal: true}, nil
	}
	uid, p, err := peerOf(u)
	if err != nil {
		return peer{}, fmt.Errorf("asking who is at the other end: %w", err)
	}
	if uid != os.Getuid() {
		return peer{}, fmt.Errorf("refusing a connection of user %d", uid)
	}
	return p, nil
}
