// Package lsptest is a fake editor for tests: it speaks to a language server
// over pipes, answers its questions, remembers what it was told, and can send
// what no real editor would.
//
// Its entries are Start, for a server in this process or another, and Run,
// which drives scenario files.
package lsptest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long anything is waited for before the test fails.
const Patience = time.Minute

// Editor is one connection with a server. Its methods fail the test when they
// must not go on.
type Editor struct {
	t    testing.TB
	in   io.WriteCloser // the server's input
	done chan struct{}  // closed once the server ended
	err  error          // what it ended with, once done

	writing sync.Mutex // guards in

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	nextID  int
	replies map[string]Reply
	notes   []Message
	asked   []Message
	strays  []Reply
	answer  func(method string, params json.RawMessage) (any, error)
}

// Message is a notification or a request of the server.
type Message struct {
	Method string
	Params json.RawMessage

	id string // of a request, as JSON
}

// Reply is the server's answer to a call.
type Reply struct {
	Result json.RawMessage `json:"result"`
	Error  *Error          `json:"error"`
}

// Error is a JSON-RPC error.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Start runs serve with the two ends of an editor. When the test ends the
// input is closed and serve must return.
func Start(t testing.TB, serve func(in io.ReadCloser, out io.Writer) error) *Editor {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	e := &Editor{
		t: t, in: inW,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		replies: map[string]Reply{},
	}
	go func() {
		err := serve(inR, outW)
		_ = outW.Close()
		// Whatever is sent to a server that is gone must not block the test.
		_ = inR.Close()
		e.err = err
		close(e.done)
	}()
	go e.read(outR)
	t.Cleanup(func() {
		_ = inW.Close()
		select {
		case <-e.done:
		case <-time.After(Patience):
			t.Error("the server did not end after its input was closed")
		}
	})
	return e
}

// Answer sets what the editor answers to the server's requests; nil answers
// null. It runs on its own goroutine for each request.
func (e *Editor) Answer(f func(method string, params json.RawMessage) (any, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = f
}

// Send writes raw bytes.
func (e *Editor) Send(raw string) {
	e.writing.Lock()
	defer e.writing.Unlock()
	_, _ = io.WriteString(e.in, raw) // a server that ended is what the test sees next
}

// Frame is a message body with its header.
func Frame(body string) string {
	return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// CloseInput ends the server's input.
func (e *Editor) CloseInput() { _ = e.in.Close() }

// Notify sends a notification.
func (e *Editor) Notify(method string, params any) {
	e.t.Helper()
	e.Send(Frame(e.encode(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})))
}

// Begin sends a call and returns its id.
func (e *Editor) Begin(method string, params any) string {
	e.t.Helper()
	e.mu.Lock()
	e.nextID++
	id := e.nextID
	e.mu.Unlock()
	m := map[string]any{"jsonrpc": "2.0", "id": id, "method": method}
	if params != nil {
		m["params"] = params
	}
	e.Send(Frame(e.encode(m)))
	return strconv.Itoa(id)
}

// Await waits for the answer to a call, by its id as JSON.
func (e *Editor) Await(id string) Reply {
	e.t.Helper()
	var r Reply
	e.Until("an answer to call "+id, func() (ok bool) {
		r, ok = e.replies[id]
		return ok
	})
	return r
}

// Call sends a call, waits for its result and decodes it.
func (e *Editor) Call(method string, params, result any) {
	e.t.Helper()
	if err := e.Try(method, params, result); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

// Try is Call for calls that may fail.
func (e *Editor) Try(method string, params, result any) *Error {
	e.t.Helper()
	r := e.Await(e.Begin(method, params))
	if r.Error != nil {
		return r.Error
	}
	if result != nil {
		if err := json.Unmarshal(r.Result, result); err != nil {
			e.t.Fatalf("decoding the result of %s: %v", method, err)
		}
	}
	return nil
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Message) }

// Until waits for a condition over what the server sent; cond runs under the
// editor's lock, again after each message.
func (e *Editor) Until(what string, cond func() bool) {
	e.t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		e.mu.Lock()
		ok, changed := cond(), e.changed
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-e.done:
			e.mu.Lock()
			ok = cond()
			e.mu.Unlock()
			if !ok {
				e.t.Fatalf("the server ended (%v) before %s", e.err, what)
			}
			return
		case <-deadline.C:
			e.t.Fatalf("no %s within %v", what, Patience)
		}
	}
}

// Note waits for the first notification of a method, from the n-th on, that
// match accepts, and returns it with the index after it. match may be nil.
func (e *Editor) Note(method string, from int, match func(params json.RawMessage) bool) (json.RawMessage, int) {
	e.t.Helper()
	return e.find(method, &e.notes, from, match)
}

// Asked is Note for the server's requests.
func (e *Editor) Asked(method string, from int, match func(params json.RawMessage) bool) (json.RawMessage, int) {
	e.t.Helper()
	return e.find(method, &e.asked, from, match)
}

// AskedID is the id of the latest request of a method, as JSON.
func (e *Editor) AskedID(method string) string {
	e.t.Helper()
	var id string
	e.Until(method, func() bool {
		for _, m := range e.asked {
			if m.Method == method {
				id = m.id
			}
		}
		return id != ""
	})
	return id
}

func (e *Editor) find(method string, in *[]Message, from int, match func(json.RawMessage) bool) (json.RawMessage, int) {
	e.t.Helper()
	var found json.RawMessage
	next := 0
	e.Until(method, func() bool {
		for i := from; i < len(*in); i++ {
			if m := (*in)[i]; m.Method == method && (match == nil || match(m.Params)) {
				found, next = m.Params, i+1
				return true
			}
		}
		return false
	})
	return found, next
}

// Notes returns all notifications so far.
func (e *Editor) Notes() []Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]Message(nil), e.notes...)
}

// Stray waits for the n-th error that answers no call, counting from 0.
func (e *Editor) Stray(n int) *Error {
	e.t.Helper()
	var found *Error
	e.Until("an error without an id", func() bool {
		if len(e.strays) <= n {
			return false
		}
		found = e.strays[n].Error
		return true
	})
	return found
}

// Wait returns what the server ended with.
func (e *Editor) Wait() error {
	e.t.Helper()
	select {
	case <-e.done:
		return e.err
	case <-time.After(Patience):
		e.t.Fatal("the server did not end")
		return nil
	}
}

func (e *Editor) encode(v any) string {
	e.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(raw)
}

func (e *Editor) read(out io.Reader) {
	in := bufio.NewReader(out)
	for {
		length := 0
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			if line == "" {
				break
			}
			if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(v)
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		e.take(body)
	}
}

func (e *Editor) take(body []byte) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
		Reply
	}
	if err := json.Unmarshal(body, &m); err != nil {
		e.t.Errorf("the server sent no JSON: %v: %.200q", err, body)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := string(m.ID)
	switch {
	case m.Method == "" && (id == "null" || id == ""):
		e.strays = append(e.strays, m.Reply)
	case m.Method == "":
		e.replies[id] = m.Reply
	case id == "":
		e.notes = append(e.notes, Message{Method: m.Method, Params: m.Params})
	default:
		e.asked = append(e.asked, Message{Method: m.Method, Params: m.Params, id: id})
		answer := e.answer
		go e.reply(m.ID, m.Method, m.Params, answer)
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

func (e *Editor) reply(id json.RawMessage, method string, params json.RawMessage, answer func(string, json.RawMessage) (any, error)) {
	m := map[string]any{"jsonrpc": "2.0", "id": id, "result": nil}
	if answer != nil {
		result, err := answer(method, params)
		if err != nil {
			delete(m, "result")
			m["error"] = map[string]any{"code": -32603, "message": err.Error()}
		} else {
			m["result"] = result
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		e.t.Errorf("encoding an answer to %s: %v", method, err)
		return
	}
	e.Send(Frame(string(raw)))
}
