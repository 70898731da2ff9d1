package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	inventory "github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// writerHome, when set, makes the test binary a writer to be killed.
const writerHome = "CLOUDOPS_TEST_WRITER_HOME"

func TestMain(m *testing.M) {
	if child, err := livesWithAFault(); child {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(writerHome); dir != "" {
		if err := writeForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	storagetest.ServeIfStarted()
	os.Exit(m.Run())
}

const batchSize = 40

// batch is the n-th batch: one of three sets of resources, all of state n.
func batch(n int) []Resource {
	rs := instances(3 * batchSize)[n%3*batchSize:][:batchSize]
	for i := range rs {
		rs[i].State = fmt.Sprint(n)
	}
	return rs
}

// embedState gives a resource the vector of its state, a number.
func embedState(_ context.Context, rs []Resource) ([][]float32, error) {
	vectors := make([][]float32, len(rs))
	for i, r := range rs {
		vectors[i] = unit(r.State)
	}
	return vectors, nil
}

// unit is a vector that only its own number is near to.
func unit(number string) []float32 {
	n, v := 0, make([]float32, 384)
	fmt.Sscan(number, &n)
	v[n%len(v)] = 1
	return v
}

// writeForever writes batches and messages, and prints each when it is acknowledged.
func writeForever(dir string) error {
	ctx := context.Background()
	keys, err := seal.Unlock(dir, seal.Source{})
	if err != nil {
		return err
	}
	s, err := Open(ctx, Config{}, keys, &kind.Set{})
	if err != nil {
		return err
	}
	var from int
	if _, err := fmt.Sscan(os.Getenv("CLOUDOPS_TEST_WRITER_FROM"), &from); err != nil {
		return err
	}
	s.Estate.EmbedWith(embedState)
	if os.Getenv("CLOUDOPS_TEST_WRITER_ROTATES") != "" {
		go func() {
			for {
				if err := rotate(ctx, s); err != nil {
					fmt.Fprintln(os.Stderr, "rotating:", err)
					os.Exit(1)
				}
			}
		}()
	}
	conversation, err := s.Chat.Create(ctx)
	if err != nil {
		return err
	}
	fmt.Println("conversation", conversation)
	second := ""
	for n := from; ; n++ {
		fmt.Println("begin", n)
		if _, err := s.Estate.BulkUpsert(ctx, batch(n)); err != nil {
			return err
		}
		fmt.Println("batch", n)
		if _, err := s.Chat.Append(ctx, conversation, Message{Role: RoleUser, Content: fmt.Sprint("message ", n)}); err != nil {
			return err
		}
		fmt.Println("message", n)
		switch n % 7 {
		case 0:
			if err := s.Estate.flush(); err != nil {
				return err
			}
		case 1:
			if err := s.Estate.SetVectors(ctx, map[Key][]float32{batch(n)[0].Key(): unit(fmt.Sprint(n))}); err != nil {
				return err
			}
		case 2: // what is deleted comes and goes beside the batches
			fmt.Println("coming", n)
			if err := s.Estate.Upsert(ctx, instance(9*batchSize)); err != nil {
				return err
			}
			fmt.Println("there", n)
			fmt.Println("going", n)
			if err := s.Estate.Delete(ctx, instance(9*batchSize).Key()); err != nil {
				return err
			}
			fmt.Println("gone", n)
		case 3: // so does a second conversation
			if second, err = s.Chat.Create(ctx); err != nil {
				return err
			}
			fmt.Println("opened", second)
		case 4:
			title := "named"
			if _, err := s.Chat.UpdateContext(ctx, second, ContextUpdate{Title: &title}); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			} else if err == nil {
				fmt.Println("named", second)
			}
		case 5:
			if second == "" {
				continue
			}
			fmt.Println("closing", second)
			if err := s.Chat.Delete(ctx, second); err != nil {
				return err
			}
			fmt.Println("closed", second)
			second = ""
		}
	}
}

func TestKillLosesNoAcknowledgedWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	ctx := context.Background()
	h := newHome(t)
	acked, begun := map[int]int{}, map[int]int{} // by set
	visitor := "gone"                            // of the resource that comes and goes
	next, rounds := 0, 20
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		rounds = 500
	}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerHome+"="+h.dir, fmt.Sprintf("CLOUDOPS_TEST_WRITER_FROM=%d", next))
		if round%2 == 1 { // the keys rotate all the while
			cmd.Env = append(cmd.Env, "CLOUDOPS_TEST_WRITER_ROTATES=1")
		}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		conversation, messages, lines := "", 0, 0
		second := map[string]string{} // what was last said of each
		killAt := 4 + rand.IntN(40)
		scanner := bufio.NewScanner(out)
		for scanner.Scan() {
			// Lines already in the pipe count too: they were acknowledged.
			kind, value, _ := strings.Cut(scanner.Text(), " ")
			n := 0
			fmt.Sscan(value, &n)
			switch kind {
			case "conversation":
				conversation = value
			case "begin":
				begun[n%3], next = n, n+1
			case "batch":
				acked[n%3] = n
			case "message":
				messages++
			case "coming", "there", "going", "gone":
				visitor = kind
			case "opened", "named", "closing", "closed":
				second[value] = kind
			}
			if lines++; lines == killAt {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // anywhere within a write
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		if lines < killAt {
			t.Fatalf("round %d: the writer ended by itself", round)
		}
		s, err := Open(ctx, Config{}, unlock(t, h.dir), &kind.Set{})
		if err != nil {
			t.Fatalf("round %d: opening after the kill: %v", round, err)
		}
		for set := range 3 {
			states := map[string]bool{}
			for i := range batchSize {
				r, err := s.Estate.Get(ctx, instance(set*batchSize+i).Key())
				if errors.Is(err, ErrNotFound) {
					states["none"] = true
					continue
				}
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				states[r.State] = true
				if found := s.Estate.Find(r.ID); err == nil && (len(found) != 1 || found[0].State != r.State) {
					t.Fatalf("round %d: memory says %v of %s, the store %s", round, found, r.ID, r.State)
				}
			}
			want, isAcked := acked[set]
			last := begun[set]
			if len(states) != 1 || states["none"] && isAcked {
				t.Fatalf("round %d: set %d is half applied or lost: %v, acknowledged was %d", round, set, states, want)
			}
			if isAcked && !states[fmt.Sprint(want)] && !states[fmt.Sprint(last)] {
				t.Fatalf("round %d: set %d has %v, acknowledged was %d, begun %d", round, set, states, want, last)
			}
			for state := range states {
				if state == "none" {
					continue
				}
				var n int
				fmt.Sscan(state, &n)
				acked[set] = n // what was there once may not go
				hits, err := s.Estate.Nearest(ctx, unit(state), Filter{State: state}, 2*batchSize)
				if err != nil || len(hits) != batchSize || hits[batchSize-1].Score != 1 {
					t.Fatalf("round %d: set %d of state %s has %d vectors, %v", round, set, state, len(hits), err)
				}
			}
		}
		_, err = s.Estate.Get(ctx, instance(9*batchSize).Key())
		if err != nil && !errors.Is(err, ErrNotFound) || visitor == "there" && err != nil || visitor == "gone" && err == nil {
			t.Fatalf("round %d: what comes and goes was last %s, and reading it says %v", round, visitor, err)
		}
		if visitor = "there"; err != nil {
			visitor = "gone"
		}
		listed := map[string]Conversation{}
		cs, err := s.Chat.Conversations(ctx)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, c := range cs {
			listed[c.ID] = c
		}
		for id, last := range second {
			if c, ok := listed[id]; last != "closing" && ok != (last != "closed") || last == "named" && c.Title != "named" {
				t.Fatalf("round %d: a conversation was last %s, and is listed: %v, as %+v", round, last, ok, c)
			}
		}
		ms, err := s.Chat.History(ctx, conversation, 0)
		if err != nil || len(ms) < messages || len(ms) > messages+1 {
			t.Fatalf("round %d: %d messages, %v; acknowledged were %d", round, len(ms), err, messages)
		}
		for i, m := range ms {
			if m.Index != int64(i) {
				t.Fatalf("round %d: message %d has index %d", round, i, m.Index)
			}
		}
		if ps := s.Health().Problems; len(ps) > 0 {
			t.Fatalf("round %d: problems %v", round, ps)
		}
		if round%2 == 0 { // an old cache must not outlive the next kill
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			s.Estate.cache.doubtful = true
			s.Close()
		}
	}
}

// files lists the files below a folder, without the lock.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// contents is all that a store holds, for comparing.
type contents struct {
	resources map[string]Resource
	messages  map[string][]Message
}

func read(s *Service, conversations []string) (contents, error) {
	ctx := context.Background()
	c := contents{map[string]Resource{}, map[string][]Message{}}
	rs, err := s.Estate.List(ctx, Filter{})
	if err != nil {
		return c, err
	}
	for _, r := range rs {
		c.resources[r.ID] = r
	}
	for _, id := range conversations {
		ms, err := s.Chat.History(ctx, id, 0)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
			return c, err
		}
		c.messages[id] = ms
	}
	if _, err := s.Chat.Conversations(ctx); err != nil {
		return c, err
	}
	return c, nil
}

func TestDamageIsNoticedAndCostsOnlyItself(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	rs := instances(40)
	s.Estate.EmbedWith(embedState)
	for i := range rs {
		rs[i].State = fmt.Sprint(i)
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs); err != nil {
		t.Fatal(err)
	}
	var conversations []string
	for range 2 {
		id, err := s.Chat.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		conversations = append(conversations, id)
		for i := range 5 {
			if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: fmt.Sprint("message ", i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := read(s, conversations)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	putBack := h.save(t)
	random := rand.New(rand.NewPCG(1, 2))
	outcomes := map[string]int{}
	for _, path := range files(t, filepath.Join(h.dir, "data")) {
		original, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rounds := 12
		if strings.HasSuffix(path, ".db") {
			rounds = 60
		}
		if os.Getenv("CLOUDOPS_SOAK") != "" {
			rounds *= 10
		}
		for round := range rounds {
			damaged, where := bytes.Clone(original), ""
			if at, bit := random.IntN(len(original)), byte(1)<<random.IntN(8); round%8 == 7 {
				damaged, where = damaged[:at], fmt.Sprintf("%s, cut at byte %d", filepath.Base(path), at)
			} else {
				damaged[at] ^= bit
				where = fmt.Sprintf("%s, bit %d of byte %d", filepath.Base(path), bit, at)
			}
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			outcomes[checkDamage(t, h, where, want, conversations)]++
			for _, kept := range keptFiles(t, h) {
				if b, err := os.ReadFile(kept); err != nil || !bytes.Equal(b, damaged) {
					t.Errorf("%s: what is kept of the damaged file is not it: %v", where, err)
				}
			}
			putBack() // the store may have written
		}
	}
	t.Log(outcomes)
	if outcomes["reported"] == 0 || outcomes["harmless"] == 0 {
		t.Errorf("the damage did not reach all kinds of data: %v", outcomes)
	}
}

// keptFiles are the damaged files that were set aside.
func keptFiles(t *testing.T, h home) (kept []string) {
	t.Helper()
	for _, path := range files(t, h.dir) {
		if inventory.IsAside(path) {
			kept = append(kept, path)
		}
	}
	return kept
}

// save remembers the data of a home; putBack brings it back.
func (h home) save(t *testing.T) (putBack func()) {
	t.Helper()
	data, saved := filepath.Join(h.dir, "data"), t.TempDir()
	if err := os.CopyFS(saved, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(os.RemoveAll(data), os.CopyFS(data, os.DirFS(saved))); err != nil {
			t.Fatal(err)
		}
	}
}

// checkDamage opens a damaged store: it either refuses, or every value that it
// gives is right and every missing one is told of.
func checkDamage(t *testing.T, h home, where string, want contents, conversations []string) string {
	t.Helper()
	s, err := Open(context.Background(), Config{}, h.keys, &kind.Set{})
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: Open: %v, want ErrCorrupt", where, err)
		}
		return "refused"
	}
	defer s.Close()
	// The cache must not be rewritten: the next flip is compared with it.
	defer func() { s.Estate.cache.doubtful = true }()
	got, err := read(s, conversations)
	if err != nil {
		t.Errorf("%s: reading: %v", where, err)
		return "failed"
	}
	lost := 0
	for id, r := range want.resources {
		hits, err := s.Estate.Nearest(context.Background(), unit(r.State), Filter{}, 1)
		if err != nil {
			t.Errorf("%s: Nearest: %v", where, err)
		} else if len(hits) == 0 || hits[0].Resource.ID != id || hits[0].Score != 1 {
			lost++ // with its point, or alone
			if _, whole := got.resources[id]; !whole {
				lost--
			}
		}
	}
	for id, r := range want.resources {
		g, ok := got.resources[id]
		if !ok {
			lost++
		} else if !reflect.DeepEqual(g, r) {
			t.Errorf("%s: resource %s reads %+v", where, id, g)
		}
	}
	for id := range got.resources {
		if _, ok := want.resources[id]; !ok {
			t.Errorf("%s: there are resources that never were", where)
		}
	}
	for id, ms := range want.messages {
		have := map[int64]Message{}
		for _, m := range got.messages[id] {
			have[m.Index] = m
		}
		for _, m := range ms {
			g, ok := have[m.Index]
			if !ok {
				lost++
			} else if !reflect.DeepEqual(g, m) {
				t.Errorf("%s: message %d reads %+v", where, m.Index, g)
			}
		}
	}
	problems := s.Health().Problems
	switch {
	case lost == 0 && len(problems) == 0:
		return "harmless"
	case lost > 5 && len(keptFiles(t, h)) == 0: // a conversation's key may go, and five messages with it
		t.Errorf("%s: %d values were lost", where, lost)
	case len(problems) == 0 && !strings.Contains(where, ".key"):
		t.Errorf("%s: %d values are missing and nothing is said", where, lost)
	}
	return "reported"
}

func TestDamagedFilesAreSalvagedAndKept(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	if _, err := s.Estate.BulkUpsert(ctx, instances(300)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	var data []string
	for _, path := range files(t, filepath.Join(h.dir, "data", "qdrant")) {
		if info, err := os.Stat(path); err == nil && strings.HasSuffix(path, ".db") && info.Size() > 200_000 {
			data = append(data, path)
		}
	}
	if len(data) != 1 {
		t.Fatalf("data files: %v", data)
	}
	original, err := os.ReadFile(data[0])
	if err != nil {
		t.Fatal(err)
	}
	putBack := h.save(t)
	var nothing []string
	for name, damage := range map[string]func([]byte) []byte{
		"empty":              func([]byte) []byte { return nil },
		"a byte":             func(b []byte) []byte { return b[:1] },
		"half":               func(b []byte) []byte { return b[:len(b)/2] },
		"headers only":       func(b []byte) []byte { return b[:8192] },
		"zeroed":             func(b []byte) []byte { clear(b); return b },
		"zeroed headers":     func(b []byte) []byte { clear(b[:8192]); return b },
		"zeroed rest":        func(b []byte) []byte { clear(b[8192:]); return b },
		"noise":              func(b []byte) []byte { return bytes.Repeat([]byte("noise"), len(b)/5) },
		"shifted by a page":  func(b []byte) []byte { return b[4096:] },
		"page headers swept": func(b []byte) []byte { sweep(b, 8, 0xFF); return b },
		"counts swept":       func(b []byte) []byte { sweep(b, 10, 0xFF); return b },
		"overflows swept":    func(b []byte) []byte { sweep(b, 15, 0x7F); return b },
	} {
		b := damage(bytes.Clone(original))
		if err := os.WriteFile(data[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it is told until the kept file is gone
			s := h.open(t)
			rs, err := s.Estate.List(ctx, Filter{})
			if err != nil || len(rs) > 300 {
				t.Errorf("%s: %d resources are read, %v", name, len(rs), err)
			}
			for _, r := range rs {
				var n int
				if fmt.Sscanf(r.ID, "pg-instance-%d", &n); !reflect.DeepEqual(r, instance(n)) {
					t.Errorf("%s: a resource reads %+v", name, r)
				}
			}
			ps := fmt.Sprint(s.Health().Problems)
			if !strings.Contains(ps, "cloudops scan") || !strings.Contains(ps, "damaged-") {
				t.Errorf("%s: the problems are %.300s", name, ps)
			}
			if len(rs) == 0 && !strings.Contains(ps, "0 resources are there, 300 were stored") {
				t.Errorf("%s: nothing counts what is lost: %.1000s", name, ps)
			}
			if len(rs) < 300 && len(s.Estate.Doubtful()) != 1 {
				t.Errorf("%s: doubtful is %v", name, s.Estate.Doubtful())
			}
			s.Close()
			if len(rs) == 0 && !slices.Contains(nothing, name) {
				nothing = append(nothing, name)
			}
		}
		if kept := keptFiles(t, h); len(kept) != 1 {
			t.Errorf("%s: kept are %v", name, kept)
		} else if after, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(after, b) {
			t.Errorf("%s: the damaged file was changed", name)
		}
		putBack()
	}
	slices.Sort(nothing)
	if want := []string{"a byte", "empty", "headers only", "noise", "page headers swept", "zeroed", "zeroed rest"}; !slices.Equal(nothing, want) {
		t.Errorf("nothing was saved of %v, want of %v", nothing, want)
	}
	// A file that is gone costs the same.
	if err := os.Remove(data[0]); err != nil {
		t.Fatal(err)
	}
	s = h.open(t)
	if ps := fmt.Sprint(s.Health().Problems); !strings.Contains(ps, "was gone") || !strings.Contains(ps, "0 resources are there, 300 were stored") {
		t.Errorf("without the file, the problems are %s", ps)
	}
	s.Close()
	putBack()
	s = h.open(t)
	if rs, err := s.Estate.List(ctx, Filter{}); err != nil || len(rs) != 300 || len(s.Health().Problems) != 0 {
		t.Errorf("after putting the file back: %d, %v, %v", len(rs), err, s.Health().Problems)
	}
	s.Close()
	for _, name := range []string{"catalogue", "catalogue.copy"} {
		if err := os.Remove(filepath.Join(h.dir, "data", "qdrant", name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(ctx, Config{}, h.keys, &kind.Set{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Open without a catalogue: %v", err)
	}
}

// sweep sets one byte of every page's header but the first two.
func sweep(b []byte, at int, value byte) {
	for page := 2; page*4096+at < len(b); page++ {
		b[page*4096+at] = value
	}
}

func TestAStoreOfAnotherKeyIsRefused(t *testing.T) {
	ctx := context.Background()
	a, b := newHome(t), newHome(t)
	if err := a.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(b.dir, "data"), os.DirFS(filepath.Join(a.dir, "data"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, Config{}, b.keys, &kind.Set{}); !errors.Is(err, seal.ErrWrongKey) || !strings.Contains(err.Error(), "restore") {
		t.Errorf("Open: %v", err)
	}
}

func TestASecondOwnerIsTurnedAway(t *testing.T) {
	h := newHome(t)
	s := h.open(t)
	_, err := Open(context.Background(), Config{}, h.keys, &kind.Set{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "another cloudops process") {
		t.Errorf("Open of a store in use: %v, want ErrInUse", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.open(t).Close(); err != nil {
		t.Errorf("closing the next owner: %v", err)
	}
}

func TestADataPathOutsideTheHomeIsRefused(t *testing.T) {
	h := newHome(t)
	elsewhere := t.TempDir()
	if _, err := Open(context.Background(), Config{DataPath: elsewhere}, h.keys, &kind.Set{}); err == nil || !strings.Contains(err.Error(), "home") {
		t.Errorf("Open: %v", err)
	}
	if left := files(t, elsewhere); len(left) > 0 {
		t.Errorf("files were left there: %v", left)
	}
}

// A creation that was cut short is finished by the next start.
func TestCreationIsFinishedLater(t *testing.T) {
	h := newHome(t)
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		w := &wire{}
		calls := 0
		w.set(func(any) {
			if calls++; calls == n {
				cancel()
			}
		})
		s, err := open(ctx, Config{}, h.keys, &kind.Set{}, w.option)
		cancel()
		if err == nil {
			if n < 5 {
				t.Errorf("creation was cut short %d times only", n)
			}
			s.Close()
			break
		}
	}
	s := h.open(t)
	for _, name := range []string{"aws_estate_1", "chat_history_1"} {
		info, err := s.Estate.client.GetCollectionInfo(context.Background(), name)
		want := 6
		if name == "chat_history_1" {
			want = 4
		}
		if err != nil || len(info.GetPayloadSchema()) != want {
			t.Errorf("%s has indexes %v, %v", name, info.GetPayloadSchema(), err)
		}
	}
	if err := s.Estate.Upsert(context.Background(), instance(1)); err != nil {
		t.Error(err)
	}
}

func TestNothingReadableIsOnDisk(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	vector := make([]float32, 384)
	for i := range vector {
		vector[i] = float32(i%7) - 3.25
	}
	s.Estate.EmbedWith(func(_ context.Context, rs []Resource) ([][]float32, error) {
		return slices.Repeat([][]float32{vector}, len(rs)), nil
	})
	if _, err := s.Estate.BulkUpsert(ctx, instances(50)); err != nil {
		t.Fatal(err)
	}
	id, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: "Stop pg-instance-00001 before the wombats come"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(instance(1))
	if err != nil {
		t.Fatal(err)
	}
	canaries := []string{
		"pg-instance", "team-quokka", "production", "123456789012", "us-west-2", "rds_instance", "available", "vpc-0badcafe",
		"db-ABCDEFGHIJKL", "wombats", "before the", "aws_estate", "chat_history", "resource_type", "encrypted_data", string(b[:40]),
	}
	// A part of the vector, as it was given and as the engine compares it.
	var length float64
	for _, x := range vector {
		length += float64(x) * float64(x)
	}
	var given, compared []byte
	for _, x := range vector[:4] {
		given = binary.LittleEndian.AppendUint32(given, math.Float32bits(x))
		compared = binary.LittleEndian.AppendUint32(compared, math.Float32bits(x/float32(math.Sqrt(length))))
	}
	for _, path := range files(t, h.dir) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, given) || bytes.Contains(content, compared) {
			t.Errorf("%s holds a vector", path)
		}
		for _, canary := range canaries {
			for form, needle := range disguises(canary) {
				if bytes.Contains(bytes.ToLower(content), bytes.ToLower(needle)) {
					t.Errorf("%s holds %q as %s", path, canary, form)
				}
			}
		}
	}
	// The search itself finds what is there.
	for shift, form := range []string{"base64+0", "base64+1", "base64+2"} {
		there := base64.StdEncoding.EncodeToString([]byte("abc"[:shift] + "wombats come"))
		if !strings.Contains(there, string(disguises("wombats")[form])) {
			t.Errorf("the search would miss %s", form)
		}
	}
}

func disguises(s string) map[string][]byte {
	forms := map[string][]byte{"text": []byte(s), "hex": []byte(hex.EncodeToString([]byte(s)))}
	var little, big []byte
	for _, u := range utf16.Encode([]rune(s)) {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	forms["utf-16le"], forms["utf-16be"] = little, big
	for shift := range 3 {
		// Without the characters that the neighbours have a part in.
		padded := append(make([]byte, shift), s...)
		encoded := base64.RawStdEncoding.EncodeToString(padded[:len(padded)/3*3])
		if from := (shift*8 + 5) / 6; len(encoded) > from+4 {
			forms[fmt.Sprintf("base64+%d", shift)] = []byte(encoded[from:])
		}
	}
	return forms
}

// A clock that was put back delays no change and loses none.
func TestAClockThatGoesBack(t *testing.T) {
	ctx := context.Background()
	h := newHome(t)
	s := h.open(t)
	r := instance(1)
	later := r.LastSynced
	for _, step := range []struct {
		state string
		at    time.Time
		want  time.Time
	}{
		{"available", later, later},
		{"stopped", later.Add(-48 * time.Hour), later.Add(-48 * time.Hour)}, // what is stored is what was seen last
		{"stopped", later.Add(-72 * time.Hour), later.Add(-48 * time.Hour)},
		{"starting", later.Add(-72 * time.Hour), later.Add(-72 * time.Hour)},
	} {
		r.State, r.LastSynced = step.state, step.at
		if err := s.Estate.Upsert(ctx, r); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := s.Estate.Get(ctx, r.Key())
			if err != nil || got.State != step.state || !got.LastSynced.Equal(step.want) {
				t.Errorf("%+v: Get = %s at %s, %v", step, got.State, got.LastSynced, err)
			}
			if found := s.Estate.Find(r.ID); len(found) != 1 || found[0].State != step.state {
				t.Errorf("%+v: Find = %v", step, found)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = h.open(t)
		}
	}
}
