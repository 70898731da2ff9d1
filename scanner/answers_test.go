package scanner_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

const signInPage = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"

// fakeLists are the operations whose answers the fake's shards are made of.
var fakeLists = map[string]string{
	"ec2_instance": "DescribeInstances", "rds_instance": "DescribeDBInstances", "rds_cluster": "DescribeDBClusters", "s3_bucket": "ListBuckets",
}

// scanned is a home whose estate holds all that the fake has.
func scanned(t *testing.T, f *fakeAWS) (*home, session.Environment) {
	t.Helper()
	env := f.environment(t)
	h := newHome(t, scanner.Config{})
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{}, nil)
	if err != nil || len(r.Problems) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	return h, env
}

// falseList answers with a list of what content makes of the names of an item
// and its id; empty content has an error beside it.
func falseList(w io.Writer, operation string, content func(item, id string) string) {
	root, list, item, id := operation+"Response", "reservationSet", "item", "instanceId"
	switch operation {
	case "ListBuckets":
		root, list, item, id = "ListAllMyBucketsResult", "Buckets", "Bucket", "Name"
	case "DescribeDBInstances", "DescribeDBClusters":
		list = strings.TrimPrefix(operation, "Describe")
		item = strings.TrimSuffix(list, "s")
		id = item + "Identifier"
	}
	inner := content(item, id)
	list = "<" + list + ">" + inner + "</" + list + ">"
	if inner == "" {
		list += "<Errors><Error><Code>Throttled</Code></Error></Errors>"
	}
	if strings.HasPrefix(id, "DB") {
		list = "<" + operation + "Result>" + list + "</" + operation + "Result>"
	}
	fmt.Fprintf(w, "<%s>%s</%s>", root, list, root)
}

// Whatever it is that answers in AWS's place, in one call or in all, it takes
// nothing out of the estate: its shards fail, and the next good scan mends them.
func TestNoFalseAnswerTakesAnythingAway(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	before := storedIDs(t, h)
	total := 0
	for shard, of := range before {
		if !slices.Equal(ids(of), fakeIDs(shard.Type, 0)) {
			t.Fatalf("%+v holds %d", shard, len(of))
		}
		total += len(of)
	}
	if total < 400 {
		t.Fatalf("the estate holds %d resources", total)
	}
	ledger := h.Ledger()

	for name, answer := range map[string]func(w http.ResponseWriter, operation string){
		"sign-in page": func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, signInPage) },
		"empty":        func(w http.ResponseWriter, _ string) {},
		"JSON":         func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "{}") },
		"another answer": func(w http.ResponseWriter, operation string) {
			_, _ = io.WriteString(w, "<ListQueuesResponse><ListQueuesResult/></ListQueuesResponse>")
		},
		"no list in it": func(w http.ResponseWriter, operation string) {
			root := operation + "Response"
			if operation == "ListBuckets" {
				root = "ListAllMyBucketsResult"
			}
			fmt.Fprintf(w, "<%s><%sResult></%sResult></%s>", root, operation, operation, root)
		},
		"hollow items": func(w http.ResponseWriter, operation string) {
			falseList(w, operation, func(item, id string) string { return "<" + item + "/>" })
		},
		"items of another name": func(w http.ResponseWriter, operation string) {
			falseList(w, operation, func(item, id string) string { return "<member><" + id + ">x</" + id + "></member>" })
		},
		"an item without an id": func(w http.ResponseWriter, operation string) {
			falseList(w, operation, func(item, id string) string {
				empty := "<" + item + "><" + id + "> </" + id + "></" + item + ">"
				if item == "item" {
					return "<item><instancesSet>" + empty + "</instancesSet></item>"
				}
				return empty
			})
		},
		"an id twice, then none": func(w http.ResponseWriter, operation string) {
			falseList(w, operation, func(item, id string) string {
				inner := "<" + item + "><" + id + ">x</" + id + "><" + strings.ToUpper(id) + "> </" + strings.ToUpper(id) + "></" + item + ">"
				if item == "item" {
					return "<item><instancesSet>" + inner + "</instancesSet></item>"
				}
				return inner
			})
		},
		"more without a way to it": func(w http.ResponseWriter, operation string) {
			var list strings.Builder
			falseList(&list, operation, func(item, id string) string { return " " })
			for _, end := range []string{"</" + operation + "Result>", "</ListAllMyBucketsResult>", "</" + operation + "Response>"} {
				if before, rest, ends := strings.Cut(list.String(), end); ends {
					fmt.Fprint(w, before+"<IsTruncated>true</IsTruncated>"+end+rest)
					return
				}
			}
		},
		"an error beside an empty list": func(w http.ResponseWriter, operation string) {
			falseList(w, operation, func(item, id string) string { return "" })
		},
		"a login elsewhere": func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "http://login.example/")
			w.WriteHeader(http.StatusFound)
		},
	} {
		for _, spoiled := range []string{"DescribeInstances", "DescribeDBInstances", "DescribeDBClusters", "ListBuckets", "DescribeRegions", "GetCallerIdentity", "every list", "everything"} {
			// Which answers are false is tried for each operation by the client's own test.
			if !strings.HasPrefix(spoiled, "every") && name != "sign-in page" && name != "no list in it" && name != "an item without an id" {
				continue
			}
			t.Run(name+" for "+spoiled, func(t *testing.T) {
				hit := func(operation string) bool {
					return operation == spoiled || spoiled == "everything" ||
						spoiled == "every list" && operation != "GetCallerIdentity" && operation != "DescribeRegions"
				}
				f.answer(func(w http.ResponseWriter, operation string, _ *http.Request) bool {
					if hit(operation) {
						answer(w, operation)
					}
					return hit(operation)
				})
				// The identity is asked anew by a program that starts.
				h.close()
				h.open(t, scanner.Config{})
				r, err := h.scan(within(t, time.Minute), env, scanner.Options{Regions: fakeRegions}, nil)
				identified := !hit("GetCallerIdentity")
				if (err == nil) != identified || r.Removed != 0 || r.Changed != 0 {
					t.Errorf("%+v %v", r, err)
				}
				said := fmt.Sprint(r.Problems, err)
				if name != "no list in it" && spoiled != "DescribeRegions" && !strings.Contains(said, "not AWS's") {
					t.Errorf("it says %s", said)
				}
				if err != nil && !errors.Is(err, session.ErrUnreachable) {
					t.Errorf("the scan fails by %v", err)
				}
				for typ, operation := range fakeLists {
					rec := h.store.Estate.Find(fmt.Sprintf(fakeForms[typ], 1))[0]
					_, err := h.refresh(within(t, time.Minute), env, rec.Key)
					if asked := hit(operation) || !identified; (err != nil) != asked || errors.Is(err, session.ErrGone) {
						t.Errorf("a live read of %s: %v", rec.ID, err)
					}
				}
				if after := storedIDs(t, h); fmt.Sprint(after) != fmt.Sprint(before) {
					t.Error("the estate changed")
				}
				for i, s := range h.Ledger() {
					want := "complete"
					if identified && hit(fakeLists[s.Type]) {
						want = "failed"
					}
					if s.State != want || s.Count != ledger[i].Count || s.At.Before(ledger[i].At) || (want == "failed" && s.Problem == "") {
						t.Errorf("the ledger says %+v, want %s", s, want)
					}
				}
				f.answer(nil)
				if r, err = h.scan(within(t, time.Minute), env, scanner.Options{}, nil); err != nil || len(r.Problems) != 0 || r.Resources != total || r.Changed != 0 || r.Removed != 0 {
					t.Errorf("the next good scan: %+v %v", r, err)
				}
				ledger = h.Ledger()
				for _, s := range ledger {
					if s.State != "complete" || s.Problem != "" {
						t.Errorf("after the next good scan the ledger says %+v", s)
					}
				}
			})
		}
	}
}

// A live read believes an answer about the resource that was asked about only,
// and only with its state: by any other nothing is gone and nothing changes.
func TestALiveReadBelievesWhatIsAboutItsResource(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	before := fmt.Sprint(storedIDs(t, h))
	for typ, operation := range fakeLists {
		if typ == "s3_bucket" {
			continue // asked for by the list of all, and has no state
		}
		own, other := fmt.Sprintf(fakeForms[typ], 1), fmt.Sprintf(fakeForms[typ], 2)
		state := map[string]string{"ec2_instance": "<instanceState><name>running</name></instanceState>", "rds_instance": "<DBInstanceStatus>available</DBInstanceStatus>", "rds_cluster": "<Status>available</Status>"}[typ]
		for name, c := range map[string]struct {
			id, state string
		}{
			"about another":     {other, state},
			"without its state": {own, ""},
			"about none":        {"", ""},
		} {
			f.answer(func(w http.ResponseWriter, called string, _ *http.Request) bool {
				if called == operation {
					falseList(w, operation, func(item, id string) string {
						if c.id == "" {
							return " "
						}
						one := "<" + item + "><" + id + ">" + c.id + "</" + id + ">" + c.state + "</" + item + ">"
						if item == "item" {
							return "<item><instancesSet>" + one + "</instancesSet></item>"
						}
						return one
					})
				}
				return called == operation
			})
			rec := h.store.Estate.Find(own)[0]
			if _, err := h.refresh(within(t, time.Minute), env, rec.Key); !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), "not AWS's") {
				t.Errorf("%s, %s: %v", typ, name, err)
			}
			if after := fmt.Sprint(storedIDs(t, h)); after != before {
				t.Errorf("%s, %s: the estate changed", typ, name)
			}
		}
	}
}

// Every list is read to its end, and one whose later page fails, or leads back
// to an earlier one, is not taken for whole: what is gone meanwhile stays.
func TestEveryListGoesPageByPage(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	for typ, operation := range fakeLists {
		t.Run(typ, func(t *testing.T) {
			f.round.Store(0)
			f.answer(nil)
			o := scanner.Options{Services: []string{typ}, Regions: []string{"us-west-2"}}
			if r, err := h.scan(within(t, time.Minute), env, o, nil); err != nil || r.Resources != len(fakeIDs(typ, 0)) || r.Shards != 1 {
				t.Fatalf("%+v %v, want %d resources", r, err, len(fakeIDs(typ, 0)))
			}
			if n := f.called(operation); n != 4 {
				t.Errorf("%d pages were read, want 4", n)
			}
			region := "us-west-2"
			if typ == "s3_bucket" {
				region = "global"
			}
			before := shardState(h, fakeAccount, region, typ)

			// AWS has others now; what the first page says is taken over.
			f.round.Store(1)
			both := append(fakeIDs(typ, 0), fakeIDs(typ, 1)...)
			for name, spoil := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
				"fails": func(w http.ResponseWriter, r *http.Request) bool {
					if r.FormValue("NextToken")+r.FormValue("Marker")+r.FormValue("continuation-token") != "" {
						w.WriteHeader(http.StatusForbidden)
						_, _ = io.WriteString(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
						return true
					}
					return false
				},
				"is no answer": func(w http.ResponseWriter, r *http.Request) bool {
					return r.FormValue("NextToken")+r.FormValue("Marker")+r.FormValue("continuation-token") != ""
				},
				"leads in a circle": func(w http.ResponseWriter, r *http.Request) bool {
					if r.FormValue("NextToken")+r.FormValue("Marker")+r.FormValue("continuation-token") == "" {
						return false
					}
					switch typ {
					case "ec2_instance":
						_, _ = io.WriteString(w, "<DescribeInstancesResponse><reservationSet/><nextToken>40</nextToken></DescribeInstancesResponse>")
					case "s3_bucket":
						_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets/><ContinuationToken>40</ContinuationToken></ListAllMyBucketsResult>")
					default:
						list := strings.TrimPrefix(operation, "Describe")
						fmt.Fprintf(w, "<%sResponse><%sResult><%s/><Marker>40</Marker></%sResult></%sResponse>", operation, operation, list, operation, operation)
					}
					return true
				},
				"has no end": func(w http.ResponseWriter, r *http.Request) bool {
					at := r.FormValue("NextToken") + r.FormValue("Marker") + r.FormValue("continuation-token")
					if at == "" {
						return false
					}
					list := strings.TrimPrefix(operation, "Describe")
					switch typ {
					case "ec2_instance":
						fmt.Fprintf(w, "<DescribeInstancesResponse><reservationSet/><nextToken>%s0</nextToken></DescribeInstancesResponse>", at)
					case "s3_bucket":
						fmt.Fprintf(w, "<ListAllMyBucketsResult><Buckets/><ContinuationToken>%s0</ContinuationToken></ListAllMyBucketsResult>", at)
					default:
						fmt.Fprintf(w, "<%sResponse><%sResult><%s/><Marker>%s0</Marker></%sResult></%sResponse>", operation, operation, list, at, operation, operation)
					}
					return true
				},
			} {
				f.answer(func(w http.ResponseWriter, called string, r *http.Request) bool {
					return called == operation && spoil(w, r)
				})
				r, err := h.scan(within(t, time.Minute), env, o, nil)
				if err != nil || r.Removed != 0 || r.Shards != 0 || len(r.Problems) != 1 {
					t.Errorf("a page %s: %+v %v", name, r, err)
				}
				if n := f.called(operation); n > 3 && (name != "has no end" || n > 101) {
					t.Errorf("a page %s: %d calls", name, n)
				}
				if s := shardState(h, fakeAccount, region, typ); s.State == "complete" || !s.At.Equal(before.At) {
					t.Errorf("a page %s: the ledger says %+v", name, s)
				}
				stored := storedIDs(t, h)[scanner.Shard{AccountID: fakeAccount, Region: region, Type: typ}]
				for _, id := range fakeIDs(typ, 0) {
					if _, ok := stored[id]; !ok {
						t.Errorf("a page %s: %s is gone", name, id)
					}
				}
				for id := range stored {
					if !slices.Contains(both, id) {
						t.Errorf("a page %s: %s was made up", name, id)
					}
				}
			}
			f.answer(nil)
			if r, err := h.scan(within(t, time.Minute), env, o, nil); err != nil || r.Removed == 0 || r.Shards != 1 {
				t.Errorf("the next good scan: %+v %v", r, err)
			}
			if stored := storedIDs(t, h)[scanner.Shard{AccountID: fakeAccount, Region: region, Type: typ}]; !slices.Equal(ids(stored), fakeIDs(typ, 1)) {
				t.Errorf("after the next good scan %d are stored", len(stored))
			}
		})
	}
}

// A list is a picture of its beginning: what was stored while it ran, by a live
// read or another scan, is younger and stays until a list that began later.
func TestWhatIsStoredWhileAListRunsStays(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	for typ, operation := range fakeLists {
		region := "us-west-2"
		young := storage.Resource{
			Type: typ, ID: "young", ARN: "arn:aws:x:us-west-2:" + fakeAccount + ":" + typ + "/young", Service: typ, AccountID: fakeAccount, Region: region,
			Tags: map[string]string{"round": "0"}, Constraints: map[string]any{}, Metadata: map[string]any{},
		}
		var once sync.Once
		f.answer(func(_ http.ResponseWriter, called string, _ *http.Request) bool {
			if called == operation {
				once.Do(func() {
					young.LastSynced = time.Now().UTC()
					if err := h.store.Estate.Upsert(t.Context(), young); err != nil {
						t.Error(err)
					}
				})
			}
			return false
		})
		o := scanner.Options{Services: []string{typ}, Regions: []string{region}}
		if r, err := h.scan(within(t, time.Minute), env, o, nil); err != nil || r.Removed != 0 || len(h.store.Estate.Find(young.ARN)) != 1 {
			t.Errorf("%s: what was stored meanwhile: %+v %v", typ, r, err)
		}
		f.answer(nil)
		if r, err := h.scan(within(t, time.Minute), env, o, nil); err != nil || r.Removed != 1 || len(h.store.Estate.Find(young.ARN)) != 0 {
			t.Errorf("%s: by a list that began later: %+v %v", typ, r, err)
		}
	}
}

// A scan that can't store what it reads says so, and calls nothing complete.
func TestAScanThatCantStoreIsAnError(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	f.round.Store(1)
	began := time.Now()
	for typ, operation := range fakeLists {
		h.close()
		h.open(t, scanner.Config{})
		var once sync.Once
		f.answer(func(_ http.ResponseWriter, called string, _ *http.Request) bool {
			if called == operation {
				once.Do(func() { _ = h.store.Close() })
			}
			return false
		})
		r, err := h.scan(within(t, time.Minute), env, scanner.Options{Services: []string{typ}}, nil)
		if err == nil || !strings.Contains(err.Error(), "stor") || r.Cancelled {
			t.Errorf("%s, with a store that is closed: %+v %v", typ, r, err)
		}
		for _, s := range h.Ledger() {
			if s.At.After(began) {
				t.Errorf("with a store that is closed the ledger says %+v", s)
			}
		}
		h.store = nil
	}
}

// A detail that can't be read now is as it was known, with its age; nothing is
// said of one that was never known.
func TestADetailThatCantBeReadIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		operations []string
		tags       bool
		versioning bool
	}{
		"tags":       {[]string{"GetBucketTagging"}, true, false},
		"versioning": {[]string{"GetBucketVersioning"}, false, true},
		"both":       {[]string{"GetBucketTagging", "GetBucketVersioning"}, true, true},
		"its region": {[]string{"GetBucketLocation"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAWS(t)
			bare := func(w http.ResponseWriter, operation string) bool {
				if operation == "ListBuckets" && name == "its region" {
					_, _ = io.WriteString(w, "<ListAllMyBucketsResult><Buckets><Bucket><Name>bucket-1</Name></Bucket></Buckets></ListAllMyBucketsResult>")
					return true
				}
				return false
			}
			f.answer(func(w http.ResponseWriter, operation string, _ *http.Request) bool { return bare(w, operation) })
			h, env := scanned(t, f)
			key := h.store.Estate.Find("bucket-1")[0].Key
			before, err := h.store.Estate.Get(t.Context(), key)
			if err != nil || before.Tags["round"] != "0" || before.Metadata["versioning"] != "enabled" || before.Region != "us-west-2" {
				t.Fatalf("%+v %v", before, err)
			}
			known := h.Age(h.store.Estate.Find("bucket-1")[0])

			spoil := func(w http.ResponseWriter, operation string, _ *http.Request) bool {
				if slices.Contains(c.operations, operation) {
					_, _ = io.WriteString(w, signInPage)
					return true
				}
				return bare(w, operation)
			}
			f.answer(spoil)
			check := func(by string) {
				t.Helper()
				after, err := h.store.Estate.Get(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(after.Tags, after.Region, after.Aliases, after.Metadata["versioning"], after.Summary) !=
					fmt.Sprint(before.Tags, before.Region, before.Aliases, before.Metadata["versioning"], before.Summary) {
					t.Errorf("after %s it is %+v, was %+v", by, after, before)
				}
				for detail, kept := range map[string]bool{"tags": c.tags, "versioning": c.versioning} {
					since, _ := after.Metadata[detail+"_as_of"].(string)
					at, err := time.Parse(time.RFC3339Nano, since)
					if (since != "") != kept || (kept && (err != nil || !at.Equal(known))) {
						t.Errorf("after %s the %s are as of %q, want %v", by, detail, since, known)
					}
				}
			}
			for range 2 {
				r, err := h.scan(within(t, time.Minute), env, scanner.Options{Services: []string{"s3"}}, nil)
				if err != nil || r.Removed != 0 || len(r.Problems) == 0 || !strings.Contains(r.Problems[0].Message, "some details are unknown") {
					t.Errorf("%+v %v", r, err)
				}
				check("a scan")
			}
			if _, err := h.refresh(within(t, time.Minute), env, key); err != nil {
				t.Error(err)
			}
			check("a live read")

			// A bucket that is met for the first time has nothing to keep.
			fresh := newHome(t, scanner.Config{})
			if _, err := fresh.scan(within(t, time.Minute), env, scanner.Options{Services: []string{"s3"}}, nil); err != nil {
				t.Fatal(err)
			}
			met, err := fresh.store.Estate.Get(t.Context(), key)
			if err != nil || (met.Metadata["tags_unknown"] != nil) != c.tags || (met.Metadata["versioning"] == nil) != c.versioning || met.Metadata["tags_as_of"] != nil {
				t.Errorf("met for the first time: %+v %v", met, err)
			}

			f.answer(func(w http.ResponseWriter, operation string, _ *http.Request) bool { return bare(w, operation) })
			if r, err := h.scan(within(t, time.Minute), env, scanner.Options{Services: []string{"s3"}}, nil); err != nil || len(r.Problems) != 0 {
				t.Fatalf("%+v %v", r, err)
			}
			if after, err := h.store.Estate.Get(t.Context(), key); err != nil || after.Metadata["tags_as_of"] != nil || after.Metadata["versioning_as_of"] != nil || after.Tags["round"] != "0" {
				t.Errorf("once it can be read again: %+v %v", after, err)
			}
		})
	}
}

// A region that no scan was to read is none that a scan failed to read, unless
// it is asked about.
func TestARegionThatNobodyAskedForIsNoGap(t *testing.T) {
	f := newFakeAWS(t)
	env := f.environment(t)
	h := newHome(t, scanner.Config{})
	scan := func(o scanner.Options) {
		t.Helper()
		if _, err := h.scan(within(t, time.Minute), env, o, nil); err != nil {
			t.Fatal(err)
		}
	}
	scan(scanner.Options{Regions: []string{"us-west-2"}})
	if gaps := h.Gaps(storage.Filter{}); len(gaps) != 0 {
		t.Errorf("after all of the region that was asked for: %q", gaps)
	}
	if gaps := h.Gaps(storage.Filter{Region: "eu-west-1"}); len(gaps) != 1 || !strings.Contains(gaps[0], "never scanned") {
		t.Errorf("asked about another: %q", gaps)
	}
	f.answer(func(w http.ResponseWriter, operation string, r *http.Request) bool {
		return operation == "DescribeInstances" && strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/")
	})
	scan(scanner.Options{})
	h.close()
	h.open(t, scanner.Config{})
	if gaps := h.Gaps(storage.Filter{}); len(gaps) != 1 || !strings.HasPrefix(gaps[0], "ec2_instance in eu-west-1 of ") || !strings.Contains(gaps[0], "not AWS's") {
		t.Errorf("after a scan of all that failed there: %q", gaps)
	}
	f.answer(nil)
	scan(scanner.Options{})
	if gaps := h.Gaps(storage.Filter{}); len(gaps) != 0 {
		t.Errorf("after a good scan of all: %q", gaps)
	}
}

// That nothing can be read is said with why, and never of a list of regions
// without any, which AWS does not give.
func TestAScanOfNoRegionSaysWhy(t *testing.T) {
	f := newFakeAWS(t)
	h, env := scanned(t, f)
	_, err := h.scan(within(t, time.Minute), env, scanner.Options{Regions: []string{"cn-north-1", "us-gov-east-1"}}, nil)
	for _, says := range []string{"cn-north-1: the region belongs to aws-cn, the account to aws", "us-gov-east-1: the region belongs to aws-us-gov", "choose another region or profile"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	f.answer(func(w http.ResponseWriter, operation string, _ *http.Request) bool {
		if operation == "DescribeRegions" {
			_, _ = io.WriteString(w, "<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>")
		}
		return operation == "DescribeRegions"
	})
	for _, asked := range [][]string{nil, {"us-west-2"}} {
		r, err := h.scan(within(t, time.Minute), env, scanner.Options{Regions: asked}, nil)
		if err != nil || r.Resources == 0 || r.Removed != 0 {
			t.Errorf("%v: %+v %v", asked, r, err)
		}
		if said := fmt.Sprint(r.Problems); asked == nil && !strings.Contains(said, "a list of regions with none of aws") {
			t.Errorf("it says %s", said)
		}
	}
}
