package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

// emulator is the emulated AWS of this package's tests: one server, seeded once.
// Each test uses resources of its own.
var emulator struct {
	sync.Once
	estate *awstest.Estate
	dir    string
	err    error
}

func TestMain(m *testing.M) {
	if home := os.Getenv("CLOUDOPS_TEST_CRASH"); home != "" {
		fmt.Fprintln(os.Stderr, runUntilKilled(home))
		os.Exit(1)
	}
	code := awstest.Main(m)
	if emulator.dir != "" {
		os.RemoveAll(emulator.dir)
	}
	os.Exit(code)
}

// theAWS is the seeded server.
func theAWS(t *testing.T) *awstest.Estate {
	t.Helper()
	server := awstest.Shared(t)
	emulator.Do(func() {
		if emulator.dir, emulator.err = os.MkdirTemp("", "executor-test"); emulator.err == nil {
			emulator.estate, emulator.err = server.Seed(context.Background(), emulator.dir)
		}
	})
	if emulator.err != nil {
		t.Fatal(emulator.err)
	}
	return emulator.estate
}

// world is one home with everything that the executor stands on.
type world struct {
	t    *testing.T
	home string
	keys *seal.Keys
	*Executor
	estate *storage.Estate
	env    session.Environment
	store  *storage.Service

	mu         sync.Mutex // guards what follows
	wall, boot time.Duration
}

// open makes or reopens a home. endpoint "" is the emulator itself.
func open(ctx context.Context, home string, set Settings, keys *seal.Keys) (*Executor, *storage.Service, error) {
	store, err := storage.Open(ctx, storage.Config{DataPath: filepath.Join(home, "data")}, keys, services.Kinds())
	if err != nil {
		return nil, nil, err
	}
	sc, err := scanner.New(scanner.Config{}, store.Estate, keys)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	e, err := New(set, home, sc, store.Estate, keys)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return e, store, nil
}

func newWorld(t *testing.T, cfg Config, profile, endpoint string) *world {
	t.Helper()
	aws := theAWS(t)
	home, keys := privateHome(t)
	w := &world{t: t, home: home, keys: keys, env: aws.Environment(profile, endpoint)}
	w.start(cfg)
	t.Cleanup(w.stop)
	return w
}

// who is the client whose environment the world has now.
func (w *world) who() *session.Client { return w.scanner.Sessions.Client(w.env) }

func (w *world) start(cfg Config) {
	w.t.Helper()
	e, store, err := open(w.t.Context(), w.home, Settings{Policy: cfg.Always(), Clock: w.clock()}, w.keys)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Executor, w.store, w.estate = e, store, store.Estate
	w.times.poll = 20 * time.Millisecond
}

func (w *world) stop() {
	if w.store == nil {
		return
	}
	if err := errors.Join(w.Close(), w.store.Close()); err != nil {
		w.t.Error(err)
	}
	w.store = nil
}

// clock is the machine's, and what the test moved it by.
func (w *world) clock() Clock {
	return Clock{
		Wall: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.wall) },
		Boot: func() time.Duration { w.mu.Lock(); defer w.mu.Unlock(); return sinceBoot() + w.boot },
	}
}

// later moves the clock.
func (w *world) later(d time.Duration) { w.move(d, d) }

// move moves each of the two clocks.
func (w *world) move(wall, boot time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wall += wall
	w.boot += boot
}

func (w *world) command(argv ...string) Command {
	w.t.Helper()
	c, err := Parse(append([]string{"aws"}, argv...))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) plan(argv ...string) Plan {
	w.t.Helper()
	p, err := w.Plan(w.t.Context(), w.who(), w.command(argv...), Origin{Session: "s", Kind: "editor", Conversation: "c", Prompt: "canary-prompt"})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// refused plans what can't be and returns why.
func (w *world) refused(argv ...string) error {
	w.t.Helper()
	p, err := w.Plan(w.t.Context(), w.who(), w.command(argv...), Origin{Session: "s"})
	if err == nil {
		w.t.Fatalf("%s became a plan", p.Line)
	}
	return err
}

// ask opens a prompt on a card that the person has read.
func (w *world) ask(p Plan) *Prompt {
	w.t.Helper()
	q, err := w.Prompt(p.ID, SurfaceTerminal)
	if err != nil {
		w.t.Fatal(err)
	}
	w.move(0, time.Duration(q.ArmAfterMS)*time.Millisecond)
	return q
}

func (w *world) approve(p Plan) Approved {
	w.t.Helper()
	q := w.ask(p)
	a, err := q.Answer(w.t.Context(), q.Run, p.Digest)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) run(argv ...string) Execution {
	w.t.Helper()
	x, err := w.Run(w.t.Context(), w.approve(w.plan(argv...)), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

// kinds are the kinds of all audit entries in order.
func (w *world) kinds() []string {
	w.t.Helper()
	entries, err := w.Audit(0)
	if err != nil {
		w.t.Fatal(err)
	}
	kinds := []string{}
	for _, e := range entries {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// status is what the audit log says of the newest execution.
func (w *world) status() string {
	w.t.Helper()
	xs, err := w.Executions("", 1)
	if err != nil || len(xs) != 1 {
		w.t.Fatalf("%v, %v", xs, err)
	}
	return xs[0].Status
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
