package endpoint_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// The test binary stands in for qdrant when it is started as one.
func TestMain(m *testing.M) {
	storagetest.ServeIfStarted()
	os.Exit(m.Run())
}

// serve starts a Qdrant.
func serve(t *testing.T, env ...string) *storagetest.StandIn {
	t.Helper()
	s, err := storagetest.NewStandIn(filepath.Join(t.TempDir(), "storage"), env...)
	if err == nil {
		t.Cleanup(s.Kill)
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// authority signs certificates for loopback and for clients.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "ca"}})
	return a
}

// sign writes NAME.pem and NAME.key.
func (a *authority) sign(t *testing.T, name string, c *x509.Certificate) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) loopback(t *testing.T, name string, until time.Time) {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if !until.IsZero() {
		c.NotBefore, c.NotAfter = until.Add(-time.Hour), until
	}
	a.sign(t, name, c)
}

func (a *authority) env(name string, more ...string) []string {
	return append([]string{"QDRANT__SERVICE__ENABLE_TLS=true", "QDRANT__TLS__CERT=" + a.file(name+".pem"), "QDRANT__TLS__KEY=" + a.file(name+".key")}, more...)
}

func open(t *testing.T, cfg endpoint.Config) *endpoint.Endpoint {
	t.Helper()
	e, err := endpoint.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestRemote(t *testing.T) {
	a := newAuthority(t)
	a.loopback(t, "server", time.Time{})
	a.sign(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	s := serve(t, a.env("server", "QDRANT__SERVICE__API_KEY=the key", "QDRANT__TLS__CA_CERT="+a.file("ca.pem"))...)
	e := open(t, endpoint.Config{
		Mode: endpoint.Remote, URL: "https://" + s.Address, APIKey: "the key",
		CAFile: a.file("ca.pem"), CertFile: a.file("client.pem"), KeyFile: a.file("client.key"),
	})
	if st := e.State(); !st.Connected || e.Version() == "" {
		t.Fatalf("%+v, version %q", st, e.Version())
	}
	storagetest.Run(t, e.Client)
}

// What a person has to mend is an error that says so, not a state to wait in.
func TestARemoteThatRefusesUs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	a, other := newAuthority(t), newAuthority(t)
	a.loopback(t, "server", time.Time{})
	a.loopback(t, "expired", time.Now().Add(-time.Minute))
	a.sign(t, "elsewhere", &x509.Certificate{DNSNames: []string{"qdrant.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	keyed := serve(t, a.env("server", "QDRANT__SERVICE__API_KEY=the key")...)
	expired := serve(t, a.env("expired")...)
	elsewhere := serve(t, a.env("elsewhere")...)
	mutual := serve(t, a.env("server", "QDRANT__TLS__CA_CERT="+a.file("ca.pem"))...)
	for name, c := range map[string]struct {
		cfg  endpoint.Config
		says string
	}{
		"no key":          {endpoint.Config{URL: "https://" + keyed.Address, CAFile: a.file("ca.pem")}, "qdrant.api_key"},
		"another key":     {endpoint.Config{URL: "https://" + keyed.Address, CAFile: a.file("ca.pem"), APIKey: "another"}, "qdrant.api_key"},
		"unknown CA":      {endpoint.Config{URL: "https://" + keyed.Address, CAFile: other.file("ca.pem"), APIKey: "the key"}, "certificates do not fit"},
		"the system's CA": {endpoint.Config{URL: "https://" + keyed.Address, APIKey: "the key"}, "certificates do not fit"},
		"expired":         {endpoint.Config{URL: "https://" + expired.Address, CAFile: a.file("ca.pem")}, "expired"},
		"another name":    {endpoint.Config{URL: "https://" + elsewhere.Address, CAFile: a.file("ca.pem")}, "certificates do not fit"},
		"no client cert":  {endpoint.Config{URL: "https://" + mutual.Address, CAFile: a.file("ca.pem")}, "certificate"},
		"no CA file":      {endpoint.Config{URL: "https://" + keyed.Address, CAFile: a.file("none.pem")}, "qdrant.tls.ca_file"},
		"half a pair":     {endpoint.Config{URL: "https://" + keyed.Address, CertFile: a.file("ca.pem")}, "go together"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Mode = endpoint.Remote
			e, err := endpoint.Open(t.Context(), c.cfg)
			if err == nil {
				// Only the refusal of a client's certificate may be lost with the
				// connection on which it comes.
				if state := e.State(); name != "no client cert" || !strings.Contains(state.Problem, "client certificate") {
					t.Errorf("%+v, want something about %q", state, c.says)
				}
				e.Close()
				return
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "the key (") || errors.Is(err, endpoint.ErrUnavailable) {
				t.Errorf("got %v, want something about %q", err, c.says)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	for raw, says := range map[string]string{
		"https://qdrant.example":           "",
		"https://qdrant.example:7000/":     "",
		"http://127.0.0.1:6334":            "",
		"http://localhost":                 "",
		"http://[::1]:6334":                "",
		"":                                 "empty",
		"qdrant.example:6334":              "https://",
		"ftp://qdrant.example":             "https://",
		"https://":                         "name a host",
		"http://qdrant.example":            "without TLS",
		"http://10.0.0.1:6334":             "without TLS",
		"http://127.0.0.1.evil.example":    "without TLS",
		"https://u:p@qdrant.example":       "password",
		"https://qdrant.example:99999":     "port",
		"https://qdrant.example/a?b=c#d":   "end after the port",
		"https://qdrant.example:6334/path": "end after the port",
	} {
		_, _, _, err := endpoint.Address(raw)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", raw, err, says)
		}
	}
}

// A server that goes away fails calls at once, with what to do; when it is back
// what waits for it runs before anything else.
func TestALostConnectionHeals(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	s := serve(t)
	var readied atomic.Int32
	var e *endpoint.Endpoint
	e = open(t, endpoint.Config{Mode: endpoint.Remote, URL: "http://" + s.Address, Ready: func(ctx context.Context) error {
		readied.Add(1)
		_, err := e.Client.ListAliases(ctx)
		return err
	}})
	if _, err := e.Client.ListAliases(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	_, err := e.Client.ListAliases(t.Context())
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "check qdrant.url") {
		t.Fatalf("without a server: %v", err)
	}
	if st := e.State(); st.Connected || !strings.Contains(st.Problem, "not reachable") {
		t.Errorf("%+v", st)
	}
	begun := time.Now()
	for range 100 {
		if _, err := e.Client.ListAliases(t.Context()); status.Code(err) != codes.Unavailable {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("100 calls without a server took %v", took)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the connection is back", func() bool { return e.State().Connected })
	if readied.Load() == 0 {
		t.Error("Ready did not run")
	}
	if _, err := e.Client.ListAliases(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAServerThatIsAwayAtFirst(t *testing.T) {
	s := serve(t)
	s.Kill()
	e := open(t, endpoint.Config{Mode: endpoint.Remote, URL: "http://" + s.Address})
	if st := e.State(); st.Connected {
		t.Fatalf("%+v", st)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the connection is there", func() bool { return e.State().Connected })
}

// One that takes connections and never answers, or speaks something else, is as
// good as none.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for name, say := range map[string]string{"silent": "", "http": "HTTP/1.1 400 Bad Request\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					fmt.Fprint(c, say)
				}
			}()
			e := open(t, endpoint.Config{Mode: endpoint.Remote, URL: "http://" + l.Addr().String()})
			if st := e.State(); st.Connected || !strings.Contains(st.Problem, "not reachable") {
				t.Errorf("%+v", st)
			}
		})
	}
}

// local is a supervised stand-in.
func local(t *testing.T) (endpoint.Config, *seal.Keys) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	keys, err := seal.Unlock(home, seal.Source{File: filepath.Join(filepath.Dir(home), "key", "kek")})
	if err != nil {
		t.Fatal(err)
	}
	binary, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.Config{
		Mode: endpoint.Local, Dir: filepath.Join(keys.Home(), "data", "qdrant-local"), Keys: keys, Binary: binary,
		Log: filepath.Join(keys.Home(), "log", "qdrant.log"),
		// The test binary lies where no program may be started from.
		Trusted: func(string) error { return nil },
	}, keys
}

func TestLocal(t *testing.T) {
	cfg, _ := local(t)
	e := open(t, cfg)
	if st := e.State(); !st.Connected {
		t.Fatalf("%+v", st)
	}
	storagetest.Run(t, e.Client)
	pid := child(t)
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err == nil && strings.Count(string(command), "\x00") > 1 {
		t.Errorf("it was started as %q", command)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the program outlives its endpoint")
	}
}

// child finds the process that this one started.
func child(t *testing.T) int {
	t.Helper()
	var pid int
	until(t, "a child", func() bool {
		tasks, _ := filepath.Glob("/proc/self/task/*/children")
		for _, f := range tasks {
			b, _ := os.ReadFile(f)
			if _, err := fmt.Sscan(string(b), &pid); err == nil {
				return true
			}
		}
		return false
	})
	return pid
}

func TestALocalThatIsKilledIsStartedAgain(t *testing.T) {
	cfg, _ := local(t)
	e := open(t, cfg)
	if err := syscall.Kill(child(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Calls that come while it is away may fail; then it serves again.
	until(t, "calls are answered again", func() bool {
		_, err := e.Client.ListAliases(t.Context())
		return err == nil
	})
}

func TestALocalThatHangsIsStartedAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("a hang is noticed after some time")
	}
	cfg, _ := local(t)
	e := open(t, cfg)
	hung := child(t)
	if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := e.Client.ListAliases(ctx)
		cancel()
		// One answer may have been on its way when the program was stopped.
		if err == nil && child(t) != hung {
			return
		}
	}
	t.Error("it was not started again")
}

func TestALocalThatNeverComesUp(t *testing.T) {
	cfg, _ := local(t)
	broken := filepath.Join(t.TempDir(), "qdrant")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho no luck\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg.Binary = broken
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	e, err := endpoint.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if st := e.State(); st.Connected || !strings.Contains(st.Problem, "exit status 3") && !strings.Contains(st.Problem, "qdrant.log") {
		t.Errorf("%+v", st)
	}
	if log, err := os.ReadFile(cfg.Log); err != nil || !strings.Contains(string(log), "no luck") {
		t.Errorf("its log holds %q, %v", log, err)
	}
}

// A program that took the place of the one started before is not started.
func TestAnotherProgramIsNotStarted(t *testing.T) {
	cfg, keys := local(t)
	e := open(t, cfg)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "qdrant")
	if err := os.WriteFile(other, []byte("#!/bin/sh\ntouch "+filepath.Join(cfg.Dir, "ran")+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg.Binary = other
	if _, err := endpoint.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "cloudops config trust-qdrant") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, "ran")); err == nil {
		t.Error("it was started")
	}
	if _, _, err := endpoint.Program(other); err == nil || !strings.Contains(err.Error(), "may be anybody's") {
		t.Errorf("trusting a program in a temporary folder: %v", err)
	}
	sum, err := endpoint.Fingerprint(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := endpoint.Remember(keys, other, sum); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if e, err := endpoint.Open(ctx, cfg); err != nil {
		t.Errorf("a program that is trusted now: %v", err)
	} else {
		e.Close()
	}
}

func TestProgramsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	temporary := filepath.Join(dir, "qdrant")
	if err := os.WriteFile(temporary, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := endpoint.Trust(temporary); err == nil {
		t.Error("a program in a temporary folder is trusted")
	}
	if err := endpoint.Trust("/bin/sh"); err != nil {
		t.Errorf("/bin/sh is not: %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/bin/sh", link); err != nil {
		t.Fatal(err)
	}
	cfg, _ := local(t)
	cfg.Trusted = nil
	if _, err := endpoint.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "refusing") {
		t.Errorf("got %v", err)
	}
	cfg.Binary = filepath.Join(dir, "none")
	if _, err := endpoint.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "qdrant.binary") {
		t.Errorf("got %v", err)
	}
	cfg.Binary = "qdrant"
	if _, err := endpoint.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("got %v", err)
	}
}
