package engine_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/cloudops/cloudops/storage/engine"
	inventory "github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

// writerHome, when set, makes the test binary a writer to be killed.
const writerHome = "CLOUDOPS_TEST_ENGINE_WRITER"

func TestMain(m *testing.M) {
	if home := os.Getenv(writerHome); home != "" {
		if err := writeForever(home); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// writeForever makes collections, each with an index, points and vectors, points
// the alias at it and deletes some; every step is printed when it is acknowledged.
func writeForever(home string) error {
	keys, err := seal.Unlock(home, seal.Source{})
	if err != nil {
		return err
	}
	eng, err := engine.Open(filepath.Join(keys.Home(), "data", "qdrant"), keys)
	if err != nil {
		return err
	}
	conn, _, err := connect(eng)
	if err != nil {
		return err
	}
	collections, points := qdrant.NewCollectionsClient(conn), qdrant.NewPointsClient(conn)
	var from int
	if _, err := fmt.Sscan(os.Getenv("CLOUDOPS_TEST_WRITER_FROM"), &from); err != nil {
		return err
	}
	for n := from; ; n++ {
		name := fmt.Sprint("c", n)
		ids := func(from, to int) (ids []*qdrant.PointId) {
			for i := from; i <= to; i++ {
				ids = append(ids, qdrant.NewID(uid(i)))
			}
			return ids
		}
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"created", func() error {
				_, err := collections.Create(ctx(), &qdrant.CreateCollection{CollectionName: name, VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 4, Distance: qdrant.Distance_Dot})})
				return err
			}},
			{"indexed", func() error {
				_, err := points.CreateFieldIndex(ctx(), &qdrant.CreateFieldIndexCollection{CollectionName: name, FieldName: "kind", FieldType: qdrant.FieldType_FieldTypeKeyword.Enum()})
				return err
			}},
			{"filled", func() error {
				r := &qdrant.UpsertPoints{CollectionName: name}
				for _, id := range ids(1, 9) {
					r.Points = append(r.Points, &qdrant.PointStruct{Id: id, Vectors: qdrant.NewVectors(1, 0, 0, 0), Payload: qdrant.NewValueMap(map[string]any{"kind": "x", "big": strings.Repeat("y", 600)})})
				}
				_, err := points.Upsert(ctx(), r)
				return err
			}},
			{"switched", func() error {
				_, err := collections.UpdateAliases(ctx(), &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{{
					Action: &qdrant.AliasOperations_CreateAlias{CreateAlias: &qdrant.CreateAlias{CollectionName: name, AliasName: "c"}},
				}}})
				return err
			}},
			{"turned", func() error {
				r := &qdrant.UpdatePointVectors{CollectionName: name}
				for _, id := range ids(1, 9) {
					r.Points = append(r.Points, &qdrant.PointVectors{Id: id, Vectors: qdrant.NewVectors(0, 1, 0, 0)})
				}
				_, err := points.UpdateVectors(ctx(), r)
				return err
			}},
			{"set", func() error {
				r := &qdrant.UpdateBatchPoints{CollectionName: name, Operations: []*qdrant.PointsUpdateOperation{qdrant.NewPointsUpdateSetPayload(&qdrant.PointsUpdateOperation_SetPayload{
					Payload: qdrant.NewValueMap(map[string]any{"kind": "z"}), PointsSelector: qdrant.NewPointsSelectorIDs(ids(1, 9)),
				})}}
				_, err := points.UpdateBatch(ctx(), r)
				return err
			}},
			{"deleted", func() error {
				_, err := points.Delete(ctx(), &qdrant.DeletePoints{CollectionName: name, Points: qdrant.NewPointsSelectorIDs(ids(1, 4))})
				return err
			}},
		} {
			fmt.Println("begin", n)
			if err := step.do(); err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			fmt.Println(step.name, n)
		}
	}
}

// TestKillAtAnyStep kills the writer anywhere: what it had acknowledged is
// there, what it was about to do is there whole or not at all.
func TestKillAtAnyStep(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	f := start(t)
	f.stop()
	next, rounds := 0, 20
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		rounds = 500
	}
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerHome+"="+f.keys.Home(), fmt.Sprint("CLOUDOPS_TEST_WRITER_FROM=", next))
		cmd.Stderr = os.Stderr
		first := next
		out, err := cmd.StdoutPipe()
		f.must(err)
		f.must(cmd.Start())
		done := map[string]int{} // by step, the last that was acknowledged
		lines, killAt := 0, 1+rand.IntN(40)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			step, value, _ := strings.Cut(scanner.Text(), " ")
			var n int
			fmt.Sscan(value, &n)
			if step == "begin" {
				next = n + 1
			} else {
				done[step] = n + 1
			}
			if lines++; lines == killAt {
				time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond) // anywhere within a step
				f.must(cmd.Process.Kill())
			}
		}
		cmd.Wait()
		if lines < killAt {
			t.Fatalf("round %d: the writer ended by itself", round)
		}
		f.begin()
		if ps := f.eng.Problems(); len(ps) > 0 {
			t.Fatalf("round %d: problems %v", round, ps)
		}
		for n := first + 1; n <= next; n++ {
			f.stepsOf(round, n, done)
		}
		aliases, err := f.collections.ListAliases(ctx(), &qdrant.ListAliasesRequest{})
		f.must(err)
		if last := done["switched"]; last > 0 {
			if as := aliases.GetAliases(); len(as) != 1 || as[0].GetCollectionName() != fmt.Sprint("c", last-1) && as[0].GetCollectionName() != fmt.Sprint("c", last) {
				t.Fatalf("round %d: the alias is %v, last acknowledged was c%d", round, as, last-1)
			}
		}
		f.stop()
	}
	f.begin() // for the cleanup
}

// stepsOf checks collection n-1 against the steps that were acknowledged.
func (f *fixture) stepsOf(round, n int, done map[string]int) {
	f.t.Helper()
	name := fmt.Sprint("c", n-1)
	was := func(step string) bool { return done[step] >= n }
	info, err := f.collections.Get(ctx(), &qdrant.GetCollectionInfoRequest{CollectionName: name})
	if err != nil {
		if was("created") {
			f.t.Fatalf("round %d: %s is gone: %v", round, name, err)
		}
		return
	}
	indexed := len(info.GetResult().GetPayloadSchema()) == 1
	if was("indexed") && !indexed {
		f.t.Fatalf("round %d: the index of %s is gone", round, name)
	}
	points, err := f.points.Scroll(ctx(), &qdrant.ScrollPoints{CollectionName: name, WithPayload: qdrant.NewWithPayload(true)})
	f.must(err)
	count, set := len(points.GetResult()), 0
	for _, p := range points.GetResult() {
		if len(p.GetPayload()["big"].GetStringValue()) != 600 {
			f.t.Fatalf("round %d: %s has a point %v", round, name, p)
		}
		if p.GetPayload()["kind"].GetStringValue() == "z" {
			set++
		}
	}
	if count != 0 && count != 9 && count != 5 || was("filled") && count == 0 || was("deleted") && count != 5 {
		f.t.Fatalf("round %d: %s has %d points; acknowledged were %v", round, name, count, done)
	}
	if set != 0 && set != count || was("set") && set != count {
		f.t.Fatalf("round %d: %d of %d points of %s are set; acknowledged were %v", round, set, count, name, done)
	}
	hits, err := f.points.Query(ctx(), &qdrant.QueryPoints{CollectionName: name, Query: qdrant.NewQuery(0, 1, 0, 0)})
	f.must(err)
	turned := 0
	for _, h := range hits.GetResult() {
		turned += int(h.GetScore())
	}
	if len(hits.GetResult()) != count || turned != 0 && turned != count || was("turned") && turned != count {
		f.t.Fatalf("round %d: %d of %d vectors of %s are turned, %d are there; acknowledged were %v", round, turned, count, name, len(hits.GetResult()), done)
	}
}

// A store of the version before formats were numbered opens; one of a version to
// come is refused, and nothing of it changes.
func TestOlderAndNewerFormats(t *testing.T) {
	f := start(t)
	f.fill()
	f.stop()
	for _, name := range []string{"catalogue", "catalogue.copy"} {
		file := f.keys.File("data/qdrant/" + name)
		b, err := file.Load()
		f.must(err)
		f.must(file.Save([]byte(strings.Replace(string(b), `"format":1,`, "", 1))))
	}
	f.begin()
	if got, _, err := f.scroll(&qdrant.ScrollPoints{}); err != nil || len(got) != 9 {
		t.Errorf("of a store without a format there are %v, %v", got, err)
	}
	f.stop()
	for _, name := range []string{"catalogue", "catalogue.copy"} {
		f.must(f.keys.File("data/qdrant/" + name).Save([]byte(`{"format":2,"collections":{"a":"b"}}`)))
	}
	_, err := engine.Open(f.dir, f.keys)
	if err == nil || !strings.Contains(err.Error(), "newer version") || !strings.Contains(err.Error(), "use that version") {
		t.Errorf("Open of a newer store: %v", err)
	}
	f.stop = func() {}
}

// A new collection, and what is saved of a damaged one, are in their folders on
// the disk before anybody is told.
func TestFilesAndFoldersOfCollectionsAreSynced(t *testing.T) {
	var synced []string
	stop := inventory.WatchSyncs(func(path string) { synced = append(synced, path) })
	f := start(t)
	f.fill()
	f.stop()
	stop()
	data, err := filepath.Glob(filepath.Join(f.dir, "*", "data.db"))
	if err != nil || len(data) == 0 {
		t.Fatal(data, err)
	}
	folder := filepath.Dir(data[0])
	for _, want := range []string{folder, f.dir} {
		if !slices.Contains(synced, want) {
			t.Errorf("of a new collection %s is not synced", want)
		}
	}
	b, err := os.ReadFile(data[0])
	f.must(err)
	f.must(os.WriteFile(data[0], b[:len(b)/2], 0o600))
	synced = nil
	stop = inventory.WatchSyncs(func(path string) { synced = append(synced, path) })
	f.begin()
	f.stop()
	stop()
	kept, err := filepath.Glob(data[0] + ".damaged-*")
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	for _, want := range []string{kept[0], folder} {
		if !slices.Contains(synced, want) {
			t.Errorf("of a damaged collection %s is not synced: %v", want, synced)
		}
	}
	f.stop = func() {}
}
