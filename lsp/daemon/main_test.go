package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// TestMain lets the test program be the daemon that clients start, a peer and a
// Qdrant.
func TestMain(m *testing.M) {
	storagetest.ServeIfStarted()
	if len(os.Args) == 2 && os.Args[1] == "daemon" {
		os.Exit(testDaemon(os.Getenv("CLOUDOPS_HOME")))
	}
	if len(os.Args) == 3 && os.Args[1] == "connect" {
		nc, err := net.Dial("unix", os.Args[2])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, _ = nc.Read(make([]byte, 1))
		os.Exit(0)
	}
	goleak.VerifyTestMain(m,
		goleak.Cleanup(func(code int) {
			awstest.StopShared()
			os.Exit(code)
		}),
		// The goroutine that reaps a started process stays as long as that does.
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Wait"),
		// The SDK's transports keep their connections for a while.
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// testOptions tell a daemon of the tests how to behave; a file in its home.
type testOptions struct {
	// Die ends it at once with these words.
	Die   string
	Build Build
	// Real: it opens what the product opens.
	Real bool
}

// testDaemon is a daemon without parts, and with methods that only tests need.
func testDaemon(home string) int {
	var o testOptions
	b, err := os.ReadFile(filepath.Join(home, "options.json"))
	if err == nil {
		err = json.Unmarshal(b, &o)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if o.Die != "" {
		fmt.Fprintln(os.Stderr, o.Die)
		return 1
	}
	if err := os.WriteFile(filepath.Join(home, "environment"), []byte(strings.Join(os.Environ(), "\n")), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	open := noParts
	if o.Real {
		open = realParts(home)
	}
	s, err := newServer(ServerConfig{Home: home, Build: o.Build, Idle: 10 * time.Second, Open: open})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	addTestMethods(s)
	s.identify = atTerminal
	ln, err := s.bind()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := s.run(ctx, ln); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func noParts(context.Context) (*Parts, error) { return &Parts{StoreID: "none"}, nil }

const (
	methodHang  = "cloudops/test/hang"
	methodPanic = "cloudops/test/panic"
	methodEcho  = "cloudops/test/echo"
)

type echo struct {
	Text string `json:"text"`
}

func addTestMethods(s *server) {
	s.requests[methodHang] = request(methodHang, 0, 0, "", func(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
		x.conn.Notify("", "cloudops/test/hanging", none{})
		<-ctx.Done()
		return nil, ctx.Err()
	}).Descriptor
	s.requests[methodPanic] = request(methodPanic, 0, 0, "", func(context.Context, *session, *Parts, none) (any, error) {
		panic("secret words")
	}).Descriptor
	s.requests[methodEcho] = request(methodEcho, 0, 0, "", func(ctx context.Context, x *session, p *Parts, e echo) (any, error) {
		return e, nil
	}).Descriptor
}

// testHome is a home and a folder for sockets, both with short paths.
func testHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "cod")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"home", "run"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join(dir, "run"))
	return filepath.Join(dir, "home")
}

// serving runs a daemon in this process until the test ends or stop is called;
// stop returns what Serve would.
func serving(t *testing.T, cfg ServerConfig, change ...func(*server)) (s *server, stop func() error) {
	t.Helper()
	if cfg.Open == nil {
		cfg.Open = noParts
	}
	s, err := newServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	addTestMethods(s)
	s.identify = atTerminal
	for _, f := range change {
		f(s)
	}
	ln, err := s.bind()
	if err != nil {
		s.abandon()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, ln) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Minute):
			t.Error("the daemon did not end")
			return nil
		}
	}
	t.Cleanup(func() { stop() })
	return s, stop
}

// atTerminal is checkPeer for tests, which run without a terminal and stand for
// people who sit at one.
func atTerminal(nc net.Conn) (peer, error) {
	p, err := checkPeer(nc)
	p.terminal = true
	return p, err
}

// dialing connects to a daemon of this process.
func dialing(t *testing.T, cfg ClientConfig) *Client {
	t.Helper()
	if cfg.Kind == "" {
		cfg.Kind = "terminal"
	}
	if cfg.Executable == "" {
		cfg.Executable = "-"
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// raw is a peer that may say anything.
type raw struct {
	t  *testing.T
	nc net.Conn
	in *bufio.Reader
}

func rawPeer(t *testing.T, home string) *raw {
	t.Helper()
	path, err := socketPath(home)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := dialSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	return &raw{t, nc, bufio.NewReader(nc)}
}

func (r *raw) write(s string) {
	r.t.Helper()
	if _, err := io.WriteString(r.nc, s); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) send(body string) {
	r.t.Helper()
	r.write(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}

type reply struct {
	ID     any             `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int
		Message string
		Data    ErrorData
	}
}

// next is the next message that is no notification.
func (r *raw) next() reply {
	r.t.Helper()
	for {
		m, err := r.message()
		if err != nil {
			r.t.Fatal(err)
		}
		if m.Method == "" || m.ID != nil {
			return m
		}
	}
}

func (r *raw) message() (reply, error) {
	n := 0
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return reply{}, err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if n, err = strconv.Atoi(v); err != nil {
				return reply{}, err
			}
		}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r.in, body); err != nil {
		return reply{}, err
	}
	var m reply
	err := json.Unmarshal(body, &m)
	return m, err
}

const helloBody = `{"jsonrpc":"2.0","id":1,"method":"cloudops/hello","params":{"protocol":1,"build":{"version":"t","id":"","time":"0001-01-01T00:00:00Z"},"kind":"terminal","interactive":false,"environment":{}}}`

func (r *raw) hello() {
	r.t.Helper()
	r.send(helloBody)
	if m := r.next(); m.Error != nil {
		r.t.Fatalf("hello: %+v", m.Error)
	}
}

// eventually waits for a condition that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// logTo returns a log and what was written to it.
func logTo(t *testing.T) (*slog.Logger, func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return slog.New(slog.NewJSONHandler(f, nil)), func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}
