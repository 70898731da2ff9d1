package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	jsonv2 "github.com/go-json-experiment/json"
	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	aws "github.com/cloudops/cloudops/scanner/session"
)

const (
	// answerTime is how long a daemon may be silent when it starts, in a handshake,
	// and when asked whether it hears: longer than it waits itself for its store.
	answerTime = helloTime + 2*time.Second
	// quietTime is how long a client waits for what it reads before it asks whether
	// the daemon still hears.
	quietTime = 5 * time.Second
	// handoverTime is how long a client waits for an older daemon to end.
	handoverTime = drainTime + 2*endTime
	// settleTime is how long a daemon may take to say whether it stopped a command.
	settleTime = 10 * time.Second
	// healTime is how long a lost connection is redialed without being asked.
	healTime = 2 * time.Minute
	// fullTime is how long a client waits for room at a daemon with too many
	// sessions: idle ones make way by then.
	fullTime = idleAge + 2*time.Second
)

// ClientConfig is how to reach the daemon of a home.
type ClientConfig struct {
	Home string
	// Kind is editor or terminal.
	Kind string
	// Environment is the session's AWS side; it is sent in the handshake.
	Environment aws.Environment
	// Executable is started as `Executable daemon` when none serves; "" means
	// this program, and "-" never starts one.
	Executable string
	// KeyFile is the key file that the configuration names, if any. It may not lie
	// in a workspace.
	KeyFile string
	// KeyVars are the environment variables that the configuration names for
	// secrets, if any: a daemon that is started gets them.
	KeyVars []string
	Build   Build
	// Prompt puts a plan before the person; nil means nobody can be asked. ctx
	// ends when the question is void.
	Prompt func(ctx context.Context, p executor.Prompt) (PromptResult, error)
	// Cards says that Prompt shows whole cards; see HelloParams.
	Cards bool
	// Confirm puts an act upon what cloudops keeps before the person at a
	// terminal; nil means nobody can be asked.
	Confirm func(ctx context.Context, p ConfirmParams) (ConfirmResult, error)
	// Note receives the daemon's notifications in order, params as JSON. It must
	// not block. After a reconnect it gets NoteEstateChanged first.
	Note func(method string, params []byte)
	Log  *slog.Logger
}

// Client is a connection that heals itself. Safe for concurrent use.
type Client struct {
	// cfg does not change, but for the profile and the workspaces, which mu guards.
	cfg    ClientConfig
	dial   func(ctx context.Context) (net.Conn, error)
	ctx    context.Context
	cancel context.CancelFunc
	// patience is answerTime, quiet quietTime.
	patience, quiet time.Duration
	// finish ends what the client owns besides its connection.
	finish func()
	wg     sync.WaitGroup

	// mu guards what follows.
	mu      sync.Mutex
	conn    *wire.Conn
	hello   HelloResult
	attempt *attempt
	greeted bool
	closed  bool
}

// attempt is one connecting that all callers wait for.
type attempt struct {
	done chan struct{}
	// conn and err are set when done is closed.
	conn *wire.Conn
	err  error
}

// Dial connects, starting or replacing the daemon where needed. A daemon that
// is degraded is no error: Hello says so.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	// Before a daemon is started there, which would read its configuration.
	if err := cfg.allow(cfg.Environment.Workspaces); err != nil {
		return nil, err
	}
	c := newClient(cfg)
	c.dial = c.reach
	return c, c.first(ctx)
}

func newClient(cfg ClientConfig) *Client {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{cfg: cfg, patience: answerTime, quiet: quietTime, finish: func() {}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// first makes the connection that Dial promises.
func (c *Client) first(ctx context.Context) error {
	if _, err := c.connected(ctx); err != nil {
		c.Close()
		return err
	}
	return nil
}

// allow refuses folders that the home or the key file lies in.
func (cfg ClientConfig) allow(workspaces []string) error {
	if err := CheckHome(cfg.Home, workspaces); err != nil {
		return err
	}
	return checkKeyFile(cfg.KeyFile, workspaces)
}

// SetWorkspaces tells the daemon which folders are open now, in the place of
// those of the configuration, also after a reconnect. What is under way goes on.
// Where the home lies in one of them the error is a refusal, and nothing more
// should be asked of this client.
func (c *Client) SetWorkspaces(ctx context.Context, workspaces []string) error {
	if err := c.cfg.allow(workspaces); err != nil {
		return err
	}
	workspaces = slices.Clone(workspaces)
	c.mu.Lock()
	c.cfg.Environment.Workspaces = workspaces
	c.mu.Unlock()
	return c.Call(ctx, Workspaces.Name, WorkspacesParams{Workspaces: workspaces}, nil)
}

// Call sends a request and decodes its result; result may be nil. When the
// connection breaks it redials; requests that change nothing are sent again, others
// return an *Error with CodeUnavailable. Cancelling ctx cancels the request.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	raw, err := wire.Plain.Marshal(params)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", method, err)
	}
	if len(raw) > maxRequest {
		return fromWire(toWire(wire.Invalid("%d bytes are over the limit of %d", len(raw), maxRequest)))
	}
	d := byName[method]
	repeatable := d != nil && d.Repeatable()
	for again := repeatable; ; again = false {
		conn, err := c.connected(ctx)
		if err != nil {
			return err
		}
		var answer jsonrpc2.RawMessage
		if repeatable {
			err = c.read(ctx, conn, method, jsonrpc2.RawMessage(raw), &answer)
		} else {
			err = conn.Call(ctx, method, jsonrpc2.RawMessage(raw), &answer)
		}
		if err == nil {
			if method == ProfileSelect.Name {
				c.keepProfile(raw)
			}
			return decodeResult(method, answer, result)
		}
		if ctx.Err() != nil {
			if method == ExecutionDecide.Name {
				return c.settle(ctx, conn, raw)
			}
			return ctx.Err()
		}
		if wire, ok := errors.AsType[*jsonrpc2.Error](err); ok && wire.Code != 0 {
			return fromWire(wire)
		}
		if c.ctx.Err() != nil {
			return refusef(CodeUnavailable, "", "the connection to the daemon was closed")
		}
		// The connection broke; its reader may not have noticed yet.
		conn.Close()
		if errors.Is(err, errSilent) {
			return c.silent()
		}
		if !again {
			return refusef(CodeUnavailable, "look at what it did, then ask again if needed",
				"the daemon restarted during the request; nothing was repeated")
		}
	}
}

// methodAlive is served by no daemon, and any answer says that it hears.
const methodAlive = "cloudops/alive"

// errSilent: the daemon has the home and its socket, and says nothing. It was
// stopped (SIGSTOP, a debugger), or the machine has no time for it.
var errSilent = errors.New("the daemon is silent")

// silent is errSilent in words, with what to do.
func (c *Client) silent() error {
	who := "the daemon"
	if state, held := lockedBy(c.cfg.Home); held && state.pid != 0 {
		who = fmt.Sprintf("the daemon (process %d)", state.pid)
	}
	return refusef(CodeUnavailable, "end it with: cloudops daemon stop; the next command starts another",
		"%s accepts no words: nothing came from it in %v, and it may have been stopped", who, c.patience)
}

// read is a call for what changes nothing: it gives up when the daemon falls
// silent. A call that changes something is waited for, as it may be under way.
func (c *Client) read(ctx context.Context, conn *wire.Conn, method string, params, result any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.quiet, func() { c.watch(ctx, conn, cancel) })
	defer watch.Stop()
	err := conn.Call(ctx, method, params, result)
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

// watch cancels a call once the daemon is silent; one that is at work on it
// answers other words meanwhile.
func (c *Client) watch(ctx context.Context, conn *wire.Conn, cancel context.CancelCauseFunc) {
	for ctx.Err() == nil {
		asking, done := context.WithTimeout(ctx, c.patience)
		_ = conn.Call(asking, methodAlive, none{}, nil)
		if errors.Is(asking.Err(), context.DeadlineExceeded) {
			cancel(errSilent)
		}
		done()
		select {
		case <-time.After(c.quiet):
		case <-ctx.Done():
		}
	}
}

// settle says what became of a plan whose caller went away while it was asked
// about or was about to run: only the daemon knows whether AWS has it.
func (c *Client) settle(ctx context.Context, conn *wire.Conn, params []byte) error {
	var p DecideParams
	if jsonv2.Unmarshal(params, &p) != nil || p.Decision != "ask" {
		return ctx.Err()
	}
	asking, cancel := context.WithTimeout(c.ctx, settleTime)
	defer cancel()
	err := conn.Call(asking, ExecutionDecide.Name, DecideParams{Plan: p.Plan, Decision: "stop"}, nil)
	if wire, ok := errors.AsType[*jsonrpc2.Error](err); ok && wire.Code != 0 {
		return fromWire(wire)
	}
	return refusef(CodeUnavailable, "look at what it did with: cloudops executions",
		"the daemon did not say whether it was stopped in time")
}

// keepProfile makes a selection outlive the daemon: the next handshake brings it.
func (c *Client) keepProfile(params []byte) {
	var p ProfileSelectParams
	if jsonv2.Unmarshal(params, &p) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Environment.Profile = p.Name
}

func decodeResult(method string, answer jsonrpc2.RawMessage, result any) error {
	if result == nil || len(answer) == 0 {
		return nil
	}
	if err := jsonv2.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("decoding the answer to %s: %w", method, err)
	}
	return nil
}

// Hello is the last handshake's answer.
func (c *Client) Hello() HelloResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello
}

// Close ends the connection. Calls under way return an error.
func (c *Client) Close() error {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	conn := c.conn
	c.mu.Unlock()
	if again {
		return nil
	}
	c.cancel()
	if conn != nil {
		conn.Close()
	}
	c.wg.Wait()
	c.finish()
	return nil
}

// connected returns the living connection, or waits for the one attempt to make it.
func (c *Client) connected(ctx context.Context) (*wire.Conn, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, refusef(CodeUnavailable, "", "the connection to the daemon was closed")
	}
	if c.conn != nil && c.conn.Context().Err() == nil {
		defer c.mu.Unlock()
		return c.conn, nil
	}
	a := c.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		c.attempt = a
		c.wg.Go(func() { c.try(a) })
	}
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// try connects once for everybody who waits.
func (c *Client) try(a *attempt) {
	conn, hello, err := c.shake()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempt = nil
	if err == nil && c.closed {
		conn.Close()
		err = refusef(CodeUnavailable, "", "the connection to the daemon was closed")
	}
	a.conn, a.err = conn, err
	if err == nil {
		c.conn, c.hello, c.greeted = conn, hello, true
		c.wg.Go(func() { c.mind(conn) })
	}
	close(a.done)
}

// mind waits for the connection's end and, for clients that listen, heals it.
func (c *Client) mind(conn *wire.Conn) {
	<-conn.Context().Done()
	if c.cfg.Note == nil {
		return
	}
	_, err := backoff.Retry(c.ctx, func() (struct{}, error) {
		_, err := c.connected(c.ctx)
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(healTime))
	if err != nil && c.ctx.Err() == nil {
		c.cfg.Log.Warn("reconnecting to the daemon", "error", err.Error())
	}
}

// shake dials and shakes hands, outlasting daemons that are about to end.
func (c *Client) shake() (*wire.Conn, HelloResult, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, 500*time.Millisecond
	broken, full := 0, time.Now().Add(fullTime)
	for end := time.Now().Add(handoverTime); ; {
		nc, err := c.dial(c.ctx)
		if err != nil {
			return nil, HelloResult{}, err
		}
		conn, hello, err := c.greet(nc)
		if err == nil {
			return conn, hello, nil
		}
		own, refused := errors.AsType[*Error](err)
		switch {
		case c.ctx.Err() != nil:
			return nil, HelloResult{}, err
		case errors.Is(err, errSilent):
			return nil, HelloResult{}, c.silent()
		case refused && own.Code == CodeFull && time.Now().Before(full):
		case refused && own.Code != CodeHandover && own.Code != CodeUnavailable:
			return nil, HelloResult{}, err
		case !refused:
			// A daemon that was ending as we dialed; or one that keeps breaking.
			if broken++; broken > 5 {
				return nil, HelloResult{}, err
			}
		case time.Now().After(end):
			return nil, HelloResult{}, err
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-c.ctx.Done():
			return nil, HelloResult{}, c.ctx.Err()
		}
	}
}

// greet opens the session on a fresh connection.
func (c *Client) greet(nc net.Conn) (*wire.Conn, HelloResult, error) {
	conn := wire.New(c.ctx, nc, wire.Limits{Message: maxReply, Calls: maxInFlight}, c.cfg.Log, known)
	c.mu.Lock()
	again, env := c.greeted, c.cfg.Environment
	c.mu.Unlock()
	if again && c.cfg.Note != nil {
		// What was remembered of the estate may have changed unseen.
		c.cfg.Note(NoteEstateChanged.Name, []byte(`{"generation":0}`))
	}
	conn.Start(c.serve, c.cfg.Note)
	ctx, cancel := context.WithTimeout(c.ctx, c.patience)
	defer cancel()
	var hello HelloResult
	err := conn.Call(ctx, Hello.Name, HelloParams{
		Protocol: ProtocolVersion, Build: c.cfg.Build, Kind: c.cfg.Kind,
		Interactive: c.cfg.Prompt != nil, Cards: c.cfg.Cards, Environment: env,
	}, &hello)
	if err == nil && hello.Protocol != ProtocolVersion {
		err = refusef(CodeRefused, "use one version of cloudops everywhere",
			"the daemon speaks protocol %d, this program %d", hello.Protocol, ProtocolVersion)
	}
	if err == nil {
		return conn, hello, nil
	}
	conn.Close()
	if wire, ok := errors.AsType[*jsonrpc2.Error](err); ok {
		return nil, HelloResult{}, fromWire(wire)
	}
	if ctx.Err() != nil && c.ctx.Err() == nil {
		return nil, HelloResult{}, errSilent
	}
	return nil, HelloResult{}, fmt.Errorf("shaking hands with the daemon: %w", err)
}

// serve answers what the daemon asks.
func (c *Client) serve(ctx context.Context, method string, params []byte) (any, error) {
	switch {
	case method == Prompt.Name && c.cfg.Prompt != nil:
		return Prompt.answer(ctx, params, c.cfg.Prompt)
	case method == Confirm.Name && c.cfg.Confirm != nil:
		return Confirm.answer(ctx, params, c.cfg.Confirm)
	}
	return nil, jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "%s is not served here", known(method))
}
