package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// nullServer makes this test binary an LSP server that answers at once.
const nullServer = "CLOUDOPS_BENCH_NULL"

func TestMain(m *testing.M) {
	if os.Getenv(nullServer) != "" {
		serveNull()
		return
	}
	os.Exit(m.Run())
}

func serveNull() {
	conn := jsonrpc2.NewConn(jsonrpc2.NewStream(pipes{os.Stdin, os.Stdout}))
	hover := map[string]any{"contents": map[string]any{"kind": "markdown", "value": strings.Repeat("null ", 100)}}
	conn.Go(context.Background(), func(_ context.Context, r *jsonrpc2.Request) (any, error) {
		if r.Method() == "textDocument/hover" {
			return hover, nil
		}
		return map[string]any{"capabilities": map[string]any{}}, nil
	})
	<-conn.Done()
}

type pipes struct {
	io.Reader
	io.WriteCloser
}

// BenchmarkHover prints warm hover through stdio beside a server that answers
// at once, interleaved in one run, with start times and anonymous memory.
func BenchmarkHover(b *testing.B) {
	binary := os.Getenv("CLOUDOPS_BENCH_BINARY")
	if binary == "" {
		b.Fatal("CLOUDOPS_BENCH_BINARY names the binary to measure; `make bench` sets it")
	}
	for _, n := range []int{1_000, 20_000} {
		b.Run(fmt.Sprintf("%dk", n/1000), func(b *testing.B) {
			for range b.N {
				benchHover(b, binary, n)
			}
		})
	}
}

func benchHover(b *testing.B, binary string, resources int) {
	const (
		rounds   = 12
		perRound = 500
		mentions = 300
	)
	dir := b.TempDir()
	env, home := benchHome(b, dir, resources)
	b.Cleanup(func() { stopDaemon(home, syscall.SIGTERM) })

	// The document mentions resources spread over the whole estate.
	var doc strings.Builder
	for line := range 1000 {
		fmt.Fprintf(&doc, "  key_%d = \"%s\" # nothing here\n", line, benchID(line%mentions*(resources/mentions)))
	}
	null := startServer(b, append(env, nullServer+"=1"), os.Args[0])
	cold := time.Now()
	ours := startServer(b, env, binary, "lsp")
	ours.open(b, doc.String())
	for ours.hover(b, 5) == "" { // the daemon is starting
		if time.Since(cold) > time.Minute {
			b.Fatal("hovering shows nothing")
		}
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(time.Since(cold).Milliseconds()), "ms-cold-to-first-hover")
	null.open(b, doc.String())

	var a, z []time.Duration
	for round := range rounds {
		for i := range perRound {
			line := (round*perRound + i*7) % 1000
			start := time.Now()
			null.hover(b, line)
			z = append(z, time.Since(start))
		}
		for i := range perRound {
			line := (round*perRound + i*7) % 1000
			start := time.Now()
			if ours.hover(b, line) == "" {
				b.Fatalf("hovering line %d showed nothing", line)
			}
			a = append(a, time.Since(start))
		}
	}
	report := func(d []time.Duration, name string) (p50, p99 time.Duration) {
		slices.Sort(d)
		p50, p99 = d[len(d)/2], d[len(d)*99/100]
		b.ReportMetric(float64(p50.Microseconds()), "us-p50-"+name)
		b.ReportMetric(float64(p99.Microseconds()), "us-p99-"+name)
		return p50, p99
	}
	a50, a99 := report(a, "ours")
	z50, z99 := report(z, "null")
	b.ReportMetric(float64(a50)/float64(z50), "x-p50")
	b.ReportMetric(float64(a99)/float64(z99), "x-p99")

	// Start: spawn to the initialize reply, the daemon already there.
	var so, sn []time.Duration
	for range 9 {
		sn = append(sn, startServer(b, append(env, nullServer+"=1"), os.Args[0]).started)
		so = append(so, startServer(b, env, binary, "lsp").started)
	}
	slices.Sort(so)
	slices.Sort(sn)
	b.ReportMetric(float64(so[4].Microseconds())/1000, "ms-start-ours")
	b.ReportMetric(float64(sn[4].Microseconds())/1000, "ms-start-null")
	b.ReportMetric(anonymousMB(b, ours.cmd.Process.Pid), "MB-lsp")
	b.ReportMetric(anonymousMB(b, daemonPID(b, home)), "MB-daemon")
	b.ReportMetric(0, "ns/op")
}

func benchID(i int) string { return fmt.Sprintf("i-%017x", 0xabc0000+i*7919) }

// benchHome fills a store with made-up instances.
func benchHome(b *testing.B, dir string, resources int) (env []string, home string) {
	home = filepath.Join(dir, "home")
	run, err := os.MkdirTemp("", "cob")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(run) })
	source := seal.Source{File: filepath.Join(dir, "keys", "key")}
	if err := os.Mkdir(home, 0o700); err != nil {
		b.Fatal(err)
	}
	config := "encryption:\n  key_source:\n    file: " + source.File + "\n"
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	keys, err := seal.Unlock(home, source)
	if err != nil {
		b.Fatal(err)
	}
	store, err := storage.Open(b.Context(), storage.Config{DataPath: filepath.Join(home, "data")}, keys)
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]storage.Resource, 0, resources)
	for i := range resources {
		id := benchID(i)
		batch = append(batch, storage.Resource{
			Type: "ec2_instance", ID: id, Service: "ec2", AccountID: "123456789012", AccountName: "prod",
			Region: []string{"us-west-2", "eu-west-1", "us-east-1"}[i%3],
			ARN:    "arn:aws:ec2:us-west-2:123456789012:instance/" + id,
			Name:   fmt.Sprintf("web-%05d", i), State: "running", Summary: "t3.medium · vpc-0123456789abcdef0",
			Tags:       map[string]string{"env": []string{"production", "staging"}[i%2], "app": fmt.Sprintf("app-%d", i%50), "owner": "team-backend"},
			Aliases:    []string{fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)},
			Metadata:   map[string]any{"instance_type": "t3.medium", "vpc_id": "vpc-0123456789abcdef0"},
			LastSynced: time.Now(),
		})
	}
	if _, err := store.Estate.BulkUpsert(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	return []string{"HOME=" + dir, "CLOUDOPS_HOME=" + home, "XDG_RUNTIME_DIR=" + run, "PATH=/usr/bin:/bin"}, home
}

type lspServer struct {
	cmd     *exec.Cmd
	conn    jsonrpc2.Conn
	started time.Duration
}

// startServer spawns an LSP server and initializes it.
func startServer(b *testing.B, env []string, name string, args ...string) *lspServer {
	b.Helper()
	start := time.Now()
	cmd := exec.Command(name, args...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s := &lspServer{cmd: cmd, conn: jsonrpc2.NewConn(jsonrpc2.NewStream(pipes{out, in}))}
	s.conn.Go(context.Background(), func(context.Context, *jsonrpc2.Request) (any, error) { return nil, nil })
	b.Cleanup(func() {
		in.Close()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			b.Error(err)
		}
	})
	s.call(b, "initialize", map[string]any{"processId": os.Getpid(), "capabilities": map[string]any{
		"textDocument": map[string]any{"hover": map[string]any{"contentFormat": []string{"markdown"}}}}}, nil)
	s.started = time.Since(start)
	return s
}

func (s *lspServer) call(b *testing.B, method string, params, result any) {
	b.Helper()
	if _, err := s.conn.Call(context.Background(), method, params, result); err != nil {
		b.Fatalf("%s: %v", method, err)
	}
}

func (s *lspServer) open(b *testing.B, text string) {
	b.Helper()
	document := map[string]any{"uri": "file:///bench.tf", "languageId": "terraform", "version": 1, "text": text}
	for _, err := range []error{
		s.conn.Notify(context.Background(), "initialized", map[string]any{}),
		s.conn.Notify(context.Background(), "textDocument/didOpen", map[string]any{"textDocument": document}),
	} {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// hover hovers the identifier of a line.
func (s *lspServer) hover(b *testing.B, line int) string {
	b.Helper()
	var h *struct {
		Contents struct {
			Value string `json:"value"`
		} `json:"contents"`
	}
	s.call(b, "textDocument/hover", map[string]any{
		"textDocument": map[string]any{"uri": "file:///bench.tf"},
		"position":     map[string]any{"line": line, "character": len("  key_ = \"") + len(strconv.Itoa(line)) + 3},
	}, &h)
	if h == nil {
		return ""
	}
	return h.Contents.Value
}

func daemonPID(b *testing.B, home string) int {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(home, "daemon.lock"))
	if err != nil {
		b.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		b.Fatal(err)
	}
	return pid
}

// anonymousMB is the resident memory of a process that no file backs.
func anonymousMB(b *testing.B, pid int) float64 {
	b.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Anonymous:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("smaps_rollup has no Anonymous line")
	return 0
}
