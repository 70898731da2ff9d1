package storagetest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
)

// storagePath is the variable that tells a test binary that it was started as
// a Qdrant.
const storagePath = "QDRANT__STORAGE__STORAGE_PATH"

// ServeIfStarted ends the process after Serve if it was started as a stand-in.
// It comes first in a TestMain.
func ServeIfStarted() {
	if os.Getenv(storagePath) == "" {
		return
	}
	if err := Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// StandIn is this test binary as a Qdrant, in a process of its own on a port of
// its own, which can be killed and come back with its data.
type StandIn struct {
	// Address is its host and port.
	Address string

	env []string
	cmd *exec.Cmd
}

// NewStandIn chooses a port for one that keeps its data in dir; env is added to
// what Serve reads.
func NewStandIn(dir string, env ...string) (*StandIn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	s := &StandIn{Address: l.Addr().String()}
	_, port, err := net.SplitHostPort(s.Address)
	s.env = append([]string{"QDRANT__SERVICE__GRPC_PORT=" + port, storagePath + "=" + dir}, env...)
	return s, err
}

// Start returns once it listens; env is added for this time.
func (s *StandIn) Start(env ...string) error {
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = slices.Concat(os.Environ(), s.env, env)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		return fmt.Errorf("starting a stand-in for qdrant: %w", err)
	}
	return nil
}

// Kill ends it at once; one that does not run is left alone.
func (s *StandIn) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
