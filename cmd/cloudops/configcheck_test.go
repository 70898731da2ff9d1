package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// writeConfig makes a home with a configuration.
func writeConfig(t *testing.T, text string) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLOUDOPS_HOME", home)
}

func TestAWrongConfigurationIsExplained(t *testing.T) {
	for text, want := range map[string]string{
		"qdrnt: {mode: embedded}\n":                                                         "did you mean qdrant?",
		"qdrant:\n  mdoe: embedded\n":                                                       "in qdrant; did you mean mode?",
		"frobnicate: 1\n":                                                                   "there are: aws, collections, daemon, data_path, embedding, encryption",
		"collections:\n  aws_estate:\n    hnsw: {m: 3}\n":                                   "in collections.aws_estate; did you mean hnsw_config?",
		"collections:\n  aws_estate:\n    wal_config: {capacity: 3}\n":                      "in collections.aws_estate.wal_config; did you mean capacity_mb?",
		"collections:\n  aws_estate:\n    indexed_fields:\n    - {name: tags.a, type: x}\n": "there are: field_type, indexed, name",
		"embedding: {api_key: sk-walrus}\n":                                                 "api_key says where a key is",
		"embedding:\n  api_key: \"sk-walrus\"\n  provider: openai\n":                        "{env_var: NAME}",
		"embedding: {provider: openai, model: m, api_key: {env_var: K}}\n":                  "this version makes no vectors yet",
		"embedding: {provider: word2vec}\n":                                                 "must be none, openai, server, local or fastembed",
		"embedding: {dimension: 12}\n":                                                      "vector_size of collections.aws_estate, which is 384",
		"embedding: {generation_mode: sometimes}\n":                                         "on_write, on_search or lazy",
		"s3_backup: {bucket: my-backup, region: us-west-2, auto_sync: true}\n":              "this version makes no backups yet",
		"s3_backup: {bucket: My_Backup, region: mars}\n":                                    "s3_backup.region: must be a region",
		"s3_backup: {bucket: my-backup, region: us-west-2, retention_days: -1}\n":           "retention_days -1",
		"s3_backup: {bucket: my-backup, region: us-west-2}\nencryption: {enabled: false}\n": "there is an s3_backup",
		"collections: {aws_estate: {memmap_config: {threshold_kb: -1}}}\n":                  "threshold_kb",
		"collections: {chat_history: {distance: far}}\n":                                    "cosine, euclidean, dot or manhattan",
		"policy: {reads: allow}\n---\npolicy: {read_only: true}\n":                          "line 3: another document begins",
		"policy: {reads: allow}\n...\npolicy: {read_only: true}\n":                          "another document begins",
		"encryption: {key_source: {env_var: pass word walrus}}\n":                           "is no name of a variable",
		"qdrant: {api_key: {env_var: walrus-Secret!}}\n":                                    "is no name of a variable",
		"policy: {reads: ask}\nuser_id: me\n\"policy\": {reads: allow}\n":                   "line 3: policy stands in line 1 already",
		"policy:\n  read_only: true\n  reads: ask\n  read_only: false\n":                    "line 4: policy.read_only stands in line 2 already",
		"aws: {profiles: [a], profiles: [b]}\n":                                             "line 1: aws.profiles stands in line 1 already",
		"qdrant: [\n":                                                                       "config.yaml",
	} {
		writeConfig(t, text)
		_, err := loadConfig()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "walrus") {
			t.Errorf("an error quotes a secret: %v", err)
		}
	}
}

// A file that says nothing is as none, and a mark before its text is none of it.
func TestAConfigurationMaySayNothing(t *testing.T) {
	for text, readOnly := range map[string]bool{"": false, "# nothing\n": false, "---\n": false, "\ufeffpolicy: {read_only: true}\n": true} {
		writeConfig(t, text)
		if c, err := loadConfig(); err != nil || c.Policy.ReadOnly != readOnly {
			t.Errorf("%q: %+v, %v", text, c.Policy, err)
		}
	}
}

// What a later version does is taken as long as it is not turned on.
func TestEveryFieldOfTheStorageIsTakenAndShown(t *testing.T) {
	writeConfig(t, `
qdrant: {mode: embedded}
embedding: {provider: none, model: text-embedding-3-small, generation_mode: OnSearch}
s3_backup: {bucket: my-cloudops-backup, region: us-west-2, auto_sync: false}
collections:
  chat_history: {name: chat_history, vector_size: 1}
  aws_estate:
    distance: Cosine
    indexed_fields: [{name: tags.env, field_type: Keyword, indexed: true}]
    hnsw_config: {m: 32}
    memmap_config: {on_disk: true, threshold_kb: 20000}
    wal_config: {capacity_mb: 64, segments_ahead: 1}
`)
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"config", "show"}, stdio{strings.NewReader(""), &out, &errs}); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	for _, line := range []string{
		"provider: none", "generation_mode: on_search", "dimension: 384", "bucket: my-cloudops-backup", "interval_hours: 24", "retention_days: 30",
		"on_disk: true", "threshold_kb: 20000", "capacity_mb: 64", "segments_ahead: 1", "m: 32", "name: tags.env", "distance: cosine",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("config show has no %q:\n%s", line, out.String())
		}
	}
}

// leaves lists the paths of a configuration's values, with their types.
func leaves(t reflect.Type, path []string) map[string]reflect.Kind {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	found := map[string]reflect.Kind{}
	switch t.Kind() {
	case reflect.Slice:
		for p, k := range leaves(t.Elem(), append(slices.Clone(path), "[]")) {
			found[p] = k
		}
	case reflect.Struct:
		for name, below := range yamlFields(t) {
			for p, k := range leaves(below, append(slices.Clone(path), name)) {
				found[p] = k
			}
		}
	default:
		found[strings.Join(path, "/")] = t.Kind()
	}
	return found
}

// at is a configuration with one value.
func at(path, value string) string {
	text := value
	for _, step := range slices.Backward(strings.Split(path, "/")) {
		if step == "[]" {
			text = "[" + text + "]"
		} else {
			text = "{" + step + ": " + text + "}"
		}
	}
	return text + "\n"
}

// A number, a truth or nothing in the place of a text is refused with its line,
// wherever it stands; the decoder would make another text of it.
func TestTextThatIsReadAsSomethingElseIsRefused(t *testing.T) {
	all := leaves(reflect.TypeFor[config](), nil)
	if len(all) < 40 || all["aws/profiles/[]"] != reflect.String || all["daemon/idle_minutes"] != reflect.Int {
		t.Fatalf("the leaves are %v", all)
	}
	for path, kind := range all {
		values := []string{"012345670123", "0123", "123456789012", "1.5", "1e3", "0x1F", "0o17", "true", "null", "~", "2024-01-02", "12:30:45", ".inf", "!!str 0123", "!!int 7", "[x]", "{x: y}"}
		switch kind {
		case reflect.Int:
			values = []string{"010", "1.5", "true", "null", `"5"`, "five", "[5]", "{x: y}", "!!int 5"}
		case reflect.Bool:
			values = []string{"1", "yes", "null", `"true"`, "[true]", "{x: y}"}
		}
		for _, v := range values {
			text := "# the second line\n" + at(path, v)
			writeConfig(t, text)
			_, err := loadConfig()
			if err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), strings.ReplaceAll(strings.ReplaceAll(path, "/[]", ""), "/", ".")) {
				t.Errorf("%s gives %v", text, err)
			}
		}
	}
	writeConfig(t, "aws: {profiles: [\"012345670123\", prod-2, '2024-01-02', 'a:b', 7up, v1.5]}\nuser_id: \"0123\"\n")
	c, err := loadConfig()
	if err != nil || !slices.Equal(c.AWS.Profiles, []string{"012345670123", "prod-2", "2024-01-02", "a:b", "7up", "v1.5"}) || c.UserID != "0123" {
		t.Errorf("%v, %v, %v", c.AWS.Profiles, c.UserID, err)
	}
	writeConfig(t, "aws: {profiles: &p [0123]}\npolicy: {reads: *p}\n")
	if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "line 1: aws.profiles") {
		t.Errorf("an anchor: %v", err)
	}
	writeConfig(t, "daemon: {idle_minutes: &p 12}\nuser_id: *p\n")
	if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "user_id") {
		t.Errorf("an alias: %v", err)
	}
}

// A key that was put where something else belongs is quoted nowhere, not even in
// the log of the daemon.
func TestNoSecretOfTheConfigurationIsQuoted(t *testing.T) {
	shapes := map[string]string{
		"base64":            "ROtaD6bq0mYx3PZk8cWJ1tq2VnF7hS5uLeGdKiAoMzE=",
		"base64 of a slash": "/OtaD6bq0mYx3PZk8cWJ1tq2VnF7hS5uLeGdKiAoMzE=",
		"hex":               "8f14e45fceea167a5a36dedd4bea2543f4b1c2d3e4f5061728394a5b6c7d8e9f",
		"an access key":     "AKIAIOSFODNN7EXAMPLE",
		"a secret key":      "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"a PEM line":        "-----BEGIN OPENSSH PRIVATE KEY-----",
		"with spaces":       "ROta D6bq 0mYx 3PZk 8cWJ 1tq2 VnF7 hS5u LeGd KiAo MzE=",
		"of a model":        "sk-proj-Zq8x2LmN4vB7",
		"a password":        "Tr0ub4dor&3-walrus",
	}
	for path, kind := range leaves(reflect.TypeFor[config](), nil) {
		for shape, secret := range shapes {
			for _, form := range []string{`"` + secret + `"`, secret} {
				writeConfig(t, at(path, form))
				var said strings.Builder
				_, err := loadConfig()
				if err == nil && (shape != "a password" || kind != reflect.String) {
					t.Errorf("%s: %s is taken", path, shape)
				}
				if err != nil {
					said.WriteString(err.Error())
					for _, args := range [][]string{{"status"}, {"config", "show"}, {"doctor"}, {"daemon"}, {"status", "--json"}} {
						run(t.Context(), args, stdio{strings.NewReader(""), &said, &said})
					}
				}
				if strings.Contains(said.String(), secret) || strings.Contains(said.String(), secret[5:15]) {
					t.Errorf("%s: %s is quoted:\n%s", path, shape, said.String())
				}
			}
		}
	}
	for name, text := range map[string]string{
		"a key":                shapes["a secret key"] + ": 1\n",
		"a key of a mapping":   "qdrant: {" + shapes["hex"] + ": x}\n",
		"a line":               shapes["a PEM line"] + "\n",
		"a broken line":        "user_id: \"" + shapes["base64"] + "\n",
		"a list that is open":  "aws: {profiles: [" + shapes["base64"] + "\n",
		"a mapping for a name": "user_id: {" + shapes["an access key"] + ": x}\n",
		"an api key":           "qdrant:\n  api_key: " + shapes["a password"] + "\n",
		"a key source":         "encryption: {key_source: " + shapes["a password"] + "}\n",
		"an alias":             "user_id: *" + shapes["hex"] + "\n",
	} {
		writeConfig(t, text)
		if _, err := loadConfig(); err == nil {
			t.Errorf("%s is taken", name)
		} else {
			for _, secret := range shapes {
				if strings.Contains(err.Error(), secret[2:16]) {
					t.Errorf("%s is quoted: %v", name, err)
				}
			}
		}
	}
}

// What people call things is no secret.
func TestNamesAreNoSecrets(t *testing.T) {
	for _, name := range []string{
		"AdministratorAccess-123456789012", "arn:aws:iam::123456789012:role/Admin", "/home/Some.User/keys/cloudops-2024.key", "~/keys/Cloudops",
		"7d0c2f7e-58a5-4f0c-9a53-3c1b8b1f6c11", "AwsEstateProduction2024Backup", "https://qdrant.Example.com:6334", "CLOUDOPS_KEY", "text-embedding-3-small",
		"/nix/store/abcd0123456789abcd0123456789abcd-qdrant/bin/qdrant", "cloudops", "encryption_key", "us-gov-west-1", "my-bucket.example.com",
		"/tmp/TestTheEditorGoesOnAfterTheDaemonIsKilled1234567890/001/key", "~/MyAwsKeysOfTheYear2026/CloudopsKey1",
		"/opt/Very/Long/Path/With/Many/Parts/In/It/File1",
	} {
		if looksSecret(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}
