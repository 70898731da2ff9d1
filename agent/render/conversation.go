package render

import (
	"fmt"
	"strings"

	"github.com/cloudops/cloudops/storage"
)

// Conversation is a conversation as a Markdown document. All that was said in
// it, by whomever, is text there: what a reply emphasised or listed reads as it
// did on a terminal.
func Conversation(c storage.Conversation, ms []storage.Message, unreadable int) string {
	var b strings.Builder
	title := c.Title
	if title == "" {
		title = "A conversation"
	}
	fmt.Fprintf(&b, "# %s\n\n- Conversation: %s\n", Markdown(title), Code(c.ID))
	if len(c.Labels) > 0 {
		labels := make([]string, len(c.Labels))
		for i, l := range c.Labels {
			labels[i] = Code(l)
		}
		fmt.Fprintf(&b, "- Labels: %s\n", strings.Join(labels, ", "))
	}
	if !c.CreatedAt.IsZero() {
		fmt.Fprintf(&b, "- Begun: %s\n", Clock(c.CreatedAt))
	}
	fmt.Fprintf(&b, "- Last message: %s\n- Messages: %d\n", Clock(c.UpdatedAt), len(ms))
	if unreadable > 0 {
		fmt.Fprintf(&b, "- Missing: %d, which cannot be read\n", unreadable)
	}
	for _, m := range ms {
		fmt.Fprintf(&b, "\n## %d. %s, %s\n\n%s\n", m.Index+1, Markdown(string(m.Role)), Clock(m.Timestamp), paragraphs(Said(m)))
		list(&b, "Resources mentioned", m.Metadata.ResourcesMentioned)
		list(&b, "Commands executed", m.Metadata.CommandsExecuted)
	}
	return b.String()
}

// Said is what a message says, as lines of a terminal. People write text, all
// others Markdown.
func Said(m storage.Message) string {
	if m.Role == storage.RoleUser {
		return TerminalBlock(m.Content)
	}
	return TerminalMarkdown(m.Content)
}

// paragraphs is text of several lines as Markdown that keeps the lines.
func paragraphs(text string) string {
	var b strings.Builder
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		blank := strings.TrimSpace(l) == ""
		if !blank {
			b.WriteString(Markdown(l))
		}
		switch {
		case i == len(lines)-1:
		case blank || strings.TrimSpace(lines[i+1]) == "":
			b.WriteByte('\n')
		default:
			b.WriteString("\\\n") // a line break
		}
	}
	return b.String()
}

func list(b *strings.Builder, heading string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n\n", heading)
	for _, item := range items {
		fmt.Fprintf(b, "- %s\n", Code(item))
	}
}
