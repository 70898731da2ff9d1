package main

import (
	"os"
	"path/filepath"
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
		"s3_backup: {bucket: My_Backup, region: mars}\n":                                    "s3_backup.region \"mars\"",
		"s3_backup: {bucket: my-backup, region: us-west-2, retention_days: -1}\n":           "retention_days -1",
		"s3_backup: {bucket: my-backup, region: us-west-2}\nencryption: {enabled: false}\n": "there is an s3_backup",
		"collections: {aws_estate: {memmap_config: {threshold_kb: -1}}}\n":                  "threshold_kb",
		"collections: {chat_history: {distance: far}}\n":                                    "cosine, euclidean, dot or manhattan",
		"qdrant: [\n": "config.yaml",
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
