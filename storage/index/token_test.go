package index

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// known are names that the lines below mention.
var known = []string{
	"i-0abc123def4567890", "pg-main1", "web-1", "my-bucket", "my.bucket.eu", "prod-data", "orders database", "Web Server (blue)",
	"arn:aws:rds:us-west-2:222222222222:db:pg-main1", "arn:aws:s3:::my-bucket", "arn:aws:iam::111111111111:role/ci/deployer",
	"arn:aws:lambda:us-west-2:111111111111:function:resize", "resize", "/aws/lambda/resize", "vol-1", "sg-0a1b", "10.0.3.17",
	"arn:aws:ec2:us-west-2:111111111111:instance/i-0abc123def4567890", "alice@example.com", "größe-1", "orders_queue.fifo",
	"ec2-52-1-2-3.us-west-2.compute.amazonaws.com", "app/web-lb/50dc6c495c0c9188", "/prod/db/password", "vpc-1",
	"R&D web", "arn:aws-cn:ec2:cn-north-1:111111111111:volume/vol-1",
}

func TestAtFindsWhatALineMentions(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		// Terraform
		{`  instance_id = "i-0abc|123def4567890"`, "i-0abc123def4567890"},
		{`  identifier = "pg-|main1" # the main one`, "pg-main1"},
		{`  source_arn = "arn:aws:rds:us-west-2:222222222222:db:pg-|main1"`, "arn:aws:rds:us-west-2:222222222222:db:pg-main1"},
		{`  source_arn = "arn:aws:rds:us-w|est-2:222222222222:db:pg-main1"`, "arn:aws:rds:us-west-2:222222222222:db:pg-main1"},
		{`  bucket = "my-|bucket"`, "my-bucket"},
		{`  resources = ["arn:aws:s3:::my-|bucket/*"]`, "arn:aws:s3:::my-bucket"},
		{`  vpc_security_group_ids = ["sg-0|a1b", "sg-2"]`, "sg-0a1b"},
		{`    Name = "orders |database"`, "orders database"},
		{`    Name = "Web Server (|blue)"`, "Web Server (blue)"},
		{`  url = "postgres://user:pw@pg-|main1:5432/orders"`, "pg-main1"},
		{`  import { id = "vol-|1" }`, "vol-1"},
		// YAML, CloudFormation, Kubernetes
		{`  DBInstanceIdentifier: pg-|main1`, "pg-main1"},
		{`      - |web-1`, "web-1"},
		{`  - 'orders data|base'`, "orders database"},
		{`  name: orders |database`, "orders database"},
		{`  name: orders |database   # comment`, "orders database"},
		{`  roleArn: arn:aws:iam::111111111111:role/ci/|deployer`, "arn:aws:iam::111111111111:role/ci/deployer"},
		{`    eks.amazonaws.com/role-arn: arn:aws:iam::111111111111:ro|le/ci/deployer`, "arn:aws:iam::111111111111:role/ci/deployer"},
		{`  image: !Sub "s3://my-buck|et/key"`, "my-bucket"},
		{`  - orders |database`, "orders database"},
		{`  owner: R&D |web # old`, "R&D web"},
		// JSON
		{`{"InstanceId":"i-0abc123def4567890|","State":"running"}`, "i-0abc123def4567890"},
		{`"Resource": "arn:aws:ec2:us-west-2:111111111111:instance/i-0abc|123def4567890",`, "arn:aws:ec2:us-west-2:111111111111:instance/i-0abc123def4567890"},
		{`{"msg":"lost host\nweb|-1\n"}`, "web-1"},
		{`{"msg":"name=\"orders |database\" gone"}`, "orders database"},
		{`{"msg":"\u0022we|b-1\u0022"}`, "web-1"},
		// URLs
		{`?Action=AddTagsToResource&ResourceName=arn%3Aaws%3Ards%3Aus-west-2%3A222222222222%3Adb%3Apg-m|ain1&Version=2014-10-31`, "pg-main1"},
		{`?ResourceName=arn%3aaws%3ards%3aus-west-2%3a222222222222%3adb%3apg-m|ain1`, "pg-main1"},
		{`https://x.example/go?u=%2Finstances%2Fi-0abc1|23def4567890%2Flogs`, "i-0abc123def4567890"},
		{`https://x.example/go?u=db%253Apg-m|ain1%2526x`, "pg-main1"},
		{`{"url":"/go?bucket=%22my-b|ucket%22"}`, "my-bucket"},
		{`50%we|b-1`, "web-1"},
		// Logs
		{`2026-05-01T10:00:00Z ERROR [web-|1] timeout`, "web-1"},
		{`dial tcp 10.0.3|.17:5432: i/o timeout`, "10.0.3.17"},
		{`http://10.0.|3.17:8080/health?x=1`, "10.0.3.17"},
		{`START aws-logs:/aws/lambda/|resize:2026`, "/aws/lambda/resize"},
		{`arn:aws:logs:us-west-2:111111111111:log-group:/aws/lambda|/resize:*`, "/aws/lambda/resize"},
		{`arn:aws:lambda:us-west-2:111111111111:function:res|ize:live failed`, "arn:aws:lambda:us-west-2:111111111111:function:resize"},
		{`user alice@|example.com signed in`, "alice@example.com"},
		{`host=we|b-1 level=warn`, "web-1"},
		{`pg-main1.c9akciq32.us-west-2.rds.amazon|aws.com:5432`, ""},
		{`pg-ma|in1.c9akciq32.us-west-2.rds.amazonaws.com:5432`, "pg-main1"},
		{`ssh ubuntu@ec2-52-1-2-3.us-west-2.|compute.amazonaws.com`, "ec2-52-1-2-3.us-west-2.compute.amazonaws.com"},
		{`curl https://my.buc|ket.eu.s3.eu-west-1.amazonaws.com/key`, "my.bucket.eu"},
		{`curl https://s3.us-west-2.amazonaws.com/my-b|ucket/key/x`, "my-bucket"},
		{`curl https://my-b|ucket.s3-us-west-2.amazonaws.com/key`, "my-bucket"},
		{`curl https://my.buc|ket.eu.s3-eu-west-1.amazonaws.com/key`, "my.bucket.eu"},
		{`http://my-b|ucket.s3-website-us-west-2.amazonaws.com/`, "my-bucket"},
		{`aws s3 ls s3://prod-d|ata/2026/05/`, "prod-data"},
		{`aws rds stop-db-instance --db-instance-identifier=pg-m|ain1`, "pg-main1"},
		{`https://console.aws.amazon.com/ec2/home?region=us-west-2#InstanceDetails:instanceId=i-0abc1|23def4567890`, "i-0abc123def4567890"},
		{`targetgroup/x/1 loadbalancer/app/web-l|b/50dc6c495c0c9188`, "app/web-lb/50dc6c495c0c9188"},
		{`ssm get-parameter /prod/db|/password`, "/prod/db/password"},
		{`arn:aws:cloudtrail:us-west-2:1:trail/arn:aws:ec2:us-west-2:111111111111:instance/i-0abc|123def4567890`, "arn:aws:ec2:us-west-2:111111111111:instance/i-0abc123def4567890"},
		{`path/arn:aws-cn:ec2:cn-north-1:111111111111:volume/vo|l-1/detail`, "arn:aws-cn:ec2:cn-north-1:111111111111:volume/vol-1"},
		{`orders_queue|.fifo`, "orders_queue.fifo"},
		// Prose, Markdown, diffs, prompts
		{`Stop pg-|main1.`, "pg-main1"},
		{`Is web-|1? Or web-2!`, "web-1"},
		{`web-1|`, "web-1"},
		{`(we|b-1)`, "web-1"},
		{`| web|-1 | running |`, "web-1"},
		{"see `web-|1`: it is", "web-1"},
		{"see `orders |database`", "orders database"},
		{`**pg-ma|in1** and __web-1__`, "pg-main1"},
		{`**pg-main1** and __we|b-1__`, "web-1"},
		{`_pg-m|ain1_'s`, "pg-main1"},
		{`-pg-m|ain1`, "pg-main1"},
		{`+  "pg-m|ain1",`, "pg-main1"},
		{`don't stop 'orders |database', it's busy`, "orders database"},
		{`pg-main1|を停止してください`, "pg-main1"},
		{`请停止pg-|main1吧`, "pg-main1"},
		{`die größ|e-1 ist`, "größe-1"},
		{`vpc-1|/subnet`, "vpc-1"},
		{`nothing |here`, ""},
	} {
		offset := strings.Index(c.line, "|")
		if strings.HasPrefix(c.line, "| ") {
			offset = strings.Index(c.line[1:], "|") + 1
		}
		line := c.line[:offset] + c.line[offset+1:]
		got := ""
		for _, tok := range At(line, offset) {
			if tok.Text != line[tok.Start:tok.End] {
				t.Errorf("%s: %+v is not at its place", c.line, tok)
			}
			if got == "" && slices.Contains(known, tok.Text) {
				got = tok.Text
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q from %+v", c.line, got, c.want, At(line, offset))
		}
		if all := Tokens("first line\n"+line+"\nlast line", 0); c.want != "" && !slices.Contains(all, c.want) {
			t.Errorf("%s: not among the tokens %q", c.line, all)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a = b", nil}, // one letter names nothing
		{"Stop pg-main1. pg-main1!", []string{"Stop", "pg-main1.", "pg-main1"}},
		{"arn:aws:ec2:us-west-2:111111111111:instance/i-1", []string{
			"arn:aws:ec2:us-west-2:111111111111:instance/i-1", "arn:aws:ec2:us-west-2:111111111111:instance",
			"instance", "instance/i-1", "i-1"}},
		{"--- ... :// ///", nil},
		{"\xff\xfeweb\x00db\x1b[31m", []string{"web", "db", "31m"}},
	} {
		if got := Tokens(c.text, 0); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	if got := Tokens("one two three", 2); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("got %q, want the first two", got)
	}
}

// Huge lines must cost no more than their surroundings.
func TestHostileText(t *testing.T) {
	const size = 5 << 20
	for name, unit := range map[string]string{
		"letters": "a", "separators": ":", "paths": "a/", "arns": "arn:aws:s3:::a/", "quotes": `"`, "quoted": `"a b`, "spaces": "a ",
		"keys": "k: v ", "wide": "é", "scripts": "停a", "invalid": "\xff", "dots": ".s3.amazonaws.com", "mixed": "a:b/c@d=e#f+g",
		"newlines": "\n", "words": "the quick brown fox ",
	} {
		text := strings.Repeat(unit, size/len(unit))
		start := time.Now()
		for _, offset := range []int{0, 1, len(text) / 2, len(text) - 1, len(text)} {
			for _, tok := range At(text, offset) {
				if len(tok.Text) > maxIdentifier {
					t.Errorf("%s: a candidate of %d bytes", name, len(tok.Text))
				}
			}
		}
		// A hang, not a speed: BenchmarkAt measures.
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: five look-ups in a long line took %v", name, d)
		}
		for _, tok := range Tokens(text[:size/8], 1000) {
			if len(tok) > maxIdentifier {
				t.Errorf("%s: a token of %d bytes", name, len(tok))
			}
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range append([]string{
		"arn:aws:s3:::b/k", "a:b/c@d", `k = "v w"`, "k: v w # c", `'it's "a b`, "\\nweb \\u0022x", "停a止", "x.s3.amazonaws.com", "__a__-.",
	}, known...) {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, offset int) {
		all := Tokens(text, 0)
		seen := map[string]bool{}
		for _, tok := range all {
			if seen[tok] || len(tok) < 2 || len(tok) > maxIdentifier || strings.Contains(tok, "\n") {
				t.Fatalf("bad token %q of %q", tok, text)
			}
			seen[tok] = true
		}
		if offset < 0 || offset > len(text) {
			if At(text, offset) != nil {
				t.Fatal("candidates outside the text")
			}
			return
		}
		for _, tok := range At(text, offset) {
			if tok.Start > offset || tok.End < offset || text[tok.Start:tok.End] != tok.Text {
				t.Fatalf("bad candidate %+v at %d of %q", tok, offset, text)
			}
			if !seen[tok.Text] {
				t.Fatalf("%q is found at %d of %q, but is no token", tok.Text, offset, text)
			}
		}
	})
}
