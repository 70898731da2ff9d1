package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// most is the longest message of these tests.
const most = 16 << 20

var limits = Limits{Message: most, Calls: 256}

func name(method string) string { return method }

type said struct {
	Text  string `json:"text,omitempty"`
	Token string `json:"token,omitempty"`
}

// What was notified before an answer is read before it, and of news with a topic
// the latest.
func TestWhatIsSentArrivesInOrder(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	log := slog.New(slog.DiscardHandler)
	c := New(t.Context(), far, limits, log, name)
	c.Start(func(ctx context.Context, method string, _ []byte) (any, error) {
		for i := range 100 {
			c.Notify("", "text", said{Text: fmt.Sprint(i)})
			c.Notify("p", "progress", said{Token: fmt.Sprint(i)})
		}
		return said{Text: "done"}, nil
	}, nil)
	var got []string
	var progress string
	peer := New(t.Context(), near, limits, log, name)
	peer.Start(nil, func(method string, params []byte) {
		var p said
		if err := json.Unmarshal(params, &p); err != nil {
			t.Error(err)
		}
		if method == "progress" {
			progress = p.Token
		} else {
			got = append(got, p.Text)
		}
	})
	var res said
	if err := peer.Call(t.Context(), "x", said{}, &res); err != nil {
		t.Fatal(err)
	}
	c.Close()
	peer.Wait()
	c.Wait()
	if len(got) != 100 || got[0] != "0" || got[99] != "99" || progress != "99" || res.Text != "done" {
		t.Errorf("got %q, progress %q, %q", got, progress, res.Text)
	}
}

// A message that does not come to its end takes neither the connection for ever
// nor the daemon's memory.
func TestHalfMessagesAreBounded(t *testing.T) {
	var shared Budget
	half := func(patience time.Duration) (peer net.Conn, c *Conn) {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		l := limits
		l.Patience, l.Half = patience, &shared
		c = New(t.Context(), far, l, slog.New(slog.DiscardHandler), name)
		c.Start(nil, nil)
		go func() { _, _ = io.Copy(io.Discard, near) }()
		return near, c
	}
	for _, begun := range []string{"C", "Content-Length: 10\r\n", "Content-Length: 10\r\n\r\n{"} {
		peer, c := half(20 * time.Millisecond)
		if _, err := io.WriteString(peer, begun); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.ctx.Done():
		case <-time.After(time.Minute):
			t.Errorf("after %q it is waited for ever", begun)
		}
		c.Wait()
	}
	// Between messages anybody may be silent.
	_, quiet := half(time.Nanosecond)
	var conns []*Conn
	var sent int64
	header := fmt.Sprintf("Content-Length: %d\r\n\r\n", most)
	for range 20 {
		peer, c := half(time.Hour)
		n, err := io.WriteString(peer, header+strings.Repeat(" ", most/2))
		if err != nil {
			break // it was ended
		}
		sent += int64(n)
		conns = append(conns, c)
	}
	if sent > maxHalf+20*freeHalf+most || shared.used.Load() > maxHalf {
		t.Errorf("%d bytes of half messages are held", sent)
	}
	if sent < most {
		t.Errorf("only %d bytes were taken", sent)
	}
	for _, c := range conns {
		c.Close()
		c.Wait()
	}
	if n := shared.used.Load(); n != 0 {
		t.Errorf("%d bytes stay counted", n)
	}
	if quiet.ctx.Err() != nil {
		t.Error("a silent connection was ended")
	}
	quiet.Close()
	quiet.Wait()
}

// A notification that panics costs none of those that follow, and it alone is in
// the log, without what it held.
func TestANotificationPanicsAlone(t *testing.T) {
	here, there := net.Pipe()
	var log bytes.Buffer
	heard := make(chan string, 3)
	c := New(t.Context(), here, limits, slog.New(slog.NewTextHandler(&log, nil)), name)
	c.Start(nil, func(method string, params []byte) {
		if method == "cloudops/bad" {
			panic(string(params))
		}
		heard <- method
	})
	peer := New(t.Context(), there, limits, slog.New(slog.DiscardHandler), name)
	peer.Start(nil, nil)
	for _, method := range []string{"cloudops/first", "cloudops/bad", "cloudops/last"} {
		peer.Notify("", method, map[string]string{"name": "canary-body"})
	}
	for _, want := range []string{"cloudops/first", "cloudops/last"} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s was not heard", want)
		}
	}
	peer.Close()
	c.Close()
	c.Wait()
	text := log.String()
	if strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "method=cloudops/bad") || strings.Contains(text, "canary-body") {
		t.Errorf("the log says %s", text)
	}
}

// Whatever comes is a message or refused.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"cloudops/hello","params":{}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if m, bad := decodeMessage(body); (m == nil) == (bad == nil) {
			t.Fatalf("%q: a message and a refusal, or neither", body)
		}
	})
}
