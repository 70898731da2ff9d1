package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/lsp/daemon"
)

// clientConfig is how this process reaches the daemon of the home.
func clientConfig(c config, kind string, log *slog.Logger) daemon.ClientConfig {
	return daemon.ClientConfig{
		Home:        c.home,
		Kind:        kind,
		Environment: environment(c),
		KeyFile:     c.Encryption.source().File,
		KeyVars:     c.secretVariables(),
		Build:       daemon.ThisBuild(version),
		Log:         log,
	}
}

// connect dials as a terminal. note, if given, receives notifications.
// A person can be asked only where there is a controlling terminal.
func (a *app) connect(ctx context.Context, note func(method string, params []byte)) (*daemon.Client, error) {
	c, err := loadConfig()
	if err != nil {
		return nil, err
	}
	cfg := clientConfig(c, "terminal", slog.New(slog.NewTextHandler(io.Discard, nil)))
	cfg.Note = note
	if a.tty = openTerminal(); a.tty != nil {
		cfg.Prompt, cfg.Confirm = a.tty.ask, a.tty.confirm
	}
	client, err := daemon.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, n := range client.Hello().Notices {
		fmt.Fprintln(a.err, "cloudops:", render.Terminal(n))
	}
	return client, nil
}

// Call is one request on a connection of its own.
func (a *app) Call(ctx context.Context, method string, params, result any) error {
	client, err := a.connect(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(client.Call(ctx, method, params, result), client.Close())
}
