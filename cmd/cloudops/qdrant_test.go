package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/goccy/go-yaml"
)

// standIn is this test binary as a Qdrant; see TestMain.
type standIn struct {
	port, dir string
	cmd       *exec.Cmd
}

// place chooses where it listens and keeps its data.
func (s *standIn) place(dir string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	s.dir = dir
	return l.Close()
}

func (s *standIn) start() error {
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), "QDRANT__SERVICE__GRPC_PORT="+s.port, "QDRANT__STORAGE__STORAGE_PATH="+s.dir)
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	return err
}

func (s *standIn) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// The mode is changed, and nothing else of what the user wrote.
func TestTheModeIsWrittenIntoTheConfiguration(t *testing.T) {
	for before, want := range map[string]string{
		"":                               "qdrant:\n  mode: remote\n",
		"# nothing yet\n":                "",
		"aws:\n  profiles: [a] # mine\n": "aws:\n  profiles: [a] # mine\nqdrant:\n  mode: remote\n",
		"qdrant:\n  mode: embedded # the default\n  url: https://q # theirs\npolicy:\n  reads: ask\n": "qdrant:\n  mode: remote\n  url: https://q # theirs\npolicy:\n  reads: ask\n",
		"# top\nqdrant:\n  # where\n  url: https://q\n":                                               "# top\nqdrant:\n  # where\n  url: https://q\n  mode: remote\n",
		"qdrant: {url: https://q}\n":                                                                  "",
	} {
		got, err := withMode([]byte(before), "remote")
		if err != nil {
			t.Errorf("%q: %v", before, err)
			continue
		}
		if want != "" && string(got) != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
		var have, had map[string]any
		if err := yaml.Unmarshal(got, &have); err != nil {
			t.Errorf("%q became %q: %v", before, got, err)
			continue
		}
		if err := yaml.Unmarshal([]byte(before), &had); err != nil {
			t.Fatal(err)
		}
		q, _ := have["qdrant"].(map[string]any)
		if q["mode"] != "remote" {
			t.Errorf("%q became %q", before, got)
		}
		if old, ok := had["qdrant"].(map[string]any); ok && old["url"] != q["url"] {
			t.Errorf("%q became %q", before, got)
		}
	}
}
