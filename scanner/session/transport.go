package session

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	services "github.com/cloudops/cloudops/scanner/aws"
)

// idleConnection is how long an unused connection is kept: less than the five
// seconds after which common servers drop theirs, lest a call is sent into a
// connection that is being closed.
const idleConnection = 4 * time.Second

// Patience is how long AWS is waited for.
type Patience struct {
	// Connect bounds dialling and the TLS handshake, each.
	Connect time.Duration
	// Silence bounds the wait for an answer, and for more of one that began.
	Silence time.Duration
	// Call bounds one attempt of a call, its answer included.
	Call time.Duration
	// Identity bounds getting credentials and asking whose they are.
	Identity time.Duration
}

func ordinaryPatience() Patience {
	return Patience{
		Connect:  5 * time.Second,
		Silence:  30 * time.Second,
		Call:     2 * time.Minute,
		Identity: 20 * time.Second,
	}
}

// httpClient calls AWS by the configured proxy or directly, whatever the
// variables of this process say, and gives up on what doesn't answer. bundle
// is the file of the authorities to trust; "" means the system's.
func (m *Manager) httpClient(bundle string) (aws.HTTPClient, error) {
	var roots *x509.CertPool
	if bundle != "" {
		pem, err := readShared(bundle)
		if err != nil {
			return nil, err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, Explained(ErrNoCredentials, CodeCredentials, fmt.Sprintf("the CA bundle %s holds no certificate", bundle), "give a file in PEM form", nil)
		}
	}
	proxy, err := parseProxy(m.config.HTTPSProxy)
	if err != nil {
		return nil, err
	}
	client := awshttp.NewBuildableClient().
		WithReadTimeout(m.Patience.Silence).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = m.Patience.Connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.Proxy = func(r *http.Request) (*url.URL, error) {
				if proxy == nil || r.URL.Scheme != "https" || loopback(r.URL.Hostname()) {
					return nil, nil
				}
				return proxy, nil
			}
			t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
				if answer.StatusCode != http.StatusOK {
					return proxyRefusal(answer.StatusCode)
				}
				return nil
			}
			t.TLSHandshakeTimeout = m.Patience.Connect
			t.ResponseHeaderTimeout = m.Patience.Silence
			t.IdleConnTimeout = idleConnection
			t.MaxIdleConnsPerHost = 16
			if roots != nil {
				t.TLSClientConfig.RootCAs = roots
			}
		})
	return timed{services.WholeBodies{Next: client.Freeze()}, m.Patience.Call}, nil
}

// timed is an HTTP client that ends a call, its answer included, after a while.
// http.Client.Timeout would keep a goroutine for each answer that is not read
// to its end.
type timed struct {
	next  aws.HTTPClient
	bound time.Duration
}

func (c timed) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), c.bound)
	resp, err := c.next.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return resp, err
	}
	resp.Body = timedBody{resp.Body, cancel}
	return resp, nil
}

type timedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// parseProxy reads the URL of a proxy; "" is none. The error does not repeat
// it, since it may hold a password.
func parseProxy(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("https_proxy is not the URL of a proxy; write it like http://proxy.example:3128")
	}
	return u, nil
}

// Shown is the settings as they may be printed: without the proxy's password.
func (c Config) Shown() Config {
	if u, err := parseProxy(c.HTTPSProxy); err == nil && u != nil {
		c.HTTPSProxy = u.Redacted()
	}
	return c
}

// proxyRefusal is the HTTP status by which a proxy refuses to connect.
type proxyRefusal int

func (p proxyRefusal) Error() string { return fmt.Sprintf("the proxy answers %d", int(p)) }

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Patiently is Config for work in the background: it makes a call up to a number
// of times, and has at most cap(calls) under way at once.
func (s *Session) Patiently(attempts int, calls chan struct{}) aws.Config {
	cfg := s.Config()
	cfg.HTTPClient = bounded{cfg.HTTPClient, calls}
	cfg.Retryer = func() aws.Retryer { return retryer(attempts) }
	return cfg
}

// bounded is an HTTP client that has at most cap(calls) calls under way.
type bounded struct {
	next  aws.HTTPClient
	calls chan struct{}
}

func (b bounded) Do(r *http.Request) (*http.Response, error) {
	select {
	case b.calls <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	defer func() { <-b.calls }()
	return b.next.Do(r)
}

// retryer is the SDK's standard one, for reads: it repeats what was cut off,
// and not what a server leaves unanswered or whose certificate is wrong.
func retryer(attempts int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = 5 * time.Second
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(repeatable)}, o.Retryables...)
	})
}

func repeatable(err error) aws.Ternary {
	if c := causeOf(look(err)); c != nil {
		return c.again
	}
	return aws.UnknownTernary
}
