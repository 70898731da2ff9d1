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

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/seal"
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
	for _, dir := range []string{"cmd/cloudops", "storage", "storage/seal", "scanner", "scanner/session", "executor"} {
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

// The encryption key is never where an API key is read.
func TestTheEncryptionKeyIsNoAPIKey(t *testing.T) {
	for _, key := range []seal.Source{
		{EnvVar: "THE_KEY"}, {File: "/keys/kek"}, {Keychain: &seal.Keychain{Service: "s", Account: "a"}},
	} {
		c := config{home: "/h", Encryption: encryptionConfig{KeySource: key}}
		c.DataPath = "/h/data"
		c.Qdrant = storage.QdrantConfig{Mode: "remote", URL: "https://qdrant.example", APIKey: key}
		if err := c.validate("config.yaml"); err == nil || !strings.Contains(err.Error(), "sent to nobody") {
			t.Errorf("%v: %v", key, err)
		}
		c.Qdrant.APIKey = seal.Source{Keychain: &seal.Keychain{}} // the entry for it
		if err := c.validate("config.yaml"); err != nil {
			t.Errorf("%v: %v", key, err)
		}
	}
}
