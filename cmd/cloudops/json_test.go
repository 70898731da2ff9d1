package main

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/scanner"
)

// docs/json.md names the fields that the types have.
func TestDocumentedJSON(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	for command, types := range map[string][]any{
		"version": {versionResult{}},
		"status": {daemon.StatusResult{}, struct {
			D int `json:"daemon"`
		}{}},
		"profiles":             {daemon.ProfileListResult{}},
		"scan":                 {scanner.Result{}},
		"search":               {daemon.SearchResult{}},
		"show":                 {daemon.GetResult{}},
		"api":                  {apiResult{}},
		"chat":                 {agent.Answer{}, chatTurn{}},
		"approvals":            {daemon.PendingResult{}},
		"executions":           {daemon.ExecutionListResult{}},
		"audit":                {daemon.AuditResult{}},
		"audit verify":         {executor.Report{}},
		"migrate":              {daemon.MigrateResult{}},
		"key status":           {daemon.KeyStatusResult{}},
		"key rotate":           {daemon.KeyRotateResult{}},
		"key export":           {exported{}},
		"key import":           {daemon.KeyStatusResult{}},
		"conversations":        {daemon.ConversationListResult{}},
		"conversations show":   {daemon.MessagesResult{}},
		"conversations search": {daemon.ConversationSearchResult{}},
		"conversations rename": {daemon.ConversationResult{}},
		"conversations label":  {daemon.ConversationResult{}},
		"conversations export": {daemon.ConversationExportResult{}},
		"conversations delete": {daemon.ConversationResult{}},
	} {
		row := regexp.MustCompile("(?m)^\\| `" + command + "` \\| `([^`]*)`").FindSubmatch(text)
		if row == nil {
			t.Errorf("docs/json.md has no row for %s", command)
			continue
		}
		documented := map[string]bool{}
		for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllSubmatch(row[1], -1) {
			documented[string(m[1])] = true
		}
		have := map[string]bool{}
		for _, v := range types {
			fields(reflect.TypeOf(v), have)
		}
		for name := range have {
			if !documented[name] {
				t.Errorf("%s prints %q, which docs/json.md does not name", command, name)
			}
		}
		for name := range documented {
			if !have[name] {
				t.Errorf("docs/json.md names %q, which %s does not print", name, command)
			}
		}
	}
}

// fields collects the JSON names of a struct, those of embedded ones included.
func fields(t reflect.Type, into map[string]bool) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name != "" && name != "-":
			into[name] = true
		case f.Anonymous:
			fields(f.Type, into)
		}
	}
}
