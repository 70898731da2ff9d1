package aws

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// closing fails all reads after it was closed, as the SDK's bodies do.
type closing struct {
	io.Reader
	closed bool
}

func (b *closing) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read after close")
	}
	return b.Reader.Read(p)
}

func (b *closing) Close() error {
	b.closed = true
	return nil
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestABodyIsSentFromMemory(t *testing.T) {
	body := &closing{Reader: strings.NewReader("Action=StopInstances")}
	r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	client := WholeBodies{clientFunc(func(sent *http.Request) (*http.Response, error) {
		if !body.closed {
			t.Error("the SDK's body is still in use while the request is sent")
		}
		if b, err := io.ReadAll(sent.Body); err != nil || string(b) != "Action=StopInstances" {
			t.Errorf("sent %q, %v", b, err)
		}
		return &http.Response{}, nil
	})}
	if _, err := client.Do(r); err != nil {
		t.Fatal(err)
	}
}
