package daemon

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
)

// ClientConfig is how to reach the daemon of a home.
type ClientConfig struct {
	Home string
	// Kind is editor or terminal.
	Kind string
	// Environment is the session's AWS side; it is sent in the handshake.
	Environment scanner.Environment
	// Executable is started as `Executable daemon` when none serves; "" means
	// this program, and "-" never starts one.
	Executable string
	Build      Build
	// Prompt puts a plan before the person; nil means nobody can be asked.
	Prompt func(ctx context.Context, p executor.Prompt) (PromptResult, error)
	// Note receives the daemon's notifications in order, params as JSON. It must
	// not block. After a reconnect it gets NoteEstateChanged first.
	Note func(method string, params []byte)
	Log  *slog.Logger
}

// Client is a connection that heals itself. Safe for concurrent use.
type Client struct{}

// Dial connects, starting or replacing the daemon where needed. A daemon that
// is degraded is no error: Hello says so.
func Dial(ctx context.Context, cfg ClientConfig) (*Client, error) {
	return nil, errors.ErrUnsupported
}

// Call sends a request and decodes its result; result may be nil. When the
// connection breaks it redials; requests that only read are sent again, others
// return an *Error with CodeUnavailable. Cancelling ctx cancels the request.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	return errors.ErrUnsupported
}

// Hello is the last handshake's answer.
func (c *Client) Hello() HelloResult { return HelloResult{} }

// Close ends the connection.
func (c *Client) Close() error { return nil }

// Error is the daemon's refusal of a request.
type Error struct {
	Code    int
	Message string
	// Hint says what the user can do next.
	Hint string
}

func (e *Error) Error() string { return e.Message }

// ErrorData travels in a JSON-RPC error.
type ErrorData struct {
	Hint string `json:"hint,omitempty"`
}
