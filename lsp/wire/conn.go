package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

// Limits are what one end of a socket allows the other.
type Limits struct {
	// Message bounds one message, in bytes, and Calls those under way.
	Message int64
	Calls   int
	// Patience is how long one message may take to come; 0 means any time.
	Patience time.Duration
	// Writing is how long the peer may leave writeChunk bytes untaken; 0 means
	// writeTimeout.
	Writing time.Duration
	// Half is shared by messages of all peers while they come; nil means no bound.
	Half *Budget
}

// Conn is one end of a connection: calls in both directions, each cancellable,
// notifications in order. It ends when its peer does.
type Conn struct {
	rpc jsonrpc2.Conn
	net net.Conn
	out *outgoing
	log *slog.Logger
	// name is what a method is called in logs and replies.
	name func(method string) string
	// ctx ends with the connection; every incoming call's context derives from
	// it, never from the library's, which is recycled.
	ctx    context.Context
	cancel context.CancelFunc

	serve func(ctx context.Context, method string, params []byte) (any, error)
	note  func(method string, params []byte)
	calls Calls

	// mu guards what follows.
	mu sync.Mutex
	// unanswered counts the calls whose reply is not written yet; settled, once
	// made, is closed when there are none.
	unanswered int
	settled    chan struct{}
}

// New prepares a connection; Start makes it read. name keeps methods that the peer
// made up out of logs and replies.
func New(ctx context.Context, nc net.Conn, l Limits, log *slog.Logger, name func(string) string) *Conn {
	c := &Conn{net: nc, log: log, name: name, calls: Calls{Most: l.Calls, Unique: true, last: time.Now()}}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if l.Writing == 0 {
		l.Writing = writeTimeout
	}
	c.out = &outgoing{conn: nc, timeout: l.Writing, ended: c.cancel}
	in := &Reader{in: bufio.NewReader(nc), limit: l.Message, deadline: nc.SetReadDeadline, patience: l.Patience, half: l.Half}
	c.rpc = jsonrpc2.NewConn(&stream{c, in}, jsonrpc2.WithCodec(Plain))
	return c
}

// Start serves incoming calls and notifications until the connection ends.
func (c *Conn) Start(
	serve func(ctx context.Context, method string, params []byte) (any, error),
	note func(method string, params []byte),
) {
	c.serve, c.note = serve, note
	c.rpc.Go(context.Background(), c.handle)
}

// Context ends with the connection.
func (c *Conn) Context() context.Context { return c.ctx }

// Close ends the connection; in-flight calls are cancelled, not awaited.
func (c *Conn) Close() {
	c.cancel()
	c.net.Close()
}

// Finish cancels what is in flight, lets the replies out and ends the connection.
func (c *Conn) Finish(patience time.Duration) {
	c.cancel()
	settled := make(chan struct{})
	c.mu.Lock()
	if c.unanswered == 0 {
		close(settled)
	} else {
		c.settled = settled
	}
	c.mu.Unlock()
	select {
	case <-settled:
	case <-c.rpc.Done():
	case <-time.After(patience):
	}
	c.net.Close()
}

// replied is told of every reply that was written.
func (c *Conn) replied() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unanswered == 0 {
		return
	}
	c.unanswered--
	if c.unanswered == 0 && c.settled != nil {
		close(c.settled)
		c.settled = nil
	}
}

// ours marks the contexts of what this end sends of its own accord, and of has
// the topic of a notification.
type (
	ours struct{}
	of   struct{}
)

// Wait returns when reading has ended and every incoming call has returned.
func (c *Conn) Wait() { <-c.rpc.Done() }

// Call sends a request; when ctx ends first the peer is told to stop.
func (c *Conn) Call(ctx context.Context, method string, params, result any) error {
	id, err := c.rpc.Call(context.WithValue(ctx, ours{}, true), method, params, result)
	if err != nil && ctx.Err() != nil && id.IsValid() {
		n, _ := id.Number()
		c.Notify("", Cancel, cancelParams{ID: n})
	}
	return err
}

type cancelParams struct {
	ID int64 `json:"id"`
}

// Notify sends a notification and does not wait for it; a peer that is gone
// learns nothing. Of news with a topic only the latest counts: while one waits to
// be sent, the next takes its place.
func (c *Conn) Notify(topic, method string, params any) {
	if c.ctx.Err() == nil {
		ctx := context.WithValue(context.Background(), ours{}, true)
		_ = c.rpc.Notify(context.WithValue(ctx, of{}, topic), method, params)
	}
}

// Idle is since when the peer has had nothing to do here; false while calls of
// it are under way.
func (c *Conn) Idle() (since time.Time, ok bool) { return c.calls.Idle() }

// Unread is what waits to be written to the peer: how many messages, and how many
// bytes of them are notifications.
func (c *Conn) Unread() (messages, notes int) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	messages = len(c.out.queue)
	if c.out.writing {
		messages++
	}
	return messages, c.out.notes
}

// handle starts each call in the order of arrival and lets calls overlap;
// notifications run here, one after the other.
func (c *Conn) handle(ctx context.Context, r *jsonrpc2.Request) (any, error) {
	method, params := strings.Clone(r.Method()), bytes.Clone(r.Params())
	if !r.IsCall() {
		// An error would close the connection.
		_, _ = Guard(c.log, c.name(method), func() (any, error) {
			if method == Cancel {
				c.calls.Cancel(params)
			} else if c.note != nil {
				c.note(method, params)
			}
			return nil, nil
		})
		return nil, nil
	}
	c.mu.Lock()
	c.unanswered++
	c.mu.Unlock()
	own, done, err := c.calls.Start(c.ctx, r.ID())
	switch {
	case errors.Is(err, ErrTwice):
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, err.Error())
	case err != nil:
		return nil, jsonrpc2.NewError(CodeUnavailable, err.Error())
	}
	defer done()
	jsonrpc2.Async(ctx)
	return Guard(c.log, c.name(method), func() (any, error) { return c.serve(own, method, params) })
}

// stream is a jsonrpc2.Stream. A malformed message is answered and skipped.
type stream struct {
	conn *Conn
	in   *Reader
}

// Read implements jsonrpc2.Stream.
func (s *stream) Read(context.Context) (jsonrpc2.Message, int64, error) {
	for {
		body, err := s.in.Frame()
		if err != nil {
			if wire, ok := errors.AsType[*jsonrpc2.Error](err); ok {
				s.complain(wire)
			}
			s.conn.Close()
			return nil, 0, err
		}
		m, bad := decodeMessage(body)
		if bad == nil {
			return m, int64(len(body)), nil
		}
		s.complain(bad)
	}
}

// complain tells the peer about a message that has no usable id.
func (s *stream) complain(e *jsonrpc2.Error) { _ = s.conn.out.reply(Complaint(nil, e.Code, e.Message)) }

// decodeMessage checks all of the JSON first: the library's scanner does not.
func decodeMessage(body []byte) (jsonrpc2.Message, *jsonrpc2.Error) {
	if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, jsonrpc2.NewError(jsonrpc2.ParseError, "the message is not valid JSON")
	}
	m, err := DecodeMessage(body)
	if err != nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidRequest, "the message is not a JSON-RPC 2.0 request or response")
	}
	return m, nil
}

// Write implements jsonrpc2.Stream.
func (s *stream) Write(ctx context.Context, m jsonrpc2.Message) (int64, error) {
	if ctx.Value(ours{}) == nil {
		defer s.conn.replied()
	}
	body, err := jsonrpc2.EncodeMessage(m)
	if err != nil {
		return 0, err
	}
	if topic, note := ctx.Value(of{}).(string); note {
		err = s.conn.out.note(topic, body)
	} else {
		err = s.conn.out.reply(body)
	}
	if err != nil {
		return 0, err
	}
	return int64(len(body)), nil
}

// Close implements jsonrpc2.Stream.
func (s *stream) Close() error {
	s.conn.Close()
	return nil
}
