package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/session"
)

// maxWords is how much of a prompt, a name or a tag a card shows, in
// characters. Command lines, ids and ARNs are never cut.
const maxWords = 160

// CardTerminal is the card of a plan for a terminal of that many columns,
// without a final newline; 0 columns leave lines as long as they are. Command
// lines are never broken.
func CardTerminal(p executor.Plan, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "    %s\n", Terminal(p.Line))
	for _, f := range riskFirst(card(p, quoteIfOdd)) {
		text := Terminal(f.text)
		if f.name != "undo" {
			text = wrap(text, columns, 12)
		}
		fmt.Fprintf(&b, "\n  %-9s %s", f.name, text)
	}
	return b.String()
}

// CardNotification is the card of a prompt for window/showMessageRequest: one
// field a line. Editors may join the lines, so each begins with its name, and
// foreign words stand in quotes.
func CardNotification(p executor.Prompt) string {
	return cardNotification(p, nil)
}

// CardNotice is as CardNotification, without what a card may fold away: for an
// editor whose notifications are short, and which can show the whole card.
func CardNotice(p executor.Prompt) string {
	return cardNotification(p, foldable)
}

func cardNotification(p executor.Prompt, without []string) string {
	lines := []string{
		Notification(p.Plan.Title) + " (risk: " + Notification(string(p.Plan.Risk)) + ")",
		"Command: " + Notification(p.Plan.Line),
	}
	for _, f := range card(p.Plan, quote) {
		if slices.Contains(without, f.name) {
			continue
		}
		name := f.name
		if name == "" {
			name = "and"
		}
		lines = append(lines, strings.ToUpper(name[:1])+name[1:]+": "+Notification(f.text))
	}
	return strings.Join(lines, "\n")
}

// How much of a message is seen where only its end is: of a window of 24 lines
// and 80 columns a quarter without the frame, but for the line with the choices.
const endRows, endColumns = 4, 79

// CardEnd is the card of a plan for an editor that shows the end of a message
// and no more: six lines at most, of which the last, next to the choices, are
// what is decided on: the account, the targets and the command. Where these are
// so long that they would not be seen it does not fit.
func CardEnd(p executor.Plan) (text string, fits bool) {
	risk := string(p.Risk)
	if len(p.Reasons) > 0 {
		risk += ": " + strings.Join(p.Reasons, "; ")
	}
	lines := []string{p.Title + " (risk: " + risk + ")"}
	if p.Effect != "" {
		lines = append(lines, "Effect: "+p.Effect)
	}
	if p.Endpoint != "" && endpoint(p.Endpoint) != p.Endpoint {
		lines = append(lines, "Endpoint: "+endpoint(p.Endpoint))
	}
	decided := len(lines)
	for _, f := range decisive(p) {
		lines = append(lines, strings.ToUpper(f.name[:1])+f.name[1:]+": "+f.text)
	}
	rows := 0
	for i, l := range lines {
		lines[i] = Notification(l)
		if i >= decided {
			rows += (width(lines[i]) + endColumns - 1) / endColumns
		}
	}
	return strings.Join(lines, "\n"), rows <= endRows
}

// CardTerminalEnd is what is decided on, for the last lines before the question
// where the card is longer than the terminal: title and risk, account, targets
// and the command, which is never broken.
func CardTerminalEnd(p executor.Plan, columns int) string {
	var b strings.Builder
	b.WriteString(wrap(Terminal(p.Title+" (risk: "+string(p.Risk)+")"), columns, 0))
	for _, f := range decisive(p) {
		text := Terminal(f.text)
		if f.name != "command" {
			text = wrap(text, columns, 12)
		}
		fmt.Fprintf(&b, "\n  %-9s %s", f.name, text)
	}
	return b.String()
}

// decisive are the fields without which nobody can decide, the command last.
func decisive(p executor.Plan) []field {
	account, region := place(p)
	where := []string{account, region}
	if p.Identity.Profile != "" {
		where = append(where, "profile "+quote(p.Identity.Profile))
	}
	var targets []string
	for _, t := range p.Targets {
		// Whoever may name a resource must not push its id out of view.
		if rs := []rune(t.Name); t.Name != t.ID && len(rs) > 16 {
			t.Name = string(rs[:16]) + "…"
		}
		name := target(t, quote)[0].text
		if t.State != "" {
			name += ", " + t.State
		}
		targets = append(targets, name)
	}
	if len(targets) == 0 {
		targets = []string{noTarget}
	}
	return []field{
		{"account", strings.Join(slices.DeleteFunc(where, func(s string) bool { return s == "" }), ", ")},
		{"target", strings.Join(targets, "; ")},
		{"command", p.Line},
	}
}

// Field is one line of a card; a name that is empty goes on with the one before.
type Field struct {
	Name string `json:"name"`
	Text string `json:"text"`
	// More: it may stand behind a fold.
	More bool `json:"more,omitempty"`
}

// foldable are the fields that say where a plan came from, and what its approval
// is bound to besides.
var foldable = []string{"", "facts", "tags", "origin", "prompt", "expires"}

// CardFields is the card of a plan for a page, but for its title and command
// line. A page shows it as text, never as HTML.
func CardFields(p executor.Plan) []Field {
	var fs []Field
	for _, f := range riskFirst(card(p, quoteIfOdd)) {
		fs = append(fs, Field{Plain(f.name), Plain(f.text), slices.Contains(foldable, f.name)})
	}
	return fs
}

// CardDialog is what a dialog says of a plan below its title: the command line
// and what stands before the fold of the card.
func CardDialog(p executor.Plan) string {
	lines := []string{Plain(p.Line)}
	for _, f := range CardFields(p) {
		if !f.More {
			lines = append(lines, strings.ToUpper(f.Name[:1])+f.Name[1:]+": "+f.Text)
		}
	}
	return strings.Join(lines, "\n")
}

// field is one line of a card, not yet escaped.
type field struct{ name, text string }

// riskFirst moves the risk to where eyes begin.
func riskFirst(fs []field) []field {
	risk := slices.IndexFunc(fs, func(f field) bool { return f.name == "risk" })
	return slices.Concat(fs[risk:risk+1], fs[:risk], fs[risk+1:])
}

// card is what a person has to know to decide. set puts foreign words so that
// they can't pass for the card's own.
func card(p executor.Plan, set func(string) string) []field {
	var fs []field
	if p.Effect != "" {
		fs = append(fs, field{"effect", p.Effect})
	}
	for _, t := range p.Targets {
		fs = append(fs, target(t, set)...)
	}
	if len(p.Targets) == 0 {
		fs = append(fs, field{"target", noTarget})
	}
	account, region := place(p)
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
		fs = append(fs, field{"expires", Clock(p.Expires) + ", " + span(p.Expires.Sub(p.Created)) + " after it was proposed"})
	}
	return fs
}

// noTarget stands for the target of what has none.
const noTarget = "none: it reads more than one resource"

// place is the account and the region that a plan acts in.
func place(p executor.Plan) (account, region string) {
	account = p.Command.AccountID
	if account == "" {
		account = p.Identity.AccountID
	}
	return account, p.Command.Region
}

// endpoint says where a command goes that does not go where AWS says.
func endpoint(s string) string {
	if session.IsAWS(s) {
		return s
	}
	return s + " (not AWS itself)"
}

// target is the lines of one resource.
func target(t executor.Target, set func(string) string) []field {
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
		facts = append(facts, set(k+"="+t.Facts[k]))
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
		tags = append(tags, set(k+"="+t.Tags[k]))
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

// quoteIfOdd quotes words but those of plain letters, digits and marks, which
// can neither end where they should not nor look like another word.
func quoteIfOdd(s string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("=-_.:/@+", r)
	}
	if s == "" || strings.ContainsFunc(s, odd) || len(s) > maxWords {
		return quote(s)
	}
	return s
}

// Outcome says in a sentence what became of a plan, for a terminal.
func Outcome(x executor.Execution) string {
	switch x.Status {
	case "succeeded":
		switch {
		case x.StateAfter == "":
			return "Done."
		case len(x.Targets) != 1:
			return Terminal("Done: " + x.StateAfter + ".")
		}
		s := "Done: " + x.Targets[0].ID + " is " + x.StateAfter
		if x.StateBefore != "" && x.StateBefore != x.StateAfter {
			s += "; it was " + x.StateBefore
		}
		return Terminal(s + ".")
	case "rejected", "expired", "void", "planned":
		why := x.Error
		if why == "" {
			why = x.Decision
		}
		if why == "" {
			why = x.Status
		}
		return Terminal("Not run: " + why + ".")
	case "failed":
		return Terminal("Failed: " + x.Error)
	case "running":
		return "It is running; `cloudops executions` shows what became of it."
	}
	return Terminal("What became of it is unknown: " + x.Error)
}

// ExecutionLine is one line of a list of executions, for a terminal.
func ExecutionLine(x executor.Execution) string {
	at := x.Planned
	for _, t := range [...]time.Time{x.Started, x.Finished} {
		if !t.IsZero() {
			at = t
		}
	}
	s := Clock(at) + "  " + x.Status + "  " + x.Line
	ran := x.StateAfter != "" || !x.Started.IsZero()
	if ran && (x.StateBefore != "" || x.StateAfter != "") {
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
