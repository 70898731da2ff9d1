package lsp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/wire"
)

const (
	// maxMessage bounds what one message may make the server allocate.
	maxMessage = 256 << 20
	// ownIDs is added to the ids of our calls. There are editors that send a
	// $/cancelRequest with the id of a call of ours; it must be none of theirs.
	ownIDs = 1 << 30
	// grace is how long calls under way may still answer once the editor left.
	grace = time.Second
)

// stream frames messages as LSP does. Unlike jsonrpc2's own it outlives
// malformed input: the sender is told, and reading goes on with the next
// message that can be made out.
type stream struct {
	closer io.Closer

	// These belong to the goroutine that reads, and to the handlers that run on it.
	in *wire.Reader
	// left ends the input before its end: the editor sent exit.
	left bool
	// answered, if set, is told of each answer to a call of ours.
	answered func(jsonrpc2.ID)
	// next, if set, is done once before the next message is read, which is after
	// the answer to the last one was written.
	next func()

	out *output
	// abandon ends the calls that are still under way after the input ended.
	abandon func()
}

func newStream(in io.Reader, out io.Writer) *stream {
	s := &stream{out: newOutput(out), abandon: func() {}}
	s.in = wire.Lenient(in, maxMessage, func(why string) { s.complain(nil, jsonrpc2.ParseError, why) })
	s.closer, _ = in.(io.Closer)
	return s
}

// Read returns the next well-formed message. At the end of the input it waits
// a moment for calls under way, since afterwards nothing can be written.
func (s *stream) Read(context.Context) (jsonrpc2.Message, int64, error) {
	for {
		if s.left {
			return nil, 0, s.end(io.EOF)
		}
		if s.next != nil {
			s.next()
			s.next = nil
		}
		body, err := s.in.Frame()
		if bad, ok := errors.AsType[*wire.Malformed](err); ok {
			s.complain(nil, jsonrpc2.ParseError, bad.Error())
			continue
		}
		if err != nil {
			return nil, 0, s.end(err)
		}
		msg, err := wire.DecodeMessage(body)
		switch {
		case errors.Is(err, jsonrpc2.ErrParse):
			s.complain(nil, jsonrpc2.ParseError, "the message is not JSON")
			continue
		case err != nil:
			s.complain(idOf(body), jsonrpc2.InvalidRequest, "the message is not a JSON-RPC 2.0 request or response")
			continue
		}
		switch m := msg.(type) {
		case *jsonrpc2.Call:
			s.out.read()
		case *jsonrpc2.Response:
			if n, ok := m.ID().Number(); ok {
				id := jsonrpc2.NewNumberID(n - ownIDs)
				msg = jsonrpc2.NewResponse(id, m.Result(), m.Err())
				if s.answered != nil {
					s.answered(id)
				}
			}
		}
		return msg, int64(len(body)), nil
	}
}

// end lets what is under way be answered, for a moment. What is not by then, or
// not read by the editor, holds up the end no longer.
func (s *stream) end(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if !s.out.settle(ctx) {
		s.abandon()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return io.EOF
	}
	return err
}

// idOf finds the id of a message that is JSON but no request, so that whoever
// waits for an answer gets one.
func idOf(body []byte) json.RawMessage {
	var m struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(body, &m) != nil || len(m.ID) == 0 {
		return nil
	}
	switch m.ID[0] {
	case '{', '[', 't', 'f':
		return nil
	}
	return m.ID
}

func (s *stream) complain(id json.RawMessage, code jsonrpc2.Code, why string) {
	_ = s.out.send(wire.Complaint(id, code, why), false) // a reader that left is noticed by the next Read
}

// Write sends one message, also for requests that were cancelled.
func (s *stream) Write(_ context.Context, msg jsonrpc2.Message) (int64, error) {
	body, err := jsonrpc2.EncodeMessage(msg)
	if err != nil {
		return 0, err
	}
	// Responses, and they alone, begin with their id.
	response := bytes.HasPrefix(body, []byte(`{"jsonrpc":"2.0","id":`))
	if !response {
		if body, err = withOwnID(body); err != nil {
			return 0, err
		}
	}
	if err := s.out.send(body, response); err != nil {
		return 0, err
	}
	return int64(len(body)), nil
}

// withOwnID is a message with the id that the editor knows a call of ours by:
// the call itself, or that it is taken back.
func withOwnID(body []byte) ([]byte, error) {
	msg, err := jsonrpc2.DecodeMessage(body)
	if err != nil {
		return nil, err
	}
	switch m := msg.(type) {
	case *jsonrpc2.Call:
		if n, ok := m.ID().Number(); ok {
			return jsonrpc2.EncodeMessage(jsonrpc2.NewCall(jsonrpc2.NewNumberID(n+ownIDs), m.Method(), m.Params()))
		}
	case *jsonrpc2.Notification:
		var p struct{ ID int64 }
		if m.Method() == protocol.MethodCancelRequest && json.Unmarshal(m.Params(), &p) == nil {
			return jsonrpc2.EncodeMessage(jsonrpc2.NewNotification(m.Method(), fmt.Appendf(nil, `{"id":%d}`, p.ID+ownIDs)))
		}
	}
	return body, nil
}

// Close ends the input, where it can be closed.
func (s *stream) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}
