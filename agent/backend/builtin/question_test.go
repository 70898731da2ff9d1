package builtin_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/backend/builtin"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage"
)

// properties is an estate whose resources differ in what can be asked for.
func properties() []storage.Resource {
	day := func(n int) *time.Time { t := time.Date(2026, 5, n, 12, 0, 0, 0, time.UTC); return &t }
	db := func(id, account, engine string, made int, facts map[string]any) storage.Resource {
		r := database("rds_instance", id, account, "us-west-2", "available", "production")
		r.Engine, r.Summary, r.Metadata, r.CreatedAt = engine, "db.t3.medium · "+engine+" 14.7", facts, day(made)
		r.Constraints = map[string]any{}
		facts["has_read_replicas"] = id == "orders-db"
		if facts["is_read_replica"] == nil {
			facts["is_read_replica"] = false
		}
		for _, k := range []string{"deletion_protection", "is_read_replica", "has_read_replicas"} {
			if v, ok := facts[k]; ok {
				r.Constraints[k] = v
				delete(r.Metadata, k)
			}
		}
		return r
	}
	box := func(id, name, account, region, state string, made int, facts map[string]any) storage.Resource {
		r := instance(id, name, account, region, state, "production")
		r.Metadata, r.CreatedAt = facts, day(made)
		if name == "" {
			r.Tags = map[string]string{"env": "staging"}
		}
		return r
	}
	bare := box("i-0000000000000000d", "", prod, "us-west-2", "running", 4, map[string]any{"public_ip": "54.0.0.9", "lifecycle": "spot"})
	empty := box("i-0000000000000000e", "", staging, "us-west-2", "stopped", 5, nil)
	empty.Tags = nil
	bucket := func(id string, facts map[string]any, tags map[string]string) storage.Resource {
		return storage.Resource{Type: "s3_bucket", ID: id, Name: id, ARN: "arn:aws:s3:::" + id, AccountID: prod, AccountName: "prod", Region: "us-west-2",
			Service: "s3", Metadata: facts, Tags: tags, CreatedAt: day(1), LastSynced: clock}
	}
	return []storage.Resource{
		db("users-db", prod, "postgres", 1, map[string]any{"storage_encrypted": true, "publicly_accessible": false, "multi_az": true, "deletion_protection": true}),
		db("orders-db", prod, "mysql", 2, map[string]any{"storage_encrypted": false, "publicly_accessible": true, "multi_az": false, "deletion_protection": false}),
		db("orders-copy", staging, "mysql", 3, map[string]any{"storage_encrypted": false, "publicly_accessible": false, "multi_az": false, "is_read_replica": true}),
		box("i-0000000000000000a", "web-1", prod, "us-west-2", "running", 1, map[string]any{"public_ip": "54.0.0.1"}),
		box("i-0000000000000000b", "batch-1", prod, "eu-west-1", "stopped", 2, nil),
		bare, empty,
		bucket("logs", map[string]any{"versioning": "enabled"}, map[string]string{"owner": "ops"}),
		bucket("assets", map[string]any{"versioning": "off"}, nil),
		bucket("vault", map[string]any{"tags_unknown": true}, nil),
	}
}

// listed are the resources that an answer lists, sorted.
func listed(a agent.Answer) string {
	var out []string
	for line := range strings.Lines(a.Text) {
		if strings.HasPrefix(line, "- ") {
			if m := regexp.MustCompile("`(i-[0-9a-f]+)`").FindStringSubmatch(line); m != nil {
				out = append(out, m[1][len(m[1])-1:])
			} else {
				out = append(out, strings.Trim(strings.Fields(line)[1], "`:"))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// What resources are and have is answered from what is stored of them, and from
// nothing else: what was not read is said to be unknown.
func TestPropertiesAreListedByWhatIsStored(t *testing.T) {
	c := newChat(t, properties())
	for _, q := range []struct{ prompt, want, holds string }{
		{"which databases are not encrypted?", "orders-copy orders-db", "2 RDS instances that are not encrypted"},
		{"which databases aren't encrypted", "orders-copy orders-db", ""},
		{"unencrypted databases", "orders-copy orders-db", ""},
		{"databases without encryption", "orders-copy orders-db", ""},
		{"databases that don't have encryption", "orders-copy orders-db", ""},
		{"encrypted databases", "users-db", "1 RDS instance that is encrypted"},
		{"unencrypted", "orders-copy orders-db", "does not know whether they are encrypted"},
		{"encrypted and unencrypted databases", "orders-copy orders-db users-db", ""},
		{"encrypted buckets", "", "3 S3 buckets cloudops does not know"},
		{"are any of my databases public?", "orders-db", ""},
		{"which databases are publicly accessible", "orders-db", ""},
		{"private databases", "orders-copy users-db", ""},
		{"list instances with public ip", "a d", ""},
		{"instances with a public IP address in us-west-2", "a d", ""},
		{"instances without a public ip", "b e", ""},
		{"instances that have no public address", "b e", ""},
		{"running instances with no public ip", "", "no EC2 instances in state running that have no public address"},
		{"multi-az databases", "users-db", ""},
		{"which databases are not multi az?", "orders-copy orders-db", ""},
		{"single-az databases", "orders-copy orders-db", ""},
		{"unprotected databases", "orders-db", "1 RDS instance cloudops does not know whether it is protected"},
		{"databases with deletion protection", "users-db", ""},
		{"protected instances", "", "does not know"},
		{"spot instances", "d", ""},
		{"read replicas", "orders-copy", ""},
		{"databases with replicas", "orders-db", ""},
		{"databases that have no read replica", "orders-copy users-db", ""},
		{"does orders-db have a replica?", "", "Yes: "},
		{"is orders-db a replica?", "", "No: "},
		{"can you list the buckets with no tags please", "assets", "1 S3 bucket cloudops"},
		{"could you please show me databases using mysql", "orders-copy orders-db", ""},
		{"versioned buckets", "logs", ""},
		{"buckets without versioning", "assets", "1 S3 bucket cloudops does not know whether it keeps versions"},
		{"instances without a Name tag", "d e", ""},
		{"which of my instances have no name", "d e", ""},
		{"instances missing the env tag", "e", ""},
		{"buckets without an owner tag", "assets", "1 S3 bucket cloudops does not know the tags"},
		{"untagged instances", "e", ""},
		{"instances with no tags", "e", ""},
		{"instances with tag env", "a b d", ""},
		{"instances tagged with name", "a b", ""},
		{"instances not tagged with env", "e", "without a tag `env`"},
		{"instances tagged as staging", "d", ""},
		{"buckets tagged owner", "logs", "1 S3 bucket cloudops does not know the tags"},
		{"buckets tagged owner=dev", "", "does not know the tags"},
		{"which instances have env", "", "I don't know what `env` means"},
		{"non-running instances", "b e", ""},
		{"are all databases encrypted?", "users-db", "The other 2 are not so"},
		{"are the instances in us-west-2 running?", "a d", "The other one is not so"},
		{"are any databases failed?", "", "The other 3 are not so"},
		{"oldest instance", "a", ""},
		{"the 2 newest instances", "d e", ""},
		{"oldest database in the prod account", "users-db", ""},
		{"mysql databases", "orders-copy orders-db", ""},
		{"mariadb databases", "", "no RDS instances or RDS clusters matching `mariadb`"},
		{"which instances run?", "a d", ""},
		{"what runs in us-west-2", "a d orders-copy orders-db users-db", ""},
		{"instances that are not running", "b e", ""},
		{"instances not in us-west-2", "b", ""},
		{"stopped instances outside eu-west-1", "e", ""},
		{"databases not in the staging account", "orders-db users-db", ""},
		{"wich instances are runing", "a d", "I read `wich` as `which` and `runing` as `running`"},
		{"stoped instances", "b e", "I read `stoped` as `stopped`"},
		{"instances in irland", "b", "I read `irland` as `ireland`"},
		{"unencryted databases", "orders-copy orders-db", "as `unencrypted`"},

		{"is users-db encrypted?", "", "Yes: `users-db`"},
		{"is orders-db encrypted", "", "No: `orders-db`"},
		{"is orders-db public?", "", "Yes: "},
		{"is web-1 encrypted?", "", "is not known"},
		{"what is the public ip of web-1", "", "`54.0.0.1`"},
		{"does users-db have deletion protection?", "", "Yes: "},
		{"how old is orders-db", "", "2026-05-02"},

		{"list lambda functions", "", "does not read `lambda functions`"},
		{"any security groups open to the world?", "", "does not read `security groups`"},
		{"how many vpcs do I have", "", "does not read `vpcs`"},
		{"load balancers", "", "does not read `load balancers`"},
		{"Welche Datenbanken laufen?", "", "English only"},
		{"quelles bases de données tournent", "", "English only"},
		{"どのインスタンスが動いていますか", "", "English only"},
		{"instances in us-west-2 or stopped", "", "ask for each"},
		{"instances or buckets in us-west-2", "a assets d e logs vault", ""},
		{"list web-99 instances", "", "`web-99` is not in the estate"},
		{"which profile am I using", "", "profile"},
	} {
		c.id = ""
		a := c.say(t, q.prompt)
		if got := listed(a); got != q.want && (q.want != "" || strings.Contains(a.Text, "EC2 instance,") && !strings.Contains(a.Text, "not known")) || !strings.Contains(a.Text, q.holds) {
			t.Errorf("%q lists %q, want %q and …%s…: %s", q.prompt, got, q.want, q.holds, a.Text)
		}
	}
}

// An account is known by its name, its profiles, its id and parts of that.
func TestAccountsAreFoundByWhatTheyAreCalled(t *testing.T) {
	c := newChat(t, properties())
	b := c.backend
	for _, q := range []struct{ prompt, want, holds string }{
		{"instances in the staging account", "e", ""},
		{"instances in account staging", "e", ""},
		{"instances in account " + staging, "e", ""},
		{"instances in account 4444", "e", ""},
		{"instances in account ending in 6666", "e", ""},
		{"instances in the sandbox account", "e", ""},
		{"instances in sandbox", "e", ""},
		{"instances in the live-eu account", "a b d", ""},
		{"instances in the nosuch account", "", "No account that I know is called `nosuch`"},
		{"instances in staging", "e", "I read “in staging” as the account. 2 match `staging`"},
		{"how many databases in prod", "orders-db users-db", "I read “in prod” as the account"},
		{"instances in nosuch", "", "`nosuch`"},
	} {
		r, err := b.Answer(t.Context(), agent.Request{Prompt: q.prompt, Accounts: []agent.Account{
			{ID: staging, Profiles: []string{"default", "sandbox"}}, {ID: prod, Profiles: []string{"live-eu"}}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := listed(agent.Answer{Text: r.Information}); got != q.want || !strings.Contains(r.Information, q.holds) {
			t.Errorf("%q lists %q, want %q and …%s…: %s", q.prompt, got, q.want, q.holds, r.Information)
		}
	}
}

// "In staging" is the account of that name; what another account tags so is asked
// about before anything is proposed for it.
func TestAnAccountIsNotATag(t *testing.T) {
	c := newChat(t, properties())
	const tagged = "i-0000000000000000d" // env=staging, in the account called prod
	for prompt, want := range map[string]string{
		"stop " + tagged + " in staging": "clarification 1",
		"stop " + tagged + " in prod":    "stop-instances " + tagged + " " + prod + "/us-west-2",
		"stop all vms in staging":        "information",
		"stop all staging vms":           "clarification 1",
	} {
		c.id = ""
		if a := c.say(t, prompt); sum(a.Reply) != want {
			t.Errorf("%q comes to %s, want %s: %s", prompt, sum(a.Reply), want, a.Text)
		}
	}
}

// A question can go on with the one before it.
func TestQuestionsFollowOneAnother(t *testing.T) {
	c := newChat(t, properties())
	for _, turns := range [][][2]string{
		{{"which instances are stopped?", "b e"}, {"and in eu-west-1?", "b"}, {"and running ones?", ""}, {"what about us-west-2?", "a d"}},
		{{"list instances in us-west-2", "a d e"}, {"only stopped", "e"}, {"and buckets?", ""}},
		{{"unencrypted databases", "orders-copy orders-db"}, {"and in the prod account?", "orders-db"}, {"how about public ones?", "orders-db"}},
		{{"and in eu-west-1?", "b"}},
		{{"list instances", "a b d e"}, {"and frobnicated ones?", ""}},
	} {
		c.id = ""
		for _, turn := range turns {
			if a := c.say(t, turn[0]); listed(a) != turn[1] {
				t.Errorf("%q in %v lists %q: %s", turn[0], turns, listed(a), a.Text)
			}
		}
	}
}

// fact is an answer that states how many, or which, or that none.
var fact = regexp.MustCompile(`(?m)^(\d+ (EC2|RDS|S3)|Yes|No:|None|The estate has|- )`)

// strangers are words that mean nothing here, whatever they mean elsewhere.
var strangers = strings.Fields(`idle unused stale orphaned expensive cheap large big small slow fast vulnerable outdated exposed insecure compliant
	misconfigured underutilized overloaded broken zombie unattached unavailable inactive disabled enabled patched reserved dedicated burstable
	lost important critical legacy shared restricted suspicious noisy quiet active-looking well-known untidy forgotten unhealthy healthy busy
	unreachable responsive secure open`)

var templates = []string{
	"list %s instances", "%s databases", "are any databases %s?", "how many %s instances are there?", "which buckets are %s", "are there any %s instances in us-west-2?",
	"show me all %s resources", "which instances are not %s?", "count %s stopped instances", "instances that are %s", "do I have %s databases", "stopped and %s instances",
	"%s", "what %s instances run", "databases without %s", "is there a %s database?", "all instances which are %s in the prod account", "the oldest %s instance",
}

// unread checks that an answer to a question with a word that means nothing
// states no fact, and names the word.
func unread(t *testing.T, b *builtin.Backend, word, template string) {
	t.Helper()
	question := strings.Replace(template, "%s", word, 1)
	r, err := b.Answer(t.Context(), agent.Request{Prompt: question}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if fact.MatchString(r.Information) || len(r.Commands) > 0 {
		t.Errorf("%q is answered as if %q had been understood: %s", question, word, r.Information)
	}
	if !strings.Contains(strings.ToLower(r.Information), strings.ToLower(word)) {
		t.Errorf("%q: the answer does not say what was not understood: %s", question, r.Information)
	}
}

func TestUnknownWordsAreNeverFacts(t *testing.T) {
	b := newChat(t, properties()).backend
	for _, word := range strangers {
		for _, template := range templates {
			unread(t, b, word, template)
		}
	}
	// Words that nobody wrote down, of which none is a slip of one that is known.
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		word := ""
		for range 3 + rnd.IntN(2) {
			word += string("bdfgkvxz"[rnd.IntN(8)]) + string("aiou"[rnd.IntN(4)])
		}
		unread(t, b, word, templates[rnd.IntN(len(templates))])
	}
}

func FuzzUnknownWordsAreNeverFacts(f *testing.F) {
	for i, w := range strangers {
		f.Add(w, i%len(templates))
	}
	b := newChat(f, properties()).backend
	letters := regexp.MustCompile(`^[a-z]{5,20}$`)
	f.Fuzz(func(t *testing.T, word string, n int) {
		if !letters.MatchString(word) || n < 0 {
			return
		}
		ws := prompt.Split(word)
		_, uses := prompt.Understand(ws)
		if mended, made := prompt.Mend(ws, func(string) bool { return false }); len(ws) != 1 || !ws[0].Plain() || uses[0] != prompt.Text ||
			len(made) > 0 || mended[0] != ws[0] || prompt.Vocabulary(word) || len(prompt.Slip(ws[0])) > 0 {
			return
		}
		if kinds, _ := prompt.Kinds(ws, 0); kinds != nil {
			return
		}
		for _, r := range properties() {
			if prompt.Mentions(storage.Record{Key: r.Key(), Name: r.Name, AccountName: r.AccountName, Tags: r.Tags, Summary: r.Summary}, word) {
				return
			}
		}
		unread(t, b, word, templates[n%len(templates)])
	})
}

// Every word of a question is accounted for: it makes the sentence, narrows the
// list in words that the answer repeats, or is named as not understood.
func TestEveryWordIsAccountedFor(t *testing.T) {
	c := newChat(t, properties())
	for _, question := range []string{
		"which instances did somebody stop yesterday?", "databases older than 3 days", "instances launched last week", "which instances should be stopped?",
		"instances like web-1", "which instances can be reached from the internet", "list five instances", "list instances by cost", "which databases had errors",
		"why are instances stopped", "instances with more than 8 cores", "databases between us-west-2 and eu-west-1", "show the last instance", "instances nobody uses",
		"both databases", "instances if they are stopped", "list instances tomorrow", "how are my databases", "who stopped the instances",
		"instances that were running", "list the other instances", "databases that will expire", "instances except web-1",
	} {
		c.id = ""
		a := c.say(t, question)
		for i, use := range usesOf(question) {
			if use.use != prompt.Unread {
				continue
			}
			if fact.MatchString(a.Text) || !strings.Contains(strings.ToLower(a.Text), use.word) {
				t.Errorf("%q: word %d, %q, is neither in the answer nor was it understood: %s", question, i, use.word, a.Text)
			}
		}
	}
}

type usedWord struct {
	word string
	use  prompt.Use
}

func usesOf(text string) []usedWord {
	words := prompt.Split(text)
	_, uses := prompt.Understand(words)
	var out []usedWord
	for i, w := range words {
		out = append(out, usedWord{w.Lower, uses[i]})
	}
	return out
}

// What could not be looked at is said once, and not under what was found by
// its own id or address.
func TestGapsAreToldOnce(t *testing.T) {
	c := newChat(t, estate)
	const gap = "could not look"
	for _, q := range []struct {
		prompt string
		most   int
	}{
		{"describe i-0c2c2c2c2c2c2c2c2", 0}, {"describe pg-instance-main1", 0}, {"is web-2 running?", 0}, {"stop web-2", 0},
		{"stop nosuch-1 and nosuch-2 and nosuch-3", 1}, {"is nosuch-1 or nosuch-2 running?", 1}, {"list nosuch-1 and nosuch-2 databases", 1},
		{"list databases", 1}, {"list clusters in us-west-2", 0}, {"list zorp databases", 0},
	} {
		c.id = ""
		if a := c.say(t, q.prompt); strings.Count(a.Text, gap) > q.most {
			t.Errorf("%q: gaps are told %d times, at most %d wanted: %s", q.prompt, strings.Count(a.Text, gap), q.most, a.Text)
		}
	}
}

// A mistyped verb is never taken for its opposite, whatever was asked before.
func TestSlipsNeverTurnAround(t *testing.T) {
	c := newChat(t, properties())
	for n, before := range []string{"", "stop", "stop a database", "start", "start batch-1 or i-0000000000000000e", "stop web-1 or i-0000000000000000d", "reboot", "stop web-1 in eu-west-1"} {
		for _, slip := range []struct{ word, verb, never string }{
			{"strat", "start", "stop"}, {"sart", "start", "stop"}, {"statr", "start", "stop"}, {"staart", "start", "stop"}, {"starrt", "start", "stop"},
			{"stpo", "stop", "start"}, {"sotp", "stop", "start"}, {"stopp", "stop", "start"}, {"frob", "", ""},
		} {
			for i, name := range []string{"web-1", "batch-1", "i-0000000000000000d", "i-0000000000000000e"} {
				if i != n%2 && (testing.Short() || i > 1) {
					continue
				}
				c.id = ""
				if before != "" {
					c.say(t, before)
				}
				a := c.say(t, slip.word+" "+name)
				offered := a.Text + fmt.Sprint(a.Reply.Commands)
				if q := a.Reply.Clarification; q != nil {
					for _, choice := range q.Choices {
						offered += "\n" + choice.Prompt
					}
				}
				offered = strings.ToLower(offered)
				if slip.never != "" && (strings.Contains(offered, slip.never+" "+name) || strings.Contains(offered, "want to "+slip.never) || strings.Contains(offered, "\n"+slip.never+" ")) || len(a.Reply.Commands) > 0 {
					t.Errorf("after %q, %q %s offers %s", before, slip.word, name, offered)
				}
			}
		}
	}
}

// What is gone is no answer to a name that something else has too.
func TestWhatIsGoneIsNotOffered(t *testing.T) {
	rs := []storage.Resource{instance("i-0a1a1a1a1a1a1a1a1", "web-1", prod, "us-west-2", "running", "production")}
	for i, state := range []string{"terminated", "shutting-down", "terminated"} {
		rs = append(rs, instance(fmt.Sprintf("i-0b%015d", i), "web-1", prod, "us-west-2", state, "production"))
	}
	for i := range 12 {
		rs = append(rs, instance(fmt.Sprintf("i-00%015d", i), "web-1", prod, "us-west-2", "terminated", "production"))
	}
	rs = append(rs, instance("i-0c000000000000001", "O'Brien's box", prod, "us-west-2", "running", "production"),
		instance("i-0c000000000000002", "Anna’s old box", prod, "us-west-2", "running", "production"),
		instance("i-0c000000000000003", "d'Artagnan", prod, "us-west-2", "running", "production"),
		instance("i-0d000000000000001", "lost", prod, "us-west-2", "terminated", "production"))
	c := newChat(t, rs)
	for prompt, want := range map[string]string{
		"stop web-1":             "stop-instances i-0a1a1a1a1a1a1a1a1 " + prod + "/us-west-2",
		"stop web-1 or lost":     "clarification 2",
		"stop web-2":             "clarification 1",
		"stop O'Brien's box":     "stop-instances i-0c000000000000001 " + prod + "/us-west-2",
		"stop O’Brien’s box":     "stop-instances i-0c000000000000001 " + prod + "/us-west-2",
		"stop Anna’s old box":    "stop-instances i-0c000000000000002 " + prod + "/us-west-2",
		"stop d'Artagnan":        "stop-instances i-0c000000000000003 " + prod + "/us-west-2",
		"describe O'Brien's box": "information",
	} {
		c.id = ""
		if a := c.say(t, prompt); sum(a.Reply) != want && !(want == "clarification 2" && sum(a.Reply) == "clarification 1") {
			t.Errorf("%q comes to %s, want %s: %s", prompt, sum(a.Reply), want, a.Text)
		}
	}
}
