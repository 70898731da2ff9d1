package index

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"
)

func instance(id, name, region string) Record {
	return Record{
		Key: Key{
			Type: "ec2_instance", ID: id, AccountID: "111111111111", Region: region,
			ARN: "arn:aws:ec2:" + region + ":111111111111:instance/" + id,
		},
		Service: "ec2", Name: name, AccountName: "staging", State: "running",
		Tags:       map[string]string{"Name": name, "env": "staging"},
		Summary:    "t3.micro",
		Facts:      map[string]string{"lifecycle": "spot", "stop_protection": "unknown"},
		LastSynced: time.Date(2026, 5, 1, 10, 0, 0, 5, time.UTC),
		Version:    3, Digest: 0xfeedfacecafebeef,
	}
}

func database(name, region string) Record {
	return Record{
		Key: Key{
			Type: "rds_instance", ID: name, AccountID: "222222222222", Region: region,
			ARN: "arn:aws:rds:" + region + ":222222222222:db:" + name,
		},
		Service: "rds", Name: name, AccountName: "production", State: "available",
		Tags:    map[string]string{"env": "production", "team": "payments"},
		Summary: "db.t3.medium · postgres 14.7",
		Aliases: []string{name + ".c9akciq32.us-west-2.rds.amazonaws.com", "db-ABCDEFGHIJKL"},
	}
}

func ids(rs []Record) []string {
	var s []string
	for _, r := range rs {
		s = append(s, r.ID)
	}
	return s
}

func wantIDs(t *testing.T, what string, got []Record, want ...string) {
	t.Helper()
	if !slices.Equal(ids(got), want) {
		t.Errorf("%s: got %q, want %q", what, ids(got), want)
	}
}

func TestRecordsComeBackWhole(t *testing.T) {
	x := New(kinds())
	records := []Record{
		instance("i-0abc", "web-1", "us-west-2"),
		database("pg-instance-main1", "us-west-2"),
		{Key: Key{Type: "s3_bucket", ID: "data", AccountID: "1", Region: "eu-west-1", ARN: "arn:aws:s3:::data"}, Name: "data"},
		{Key: Key{Type: "t", ID: "no-arn", AccountID: "1", Region: "r"}, Tags: map[string]string{}},
		{Key: Key{Type: "t", ID: "a b/c", ARN: "arn:without:the:id"}, Tags: map[string]string{"Name": "other", "": "", "k": ""}},
		{Key: Key{Type: "t", ID: "é\xff\x00", ARN: "arn:x"}, Name: "ünï", State: "a\nb", Aliases: []string{"", "x"}},
		{},
	}
	// Twice: what is shared is encoded otherwise than what is seen first.
	for range 3 {
		for _, r := range records {
			x.Put(r)
		}
		for _, want := range records {
			got, found := x.Get(want.Key)
			if !found || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, found, want)
			}
		}
	}
	if x.Len() != len(records) {
		t.Errorf("length %d, want %d", x.Len(), len(records))
	}
}

func TestFind(t *testing.T) {
	x := New(kinds())
	x.Put(instance("i-0abc", "web-1", "us-west-2"))
	x.Put(instance("i-0def", "web-1", "eu-west-1"))
	x.Put(instance("i-0999", "WEB-1", "eu-west-1"))
	x.Put(database("pg-main", "us-west-2"))
	named := database("pg-two", "us-west-2")
	named.Tags["Name"] = "orders database"
	x.Put(named)
	twin := instance("web-2", "pg-main", "us-east-1")
	x.Put(twin)
	for _, c := range []struct {
		identifier string
		want       []string
	}{
		{"i-0abc", []string{"i-0abc"}},
		{"I-0ABC", []string{"i-0abc"}},
		{"web-1", []string{"i-0def", "i-0abc"}},
		{"WEB-1", []string{"i-0999"}},
		{"Web-1", []string{"i-0999", "i-0def", "i-0abc"}},
		{"pg-main", []string{"pg-main", "web-2"}}, // an ID comes before a name
		{"arn:aws:rds:us-west-2:222222222222:db:pg-main", []string{"pg-main"}},
		{"ARN:AWS:RDS:us-west-2:222222222222:db:pg-main", []string{"pg-main"}},
		{"pg-main.c9akciq32.us-west-2.rds.amazonaws.com", []string{"pg-main"}},
		{"Orders Database", []string{"pg-two"}},
		{"nothing", nil},
		{"", nil},
	} {
		wantIDs(t, c.identifier, x.Find(c.identifier), c.want...)
	}
	// Case folding beyond ASCII, where a letter's other case has another length.
	x.Put(instance("i-kelvin", "KELVIN", "r")) // with the Kelvin sign
	x.Put(instance("i-greek", "ΣΊΣΥΦΟΣ", "r"))
	wantIDs(t, "kelvin", x.Find("kelvin"), "i-kelvin")
	wantIDs(t, "greek", x.Find("σίσυφος"), "i-greek")
}

func TestReplacedAndDeletedRecordsLeaveNoTrace(t *testing.T) {
	x := New(kinds())
	r := instance("i-1", "old", "r")
	x.Put(r)
	r.Name, r.Tags = "new", nil
	x.Put(r)
	wantIDs(t, "old name", x.Find("old"))
	wantIDs(t, "new name", x.Find("new"), "i-1")
	x.Delete(r.Key)
	x.Delete(r.Key)
	if _, found := x.Get(r.Key); found || x.Len() != 0 || x.Find("new") != nil || x.Find("i-1") != nil {
		t.Error("a deleted record is still found")
	}
	for range x.All() {
		t.Error("a deleted record is still listed")
	}
	x.Put(r)
	wantIDs(t, "put again", x.Find("new"), "i-1")
}

func TestResolve(t *testing.T) {
	x := New(kinds())
	x.Put(instance("i-1", "web", "r"))
	x.Put(instance("i-2", "web", "r"))
	tokens := []string{"resource", "web", "i-1", "", "web", "WEB"}
	for i := range 1000 {
		tokens = append(tokens, fmt.Sprint("word-", i))
	}
	got := x.Resolve(tokens)
	if len(got) != 3 {
		t.Errorf("got %d entries, want 3", len(got))
	}
	wantIDs(t, "web", got["web"], "i-1", "i-2")
	wantIDs(t, "WEB", got["WEB"], "i-1", "i-2")
	wantIDs(t, "i-1", got["i-1"], "i-1")
}

func TestConfirmMovesTheTimeOnly(t *testing.T) {
	x := New(kinds())
	r := instance("i-1", "web", "r")
	x.Put(r)
	later := r.LastSynced.Add(time.Hour)
	x.Confirm(later, r.Key, Key{ID: "absent"})
	r.LastSynced = later
	if got, _ := x.Get(r.Key); !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, want %+v", got, r)
	}
	r.LastSynced = time.Time{}
	x.Put(r)
	if got, _ := x.Get(r.Key); !got.LastSynced.IsZero() {
		t.Errorf("got %v, want no time", got.LastSynced)
	}
}

// Many puts and deletes, checked against a plain map.
func TestAgainstAMap(t *testing.T) {
	x, want := New(kinds()), map[Key]Record{}
	rnd := newRand(7)
	for i := range 20000 {
		r := instance(fmt.Sprint("i-", rnd(300)), fmt.Sprint("name-", rnd(20)), fmt.Sprint("r", rnd(2)))
		if rnd(50) == 0 { // a record larger than a chunk's quarter
			r.Summary = string(make([]byte, 70000))
		}
		if rnd(3) == 0 {
			x.Delete(r.Key)
			delete(want, r.Key)
		} else {
			r.Version = uint64(i)
			x.Put(r)
			want[r.Key] = r
		}
	}
	if x.Len() != len(want) {
		t.Fatalf("length %d, want %d", x.Len(), len(want))
	}
	listed := 0
	for r := range x.All() {
		listed++
		if !reflect.DeepEqual(r, want[r.Key]) {
			t.Fatalf("got %+v, want %+v", r, want[r.Key])
		}
	}
	if listed != len(want) {
		t.Errorf("listed %d, want %d", listed, len(want))
	}
	for n := range 20 {
		name, count := fmt.Sprint("name-", n), 0
		for _, r := range want {
			if r.Name == name {
				count++
			}
		}
		if got := len(x.Find(name)); got != count {
			t.Errorf("%s: found %d, want %d", name, got, count)
		}
	}
	held, live := 0, 0
	for c, b := range x.chunks {
		held, live = held+cap(b), live+x.live[c]
	}
	if held > 2*live+2*chunkSize {
		t.Errorf("%d bytes held for %d: space is not reclaimed", held, live)
	}
	for k := range want {
		x.Delete(k)
	}
	if x.prints.used != 0 || x.Len() != 0 {
		t.Errorf("%d fingerprints and %d records left", x.prints.used, x.Len())
	}
}

// A listing sees the index as it began, and whatever takes its time with one
// keeps nobody waiting.
func TestListingHoldsNothingUp(t *testing.T) {
	x := New(kinds())
	for i := range 100 {
		x.Put(instance(fmt.Sprint("i-", i), "web", "r"))
	}
	seen := 0
	for r := range x.All() {
		seen++
		x.Delete(r.Key)
		r.Name, r.Tags = "renamed", nil
		r.ID += "-new"
		r.ARN += "-new"
		x.Put(r)
		if len(x.Find("renamed")) != seen || len(x.Find("web")) != 100-seen {
			t.Fatal("a change is not seen at once")
		}
	}
	if seen != 100 || x.Len() != 100 {
		t.Errorf("%d seen and %d there, want 100", seen, x.Len())
	}
}

// newRand is a small repeatable source of numbers below n.
func newRand(seed uint64) func(n uint64) uint64 {
	return func(n uint64) uint64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return (seed >> 33) % n
	}
}

func TestConcurrentUse(t *testing.T) {
	x := New(kinds())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				r := instance(fmt.Sprint("i-", i), fmt.Sprint("name-", i%10), "r")
				r.Version = uint64(w)
				x.Put(r)
				if i%3 == 0 {
					x.Delete(r.Key)
				}
				x.Confirm(time.Now(), r.Key)
			}
		})
		wg.Go(func() {
			for i := range 200 {
				for _, r := range x.Find(fmt.Sprint("name-", i%10)) {
					if r.Service != "ec2" {
						t.Errorf("torn record %+v", r)
					}
				}
				x.Resolve([]string{"name-1", "i-3"})
				if i%20 == 0 {
					x.Search("name running", Filter{}, 5)
					for r := range x.All() {
						if r.Service != "ec2" {
							t.Errorf("torn record %+v", r)
						}
					}
					b, err := x.MarshalBinary()
					if err == nil {
						err = New(kinds()).UnmarshalBinary(b)
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
