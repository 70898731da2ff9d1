package wire

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// writeTimeout is how long a peer may leave writeChunk bytes untaken.
	writeTimeout = 20 * time.Second
	writeChunk   = 256 << 10
	// MaxQueued bounds the notifications that wait for one peer, in bytes.
	MaxQueued = 4 << 20
)

// ErrUnread: the other end left too much unread.
var ErrUnread = errors.New("the other end does not read what it is sent")

// outgoing is what waits to be written to one peer, in order. Replies and calls
// wait until they are out; notifications never do, so that a peer that doesn't
// read holds up nobody else.
type outgoing struct {
	conn net.Conn
	// timeout is writeTimeout.
	timeout time.Duration
	// ended is told when nothing can be written any more.
	ended func()

	// mu guards what follows.
	mu    sync.Mutex
	queue []*frame
	// notes is how many bytes of the queue are notifications.
	notes int
	// writing: a goroutine takes frames from the queue.
	writing bool
	err     error
}

// frame is one message with its header.
type frame struct {
	bytes []byte
	// topic says what a notification is about; one that still waits is replaced
	// by the next of its topic. Without a topic it is not.
	topic string
	// written gets the outcome; nil for a notification.
	written chan error
}

// reply sends a message and returns when it was written, or can't be.
func (o *outgoing) reply(body []byte) error {
	f := &frame{bytes: Framed(body), written: make(chan error, 1)}
	o.mu.Lock()
	if o.err != nil {
		defer o.mu.Unlock()
		return o.err
	}
	o.queue = append(o.queue, f)
	idle := !o.writing
	o.writing = true
	o.mu.Unlock()
	if idle {
		o.drain(f)
	}
	return <-f.written
}

// note sends a notification some time later.
func (o *outgoing) note(topic string, body []byte) error {
	f := &frame{bytes: Framed(body), topic: topic}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	for _, waiting := range o.queue {
		if topic != "" && waiting.topic == topic {
			o.notes += len(f.bytes) - len(waiting.bytes)
			waiting.bytes = f.bytes
			return nil
		}
	}
	if o.notes > 0 && o.notes+len(f.bytes) > MaxQueued {
		go o.fail(ErrUnread)
		return ErrUnread
	}
	o.queue = append(o.queue, f)
	o.notes += len(f.bytes)
	if !o.writing {
		o.writing = true
		go o.drain(nil)
	}
	return nil
}

// drain writes what waits, up to the frame last, and leaves the rest to another
// goroutine.
func (o *outgoing) drain(last *frame) {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.writing = false
			o.mu.Unlock()
			return
		}
		f := o.queue[0]
		o.queue[0] = nil
		o.queue = o.queue[1:]
		if f.written == nil {
			o.notes -= len(f.bytes)
		}
		o.mu.Unlock()
		err := o.write(f.bytes)
		if f.written != nil {
			f.written <- err
		}
		if err != nil {
			o.fail(err)
			continue // of what waited nothing is left
		}
		if f == last {
			o.mu.Lock()
			if o.writing = len(o.queue) > 0; o.writing {
				go o.drain(nil)
			}
			o.mu.Unlock()
			return
		}
	}
}

// write gives the peer time for each chunk: one that reads is never too slow.
func (o *outgoing) write(b []byte) error {
	for len(b) > 0 {
		_ = o.conn.SetWriteDeadline(time.Now().Add(o.timeout))
		n, err := o.conn.Write(b[:min(len(b), writeChunk)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// fail ends the connection: half a frame may be out, and nothing can follow it.
func (o *outgoing) fail(err error) {
	o.mu.Lock()
	if o.err == nil {
		o.err = err
	}
	lost := o.queue
	o.queue, o.notes = nil, 0
	o.mu.Unlock()
	for _, f := range lost {
		if f.written != nil {
			f.written <- err
		}
	}
	o.ended()
	o.conn.Close()
}
