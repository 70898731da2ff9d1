package render

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudops/cloudops/executor"
)

// maxWords is how much of a prompt, a name or a tag a card shows, in
// characters. Command lines, ids and ARNs are never cut.
const maxWords = 160

// CardTerminal is the card of a plan for a terminal, without a final newline.
func CardTerminal(p executor.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n    %s\n", Terminal(p.Title), Terminal(p.Line))
	for _, f := range card(p) {
		fmt.Fprintf(&b, "\n  %-9s %s", f.name, Terminal(f.text))
	}
	return b.String()
}

// CardNotification is the card of a prompt for window/showMessageRequest: one
// field a line. Editors may join the lines, so each begins with its name, and
// foreign words stand in quotes.
func CardNotification(p executor.Prompt) string {
	lines := []string{
		Notification(p.Plan.Title) + " (risk: " + Notification(string(p.Plan.Risk)) + ")",
		"Command: " + Notification(p.Plan.Line),
	}
	for _, f := range card(p.Plan) {
		name := f.name
		if name == "" {
			name = "and"
		}
		lines = append(lines, strings.ToUpper(name[:1])+name[1:]+": "+Notification(f.text))
	}
	return strings.Join(lines, "\n")
}

// field is one line of a card, not yet escaped.
type field struct{ name, text string }

// card is what a person has to know to decide, in the order of weight.
func card(p executor.Plan) []field {
	var fs []field
	if p.Effect != "" {
		fs = append(fs, field{"effect", p.Effect})
	}
	for _, t := range p.Targets {
		fs = append(fs, target(t)...)
	}
	if len(p.Targets) == 0 {
		fs = append(fs, field{"target", "none: it reads more than one resource"})
	}
	account, region := p.Command.AccountID, p.Command.Region
	if account == "" {
		account = p.Identity.AccountID
	}
	if account != "" {
		fs = append(fs, field{"account", account})
	}
	if region != "" {
		fs = append(fs, field{"region", region})
	}
	if p.Endpoint != "" {
		fs = append(fs, field{"endpoint", endpoint(p.Endpoint)})
	}
	fs = append(fs, field{"identity", identity(p)})
	risk := string(p.Risk)
	if len(p.Reasons) > 0 {
		risk += ": " + strings.Join(p.Reasons, "; ")
	}
	fs = append(fs, field{"risk", risk})
	undo := p.Undo
	if undo == "" {
		undo = "no command undoes it"
		if p.Access == "Read" || p.Access == "List" {
			undo = "nothing to undo: it only reads"
		}
	}
	fs = append(fs, field{"undo", undo})
	fs = append(fs, origin(p.Origin)...)
	if !p.Expires.IsZero() {
		fs = append(fs, field{"expires", clock(p.Expires) + ", " + span(p.Expires.Sub(p.Created)) + " after it was proposed"})
	}
	return fs
}

// endpoint says where a command goes that does not go where AWS says.
func endpoint(s string) string {
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "https" &&
		(strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn")) {
		return s
	}
	return s + " (not AWS itself)"
}

// target is the lines of one resource.
func target(t executor.Target) []field {
	name := Kind(t.Type)
	if t.Name != "" && t.Name != t.ID {
		name += " " + quote(t.Name) + ","
	}
	fs := []field{{"target", name + " id " + t.ID}}
	if t.ARN != "" {
		fs = append(fs, field{"", "ARN " + t.ARN})
	}
	if t.ImmutableID != "" && t.ImmutableID != t.ID {
		fs = append(fs, field{"", "immutable id " + t.ImmutableID})
	}
	if t.State != "" {
		fs = append(fs, field{"state", t.State})
	}
	var facts []string
	for _, k := range slices.Sorted(maps.Keys(t.Facts)) {
		facts = append(facts, quote(k+"="+t.Facts[k]))
	}
	if len(facts) > 0 {
		fs = append(fs, field{"facts", strings.Join(facts, " ")})
	}
	var tags []string
	for i, k := range tagOrder(t.Tags) {
		if i == maxTags {
			tags = append(tags, fmt.Sprintf("and %d more", len(t.Tags)-maxTags))
			break
		}
		tags = append(tags, quote(k+"="+t.Tags[k]))
	}
	if len(tags) > 0 {
		fs = append(fs, field{"tags", strings.Join(tags, " ")})
	}
	return fs
}

func identity(p executor.Plan) string {
	s := p.Identity.ARN
	if p.Identity.Profile != "" {
		s += ", profile " + quote(p.Identity.Profile)
	}
	if p.Identity.Source != "" {
		s += ", credentials from " + p.Identity.Source
	}
	return s
}

// origin says where the command came from.
func origin(o executor.Origin) []field {
	s := "an " + o.Kind
	if o.Kind != "editor" {
		s = "a " + o.Kind
	}
	if o.Kind == "" {
		s = "an unknown session"
	}
	if o.Executable != "" {
		s += ", " + o.Executable
	}
	if o.PID != 0 {
		s += fmt.Sprintf(", process %d", o.PID)
	}
	if o.Workspace != "" {
		s += ", workspace " + quote(o.Workspace)
	}
	if o.Session != "" {
		s += ", session " + o.Session
	}
	fs := []field{{"origin", s}}
	if o.Prompt != "" {
		fs = append(fs, field{"prompt", quote(o.Prompt)})
	}
	return fs
}

// quote sets foreign words apart from the card's own, cut to maxWords.
func quote(s string) string {
	if utf8.RuneCountInString(s) > maxWords {
		rs := []rune(s)
		s = fmt.Sprintf("%s… (%d characters more)", string(rs[:maxWords]), len(rs)-maxWords)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// ExecutionLine is one line of a list of executions, for a terminal.
func ExecutionLine(x executor.Execution) string {
	at := x.Planned
	for _, t := range [...]time.Time{x.Started, x.Finished} {
		if !t.IsZero() {
			at = t
		}
	}
	s := clock(at) + "  " + x.Status + "  " + x.Line
	if x.StateBefore != "" || x.StateAfter != "" {
		s += "  (" + orUnknown(x.StateBefore) + " → " + orUnknown(x.StateAfter) + ")"
	}
	if x.Error != "" {
		s += "  " + x.Error
	}
	return Terminal(s + "  " + x.ID)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
