//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

// The real daemon is used, killed at any moment, its files damaged or its disk
// filled, and used again, round after round. In each round a hover is answered,
// nothing panics, and what is lost is told of. CLOUDOPS_SOAK runs 1,000 rounds
// (CLOUDOPS_SOAK_ROUNDS another number); CLOUDOPS_SOAK_SEED plays one again.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	rounds := 6
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		rounds = 1000
	}
	if n, err := strconv.Atoi(os.Getenv("CLOUDOPS_SOAK_ROUNDS")); err == nil {
		rounds = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("CLOUDOPS_SOAK_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("play it again with CLOUDOPS_SOAK_SEED=%d CLOUDOPS_SOAK_ROUNDS=%d", seed, rounds)
	s := &soak{t: t, binary: testBinary(t), random: rand.New(rand.NewPCG(seed, 1)), outcomes: map[string]int{}}
	var is versionResult
	if b, err := exec.Command(s.binary, "version", "--json").Output(); err != nil || json.Unmarshal(b, &is) != nil {
		t.Fatalf("asking the program who it is: %s, %v", b, err)
	}
	s.build = is.Build
	s.begin()
	start := time.Now()
	for s.round = range rounds {
		[]func(){s.kill, s.damage, s.fill}[s.round%3]()
		if t.Failed() {
			t.Fatalf("in round %d", s.round)
		}
		if s.round%60 == 59 {
			s.begin() // what was lost on purpose would pile up
		}
	}
	s.stop(syscall.SIGTERM)
	t.Logf("%d rounds, %s each: %v", rounds, (time.Since(start) / time.Duration(rounds)).Round(time.Millisecond), s.outcomes)
}

// soak is a home and what was acknowledged of it.
type soak struct {
	t        *testing.T
	binary   string
	build    daemon.Build
	random   *rand.Rand
	round    int
	outcomes map[string]int

	base, dir string
	// written counts the messages that were acknowledged, by conversation.
	written map[string]int
	// lost: a file of it was damaged, so that less may be there if that is told.
	lost bool
}

// begin makes a new home.
func (s *soak) begin() {
	s.t.Helper()
	if s.dir != "" {
		s.stop(syscall.SIGTERM)
	}
	base, err := os.MkdirTemp("", "co")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = stopDaemon(filepath.Join(base, "home"), syscall.SIGKILL)
		_ = unmount(base)
		os.RemoveAll(base)
	})
	s.base, s.dir, s.written, s.lost = base, filepath.Join(base, "home"), map[string]int{}, false
	s.mount()
	fillHome(s.t, s.dir, seal.Source{File: filepath.Join(base, "keys", "key")})
}

// dial reaches the daemon, started if there is none.
func (s *soak) dial() (*daemon.Client, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	return daemon.Dial(ctx, daemon.ClientConfig{Home: s.dir, Kind: "terminal", Executable: s.binary,
		Build: s.build, KeyFile: filepath.Join(s.base, "keys", "key")})
}

// must is dial where it has to work.
func (s *soak) must() *daemon.Client {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := s.dial()
		if err == nil {
			return c
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log", "daemon.log"))
			s.t.Fatalf("round %d: no daemon answers: %v\n%s", s.round, err, log[max(0, len(log)-2000):])
		}
	}
}

func (s *soak) stop(sig syscall.Signal) {
	s.t.Helper()
	if err := stopDaemon(s.dir, sig); err != nil && !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "no daemon") && !errors.Is(err, syscall.ESRCH) {
		s.t.Fatalf("round %d: %v", s.round, err)
	}
}

// use writes messages until n are acknowledged or one fails.
func (s *soak) use(c *daemon.Client, n int) error {
	if len(s.written) == 0 || s.random.IntN(4) == 0 {
		made, err := daemon.ConversationCreate.Call(s.t.Context(), c, struct{}{})
		if err != nil {
			return err
		}
		s.written[made.ID] = 0
	}
	ids := make([]string, 0, len(s.written))
	for id := range s.written {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for range n {
		id := ids[s.random.IntN(len(ids))]
		// Each turn is a prompt and an answer.
		if _, err := daemon.ConversationSend.Call(s.t.Context(), c, daemon.SendParams{ID: id, Prompt: "how many databases are there"}); err != nil {
			return err
		}
		s.written[id] += 2
	}
	return nil
}

// check looks at everything, after whatever was done.
func (s *soak) check(what string) {
	s.t.Helper()
	c := s.must()
	defer c.Close()
	ctx := s.t.Context()
	var status struct {
		Daemon daemon.HelloResult `json:"daemon"`
		daemon.StatusResult
	}
	var text, printed bytes.Buffer
	for args, to := range map[string]*bytes.Buffer{"status": &text, "status --json": &printed} {
		cmd := exec.Command(s.binary, strings.Fields(args)...)
		cmd.Env = []string{"HOME=" + s.base, "CLOUDOPS_HOME=" + s.dir, "PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR")}
		cmd.Stdout, cmd.Stderr = to, to
		_ = cmd.Run() // what it says counts
	}
	if err := json.Unmarshal(printed.Bytes(), &status); err != nil {
		s.t.Fatalf("round %d, %s: status --json prints %s: %v", s.round, what, printed.Bytes(), err)
	}
	said := text.String()
	told := strings.Contains(said, "DAMAGED") || strings.Contains(said, "degraded") || strings.Contains(said, "is gone")
	for _, p := range status.Storage.Problems {
		if !strings.Contains(said, p.Message) {
			s.t.Errorf("round %d, %s: status does not print %q", s.round, what, p.Message)
		}
	}
	hovers := 0
	if r, err := daemon.EstateResolve.Call(ctx, c, daemon.ResolveParams{Tokens: []string{"pg-main1", "pg-other2"}}); err == nil {
		hovers = len(r.Records)
	} else if !told {
		s.t.Errorf("round %d, %s: a hover says %v\n%s", s.round, what, err, said)
	}
	if hovers < 2 && (!s.lost || !told) {
		s.t.Errorf("round %d, %s: %d of 2 resources are shown, and nothing says why\n%s", s.round, what, hovers, said)
	}
	missing := 0
	for id, want := range s.written {
		m, err := daemon.ConversationMessages.Call(ctx, c, daemon.ConversationParams{ID: id})
		switch n := len(m.Messages) + m.Unreadable; {
		case err == nil && n >= want && n <= want+2: // one turn may have been done without an answer
			missing += m.Unreadable
			s.written[id] = n
		case err == nil:
			s.t.Errorf("round %d, %s: conversation %s has %d messages and %d unreadable, acknowledged were %d\n%s", s.round, what, id, len(m.Messages), m.Unreadable, want, said)
		case s.lost && told && !errors.Is(err, storage.ErrNotFound):
			missing += want
			delete(s.written, id) // it takes no more messages
		default:
			s.t.Errorf("round %d, %s: conversation %s: %v; acknowledged were %d messages\n%s", s.round, what, id, err, want, said)
		}
	}
	if missing > 0 && (!s.lost || !told) {
		s.t.Errorf("round %d, %s: %d messages are lost, and nothing says why\n%s", s.round, what, missing, said)
	}
	outcome := what + ": whole"
	if missing > 0 || hovers < 2 {
		outcome = what + ": lost and told"
	}
	s.outcomes[outcome]++
	log, err := os.ReadFile(filepath.Join(s.dir, "log", "daemon.log"))
	if err == nil && (bytes.Contains(log, []byte("panic")) || bytes.Contains(log, []byte("internal error")) || bytes.Contains(log, []byte("goroutine "))) {
		s.t.Errorf("round %d, %s: the daemon's log has a panic:\n%s", s.round, what, log)
	}
}

// kill ends the daemon somewhere within a turn.
func (s *soak) kill() {
	c := s.must()
	defer c.Close()
	if err := s.use(c, 1+s.random.IntN(2)); err != nil {
		s.t.Fatalf("round %d: %v", s.round, err)
	}
	ended := make(chan struct{})
	after := time.Duration(s.random.IntN(30)) * time.Millisecond
	go func() {
		defer close(ended)
		time.Sleep(after)
		_ = stopDaemon(s.dir, syscall.SIGKILL)
	}()
	_ = s.use(c, 100) // until it is dead
	<-ended
	s.check("kill")
}

// damage hits one file of the home, as it lies there.
func (s *soak) damage() {
	c := s.must()
	if err := s.use(c, 1); err != nil {
		s.t.Fatalf("round %d: %v", s.round, err)
	}
	c.Close()
	s.stop([]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[s.random.IntN(2)])
	var paths []string
	err := filepath.WalkDir(filepath.Join(s.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !home.IsAside(path) && d.Name() != "lock" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		s.t.Fatal(paths, err)
	}
	path := paths[s.random.IntN(len(paths))]
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	at := s.random.IntN(max(1, len(b)))
	what := ""
	switch kind := s.random.IntN(6); {
	case kind == 0:
		what, err = "deleted", os.Remove(path)
	case kind == 1 || len(b) == 0:
		what, b = "added to", append(b, make([]byte, 1+s.random.IntN(5000))...)
	case kind == 2:
		what, b = "cut", b[:at]
	case kind == 3:
		what = "a page of zeros"
		clear(b[at/4096*4096 : min(len(b), at/4096*4096+4096)])
	default:
		what = "a bit"
		b[at] ^= 1 << s.random.IntN(8)
	}
	if what != "deleted" {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	before := s.lost
	s.lost = true
	rel, _ := filepath.Rel(s.dir, path)
	f, _ := home.Find(filepath.ToSlash(rel))
	if f.Anew && f.Lost == "" {
		s.lost = before // nothing may be lost by it
	}
	s.check("damage")
	if s.t.Failed() {
		s.t.Logf("round %d: %s, %s at byte %d", s.round, rel, what, at)
	}
}

// fill leaves no room on the disk, then makes some again.
func (s *soak) fill() {
	c := s.must()
	defer c.Close()
	if err := s.use(c, 1); err != nil {
		s.t.Fatalf("round %d: %v", s.round, err)
	}
	full := filepath.Join(s.dir, "full")
	if err := s.occupy(full); err != nil {
		s.t.Fatal(err)
	}
	turns := s.use(c, 8) // some may fit
	_, err := daemon.EstateResolve.Call(s.t.Context(), c, daemon.ResolveParams{Tokens: []string{"pg-main1"}})
	if err != nil {
		s.t.Errorf("round %d: on a full disk a hover says %v", s.round, err)
	}
	if s.random.IntN(2) == 0 {
		s.stop(syscall.SIGKILL)
	}
	if err := os.Remove(full); err != nil {
		s.t.Fatal(err)
	}
	if turns != nil {
		s.outcomes["a full disk refused a turn"]++
	}
	s.check("full disk")
}

// mount gives the home a small disk of its own, where that is allowed; elsewhere
// filling goes without.
func (s *soak) mount() {
	s.t.Helper()
	if err := os.Mkdir(filepath.Join(s.base, "disk"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	err := unix.Mount("tmpfs", filepath.Join(s.base, "disk"), "tmpfs", 0, "size=12m,mode=0700")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.dir = filepath.Join(s.base, "disk", "home")
}

func unmount(base string) error { return unix.Unmount(filepath.Join(base, "disk"), unix.MNT_DETACH) }

// occupy takes all room that is left on the disk of the home.
func (s *soak) occupy(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if filepath.Base(filepath.Dir(s.dir)) != "disk" {
		return nil
	}
	for size := 1 << 16; size > 0; {
		n, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			if n == 0 {
				size /= 2
			}
		case err != nil:
			return err
		}
	}
	return nil
}
