package endpoint

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
)

const (
	// startTime is how long Open waits for a local Qdrant to answer.
	startTime = 20 * time.Second
	// stopTime is how long it may take to end when asked to.
	stopTime = 10 * time.Second
	// steady is how long it has to run for its next end to count as the first.
	steady = time.Minute
	// maxLog is the size at which its log begins anew, in bytes.
	maxLog = 1 << 20
	// localName is the name in its certificate.
	localName = "qdrant.cloudops.internal"
)

// child is a supervised qdrant program.
type child struct {
	cfg    Config
	binary string
	key    string
	roots  *x509.CertPool
	// address is where it listens now.
	address atomic.Pointer[string]
	cancel  context.CancelFunc
	done    chan struct{}
	// hung asks for the end of a program that does not answer.
	hung chan struct{}

	mu      sync.Mutex // guards what follows
	problem error
}

func openLocal(ctx context.Context, cfg Config) (*Endpoint, error) {
	c, err := newChild(cfg)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{child: c, link: newLink("see "+cfg.Log+"; it is started again by itself", cfg.Ready)}
	security := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots, ServerName: localName}
	e.Client, err = qdrant.NewClient(&qdrant.Config{
		Host: "passthrough:///" + localName, APIKey: c.key, UseTLS: true, TLSConfig: security, PoolSize: 1, SkipCompatibilityCheck: true,
		GrpcOptions: append(append(e.link.options(), grpc.WithContextDialer(c.dial)), cfg.Options...),
	})
	if err != nil {
		return nil, err
	}
	e.link.client, e.link.stuck = e.Client, c.stuck
	supervised, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.supervise(supervised)
	if err := c.answered(ctx, e.link); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// answered waits for the first answer. A program that does not come up in time
// leaves the endpoint disconnected; it is started again by itself.
func (c *child) answered(ctx context.Context, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := l.probe(ctx)
		switch {
		case err == nil:
			return l.connect(ctx)
		case !errors.Is(err, ErrUnavailable):
			return err
		}
		select {
		case <-ctx.Done():
			if why := c.why(); why != nil {
				err = fmt.Errorf("%w: %w", ErrUnavailable, why)
			}
			l.lost(err)
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func newChild(cfg Config) (*child, error) {
	binary, err := find(cfg.Binary)
	if err != nil {
		return nil, err
	}
	trusted := cfg.Trusted
	if trusted == nil {
		trusted = Trust
	}
	if err := trusted(binary); err != nil {
		return nil, err
	}
	if err := recognise(cfg.Keys, binary); err != nil {
		return nil, err
	}
	c := &child{cfg: cfg, binary: binary, key: rand.Text() + rand.Text(), done: make(chan struct{}), hung: make(chan struct{}, 1)}
	for _, dir := range []string{cfg.Dir, c.path("run"), filepath.Dir(cfg.Log)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of the local Qdrant: %w", err)
		}
	}
	return c, c.certify()
}

func (c *child) path(name string) string { return filepath.Join(c.cfg.Dir, name) }

// certify makes the certificate by which the program is told from whatever else
// may listen on its port.
func (c *child) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: localName}, DNSNames: []string{localName},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	c.roots = x509.NewCertPool()
	c.roots.AppendCertsFromPEM(cert)
	return errors.Join(
		os.WriteFile(c.path("run/cert.pem"), cert, 0o600),
		os.WriteFile(c.path("run/key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

func (c *child) dial(ctx context.Context, _ string) (net.Conn, error) {
	address := c.address.Load()
	if address == nil {
		return nil, errors.New("the local Qdrant is not started yet")
	}
	return new(net.Dialer).DialContext(ctx, "tcp", *address)
}

// supervise keeps the program running until ctx ends.
func (c *child) supervise(ctx context.Context) {
	defer close(c.done)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 500*time.Millisecond, 30*time.Second
	for {
		begun := time.Now()
		err := c.run(ctx)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		c.problem = fmt.Errorf("the local Qdrant ended (%w)", err)
		c.mu.Unlock()
		if time.Since(begun) > steady {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
	}
}

func (c *child) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// run starts the program once and waits for its end.
func (c *child) run(ctx context.Context) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	log, err := openLog(c.cfg.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.binary)
	// It reads settings from the folder it is started in: one with none.
	cmd.Dir = c.path("run")
	cmd.Env = []string{
		"QDRANT__SERVICE__HOST=127.0.0.1",
		"QDRANT__SERVICE__GRPC_PORT=" + strconv.Itoa(ports[0]),
		"QDRANT__SERVICE__HTTP_PORT=" + strconv.Itoa(ports[1]),
		"QDRANT__SERVICE__API_KEY=" + c.key,
		"QDRANT__SERVICE__ENABLE_TLS=true",
		"QDRANT__TLS__CERT=" + c.path("run/cert.pem"),
		"QDRANT__TLS__KEY=" + c.path("run/key.pem"),
		"QDRANT__STORAGE__STORAGE_PATH=" + c.path("storage"),
		"QDRANT__STORAGE__SNAPSHOTS_PATH=" + c.path("snapshots"),
		"QDRANT__TELEMETRY_DISABLED=true",
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = tied()
	ended := make(chan error, 1)
	started := make(chan error)
	// The child lives as long as the thread that started it, where the system
	// can tie it to one: that thread waits.
	go startTied(cmd, started, ended)
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", c.binary, err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	c.address.Store(&address)
	select {
	case err := <-ended:
		if err == nil {
			err = errors.New("without a word")
		}
		return err
	case <-c.hung:
		_ = cmd.Process.Kill()
		<-ended
		return errors.New("it gave no answer")
	case <-ctx.Done():
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = cmd.Process.Kill()
		<-ended
	}
	return ctx.Err()
}

// stuck has a program that listens, but does not answer, ended, and so started
// again. One that does not listen yet is reading its data, which may take long.
func (c *child) stuck() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := c.dial(ctx, "")
	if err != nil {
		return
	}
	conn.Close()
	select {
	case c.hung <- struct{}{}:
	default:
	}
}

func (c *child) stop() {
	c.cancel()
	<-c.done
}

// freePorts finds ports of loopback that nobody listens on. Whoever takes one
// before the program does has no certificate for it.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// openLog opens the program's log; a long one begins anew.
func openLog(path string) (*os.File, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("opening the log of the local Qdrant: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("opening the log of the local Qdrant: %s is not a regular file", path)
	case info.Size() > maxLog:
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of the local Qdrant: %w", err)
	}
	return f, nil
}
