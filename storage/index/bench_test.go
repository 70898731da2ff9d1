package index

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// sample is resource i of an estate like those of companies: many instances,
// some of one name, databases and buckets, in two accounts and four regions.
func sample(i int) Record {
	region := [...]string{"us-west-2", "us-east-1", "eu-west-1", "ap-southeast-1"}[i%4]
	account := fmt.Sprint(111111111111 * (1 + i%8/4))
	var r Record
	switch i % 10 {
	default:
		id := fmt.Sprintf("i-%017x", i*7919)
		r = Record{
			Key:     Key{"ec2_instance", id, account, region, "arn:aws:ec2:" + region + ":" + account + ":instance/" + id},
			Service: "ec2", Name: fmt.Sprintf("svc-%d-node", i%5000), State: [...]string{"running", "stopped"}[i%7/6],
			Summary: [...]string{"t3.micro · x86_64", "m5.large · x86_64", "c7g.xlarge · arm64"}[i%3],
			Aliases: []string{
				fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255),
				fmt.Sprintf("ip-10-%d-%d-%d.%s.compute.internal", i>>16&255, i>>8&255, i&255, region),
			},
		}
		r.Tags = map[string]string{"Name": r.Name}
	case 7, 8:
		id := fmt.Sprintf("pg-orders-%d", i)
		r = Record{
			Key:     Key{"rds_instance", id, account, region, "arn:aws:rds:" + region + ":" + account + ":db:" + id},
			Service: "rds", Name: id, State: "available", Summary: "db.t3.medium · postgres 14.7",
			Aliases: []string{id + ".c9akciq32." + region + ".rds.amazonaws.com", fmt.Sprintf("db-%026X", i)},
			Tags:    map[string]string{},
		}
	case 9:
		id := fmt.Sprintf("company-data-%d", i)
		r = Record{
			Key: Key{"s3_bucket", id, account, region, "arn:aws:s3:::" + id}, Service: "s3", Name: id, Tags: map[string]string{},
		}
	}
	r.AccountName = "company " + account[:1]
	r.Tags["env"] = [...]string{"production", "staging", "test"}[i%3]
	r.Tags["team"] = fmt.Sprintf("team-%d", i%40)
	r.Tags["cost-center"] = fmt.Sprint(4000 + i%90)
	r.LastSynced = time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	r.Version, r.Digest = uint64(1+i%9), uint64(i)*0x9e3779b97f4a7c15
	return r
}

const many = 100_000

var filled = sync.OnceValue(func() *Index {
	x := New(kinds())
	for i := range many {
		x.Put(sample(i))
	}
	return x
})

// heap is what is live on the heap.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// The daemon's budget is 750 bytes a resource, of 100,000; the index may have a third.
func TestMemory(t *testing.T) {
	const n, limit = many / 4, 250
	before := heap()
	x := New(kinds())
	for i := range n {
		x.Put(sample(i))
	}
	built := (heap() - before) / n
	b, err := x.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(x)
	x = nil
	between := heap()
	y := New(kinds())
	if err := y.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	loaded := (heap() - between) / n
	t.Logf("%d bytes a record when built, %d when loaded, %d in the cache", built, loaded, len(b)/n)
	if built > limit || loaded > limit {
		t.Errorf("%d bytes a record when built and %d when loaded, want at most %d", built, loaded, limit)
	}
	runtime.KeepAlive(y)
	runtime.KeepAlive(b)
}

func BenchmarkBuild(b *testing.B) {
	rs := make([]Record, many)
	for i := range rs {
		rs[i] = sample(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		x := New(kinds())
		for _, r := range rs {
			x.Put(r)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	cache, err := filled().MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(cache))/many, "bytes/record")
	b.ReportAllocs()
	for b.Loop() {
		if err := New(kinds()).UnmarshalBinary(cache); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	x := filled()
	for b.Loop() {
		if _, err := x.MarshalBinary(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAtAndFind(b *testing.B) {
	x := filled()
	line := `  source_arn = "arn:aws:rds:ap-southeast-1:111111111111:db:pg-orders-27" # the main one`
	b.ReportAllocs()
	for b.Loop() {
		var found []Record
		for _, t := range At(line, 68) {
			if found = x.Find(t.Text); found != nil {
				break
			}
		}
		if len(found) != 1 {
			b.Fatal("not found")
		}
	}
}

func document(lines int) string {
	var s strings.Builder
	for i := range lines {
		switch i % 8 {
		case 0:
			fmt.Fprintf(&s, "resource \"aws_instance\" \"web_%d\" {\n", i)
		case 3:
			fmt.Fprintf(&s, "  instance_id = \"i-%017x\"\n", i*7919)
		case 5:
			fmt.Fprintf(&s, "  source_arn = \"arn:aws:rds:us-west-2:111111111111:db:pg-orders-%d\"\n", i)
		default:
			fmt.Fprintf(&s, "  some_attribute_%d = var.module_%d.output # a comment\n", i%50, i%30)
		}
	}
	return s.String()
}

func BenchmarkTokens1kLines(b *testing.B) {
	text := document(1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		Tokens(text, 0)
	}
}

func BenchmarkResolve1kLines(b *testing.B) {
	x, tokens := filled(), Tokens(document(1000), 0)
	b.ReportMetric(float64(len(tokens)), "tokens")
	b.ReportAllocs()
	for b.Loop() {
		x.Resolve(tokens)
	}
}

func BenchmarkSearch(b *testing.B) {
	x := filled()
	for _, q := range []string{"", "orders", "production databases us-west-2", "env=staging stopped node", "nothing-like-this"} {
		b.Run(strings.ReplaceAll(q, " ", "+"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.Search(q, Filter{}, 10)
			}
		})
	}
}
