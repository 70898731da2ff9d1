package render

import (
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"

	"github.com/cloudops/cloudops/storage"
)

func conversation(s string) (storage.Conversation, []storage.Message) {
	c := storage.Conversation{ID: "7b0c9a52-2f0e-4b1d-9c43-0d1a2b3c4d5e", Title: s, Labels: []string{s}, Messages: 3, CreatedAt: now, UpdatedAt: now}
	metadata := storage.MessageMetadata{ResourcesMentioned: []string{"arn:" + s}, CommandsExecuted: []string{"aws rds stop-db-instance --db-instance-identifier=" + s}}
	return c, []storage.Message{
		{Index: 0, Role: storage.RoleUser, Content: s, Timestamp: now, Metadata: metadata},
		{Index: 1, Role: storage.RoleAssistant, Content: s, Timestamp: now, Metadata: metadata},
		{Index: 2, Role: storage.Role(s), Content: s + "\n" + s + "\n\n" + s, Timestamp: now},
	}
}

func checkConversation(t *testing.T, s string) {
	t.Helper()
	c, ms := conversation(s)
	md := Conversation(c, ms, 1)
	checkVisible(t, "a conversation", md)
	_, kinds := seen(t, md)
	for k, n := range kinds {
		switch k {
		case ast.KindDocument, ast.KindParagraph, ast.KindText, ast.KindString, ast.KindTextBlock, ast.KindList, ast.KindListItem, ast.KindCodeSpan:
		case ast.KindHeading:
			if n != 1+len(ms) {
				t.Errorf("%q makes %d headings:\n%s", s, n, md)
			}
		default:
			t.Errorf("%q makes a %v in a conversation:\n%s", s, k, md)
		}
	}
}

func TestAConversationHoldsHostileText(t *testing.T) {
	for _, s := range append(hostile(t),
		"# heading\n\n- list\n1. list\n\n    code\n\n```\nfence\n```\n\n> quote\n\n| a | b |\n|---|---|\n| c | d |\n\n<script>alert(1)</script>\n\n![x](http://evil)\n\n---\n\n[x]: http://evil\n\nterm\n: definition",
		"setext\n===\n\nanother\n---\n", "\\", "a\\\nb\\", "**`x**`", "```", "\\\\[x](http://evil)", "&#160;&#160;&#160;&#160;# x", "\n\n\n", "") {
		checkConversation(t, s)
	}
}

func FuzzConversation(f *testing.F) {
	for _, name := range hostile(f) {
		f.Add(name)
	}
	f.Add("# a\n\n- b\n    c\n")
	f.Fuzz(func(t *testing.T, s string) { checkConversation(t, s) })
}

func TestAConversationIsWhole(t *testing.T) {
	c, ms := conversation("pg-instance-main1")
	ms[1].Content = "Shall I stop **pg\\-instance\\-main1**?\nIt is `available`."
	md := Conversation(c, ms[:2], 1)
	want := "# pg-instance-main1\n\n" +
		"- Conversation: `7b0c9a52-2f0e-4b1d-9c43-0d1a2b3c4d5e`\n- Labels: `pg-instance-main1`\n" +
		"- Begun: 2026-05-01 10:03:00 UTC\n- Last message: 2026-05-01 10:03:00 UTC\n- Messages: 2\n- Missing: 1, which cannot be read\n\n" +
		"## 1. user, 2026-05-01 10:03:00 UTC\n\npg-instance-main1\n\n" +
		"Resources mentioned:\n\n- `arn:pg-instance-main1`\n\n" +
		"Commands executed:\n\n- `aws rds stop-db-instance --db-instance-identifier=pg-instance-main1`\n\n" +
		"## 2. assistant, 2026-05-01 10:03:00 UTC\n\nShall I stop pg-instance-main1?\\\nIt is available\\.\n"
	if !strings.HasPrefix(md, want) {
		t.Errorf("got\n%s\nwant\n%s", md, want)
	}
	// What a person wrote is no Markdown: nothing of it is taken off.
	if got := Said(storage.Message{Role: storage.RoleUser, Content: "rm **all** `x` \\*"}); got != "rm **all** `x` \\*" {
		t.Errorf("said %q", got)
	}
}
