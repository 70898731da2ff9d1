package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.lsp.dev/jsonrpc2"
)

const (
	// maxRequest bounds one message to the daemon, in bytes.
	maxRequest = 16 << 20
	// maxReply bounds one message to a client: listings may be long.
	maxReply = 512 << 20
	// maxInFlight bounds the calls that one peer may have open.
	maxInFlight = 256
	// frameTime is how long a peer may take to send one message to the daemon.
	frameTime = 20 * time.Second
	// maxHalf bounds what messages that are not whole yet may take of the daemon,
	// in bytes beyond the first freeHalf of each.
	maxHalf  = 32 << 20
	freeHalf = 64 << 10
)

// conn is one end of a connection: calls in both directions, each cancellable,
// notifications in order. It ends when its peer does.
type conn struct {
	rpc jsonrpc2.Conn
	net net.Conn
	in  *stream
	out *outgoing
	log *slog.Logger
	// ctx ends with the connection; every incoming call's context derives from
	// it, never from the library's, which is recycled.
	ctx    context.Context
	cancel context.CancelFunc

	serve func(ctx context.Context, method string, params []byte) (any, error)
	note  func(method string, params []byte)

	// mu guards what follows.
	mu    sync.Mutex
	calls map[jsonrpc2.ID]context.CancelFunc
	// unanswered counts the calls whose reply is not written yet; settled, once
	// made, is closed when there are none.
	unanswered int
	settled    chan struct{}
	// last is when the peer last had something to do here.
	last time.Time
}

// newConn prepares a connection; start makes it read.
func newConn(ctx context.Context, nc net.Conn, limit int64, log *slog.Logger) *conn {
	c := &conn{net: nc, log: log, calls: make(map[jsonrpc2.ID]context.CancelFunc), last: time.Now()}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.out = &outgoing{conn: nc, timeout: writeTimeout, ended: c.cancel}
	c.in = &stream{conn: nc, in: bufio.NewReader(nc), out: c.out, limit: limit, ended: c.cancel, replied: c.replied}
	c.rpc = jsonrpc2.NewConn(c.in, jsonrpc2.WithCodec(codec{}))
	return c
}

// start serves incoming calls and notifications until the connection ends.
func (c *conn) start(
	serve func(ctx context.Context, method string, params []byte) (any, error),
	note func(method string, params []byte),
) {
	c.serve, c.note = serve, note
	c.rpc.Go(context.Background(), c.handle)
}

// close ends the connection; in-flight calls are cancelled, not awaited.
func (c *conn) close() {
	c.cancel()
	c.net.Close()
}

// finish cancels what is in flight, lets the replies out and ends the connection.
func (c *conn) finish(patience time.Duration) {
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
func (c *conn) replied() {
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

// wait returns when reading has ended and every incoming call has returned.
func (c *conn) wait() { <-c.rpc.Done() }

// Call sends a request; when ctx ends first the peer is told to stop.
func (c *conn) Call(ctx context.Context, method string, params, result any) error {
	id, err := c.rpc.Call(context.WithValue(ctx, ours{}, true), method, params, result)
	if err != nil && ctx.Err() != nil && id.IsValid() {
		n, _ := id.Number()
		c.notify(NoteCancel, cancelParams{ID: n})
	}
	return err
}

type cancelParams struct {
	ID int64 `json:"id"`
}

// notify sends a notification and does not wait for it; a peer that is gone
// learns nothing.
func (c *conn) notify(method string, params any) { c.notifyOf("", method, params) }

// notifyOf is notify for news of which only the latest counts: while one of a
// topic waits to be sent, the next takes its place.
func (c *conn) notifyOf(topic, method string, params any) {
	if c.ctx.Err() == nil {
		ctx := context.WithValue(context.Background(), ours{}, true)
		_ = c.rpc.Notify(context.WithValue(ctx, of{}, topic), method, params)
	}
}

// idle is since when the peer has had nothing to do here; false while calls of
// it are under way.
func (c *conn) idle() (since time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, len(c.calls) == 0
}

// handle starts each call in the order of arrival and lets calls overlap;
// notifications run here, one after the other.
func (c *conn) handle(ctx context.Context, r *jsonrpc2.Request) (any, error) {
	method, params := strings.Clone(r.Method()), bytes.Clone(r.Params())
	if !r.IsCall() {
		// An error would close the connection.
		c.handleNote(method, params)
		return nil, nil
	}
	c.mu.Lock()
	c.unanswered++
	c.mu.Unlock()
	id := r.ID()
	own, cancel := context.WithCancel(c.ctx)
	defer cancel()
	if err := c.register(id, cancel); err != nil {
		return nil, err
	}
	defer c.forget(id)
	jsonrpc2.Async(ctx)
	return c.guard(own, method, params)
}

func (c *conn) register(id jsonrpc2.ID, cancel context.CancelFunc) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.calls[id]; twice {
		return jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "a call with this id is still running")
	}
	if len(c.calls) >= maxInFlight {
		return jsonrpc2.Errorf(CodeUnavailable, "too many calls at once on this connection")
	}
	c.calls[id] = cancel
	c.last = time.Now()
	return nil
}

func (c *conn) forget(id jsonrpc2.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
	c.last = time.Now()
}

func (c *conn) handleNote(method string, params []byte) {
	defer func() {
		if e := recover(); e != nil {
			c.logPanic(method, e)
		}
	}()
	if method != NoteCancel {
		if c.note != nil {
			c.note(method, params)
		}
		return
	}
	var p struct {
		ID jsontext.Value `json:"id"`
	}
	if jsonv2.Unmarshal(params, &p) != nil {
		return
	}
	id, ok := ParseID(p.ID)
	if !ok {
		return
	}
	c.mu.Lock()
	cancel := c.calls[id]
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// guard turns a panic into the error of its one request.
func (c *conn) guard(ctx context.Context, method string, params []byte) (result any, err error) {
	defer func() {
		if e := recover(); e != nil {
			c.logPanic(method, e)
			result, err = nil, jsonrpc2.Errorf(jsonrpc2.InternalError, "internal error in %s; the log has the details", known(method))
		}
	}()
	return c.serve(ctx, method, params)
}

// logPanic logs where, and what only if the runtime said it: other values may
// hold what a log must not.
func (c *conn) logPanic(method string, e any) {
	what := fmt.Sprintf("%T", e)
	if r, ok := e.(runtime.Error); ok {
		what = r.Error()
	}
	c.log.Error("panic", "method", known(method), "panic", what, "stack", string(debug.Stack()))
}

// known keeps method names that peers made up out of logs and replies.
func known(method string) string {
	if strings.HasPrefix(method, "cloudops/") && len(method) < 64 &&
		strings.IndexFunc(method, func(r rune) bool { return r != '/' && (r < 'a' || r > 'z') }) < 0 {
		return method
	}
	return "an unknown method"
}

// stream is LSP framing with a limit. Every message has a buffer of its own, so
// that nothing is borrowed; a malformed one is answered and skipped.
type stream struct {
	conn  net.Conn
	in    *bufio.Reader
	out   *outgoing
	limit int64
	// patience is how long one message may take to come; 0 means any time.
	patience time.Duration
	// half is what messages of all peers share while they come; nil means that
	// there is no bound.
	half *budget
	// ended and replied tell the conn.
	ended, replied func()
}

// budget is a number of bytes that are shared out.
type budget struct{ used atomic.Int64 }

// take has n more bytes, if there are.
func (b *budget) take(n int64) bool {
	if b == nil || b.used.Add(n) <= maxHalf {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *budget) give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// Read implements jsonrpc2.Stream.
func (s *stream) Read(ctx context.Context) (jsonrpc2.Message, int64, error) {
	for {
		body, err := s.frame()
		if err != nil {
			var wire *jsonrpc2.Error
			if errors.As(err, &wire) {
				s.answer(wire)
			}
			s.ended()
			s.conn.Close()
			return nil, 0, err
		}
		m, bad := decodeMessage(body)
		if bad == nil {
			return m, int64(len(body)), nil
		}
		s.answer(bad)
	}
}

// decodeMessage checks all of the JSON first: the library's scanner does not.
func decodeMessage(body []byte) (jsonrpc2.Message, *jsonrpc2.Error) {
	if !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "the message is not valid JSON")
	}
	m, err := DecodeMessage(body)
	if err != nil {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "the message is not a JSON-RPC 2.0 request or response")
	}
	return m, nil
}

// frame reads one header and body. Until they begin it waits for ever.
func (s *stream) frame() ([]byte, error) {
	if _, err := s.in.Peek(1); err == nil && s.patience > 0 {
		_ = s.conn.SetReadDeadline(time.Now().Add(s.patience))
		defer func() { _ = s.conn.SetReadDeadline(time.Time{}) }()
	}
	length := int64(-1)
	for lines := 0; ; lines++ {
		line, err := s.in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && lines == 0:
			return nil, io.EOF
		case errors.Is(err, bufio.ErrBufferFull), lines > 16:
			return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "the message's header is too long")
		case err != nil:
			return nil, fmt.Errorf("reading a message: %w", err)
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "a message must begin with Content-Length")
		}
		if strings.EqualFold(name, "Content-Length") {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil || n < 0 {
				return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "Content-Length must be a number of bytes")
			}
			length = n
		}
	}
	if length < 0 {
		return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "a message must begin with Content-Length")
	}
	if length > s.limit {
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "a message of %d bytes is over the limit of %d", length, s.limit)
	}
	// Grown as bytes arrive: a length alone must not cost memory.
	var body bytes.Buffer
	body.Grow(int(min(length, freeHalf)))
	var taken int64
	defer func() { s.half.give(taken) }()
	for left := length; left > 0; left = length - int64(body.Len()) {
		if left < length {
			if !s.half.take(freeHalf) {
				return nil, jsonrpc2.Errorf(CodeUnavailable, "too many messages are coming in at once; try again")
			}
			taken += freeHalf
		}
		if _, err := io.CopyN(&body, s.in, min(left, freeHalf)); err != nil {
			return nil, fmt.Errorf("reading a message: %d of %d bytes: %w", body.Len(), length, err)
		}
	}
	return body.Bytes(), nil
}

// answer tells the peer about a message that has no usable id.
func (s *stream) answer(e *jsonrpc2.Error) {
	reply, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": nil,
		"error": map[string]any{"code": e.Code, "message": e.Message},
	})
	if err == nil {
		_ = s.out.reply(reply)
	}
}

// Write implements jsonrpc2.Stream.
func (s *stream) Write(ctx context.Context, m jsonrpc2.Message) (int64, error) {
	if ctx.Value(ours{}) == nil {
		defer s.replied()
	}
	body, err := jsonrpc2.EncodeMessage(m)
	if err != nil {
		return 0, err
	}
	if topic, note := ctx.Value(of{}).(string); note {
		err = s.out.note(topic, body)
	} else {
		err = s.out.reply(body)
	}
	if err != nil {
		return 0, err
	}
	return int64(len(body)), nil
}

// Close implements jsonrpc2.Stream.
func (s *stream) Close() error {
	s.ended()
	return s.conn.Close()
}

// codec encodes payloads; text that is not UTF-8 is mended rather than fatal.
type codec struct{}

// Marshal implements jsonrpc2.Codec.
func (codec) Marshal(v any) ([]byte, error) {
	if raw, ok := v.(jsonrpc2.RawMessage); ok {
		return raw, nil
	}
	return jsonv2.Marshal(v, jsontext.AllowInvalidUTF8(true), jsonv2.Deterministic(true))
}

// Unmarshal implements jsonrpc2.Codec.
func (codec) Unmarshal(data []byte, v any) error {
	if raw, ok := v.(*jsonrpc2.RawMessage); ok {
		*raw = bytes.Clone(data)
		return nil
	}
	return jsonv2.Unmarshal(data, v)
}

// DecodeParams is strict: exact names, right types, nothing twice. Its errors
// name the field and never repeat a value.
func DecodeParams(params []byte, into any) error {
	if len(params) == 0 || string(params) == "null" {
		params = []byte("{}")
	}
	err := jsonv2.Unmarshal(params, into, jsonv2.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	field, why := "", "malformed"
	var semantic *jsonv2.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic):
		field = string(semantic.JSONPointer)
		why = "has the wrong type"
		if errors.Is(err, jsonv2.ErrUnknownName) {
			why = "is unknown"
		} else if semantic.GoType != nil {
			why = fmt.Sprintf("must be %s, not %s", kindOf(semantic.GoType.Kind().String()), given(semantic.JSONKind))
		}
	case errors.As(err, &syntactic):
		field = string(syntactic.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			why = "is there twice"
		}
	}
	if len(field) > 100 {
		field = field[:100]
	}
	if field == "" {
		field = "params"
	} else {
		field = strconv.QuoteToASCII(strings.TrimPrefix(field, "/"))
	}
	return invalid("%s %s", field, why)
}

// given says a JSON kind in words.
func given(k jsontext.Kind) string {
	switch k {
	case '[':
		return "an array"
	case '{':
		return "an object"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	}
	return "null"
}

// kindOf says a Go kind in JSON's words.
func kindOf(kind string) string {
	switch {
	case kind == "slice" || kind == "array":
		return "an array"
	case kind == "struct" || kind == "map":
		return "an object"
	case kind == "bool":
		return "a boolean"
	case strings.Contains(kind, "int") || strings.Contains(kind, "float"):
		return "a number"
	}
	return "a " + kind
}

// decodeLoosely reads what it knows and skips the rest.
func decodeLoosely(params []byte, into any) error {
	if len(params) == 0 {
		return invalid("there are none")
	}
	if err := jsonv2.Unmarshal(params, into); err != nil {
		return DecodeParams(params, into)
	}
	return nil
}

// invalid is the refusal of a request's parameters.
func invalid(format string, args ...any) error {
	return jsonrpc2.Errorf(jsonrpc2.InvalidParams, "invalid params: "+format, args...)
}
