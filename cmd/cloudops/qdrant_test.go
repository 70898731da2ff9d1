package main

import (
	"testing"

	"github.com/goccy/go-yaml"
)

// The mode is changed, and nothing else of what the user wrote.
func TestTheModeIsWrittenIntoTheConfiguration(t *testing.T) {
	for before, want := range map[string]string{
		"":                               "qdrant:\n  mode: remote\n",
		"# nothing yet\n":                "",
		"aws:\n  profiles: [a] # mine\n": "aws:\n  profiles: [a] # mine\nqdrant:\n  mode: remote\n",
		"qdrant:\n  mode: embedded # the default\n  url: https://q # theirs\npolicy:\n  reads: ask\n": "qdrant:\n  mode: remote\n  url: https://q # theirs\npolicy:\n  reads: ask\n",
		"# top\nqdrant:\n  # where\n  url: https://q\n":                                               "# top\nqdrant:\n  # where\n  url: https://q\n  mode: remote\n",
		"qdrant: {url: https://q}\n":                                                                  "",
	} {
		got, err := withMode([]byte(before), "remote")
		if err != nil {
			t.Errorf("%q: %v", before, err)
			continue
		}
		if want != "" && string(got) != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
		var have, had map[string]any
		if err := yaml.Unmarshal(got, &have); err != nil {
			t.Errorf("%q became %q: %v", before, got, err)
			continue
		}
		if err := yaml.Unmarshal([]byte(before), &had); err != nil {
			t.Fatal(err)
		}
		q, _ := have["qdrant"].(map[string]any)
		if q["mode"] != "remote" {
			t.Errorf("%q became %q", before, got)
		}
		if old, ok := had["qdrant"].(map[string]any); ok && old["url"] != q["url"] {
			t.Errorf("%q became %q", before, got)
		}
	}
}
