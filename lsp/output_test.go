package lsp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/lsp/wire"
)

const handshake = `{"processId":null,"rootUri":null,"capabilities":{}}`

// ended waits for the end of a server.
func ended(t *testing.T, served <-chan error) error {
	t.Helper()
	select {
	case err := <-served:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the server does not end")
		return nil
	}
}

// Whatever else is unread or under way, the server ends when it is told to, or
// when the editor is gone.
func TestTheEndIsNeverHeldUp(t *testing.T) {
	hang := func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
	large := strings.Repeat("x", 20<<10)
	for name, c := range map[string]struct {
		calls  int
		method string
		leave  bool // with shutdown and exit, before the input is closed
	}{
		"answers are unread, exit":        {2000, protocol.MethodTextDocumentHover, true},
		"answers are unread, end":         {2000, protocol.MethodTextDocumentHover, false},
		"large answers are unread, exit":  {200, "test/large", true},
		"large answers are unread, end":   {200, "test/large", false},
		"calls are under way, exit":       {20, "test/hang", true},
		"calls are under way, end":        {20, "test/hang", false},
		"more calls than are taken, exit": {2 * maxCalls, "test/hang", true},
	} {
		t.Run(name, func(t *testing.T) {
			s, toServer, fromServer := overPipes(t)
			defer fromServer.Close()
			s.table["test/hang"] = func(*server, []byte) (any, work, error) { return nil, hang, nil }
			s.table["test/large"] = func(*server, []byte) (any, work, error) {
				return nil, func(context.Context) (any, error) { return large, nil }, nil
			}
			served := make(chan error, 1)
			go func() { served <- s.serve() }()
			if err := ask(toServer, 0, "initialize", handshake); err != nil {
				t.Fatal(err)
			}
			for id := range c.calls {
				if err := ask(toServer, id+1, c.method, hoverAt(500)); err != nil {
					t.Fatal(err)
				}
			}
			if c.leave {
				if err := ask(toServer, c.calls+1, "shutdown", "null"); err != nil {
					t.Fatal(err)
				}
				const exit = `{"jsonrpc":"2.0","method":"exit"}`
				if _, err := fmt.Fprintf(toServer, "Content-Length: %d\r\n\r\n%s", len(exit), exit); err != nil {
					t.Fatal(err)
				}
			} else {
				toServer.Close()
			}
			if err := ended(t, served); err != nil {
				t.Errorf("it ended with %v", err)
			}
			toServer.Close()
		})
	}
}

// What an editor leaves unread is bounded: no more is read from it until it
// reads again, and then nothing is lost.
func TestUnreadAnswersAreBounded(t *testing.T) {
	s, toServer, fromServer := overPipes(t)
	s.stream.Bound(64<<10, time.Hour)
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	const calls = 3000
	written := make(chan error, 1)
	go func() {
		err := ask(toServer, 0, "initialize", handshake)
		for id := 1; id <= calls && err == nil; id++ {
			err = ask(toServer, id, protocol.MethodTextDocumentHover, hoverAt(500))
		}
		written <- err
	}()
	for end := time.Now().Add(time.Minute); s.stream.Unread() < 60<<10; {
		if time.Now().After(end) {
			t.Fatal("nothing piles up")
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-written:
		t.Errorf("all of it was taken: %v", err)
	default:
	}
	replies := bufio.NewReader(fromServer)
	for id := range calls + 1 {
		if n := s.stream.Unread(); n > 64<<10 {
			t.Fatalf("%d bytes are unread", n)
		}
		if got, want := reply(t, replies), fmt.Sprintf(`"id":%d,`, id); !strings.Contains(got, want) {
			t.Fatalf("got %.100s, want %s", got, want)
		}
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	toServer.Close()
	fromServer.Close()
	if err := ended(t, served); err != nil {
		t.Error(err)
	}
}

func TestAnEditorThatNeverReadsIsGivenUp(t *testing.T) {
	s, toServer, fromServer := overPipesAs(t, func(in io.Reader) io.Reader { return struct{ io.Reader }{in} }) // as standard input, which can't be interrupted
	defer fromServer.Close()
	defer toServer.Close()
	s.stream.Bound(64<<10, 50*time.Millisecond)
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	go func() {
		err := ask(toServer, 0, "initialize", handshake)
		for id := 1; err == nil; id++ {
			err = ask(toServer, id, protocol.MethodTextDocumentHover, hoverAt(500))
		}
	}()
	if err := ended(t, served); !errors.Is(err, wire.ErrUnread) {
		t.Errorf("it ended with %v", err)
	}
}

// More calls than can be under way are refused one by one; what is, can be
// cancelled, and the server can be left.
func TestCallsUnderWayAreBounded(t *testing.T) {
	s, toServer, fromServer := overPipes(t)
	defer fromServer.Close()
	s.table["test/hang"] = func(*server, []byte) (any, work, error) {
		return nil, func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }, nil
	}
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	replies := bufio.NewReader(fromServer)
	send := func(id int, method, params, want string) {
		t.Helper()
		if err := ask(toServer, id, method, params); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			return
		}
		if got := reply(t, replies); !strings.Contains(got, want) {
			t.Fatalf("%s: got %s, want %s", method, got, want)
		}
	}
	send(0, "initialize", handshake, `"id":0`)
	for id := 1; id <= maxCalls; id++ {
		send(id, "test/hang", "{}", "")
	}
	send(9001, "test/hang", "{}", `-32803`)
	send(9002, protocol.MethodTextDocumentHover, hoverAt(500), "contents")
	cancel := `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7}}`
	if _, err := fmt.Fprintf(toServer, "Content-Length: %d\r\n\r\n%s", len(cancel), cancel); err != nil {
		t.Fatal(err)
	}
	if got := reply(t, replies); !strings.Contains(got, `"id":7,`) || !strings.Contains(got, "-32800") {
		t.Fatalf("got %s, want the call cancelled", got)
	}
	send(9003, "test/hang", "{}", "")
	send(9004, "shutdown", "null", `"id":9004`)
	go func() { _, _ = io.Copy(io.Discard, fromServer) }()
	toServer.Close()
	if err := ended(t, served); err != nil {
		t.Error(err)
	}
}
