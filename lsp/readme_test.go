package lsp

import (
	"strings"
	"testing"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/scanner/aws"
)

// What the README says is supported is what the descriptors of types and
// features, and the table of editors, say.
func TestTheReadmePageIsTheTables(t *testing.T) {
	const page = "../README.md"
	want := "| AWS resources | read | changed |\n|---|---|---|\n"
	for _, c := range aws.Collectors() {
		does := map[bool][]string{}
		for _, a := range c.Actions {
			does[a.Verb.Changes] = append(does[a.Verb.Changes], a.Verb.Is)
		}
		row := []string{c.Label.Many, strings.Join(append([]string{"scan"}, does[false]...), ", "), strings.Join(does[true], ", ")}
		if row[2] == "" {
			row[2] = "-"
		}
		want += "| " + strings.Join(row, " | ") + " |\n"
	}
	comparePage(t, page, "<!-- the types of scanner/aws/services.go -->\n", want)

	want = "| editor |"
	rule := "\n|---|"
	for _, f := range features() {
		if f.setting != "" {
			want += " " + strings.TrimPrefix(f.method, "textDocument/") + " |"
			rule += "---|"
		}
	}
	want += " asks you |" + rule + "---|\n"
	how := map[asks]string{asksCard: "by a card", asksWhole: "by a message", asksEnd: "by a message", asksNever: "in `cloudops approvals`"}
	for _, e := range editors(t) {
		want += "| " + e.Editor + " |"
		for _, f := range features() {
			if f.setting == "" {
				continue
			}
			said := f.offer(e.client(t), &protocol.ServerCapabilities{})
			if said == "" {
				said = "-"
			}
			want += " " + said + " |"
		}
		want += " " + how[e.client(t).kind.asks] + " |\n"
	}
	comparePage(t, page, "<!-- the features of lsp/feature.go, by editor -->\n", want)
}
