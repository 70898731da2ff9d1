package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/kind"
	"github.com/cloudops/cloudops/storage/seal"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// serveStandIn starts a Qdrant.
func serveStandIn(t testing.TB) *standIn {
	t.Helper()
	s, err := storagetest.NewStandIn(filepath.Join(t.TempDir(), "storage"))
	if err != nil {
		t.Fatal(err)
	}
	in := &standIn{StandIn: s, t: t, url: "http://" + s.Address}
	t.Cleanup(s.Kill)
	in.start()
	return in
}

type standIn struct {
	*storagetest.StandIn
	t   testing.TB
	url string
}

func (s *standIn) start(env ...string) {
	s.t.Helper()
	if err := s.Start(env...); err != nil {
		s.t.Fatal(err)
	}
}

func remoteConfig(url string) Config {
	// A real server may be shared.
	tag := strings.ReplaceAll(uuid.NewString(), "-", "")
	return Config{
		Qdrant: QdrantConfig{Mode: "remote", URL: url},
		Collections: CollectionConfigs{
			ChatHistory: CollectionConfig{Name: "chat_" + tag}, AWSEstate: CollectionConfig{Name: "estate_" + tag},
		},
	}
}

// localConfig starts the test binary as the qdrant program.
func localConfig(t testing.TB) (Config, func(*endpoint.Config)) {
	t.Helper()
	binary, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return Config{Qdrant: QdrantConfig{Mode: "local", Binary: binary}},
		func(c *endpoint.Config) { c.Trusted = func(string) error { return nil } }
}

func mustOpen(t testing.TB, cfg Config, keys *seal.Keys, adjust ...func(*endpoint.Config)) *Service {
	t.Helper()
	s, err := open(context.Background(), cfg, keys, &kind.Set{}, adjust...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What holds on the embedded engine holds on every Qdrant.
func TestEveryMode(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	check := func(t *testing.T, cfg Config, adjust ...func(*endpoint.Config)) {
		ctx := t.Context()
		h := newHome(t)
		s := mustOpen(t, cfg, h.keys, adjust...)
		if st := s.Health().Connection; !st.Connected {
			t.Fatalf("%+v", st)
		}
		s.Estate.EmbedWith(embedState)
		rs := instances(600)
		for i := range rs {
			rs[i].State = fmt.Sprint(i % 300)
		}
		if n, err := s.Estate.BulkUpsert(ctx, rs); err != nil || n != 600 {
			t.Fatalf("BulkUpsert = %d, %v", n, err)
		}
		if n, err := s.Estate.BulkUpsert(ctx, rs); err != nil || n != 0 {
			t.Errorf("unchanged resources: %d written, %v", n, err)
		}
		if err := s.Estate.Delete(ctx, rs[7].Key(), rs[7].Key()); err != nil {
			t.Error(err)
		}
		hits, err := s.Estate.Nearest(ctx, unit("9"), Filter{Type: "rds_instance", State: "9"}, 5)
		if err != nil || len(hits) != 2 || hits[0].Score < 0.999 {
			t.Errorf("Nearest = %v, %v", hits, err)
		}
		id, err := s.Chat.Create(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if _, err := s.Chat.Append(ctx, id, Message{Role: RoleUser, Content: fmt.Sprint("message ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := rotate(ctx, s); err != nil {
				t.Errorf("rotating the keys: %v", err)
			}
			if n, err := s.Estate.Count(ctx); err != nil || n != 599 {
				t.Errorf("Count = %d, %v", n, err)
			}
			if r, err := s.Estate.Get(ctx, rs[1].Key()); err != nil || r.Engine != "postgres" {
				t.Errorf("Get = %+v, %v", r, err)
			}
			if _, err := s.Estate.Get(ctx, rs[7].Key()); !errors.Is(err, ErrNotFound) {
				t.Errorf("a deleted resource: %v", err)
			}
			if found, err := s.Estate.List(ctx, Filter{State: "12"}); err != nil || len(found) != 2 {
				t.Errorf("List = %d, %v", len(found), err)
			}
			if found := s.Estate.Find(rs[3].Aliases[0]); len(found) != 1 {
				t.Errorf("Find = %v", found)
			}
			history, err := s.Chat.History(ctx, id, 3)
			if err != nil || len(history) != 3 || history[2].Content != "message 4" {
				t.Errorf("History = %v, %v", history, err)
			}
			if list, err := s.Chat.Conversations(ctx); err != nil || len(list) != 1 || list[0].Title != "message 0" {
				t.Errorf("Conversations = %v, %v", list, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// Without its cache the index is built from the collection.
			if err := os.Remove(filepath.Join(h.dir, "data", "index.cache")); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, cfg, h.keys, adjust...)
			if problems := s.Health().Problems; len(problems) > 0 {
				t.Errorf("problems: %v", problems)
			}
		}
	}
	t.Run("remote", func(t *testing.T) { check(t, remoteConfig(serveStandIn(t).url)) })
	t.Run("local", func(t *testing.T) {
		cfg, trusted := localConfig(t)
		check(t, cfg, trusted)
	})
	if url := os.Getenv("CLOUDOPS_TEST_QDRANT_URL"); url != "" {
		t.Run("real", func(t *testing.T) { check(t, remoteConfig(url)) })
	}
	if binary := os.Getenv("CLOUDOPS_TEST_QDRANT_BINARY"); binary != "" {
		t.Run("real local", func(t *testing.T) {
			_, trusted := localConfig(t)
			check(t, Config{Qdrant: QdrantConfig{Mode: "local", Binary: binary}}, trusted)
		})
	}
}

// A server that is killed while it is written to fails the write with what to
// do; when it is back nothing that was acknowledged is lost, and writing goes on.
func TestAServerThatDiesWhileItIsWrittenTo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx := t.Context()
	server := serveStandIn(t)
	cfg, h := remoteConfig(server.url), newHome(t)
	s := mustOpen(t, cfg, h.keys)
	acknowledged, killed := 0, make(chan struct{})
	for batch := range slices.Chunk(instances(40_000), 500) {
		if acknowledged == 3000 {
			go func() {
				defer close(killed)
				server.Kill()
			}()
		}
		n, err := s.Estate.BulkUpsert(ctx, batch)
		acknowledged += n
		if err != nil {
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "tried again by itself") {
				t.Fatalf("BulkUpsert: %v", err)
			}
			break
		}
	}
	if s.Health().Connection.Connected {
		t.Fatal("the server was not missed")
	}
	// Memory goes on.
	if found := s.Estate.Find("pg-instance-00001"); len(found) != 1 {
		t.Errorf("Find = %v", found)
	}
	if _, err := s.Chat.Create(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a chat without a server: %v", err)
	}
	<-killed
	server.start()
	eventually(t, "the connection is back", func() bool { return s.Health().Connection.Connected })
	count, err := s.Estate.Count(ctx)
	if err != nil || count < acknowledged || count != s.Health().Resources {
		t.Errorf("%d were acknowledged, %d are there, memory has %d, %v", acknowledged, count, s.Health().Resources, err)
	}
	if n, err := s.Estate.BulkUpsert(ctx, instances(count+300)); err != nil || n != 300 {
		t.Errorf("BulkUpsert = %d, %v; want the 300 new ones", n, err)
	}
}

// While the server is away a store opens from its cache, and is what it was.
func TestAStoreOpensWithoutItsServer(t *testing.T) {
	ctx := t.Context()
	server := serveStandIn(t)
	cfg, h := remoteConfig(server.url), newHome(t)
	s := mustOpen(t, cfg, h.keys)
	if _, err := s.Estate.BulkUpsert(ctx, instances(300)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	s = mustOpen(t, cfg, h.keys)
	if hl := s.Health(); hl.Connection.Connected || hl.Resources != 300 {
		t.Errorf("%+v", hl)
	}
	if err := s.Estate.Upsert(ctx, instance(301)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Upsert: %v", err)
	}
	server.start()
	eventually(t, "the connection is there", func() bool { return s.Health().Connection.Connected })
	if err := s.Estate.Upsert(ctx, instance(301)); err != nil || s.Health().Resources != 301 {
		t.Errorf("Upsert: %v; %d resources", err, s.Health().Resources)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Without either nothing can be told, and a lie is not told.
	server.Kill()
	if err := os.Remove(filepath.Join(h.dir, "data", "index.cache")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, cfg, h.keys, &kind.Set{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Open: %v", err)
	}
}

func TestAModeThatWasChangedByHandIsRefused(t *testing.T) {
	server, h := serveStandIn(t), newHome(t)
	if err := h.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), remoteConfig(server.url), h.keys, &kind.Set{})
	if err == nil || !strings.Contains(err.Error(), "cloudops migrate --to remote") {
		t.Errorf("Open: %v", err)
	}
	// A home of a version that did not remember it.
	if err := os.Remove(filepath.Join(h.dir, "data", "mode")); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), remoteConfig(server.url), h.keys, &kind.Set{})
	if err == nil || !strings.Contains(err.Error(), "cloudops migrate --to remote") {
		t.Errorf("Open of an older home: %v", err)
	}
	h.open(t)
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// moved checks that a service has what fill wrote.
func moved(t *testing.T, s *Service, conversation string) {
	t.Helper()
	ctx := t.Context()
	if n, err := s.Estate.Count(ctx); err != nil || n != 700 || s.Health().Resources != 700 {
		t.Fatalf("Count = %d, %v; memory has %d", n, err, s.Health().Resources)
	}
	if r, err := s.Estate.Get(ctx, instance(5).Key()); err != nil || r.Tags["owner"] != "team-quokka" {
		t.Errorf("Get = %+v, %v", r, err)
	}
	hits, err := s.Estate.Nearest(ctx, unit("300"), Filter{}, 1)
	if err != nil || len(hits) != 1 || hits[0].Resource.State != "300" || hits[0].Score < 0.999 {
		t.Errorf("Nearest = %v, %v", hits, err)
	}
	history, err := s.Chat.History(ctx, conversation, 0)
	if err != nil || len(history) != 3 || history[2].Content != "message 2" {
		t.Errorf("History = %v, %v", history, err)
	}
	if problems := s.Health().Problems; len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

func fill(t *testing.T, s *Service) (conversation string) {
	t.Helper()
	ctx := t.Context()
	s.Estate.EmbedWith(embedState)
	rs := instances(700)
	for i := range rs {
		rs[i].State = fmt.Sprint(i)
	}
	if _, err := s.Estate.BulkUpsert(ctx, rs[:600]); err != nil {
		t.Fatal(err)
	}
	s.Estate.EmbedWith(func(_ context.Context, rs []Resource) ([][]float32, error) { return make([][]float32, len(rs)), nil })
	if _, err := s.Estate.BulkUpsert(ctx, rs[600:]); err != nil { // without vectors
		t.Fatal(err)
	}
	conversation, err := s.Chat.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := s.Chat.Append(ctx, conversation, Message{Role: RoleUser, Content: fmt.Sprint("message ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	return conversation
}

func nothing() error { return nil }

// The data moves through every mode and back, whole, and what was left behind
// is not taken for what is current.
func TestMigrateThroughEveryMode(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	ctx := t.Context()
	h := newHome(t)
	local, trusted := localConfig(t)
	remote := remoteConfig(serveStandIn(t).url)
	if url := os.Getenv("CLOUDOPS_TEST_QDRANT_URL"); url != "" {
		remote = remoteConfig(url)
	}
	local.Collections = remote.Collections
	if binary := os.Getenv("CLOUDOPS_TEST_QDRANT_BINARY"); binary != "" {
		local.Qdrant.Binary = binary
	}
	embedded := Config{Collections: remote.Collections}
	s := mustOpen(t, embedded, h.keys)
	conversation := fill(t, s)
	for _, to := range []Config{remote, local, embedded, local, remote, embedded} {
		steps := 0
		done, err := s.Migrate(ctx, to, nothing, func(done, total int) {
			if steps++; done > total || total == 0 {
				t.Errorf("%d of %d", done, total)
			}
		}, trusted)
		if err != nil {
			t.Fatal(err)
		}
		if len(done) != 2 || done[1].Points != 700 || done[1].Copied != 700 || done[0].Points != 4 || len(done[0].SHA256) != 64 || steps == 0 {
			t.Errorf("to %s: %+v", to.Qdrant.Mode, done)
		}
		if err := s.Estate.Upsert(ctx, instance(9000)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a write after the switch: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, to, h.keys, trusted)
		moved(t, s, conversation)
	}
}

// A migration that is cut short changes nothing, and is taken up again.
func TestMigrateIsTakenUpAgain(t *testing.T) {
	h := newHome(t)
	server := serveStandIn(t)
	remote := remoteConfig(server.url)
	embedded := Config{Collections: remote.Collections}
	s := mustOpen(t, embedded, h.keys)
	conversation := fill(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Migrate(ctx, remote, nothing, func(done, _ int) {
		if done > 500 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Migrate: %v", err)
	}
	// Writing goes on, also of what was copied already.
	changed := instance(3)
	changed.State = "3"
	changed.EngineVersion = "15.1"
	if err := s.Estate.Upsert(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := s.Estate.Delete(t.Context(), instance(4).Key()); err != nil {
		t.Fatal(err)
	}
	if err := s.Estate.Upsert(t.Context(), instance(9000)); err != nil {
		t.Fatal(err)
	}
	committed := errors.New("the configuration cannot be written")
	if _, err := s.Migrate(t.Context(), remote, func() error { return committed }, nil); !errors.Is(err, committed) {
		t.Fatalf("Migrate: %v", err)
	}
	if err := s.Estate.Upsert(t.Context(), instance(9000)); err != nil {
		t.Errorf("writing after a migration that failed: %v", err)
	}
	done, err := s.Migrate(t.Context(), remote, nothing, nil)
	if err != nil || done[1].Points != 700 {
		t.Fatalf("Migrate = %+v, %v", done, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, remote, h.keys)
	if r, err := s.Estate.Get(t.Context(), changed.Key()); err != nil || r.EngineVersion != "15.1" {
		t.Errorf("Get = %+v, %v", r, err)
	}
	moved(t, s, conversation)
}

// In the moment of the switch either configuration opens the store.
func TestEitherModeOpensDuringTheSwitch(t *testing.T) {
	for _, mode := range []string{"remote", "embedded"} {
		h := newHome(t)
		remote := remoteConfig(serveStandIn(t).url)
		embedded := Config{Collections: remote.Collections}
		s := mustOpen(t, embedded, h.keys)
		conversation := fill(t, s)
		if _, err := s.Migrate(t.Context(), remote, nothing, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.dir, "data", "mode"), []byte("embedded remote\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := map[string]Config{"remote": remote, "embedded": embedded}[mode]
		moved(t, mustOpen(t, cfg, h.keys), conversation)
		if b, err := os.ReadFile(filepath.Join(h.dir, "data", "mode")); err != nil || strings.TrimSpace(string(b)) != mode {
			t.Errorf("the mode is %q, %v", b, err)
		}
	}
}

// Another home's data is never taken over.
func TestMigrateLeavesTheDataOfAnotherHome(t *testing.T) {
	remote := remoteConfig(serveStandIn(t).url)
	theirs := mustOpen(t, remote, newHome(t).keys)
	conversation := fill(t, theirs)
	s := mustOpen(t, Config{Collections: remote.Collections}, newHome(t).keys)
	if _, err := s.Migrate(t.Context(), remote, nothing, nil); err == nil || !strings.Contains(err.Error(), "another home") {
		t.Errorf("Migrate: %v", err)
	}
	moved(t, theirs, conversation)
}
