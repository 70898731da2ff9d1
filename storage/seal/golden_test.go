package seal

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden anew; only for a new format")

// golden is what a store of this format holds besides its home.
type golden struct {
	StoreID      string
	PointID      string
	Digest       uint64
	Conversation string
	Values       []goldenValue
}

type goldenValue struct {
	Plain  string
	Place  Place
	Sealed []byte
	// OfConversation: sealed under the conversation's key.
	OfConversation bool
}

const (
	goldenVariable  = "CLOUDOPS_SEAL_GOLDEN_KEY"
	goldenCanonical = "arn:aws:rds:us-west-2:111122223333:db:pg-instance-main1"
	goldenID        = "7d0c2f7e-58a5-4f0c-9a53-3c1b8b1f6c11"
)

// A store made by format 1 opens, in this and in every later version.
func TestStoresOfFormat1Open(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	if *update {
		writeGolden(t, dir)
	}
	var g golden
	b, err := os.ReadFile(filepath.Join(dir, "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	home := newHome(t)
	for path, content := range tree(t, filepath.Join(dir, "home")) {
		to := filepath.Join(home, strings.TrimPrefix(path, filepath.Join(dir, "home")))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(goldenVariable, string(key))
	k := mustUnlock(t, home, Source{})
	if k.StoreID() != g.StoreID || k.PointID(goldenCanonical) != g.PointID || k.Digest([]byte("content")) != g.Digest {
		t.Errorf("store %s, point %s, digest %d", k.StoreID(), k.PointID(goldenCanonical), k.Digest([]byte("content")))
	}
	if got, err := k.File("cache/index").Load(); err != nil || string(got) != "a sealed file" {
		t.Errorf("the file: %q, %v", got, err)
	}
	if got, err := k.Anchor("audit").Load(); err != nil || got != "7 abc" {
		t.Errorf("the anchor: %q, %v", got, err)
	}
	c, err := k.Conversation(g.Conversation)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Values {
		open := k.Open
		if v.OfConversation {
			open = c.Open
		}
		if got, err := open(v.Sealed, v.Place); err != nil || string(got) != v.Plain {
			t.Errorf("%+v: %q, %v", v.Place, got, err)
		}
	}
	if len(g.Values) != 3 {
		t.Errorf("%d values", len(g.Values))
	}
}

func writeGolden(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	home, key := filepath.Join(dir, "home"), freshKey(t)
	t.Setenv(goldenVariable, key)
	k := mustUnlock(t, home, Source{EnvVar: goldenVariable})
	c, err := k.NewConversation(goldenID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.File("cache/index").Save([]byte("a sealed file")); err != nil {
		t.Fatal(err)
	}
	if err := k.Anchor("audit").Save("7 abc"); err != nil {
		t.Fatal(err)
	}
	g := golden{StoreID: k.StoreID(), PointID: k.PointID(goldenCanonical), Digest: k.Digest([]byte("content")), Conversation: goldenID,
		Values: []goldenValue{
			{Plain: "short", Place: Place{"aws_estate", k.PointID(goldenCanonical), "encrypted_data", 1}},
			{Plain: strings.Repeat("compressible ", 50), Place: Place{"audit", "1", "entry", 1 << 40}},
			{Plain: "Stop pg-instance-main1", Place: Place{"chat_history", goldenID, "encrypted_content", 0}, OfConversation: true},
		}}
	for i, v := range g.Values {
		sealing := k.Seal
		if v.OfConversation {
			sealing = c.Seal
		}
		if g.Values[i].Sealed, err = sealing([]byte(v.Plain), v.Place); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(keysetPath(home) + ".lock")
	for name, content := range map[string]string{"values.json": string(b) + "\n", "key.txt": key + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
