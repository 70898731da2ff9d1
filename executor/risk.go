package executor

import (
	"fmt"
	"strings"

	"github.com/cloudops/cloudops/storage/kind"
)

// many targets at once are critical, whatever they are.
const many = 10

// judge says how much a plan could hurt, and why, in words. It is pure, and its
// words carry no foreign text.
func judge(op call, params map[string]any, targets []Target) (Risk, []string) {
	if !op.Changes() {
		return RiskLow, []string{"it only reads"}
	}
	level, reasons := 1, []string{"it changes AWS"}
	if op.does.Verb.Disrupts {
		reasons = []string{"what runs there stops answering"}
	}
	raise := func(to int, why string) {
		level = max(level, to)
		reasons = append(reasons, why)
	}
	if n := len(targets); n > 1 {
		raise(2, fmt.Sprintf("it acts on %d resources at once", n))
		if n >= many {
			level = 3
		}
	}
	production := 0
	for _, t := range targets {
		if isProduction(t) {
			production++
		}
	}
	if op.does.Verb.Disrupts {
		switch {
		case production > 1:
			raise(3, fmt.Sprintf("%d of the resources are tagged as production", production))
		case production == 1 && len(targets) == 1:
			raise(2, "the resource is tagged as production")
		case production == 1:
			raise(2, "one of the resources is tagged as production")
		}
	} else if production > 0 {
		reasons = append(reasons, "production is among the tags")
	}
	for _, p := range op.Parameters {
		if on, _ := params[p.Name].(bool); on && p.Raises != "" {
			raise(2, p.Raises)
		}
	}
	for _, t := range targets {
		for _, n := range notes(op, t) {
			which := ""
			if len(targets) > 1 {
				which = t.ID + ": "
			}
			if n.raises {
				raise(2, which+n.text)
			} else {
				reasons = append(reasons, which+n.text)
			}
		}
	}
	return []Risk{RiskLow, RiskMedium, RiskHigh, RiskCritical}[level], reasons
}

type note struct {
	text   string
	raises bool
}

// notes are what a person should know of one target.
func notes(op call, t Target) []note {
	var list []note
	say := func(raises bool, text string) { list = append(list, note{text, raises}) }
	if !isProduction(t) && (strings.Contains(strings.ToLower(t.Name), "prod") || strings.Contains(t.ID, "prod")) {
		say(false, `"prod" is part of its name, though no tag says so`)
	}
	if t.ImmutableID == "" && t.CreatedAt == nil {
		say(true, "the approval cannot be bound to its state: AWS names neither an immutable id nor when it was made")
	}
	for _, f := range op.does.Find(op.does.Verb, t.view(), show) {
		say(f.Effect == kind.Raises, f.Why)
	}
	return list
}

// isProduction goes by the tags env, environment and stage.
func isProduction(t Target) bool { return kind.Environment(t.Tags) == "production" }
