package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
)

const (
	defaultIdle = 30 * time.Minute
	// degradedIdle is how long it stays where it could open nothing.
	degradedIdle = 2 * time.Second
	// drainTime is how long the daemon stays for commands that run.
	drainTime = 2 * time.Minute
	// endTime is how long it then waits for requests to notice the end.
	endTime = 5 * time.Second
	// helloTime is how long a handshake may take to come, and how long it waits
	// for the store to open.
	helloTime = 8 * time.Second
	// lookTime is how often the daemon looks whether it can still be reached.
	lookTime = time.Second
)

// ServerConfig is what one daemon serves.
type ServerConfig struct {
	Home  string
	Build Build
	// Idle is how long the daemon stays without clients and jobs; 0 means 30 minutes.
	Idle time.Duration
	// Open opens the parts. It runs once the home's lock is held; its error
	// makes the daemon degraded, not absent, and each handshake tries it again.
	Open func(ctx context.Context) (*Parts, error)
	// Log gets methods, durations and codes; it names no resource.
	Log *slog.Logger
}

// Parts is what the daemon owns. What a nil part would serve is degraded.
type Parts struct {
	// Problem is why parts are nil, so that each handshake tries again to open
	// all; nil where all are open.
	Problem  error
	Store    *storage.Service
	Scanner  *scanner.Scanner
	Executor *executor.Executor
	Agent    *agent.Agent
	StoreID  string
	// Keys are the open keys of the store.
	Keys *seal.Keys
	// Key says in words where the key-encryption key is kept.
	Key string
	// Move is nil where the store can't be moved.
	Move *Move
	// Notices are told to the first session.
	Notices []string
	// Outdated reports whether the parts would be opened otherwise now, as the
	// configuration is another. It is asked often; nil means never.
	Outdated func() bool
	Close    func() error
}

// Serve owns the home until ctx ends, it is idle, or a newer build takes over.
// It returns ErrRunning, with the process, where another daemon has the home.
func Serve(ctx context.Context, cfg ServerConfig) error {
	if err := errors.Join(withoutCore(), withoutDump()); err != nil {
		return fmt.Errorf("keeping the keys in memory: %w", err)
	}
	s, err := newServer(cfg)
	if err != nil {
		return err
	}
	ln, err := s.bind()
	if err != nil {
		s.abandon()
		return err
	}
	return s.run(ctx, ln)
}

// bind opens the socket of the home, which must be locked, and says where it is.
func (s *server) bind() (*socket, error) {
	path, err := socketPath(s.cfg.Home)
	if err != nil {
		return nil, err
	}
	ln, err := listen(path)
	if err != nil {
		return nil, err
	}
	if err := s.lock.record(lockState{pid: os.Getpid(), socket: path}); err != nil {
		ln.leave()
		return nil, err
	}
	return ln, nil
}

// server is one daemon.
type server struct {
	cfg  ServerConfig
	log  *slog.Logger
	lock *lock
	// requests are what it serves, by name.
	requests map[string]*Descriptor
	// work ends the scans and commands under way, after draining.
	work    context.Context
	endWork context.CancelFunc
	// stop gets the reason to end, once.
	stop chan string
	// identify is checkPeer.
	identify func(net.Conn) (peer, error)
	// patience is how long a connection may stay without a handshake, writing how
	// long it may leave unread what it is sent.
	patience, writing time.Duration
	// now is time.Now.
	now func() time.Time
	// half is what messages may take before they are whole.
	half wire.Budget
	// generation is the estate's latest.
	generation atomic.Uint64
	// users are the goroutines that use the parts.
	users sync.WaitGroup
	scans scans
	// resealing is the sealing anew after a rotation.
	resealing resealing

	// mu guards what follows.
	mu       sync.Mutex
	sessions map[*session]struct{}
	// ended: no goroutine may be added to users any more.
	ended bool
	// active counts connections and jobs; at zero the idle timer runs.
	active int
	idle   *time.Timer
	// stopping is why no new session is taken, if so.
	stopping error
	// successor is the build time of the client that this daemon makes way for.
	successor time.Time

	parts   *Parts
	openErr error
	// opening is closed when the attempt under way ends; nil without one.
	opening chan struct{}
}

// newServer locks the home.
func newServer(cfg ServerConfig) (*server, error) {
	if err := privateDir(cfg.Home); err != nil {
		return nil, err
	}
	if cfg.Idle == 0 {
		cfg.Idle = defaultIdle
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l, err := takeLock(cfg.Home, cfg.Build)
	if err != nil {
		return nil, err
	}
	s := &server{
		cfg: cfg, log: cfg.Log, lock: l, requests: maps.Clone(byName),
		stop: make(chan string, 1), sessions: make(map[*session]struct{}), patience: helloTime, now: time.Now, identify: checkPeer,
	}
	s.work, s.endWork = context.WithCancel(context.Background())
	s.idle = time.AfterFunc(cfg.Idle, s.idled)
	return s, nil
}

// abandon undoes newServer.
func (s *server) abandon() {
	s.idle.Stop()
	s.endWork()
	s.lock.release(time.Time{})
}

// run serves a listener; nil serves only sessions that adopt brings.
func (s *server) run(ctx context.Context, ln *socket) error {
	s.log.Info("serving", "version", s.cfg.Build.Version, "build", s.cfg.Build.ID)
	s.startOpening()
	var accepting sync.WaitGroup
	if ln != nil {
		accepting.Go(func() { s.accept(ln) })
	}
	look := time.NewTicker(lookTime)
	defer look.Stop()
	outdated := false
	var reason string
	for reason == "" {
		select {
		case <-ctx.Done():
			reason = "asked to end"
		case reason = <-s.stop:
		case <-look.C:
			// A file that is being written is looked at twice.
			was := outdated
			if outdated = s.outdated(); was && outdated {
				s.renew()
			}
			if ln == nil || !ln.unreachable() {
				continue
			}
			// Sessions live on without the file; new ones need another.
			next, err := s.bind()
			if err != nil {
				s.log.Error("opening the socket anew", "error", err.Error())
				continue
			}
			s.log.Warn("the socket was gone and is open again")
			ln.leave()
			ln = next
			accepting.Go(func() { s.accept(next) })
		}
	}
	s.log.Info("ending", "reason", reason)
	s.end(ln)
	accepting.Wait()
	return nil
}

func (s *server) accept(ln net.Listener) {
	for delay := time.Millisecond; ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			delay = time.Millisecond
			s.adopt(nc)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			// Out of file descriptors, most likely: wait for some to be freed.
			s.log.Error("accepting", "error", err.Error())
			select {
			case <-s.work.Done():
				return
			case <-time.After(delay):
			}
			delay = min(2*delay, time.Second)
		}
	}
}

// adopt serves one connection in goroutines of its own.
func (s *server) adopt(nc net.Conn) {
	who, err := s.identify(nc)
	if err != nil {
		s.log.Warn("refusing a connection", "error", err.Error())
		nc.Close()
		return
	}
	x := newSession(s, nc, who)
	if !s.admit(x) {
		s.log.Warn("refusing a connection: the daemon is ending, or too many are open")
		x.conn.Close()
		return
	}
	s.enter()
	go func() {
		defer s.users.Done()
		x.run()
		s.mu.Lock()
		delete(s.sessions, x)
		s.mu.Unlock()
		s.leave()
	}()
}

// enter and leave bracket what keeps the daemon from being idle.
func (s *server) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active++
	s.idle.Stop()
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active--
	if s.active != 0 {
		return
	}
	stay := s.cfg.Idle
	if s.parts == nil || s.parts.Problem != nil {
		// What it lacks may be in the environment of the next one to start.
		stay = min(stay, degradedIdle)
	}
	s.idle.Reset(stay)
}

func (s *server) idled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active == 0 && s.stopping == nil {
		s.stopLocked("idle", refusef(CodeUnavailable, "try again", "the daemon is ending"))
	}
}

// stopLocked ends the daemon; new sessions get why.
func (s *server) stopLocked(reason string, why error) {
	s.stopping = why
	s.stop <- reason
}

// handOver makes way for a newer build: what runs is finished, nothing new is
// approved.
func (s *server) handOver(to Build) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping == nil {
		s.successor = to.Time
		s.stopLocked("a newer build takes over", refusef(CodeHandover, "try again in a moment",
			"an older daemon is finishing what it runs"))
	}
	return s.stopping
}

// checkKeys is why no new session is taken, if so. Keys that another process
// replaced are given up: the next daemon opens the new ones.
func (s *server) checkKeys() error {
	s.mu.Lock()
	parts := s.parts
	s.mu.Unlock()
	stale := parts != nil && parts.Keys != nil && parts.Keys.Stale()
	s.mu.Lock()
	defer s.mu.Unlock()
	if stale && s.stopping == nil {
		s.stopLocked("the keys were replaced", refusef(CodeHandover, "try again in a moment",
			"the keys were replaced, and the daemon is starting anew"))
	}
	return s.stopping
}

// outdated: the configuration is not the one that the parts were opened with.
func (s *server) outdated() bool {
	s.mu.Lock()
	parts := s.parts
	s.mu.Unlock()
	return parts != nil && parts.Outdated != nil && parts.Outdated()
}

// renew ends a daemon that is outdated, so that the next one takes what counts
// now, unless a job runs that would be lost. It returns why no new session is
// taken, if so.
func (s *server) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping == nil && s.active <= len(s.sessions) {
		s.stopLocked("the configuration was changed", refusef(CodeHandover, "try again in a moment",
			"the configuration was changed, and the daemon is starting anew"))
	}
	return s.stopping
}

// end drains, closes and gives the home up.
func (s *server) end(ln *socket) {
	s.mu.Lock()
	if s.stopping == nil {
		s.stopping = refusef(CodeUnavailable, "try again", "the daemon is ending")
	}
	s.idle.Stop()
	parts := s.parts
	s.mu.Unlock()

	if parts != nil && parts.Executor != nil {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		if err := parts.Executor.Drain(ctx); err != nil {
			s.log.Warn("commands were still running at the end")
		}
		cancel()
	}
	s.endWork()
	if ln != nil {
		ln.leave()
	}
	s.mu.Lock()
	s.ended = true
	for x := range s.sessions {
		go x.conn.Finish(endTime)
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.users.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(endTime):
		s.log.Warn("requests were still running at the end")
	}
	s.mu.Lock()
	parts, successor := s.parts, s.successor
	s.mu.Unlock()
	if parts != nil && parts.Close != nil {
		if err := parts.Close(); err != nil {
			s.log.Error("closing the store", "error", err.Error())
		}
	}
	s.lock.release(successor)
	s.log.Info("ended")
}

// startOpening opens the parts unless they are open or being opened, and
// returns what is closed when that attempt has ended.
func (s *server) startOpening() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opening != nil {
		return s.opening
	}
	done := make(chan struct{})
	if s.parts != nil && s.parts.Problem == nil || s.ended {
		close(done)
		return done
	}
	s.opening = done
	partial := s.parts
	s.parts = nil
	s.users.Go(func() {
		if partial != nil && partial.Close != nil {
			if err := partial.Close(); err != nil {
				s.log.Error("closing what was open", "error", err.Error())
			}
		}
		parts, err := s.openParts()
		s.mu.Lock()
		s.parts, s.openErr, s.opening = parts, err, nil
		s.mu.Unlock()
		if err == nil {
			err = parts.Problem
		}
		if err != nil {
			s.log.Error("opening", "error", err.Error())
		} else {
			s.watch(parts)
			if parts.Keys != nil && parts.Keys.Rotating() {
				s.reseal(parts) // goes on where the last daemon ended
			}
		}
		close(done)
	})
	return done
}

func (s *server) openParts() (parts *Parts, err error) {
	defer func() {
		if e := recover(); e != nil {
			parts, err = nil, fmt.Errorf("opening the store: internal error (%T)", e)
		}
	}()
	parts, err = s.cfg.Open(s.work)
	if err == nil && parts == nil {
		err = errors.New("opening the store: nothing was opened")
	}
	return parts, err
}

// opened returns the parts, or why there are none.
func (s *server) opened() (*Parts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.parts != nil:
		return s.parts, nil
	case s.opening != nil:
		return nil, refusef(CodeUnavailable, "try again in a moment", "the store is still being opened")
	case s.openErr != nil:
		e := toWire(s.openErr)
		return nil, refusef(CodeDegraded, fromWire(e).Hint, "the daemon is degraded: %v", s.openErr)
	}
	return nil, refusef(CodeDegraded, "", "the daemon is degraded: the store is not open")
}

// watch turns changes of the parts into notifications.
func (s *server) watch(p *Parts) {
	if p.Store != nil && p.Store.Estate != nil {
		changes, stop := p.Store.Estate.Watch()
		s.users.Go(func() {
			defer stop()
			var told [changesASecond]time.Time // oldest first
			for {
				// What changes meanwhile is told as one.
				select {
				case <-s.work.Done():
					return
				case <-time.After(time.Until(told[0].Add(time.Second))):
				}
				select {
				case <-s.work.Done():
					return
				case c, open := <-changes:
					if !open {
						return
					}
					s.generation.Store(c.Generation)
					broadcast(s, NoteEstateChanged, c)
				}
				copy(told[:], told[1:])
				told[changesASecond-1] = time.Now()
			}
		})
	}
	if p.Executor != nil {
		changes, stop := p.Executor.Watch()
		s.users.Go(func() {
			defer stop()
			for {
				select {
				case <-s.work.Done():
					return
				case <-changes:
					broadcast(s, NoteExecutionChanged, none{})
				}
			}
		})
	}
	s.estateChanged()
}

// changesASecond is how many changes of the estate are told in a second at most.
const changesASecond = 4

// estateChanged tells of what changed besides the resources.
func (s *server) estateChanged() {
	now := s.generation.Load()
	broadcast(s, NoteEstateChanged, storage.Change{Since: now, Generation: now})
}

// broadcast tells every session that shook hands, and waits for none. Of news
// that a session has not read yet only the latest is kept.
func broadcast[P any](s *server, n Note[P], params P) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		if x.ready() {
			n.to(x.conn, n.Name, params)
		}
	}
}
