package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	// callTimeout bounds calls whose context has no end: a server that takes a
	// connection and never answers is as good as none.
	callTimeout = 30 * time.Second
	// probeTimeout bounds one attempt to reach the server.
	probeTimeout = 5 * time.Second
	// retryTime bounds how long one call is tried again.
	retryTime = 3 * time.Second
	// hangTime is how long a program of our own may be silent before it is ended.
	hangTime = 10 * time.Second
	// longestWait bounds how long a call waits because the server asks for it.
	longestWait = 30 * time.Second
)

// link is the connection with a Qdrant that can go away. Safe for concurrent use.
type link struct {
	client *qdrant.Client
	// mend says what a person can do when the server is not reached.
	mend  string
	ready func(context.Context) error
	// stuck, if set, is called when the server was away for hangTime, and again
	// after as long.
	stuck  func()
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex // guards what follows
	connected bool
	problem   error
	version   string
	healing   bool
}

type passKey struct{}

// passes marks the link's own calls, which are let through at any time.
func passes(ctx context.Context) context.Context { return context.WithValue(ctx, passKey{}, true) }

func newLink(mend string, ready func(context.Context) error) *link {
	l := &link{mend: mend, ready: ready, problem: errors.New("not connected yet")}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// options are the link's part of a client's options.
func (l *link) options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(l.intercept),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		// The network has no say in where the estate goes, or how calls are made.
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
	}
}

// connect makes the first attempt. A server that does not answer is tried again
// in the background; one that refuses us is an error.
func (l *link) connect(ctx context.Context) error {
	err := l.probe(ctx)
	if err == nil {
		l.mu.Lock()
		l.connected, l.problem = true, nil
		l.mu.Unlock()
		return nil
	}
	if !errors.Is(err, ErrUnavailable) {
		return err
	}
	l.lost(err)
	return nil
}

// probe reaches the server, and finds out whether it lets us in: its health
// check asks for no key.
func (l *link) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(passes(ctx), probeTimeout)
	defer cancel()
	hello, err := l.client.HealthCheck(ctx)
	if err != nil {
		return l.meaning(err)
	}
	if err := supported(hello.GetVersion()); err != nil {
		return err
	}
	if _, err := l.client.ListAliases(ctx); err != nil {
		return l.meaning(err)
	}
	l.mu.Lock()
	l.version = hello.GetVersion()
	l.mu.Unlock()
	return nil
}

// supported are the versions that the client is made for.
func supported(version string) error {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	if major != "1" || err != nil || n < 17 || n > 19 {
		return fmt.Errorf("the server is Qdrant %q: use 1.17 to 1.19", version)
	}
	return nil
}

// meaning tells what a person can mend from what only time can.
func (l *link) meaning(err error) error {
	s, _ := status.FromError(err)
	text := s.Message()
	switch {
	case s.Code() == codes.Unauthenticated || s.Code() == codes.PermissionDenied:
		return fmt.Errorf("the server refuses the API key (%s): correct qdrant.api_key", s.Code())
	case strings.Contains(text, "tls: ") || strings.Contains(text, "x509: "):
		if _, after, ok := strings.Cut(text, "authentication handshake failed: "); ok {
			text = after
		}
		return fmt.Errorf("the certificates do not fit: %s; correct qdrant.tls, or the server's certificate", strings.Trim(text, `"`))
	case s.Code() == codes.Unimplemented || strings.Contains(text, "malformed HTTP") || strings.Contains(text, "error reading server preface"):
		return fmt.Errorf("%w: what listens there speaks no gRPC, or TLS where none is expected: check that qdrant.url names the gRPC port (6334 by default) and the right scheme", ErrUnavailable)
	}
	return fmt.Errorf("%w: %s; %s", ErrUnavailable, brief(s), l.mend)
}

// brief is a status without what only programmers read.
func brief(s *status.Status) string {
	text := s.Message()
	if at := strings.LastIndex(text, "desc = "); at >= 0 {
		text = strings.Trim(text[at+len("desc = "):], `"`)
	}
	if s.Code() == codes.DeadlineExceeded {
		return "it gave no answer in time"
	}
	return text
}

// lost notes that the server is gone, and begins to look for it.
func (l *link) lost(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected, l.problem = false, why
	if l.healing || l.ctx.Err() != nil {
		return
	}
	l.healing = true
	l.wg.Go(l.heal)
}

// heal tries until the server is back and what waits for it is ready.
func (l *link) heal() {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 500*time.Millisecond, 30*time.Second
	for since := time.Now(); ; {
		select {
		case <-l.ctx.Done():
			return
		case <-time.After(pause.NextBackOff()):
		}
		err := l.probe(l.ctx)
		if err != nil && l.stuck != nil && time.Since(since) > hangTime {
			l.stuck()
			since = time.Now()
		}
		if err == nil && l.ready != nil {
			err = l.ready(passes(l.ctx))
		}
		l.mu.Lock()
		l.problem = err
		if err == nil {
			l.connected, l.healing = true, false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// intercept lets calls through while the server answers, tries again what
// failed on the way, and notices when it is gone. All calls of this program can
// be repeated: writes name their points.
func (l *link) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	own, _ := ctx.Value(passKey{}).(bool)
	if problem := l.away(); problem != nil && !own {
		return status.Error(codes.Unavailable, problem.Error())
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 2*time.Second
	for begun := time.Now(); ; {
		var trailer metadata.MD
		err := invoke(ctx, method, req, reply, cc, append(opts, grpc.Trailer(&trailer))...)
		wait, again := retry(err, trailer, pause)
		if own || !again || time.Since(begun)+wait > retryTime && status.Code(err) == codes.Unavailable {
			if gone(ctx, err) && !own {
				err = l.meaning(err)
				l.lost(err)
				return status.Error(codes.Unavailable, l.away().Error())
			}
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// retry says whether a failure may pass, and how long to wait. A server that
// limits its callers says so itself; a message that is too large stays so.
func retry(err error, trailer metadata.MD, pause backoff.BackOff) (time.Duration, bool) {
	switch status.Code(err) {
	case codes.Unavailable:
		return pause.NextBackOff(), true
	case codes.ResourceExhausted:
		after := trailer.Get("retry-after")
		if len(after) != 1 {
			return 0, false
		}
		seconds, err := strconv.Atoi(after[0])
		wait := time.Duration(seconds) * time.Second
		return wait, err == nil && wait >= 0 && wait <= longestWait
	}
	return 0, false
}

// gone says whether a failure means that the server does not answer, or lets us
// in no more.
func gone(ctx context.Context, err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied:
		return true
	case codes.DeadlineExceeded:
		return errors.Is(ctx.Err(), context.DeadlineExceeded)
	}
	return false
}

// away is why calls are not let through; nil while they are.
func (l *link) away() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connected {
		return nil
	}
	if !errors.Is(l.problem, ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, l.problem)
	}
	return l.problem
}

func (l *link) state() State {
	if problem := l.away(); problem != nil {
		return State{Problem: problem.Error()}
	}
	return State{Connected: true}
}

func (l *link) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.version
}

func (l *link) stop() {
	l.cancel()
	l.wg.Wait()
}
