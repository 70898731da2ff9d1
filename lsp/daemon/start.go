package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// maxStarts bounds how often one dialing starts a daemon.
	maxStarts = 3
	// daemonPath is where credential processes are found; never the session's PATH.
	daemonPath = "/usr/local/bin:/usr/bin:/bin"
)

// reach dials the home's daemon and starts one if none has the home. That many
// clients do so at once is fine: the lock decides, the others' daemons leave.
func (c *Client) reach(ctx context.Context) (net.Conn, error) {
	path, err := socketPath(c.cfg.Home)
	if err != nil {
		return nil, err
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 2*time.Millisecond, 50*time.Millisecond
	var child *child
	starts := 0
	for end := time.Now().Add(c.patience); ; {
		// Asked before dialing, so that what it says is not newer than the dial.
		why := child.exited()
		nc, err := dialSocket(path)
		if err == nil {
			return nc, nil
		}
		squatted := errors.Is(err, errNoSocket)
		if !squatted && !absentDaemon(err) {
			return nil, err
		}
		state, held := lockedBy(c.cfg.Home)
		if held && state.socket != "" && state.socket != path {
			// Started by a session with other folders for sockets, or moved since.
			if nc, err := dialSocket(state.socket); err == nil {
				return nc, nil
			}
		}
		switch {
		case squatted: // no daemon can listen there, however long this waits
			return nil, refusef(CodeUnavailable, "remove it, then try again", "%s has the place of the daemon's socket, and is none", path)
		case held || state.expectsNewer(c.cfg.Build):
		case c.cfg.Executable == "-":
			return nil, refusef(CodeUnavailable, "start one with: cloudops daemon", "no daemon serves this home")
		case child == nil || why != nil && starts < maxStarts && errors.Is(why, errLostRace):
			if child, err = c.startDaemon(); err != nil {
				return nil, err
			}
			starts++
		case why != nil:
			return nil, refusef(CodeUnavailable, "run `cloudops doctor`, or `cloudops daemon` to see it fail", "the daemon did not start: %v", why)
		}
		if time.Now().After(end) {
			if held && state.pid != 0 {
				return nil, c.silent()
			}
			return nil, refusef(CodeUnavailable, "see log/daemon.log in the home", "the daemon did not answer in %v", c.patience)
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// absentDaemon: nobody listens; anything else is a reason not to go on.
func absentDaemon(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EAGAIN)
}

// errLostRace: the child found the home taken.
var errLostRace = errors.New("another daemon was there first")

// child is a daemon that this process started.
type child struct {
	done chan struct{}
	// err says in its own words why it ended; set when done is closed.
	err error
}

// exited is why the child is gone, nil while it lives or without one.
func (c *child) exited() error {
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// startDaemon starts a daemon that outlives this process: a session of its own,
// no terminal, no folder, and only the environment that it may have.
func (c *Client) startDaemon() (*child, error) {
	exe := c.cfg.Executable
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding the program to start as the daemon: %w", err)
		}
	}
	log, from, err := openLog(c.cfg.Home)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "daemon")
	cmd.Dir = "/"
	c.mu.Lock()
	workspaces := c.cfg.Environment.Workspaces
	c.mu.Unlock()
	cmd.Env = outside(daemonEnvironment(os.Environ(), c.cfg.Home, c.cfg.KeyVars), workspaces)
	cmd.Stderr = log
	cmd.SysProcAttr = detached()
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, refusef(CodeUnavailable, "check the path of the cloudops program", "starting the daemon: %v", err)
	}
	ch := &child{done: make(chan struct{})}
	// Waited for beyond this client's life, lest it becomes a zombie.
	go func() {
		defer close(ch.done)
		defer log.Close()
		err := cmd.Wait()
		words := written(log.Name(), from)
		switch {
		case strings.Contains(words, ErrRunning.Error()):
			ch.err = errLostRace
		case lastWords(words) != "":
			ch.err = errors.New(lastWords(words))
		case err != nil:
			ch.err = err
		default:
			ch.err = errors.New("it ended at once")
		}
	}()
	return ch, nil
}

// daemonEnvironment is what a daemon gets of an environment. AWS settings belong
// to sessions and travel in the handshake.
func daemonEnvironment(environ []string, home string, keyVars []string) []string {
	env := []string{"PATH=" + daemonPath, "CLOUDOPS_HOME=" + home}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR",
			"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE":
			env = append(env, entry)
		default:
			if strings.HasPrefix(name, "LC_") || slices.Contains(keyVars, name) {
				env = append(env, entry)
			}
		}
	}
	return env
}
