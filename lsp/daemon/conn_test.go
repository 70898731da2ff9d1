package daemon

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/agent"
)

func TestMalformedMessagesAreAnsweredAndTheConnectionGoesOn(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	for _, c := range []struct {
		name, body string
		code       int
		says       string
	}{
		{"not JSON", `{"jsonrpc":`, -32700, "not valid JSON"},
		{"empty", ``, -32700, "not valid JSON"},
		{"bytes", "\x00\xff\xfe", -32700, "not valid JSON"},
		{"half an object in the params", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":{"text":}}`, -32700, "not valid JSON"},
		{"a batch", `[` + helloBody + `]`, -32600, "not a JSON-RPC"},
		{"a number", `5`, -32600, "not a JSON-RPC"},
		{"no method", `{"jsonrpc":"2.0","id":7}`, -32600, "not a JSON-RPC"},
		{"unknown method", `{"jsonrpc":"2.0","id":7,"method":"evil \u001b[2J"}`, -32601, "an unknown method is not served"},
		{"unknown field", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":{"tekst":"x"}}`, -32602, `"tekst" is unknown`},
		{"wrong case", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":{"Text":"x"}}`, -32602, `"Text" is unknown`},
		{"wrong type", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":{"text":5}}`, -32602, `"text" must be a string, not a number`},
		{"an array", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":["x"]}`, -32602, `params must be an object, not an array`},
		{"twice", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/echo","params":{"text":"a","text":"b"}}`, -32602, `"text" is there twice`},
		{"a second hello", strings.Replace(helloBody, `"id":1`, `"id":7`, 1), -32600, "shaken hands already"},
		{"a panic", `{"jsonrpc":"2.0","id":7,"method":"cloudops/test/panic"}`, -32603, "internal error in cloudops/test/panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rawPeer(t, home)
			r.hello()
			r.send(c.body)
			m := r.next()
			if m.Error == nil || m.Error.Code != c.code || !strings.Contains(m.Error.Message, c.says) {
				t.Fatalf("got %+v, want code %d saying %q", m.Error, c.code, c.says)
			}
			r.send(`{"jsonrpc":"2.0","id":"s","method":"cloudops/test/echo","params":{"text":"still here"}}`)
			if m := r.next(); m.ID != "s" || !strings.Contains(string(m.Result), "still here") {
				t.Fatalf("afterwards: %+v", m)
			}
		})
	}
}

func TestUnusableFramesEndTheConnectionWithAReason(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	for _, c := range []struct{ name, bytes, says string }{
		{"oversized", fmt.Sprintf("Content-Length: %d\r\n\r\n{", maxRequest+1), "over the limit"},
		{"no length", "X-Nothing: 1\r\n\r\n", "must begin with Content-Length"},
		{"a web browser", "GET / HTTP/1.1\r\n\r\n", "must begin with Content-Length"},
		{"negative", "Content-Length: -1\r\n\r\n", "must be a number"},
		{"endless header", strings.Repeat("x", 8192), "too long"},
		{"many headers", strings.Repeat("a: b\r\n", 100), "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rawPeer(t, home)
			r.hello()
			_, _ = io.WriteString(r.nc, c.bytes)
			m, err := r.message()
			if err != nil || m.Error == nil || !strings.Contains(m.Error.Message, c.says) {
				t.Fatalf("got %+v %v, want an error saying %q", m.Error, err, c.says)
			}
			if _, err := r.message(); err == nil {
				t.Fatal("the connection goes on")
			}
		})
	}
}

func TestRequestsOverlapAndAreCancelledByID(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	for _, id := range []string{`7`, `"seven"`} {
		r := rawPeer(t, home)
		r.hello()
		r.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"cloudops/test/hang","params":{}}`)
		r.send(`{"jsonrpc":"2.0","id":8,"method":"cloudops/test/echo","params":{}}`)
		if m := r.next(); m.ID != float64(8) {
			t.Fatalf("a slow request held up the next: %+v", m)
		}
		// Ids that nobody used, and no id at all, change nothing.
		r.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":99}}`)
		r.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{}}}`)
		r.send(`{"jsonrpc":"2.0","method":"$/cancelRequest"}`)
		r.send(`{"jsonrpc":"2.0","method":"$/whatever","params":5}`)
		r.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":` + id + `}}`)
		if m := r.next(); m.Error == nil || m.Error.Code != CodeCancelled {
			t.Fatalf("id %s: got %+v, want it cancelled", id, m)
		}
	}
}

func TestAPeerCannotPileUpCalls(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	r := rawPeer(t, home)
	r.hello()
	for i := range maxInFlight + 1 {
		r.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"cloudops/test/hang","params":{}}`, 100+i))
	}
	if m := r.next(); m.Error == nil || m.Error.Code != CodeUnavailable {
		t.Fatalf("got %+v, want a refusal", m)
	}
	r.send(`{"jsonrpc":"2.0","id":100,"method":"cloudops/test/hang","params":{}}`)
	if m := r.next(); m.Error == nil || m.Error.Code != -32600 {
		t.Fatalf("got %+v, want the used id refused", m)
	}
}

func TestNothingIsServedBeforeHello(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	for method := range s.requests {
		r := rawPeer(t, home)
		r.send(`{"jsonrpc":"2.0","id":7,"method":"` + method + `","params":{}}`)
		if m := r.next(); m.Error == nil || m.Error.Code != -32002 {
			t.Errorf("%s: got %+v, want a refusal", method, m)
		}
	}
}

func TestTheLogHasNoBodies(t *testing.T) {
	home := testHome(t)
	log, text := logTo(t)
	serving(t, ServerConfig{Home: home, Log: log})
	r := rawPeer(t, home)
	r.send(strings.Replace(helloBody, `"environment":{}`, `"environment":{"secret_access_key":"canary-key","session_token":"canary-token"}`, 1))
	r.next()
	r.send(`{"jsonrpc":"2.0","id":2,"method":"cloudops/test/echo","params":{"text":"canary-text"}}`)
	r.next()
	r.send(`{"jsonrpc":"2.0","id":3,"method":"cloudops/test/echo","params":{"canary-field":"canary-value"}}`)
	r.next()
	r.send(`{"jsonrpc":"2.0","id":4,"method":"canary-method"}`)
	r.next()
	r.send(`{"jsonrpc":"2.0","id":5,"method":"cloudops/test/panic"}`)
	r.next()
	got := text()
	for _, want := range []string{`"method":"cloudops/test/echo"`, `"code":-32602`, `"method":"an unknown method"`, `"panic":"string"`, "main_test.go"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, got)
		}
	}
	for _, secret := range []string{"canary", "secret words"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log has %q:\n%s", secret, got)
		}
	}
}

// What a peer made up is no name of a method, however like one it looks.
func TestNamesThatPeersMadeUpAreNotRepeated(t *testing.T) {
	for name, want := range map[string]bool{
		"cloudops/hello": true, "cloudops/test/echo": true, "cloudops/": true,
		"cloudops/" + strings.Repeat("a", 54): true, "cloudops/" + strings.Repeat("a", 55): false,
		"": false, "secret": false, "cloudops": false, "secret/cloudops/hello": false, "cloudops/Secret": false, "cloudops/a b": false, "cloudops/1": false,
	} {
		if got := known(name) == name; got != want {
			t.Errorf("%q is repeated %v, want %v", name, got, want)
		}
	}
}

func TestAClientRefusesToSendWhatTheDaemonWouldNotTake(t *testing.T) {
	home := testHome(t)
	serving(t, ServerConfig{Home: home})
	c := dialing(t, ClientConfig{Home: home})
	err := c.Call(t.Context(), methodEcho, echo{Text: strings.Repeat("x", maxRequest)}, nil)
	var e *Error
	if !errors.As(err, &e) || e.Code != -32602 {
		t.Fatalf("got %v, want invalid params", err)
	}
	var back echo
	if err := c.Call(t.Context(), methodEcho, echo{Text: "on"}, &back); err != nil || back.Text != "on" {
		t.Fatalf("afterwards: %v %v", back, err)
	}
}

func FuzzSend(f *testing.F) {
	f.Add([]byte(helloBody))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, err := ConversationSend.Decode(body); err == nil && len(p.Prompt) > agent.LongestPrompt {
			t.Fatal("a prompt over the limit passed")
		}
	})
}
