package wire

import (
	"context"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// maxUnread bounds what waits for an editor that doesn't read, in bytes.
	// Whoever would add to it waits too, and so no further message is read.
	maxUnread = 16 << 20
	// stallTime is how long the editor may take nothing of it.
	stallTime = 20 * time.Second
	// chunk is how much is written at once.
	chunk = 64 << 10
)

// output is what waits to be written to the editor, in order.
type output struct {
	to io.Writer
	// file is to where the system can be asked about it.
	file syscall.RawConn
	// most and patience are maxUnread and stallTime.
	most     int
	patience time.Duration
	// gone is told that the editor was given up.
	gone func()

	mu     sync.Mutex // guards what follows
	queue  []letter
	unread int // bytes that wait
	// unanswered counts the calls that were read, and whose answer was not
	// written yet.
	unanswered int
	// writing: a goroutine takes from the queue.
	writing bool
	err     error
	// moved is closed and made anew whenever any of this gets less.
	moved chan struct{}
}

// letter is one message with its header.
type letter struct {
	frame  []byte
	answer bool
}

func newOutput(to io.Writer) *output {
	o := &output{to: to, most: maxUnread, patience: stallTime, moved: make(chan struct{}), gone: func() {}}
	if f, ok := to.(syscall.Conn); ok {
		o.file, _ = f.SyscallConn()
	}
	return o
}

// read counts a call, which an answer takes off again.
func (o *output) read() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unanswered++
}

// send leaves a message to be written. It waits only where too much is unread
// already; an editor that then takes nothing is given up.
func (o *output) send(body []byte, answer bool) error {
	frame := Framed(body)
	if err := o.room(len(frame)); err != nil {
		return err
	}
	defer o.mu.Unlock()
	if !o.writing && o.takes(len(frame)) {
		if _, err := o.to.Write(frame); err != nil {
			o.fail(err)
			return err
		}
		if answer {
			o.unanswered--
			o.move()
		}
		return nil
	}
	o.queue = append(o.queue, letter{frame, answer})
	o.unread += len(frame)
	if !o.writing {
		o.writing = true
		go o.drain()
	}
	return nil
}

// room waits until n bytes may be added, and then holds the lock.
func (o *output) room(n int) error {
	o.mu.Lock()
	for o.err == nil && o.unread > 0 && o.unread+n > o.most {
		moved := o.moved
		o.mu.Unlock()
		timer := time.NewTimer(o.patience)
		select {
		case <-moved:
			timer.Stop()
			o.mu.Lock()
		case <-timer.C:
			o.mu.Lock()
			if moved == o.moved && o.err == nil {
				o.fail(ErrUnread)
				o.gone()
			}
		}
	}
	if o.err != nil {
		defer o.mu.Unlock()
		return o.err
	}
	return nil
}

// takes reports whether n bytes can be written without waiting for the editor
// to read. False means perhaps.
func (o *output) takes(n int) bool { return o.file != nil && n <= pipeBuf && writable(o.file) }

// drain writes what waits.
func (o *output) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && len(o.queue) > 0 {
		m := o.queue[0]
		o.queue[0] = letter{}
		o.queue = o.queue[1:]
		for len(m.frame) > 0 && o.err == nil {
			part := m.frame[:min(len(m.frame), chunk)]
			o.mu.Unlock()
			_, err := o.to.Write(part)
			o.mu.Lock()
			if err != nil {
				o.fail(err)
				return
			}
			m.frame = m.frame[len(part):]
			o.unread -= len(part)
			o.move()
		}
		if m.answer {
			o.unanswered--
			o.move()
		}
	}
	o.writing = false
}

// fail ends all writing; nothing can follow half a message. The lock is held.
func (o *output) fail(err error) {
	if o.err == nil {
		o.err = err
	}
	o.queue, o.unread = nil, 0
	o.move()
}

// failure is why nothing can be written any more, if so.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *output) move() {
	close(o.moved)
	o.moved = make(chan struct{})
}

// settle waits until all calls are answered and all is written, or ctx ends,
// and reports whether that came to be.
func (o *output) settle(ctx context.Context) bool {
	for {
		o.mu.Lock()
		moved, settled, failed := o.moved, o.unanswered == 0 && o.unread == 0, o.err != nil
		o.mu.Unlock()
		if settled || failed {
			return settled
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}
