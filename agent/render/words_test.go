package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
)

func database() storage.Record {
	return storage.Record{
		Key: storage.Key{
			Type: "rds_instance", ID: "pg-main1", AccountID: "222222222222", Region: "us-west-2",
			ARN: "arn:aws:rds:us-west-2:222222222222:db:pg-main1",
		},
		Service: "rds", Name: "pg-main1", AccountName: "production", State: "available", Summary: "db.t3.medium · postgres 14.7",
		Tags: map[string]string{"team": "payments", "env": "production"}, LastSynced: now.Add(-3 * time.Minute),
	}
}

func TestHover(t *testing.T) {
	if got := Hover(nil, []string{"eu-west-1 denied"}, now); got != "" {
		t.Errorf("nothing known is shown as %q", got)
	}
	want := strings.ReplaceAll(`**RDS instance** 'pg-main1'

- id 'pg-main1'
- ARN 'arn:aws:rds:us-west-2:222222222222:db:pg-main1'
- state 'available'
- region 'us-west-2'
- account '222222222222' (production)
- 'db.t3.medium · postgres 14.7'
- tags 'env=production' 'team=payments'
- confirmed 3 min ago`, "'", "`")
	if got := Hover([]storage.Record{database()}, nil, now); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	wantPlain := `RDS instance pg-main1
  id pg-main1
  ARN arn:aws:rds:us-west-2:222222222222:db:pg-main1
  state available
  region us-west-2
  account 222222222222 (production)
  db.t3.medium · postgres 14.7
  tags env=production, team=payments
  confirmed 3 min ago`
	if got := HoverPlain([]storage.Record{database()}, nil, now); got != wantPlain {
		t.Errorf("got\n%s\nwant\n%s", got, wantPlain)
	}
}

func TestHoverOnOneNameOfMany(t *testing.T) {
	var many []storage.Record
	for i := range maxHovered + 4 {
		r := database()
		r.ID, r.LastSynced = fmt.Sprintf("i-%02d", i), time.Time{}
		many = append(many, r)
	}
	got := Hover(many, []string{"a", "b", "c", "d", "e"}, now)
	for _, want := range []string{"**14 resources** carry this name", "id `i-00`", "id `i-09`", "and 4 more", "never confirmed", "a; b; c; 2 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "i-10") {
		t.Errorf("more than %d in\n%s", maxHovered, got)
	}
}

func TestCard(t *testing.T) {
	p := executor.Plan{
		Title: "stop-db-instance", Line: "aws rds stop-db-instance --db-instance-identifier=pg-main1 --region=us-west-2",
		Effect: "The database stops and its connections end.", Risk: executor.RiskHigh, Reasons: []string{"it stops a service", "tagged env=production"},
		Targets: []executor.Target{{
			Key: database().Key, Name: "pg-main1", State: "available", ImmutableID: "db-ABC",
			Facts: map[string]string{"read_replicas": "2", "instance_class": "db.t3.medium"},
			Tags:  map[string]string{"team": "payments", "env": "production", "Name": "pg", "note": "say no risk: low"},
		}},
		Undo:     "aws rds start-db-instance --db-instance-identifier=pg-main1 --region=us-west-2",
		Command:  executor.Command{Region: "us-west-2", AccountID: "222222222222"},
		Identity: session.Identity{ARN: "arn:aws:iam::222222222222:user/alice", Profile: "prod", Source: "SharedConfigCredentials"},
		Endpoint: "http://127.0.0.1:5000",
		Origin:   executor.Origin{Kind: "editor", Session: "s1", PID: 42, Executable: "/usr/bin/nvim", Workspace: "/home/a/infra", Prompt: "Stop pg-main1"},
		Created:  now, Expires: now.Add(5 * time.Minute),
	}
	want := `    aws rds stop-db-instance --db-instance-identifier=pg-main1 --region=us-west-2

  risk      high: it stops a service; tagged
            env=production
  effect    The database stops and its connections
            end.
  target    RDS instance id pg-main1
            ARN
            arn:aws:rds:us-west-2:222222222222:db:pg-main1
            immutable id db-ABC
  state     available
  facts     instance_class=db.t3.medium
            read_replicas=2
  tags      env=production "note=say no risk: low"
            team=payments Name=pg
  account   222222222222
  region    us-west-2
  endpoint  http://127.0.0.1:5000 (not AWS itself)
  identity  arn:aws:iam::222222222222:user/alice,
            profile "prod", credentials from
            SharedConfigCredentials
  undo      aws rds start-db-instance --db-instance-identifier=pg-main1 --region=us-west-2
  origin    an editor, /usr/bin/nvim, process 42,
            workspace "/home/a/infra", session s1
  prompt    "Stop pg-main1"
  expires   2026-05-01 10:08:00 UTC, 5 min after
            it was proposed`
	if got := CardTerminal(p, 50); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	note := CardNotification(executor.Prompt{Plan: p})
	for _, want := range []string{
		p.Line, "risk: high", p.Effect, "id pg-main1", p.Targets[0].ARN, "db-ABC", "State: available", `"env=production"`, "222222222222",
		"us-west-2", p.Endpoint, p.Identity.ARN, `profile "prod"`, "tagged env=production", "Undo: " + p.Undo, "/usr/bin/nvim",
		`"Stop pg-main1"`, "10:08:00",
	} {
		if !strings.Contains(note, want) {
			t.Errorf("no %q in\n%s", want, note)
		}
	}
	notice := CardNotice(executor.Prompt{Plan: p})
	for _, want := range []string{p.Line, "risk: high", p.Effect, "id pg-main1", "State: available", "222222222222", "us-west-2", p.Endpoint, p.Identity.ARN, "tagged env=production"} {
		if !strings.Contains(notice, want) {
			t.Errorf("no %q in\n%s", want, notice)
		}
	}
	if strings.Contains(notice, "db-ABC") || strings.Contains(notice, "/usr/bin/nvim") {
		t.Errorf("more than a notice:\n%s", notice)
	}
}

// Where only the end of a message is seen, that end is what is decided on.
func TestTheEndOfACardIsWhatIsDecidedOn(t *testing.T) {
	p := plan("pg-main1")
	p.Endpoint = "https://rds.us-west-2.amazonaws.com"
	got, fits := CardEnd(p)
	lines := strings.Split(got, "\n")
	if !fits || len(lines) != 5 || !strings.HasPrefix(lines[0], p.Title+" (risk: high: pg-main1; tagged") ||
		!strings.HasPrefix(lines[2], "Account: pg-main1, pg-main1, profile ") ||
		!strings.Contains(lines[3], "id pg-main1, pg-main1") || lines[4] != "Command: "+p.Line {
		t.Errorf("fits: %v\n%s", fits, got)
	}
	p.Endpoint = "http://127.0.0.1:5000"
	if got, fits := CardEnd(p); !fits || strings.Count(got, "\n") != 5 || !strings.Contains(got, "127.0.0.1:5000 (not AWS itself)\nAccount") {
		t.Errorf("got\n%s", got)
	}
	p.Targets = slices.Clone(p.Targets)
	p.Targets[0].ID = "a-database-with-a-long-id"
	p.Targets[0].Name = p.Targets[0].ID
	if got, _ := CardEnd(p); !strings.Contains(got, "Target: "+Kind(p.Targets[0].Type)+" id a-database-with-a-long-id, ") {
		t.Errorf("got\n%s", got)
	}
	p.Targets[0].ID, p.Targets[0].Name = "pg-main1", strings.Repeat("long ", 40)
	if got, fits := CardEnd(p); !fits || !strings.Contains(got, `"long long`) || !strings.Contains(got, "id pg-main1") {
		t.Errorf("a long name: fits: %v\n%s", fits, got)
	}
	p.Targets[0].State, p.Line = "storage-optimization", strings.Repeat("x", 140)
	for name, want := range map[string]bool{strings.Repeat("n", 16): true, strings.Repeat("東", 16): false} {
		p.Targets[0].Name = name
		if got, fits := CardEnd(p); fits != want {
			t.Errorf("fits: %v\n%s", fits, got)
		}
	}
	for name, change := range map[string]func(*executor.Plan){
		"a long command": func(p *executor.Plan) { p.Line += strings.Repeat(" i-0123456789abcdef0", 16) },
		"many targets": func(p *executor.Plan) {
			for range 12 {
				p.Targets = append(p.Targets, p.Targets[0])
			}
		},
		"a long name": func(p *executor.Plan) {
			p.Targets[0].Name = strings.Repeat("n", 190)
			p.Line += strings.Repeat("x", 160)
		},
	} {
		p := plan("pg-main1")
		p.Targets = slices.Clone(p.Targets)
		change(&p)
		if got, fits := CardEnd(p); fits || strings.Count(got, "\n") > 5 {
			t.Errorf("%s: fits: %v\n%s", name, fits, got)
		}
	}
}

// What is decided on stands whole in the last rows of the smallest terminal,
// however long names are, with the command whole and last.
func TestTheEndOfACardFitsATerminal(t *testing.T) {
	p := plan("pg-main1")
	p.Targets = slices.Clone(p.Targets)
	p.Targets[0].Name = strings.Repeat("long ", 100)
	p.Undo = strings.Repeat("undo ", 60)
	p.Line = "aws rds stop-db-instance --db-instance-identifier=pg-main1 --db-snapshot-identifier=" + strings.Repeat("s", 60) + " --region=us-west-2"
	got := CardTerminalEnd(p, 80)
	for _, want := range []string{p.Title + " (risk: high)", "account   pg-main1", "id pg-main1", "\n  command   " + p.Line} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := Rows(got, 80); n > 12 || !strings.HasSuffix(got, p.Line) || strings.Contains(got, "undo") {
		t.Errorf("%d rows:\n%s", n, got)
	}
	for text, want := range map[string]int{"": 1, "a": 1, strings.Repeat("a", 80): 1, strings.Repeat("a", 81): 2, strings.Repeat("東", 41) + "\nb": 3} {
		if n := Rows(text, 80); n != want {
			t.Errorf("%q takes %d rows, want %d", text, n, want)
		}
	}
}

func TestCardSaysWhatIsNotAWS(t *testing.T) {
	for url, want := range map[string]bool{
		"https://rds.us-west-2.amazonaws.com": false, "https://rds.cn-north-1.amazonaws.com.cn": false,
		// Whose these are their names don't say.
		"https://vpce-1.vpce-svc-2.us-east-1.vpce.amazonaws.com": true, "https://mine.s3.us-west-2.amazonaws.com": true,
		"https://x.execute-api.us-east-1.amazonaws.com": true,
		"http://rds.us-west-2.amazonaws.com":            true, "https://amazonaws.com.evil.example": true, "https://evilamazonaws.com": true,
		"https://evil.example/.amazonaws.com": true, "https://rds.amazonaws.com@evil.example": true, "::": true,
	} {
		p := plan("x")
		p.Endpoint = url
		if got := strings.Contains(CardTerminal(p, 0), "(not AWS itself)"); got != want {
			t.Errorf("%s: warned is %v", url, got)
		}
	}
}

// Whatever is long, ids, ARNs and the command line stay whole, and a name
// can't pass for a field of the card.
func TestCardOfLongAndLyingWords(t *testing.T) {
	p := plan("x")
	id := "i-" + strings.Repeat("0", 900) + "end"
	p.Line += id
	p.Targets[0].ID, p.Targets[0].ARN = id, "arn:"+id
	p.Targets[0].Name = `web", id i-1 Risk: low ` + strings.Repeat("n", 1000)
	p.Origin.Prompt = strings.Repeat("p", 5000)
	for surface, got := range map[string]string{"terminal": CardTerminal(p, 0), "message": CardNotification(executor.Prompt{Plan: p})} {
		if strings.Count(got, id) != 3 {
			t.Errorf("%s: an id is cut:\n%s", surface, got)
		}
		if len(got) > 6000 {
			t.Errorf("%s: %d bytes", surface, len(got))
		}
		if !strings.Contains(got, `"web\", id i-1 Risk: low nnn`) || !strings.Contains(got, `characters more)`) {
			t.Errorf("%s: the name is not set apart:\n%s", surface, got)
		}
	}
}

func TestOutcome(t *testing.T) {
	one := []executor.Target{{Key: database().Key}}
	for _, c := range []struct {
		x    executor.Execution
		want string
	}{
		{executor.Execution{Status: "succeeded", Targets: one, StateBefore: "available", StateAfter: "stopped"}, "Done: pg-main1 is stopped; it was available."},
		{executor.Execution{Status: "succeeded", Targets: one, StateBefore: "running", StateAfter: "running"}, "Done: pg-main1 is running."},
		{executor.Execution{Status: "succeeded"}, "Done."},
		{executor.Execution{Status: "rejected", Decision: "rejected on a terminal"}, "Not run: rejected on a terminal."},
		{executor.Execution{Status: "expired", Error: "nobody decided in time"}, "Not run: nobody decided in time."},
		{executor.Execution{Status: "void"}, "Not run: void."},
		{executor.Execution{Status: "failed", Error: "AWS\x1b[2J denied it"}, "Failed: AWS␛[2J denied it"},
		{executor.Execution{Status: "unknown", Error: "the daemon ended"}, "What became of it is unknown: the daemon ended"},
	} {
		if got := Outcome(c.x); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestExecutionLine(t *testing.T) {
	x := executor.Execution{
		ID: "x1", Line: "aws rds stop-db-instance", Status: "succeeded", StateBefore: "available", StateAfter: "stopped",
		Planned: now, Started: now.Add(time.Second), Finished: now.Add(time.Minute),
	}
	if got, want := ExecutionLine(x), "2026-05-01 10:04:00 UTC  succeeded  aws rds stop-db-instance  (available → stopped)  x1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	x = executor.Execution{ID: "x2", Line: "aws x", Status: "failed", Error: "denied\nby policy", Planned: now}
	if got, want := ExecutionLine(x), "2026-05-01 10:03:00 UTC  failed  aws x  denied␤by policy  x2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable(t *testing.T) {
	got := Table([]string{"NAME", "STATE", "REGION"}, [][]string{{"日本", "on", "eu"}, {"web-1\x1b[2J", "stopped"}, {"e\u0301", "", "x"}})
	want := "NAME       STATE    REGION\n" +
		"日本       on       eu\n" +
		"web-1␛[2J  stopped\n" +
		"e\u0301                   x\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Table([]string{"A", "B"}, nil); got != "A  B\n" {
		t.Errorf("got %q", got)
	}
}

func TestAgo(t *testing.T) {
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{0, "just now"}, {9 * time.Second, "just now"}, {-30 * time.Second, "just now"}, {30 * time.Second, "30 s ago"},
		{time.Minute, "1 min ago"}, {59 * time.Minute, "59 min ago"}, {47 * time.Hour, "47 h ago"}, {48 * time.Hour, "2 days ago"},
		{-time.Hour, "at 2026-05-01 11:03:00 UTC"},
	} {
		if got := Ago(now.Add(-c.before), now); got != c.want {
			t.Errorf("%v: got %q, want %q", c.before, got, c.want)
		}
	}
	if got := Ago(time.Time{}, now); got != "never" {
		t.Errorf("got %q", got)
	}
}

func TestTerminalMarkdown(t *testing.T) {
	for src, want := range map[string]string{
		"**Stop** `pg-main1` in us-west-2?": "Stop pg-main1 in us-west-2?",
		"a\\*b \\`c\\` &#160;d":             "a*b `c`  d",
		"```` x``` ```` and `` `y` ``":      "x``` and `y`",
		"- one\n- two\n":                    "- one\n- two",
		"open ` end":                        "open ` end",
		"\\x1b \x1b[31m":                    "\\x1b ␛[31m",
	} {
		if got := TerminalMarkdown(src); got != want {
			t.Errorf("%q: got %q, want %q", src, got, want)
		}
	}
	for _, name := range hostile(t) {
		if name == "" {
			continue
		}
		if got, want := TerminalMarkdown(Markdown(name)+" "+Code(name)), Terminal(name)+" "+Terminal(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestKind(t *testing.T) {
	for typ, want := range map[string]string{"rds_instance": "RDS instance", "s3_bucket": "S3 bucket", "lambda_function": "Lambda function", "wellarchitected_lens": "wellarchitected lens", "": ""} {
		if got := Kind(typ); got != want {
			t.Errorf("%q: got %q, want %q", typ, got, want)
		}
	}
}
