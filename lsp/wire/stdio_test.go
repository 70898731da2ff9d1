package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"go.lsp.dev/jsonrpc2"
)

const (
	oneCall = `{"jsonrpc":"2.0","id":1,"method":"a"}`
	framed  = "Content-Length: 37\r\n\r\n" + oneCall
)

// readAll returns the methods that a stream makes out, and what it answered.
func readAll(tb testing.TB, in string) (methods []string, out string) {
	tb.Helper()
	var b bytes.Buffer
	s := NewStdio(strings.NewReader(in), &b)
	for {
		m, _, err := s.Read(context.Background())
		if errors.Is(err, io.EOF) {
			return methods, b.String()
		}
		if err != nil {
			tb.Fatalf("reading %q: %v", in, err)
		}
		switch m := m.(type) {
		case *jsonrpc2.Call:
			methods = append(methods, m.Method())
			s.out.unanswered--
		case *jsonrpc2.Notification:
			methods = append(methods, m.Method())
		}
	}
}

func TestAHeaderIsFoundInAnyCompany(t *testing.T) {
	for name, before := range map[string]string{
		"nothing":              "",
		"another field":        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n",
		"no text":              strings.Repeat("\xff", 40),
		"letters that grow":    strings.Repeat("\u023a", 40),
		"the rest of a body":   `"method":"b"}`,
		"more than the buffer": strings.Repeat("x", 100_000),
		"ended by LF alone":    "A: b\n",
		"a name in capitals":   "CONTENT-LENGTH: 1\r\n",
	} {
		if methods, out := readAll(t, before+framed+framed); len(methods) != 2 {
			t.Errorf("after %s %d of 2 messages are made out: %s", name, len(methods), out)
		}
	}
}

// The bodies around the size of the read buffer are read in different ways.
func TestBodiesOfAllSizes(t *testing.T) {
	for _, n := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 3 << 20} {
		body := `{"jsonrpc":"2.0","method":"a","params":"` + strings.Repeat("x", n-len(`{"jsonrpc":"2.0","method":"a","params":""}`)) + `"}`
		var in strings.Builder
		for range 2 {
			in.WriteString(framed)
			in.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
		}
		if methods, out := readAll(t, in.String()); len(methods) != 4 {
			t.Errorf("with bodies of %d bytes %d of 4 messages are made out: %s", n, len(methods), out)
		}
	}
}

// Whatever comes is read to its end, and a message that stands alone is made
// out after it unless a length before it claims it.
func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"", framed, "\xff\xff\xffContent-Length: 5\r\n\r\nhello", "Content-Length: -1\r\n\r\n", "\r\n\r\n",
		"Content-Length: 99999999999999999999\r\n\r\n{}", "content-LENGTH:2\n\n{}", "Content-Length: 37\r\nX: y\r\n\r\n[]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, garbage string) {
		methods, _ := readAll(t, garbage+"\r\n\r\n"+framed)
		if !strings.Contains(strings.ToLower(garbage), "length") && len(methods) == 0 {
			t.Errorf("after %q the message is lost", garbage)
		}
	})
}
