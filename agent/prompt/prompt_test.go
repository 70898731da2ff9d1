package prompt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/index"
	"github.com/cloudops/cloudops/storage/kind"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Stop web-1, please.", "Stop web-1, please."},
		{"don't", "do not"},
		{"Don’t can't won't isn't", "Do not can not will not is not"},
		{"what's it's web-1's", "what is it is web-1"},
		{"I'd I'll we've", "I would I will we have"},
		{`stop "my box"!`, "stop <my box>!"},
		{"stop 'my box'?", "stop <my box>?"},
		{"stop ‘my box’ and “that”", "stop <my box> and <that>"},
		{"'don't' is a name", "<don't> is a name"},
		{`a "b`, "a b"},
		{"(web-1)", "web-1"},
		{"web-1,web-2;web-3", "web-1, web-2. web-3"},
		{"one\ntwo", "one. two"},
		{"web-1&web-2", "web-1&web-2"},
		{"a & b + c", "a & b + c"},
		{"- one\n- two", "one. two"},
		{"one - two — three", "one, two, three"},
		{"web‑1", "web-1"},
		{"arn:aws:rds:us-west-2:1:db:x", "arn:aws:rds:us-west-2:1:db:x"},
		{"", ""},
		{`""`, ""},
		{"...?!", ""},
	} {
		var out []string
		for _, w := range Split(c.text) {
			s := w.Text
			if w.Quoted {
				s = "<" + s + ">"
			}
			if w.After != 0 {
				s += string(w.After)
			}
			out = append(out, s)
		}
		if got := strings.Join(out, " "); got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	known := []string{"web-1", "stop", "all", "don't", "not", "Big Box", "stop web-1", "web-1 and web-2", "do not", "delete", "backup",
		"db.example.com", "10.0.0.1", "us-west-2", "instance", "the one", "please", "Box of Stop"}
	for _, c := range []struct{ prompt, want string }{
		{"stop web-1", "web-1"},
		{"stop WEB-1!", "WEB-1"},
		{"do not stop all", ""},
		{"don't stop web-1", "web-1"},
		{"stop web-1 and web-2", "web-1"},
		{"stop big box now", "big box"},
		{"stop BIG, BOX", ""},
		{`stop "stop"`, "stop"},
		{`"do not" stop "all"`, "do not|all"},
		{"stop backup", "backup"},
		{"stop the backup please", "backup"},
		{"backup web-1", "web-1"},
		{"delete web-1", "web-1"},
		{"stop the one please", ""},
		{"stop the instance in us-west-2", ""},
		{"is https://db.example.com:5432/x up", "db.example.com"},
		{"10.0.0.1:22", "10.0.0.1"},
		{"stop Box of Stop", ""},
		{"stop web-1-old", ""},
	} {
		var got []string
		for _, s := range Names(Split(c.prompt), func(n string) bool {
			return slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, n) })
		}) {
			got = append(got, s.Name)
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%q names %q, want %q", c.prompt, got, c.want)
		}
	}
}

func TestRead(t *testing.T) {
	records := map[string]index.Record{
		"west": {Key: index.Key{Type: "ec2_instance", ID: "i-1", AccountID: "111122223333", Region: "us-west-2"}, Name: "web-1", State: "running",
			AccountName: "prod", Tags: map[string]string{"env": "production"}},
		"east": {Key: index.Key{Type: "ec2_instance", ID: "i-2", AccountID: "444455556666", Region: "eu-west-1"}, Name: "web-1", State: "stopped",
			AccountName: "staging", Tags: map[string]string{"Env": "staging"}},
		"db": {Key: index.Key{Type: "rds_instance", ID: "pg-main", AccountID: "111122223333", Region: "us-west-2"}, Name: "pg-main", State: "available",
			Summary: "db.t3.medium · postgres 14.7", Tags: map[string]string{"env": "production"}},
	}
	for _, c := range []struct{ text, want string }{
		{"instances", "db east west"},
		{"ec2 instances", "east west"},
		{"db instance", "db"},
		{"database instance", "db"},
		{"postgres database", "db"},
		{"pg database", "db"},
		{"databases", "db"},
		{"running instances", "db west"},
		{"stopped servers", "east"},
		{"which are down", "east"},
		{"in eu-west-1", "east"},
		{"in Ireland", "east"},
		{"in account 111122223333", "db west"},
		{"in the staging account", "east"},
		{"tagged env=production", "db west"},
		{"tagged ENV=Staging", "east"},
		{"prod", "db west"},
		{"the production one", "db west"},
		{"prod instances in us-west-2 that are running", "db west"},
		{"web", "east west"},
		{"buckets", ""},
		{"banana", ""},
		{`"web-1"`, "east west"},
	} {
		q := Read(Split(c.text))
		var got []string
		for name, r := range records {
			if q.Match(r) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q fits %v, want %s: %+v", c.text, got, c.want, q)
		}
	}
}

func TestIsRegion(t *testing.T) {
	for _, w := range []string{"us-west-2", "ap-southeast-4", "us-gov-west-1", "us-isob-east-1", "cn-north-1", "eu-central-1", "eusc-de-east-1"} {
		if !kind.IsRegion(w) {
			t.Errorf("%s is a region", w)
		}
	}
	for _, w := range []string{"web-1", "db-east-1", "us-west", "us-west-2a", "us-west-22", "us--2", "pg-instance-main1", ""} {
		if kind.IsRegion(w) {
			t.Errorf("%s is no region", w)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"stop web-1", `"a" 'b' “c”`, "don't", "a\x00b\xff", "'''\"\"", "l'l 'x y' z", "s' '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for i, w := range Split(text) {
			if w.Text == "" || w.Start < 0 || w.End > len(text) || w.Start >= w.End || w.End < end {
				t.Fatalf("%q: word %d is %+v", text, i, w)
			}
			end = w.Start
		}
		q, ok := Quote(text)
		if !ok {
			return
		}
		if ws := Split("stop " + q + " in us-west-2"); len(ws) != 4 || ws[1].Text != text || !ws[1].Plain() {
			t.Fatalf("%q is quoted as %s, which reads as %v", text, q, fmt.Sprint(ws))
		}
	})
}

// Each word of a question is form (f), narrows (n), text (t) or unread (u).
func TestUnderstand(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"which databases are not encrypted", "fnfnn"},
		{"list the running instances in us-west-2", "ffnnfn"},
		{"instances without a Name tag", "nnfnn"},
		{"instances with no public ip", "nfnnn"},
		{"how many stopped servers are there", "ffnnff"},
		{"which instances run", "fnn"},
		{"3 oldest databases", "nnn"},
		{"top 5 newest instances", "fnnn"},
		{"instances in the staging account", "nffnn"},
		{"instances in account 4445", "nfnn"},
		{"banana instances tagged env=prod", "tnfn"},
		{"instances stopped yesterday", "nnu"},
		{"instances if they run", "nufn"},
		{"which instances should be stopped", "fnufn"},
		{"none of my databases", "uffn"},
		{"are there no instances", "ffun"},
		{"idle instances", "un"},
		{"instances per region", "nff"},
		{"instances like web", "nut"},
		{"why are instances down", "ufnn"},
		{"list 5 instances", "fun"},
		{"instances not", "nu"},
		{"instances not, running", "nun"},
		{"the last instance", "fun"},
		{`instances called "not"`, "nft"},
	} {
		_, uses := Understand(Split(c.text))
		got := ""
		for _, u := range uses {
			got += string("ufnt"[u])
		}
		if got != c.want {
			t.Errorf("%q is understood as %s, want %s", c.text, got, c.want)
		}
	}
}

func TestMend(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"wich instances are runing", "which instances are running"},
		{"instnaces in irland", "instances in ireland"},
		{"unencrpted databses", "unencrypted databases"},
		{"lsit buckest", "list buckets"},
		// A word of another meaning stays, whatever it looks like.
		{"unavailable inactive databases", ""}, {"lost shot most least stale instances", ""}, {"idle worker cache stack roles", ""},
		{"stpo strat instances", ""}, {"oldest prod instances", ""}, {`"runing"`, ""}, {"known-runing", ""}, {"runing known", "running known"},
		{"bucket", ""}, {"i-0123 web-1 x", ""},
	} {
		ws, made := Mend(Split(c.text), func(w string) bool { return w == "known" })
		var out []string
		for _, w := range ws {
			out = append(out, w.Text)
		}
		want := c.want
		if want == "" {
			if len(made) > 0 {
				t.Errorf("%q is read as %v", c.text, made)
			}
			continue
		}
		if got := strings.Join(out, " "); got != want || len(made) == 0 {
			t.Errorf("%q is read as %q, want %q", c.text, got, want)
		}
	}
}

// A mistyped verb is that verb or none, never another.
func TestSlip(t *testing.T) {
	for word, want := range map[string]string{
		"strat": "start", "satrt": "start", "sart": "start", "starrt": "start", "tsart": "start", "stary": "start",
		"stpo": "stop", "sotp": "stop", "stopp": "stop", "stip": "stop", "shutdwon": "stop", "shutdwn": "stop",
		"rebot": "reboot", "rebbot": "reboot", "retsart": "reboot", "restrat": "reboot", "reebot": "reboot",
		"stop": "", "start": "", "banana": "", "stopping": "", "web-1": "", "a": "", "status": "", "store": "", "stage": "",
	} {
		if got := strings.Join(Slip(Split(word)[0]), " "); got != want {
			t.Errorf("%q could be %q, want %q", word, got, want)
		}
	}
}

func TestNamesAreFoundAsTheyAreWritten(t *testing.T) {
	known := []string{"O'Brien's box", "Anna’s box", "d'Artagnan", "web-1", "boss's"}
	for text, want := range map[string]string{
		"stop O'Brien's box": "O'Brien's box", "stop O’Brien’s box": "O'Brien's box", "stop Anna’s box": "Anna’s box", "is d'Artagnan up": "d'Artagnan",
		"what is web-1's state": "web-1", "stop boss's": "boss's", "stop web-1’s": "web-1",
	} {
		got := Names(Split(text), func(n string) bool { return slices.Contains(known, n) })
		if len(got) != 1 || got[0].Name != want {
			t.Errorf("%q names %v, want %s", text, got, want)
		}
	}
}

// What types, states and verbs are called is none of the words that no name may
// hide, but for the forms of verbs that are states: stopped.
func TestTypesAndVerbsTakeNoWordOfTheGrammar(t *testing.T) {
	for w, c := range classes {
		if c&Kind != 0 && c&never != 0 || c&State != 0 && c&never&^ActionForm != 0 ||
			c&Action != 0 && c&(never&^Action|Time|Unsupported) != 0 {
			t.Errorf("%q is what a type, state or verb is called, and a word of the grammar", w)
		}
	}
}

// A type means the same resources in chat and in search, whatever it is called.
func TestChatAndSearchMeanTheSame(t *testing.T) {
	x := index.New(aws.Kinds())
	for _, k := range aws.Kinds().All() {
		x.Put(index.Record{Key: index.Key{Type: k.Type, ID: "0", AccountID: "1", Region: "2"}, Service: k.Service})
	}
	for _, k := range aws.Kinds().All() {
		for _, w := range slices.Concat(k.Words, k.Also) {
			for _, word := range [...]string{w, kind.Plural(w)} {
				ws := Split(word)
				chat := Read(ws).Alone().Types
				if chat == nil {
					chat, _ = Kinds(ws, 0)
				}
				var search []string
				rs, _ := x.Search(word, index.Filter{}, -1)
				for _, r := range rs {
					search = append(search, r.Type)
				}
				slices.Sort(chat)
				slices.Sort(search)
				if len(chat) == 0 || !slices.Equal(chat, search) {
					t.Errorf("%q means %q in chat and %q in search", word, chat, search)
				}
			}
		}
	}
}

// A state word is said of the states of each type that it stands for, and of no
// other type's.
func TestStatesAreThoseOfTheType(t *testing.T) {
	for _, c := range []struct {
		word, typ, state string
		want             bool
	}{
		{"running", "ec2_instance", "running", true}, {"running", "rds_instance", "available", true}, {"up", "rds_cluster", "backing-up", true},
		{"running", "ec2_instance", "available", false}, {"running", "ec2_instance", "stopped", false}, {"down", "ec2_instance", "Stopped", true},
		{"starting", "ec2_instance", "pending", true}, {"pending", "rds_instance", "starting", true}, {"starting", "rds_instance", "available", false},
		{"failed", "rds_instance", "storage-full", true}, {"deleting", "ec2_instance", "shutting-down", true}, {"storage-full", "rds_instance", "storage-full", true},
		{"active", "rds_instance", "available", true}, {"active", "rds_instance", "backing-up", false}, {"running", "s3_bucket", "", false},
	} {
		if got := Means(c.word, c.typ, c.state); got != c.want {
			t.Errorf("whether %q is said of a %s that is %s: %v", c.word, c.typ, c.state, got)
		}
	}
	for state, want := range map[string]bool{"terminated": true, "shutting-down": true, StateGone: true, "stopped": false, "": false} {
		if got := Gone(index.Record{Key: index.Key{Type: "ec2_instance"}, State: state}); got != want {
			t.Errorf("whether what is %q is gone: %v", state, got)
		}
	}
}
