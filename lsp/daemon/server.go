package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

// ServerConfig is what one daemon serves.
type ServerConfig struct {
	Home  string
	Build Build
	// Idle is how long the daemon stays without clients and jobs; 0 means 30 minutes.
	Idle time.Duration
	// Open opens the parts. It runs once the socket's lock is held; its error
	// makes the daemon degraded, not absent.
	Open func(ctx context.Context) (*Parts, error)
	Log  *slog.Logger
}

// Parts is what the daemon owns.
type Parts struct {
	Store    *storage.Service
	Scanner  *scanner.Scanner
	Executor *executor.Executor
	Agent    *agent.Agent
	StoreID  string
	Notices  []string
	Close    func() error
}

// ErrRunning: another daemon serves this home.
var ErrRunning = errors.New("a daemon already serves this home")

// Serve owns the home until ctx ends, it is idle, or a newer build takes over.
func Serve(ctx context.Context, cfg ServerConfig) error { return errors.ErrUnsupported }
