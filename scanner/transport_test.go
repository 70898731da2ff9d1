package scanner_test

import (
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

func TestSilentAndSlowServersAreGivenUp(t *testing.T) {
	f := newFakeAWS(t)
	p, err := awstest.NewProxy(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	env := f.environment(t)
	env.EndpointURL = p.URL
	h := newHome(t, scanner.Config{})
	h.setPatience(400 * time.Millisecond)

	p.Spoil(awstest.Fault{Service: "sts", Kind: awstest.Hang})
	began := time.Now()
	for what, ask := range map[string]func() error{
		"scan": func() error { _, err := h.scan(within(t, time.Minute), env, scanner.Options{}, nil); return err },
		"run":  func() error { return h.asked(within(t, time.Minute), env, (*session.Session).IdentityNow) },
	} {
		if err := ask(); !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), p.URL) || !strings.Contains(err.Error(), "in time") {
			t.Errorf("%s: %v", what, err)
		}
	}
	p.Heal()

	// It falls silent in the middle of a scan; later, one service is too slow.
	p.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeInstances", Kind: awstest.Hang})
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{Services: []string{"ec2"}}, nil)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Code != "unreachable" || r.Problems[0].Hint == "" {
		t.Errorf("%+v %v", r, err)
	}
	p.Heal()
	p.Spoil(awstest.Fault{Service: "rds", Operation: "DescribeDBClusters", Region: "eu-west-1", Kind: awstest.Slow, Delay: time.Minute})
	r, err = h.scan(within(t, time.Minute), env, scanner.Options{Services: []string{"rds_cluster"}, Regions: []string{"eu-west-1"}}, nil)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Code != "unreachable" {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := h.describe(within(t, time.Minute), env, storage.Key{Type: "rds_cluster", ID: "c", AccountID: fakeAccount, Region: "eu-west-1"}); !errors.Is(err, session.ErrUnreachable) {
		t.Errorf("a live read: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("all that took %v", took)
	}
}

// A server that sends a little, again and again, is not silent, and never ends.
func TestADrippingServerIsGivenUp(t *testing.T) {
	done := make(chan struct{})
	drips := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-r.Context().Done():
				return
			case <-tick.C:
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
			}
		}
	}))
	t.Cleanup(drips.Close)
	t.Cleanup(func() { close(done) })
	env := newFakeAWS(t).environment(t)
	env.EndpointURL = drips.URL
	h := newHome(t, scanner.Config{})
	h.setPatience(300 * time.Millisecond)
	if _, err := h.identity(within(t, 10*time.Second), env, ""); !errors.Is(err, session.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}

// Development servers drop connections whenever they like, without a word.
func TestDroppedConnectionsAreNoProblem(t *testing.T) {
	f := newFakeAWS(t)
	drops := httptest.NewUnstartedServer(f)
	drops.Config.IdleTimeout = time.Millisecond
	drops.Start()
	t.Cleanup(drops.Close)
	env := f.environment(t)
	env.EndpointURL = drops.URL
	h := newHome(t, scanner.Config{})
	for range 5 {
		r, err := h.scan(within(t, time.Minute), env, scanner.Options{}, nil)
		if err != nil || len(r.Problems) != 0 || r.Resources == 0 {
			t.Fatalf("%+v %v", r, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	f := newFakeAWS(t)
	secure := httptest.NewTLSServer(f)
	t.Cleanup(secure.Close)
	env := f.environment(t)
	env.EndpointURL = secure.URL
	h := newHome(t, scanner.Config{})
	began := time.Now()
	_, err := h.identity(within(t, time.Minute), env, "")
	if !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") || time.Since(began) > time.Minute {
		t.Errorf("an unknown authority, after %v: %v", time.Since(began), err)
	}
	env.EndpointURL = "https" + strings.TrimPrefix(f.URL, "http")
	if _, err := h.identity(within(t, time.Minute), env, ""); !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), "http://") {
		t.Errorf("a server without TLS: %v", err)
	}
	env.EndpointURL = secure.URL
	bundle := filepath.Join(filepath.Dir(env.CredentialsFile), "ca.pem")
	write(t, bundle, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
	env.CABundle = bundle
	if id, err := h.identity(within(t, time.Minute), env, ""); err != nil || id.AccountID != fakeAccount {
		t.Errorf("with the bundle: %+v %v", id, err)
	}
	env.CABundle, env.ConfigFile = "", filepath.Join(filepath.Dir(bundle), "config")
	write(t, env.ConfigFile, "[default]\nca_bundle = "+bundle+"\n")
	if _, err := h.identity(within(t, time.Minute), env, ""); err != nil {
		t.Errorf("with the profile's bundle: %v", err)
	}
	write(t, bundle, "none")
	if _, err := h.identity(within(t, time.Minute), env, ""); err == nil || !strings.Contains(err.Error(), "holds no certificate") {
		t.Errorf("after the bundle was spoiled: %v", err)
	}
}

func TestOnlyTheConfiguredProxyIsUsed(t *testing.T) {
	var mu sync.Mutex
	asked := []string{}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	leak, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leak.Close() })
	leaked := make(chan struct{}, 1)
	go func() {
		if c, err := leak.Accept(); err == nil {
			c.Close()
			leaked <- struct{}{}
		}
	}()
	for _, v := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(v, "http://"+leak.Addr().String())
	}
	f := newFakeAWS(t)
	cfg := scanner.Config{Config: session.Config{HTTPSProxy: strings.Replace(proxy.URL, "http://", "http://me:planted-password@", 1)}}
	if shown := cfg.Shown().HTTPSProxy; strings.Contains(shown, "planted") || !strings.Contains(shown, "me:") {
		t.Errorf("it is shown as %s", shown)
	}
	h := newHome(t, cfg)
	env := f.environment(t)
	env.EndpointURL = ""
	_, err = h.identity(within(t, time.Minute), env, "")
	if !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), "proxy") || strings.Contains(err.Error(), "planted") {
		t.Errorf("by a proxy that refuses: %v", err)
	}
	mu.Lock()
	if len(asked) == 0 || asked[0] != "CONNECT sts.us-west-2.amazonaws.com:443" {
		t.Errorf("the proxy was asked %q", asked)
	}
	asked = nil
	mu.Unlock()
	if _, err := newHome(t, cfg).identity(within(t, time.Minute), f.environment(t), ""); err != nil {
		t.Errorf("an endpoint on this machine: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	select {
	case <-leaked:
		t.Error("the proxy of the environment was used")
	default:
	}
	if len(asked) != 0 {
		t.Errorf("the proxy was asked for loopback: %q", asked)
	}
	for _, bad := range []string{"proxy:3128", "socks5://proxy", "http://", "http://proxy/path", "http://me:planted@%zz"} {
		if err := (session.Config{HTTPSProxy: bad}).Validate(); err == nil || strings.Contains(err.Error(), "planted") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
