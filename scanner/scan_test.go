package scanner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

// seededRegions keeps scans short: moto has 38 regions.
var seededRegions = []string{awstest.West, awstest.East, awstest.EmptyRegion}

func mustScan(t *testing.T, h *home, env session.Environment, o scanner.Options) scanner.Result {
	t.Helper()
	if o.Regions == nil {
		o.Regions = seededRegions
	}
	r, err := h.scan(within(t, time.Minute), env, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func shardState(h *home, account, region, typ string) scanner.ShardState {
	for _, s := range h.Ledger() {
		if s.Shard == (scanner.Shard{AccountID: account, Region: region, Type: typ}) {
			return s
		}
	}
	return scanner.ShardState{State: "absent"}
}

func TestScanFillsTheEstate(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("", p.URL)
	var steps []scanner.Progress
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{Profiles: []string{"*"}, Regions: seededRegions},
		func(step scanner.Progress) { steps = append(steps, step) })
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Resources, r.Changed, r.Removed, r.Accounts); got != "15 15 0 [123456789012 210987654321]" {
		t.Errorf("the scan found %s", got)
	}
	if n, err := h.store.Estate.Count(t.Context()); err != nil || n != 15 {
		t.Errorf("the estate holds %d resources: %v", n, err)
	}

	denied := []string{}
	for _, problem := range r.Problems {
		denied = append(denied, fmt.Sprintf("%s %s %s %s", problem.Code, problem.AccountID, problem.Service, problem.Hint))
	}
	slices.Sort(denied)
	want := []string{
		"denied 210987654321 rds allow rds:DescribeDBClusters to profile staging",
		"denied 210987654321 s3 allow s3:ListAllMyBuckets to profile staging",
	}
	if !slices.Equal(denied, want) {
		t.Errorf("problems:\n got %s\nwant %s", strings.Join(denied, "\n     "), strings.Join(want, "\n     "))
	}
	for _, c := range []struct{ account, region, typ, state string }{
		{awstest.ProdAccount, awstest.West, "rds_instance", "complete"},
		{awstest.ProdAccount, awstest.EmptyRegion, "ec2_instance", "complete"},
		{awstest.ProdAccount, "global", "s3_bucket", "complete"},
		{awstest.ProdAccount, "ap-south-1", "ec2_instance", "never"},
		{awstest.StagingAccount, "global", "s3_bucket", "denied"},
		{awstest.StagingAccount, awstest.East, "rds_cluster", "denied"},
	} {
		if s := shardState(h, c.account, c.region, c.typ); s.State != c.state || s.At.IsZero() != (c.state != "complete") {
			t.Errorf("%v: the ledger says %+v", c, s)
		}
	}
	gaps := h.Gaps(storage.Filter{AccountID: awstest.StagingAccount, Region: awstest.East})
	if len(gaps) != 1 || gaps[0] != "rds_cluster in eu-west-1 and s3_bucket of staging (210987654321): denied by AWS" {
		t.Errorf("gaps: %q", gaps)
	}
	if gaps := h.Gaps(storage.Filter{AccountID: awstest.ProdAccount, Region: awstest.East}); len(gaps) != 0 {
		t.Errorf("gaps where all was listed: %q", gaps)
	}

	last := steps[len(steps)-1]
	if last.Done != last.Total || last.Resources != 15 || last.Message == "" {
		t.Errorf("the last step is %+v", last)
	}
	for _, call := range p.Calls("", "", "") {
		if !strings.Contains(call.UserAgent, "app/cloudops") {
			t.Fatalf("%s %s calls itself %s", call.Service, call.Operation, call.UserAgent)
		}
	}
	if n := len(p.Calls("ec2", "DescribeInstances", awstest.East)); n != 2 {
		t.Errorf("eu-west-1 was listed %d times for two accounts of four profiles", n)
	}

	again := mustScan(t, h, env, scanner.Options{Profiles: []string{"*"}})
	if again.Resources != 15 || again.Changed != 0 || again.Removed != 0 {
		t.Errorf("scanning again: %+v, want nothing changed", again)
	}
}

func TestStoredResourcesCarryFactsAndNoSecrets(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	mustScan(t, h, e.Environment("prod", ""), scanner.Options{})
	all, err := h.store.Estate.List(t.Context(), storage.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append([]string{"MasterUser", "user_data", "UserData"}, awstest.Planted...) {
		if strings.Contains(string(text), secret) {
			t.Errorf("the estate holds %q", secret)
		}
	}
	byID := map[string]storage.Resource{}
	for _, r := range all {
		byID[r.ID] = r
	}
	main := byID[awstest.MainDB]
	if got, want := fmt.Sprintln(main.ARN, main.Engine, main.State, main.AccountName, main.Tags["env"], main.Tags["app"], main.Summary),
		"arn:aws:rds:us-west-2:123456789012:db:pg-instance-main1 postgres available prod production main db.t3.medium · postgres 14.7 · 100 GiB · Multi-AZ\n"; got != want {
		t.Errorf("the main database:\n got %swant %s", got, want)
	}
	for _, c := range []struct {
		id, constraint string
		want           any
	}{
		{awstest.MainDB, "has_read_replicas", false}, {awstest.MainDB, "multi_az", true},
		{awstest.OrdersDB, "has_read_replicas", true},
		{awstest.OrdersReplica, "is_read_replica", true},
		{awstest.Cluster, "deletion_protection", true},
	} {
		if got := byID[c.id].Constraints[c.constraint]; got != c.want {
			t.Errorf("%s of %s is %v, want %v", c.constraint, c.id, got, c.want)
		}
	}
	if r := byID[awstest.WestBucket]; r.Region != awstest.West || r.Tags["app"] != "web" || r.ARN != "arn:aws:s3:::"+awstest.WestBucket {
		t.Errorf("the bucket in us-west-2 is %+v", r)
	}
	if r := byID[awstest.EastBucket]; r.Region != awstest.East || r.Tags["app"] != "logs" {
		t.Errorf("the bucket in eu-west-1 is %+v", r)
	}
	if r := byID[e.Hostile]; r.Name != awstest.HostileName {
		t.Errorf("the hostile name was stored as %q", r.Name)
	}
	if found := h.store.Estate.Find(awstest.WebName); len(found) != 2 {
		t.Errorf("%d resources are called web-1, want 2", len(found))
	}
	ip, _ := byID[e.WebWest].Metadata["private_ip"].(string)
	if found := h.store.Estate.Find(ip); len(found) != 1 || found[0].ID != e.WebWest {
		t.Errorf("by its address %q: %v", ip, found)
	}
}

func TestGoneResourcesLeaveOnlyWithAWholeList(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	mustScan(t, h, env, scanner.Options{})
	before := shardState(h, awstest.ProdAccount, awstest.West, "rds_instance")
	if _, err := rds.NewFromConfig(e.Config(awstest.West)).DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{
		DBInstanceIdentifier: aws.String(awstest.OrdersReplica), SkipFinalSnapshot: aws.Bool(true),
	}); err != nil {
		t.Fatal(err)
	}

	p.Spoil(awstest.Fault{Service: "rds", Operation: "DescribeDBInstances", Region: awstest.West, Kind: awstest.Deny})
	r := mustScan(t, h, env, scanner.Options{})
	if r.Removed != 0 || len(h.store.Estate.Find(awstest.OrdersReplica)) != 1 {
		t.Errorf("a denied list removed resources: %+v", r)
	}
	if s := shardState(h, awstest.ProdAccount, awstest.West, "rds_instance"); s.State != "denied" || !s.At.Equal(before.At) || s.Problem == "" {
		t.Errorf("the denied shard is %+v, was %+v", s, before)
	}
	if len(r.Problems) != 1 || r.Problems[0].Code != "denied" || r.Problems[0].Region != awstest.West {
		t.Errorf("problems: %+v", r.Problems)
	}

	p.Heal()
	r = mustScan(t, h, env, scanner.Options{Services: []string{"rds"}, Regions: []string{awstest.East}})
	if r.Removed != 0 {
		t.Errorf("a scan of another region removed resources: %+v", r)
	}
	r = mustScan(t, h, env, scanner.Options{})
	if r.Removed != 1 || len(h.store.Estate.Find(awstest.OrdersReplica)) != 0 {
		t.Errorf("a whole list kept what is gone: %+v", r)
	}
}

func TestListsGoPageByPage(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	client := rds.NewFromConfig(e.Config(awstest.West))
	for i := range 110 {
		if _, err := client.CreateDBInstance(t.Context(), &rds.CreateDBInstanceInput{
			DBInstanceIdentifier: aws.String(fmt.Sprintf("many-%03d", i)), DBInstanceClass: aws.String("db.t3.micro"), Engine: aws.String("mysql"),
			AllocatedStorage: aws.Int32(20), MasterUsername: aws.String("master"), MasterUserPassword: aws.String(awstest.Planted[1]),
		}); err != nil {
			t.Fatal(err)
		}
	}
	env := e.Environment("prod", p.URL)
	o := scanner.Options{Services: []string{"rds_instance"}, Regions: []string{awstest.West}}
	if r := mustScan(t, h, env, o); r.Resources != 113 || r.Shards != 1 {
		t.Errorf("%+v, want 113 resources", r)
	}
	if n := len(p.Calls("rds", "DescribeDBInstances", "")); n != 2 {
		t.Errorf("%d calls, want 2 pages", n)
	}

	// The second page fails: the first is kept, nothing is removed, nothing is called complete.
	at := shardState(h, awstest.ProdAccount, awstest.West, "rds_instance").At
	p.Heal()
	p.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Slow, Times: 1, Delay: time.Nanosecond}, awstest.Fault{Service: "rds", Kind: awstest.Deny})
	r := mustScan(t, h, env, o)
	if n, _ := h.store.Estate.Count(t.Context()); r.Removed != 0 || n != 113 {
		t.Errorf("half a list left %d resources: %+v", n, r)
	}
	if s := shardState(h, awstest.ProdAccount, awstest.West, "rds_instance"); s.State != "denied" || !s.At.Equal(at) {
		t.Errorf("after half a list the ledger says %+v", s)
	}
}

func TestAThrottledRegionLeavesTheRest(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	p.Spoil(
		awstest.Fault{Service: "ec2", Operation: "DescribeInstances", Region: awstest.East, Kind: awstest.Throttle},
		// What passes after a retry is no problem.
		awstest.Fault{Service: "ec2", Operation: "DescribeInstances", Region: awstest.West, Kind: awstest.Throttle, Times: 1},
	)
	r := mustScan(t, h, e.Environment("prod", p.URL), scanner.Options{})
	if len(r.Problems) != 1 || r.Problems[0].Code != "throttled" || r.Problems[0].Region != awstest.East || r.Problems[0].Hint == "" {
		t.Errorf("problems: %+v", r.Problems)
	}
	if r.Resources != 12 {
		t.Errorf("%d resources, want all but the one in eu-west-1", r.Resources)
	}
	if s := shardState(h, awstest.ProdAccount, awstest.East, "ec2_instance"); s.State != "failed" || !s.At.IsZero() {
		t.Errorf("the throttled shard is %+v", s)
	}
}

func TestACutAnswerIsNotAWholeList(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	o := scanner.Options{Services: []string{"rds_instance"}, Regions: []string{awstest.West}}
	// Cut once, it is asked for again.
	p.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Cut, Times: 1})
	if r := mustScan(t, h, env, o); len(r.Problems) != 0 || r.Resources != 3 {
		t.Errorf("%+v", r)
	}
	p.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Cut})
	r := mustScan(t, h, env, o)
	if len(r.Problems) != 1 || r.Removed != 0 || len(h.store.Estate.Find(awstest.MainDB)) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAnUnreachableEndpointIsSaidOnce(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	began := time.Now()
	var once sync.Once
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{}, func(step scanner.Progress) {
		if step.Total > 0 {
			once.Do(p.Close)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Problems) != 1 || r.Problems[0].Code != "unreachable" || r.Problems[0].Hint == "" {
		t.Errorf("problems: %+v", r.Problems)
	}
	_, err = h.scan(within(t, time.Minute), e.Environment("staging", p.URL), scanner.Options{}, nil)
	if !errors.Is(err, session.ErrUnreachable) || !strings.Contains(err.Error(), p.URL) {
		t.Errorf("scanning where nothing answers: %v", err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("it took %v to notice", took)
	}
	for _, s := range h.Ledger() {
		if s.State == "complete" && s.Count == 0 && s.Region == awstest.West {
			t.Errorf("an unread shard is called complete: %+v", s)
		}
	}
}

func TestCancelKeepsWhatIsWhole(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	mustScan(t, h, env, scanner.Options{})
	before := h.Ledger()
	p.Spoil(awstest.Fault{Service: "rds", Kind: awstest.Hang})
	p.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeInstances", Kind: awstest.Hang})
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	s3 := scanner.Shard{AccountID: awstest.ProdAccount, Region: "global", Type: "s3_bucket"}
	r, err := h.scan(ctx, env, scanner.Options{Regions: seededRegions}, func(step scanner.Progress) {
		if step.Done == 1 {
			cancel()
		}
	})
	if err != nil || !r.Cancelled || r.Removed != 0 || r.Shards != 1 {
		t.Errorf("%+v %v, want a cancelled scan of one shard", r, err)
	}
	after := h.Ledger()
	for i := range before {
		if changed := !after[i].At.Equal(before[i].At) || after[i].State != before[i].State; changed != (before[i].Shard == s3) {
			t.Errorf("the ledger went from %+v to %+v", before[i], after[i])
		}
	}
	if n, _ := h.store.Estate.Count(t.Context()); n != 13 {
		t.Errorf("%d resources are left of 13", n)
	}
}

func TestWithoutTheListOfRegionsTheProfilesOwnIsRead(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	p.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeRegions", Kind: awstest.Deny})
	r, err := h.scan(within(t, time.Minute), e.Environment("prod", p.URL), scanner.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Resources != 9 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Hint, "ec2:DescribeRegions") {
		t.Errorf("%+v", r)
	}
	if gaps := h.Gaps(storage.Filter{}); len(gaps) != 1 || gaps[0] != "other regions of prod (123456789012): AWS did not tell which there are" {
		t.Errorf("gaps: %q", gaps)
	}
	p.Heal()
	mustScan(t, h, e.Environment("prod", p.URL), scanner.Options{Services: []string{"s3"}, Regions: seededRegions})
	gaps := strings.Join(h.Gaps(storage.Filter{}), "; ")
	if !strings.Contains(gaps, "never scanned") || strings.Contains(gaps, "other regions") {
		t.Errorf("gaps once the regions are known: %q", gaps)
	}
}

func TestRegionsOfOtherPartitionsAreNoGaps(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	o := scanner.Options{Services: []string{"ec2"}, Regions: []string{awstest.West, awstest.West, "cn-north-1"}}
	for range 2 {
		r := mustScan(t, h, env, o)
		if r.Resources != 4 || len(r.Problems) != 1 || r.Problems[0].Region != "cn-north-1" || !strings.Contains(r.Problems[0].Message, "aws-cn") {
			t.Errorf("%+v", r)
		}
		for _, s := range h.Ledger() {
			if strings.HasPrefix(s.Region, "cn-") || strings.HasPrefix(s.Region, "us-gov-") {
				t.Errorf("the ledger has %+v", s)
			}
		}
		p.Spoil(awstest.Fault{Service: "ec2", Operation: "DescribeRegions", Kind: awstest.Deny})
	}
}

func TestBucketsAreKeptWhateverTheirDetails(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	h.setPatience(time.Second)
	env := e.Environment("prod", p.URL)
	// The region that is scanned is not that of all buckets.
	o := scanner.Options{Services: []string{"s3"}, Regions: []string{awstest.West}}
	for _, c := range []struct {
		fault  awstest.Fault
		code   string
		hint   string
		tagged int
	}{
		{awstest.Fault{Service: "s3", Operation: "GetBucketTagging", Kind: awstest.Deny}, "denied", "s3:GetBucketTagging", 0},
		{awstest.Fault{Service: "s3", Operation: "GetBucketVersioning", Kind: awstest.Deny}, "denied", "s3:GetBucketVersioning", 2},
		{awstest.Fault{Service: "s3", Operation: "GetBucketTagging", Region: awstest.East, Kind: awstest.Hang}, "unreachable", "network", 2},
	} {
		p.Heal()
		p.Spoil(c.fault)
		r := mustScan(t, h, env, o)
		if r.Resources != 2 || r.Removed != 0 || r.Shards != 1 || len(r.Problems) != 1 || r.Problems[0].Code != c.code || !strings.Contains(r.Problems[0].Hint, c.hint) {
			t.Errorf("%+v: %+v", c.fault, r)
		}
		all, err := h.store.Estate.ByType(t.Context(), "s3_bucket")
		if err != nil {
			t.Fatal(err)
		}
		tagged := 0
		for _, b := range all {
			if b.Tags["env"] == "production" && b.Metadata["tags_unknown"] == nil {
				tagged++
			}
		}
		if len(all) != 2 || tagged != c.tagged {
			t.Errorf("%+v: %d buckets of which %d are tagged, want %d", c.fault, len(all), tagged, c.tagged)
		}
		if s := shardState(h, awstest.ProdAccount, "global", "s3_bucket"); s.State != "complete" {
			t.Errorf("%+v: the ledger says %+v", c.fault, s)
		}
	}
	// A region that left one bucket unanswered is not waited for again.
	if n := len(p.Calls("s3", "GetBucketVersioning", awstest.East)); n != 0 {
		t.Errorf("the silent region was asked %d times more", n)
	}
}

func TestAllRegionsAreReadByDefault(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	began := time.Now()
	r, err := h.scan(within(t, 2*time.Minute), e.Environment("prod", ""), scanner.Options{}, nil)
	if err != nil || r.Resources != 13 || len(r.Problems) != 0 || r.Shards < 50 {
		t.Errorf("%+v %v", r, err)
	}
	t.Logf("%d shards in %v", r.Shards, time.Since(began))
}

func TestWrongNamesAreToldBeforeAnythingIsRead(t *testing.T) {
	e := seeded(t)
	p := proxied(t, e)
	h := newHome(t, scanner.Config{})
	env := e.Environment("prod", p.URL)
	for _, c := range []struct {
		o    scanner.Options
		is   error
		want string
	}{
		{scanner.Options{Profiles: []string{"prdo"}}, session.ErrUnknownProfile, "default, empty, prod, staging"},
		{scanner.Options{Profiles: []string{"empty"}}, session.ErrNoCredentials, "aws configure --profile empty"},
		{scanner.Options{Services: []string{"ec3"}}, nil, "ec2"},
		{scanner.Options{Regions: []string{"us-west-2; rm"}}, nil, "us-west-2"},
	} {
		_, err := h.scan(within(t, time.Minute), env, c.o, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%+v: %v, want %v and %q", c.o, err, c.is, c.want)
		}
		if p := session.Explain(err); p.Hint == "" || p.Message == "" {
			t.Errorf("%v is explained as %+v", err, p)
		}
	}
	if calls := p.Calls("", "", ""); len(calls) != 0 {
		t.Errorf("AWS was called: %v", calls)
	}
	_, err := h.scan(within(t, time.Minute), env, scanner.Options{Regions: []string{"us-nowhere-7"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "us-nowhere-7") {
		t.Errorf("a region that does not exist: %v", err)
	}
	r, err := h.scan(within(t, time.Minute), env, scanner.Options{Profiles: []string{"prod", "empty"}, Regions: []string{awstest.EmptyRegion}}, nil)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Profile != "empty" || r.Problems[0].Code != "credentials" {
		t.Errorf("one profile of two has no keys: %+v %v", r, err)
	}
}

func TestScansAtTheSameTime(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{Concurrency: 3})
	var wg sync.WaitGroup
	for _, profile := range []string{"prod", "staging", "default"} {
		wg.Go(func() {
			if _, err := h.scan(within(t, time.Minute), e.Environment(profile, ""), scanner.Options{Regions: seededRegions}, func(scanner.Progress) {}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := h.store.Estate.Count(t.Context()); n != 15 || err != nil {
		t.Errorf("%d resources: %v", n, err)
	}
}

func TestTheLedgerSurvivesAndNeverOutlivesItsStore(t *testing.T) {
	e := seeded(t)
	h := newHome(t, scanner.Config{})
	mustScan(t, h, e.Environment("prod", ""), scanner.Options{})
	before := h.Ledger()
	record := h.store.Estate.Find(awstest.MainDB)[0]
	if age := h.Age(record); age.Before(record.LastSynced) || time.Since(age) > time.Minute {
		t.Errorf("the main database is known at %v", age)
	}
	h.close()
	h.open(t, scanner.Config{})
	if after := h.Ledger(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the ledger was\n%v\nand is\n%v", before, after)
	}
	keys := []storage.Key{}
	for _, r := range h.store.Estate.Find(awstest.MainDB) {
		keys = append(keys, r.Key)
	}
	for _, id := range []string{awstest.OrdersDB, awstest.OrdersReplica} {
		keys = append(keys, h.store.Estate.Find(id)[0].Key)
	}
	if err := h.store.Estate.Delete(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
	h.close()
	h.open(t, scanner.Config{})
	if s := shardState(h, awstest.ProdAccount, awstest.West, "rds_instance"); s.State != "never" || !s.At.IsZero() {
		t.Errorf("a shard whose resources are lost is %+v", s)
	}
	if s := shardState(h, awstest.ProdAccount, awstest.West, "ec2_instance"); s.State != "complete" {
		t.Errorf("another shard is %+v", s)
	}
}
