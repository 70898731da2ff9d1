package daemon

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloudops/cloudops/scanner"
	aws "github.com/cloudops/cloudops/scanner/session"
)

// slowScan is a scan that reports once it began and goes on until it is let go
// or cancelled.
type slowScan struct {
	began, running, most atomic.Int32
	release              chan struct{}
}

func (f *slowScan) scan(ctx context.Context, who *aws.Client, o scanner.Options, report func(scanner.Progress)) (scanner.Result, error) {
	f.began.Add(1)
	f.most.Store(max(f.most.Load(), f.running.Add(1)))
	defer f.running.Add(-1)
	for {
		report(scanner.Progress{Message: "scanning"})
		select {
		case <-f.release:
			return scanner.Result{Resources: 1, Problems: []aws.Problem{{Message: "rds denied"}}}, nil
		case <-ctx.Done():
			return scanner.Result{Cancelled: true}, nil
		default:
		}
	}
}

type scanOutcome struct {
	result any
	err    error
}

// ask starts a scan and returns once it has had progress with the message.
func ask(t *testing.T, ctx context.Context, s *server, f *slowScan, profile, message string) <-chan scanOutcome {
	t.Helper()
	done := make(chan scanOutcome, 1)
	heard := make(chan struct{}, 1)
	go func() {
		r, err := s.scan(ctx, f.scan, new(aws.Manager).Client(aws.Environment{}), scanner.Options{Profiles: []string{profile}}, func(p scanner.Progress) {
			if p.Message == message {
				select {
				case heard <- struct{}{}:
				default:
				}
			}
		})
		done <- scanOutcome{r, err}
	}()
	select {
	case <-heard:
	case o := <-done:
		t.Fatalf("ended without progress: %+v", o)
	}
	return done
}

func TestScansAreSharedAndQueued(t *testing.T) {
	s, _ := serving(t, ServerConfig{Home: testHome(t)})
	f := &slowScan{release: make(chan struct{})}
	first := ask(t, t.Context(), s, f, "a", "scanning")
	joined := ask(t, t.Context(), s, f, "a", "scanning")
	other := ask(t, t.Context(), s, f, "b", "waiting for another scan to finish")
	if n := f.began.Load(); n != 1 {
		t.Fatalf("%d scans began, want one that is shared", n)
	}
	if running, _ := s.scans.state(); !running {
		t.Error("the status does not say that a scan runs")
	}
	close(f.release)
	for _, done := range []<-chan scanOutcome{first, joined, other} {
		o := <-done
		if r, ok := o.result.(scanner.Result); !ok || o.err != nil || r.Resources != 1 {
			t.Errorf("got %+v", o)
		}
	}
	if f.began.Load() != 2 || f.most.Load() != 1 {
		t.Errorf("%d scans, %d at once; want 2, one by one", f.began.Load(), f.most.Load())
	}
	if running, problems := s.scans.state(); running || len(problems) != 1 {
		t.Errorf("afterwards: running %v, problems %q", running, problems)
	}
}

// A scan is shared by those who would scan as the same caller only: what one
// session may see is no answer to another.
func TestAScanIsSharedWithItsOwnCallerOnly(t *testing.T) {
	s, _ := serving(t, ServerConfig{Home: testHome(t)})
	f := &slowScan{release: make(chan struct{})}
	first := ask(t, t.Context(), s, f, "a", "scanning")
	waits, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		other := new(aws.Manager).Client(aws.Environment{AccessKeyID: "AKIAOTHER", SecretAccessKey: "x"})
		var once sync.Once
		_, err := s.scan(t.Context(), f.scan, other, scanner.Options{Profiles: []string{"a"}}, func(p scanner.Progress) {
			if p.Message != "scanning" {
				once.Do(func() { close(waits) })
			}
		})
		ended <- err
	}()
	select {
	case <-waits:
	case err := <-ended:
		t.Fatalf("it ended without a turn: %v", err)
	}
	close(f.release)
	if o := <-first; o.err != nil {
		t.Error(o.err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if f.began.Load() != 2 {
		t.Errorf("%d scans began, want one for each caller", f.began.Load())
	}
}

func TestAScanEndsWhenItsLastListenerLeaves(t *testing.T) {
	s, _ := serving(t, ServerConfig{Home: testHome(t)})
	f := &slowScan{release: make(chan struct{})}
	ctxA, leaveA := context.WithCancel(t.Context())
	ctxB, leaveB := context.WithCancel(t.Context())
	a := ask(t, ctxA, s, f, "x", "scanning")
	b := ask(t, ctxB, s, f, "x", "scanning")
	leaveA()
	if o := <-a; !errors.Is(o.err, context.Canceled) {
		t.Errorf("got %+v, want it cancelled", o)
	}
	if f.running.Load() != 1 {
		t.Fatal("the other listener lost its scan")
	}
	leaveB()
	if o := <-b; !errors.Is(o.err, context.Canceled) {
		t.Errorf("got %+v, want it cancelled", o)
	}
	eventually(t, "the scan ends", func() bool { running, _ := s.scans.state(); return !running && f.running.Load() == 0 })
	// One that asks right after a cancelled scan gets a scan of its own.
	again := ask(t, t.Context(), s, f, "x", "scanning")
	close(f.release)
	if o := <-again; o.err != nil {
		t.Errorf("got %+v", o)
	}
}

func TestAScanThatPanicsIsAnError(t *testing.T) {
	s, _ := serving(t, ServerConfig{Home: testHome(t)})
	_, err := s.scan(t.Context(), func(context.Context, *aws.Client, scanner.Options, func(scanner.Progress)) (scanner.Result, error) {
		panic("secret words")
	}, new(aws.Manager).Client(aws.Environment{}), scanner.Options{}, func(scanner.Progress) {})
	if err == nil || errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want an internal error", err)
	}
	if running, _ := s.scans.state(); running {
		t.Error("it counts as running")
	}
}

func TestOthersHearThatAScanBeginsAndEnds(t *testing.T) {
	home := testHome(t)
	s, _ := serving(t, ServerConfig{Home: home})
	heard := make(chan bool, 100)
	dialing(t, ClientConfig{Home: home, Note: func(method string, _ []byte) {
		if method == NoteEstateChanged.Name {
			running, _ := s.scans.state()
			heard <- running
		}
	}})
	f := &slowScan{release: make(chan struct{})}
	done := ask(t, t.Context(), s, f, "a", "scanning")
	eventually(t, "it begins", func() bool { return <-heard })
	close(f.release)
	<-done
	eventually(t, "it ends", func() bool { return !<-heard })
}
