package scanner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// victimVariable makes the test binary a program that scans and is killed.
const victimVariable = "SCANNER_TEST_VICTIM"

type victimOrder struct {
	Dir         string
	Environment session.Environment
}

// victim scans into a home and prints each shard that Scan says is complete.
func victim() int {
	var o victimOrder
	if err := json.Unmarshal([]byte(os.Getenv(victimVariable)), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h := &home{dir: o.Dir}
	defer h.close()
	if err := h.unlock(context.Background(), scanner.Config{Concurrency: 3}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("opened")
	done := 0
	_, err := h.scan(context.Background(), o.Environment, scanner.Options{}, func(p scanner.Progress) {
		if p.Done > done {
			done = p.Done
			fmt.Println("complete " + p.Message)
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("end")
	return 0
}

// mission runs a victim and kills it a while after it opened the home; 0 lets
// it end. It returns what the victim printed and how long it scanned.
func mission(t *testing.T, o victimOrder, after time.Duration) (lines []string, scanned time.Duration) {
	t.Helper()
	order, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	// The race detector would hold the program up for a second at its end.
	cmd.Env = append(os.Environ(), victimVariable+"="+string(order), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var opened time.Time
	for scan := bufio.NewScanner(out); scan.Scan(); {
		switch lines = append(lines, scan.Text()); scan.Text() {
		case "opened":
			opened = time.Now()
			if after > 0 {
				defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop()
			}
		case "end":
			scanned = time.Since(opened)
		}
	}
	if err := cmd.Wait(); err != nil && after == 0 {
		t.Fatalf("a scan that nobody killed: %v", err)
	}
	return lines, scanned
}

func TestKilledScansLoseNothingThatTheyAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	kills := 10
	if os.Getenv("CLOUDOPS_SOAK") != "" {
		kills = 300
	}
	f := newFakeAWS(t)
	env := f.environment(t)
	h := newHome(t, scanner.Config{})
	h.close()
	order := victimOrder{h.dir, env}
	lines, whole := mission(t, order, 0)
	if len(lines) == 0 || lines[len(lines)-1] != "end" {
		t.Fatalf("an undisturbed scan printed %q", lines)
	}
	seen := sightings{}
	seen.check(t, h, 0, time.Time{}, lines)

	midway := 0
	for round := 1; round <= kills; round++ {
		f.round.Store(int64(round))
		began := time.Now()
		lines, _ := mission(t, order, 1+time.Duration(rand.Int64N(int64(whole))))
		if slices.Contains(lines, "opened") && !slices.Contains(lines, "end") {
			midway++
		}
		seen.check(t, h, round, began, lines)
		if t.Failed() {
			t.Fatalf("in round %d, after %q", round, lines)
		}
	}
	if midway == 0 {
		t.Errorf("none of %d kills hit a scan", kills)
	}
	t.Logf("%d of %d kills hit a scan of about %v", midway, kills, whole)

	h.open(t, scanner.Config{})
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{}, nil)
	if err != nil || len(r.Problems) != 0 {
		t.Fatalf("scanning after all: %+v %v", r, err)
	}
	stored := storedIDs(t, h)
	for _, s := range h.Ledger() {
		if s.State != "complete" || s.Count != len(stored[s.Shard]) || !slices.Equal(ids(stored[s.Shard]), fakeIDs(s.Type, kills)) {
			t.Errorf("after a whole scan: %+v, stored are %d", s, len(stored[s.Shard]))
		}
	}
}

// sightings are the shards last seen complete in the ledger, and in which round.
type sightings map[scanner.Shard]sighting

type sighting struct {
	at    time.Time
	round int
}

// check opens a home whose scan was killed and compares ledger, store and index.
func (seen sightings) check(t *testing.T, h *home, round int, began time.Time, lines []string) {
	t.Helper()
	h.open(t, scanner.Config{})
	stored := storedIDs(t, h)
	index := indexed(t, h)
	if fmt.Sprint(index) != fmt.Sprint(stored) {
		t.Errorf("the index has\n%v\nand the store\n%v", index, stored)
	}
	for _, region := range fakeRegions {
		for _, typ := range []string{"ec2_instance", "rds_instance", "rds_cluster"} {
			shard := scanner.Shard{AccountID: fakeAccount, Region: region, Type: typ}
			state := shardState(h, shard.AccountID, region, typ)
			if state.State == "complete" && !state.At.Before(began) && !state.At.Equal(seen[shard].at) {
				seen[shard] = sighting{state.At, round}
			}
			whole := slices.Contains(lines, "complete "+typ+" in "+region) || (state.State == "complete" && seen[shard].round == round)
			got := ids(stored[shard])
			switch {
			case whole && !slices.Equal(got, fakeIDs(typ, round)):
				t.Errorf("%+v was listed whole, and %d of %d resources are stored", shard, len(got), len(fakeIDs(typ, round)))
			case whole && slices.ContainsFunc(got, func(id string) bool { return stored[shard][id] != round }):
				t.Errorf("%+v was listed whole, and older resources are stored", shard)
			case state.State == "complete" && !state.At.Equal(seen[shard].at):
				t.Errorf("%+v is called complete at a time of no scan", state)
			case state.State == "complete":
				// What was there in every round since can't have gone.
				for _, id := range fakeIDs(typ, round) {
					always := true
					for r := seen[shard].round; r < round; r++ {
						always = always && slices.Contains(fakeIDs(typ, r), id)
					}
					if _, ok := stored[shard][id]; always && !ok {
						t.Errorf("%+v is called complete since round %d, and %s is lost", shard, seen[shard].round, id)
					}
				}
			}
		}
	}
	h.close()
	if err := os.Remove(filepath.Join(h.dir, "data", "index.cache")); err != nil {
		t.Errorf("the index has no cache after a proper end: %v", err)
	}
	h.open(t, scanner.Config{})
	if again := indexed(t, h); fmt.Sprint(again) != fmt.Sprint(index) {
		t.Errorf("without its cache the index has\n%v\nand with it\n%v", again, index)
	}
	h.close()
}

// rounds are the rounds that resources are of, by shard and identifier.
type rounds map[scanner.Shard]map[string]int

func (all rounds) add(t *testing.T, k storage.Key, tags map[string]string) {
	t.Helper()
	shard := scanner.Shard{AccountID: k.AccountID, Region: k.Region, Type: k.Type}
	if k.Type == "s3_bucket" {
		shard.Region = "global"
	}
	if all[shard] == nil {
		all[shard] = map[string]int{}
	}
	round, err := strconv.Atoi(tags["round"])
	if err != nil {
		t.Fatal(err)
	}
	all[shard][k.ID] = round
}

func storedIDs(t *testing.T, h *home) rounds {
	t.Helper()
	list, err := h.store.Estate.List(t.Context(), storage.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	all := rounds{}
	for _, r := range list {
		all.add(t, r.Key(), r.Tags)
	}
	return all
}

func indexed(t *testing.T, h *home) rounds {
	t.Helper()
	list, _ := h.store.Estate.Search("", storage.Filter{}, -1)
	all := rounds{}
	for _, r := range list {
		all.add(t, r.Key, r.Tags)
	}
	return all
}

func ids(of map[string]int) []string { return slices.Sorted(maps.Keys(of)) }
