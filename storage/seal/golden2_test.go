package seal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden2 is what a store of keyset format 2 holds besides its home: one that
// went through a rotation, and its recovery file.
type golden2 struct {
	StoreID, PointID string
	Conversation     string
	// Keys are the ids of the keys, the newest first.
	Keys []string
	// Record is an audit record of a retired key, the others are of the newest.
	Record, Value, Message goldenValue
}

// A store whose keys were rotated opens, with its retired keys, and its
// recovery file fits it, in this and in every later version.
func TestStoresOfKeysetFormat2Open(t *testing.T) {
	dir := filepath.Join("testdata", "golden2")
	if *update {
		writeGolden2(t, dir)
	}
	var g golden2
	b, err := os.ReadFile(filepath.Join(dir, "values.json"))
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "recovery.txt"))
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
	check := func(k *Keys) {
		t.Helper()
		s := k.Status()
		if k.StoreID() != g.StoreID || k.PointID(goldenCanonical) != g.PointID || len(s.Keys) != 2 || k.Rotating() {
			t.Errorf("store %s, point %s, keys %+v", k.StoreID(), k.PointID(goldenCanonical), s.Keys)
		}
		for i, id := range g.Keys {
			if s.Keys[i].ID != id || s.Keys[i].Made.IsZero() {
				t.Errorf("key %d is %+v, want %s", i, s.Keys[i], id)
			}
		}
		c, err := k.Conversation(g.Conversation)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []goldenValue{g.Record, g.Value, g.Message} {
			open := k.Open
			if v.OfConversation {
				open = c.Open
			}
			if got, err := open(v.Sealed, v.Place); err != nil || string(got) != v.Plain {
				t.Errorf("%+v: %q, %v", v.Place, got, err)
			}
		}
		if got, err := k.File("data/user").Load(); err != nil || string(got) != `"someone"` {
			t.Errorf("the file: %q, %v", got, err)
		}
	}
	t.Setenv(goldenVariable, string(key))
	check(mustUnlock(t, home, Source{}))

	// With another key there, the recovery file brings the keys back.
	os.Setenv(goldenVariable, freshKey(t))
	k, err := imported(home, Source{EnvVar: goldenVariable}, recoveryFile(t, file), systemVault())
	if err != nil {
		t.Fatal(err)
	}
	check(k)
}

func writeGolden2(t *testing.T, dir string) {
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
	if err := k.File("data/user").Save([]byte(`"someone"`)); err != nil {
		t.Fatal(err)
	}
	g := golden2{
		StoreID: k.StoreID(), PointID: k.PointID(goldenCanonical), Conversation: goldenID,
		Record:  goldenValue{Plain: "an old record", Place: Place{"audit", "1", "prev", 1}},
		Value:   goldenValue{Plain: "a value", Place: Place{"aws_estate", "p", "encrypted_data", 7}},
		Message: goldenValue{Plain: "hello", Place: Place{"chat_history", "m", "encrypted_content", 1}, OfConversation: true},
	}
	seal := func(v *goldenValue, with func([]byte, Place) ([]byte, error)) {
		if v.Sealed, err = with([]byte(v.Plain), v.Place); err != nil {
			t.Fatal(err)
		}
	}
	seal(&g.Record, k.Seal)
	if err := rotateOnce(k); err != nil {
		t.Fatal(err)
	}
	if err := k.change("", func(c content) (content, error) {
		c.state.AuditUntil[keyIDs(c.retired)[0]] = 1
		return c, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := k.RetireConversation(goldenID); err != nil {
		t.Fatal(err)
	}
	seal(&g.Value, k.Seal)
	seal(&g.Message, c.Seal)
	for _, id := range k.Status().Keys {
		g.Keys = append(g.Keys, id.ID)
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"values.json": string(b) + "\n", "key.txt": key + "\n", "recovery.txt": string(exported(t, k)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(keysetPath(home) + ".lock")
}
