package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
)

var update = flag.Bool("update", false, "write generated files anew")

// The embedded schema is the one that the types and their comments give.
func TestConfigSchema(t *testing.T) {
	t.Chdir("../..") // the comments are found by the packages' folders
	r := &jsonschema.Reflector{
		FieldNameTag:   "yaml",
		ExpandedStruct: true,
		Namer: func(t reflect.Type) string {
			if t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			if t.Name() == "" {
				return ""
			}
			return strings.ReplaceAll(strings.TrimPrefix(t.PkgPath(), module), "/", ".") + "." + t.Name()
		},
	}
	for _, dir := range []string{"cmd/cloudops", "storage", "storage/seal", "scanner", "executor"} {
		if err := r.AddGoComments(strings.TrimSuffix(module, "/"), "./"+dir, jsonschema.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	s := r.Reflect(&config{})
	s.ID = ""
	s.Title = "cloudops config.yaml"
	want, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("cmd/cloudops/config.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(schema, want) {
		t.Errorf("config.schema.json is stale; run: go test ./cmd/cloudops -run TestConfigSchema -update")
	}
}
