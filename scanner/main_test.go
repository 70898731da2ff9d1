package scanner_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) != "" {
		os.Exit(victim())
	}
	os.Exit(awstest.Main(m))
}

// seeded is a fresh estate in AWS; the server is shared by all tests.
func seeded(t *testing.T) *awstest.Estate {
	t.Helper()
	e, err := awstest.Shared(t).Seed(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func proxied(t *testing.T, e *awstest.Estate) *awstest.Proxy {
	t.Helper()
	p, err := awstest.NewProxy(e.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// home is one CLOUDOPS_HOME with an open store.
type home struct {
	*scanner.Scanner
	dir   string
	store *storage.Service
	keys  *seal.Keys
}

func newHome(t *testing.T, cfg scanner.Config) *home {
	t.Helper()
	h := &home{dir: t.TempDir()}
	if err := os.Chmod(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.open(t, cfg)
	return h
}

// open opens the home, again after close.
func (h *home) open(t *testing.T, cfg scanner.Config) {
	t.Helper()
	if err := h.unlock(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
}

func (h *home) unlock(ctx context.Context, cfg scanner.Config) (err error) {
	if h.keys, err = seal.Unlock(h.dir, seal.Source{File: filepath.Join(filepath.Dir(h.dir), filepath.Base(h.dir)+".key")}); err != nil {
		return err
	}
	if h.store, err = storage.Open(ctx, storage.Config{DataPath: filepath.Join(h.dir, "data")}, h.keys, services.Kinds()); err != nil {
		return err
	}
	h.Scanner, err = scanner.New(cfg, h.store.Estate, h.keys)
	return err
}

func (h *home) close() {
	if h.store != nil {
		_ = h.store.Close()
		h.store = nil
	}
}

// session is a profile of an environment, ready; "" is the selected one.
func (h *home) session(env session.Environment, profile string) (*session.Session, error) {
	return h.Sessions.Client(env).Open(profile, "")
}

func (h *home) identity(ctx context.Context, env session.Environment, profile string) (session.Identity, error) {
	s, err := h.session(env, profile)
	if err != nil {
		return session.Identity{}, err
	}
	return s.Identity(ctx)
}

// asked is why nobody can tell whose a client's own profile is.
func (h *home) asked(ctx context.Context, env session.Environment, who func(*session.Session, context.Context) (session.Identity, error)) error {
	s, err := h.session(env, "")
	if err == nil {
		_, err = who(s, ctx)
	}
	return err
}

func (h *home) scan(ctx context.Context, env session.Environment, o scanner.Options, report func(scanner.Progress)) (scanner.Result, error) {
	return h.Scan(ctx, h.Sessions.Client(env), o, report)
}

// describe reads a resource with whichever profile is of its account.
func (h *home) describe(ctx context.Context, env session.Environment, k storage.Key) (storage.Resource, error) {
	s, err := h.Sessions.Client(env).ForAccount(ctx, k.AccountID)
	if err != nil {
		return storage.Resource{}, err
	}
	return h.Describe(ctx, s, k)
}

func (h *home) refresh(ctx context.Context, env session.Environment, k storage.Key) (storage.Resource, error) {
	s, err := h.Sessions.Client(env).ForAccount(ctx, k.AccountID)
	if err != nil {
		return storage.Resource{}, err
	}
	return h.Refresh(ctx, s, k)
}

// setPatience bounds each wait for AWS.
func (h *home) setPatience(d time.Duration) {
	h.Sessions.Patience = session.Patience{Connect: d, Silence: d, Call: d, Identity: d}
}

// within gives a test's calls a deadline, so that what hangs fails.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
