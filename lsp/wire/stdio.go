package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"go.lsp.dev/jsonrpc2"
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

// Stdio is a jsonrpc2.Stream over an editor's pipes. Unlike the library's own it
// outlives malformed input: the sender is told, and reading goes on with the next
// message that can be made out.
type Stdio struct {
	// Answered, if set, is told of each answer to a call of ours.
	Answered func(jsonrpc2.ID)
	// Gone ends the calls that are still under way when the editor has left, or was
	// given up.
	Gone func()

	closer io.Closer

	// These belong to the goroutine that reads, and to the handlers that run on it.
	in *Reader
	// left ends the input before its end: the editor sent exit.
	left bool
	// next, if set, is done once before the next message is read, which is after
	// the answer to the last one was written.
	next func()

	out *output
}

// NewStdio reads from in and writes to out.
func NewStdio(in io.Reader, out io.Writer) *Stdio {
	s := &Stdio{out: newOutput(out), Gone: func() {}}
	s.out.gone = func() { s.Gone() }
	s.in = Lenient(in, maxMessage, func(why string) { s.complain(nil, jsonrpc2.ParseError, why) })
	s.closer, _ = in.(io.Closer)
	return s
}

// Bound sets how many bytes may wait for an editor that doesn't read, and how long
// it may take nothing of them.
func (s *Stdio) Bound(unread int, stall time.Duration) { s.out.most, s.out.patience = unread, stall }

// Unread is how many bytes wait.
func (s *Stdio) Unread() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.unread
}

// Leave ends the input before its end, and Next has something done once before the
// next message is read, which is after the answer to the last one was written. Both
// are for handlers that run on the goroutine that reads.
func (s *Stdio) Leave()        { s.left = true }
func (s *Stdio) Next(f func()) { s.next = f }

// Failure is why nothing can be written any more, if so.
func (s *Stdio) Failure() error { return s.out.failure() }

// Read returns the next well-formed message. At the end of the input it waits
// a moment for calls under way, since afterwards nothing can be written.
func (s *Stdio) Read(context.Context) (jsonrpc2.Message, int64, error) {
	for {
		if s.left {
			return nil, 0, s.end(io.EOF)
		}
		if s.next != nil {
			s.next()
			s.next = nil
		}
		body, err := s.in.Frame()
		if bad, ok := errors.AsType[*Malformed](err); ok {
			s.complain(nil, jsonrpc2.ParseError, bad.Error())
			continue
		}
		if err != nil {
			return nil, 0, s.end(err)
		}
		msg, err := DecodeMessage(body)
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
				if s.Answered != nil {
					s.Answered(id)
				}
			}
		}
		return msg, int64(len(body)), nil
	}
}

// end lets what is under way be answered, for a moment. What is not by then, or
// not read by the editor, holds up the end no longer.
func (s *Stdio) end(err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if !s.out.settle(ctx) {
		s.Gone()
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

func (s *Stdio) complain(id json.RawMessage, code jsonrpc2.Code, why string) {
	_ = s.out.send(Complaint(id, code, why), false) // a reader that left is noticed by the next Read
}

// Write sends one message, also for requests that were cancelled.
func (s *Stdio) Write(_ context.Context, msg jsonrpc2.Message) (int64, error) {
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
		if m.Method() == Cancel && json.Unmarshal(m.Params(), &p) == nil {
			return jsonrpc2.EncodeMessage(jsonrpc2.NewNotification(m.Method(), fmt.Appendf(nil, `{"id":%d}`, p.ID+ownIDs)))
		}
	}
	return body, nil
}

// Close ends the input, where it can be closed.
func (s *Stdio) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}
