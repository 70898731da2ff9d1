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
	"text/tabwriter"
	"time"

	"go.lsp.dev/jsonrpc2"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// nullServer makes this test binary an LSP server that answers at once.
const nullServer = "CLOUDOPS_BENCH_NULL"

func TestMain(m *testing.M) {
	if os.Getenv(nullServer) != "" {
		serveNull()
		return
	}
	storagetest.ServeIfStarted()
	os.Exit(awstest.Main(m))
}

// serveNull answers every hover with as many bytes as the variable says, on
// the reading goroutine, looking at nothing.
func serveNull() {
	size, err := strconv.Atoi(os.Getenv(nullServer))
	if err != nil {
		panic(err)
	}
	hover := jsonrpc2.RawMessage(`{"contents":{"kind":"markdown","value":"` + strings.Repeat("0", size) + `"}}`)
	conn := jsonrpc2.NewConn(jsonrpc2.NewStream(pipes{os.Stdin, os.Stdout}))
	conn.Go(context.Background(), func(_ context.Context, r *jsonrpc2.Request) (any, error) {
		if r.Method() == "textDocument/hover" {
			return hover, nil
		}
		return jsonrpc2.RawMessage(`{"capabilities":{}}`), nil
	})
	<-conn.Done()
}

type pipes struct {
	io.Reader
	io.WriteCloser
}

// BenchmarkHover prints hovers through stdio beside a server that answers at
// once, interleaved in one run, with start times and anonymous memory. What is
// compared is the ratios: absolute times are the machine's.
func BenchmarkHover(b *testing.B) {
	binary := os.Getenv("CLOUDOPS_BENCH_BINARY")
	if binary == "" {
		b.Fatal("CLOUDOPS_BENCH_BINARY names the binary to measure; `make bench` sets it")
	}
	for _, n := range []int{1_000, 20_000, 100_000} {
		b.Run(fmt.Sprintf("%dk", n/1000), func(b *testing.B) {
			for range b.N {
				benchHover(b, binary, n)
			}
		})
	}
}

func benchHover(b *testing.B, binary string, resources int) {
	const (
		rounds   = 60
		perRound = 200
	)
	dir := b.TempDir()
	env, home := benchHome(b, dir, resources)
	b.Cleanup(func() { stopDaemon(home, syscall.SIGTERM) })
	text := benchDocument(1_000, resources)

	start := time.Now()
	ours := startServer(b, env, binary, "lsp")
	ours.open(b, text)
	size := len(ours.firstHover(b))
	cold := time.Since(start)
	env = append(env, fmt.Sprintf("%s=%d", nullServer, size))
	null := startServer(b, env, os.Args[0])
	null.open(b, text)

	var warm, floor sample
	cpu := [2]time.Duration{ours.cpu(b), null.cpu(b)}
	for round := range rounds {
		for i := range perRound {
			floor.time(func() { null.hover(b, (round*perRound+i*7)%1000) })
		}
		for i := range perRound {
			line := (round*perRound + i*7) % 1000
			warm.time(func() {
				if ours.hover(b, line) == "" {
					b.Fatalf("hovering line %d showed nothing", line)
				}
			})
		}
	}
	cpu = [2]time.Duration{(ours.cpu(b) - cpu[0]) / (rounds * perRound), (null.cpu(b) - cpu[1]) / (rounds * perRound)}

	// Spawn to the initialize reply, the daemon already there, and from opening a
	// document to its first hover.
	var init, initFloor, open1k, open10k sample
	long := benchDocument(10_000, resources)
	for range 15 {
		initFloor = append(initFloor, startServer(b, env, os.Args[0]).started)
		for _, o := range []struct {
			text string
			took *sample
		}{{text, &open1k}, {long, &open10k}} {
			s := startServer(b, env, binary, "lsp")
			init = append(init, s.started)
			o.took.time(func() { s.open(b, o.text); s.firstHover(b) })
		}
	}

	t := table{b: b, w: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintf(t.w, "\n%d resources\tcloudops\tempty server\tratio\tbudget\t\n", resources)
	t.ratio("warm hover p50", warm.at(50), floor.at(50), "1.5x")
	t.ratio("warm hover p99", warm.at(99), floor.at(99), "2.0x")
	t.ratio("CPU of a hover", cpu[0], cpu[1], "")
	t.ratio("start to initialize", init.at(50), initFloor.at(50), "2.0x")
	fmt.Fprintf(t.w, "\t1,000 lines\t10,000 lines\tratio\tbudget\t\n")
	t.ratio("open to first hover", open10k.at(50), open1k.at(50), "2.0x")
	fmt.Fprintf(t.w, "\n")
	fmt.Fprintf(t.w, "first start to hover\t%v\t\t\t\t\n", round3(cold))
	t.memory("memory of the server", anonymousMB(b, ours.cmd.Process.Pid), "")
	t.memory("memory of the daemon", anonymousMB(b, daemonPID(b, home)), "75 MB at 100k")
	t.w.Flush()
	b.ReportMetric(0, "ns/op")
}

// sample is how long something took, many times.
type sample []time.Duration

func (s *sample) time(f func()) {
	start := time.Now()
	f()
	*s = append(*s, time.Since(start))
}

// at is a percentile.
func (s sample) at(percent int) time.Duration {
	return slices.Sorted(slices.Values(s))[len(s)*percent/100]
}

// table is what people read; the same figures are metrics for tools.
type table struct {
	b *testing.B
	w *tabwriter.Writer
}

func (t table) ratio(name string, ours, other time.Duration, budget string) {
	ratio := float64(ours) / float64(max(other, 1))
	fmt.Fprintf(t.w, "%s\t%v\t%v\t%.2fx\t%s\t\n", name, round3(ours), round3(other), ratio, budget)
	t.b.ReportMetric(ratio, "x-"+strings.ReplaceAll(name, " ", "-"))
}

func (t table) memory(name string, mb float64, budget string) {
	fmt.Fprintf(t.w, "%s\t%.1f MB\t\t\t%s\t\n", name, mb, budget)
	t.b.ReportMetric(mb, "MB-"+strings.ReplaceAll(name, " ", "-"))
}

// round3 keeps three digits.
func round3(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// benchDocument mentions resources spread over the whole estate, 300 in each
// thousand lines.
func benchDocument(lines, resources int) string {
	var doc strings.Builder
	mentions := min(lines*3/10, resources)
	for line := range lines {
		fmt.Fprintf(&doc, "  key_%d = \"%s\" # nothing here\n", line, benchID(line%mentions*(resources/mentions)))
	}
	return doc.String()
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
	store, err := storage.Open(b.Context(), storage.Config{DataPath: filepath.Join(home, "data")}, keys, services.Kinds())
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

// firstHover hovers until there is something to show.
func (s *lspServer) firstHover(b *testing.B) string {
	b.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if text := s.hover(b, 5); text != "" {
			return text
		}
	}
	b.Fatal("hovering shows nothing")
	return ""
}

// cpu is the processor time that a server took so far.
func (s *lspServer) cpu(b *testing.B) time.Duration {
	b.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	var ticks time.Duration
	for _, f := range strings.Fields(after)[11:13] { // user and system, in 1/100 s
		n, err := strconv.Atoi(f)
		if err != nil {
			b.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
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
	// The daemon's memory map is closed to its own user.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "RssAnon:" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("the status of the process has no RssAnon line")
	return 0
}
