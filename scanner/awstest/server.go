// Package awstest is the AWS of the tests and the demo: a moto server on
// loopback, seeded with two accounts, and a proxy that injects faults.
//
// Its entry points are Start, Server.Seed and NewProxy. The server ends with
// the process that started it.
package awstest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotInstalled: there is no moto_server to run.
var ErrNotInstalled = errors.New("moto_server is not installed")

// Server is a running moto server.
type Server struct {
	// Endpoint is its URL, such as http://127.0.0.1:40123.
	Endpoint string

	cmd    *exec.Cmd
	log    *os.File
	exited chan struct{}
	stop   sync.Once
}

// Start runs a server on a free loopback port and waits until it answers. Its
// output goes to the file log; "" discards it.
func Start(ctx context.Context, log string) (*Server, error) {
	bin, err := binary()
	if err != nil {
		return nil, err
	}
	if log == "" {
		log = os.DevNull
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of moto_server: %w", err)
	}
	// Another process can take a free port before moto binds it.
	for attempt := 0; ; attempt++ {
		s, err := start(ctx, bin, out)
		if err == nil {
			return s, nil
		}
		if attempt == 2 || ctx.Err() != nil {
			out.Close()
			return nil, fmt.Errorf("starting moto_server (its output is in %s): %w", log, err)
		}
	}
}

func start(ctx context.Context, bin string, out *os.File) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, "-H", "127.0.0.1", "-p", strconv.Itoa(port))
	cmd.Dir = os.TempDir()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + os.TempDir(),
		"LANG=C.UTF-8",
		"NO_COLOR=1",
		// Without these, the first EC2 and IAM calls take seconds.
		"MOTO_EC2_LOAD_DEFAULT_AMIS=false",
		"MOTO_RDS_SNAPSHOT_LIMIT=10000",
	}
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd)

	s := &Server{Endpoint: "http://127.0.0.1:" + strconv.Itoa(port), cmd: cmd, log: out, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel ties the child to this thread, so it must live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(s.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/moto-api/", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("waiting for its first answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Reset empties all accounts and lets every caller do everything.
func (s *Server) Reset(ctx context.Context) error {
	if err := s.enforce(ctx, false); err != nil {
		return err
	}
	return s.post(ctx, "/moto-api/reset", "")
}

// enforce turns the check of keys and policies on or off.
func (s *Server) enforce(ctx context.Context, on bool) error {
	// The body is how many more calls go unchecked.
	unchecked := "1000000000"
	if on {
		unchecked = "0"
	}
	return s.post(ctx, "/moto-api/reset-auth", unchecked)
}

func (s *Server) post(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("calling moto_server: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("calling moto_server: %s answered %s", path, resp.Status)
	}
	return nil
}

// Stop ends the server and waits for it.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.kill()
		s.log.Close()
	})
}

func (s *Server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// binary is $CLOUDOPS_MOTO, else the one that `make` installs under .tools.
func binary() (string, error) {
	if bin := os.Getenv("CLOUDOPS_MOTO"); bin != "" {
		return bin, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, ".tools", "moto", "bin", "moto_server")
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("%w: run `.ci/tools moto`, or set CLOUDOPS_MOTO to one: %w", ErrNotInstalled, err)
	}
	return bin, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if f, err := os.Open(filepath.Join(dir, "go.mod")); err == nil {
			line, _ := bufio.NewReader(f).ReadString('\n')
			f.Close()
			if strings.TrimSpace(line) == "module github.com/cloudops/cloudops" {
				return dir, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("%w: the working directory is not inside the cloudops module", ErrNotInstalled)
		}
		dir = parent
	}
}
