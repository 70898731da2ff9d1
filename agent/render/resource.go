package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
)

// Hovers stay readable: more than these are counted, not shown.
const (
	maxHovered = 10
	maxTags    = 12
	maxGaps    = 3
)

// style is how parts of a rendering look on a surface.
type style struct {
	// text is foreign prose, code a foreign name or id.
	text, code func(string) string
	bold       func(string) string // of own words
	item       string              // begins a line of a list
	rule       string              // stands between resources
}

func markdown() style {
	return style{Markdown, Code, func(s string) string { return "**" + s + "**" }, "- ", "\n\n---\n\n"}
}

func plain() style {
	return style{Terminal, Terminal, func(s string) string { return s }, "  ", "\n\n"}
}

// Hover is the Markdown of a hover on something that names records: each of
// them, with its age, which is its LastSynced. gaps say where more could hide.
// It is empty where there are no records: a hover never claims absence.
func Hover(records []storage.Record, gaps []string, now time.Time) string {
	return hover(markdown(), records, gaps, now)
}

// HoverPlain is Hover for editors that don't show Markdown.
func HoverPlain(records []storage.Record, gaps []string, now time.Time) string {
	return hover(plain(), records, gaps, now)
}

func hover(st style, records []storage.Record, gaps []string, now time.Time) string {
	if len(records) == 0 {
		return ""
	}
	var parts []string
	if len(records) > 1 {
		parts = append(parts, st.bold(fmt.Sprintf("%d resources", len(records)))+" carry this name:")
	}
	for _, r := range records[:min(len(records), maxHovered)] {
		lines := heading(st, r.Type, r.Name, r.ID)
		lines = facts(lines, st, r.ID, r.ARN, r.State, r.Region, r.AccountID, r.AccountName)
		if r.Summary != "" {
			lines = append(lines, st.item+st.code(r.Summary))
		}
		if t := tags(st, r.Tags, maxTags); t != "" {
			lines = append(lines, st.item+"tags "+t)
		}
		parts = append(parts, strings.Join(append(lines, st.item+confirmed(r.LastSynced, now)), "\n"))
	}
	if n := len(records) - maxHovered; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	if len(gaps) > 0 {
		parts = append(parts, st.text("More could be "+Unseen(gaps)))
	}
	return strings.Join(parts, st.rule)
}

// Unseen says where a resource could hide: "where cloudops could not look: ...".
// It is not escaped.
func Unseen(gaps []string) string {
	said := slices.Clone(gaps[:min(len(gaps), maxGaps)])
	if n := len(gaps) - maxGaps; n > 0 {
		said = append(said, fmt.Sprintf("%d more", n))
	}
	return "where cloudops could not look: " + strings.Join(said, "; ")
}

// heading is the type and name of a resource, or its id where it has no name.
func heading(st style, typ, name, id string) []string {
	if name == "" {
		name = id
	}
	lines := make([]string, 0, 16) // all that follows
	head := st.bold(st.text(Kind(typ))) + " " + st.code(name)
	if st.item == "- " {
		return append(lines, head, "") // or the list would belong to the paragraph
	}
	return append(lines, head)
}

// facts appends what every resource has.
func facts(lines []string, st style, id, arn, state, region, account, accountName string) []string {
	lines = append(lines, st.item+"id "+st.code(id))
	if arn != "" && arn != id {
		lines = append(lines, st.item+"ARN "+st.code(arn))
	}
	if state != "" {
		lines = append(lines, st.item+"state "+st.code(state))
	}
	if region != "" {
		lines = append(lines, st.item+"region "+st.code(region))
	}
	if account != "" {
		a := st.item + "account " + st.code(account)
		if accountName != "" {
			a += " (" + st.text(accountName) + ")"
		}
		lines = append(lines, a)
	}
	return lines
}

// Kind is a resource type in words: rds_instance is "RDS instance". It is not
// escaped.
func Kind(typ string) string { return aws.Kinds().Label(typ).One }

// tagOrder is the keys of tags: those that say how much a resource matters first.
func tagOrder(tags map[string]string) []string {
	weight := func(k string) int {
		switch strings.ToLower(k) {
		case "env", "environment", "stage", "tier":
			return 0
		case "name":
			return 2
		}
		return 1
	}
	keys := slices.AppendSeq(make([]string, 0, len(tags)), maps.Keys(tags))
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(weight(a)-weight(b), strings.Compare(a, b)) })
	return keys
}

// tags lists tags on one line, at most n of them; 0 means all.
func tags(st style, all map[string]string, n int) string {
	keys := tagOrder(all)
	s := make([]string, 0, len(keys))
	for i, k := range keys {
		if n > 0 && i == n {
			s = append(s, fmt.Sprintf("and %d more", len(keys)-n))
			break
		}
		s = append(s, st.code(k+"="+all[k]))
	}
	if st.item == "- " {
		return strings.Join(s, " ")
	}
	return strings.Join(s, ", ")
}

// ResourceTerminal is all that is known of a resource, for a terminal.
func ResourceTerminal(r storage.Resource) string {
	st := plain()
	lines := heading(st, r.Type, r.Name, r.ID)
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, st.item+name+" "+st.code(value))
		}
	}
	lines = facts(lines, st, r.ID, r.ARN, r.State, r.Region, r.AccountID, r.AccountName)
	add("type", r.Type)
	add("service", r.Service)
	add("engine", strings.TrimSpace(r.Engine+" "+r.EngineVersion))
	if r.Summary != "" {
		lines = append(lines, st.item+"summary "+st.text(r.Summary))
	}
	if t := tags(st, r.Tags, 0); t != "" {
		lines = append(lines, st.item+"tags "+t)
	}
	var aliases []string
	for _, a := range r.Aliases {
		aliases = append(aliases, st.code(a))
	}
	if len(aliases) > 0 {
		lines = append(lines, st.item+"also known as "+strings.Join(aliases, ", "))
	}
	if r.ImmutableID != r.ID {
		add("immutable id", r.ImmutableID)
	}
	if r.CreatedAt != nil {
		add("created", Clock(*r.CreatedAt))
	}
	for _, block := range [...]struct {
		name   string
		values map[string]any
	}{{"constraints", r.Constraints}, {"properties", r.Metadata}} {
		if len(block.values) == 0 {
			continue
		}
		lines = append(lines, st.item+block.name)
		for _, k := range slices.Sorted(maps.Keys(block.values)) {
			lines = append(lines, "  "+st.item+st.text(k)+" "+st.code(value(block.values[k])))
		}
	}
	if r.IAM != nil {
		lines = append(lines, permissions(st, *r.IAM)...)
	}
	if r.LastSynced.IsZero() {
		return strings.Join(append(lines, st.item+"never confirmed"), "\n")
	}
	return strings.Join(append(lines, st.item+"confirmed "+Clock(r.LastSynced)), "\n")
}

// permissions says what the caller may do.
func permissions(st style, i storage.IAM) []string {
	var lines []string
	for _, l := range [...]struct {
		name    string
		actions []string
	}{{"allowed", i.AllowedActions}, {"denied", i.DeniedActions}, {"unknown", i.UnknownActions}} {
		var s []string
		for _, a := range l.actions {
			s = append(s, st.code(a))
		}
		if len(s) > 0 {
			lines = append(lines, "  "+st.item+l.name+" "+strings.Join(s, ", "))
		}
	}
	if lines == nil {
		return nil
	}
	return append([]string{st.item + "your permissions"}, lines...)
}

// value is one property in a line.
func value(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
