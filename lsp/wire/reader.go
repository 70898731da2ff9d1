package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"go.lsp.dev/jsonrpc2"
)

const (
	// maxHalf bounds what messages that are not whole yet may take of all peers
	// together, in bytes beyond the first freeHalf of each.
	maxHalf  = 32 << 20
	freeHalf = 64 << 10
	// keepBuffer is the most that a read buffer keeps between messages.
	keepBuffer = 1 << 20
)

// Reader reads the frames of messages, as LSP has them.
type Reader struct {
	in *bufio.Reader
	// limit bounds one message, in bytes.
	limit int64
	// skipped is told of bytes that were passed over; nil for a Reader that ends
	// at whatever is malformed.
	skipped func(why string)
	buf     []byte

	// deadline and patience bound how long one message may take to come; 0 means
	// any time.
	deadline func(time.Time) error
	patience time.Duration
	// half is what messages of all peers share while they come; nil means that
	// there is no bound.
	half *Budget
}

// Lenient reads from an editor. What is malformed is skipped, and a frame is
// valid until the next is read.
func Lenient(in io.Reader, limit int64, skipped func(why string)) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, freeHalf), limit: limit, skipped: skipped}
}

// Malformed is input that is no message, and was skipped.
type Malformed struct{ why string }

func (m *Malformed) Error() string { return m.why }

// Budget is a number of bytes that are shared out.
type Budget struct{ used atomic.Int64 }

// take has n more bytes, if there are.
func (b *Budget) take(n int64) bool {
	if b == nil || b.used.Add(n) <= maxHalf {
		return true
	}
	b.used.Add(-n)
	return false
}

func (b *Budget) give(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// Frame reads one header and body. Until they begin it waits for ever. Its error
// is a *Malformed, after which the next can be read, a *jsonrpc2.Error, which is
// for the peer to know, or why there is nothing more.
//
// After a wrong length the rest of a body stands before the next header, on one
// line with it, so a lenient Reader looks for Content-Length anywhere in a line.
func (r *Reader) Frame() ([]byte, error) {
	lenient := r.skipped != nil
	if r.patience > 0 {
		if _, err := r.in.Peek(1); err == nil {
			_ = r.deadline(time.Now().Add(r.patience))
			defer func() { _ = r.deadline(time.Time{}) }()
		}
	}
	length, bad := int64(-1), "a message must begin with Content-Length"
	for lines := 0; ; lines++ {
		line, err := r.headerLine()
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0 && lines == 0:
			return nil, io.EOF
		case errors.Is(err, bufio.ErrBufferFull), !lenient && lines > 16:
			return nil, jsonrpc2.Errorf(jsonrpc2.ParseError, "the message's header is too long")
		case err != nil:
			return nil, fmt.Errorf("reading a message: %w", err)
		case len(line) == 0 && length >= 0:
			return r.body(length)
		case len(line) == 0 && lenient:
			return nil, &Malformed{bad}
		}
		at, value := contentLength(line)
		switch {
		case at == 0, at > 0 && lenient:
			if at > 0 {
				r.skipped("bytes between two messages were skipped")
			}
			if length, err = strconv.ParseInt(value, 10, 64); err != nil || length < 0 || lenient && length == 0 {
				length, bad = -1, "Content-Length must be a number of bytes"
				if !lenient {
					return nil, jsonrpc2.NewError(jsonrpc2.ParseError, bad)
				}
			}
		case !lenient && !bytes.Contains(line, []byte(":")):
			return nil, jsonrpc2.NewError(jsonrpc2.ParseError, bad)
		}
	}
}

// headerLine returns one line without its end, valid until the next read. Of an
// overlong one a lenient Reader keeps the tail.
func (r *Reader) headerLine() ([]byte, error) {
	const most = 256
	line, err := r.in.ReadSlice('\n')
	var kept []byte
	for r.skipped != nil && errors.Is(err, bufio.ErrBufferFull) {
		kept = append(kept[:0], line[len(line)-most:]...)
		line, err = r.in.ReadSlice('\n')
	}
	if err != nil {
		return line, err
	}
	if kept != nil {
		line = append(kept, line...)
	}
	if line = bytes.TrimRight(line, "\r\n"); r.skipped != nil {
		line = line[max(0, len(line)-most):]
	}
	return line, nil
}

// contentLength finds the last Content-Length of a line: where it begins, or
// -1, and its value.
func contentLength(line []byte) (at int, value string) {
	field := []byte("Content-Length:")
	for at = len(line) - len(field); at >= 0; at-- {
		if rest := line[at+len(field):]; bytes.EqualFold(line[at:at+len(field)], field) {
			return at, string(bytes.TrimSpace(rest))
		}
	}
	return -1, ""
}

func (r *Reader) body(length int64) ([]byte, error) {
	lenient := r.skipped != nil
	switch {
	case length > r.limit && lenient: // skipped whole
		if _, err := io.CopyN(io.Discard, r.in, length); err != nil {
			return nil, err
		}
		return nil, &Malformed{fmt.Sprintf("the message is longer than %d bytes", r.limit)}
	case length > r.limit:
		return nil, jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "a message of %d bytes is over the limit of %d", length, r.limit)
	case lenient && length <= int64(r.in.Size()): // as most are: read where it lies
		body, err := r.in.Peek(int(length))
		if err == nil {
			_, err = r.in.Discard(len(body))
		}
		return body, err
	}
	if !lenient || cap(r.buf) > keepBuffer {
		r.buf = nil
	}
	// Grown as bytes arrive: a length alone must not cost memory.
	body := bytes.NewBuffer(r.buf[:0])
	body.Grow(int(min(length, freeHalf)))
	var taken int64
	defer func() { r.half.give(taken) }()
	for left := length; left > 0; left = length - int64(body.Len()) {
		if left < length {
			if !r.half.take(freeHalf) {
				return nil, jsonrpc2.NewError(CodeUnavailable, "too many messages are coming in at once; try again")
			}
			taken += freeHalf
		}
		if _, err := io.CopyN(body, r.in, min(left, freeHalf)); err != nil {
			return nil, fmt.Errorf("reading a message: %d of %d bytes: %w", body.Len(), length, err)
		}
	}
	r.buf = body.Bytes()
	return r.buf, nil
}

// Framed puts the header before a message.
func Framed(body []byte) []byte {
	f := fmt.Appendf(make([]byte, 0, len(body)+32), "Content-Length: %d\r\n\r\n", len(body))
	return append(f, body...)
}

// Complaint is the answer to what is no request, or has no id that can be used.
func Complaint(id json.RawMessage, code jsonrpc2.Code, why string) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": id,
		"error": map[string]any{"code": code, "message": why},
	})
	if err != nil { // an id that is no JSON
		return Complaint(nil, code, why)
	}
	return body
}
