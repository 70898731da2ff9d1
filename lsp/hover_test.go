package lsp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
)

const (
	remembered = "i-0abc1234def567890"
	mainTF     = "file:///main.tf"
)

// piped serves over pipes of the system, which hold little, with one document
// of 1,000 lines that mention a remembered resource. No daemon is reached.
func piped(tb testing.TB) (toServer io.WriteCloser, replies *bufio.Reader) {
	tb.Helper()
	s, toServer, fromServer := overPipes(tb)
	ended := make(chan error, 1)
	go func() { ended <- s.serve() }()
	tb.Cleanup(func() {
		toServer.Close()
		fromServer.Close()
		<-ended
	})
	replies = bufio.NewReader(fromServer)
	if err := ask(toServer, 0, "initialize", `{"processId":null,"rootUri":null,"capabilities":{"textDocument":{"hover":{"contentFormat":["markdown"]}}}}`); err != nil {
		tb.Fatal(err)
	}
	reply(tb, replies)
	return toServer, replies
}

// overPipes is what piped serves.
func overPipes(tb testing.TB) (s *server, toServer, fromServer *os.File) {
	tb.Helper()
	return overPipesAs(tb, func(in io.Reader) io.Reader { return in })
}

// overPipesAs has the server see its input in another way.
func overPipesAs(tb testing.TB, as func(io.Reader) io.Reader) (s *server, toServer, fromServer *os.File) {
	tb.Helper()
	in, toServer := pipe(tb)
	fromServer, out := pipe(tb)
	s = newServer(context.Background(), Config{In: as(in), Out: out, Dial: func(context.Context, daemon.ClientConfig) (*daemon.Client, error) {
		return nil, errors.New("no daemon")
	}})
	s.records.known[remembered] = answered{named: &named{records: []storage.Record{{
		Key: storage.Key{
			Type: "ec2_instance", ID: remembered, AccountID: "123456789012", Region: "us-west-2",
			ARN: "arn:aws:ec2:us-west-2:123456789012:instance/" + remembered,
		},
		Name: "web-1", State: "running", AccountName: "prod",
		Summary: "t3.medium · vpc-0123456789abcdef0", LastSynced: time.Now(),
		Tags: map[string]string{"env": "production", "app": "web", "owner": "team-backend"},
	}}}}
	s.documents.put(newDocument(mainTF, 1, strings.Repeat("  instance = \""+remembered+"\" # web\n", 1000)))
	return s, toServer, fromServer
}

func pipe(tb testing.TB) (r, w *os.File) {
	tb.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	return r, w
}

func ask(w io.Writer, id int, method, params string) error {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)
	_, err := fmt.Fprintf(w, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// reply reads the next answer to a call; what the server says besides is passed over.
func reply(tb testing.TB, r *bufio.Reader) string {
	tb.Helper()
	for {
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			tb.Fatal(err)
		}
		length, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			tb.Fatal(err)
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			tb.Fatal(err)
		}
		if bytes.HasPrefix(body, []byte(`{"jsonrpc":"2.0","id":`)) && !bytes.Contains(body, []byte(`"method":`)) {
			return string(body)
		}
	}
}

func hoverAt(line int) string {
	return fmt.Sprintf(`{"textDocument":{"uri":%q},"position":{"line":%d,"character":20}}`, mainTF, line)
}

// Far more than the pipes hold is asked before the first answer is read.
func TestAnEditorMayReadAfterItHasWritten(t *testing.T) {
	for _, c := range []struct{ name, method, params, want string }{
		{"remembered hovers", "textDocument/hover", hoverAt(500), "web-1"},
		{"errors", "no/such", "{}", "-32601"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const calls = 5000
			toServer, replies := piped(t)
			written := make(chan error, 1)
			go func() {
				var err error
				for id := 1; id <= calls && err == nil; id++ {
					err = ask(toServer, id, c.method, c.params)
				}
				written <- err
			}()
			select {
			case err := <-written:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the server reads no more while its answers are not read")
			}
			for range calls {
				if got := reply(t, replies); !strings.Contains(got, c.want) {
					t.Fatalf("got %s", got)
				}
			}
		})
	}
}

// BenchmarkHover is the work of one remembered hover.
func BenchmarkHover(b *testing.B) {
	toServer, replies := piped(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := ask(toServer, 1, "textDocument/hover", hoverAt(500)); err != nil {
			b.Fatal(err)
		}
		if got := reply(b, replies); !strings.Contains(got, "web-1") {
			b.Fatalf("got %s", got)
		}
	}
}
