// Package lsp is the language server of one editor. It owns the editor's
// documents and asks the daemon about the estate.
//
// Its entry point is Serve. One file per LSP method; convert.go is the only
// one with protocol types inside out.
//
// Invariants: a dead, cold or replaced daemon loses no open document;
// notifications are handled in order, calls concurrently; a panic or an error
// in a handler ends one request, never the connection; editor settings only
// narrow or restyle.
package lsp

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/cloudops/cloudops/lsp/daemon"
)

// Config is one language server.
type Config struct {
	In  io.Reader
	Out io.Writer
	// Daemon is how to reach the daemon; Serve fills Kind, Prompt, Note and the
	// session's workspaces.
	Daemon  daemon.ClientConfig
	Version string
	Log     *slog.Logger
}

// Serve speaks LSP until the editor ends it.
func Serve(ctx context.Context, cfg Config) error { return errors.ErrUnsupported }
