package lsptest

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/backend/builtin"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// World is an emulated AWS with the seeded estate, and a home of its own.
type World struct {
	Estate *awstest.Estate
	Home   string
	// Endpoint stands in for the emulator's, such as a proxy's; "" means none.
	Endpoint string

	key string
}

// NewWorld seeds the server anew.
func NewWorld(t testing.TB, server *awstest.Server) *World {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	estate, err := server.Seed(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &World{Estate: estate, Home: filepath.Join(t.TempDir(), "home"), key: filepath.Join(t.TempDir(), "key")}
}

// server is the daemon's side.
func (w *World) server() daemon.ServerConfig {
	return daemon.ServerConfig{
		Home:  w.Home,
		Build: daemon.Build{Version: "test", ID: "test"},
		Idle:  time.Hour,
		Open:  w.parts,
		Log:   slog.New(slog.DiscardHandler),
	}
}

func (w *World) parts(ctx context.Context) (*daemon.Parts, error) {
	keys, err := seal.Unlock(w.Home, seal.Source{File: w.key})
	if err != nil {
		return nil, err
	}
	store, err := storage.Open(ctx, storage.Config{DataPath: filepath.Join(w.Home, "data")}, keys, services.Kinds())
	if err != nil {
		return nil, err
	}
	sc, err := scanner.New(scanner.Config{Regions: []string{awstest.West, awstest.East, awstest.EmptyRegion}}, store.Estate, keys)
	if err != nil {
		return nil, err
	}
	ex, err := executor.New(executor.Settings{Reading: reading}, w.Home, sc, store.Estate, keys)
	if err != nil {
		return nil, err
	}
	return &daemon.Parts{
		Store: store, Scanner: sc, Executor: ex,
		Agent:   agent.New(agent.Config{UserID: "test"}, store, sc, ex, builtin.New(store.Estate, sc)),
		StoreID: keys.StoreID(),
		Keys:    keys,
		Close:   store.Close,
	}, nil
}

// Daemon serves the home on its socket until the returned function ends it.
func (w *World) Daemon(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- daemon.Serve(ctx, w.server()) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the daemon: %v", err)
			}
		case <-time.After(Patience):
			t.Error("the daemon did not end")
		}
	}
	t.Cleanup(stop)
	for deadline := time.Now().Add(Patience); ; {
		client, err := daemon.Dial(t.Context(), w.client())
		if err == nil {
			_ = client.Close()
			return stop
		}
		if time.Now().After(deadline) {
			t.Fatalf("reaching the daemon: %v", err)
		}
		select {
		case err := <-done:
			t.Fatalf("the daemon: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// client reaches the daemon that Daemon serves, and starts none.
func (w *World) client() daemon.ClientConfig {
	return daemon.ClientConfig{
		Home:        w.Home,
		Kind:        "editor",
		Environment: w.Estate.Environment("prod", w.Endpoint),
		Executable:  "-",
		Build:       daemon.Build{Version: "test", ID: "test"},
	}
}

// Editor starts a language server: joined to a daemon in this process when
// local is set, else to the one on the home's socket.
func (w *World) Editor(t testing.TB, local bool) *Editor {
	t.Helper()
	cfg := lsp.Config{
		Daemon:  w.client(),
		Version: "test",
		Log:     slog.New(slog.DiscardHandler),
	}
	if local {
		cfg.Dial = func(ctx context.Context, client daemon.ClientConfig) (*daemon.Client, error) {
			return daemon.Local(ctx, w.server(), client)
		}
	}
	return Start(t, func(in io.ReadCloser, out io.Writer) error {
		cfg := cfg
		cfg.In, cfg.Out = in, out
		return lsp.Serve(context.Background(), cfg)
	})
}
