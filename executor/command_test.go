package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

func TestParseReadsWhatPeopleType(t *testing.T) {
	const one, two = "i-0123456789abcdef0", "i-0123abcd"
	for line, want := range map[string]string{
		"aws rds stop-db-instance --db-instance-identifier pg-instance-main1":                     "aws rds stop-db-instance --db-instance-identifier=pg-instance-main1",
		"aws rds stop-db-instance --db-instance-identifier=PG-Main1 --region us-west-2":           "aws rds stop-db-instance --db-instance-identifier=pg-main1 --region=us-west-2",
		"aws --profile 'my work' --region=eu-west-1 rds describe-db-instances --output json":      "aws rds describe-db-instances --region=eu-west-1 --profile='my work'",
		"aws ec2 --region us-gov-west-1 stop-instances --force --instance-ids " + one + " " + two: "aws ec2 stop-instances --instance-ids='[\"" + one + "\",\"" + two + "\"]' --force --region=us-gov-west-1",
		"aws ec2 stop-instances --instance-ids " + one + " --no-force --hibernate":                "aws ec2 stop-instances --instance-ids=" + one + " --no-force --hibernate",
		"aws ec2 start-instances --instance-ids='[\"" + one + "\", \"" + two + "\"]'":             "aws ec2 start-instances --instance-ids='[\"" + one + "\",\"" + two + "\"]'",
		"aws ec2 describe-instances":                                                        "aws ec2 describe-instances",
		"aws ec2 reboot-instances --instance-ids " + two:                                    "aws ec2 reboot-instances --instance-ids=" + two,
		"aws rds stop-db-instance --db-snapshot-identifier last --db-instance-identifier a": "aws rds stop-db-instance --db-instance-identifier=a --db-snapshot-identifier=last",
		"aws rds reboot-db-instance --db-instance-identifier a --force-failover":            "aws rds reboot-db-instance --db-instance-identifier=a --force-failover",
		"aws rds stop-db-cluster --db-cluster-identifier c1":                                "aws rds stop-db-cluster --db-cluster-identifier=c1",
	} {
		argv, err := Words(line)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(argv)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if c.String() != want {
			t.Errorf("%s\n got %s\nwant %s", line, c, want)
		}
	}
}

func TestParseRefusesWithTheReason(t *testing.T) {
	const id = "i-0123456789abcdef0"
	stop := []string{"aws", "rds", "stop-db-instance"}
	with := func(more ...string) []string { return append(slices.Clone(stop), more...) }
	for _, c := range []struct {
		argv []string
		says string
	}{
		{nil, "begins with"},
		{[]string{""}, "begins with"},
		{[]string{"/tmp/aws", "rds", "stop-db-instance"}, "begins with"},
		{[]string{"aws"}, "names no operation"},
		{[]string{"aws", "rds"}, "names no operation"},
		{[]string{"aws", "", "rds", "stop-db-instance"}, "empty word"},
		{[]string{"aws", "iam", "create-access-key"}, known()},
		{[]string{"aws", "configure", "export-credentials"}, known()},
		{[]string{"aws", "ec2", "terminate-instances", "--instance-ids", id}, "stop-instances"},
		{[]string{"aws", "rds", "stop-db-instances"}, "not known"},
		{[]string{"aws", "rds", "Stop-db-instance"}, "not known"},
		{[]string{"aws", "RDS", "stop-db-instance"}, "not known"},
		{stop, "needs --db-instance-identifier"},
		{with("--db-instance-identifier"), "needs a value"},
		{with("--db-instance-identifier", ""), "needs a value"},
		{with("--db-instance-identifier="), "needs a value"},
		{with("--db-instance-identifier", "--region", "us-west-2"), "needs a value"},
		{with("--db-instance-identifier", "-x"), "needs a value"},
		{with("--db-instance-identifier=-x"), "looks like"},
		{with("--db-instance-id", "a"), "names are exact"},
		{with("--db-instance-identifie=a"), "names are exact"},
		{with("--db-instance-identifier", "a", "--db-instance-identifier", "b"), "given twice"},
		{with("--db-instance-identifier", "a", "--db-instance-identifier=a"), "given twice"},
		{with("--db-instance-identifier", "a", "--region", "us-west-2", "--region", "us-west-2"), "given twice"},
		{with("--db-instance-identifier", "a", "--region="), "needs a value"},
		{with("--db-instance-identifier", "a", "--region", "us-west-2\n"), "region"},
		{with("--db-instance-identifier", "a", "--region", "evil.example.com/"), "region"},
		{with("--db-instance-identifier", "a", "--profile", "a\u202eb"), "profile"},
		{with("--db-instance-identifier", "a", "--profile=-x"), "profile"},
		{with("--db-instance-identifier", "a", "--profile", "file:///etc/passwd"), "profile"},
		{with("--db-instance-identifier", "a", "--profile", "@x"), "profile"},
		{with("--db-instance-identifier", "a", "--profile", " a"), "profile"},
		{with("--db-instance-identifier", "a", "--profile", "a "), "profile"},
		{with("--db-instance-identifier", "a", "--profile", "a\xff"), "profile"},
		{with("--db-instance-identifier", "a", "b"), "unexpected"},
		{with("--db-instance-identifier", "a", ";", "rm", "-rf", "/"), "unexpected"},
		{with("--db-instance-identifier", "a", "&&"), "unexpected"},
		{with("--db-instance-identifier", "a;rm"), "looks like"},
		{with("--db-instance-identifier", "$(id)"), "looks like"},
		{with("--db-instance-identifier", "a\nb"), "looks like"},
		{with("--db-instance-identifier", "a\n"), "looks like"},
		{with("--db-instance-identifier", "a\x00"), "looks like"},
		{with("--db-instance-identifier", "а"), "looks like"}, // Cyrillic
		{with("--db-instance-identifier", "a--b"), "looks like"},
		{with("--db-instance-identifier", "a-"), "looks like"},
		{with("--db-instance-identifier", "*"), "looks like"},
		{with("--db-instance-identifier", "a a"), "looks like"},
		{with("--db-instance-identifier", strings.Repeat("a", 64)), "looks like"},
		{with("--db-instance-identifier", "file://x"), "looks like"},
		{with("--db-instance-identifier", "fileb://x"), "looks like"},
		{with("--db-instance-identifier", "http://169.254.169.254/"), "looks like"},
		{with("--db-instance-identifier", "https://x"), "looks like"},
		{with("--db-instance-identifier", "@x"), "looks like"},
		{with("--db-instance-identifier", "arn:aws:rds:us-west-2:123456789012:db:a"), "looks like"},
		{with("--db-instance-identifier", "a", "--endpoint-url", "http://127.0.0.1"), "endpoint"},
		{with("--db-instance-identifier", "a", "--endpoint-url=http://127.0.0.1"), "endpoint"},
		{with("--db-instance-identifier", "a", "--endpoint", "http://127.0.0.1"), "not known"},
		{with("--db-instance-identifier", "a", "--debug"), "tokens"},
		{with("--db-instance-identifier", "a", "--no-verify-ssl"), "weakens"},
		{with("--db-instance-identifier", "a", "--no-sign-request"), "weakens"},
		{with("--cli-input-json", "{}"), "one by one"},
		{with("--cli-input-yaml", "{}"), "one by one"},
		{with("--generate-cli-skeleton"), "one by one"},
		{with("--db-instance-identifier", "a", "--ca-bundle", "x"), "weakens"},
		{with("--db-instance-identifier", "a", "--no-dry-run"), "before it is approved"},
		{with("--db-instance-identifier", "a", "--query", "x"), "--query"},
		{with("--db-instance-identifier", "a", "--output", "text"), "always JSON"},
		{with("--db-instance-identifier", "a", "--outp", "json"), "not known"},
		{with("--db-instance-identifier", "a", "-o", "json"), "unexpected"},
		{with("--db-instance-identifier", "a", "--", "b"), "unexpected"},
		{with("--db-instance-identifier", "a", "--no-db-snapshot-identifier"), "not known"},
		{[]string{"aws", "--endpoint-url", "http://x", "rds", "stop-db-instance"}, "endpoint"},
		{[]string{"aws", "--force", "ec2", "stop-instances"}, "before the operation"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids"}, "needs a value"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", "--force"}, "needs a value"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids="}, "looks like"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", id, id}, "given twice"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", id + "," + id}, "looks like"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids=[]"}, "needs a value"},
		{[]string{"aws", "ec2", "stop-instances", `--instance-ids=["` + id + `"`}, "JSON list"},
		{[]string{"aws", "ec2", "stop-instances", `--instance-ids=["` + id + `"]]`}, "follows the list"},
		{[]string{"aws", "ec2", "stop-instances", `--instance-ids=[null]`}, "JSON list"},
		{[]string{"aws", "ec2", "stop-instances", `--instance-ids=[1]`}, "JSON list"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", "I-0123456789ABCDEF0"}, "looks like"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", id, "--force=true"}, "no value"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", id, "--force", "--no-force"}, "given twice"},
		{[]string{"aws", "ec2", "stop-instances", "--instance-ids", id, "--dry-run"}, "before it is approved"},
		{[]string{"aws", "ec2", "describe-instances", "--filters", "Name=x,Values=y"}, "not known"},
		{with("--db-instance-identifier", strings.Repeat("a", 40<<10)), "too long"},
		{slices.Repeat([]string{"aws"}, 1000), "too long"},
	} {
		_, err := Parse(c.argv)
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%.200q: not refused: %v", c.argv, err)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.200q: the refusal %q does not say %q", c.argv, err, c.says)
		} else if strings.ContainsAny(err.Error(), "\n\x00\u202e") {
			t.Errorf("%.200q: the refusal carries raw foreign text: %q", c.argv, err)
		}
	}
}

// Where resources are scanned commands can run, in every partition.
func TestCommandsRunInEveryRegionThatIsScanned(t *testing.T) {
	for _, region := range []string{"us-west-2", "us-gov-west-1", "us-isob-east-1", "cn-north-1", "eusc-de-east-1"} {
		if !kind.IsRegion(region) {
			t.Errorf("%s is no region for a scan", region)
		}
		if _, err := Vet(Command{Service: "rds", Operation: "stop-db-instance", Region: region, Parameters: map[string]any{"db-instance-identifier": "a"}}); err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
}

func TestVetIsStrictAboutTypes(t *testing.T) {
	const id = "i-0123456789abcdef0"
	for name, c := range map[string]Command{
		"number":          {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": 7.0}},
		"list for scalar": {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": []any{"a"}}},
		"null":            {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": nil}},
		"object":          {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": map[string]any{"a": "b"}}},
		"API name":        {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"DBInstanceIdentifier": "a"}},
		"extra":           {Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": "a", "endpoint-url": "http://x"}},
		"no parameters":   {Service: "rds", Operation: "stop-db-instance"},
		"scalar for list": {Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": id}},
		"mixed list":      {Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": []any{id, 1.0}}},
		"nested list":     {Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": []any{[]any{id}}}},
		"empty list":      {Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": []any{}}},
		"text for switch": {Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": []any{id}, "force": "true"}},
		"bad account":     {Service: "rds", Operation: "stop-db-instance", AccountID: "12345", Parameters: map[string]any{"db-instance-identifier": "a"}},
		"bad region":      {Service: "rds", Operation: "stop-db-instance", Region: "us-west-2.evil", Parameters: map[string]any{"db-instance-identifier": "a"}},
		"option in name":  {Service: "rds --debug", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": "a"}},
		"shell in name":   {Service: "rds", Operation: "stop-db-instance; id", Parameters: map[string]any{"db-instance-identifier": "a"}},
		"empty":           {},
	} {
		if _, err := Vet(c); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: not refused: %v", name, err)
		}
	}

	var c Command
	const fromModel = `{"service":"ec2","operation":"stop-instances","parameters":{"instance-ids":["i-0123abcd","i-0123456789abcdef0"],"force":false},"region":"us-west-2"}`
	if err := json.Unmarshal([]byte(fromModel), &c); err != nil {
		t.Fatal(err)
	}
	got, err := Vet(c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"instance-ids": []string{"i-0123abcd", "i-0123456789abcdef0"}, "force": false}
	if !reflect.DeepEqual(got.Parameters, want) {
		t.Errorf("got %#v", got.Parameters)
	}
	if c.String() != got.String() {
		t.Errorf("a command off the wire reads %s, the vetted one %s", c, got)
	}
	got.Parameters["instance-ids"].([]string)[0] = "changed"
	if c.Parameters["instance-ids"].([]any)[0] != "i-0123abcd" {
		t.Error("the vetted command shares memory with the one that came in")
	}
}

// What people add to every line out of habit is said to be of no use here.
func TestOptionsOfTheCLIAreLeftOut(t *testing.T) {
	for _, name := range []string{
		"no-paginate", "max-items", "page-size", "starting-token", "color", "no-color", "no-cli-pager", "cli-read-timeout", "cli-connect-timeout",
		"cli-binary-format", "cli-auto-prompt", "no-cli-auto-prompt", "version", "v2-debug", "cli-error-format", "help",
	} {
		_, err := Parse([]string{"aws", "ec2", "describe-instances", "--" + name})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--"+name+": it is not needed here; leave it out") {
			t.Errorf("--%s: %v", name, err)
		}
	}
}

// What AWS allows at most passes, and one more is refused with the reason.
func TestTheLargestValuesPass(t *testing.T) {
	name := func(n int) string { return strings.Repeat("a", n) }
	instances := func(n int) []string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("i-%017x", i)
		}
		return ids
	}
	for _, c := range []struct {
		what string
		most int
		of   func(n int) Command
		says string
	}{
		{"a database's name", 63, func(n int) Command {
			return Command{Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": name(n)}}
		}, "looks like my-database"},
		{"a cluster's name", 63, func(n int) Command {
			return Command{Service: "rds", Operation: "stop-db-cluster", Parameters: map[string]any{"db-cluster-identifier": name(n)}}
		}, "looks like my-cluster"},
		{"a snapshot's name", 255, func(n int) Command {
			return Command{Service: "rds", Operation: "stop-db-instance", Parameters: map[string]any{"db-instance-identifier": "a", "db-snapshot-identifier": name(n)}}
		}, "looks like my-snapshot"},
		{"instances at once", 50, func(n int) Command {
			return Command{Service: "ec2", Operation: "stop-instances", Parameters: map[string]any{"instance-ids": instances(n)}}
		}, "51 values at once; 50 are the most"},
		{"a profile's name", 128, func(n int) Command {
			return Command{Service: "ec2", Operation: "describe-instances", Profile: name(n)}
		}, "not the name of a profile"},
	} {
		if _, err := Vet(c.of(c.most)); err != nil {
			t.Errorf("%s, %d: %v", c.what, c.most, err)
		}
		if _, err := Vet(c.of(c.most + 1)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s, %d: %v", c.what, c.most+1, err)
		}
	}
}

// Every operation, with every combination of its optional parameters, reads
// back as itself, also through a shell.
func TestParseIsTheInverseOfArgv(t *testing.T) {
	values := map[string]any{
		"instance-ids":           []string{"i-0123456789abcdef0", "i-0123abcd"},
		"db-instance-identifier": "pg-1", "db-cluster-identifier": "c-1", "db-snapshot-identifier": "s-1",
	}
	n := 0
	for _, op := range catalog.All() {
		for mask := range 1 << len(op.Parameters) {
			for _, on := range []bool{true, false} {
				c := Command{Service: op.Service, Operation: op.Name, Parameters: map[string]any{}}
				for i, p := range op.Parameters {
					if mask&(1<<i) == 0 && !p.Required {
						continue
					}
					if c.Parameters[p.Name] = values[p.Name]; p.Kind == catalog.Bool {
						c.Parameters[p.Name] = on
					} else if p.Kind == catalog.List && !on {
						c.Parameters[p.Name] = values[p.Name].([]string)[:1]
					}
				}
				if !on {
					c.Region, c.Profile = "eu-central-1", `it's "mine" & $HOME`
				}
				back, err := Parse(c.Argv())
				if err != nil || !reflect.DeepEqual(back, c) {
					t.Fatalf("%q reads back as %#v, %v", c.Argv(), back, err)
				}
				words, err := Words(c.String())
				if err != nil || !slices.Equal(words, c.Argv()) {
					t.Fatalf("a shell reads %s as %q, %v", c, words, err)
				}
				n++
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d commands tried", n)
	}
}

func TestForAndVerbs(t *testing.T) {
	all := []string{"start", "stop", "reboot", "describe"}
	for typ, id := range map[string]string{"ec2_instance": "i-0123abcd", "rds_instance": "pg-1", "rds_cluster": "c-1"} {
		var got []string
		for _, p := range Possible(typ, kind.View{}) {
			got = append(got, p.Verb)
		}
		if !slices.Equal(got, all) {
			t.Errorf("%s: %v", typ, got)
		}
		for _, verb := range all {
			c, err := For(verb, typ, id)
			if err != nil || !strings.Contains(c.String(), verb) || !strings.Contains(c.String(), id) {
				t.Errorf("%s %s: %s, %v", verb, typ, c, err)
			}
			if _, err := For(verb, typ, "--force"); !errors.Is(err, ErrRefused) {
				t.Errorf("%s %s takes an option for an id: %v", verb, typ, err)
			}
		}
	}
	if Possible("s3_bucket", kind.View{}) != nil {
		t.Error("S3 buckets have no commands")
	}
	if _, err := For("stop", "s3_bucket", "b"); !errors.Is(err, ErrRefused) {
		t.Errorf("stopping a bucket: %v", err)
	}
	if _, err := For("delete", "rds_instance", "b"); !errors.Is(err, ErrRefused) {
		t.Errorf("deleting: %v", err)
	}
}

// The line that undoes a command is one that can be run, whatever was given to it.
func TestWhatUndoesACommandCanBeRun(t *testing.T) {
	for _, op := range catalog.All() {
		for _, with := range op.Parameters {
			c := Command{Service: op.Service, Operation: op.Name, Region: "us-west-2", Parameters: map[string]any{}}
			for _, p := range op.Parameters {
				switch {
				case p.Name != op.Target && p.Name != with.Name:
				case p.Kind == catalog.Bool:
					c.Parameters[p.Name] = true
				case p.Kind == catalog.List:
					c.Parameters[p.Name] = []string{p.Like}
				default:
					c.Parameters[p.Name] = p.Like
				}
			}
			c, err := Vet(c)
			if err != nil {
				t.Fatalf("%s --%s: %v", op.Name, with.Name, err)
			}
			undo, ok := c.Inverse()
			does := called(t, op.Service, op.Name).does
			if ok != (does.Undo != nil) {
				t.Errorf("%s: that something undoes it is %t", c, ok)
			}
			if !ok {
				continue
			}
			words, err := Words(undo.String())
			if err != nil {
				t.Fatal(err)
			}
			back, err := Parse(words)
			if err != nil {
				t.Errorf("%s is undone with %s: %v", c, undo, err)
			} else if d, _ := aws.Kinds().Doing(back.Service, back.Operation); d.Verb != does.Undo || back.Region != c.Region || !reflect.DeepEqual(back.Parameters[op.Target], c.Parameters[op.Target]) {
				t.Errorf("%s is undone with %s", c, undo)
			}
			if _, given := c.Parameters[with.Name]; !given {
				t.Errorf("%s lost its own --%s", c, with.Name)
			}
		}
	}
}

func TestWordsAreThoseOfAShell(t *testing.T) {
	for line, want := range map[string][]string{
		``:                                nil,
		"  aws   ec2\tstop-instances ":    {"aws", "ec2", "stop-instances"},
		`a 'b c' "d e" f\ g h'i'"j"`:      {"a", "b c", "d e", "f g", "hij"},
		`'' "" 'it'"'"'s' "say \"hi\""`:   {"", "", "it's", `say "hi"`},
		`--ids='["i-1","i-2"]' '{"a":1}'`: {`--ids=["i-1","i-2"]`, `{"a":1}`},
		`'$HOME' '$(id)' "a;b" 'x|y' '` + "`id`" + `'`: {"$HOME", "$(id)", "a;b", "x|y", "`id`"},
		`~ ~/x *.tf [ab] '{a,b}' x=~`:                  {"~", "~/x", "*.tf", "[ab]", "{a,b}", "x=~"},
		"aws ec2 describe-instances # all":             {"aws", "ec2", "describe-instances"},
	} {
		if got, err := Words(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{
		"aws ec2 a; id", "a && b", "a | b", "a > f", "a < f", "a &", "! a", "(a)", "{ a; }", "a\nb", "X=1 a",
		"a $HOME", `a "$HOME"`, "a $(id)", "a `id`", `a "$(id)"`, "a $((1+1))", `a 'b`, `a "b`, "a <<E\nb\nE", "a {b,c}", "a {1..9999999999}", "if a; then b; fi", "f() { a; }",
		"a " + strings.Repeat("x", maxLine),
	} {
		if got, err := Words(line); !errors.Is(err, ErrRefused) {
			t.Errorf("%.40s: %q, %v", line, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"aws rds stop-db-instance --db-instance-identifier pg",
		"aws ec2 stop-instances --instance-ids i-0123abcd i-0123456789abcdef0 --force --region us-west-2 --profile p",
		`aws ec2 describe-instances --instance-ids=["i-0123abcd"] --output json`,
		"aws --region=x --endpoint-url=y rds", "aws -- --no- --= [ ] {}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Parse(strings.Split(s, " "))
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		argv := c.Argv()
		for _, a := range argv[3:] {
			if !strings.HasPrefix(a, "--") {
				t.Fatalf("%q became the argument %q", s, a)
			}
		}
		back, err := Parse(argv)
		if err != nil || !reflect.DeepEqual(back, c) {
			t.Fatalf("%q: %q reads back as %#v, %v", s, argv, back, err)
		}
		if words, err := Words(c.String()); err != nil || !slices.Equal(words, argv) {
			t.Fatalf("%q: a shell reads %s as %q, %v", s, c, words, err)
		}
	})
}
