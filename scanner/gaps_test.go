package scanner

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	services "github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// knowing is a ledger that knows accounts and no shard.
func knowing(accounts ...account) *ledger {
	l := &ledger{covered: map[string]coverage{}, shards: map[Shard]ShardState{}}
	var known []session.Account
	for _, a := range accounts {
		known, l.covered[a.ID] = append(known, a.Account), a.coverage
	}
	l.accounts = session.NewAccounts("", known, nil)
	return l
}

func named(id, profile string, regionsKnown bool) account {
	return account{session.Account{ID: id, Name: profile, Profiles: []string{profile}}, coverage{RegionsKnown: regionsKnown}}
}

// A part of AWS that was not listed is named only where what was asked for
// could be in it.
func TestAGapIsWhereTheThingCouldBe(t *testing.T) {
	const any = "ec2_instance rds_cluster rds_instance s3_bucket"
	for identifier, want := range map[string]string{
		"i-0123456789abcdef0": "ec2_instance", "i-1a2b3c4d": "ec2_instance", "I-1A2B3C4D": "ec2_instance",
		"10.0.0.1": "ec2_instance", "2001:db8::1": "ec2_instance", "ip-10-0-0-1.us-west-2.compute.internal": "ec2_instance",
		"ec2-203-0-113-1.us-west-2.compute.amazonaws.com": "ec2_instance",
		"db-ABCDEFGHIJKLMNOPQRSTUVWXYZ":                   "rds_instance", "cluster-ABCDEFGHIJKLMNOPQRSTUVWX": "rds_cluster",
		"pg-1.abc.us-west-2.rds.amazonaws.com": "rds_cluster rds_instance",
		"s3://acme-logs/x":                     "s3_bucket", "acme-logs.s3.us-west-2.amazonaws.com": "s3_bucket", "acme.s3-us-west-2.amazonaws.com": "s3_bucket",
		"arn:aws:ec2:us-west-2:1:instance/i-1a2b3c4d": "ec2_instance", "arn:aws:rds:us-west-2:1:db:pg-1": "rds_instance",
		"arn:aws:rds:us-west-2:1:cluster:pg-1": "rds_cluster", "arn:aws:s3:::acme-logs": "s3_bucket",
		"web-1": any, "acme-logs": any, "PG-Main-1": "ec2_instance rds_cluster rds_instance",
		"Web Server": "ec2_instance", "acme.logs": "ec2_instance s3_bucket", "under_score": "ec2_instance", "a--b": "ec2_instance s3_bucket",
		"vpc-0a1b2c3d": "", "subnet-0123456789abcdef0": "", "arn:aws:lambda:us-west-2:1:function:f": "", "arn:aws:ec2:us-west-2:1:vpc/vpc-1": "",
	} {
		w := services.Kinds().Where(identifier)
		if got := strings.Join(slices.Sorted(slices.Values(w.Types)), " "); got != want {
			t.Errorf("%s could be %q, want %q", identifier, got, want)
		}
		if want == "" && w.Unread == "" {
			t.Errorf("%s: it isn't said what this version doesn't read", identifier)
		}
	}

	l := knowing(named("1", "prod", true), named("2", "dev", true))
	for _, id := range []string{"1", "2"} {
		l.expect([]Shard{{id, "a-a-1", "ec2_instance"}, {id, "a-a-2", "rds_instance"}, {id, "global", "s3_bucket"}})
	}
	s := &Scanner{ledger: l, estate: &storage.Estate{}}
	for identifier, want := range map[string]string{
		"i-1a2b3c4d":                       "ec2_instance in a-a-1 of prod (1): never scanned; ec2_instance in a-a-1 of dev (2): never scanned",
		"arn:aws:rds:a-a-2:2:db:pg":        "rds_instance in a-a-2 of dev (2): never scanned",
		"arn:aws:rds:a-a-1:2:db:pg":        "",
		"arn:aws:s3:::acme":                "s3_bucket of prod (1): never scanned; s3_bucket of dev (2): never scanned",
		"arn:aws:lambda:a-a-1:1:function:": "lambda function: this version does not read it",
		"vpc-0a1b2c3d":                     "vpc: this version does not read it",
	} {
		if got := strings.Join(s.GapsOf(map[string][]storage.Record{identifier: nil})[identifier], "; "); got != want {
			t.Errorf("%s: gaps %q, want %q", identifier, got, want)
		}
		if got := strings.Join(s.GapsFor(identifier, storage.Filter{}), "; "); got != want {
			t.Errorf("searching %s: gaps %q, want %q", identifier, got, want)
		}
	}
	if got := s.GapsFor("i-1a2b3c4d", storage.Filter{Type: "s3_bucket"}); got != nil {
		t.Errorf("an instance among the buckets: %q", got)
	}
	if got := s.GapsFor("Production", storage.Filter{AccountID: "1"}); len(got) != 1 || !strings.Contains(got[0], "ec2_instance in a-a-1 and rds_instance in a-a-2 and s3_bucket of") {
		t.Errorf("a word, which tags of anything may hold: %q", got)
	}
}

// Below what is the only one that can be called so, no gap is named.
func TestAUniqueHitHasNoGap(t *testing.T) {
	l := knowing(named("1", "prod", true))
	l.expect([]Shard{{"1", "a-a-1", "ec2_instance"}, {"1", "a-a-1", "rds_instance"}, {"1", "global", "s3_bucket"}})
	s := &Scanner{ledger: l, estate: &storage.Estate{}}
	instance := storage.Record{Key: storage.Key{Type: "ec2_instance", ID: "i-1a2b3c4d", ARN: "arn:aws:ec2:a-a-1:1:instance/i-1a2b3c4d"}, Name: "web-1"}
	database := storage.Record{Key: storage.Key{Type: "rds_instance", ID: "pg-1", ARN: "arn:aws:rds:a-a-1:1:db:pg-1"}, Name: "pg-1"}
	bucket := storage.Record{Key: storage.Key{Type: "s3_bucket", ID: "acme", ARN: "arn:aws:s3:::acme"}, Name: "acme"}
	odd := storage.Record{Key: instance.Key, Name: "10.0.0.9"}
	for _, c := range []struct {
		identifier string
		found      []storage.Record
		unique     bool
	}{
		{"i-1a2b3c4d", []storage.Record{instance}, true},
		{"I-1A2B3C4D", []storage.Record{instance}, true},
		{instance.ARN, []storage.Record{instance}, true},
		{"10.0.0.1", []storage.Record{instance}, true},
		{"10.0.0.1", []storage.Record{instance, instance}, true},
		{"ip-10-0-0-1.ec2.internal", []storage.Record{instance}, true},
		{"pg-1.abc.a-a-1.rds.amazonaws.com", []storage.Record{database}, true},
		{database.ARN, []storage.Record{database}, true},
		{"acme", []storage.Record{bucket}, true},
		{"web-1", []storage.Record{instance}, false},
		{"pg-1", []storage.Record{database}, false}, // another region may have one
		{"acme", []storage.Record{bucket, {Key: instance.Key, Name: "acme"}}, false},
		{"10.0.0.9", []storage.Record{odd}, false}, // somebody's name for it
		{"web-1", nil, false},
	} {
		gaps := s.GapsOf(map[string][]storage.Record{c.identifier: c.found})[c.identifier]
		if (len(gaps) == 0) != c.unique {
			t.Errorf("%s of %d: gaps %q", c.identifier, len(c.found), gaps)
		}
	}
}

// Regions and accounts that nobody wants read are no gaps, unless it is them
// that are asked about.
func TestOnlyWhatIsToBeReadIsAGap(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		asked []string
		known bool
		f     storage.Filter
		want  string
	}{
		"all is asked for":             {Config{}, []string{"*"}, true, storage.Filter{}, "a-a-1 a-a-2 a-a-3"},
		"a ledger that doesn't tell":   {Config{}, nil, true, storage.Filter{}, "a-a-1 a-a-2 a-a-3"},
		"one region was asked for":     {Config{}, []string{"a-a-2"}, true, storage.Filter{}, "a-a-2"},
		"one is configured":            {Config{Regions: []string{"a-a-1"}}, []string{"*"}, true, storage.Filter{}, "a-a-1"},
		"one is configured, one asked": {Config{Regions: []string{"a-a-1"}}, []string{"a-a-3"}, true, storage.Filter{}, "a-a-1 a-a-3"},
		"another is asked about":       {Config{Regions: []string{"a-a-1"}}, []string{"a-a-1"}, true, storage.Filter{Region: "a-a-3"}, "a-a-3"},
		"regions unknown":              {Config{}, []string{"*"}, false, storage.Filter{}, "a-a-1 a-a-2 a-a-3 other"},
		"unknown, one configured":      {Config{Regions: []string{"a-a-1"}}, []string{"a-a-1"}, false, storage.Filter{}, "a-a-1"},
		"unknown, one asked for":       {Config{}, []string{"a-a-1"}, false, storage.Filter{}, "a-a-1"},
		"unknown, another asked about": {Config{}, []string{"a-a-1"}, false, storage.Filter{Region: "a-a-9"}, "other"},
		"its profile is configured":    {Config{Profiles: []string{"prod"}}, nil, true, storage.Filter{}, "a-a-1 a-a-2 a-a-3"},
		"all profiles are":             {Config{Profiles: []string{"*"}}, nil, true, storage.Filter{}, "a-a-1 a-a-2 a-a-3"},
		"another profile is":           {Config{Profiles: []string{"dev"}}, nil, true, storage.Filter{}, ""},
		"another is, it was scanned":   {Config{Profiles: []string{"dev"}}, []string{"a-a-2"}, true, storage.Filter{}, "a-a-2"},
	} {
		l := knowing(named("1", "prod", c.known))
		for _, region := range []string{"a-a-1", "a-a-2", "a-a-3"} {
			l.expect([]Shard{{"1", region, "ec2_instance"}})
		}
		if c.asked != nil {
			l.asked("1", slices.DeleteFunc(slices.Clone(c.asked), func(r string) bool { return r == "*" }))
		}
		s := &Scanner{ledger: l, estate: &storage.Estate{}, config: c.cfg}
		got := []string{}
		said := strings.Join(s.Gaps(c.f), "; ")
		for _, word := range []string{"a-a-1", "a-a-2", "a-a-3", "other"} {
			if strings.Contains(said, word) {
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: gaps %q, want %q", name, said, c.want)
		}
	}
}

// The reason is said, so that people know whether to scan, to ask or to wait.
func TestAGapSaysWhy(t *testing.T) {
	shard := Shard{"1", "a-a-1", "ec2_instance"}
	for want, set := range map[string]func(*ledger){
		"never scanned": func(l *ledger) { l.expect([]Shard{shard}) },
		"denied by AWS": func(l *ledger) { l.incomplete(shard, time.Now(), stateDenied, "AWS denies the call") },
		"could not be read: AWS limits the rate of calls": func(l *ledger) { l.incomplete(shard, time.Now(), stateFailed, "AWS limits the rate of calls") },
	} {
		l := knowing(named("1", "prod", true))
		set(l)
		s := &Scanner{ledger: l, estate: &storage.Estate{}}
		if got := s.Gaps(storage.Filter{}); len(got) != 1 || got[0] != "ec2_instance in a-a-1 of prod (1): "+want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Of a shard that was listed whole and lost something since, absence is not said,
// in whichever region what was lost had been.
func TestWhatWasLostIsAGap(t *testing.T) {
	instances, buckets := Shard{"1", "a-a-1", "ec2_instance"}, Shard{"1", globalRegion, "s3_bucket"}
	for name, c := range map[string]struct {
		lost []storage.Shard
		want string
	}{
		"nothing":             {nil, ""},
		"some of it":          {[]storage.Shard{{AccountID: "1", Region: "a-a-1", Type: "ec2_instance"}}, "ec2_instance in a-a-1"},
		"in another region":   {[]storage.Shard{{AccountID: "1", Region: "a-a-2", Type: "ec2_instance"}}, ""},
		"of another account":  {[]storage.Shard{{AccountID: "2", Region: "a-a-1", Type: "ec2_instance"}}, ""},
		"of another type":     {[]storage.Shard{{AccountID: "1", Region: "a-a-1", Type: "rds_instance"}}, ""},
		"of a list for all":   {[]storage.Shard{{AccountID: "1", Region: "a-a-2", Type: "s3_bucket"}}, "s3_bucket"},
		"another, and it too": {[]storage.Shard{{AccountID: "2", Type: "s3_bucket"}, {AccountID: "1", Type: "s3_bucket"}}, "s3_bucket"},
	} {
		l := knowing(named("1", "prod", true))
		l.complete(instances, time.Now(), 3)
		l.complete(buckets, time.Now(), 3)
		got := l.gaps(whereOf(storage.Filter{}), Config{}, c.lost...)
		if want := c.want + " of prod (1): what was stored is not whole, scan again"; len(got) > 1 || (len(got) == 1) != (c.want != "") || len(got) == 1 && got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What can't be meant is said, with what may have been: "nothing matches" would
// be true of it whatever there is.
func TestAFilterIsUnderstoodOrRefused(t *testing.T) {
	l := knowing(named("123456789012", "prod", true))
	l.expect([]Shard{{"123456789012", "us-west-2", "ec2_instance"}, {"123456789012", "eu-west-1", "ec2_instance"}})
	_, keys := storagetest.Home(t)
	store, err := storage.Open(t.Context(), storage.Config{}, keys, services.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := &Scanner{ledger: l, estate: store.Estate}
	for _, c := range []struct {
		f, want storage.Filter
		says    string
	}{
		{storage.Filter{}, storage.Filter{}, ""},
		{storage.Filter{Type: "ec2_instance"}, storage.Filter{Type: "ec2_instance"}, ""},
		{storage.Filter{Type: "ec2"}, storage.Filter{Service: "ec2"}, ""},
		{storage.Filter{Type: "RDS"}, storage.Filter{Service: "rds"}, ""},
		{storage.Filter{Type: "foo"}, storage.Filter{}, `no type "foo"; there are: ec2_instance, rds_instance, rds_cluster, s3_bucket`},
		{storage.Filter{Type: "rds_instanec"}, storage.Filter{}, "did you mean rds_instance?"},
		{storage.Filter{Type: "ec2", Service: "rds"}, storage.Filter{}, `no type "ec2"`},
		{storage.Filter{Service: "lambda"}, storage.Filter{}, `no service "lambda"; there are: ec2, rds, s3`},
		{storage.Filter{Region: "US-WEST-2"}, storage.Filter{Region: "us-west-2"}, ""},
		{storage.Filter{Region: "us-wst-2"}, storage.Filter{}, `no region "us-wst-2"; did you mean us-west-2?`},
		{storage.Filter{Region: "ap-southeast-2"}, storage.Filter{}, `no region "ap-southeast-2"; there are: eu-west-1, us-west-2`},
		{storage.Filter{State: "running"}, storage.Filter{State: "running"}, ""},
		{storage.Filter{State: "runing"}, storage.Filter{}, `no state "runing"; did you mean running?`},
		{storage.Filter{State: "storage-full"}, storage.Filter{State: "storage-full"}, ""},
		{storage.Filter{AccountID: "prod"}, storage.Filter{AccountID: "123456789012"}, ""},
		{storage.Filter{AccountID: "123456789012"}, storage.Filter{AccountID: "123456789012"}, ""},
		{storage.Filter{AccountID: "prdo"}, storage.Filter{}, "did you mean prod?"},
		{storage.Filter{AccountID: "1"}, storage.Filter{}, `no account "1"; there are: 123456789012, prod`},
	} {
		got, err := s.Filter(c.f)
		if c.says == "" {
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v is taken for %+v, %v", c.f, got, err)
			}
		} else if !errors.Is(err, session.ErrOptions) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.f, err, c.says)
		}
	}
	// A profile that is called like an account is not taken for that account.
	l.accounts = session.NewAccounts("", []session.Account{{ID: "123456789012", Name: "210987654321"}, {ID: "210987654321", Name: "other"}}, nil)
	for name, want := range map[string]string{"123456789012": "123456789012", "210987654321": "210987654321", "other": "210987654321"} {
		if got, err := s.Filter(storage.Filter{AccountID: name}); err != nil || got.AccountID != want {
			t.Errorf("account %s is taken for %s, %v; want %s", name, got.AccountID, err, want)
		}
	}
	l.accounts = session.NewAccounts("", []session.Account{{ID: "123456789012", Name: "prod"}}, nil)
	// Where AWS did not tell which regions there are, a good name may be one.
	l.covered["123456789012"] = coverage{}
	if _, err := s.Filter(storage.Filter{Region: "ap-southeast-2"}); err != nil {
		t.Errorf("a region that nobody told of: %v", err)
	}
	if _, err := s.Filter(storage.Filter{Region: "us-wst-2"}); err == nil {
		t.Error("a name that no region has is taken for one")
	}
}

func TestTheSameProblemIsSaidOnce(t *testing.T) {
	var ps problems
	for _, region := range []string{"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-west-3"} {
		for _, service := range []string{"ec2", "rds"} {
			ps.add(session.Problem{AccountID: "1", Region: region, Service: service, Code: session.CodeDenied, Message: "denied in " + region, Hint: "allow " + service}, "")
			ps.add(session.Problem{AccountID: "1", Region: region, Service: service, Code: session.CodeUnreachable, Message: "away"}, "")
		}
	}
	ps.add(session.Problem{AccountID: "2", Region: "us-east-1", Service: "ec2", Code: session.CodeUnreachable, Message: "away"}, "")
	ps.add(session.Problem{AccountID: "2", Region: "global", Service: "s3", Code: session.CodeUnreachable, Message: "away"}, "")
	ps.add(session.Problem{AccountID: "2", Service: "ec2", Code: session.CodeUnreachable, Message: "away"}, "regions unknown")
	got := []string{}
	for _, p := range ps.list() {
		got = append(got, strings.Join([]string{p.AccountID, p.Service, p.Code, p.Region, p.Message}, "|"))
	}
	want := "1|ec2|denied||denied in us-east-1 (in 5 regions), 1||unreachable||away (in 5 regions), 1|rds|denied||denied in us-east-1 (in 5 regions), 2||unreachable|us-east-1|away, 2|ec2|unreachable||regions unknown: away"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestGapsSayWhatIsUnknown(t *testing.T) {
	l := knowing(named("1", "prod", true))
	if got := l.gaps(whereOf(filterOf(Shard{})), Config{}); len(got) != 1 {
		t.Errorf("an empty ledger: %q", got)
	}
	for _, region := range []string{"a-a-1", "a-a-2", "a-a-3", "a-a-4", "a-a-5"} {
		l.expect([]Shard{{"1", region, "ec2_instance"}, {"1", region, "rds_instance"}})
	}
	l.incomplete(Shard{"1", "a-a-1", "ec2_instance"}, time.Now(), stateDenied, "x")
	l.expect([]Shard{{"1", "global", "s3_bucket"}})
	want := "ec2_instance in a-a-1 of prod (1): denied by AWS; rds_instance in a-a-1 and " +
		"ec2_instance, rds_instance in a-a-2, a-a-3, a-a-4, a-a-5 and s3_bucket of prod (1): never scanned"
	if got := strings.Join(l.gaps(whereOf(filterOf(Shard{})), Config{}), "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := l.gaps(whereOf(filterOf(Shard{Type: "s3_bucket", Region: "eu-west-1"})), Config{}); len(got) != 1 {
		t.Errorf("buckets of a region: %q", got)
	}
	if got := l.gaps(whereOf(filterOf(Shard{Type: "lambda_function"})), Config{}); len(got) != 1 || got[0] != "lambda_function: this version does not read it" {
		t.Errorf("a type that no collector reads: %q", got)
	}
	// A region that AWS did not tell of may hold anything but buckets.
	shards := l.list()
	l = knowing(named("1", "prod", false), named("2", "met", false))
	for _, s := range shards {
		l.complete(s.Shard, time.Now(), 0)
	}
	for _, c := range []struct {
		f    Shard
		want string
	}{
		{Shard{}, "other regions of prod (1): AWS did not tell which there are; met (2): never scanned"},
		{Shard{AccountID: "1", Region: "a-a-2"}, ""},
		{Shard{AccountID: "1", Region: "a-a-9"}, "other regions of prod (1): AWS did not tell which there are"},
		{Shard{AccountID: "1", Type: "s3_bucket"}, ""},
	} {
		if got := strings.Join(l.gaps(whereOf(filterOf(c.f)), Config{}), "; "); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.f, got, c.want)
		}
	}
	// What was listed whole is not there any more as it was stored.
	lost := []storage.Shard{{AccountID: "1", Region: "a-a-2", Type: "ec2_instance"}, {AccountID: "1", Region: "a-a-3", Type: "s3_bucket"}}
	want = "ec2_instance in a-a-2 and s3_bucket of prod (1): what was stored is not whole, scan again"
	if got := strings.Join(l.gaps(whereOf(filterOf(Shard{AccountID: "1", Region: "a-a-2"})), Config{}, lost...), "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestConfigIsValidated(t *testing.T) {
	for _, c := range []Config{
		{Regions: []string{"us_west_2"}}, {Config: session.Config{Endpoints: []string{"moto"}}}, {Profiles: []string{" "}}, {Concurrency: -1}, {Concurrency: 10000},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	for _, c := range []Config{{}, {Profiles: []string{"*"}, Regions: []string{"us-gov-west-1", "ap-southeast-5"}, Config: session.Config{Endpoints: []string{"http://moto:5000"}}, Concurrency: 4}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Questions over a whole estate ask each record for its age.
func TestTheAgeOfARecordAllocatesNothing(t *testing.T) {
	s := &Scanner{ledger: &ledger{shards: map[Shard]ShardState{}}}
	now := time.Now()
	for _, region := range []string{"us-west-2", globalRegion} {
		for _, typ := range []string{"rds_instance", "s3_bucket"} {
			shard := Shard{AccountID: "123456789012", Region: region, Type: typ}
			s.ledger.shards[shard] = ShardState{Shard: shard, At: now}
		}
	}
	for _, typ := range []string{"rds_instance", "s3_bucket", "house_lamp"} {
		r := storage.Record{Key: storage.Key{Type: typ, AccountID: "123456789012", Region: "us-west-2"}}
		if n := testing.AllocsPerRun(100, func() { s.Age(r) }); n > 0 {
			t.Errorf("the age of a %s allocates %v times", typ, n)
		}
		if typ != "house_lamp" && !s.Age(r).Equal(now) {
			t.Errorf("the age of a %s is %s, want %s", typ, s.Age(r), now)
		}
	}
}
