package builtin

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
)

// answerToQuestion reads a prompt as the answer to our question in the turn
// before: "2", "the one in eu-west-1", "both", an id. It reports false when
// the prompt is no such answer.
func (t *turn) answerToQuestion() (agent.Reply, bool) {
	asked := t.pending()
	if asked == nil {
		return agent.Reply{}, false
	}
	words := withoutFillers(items(t.Prompt, t.known))
	const own = prompt.Action | prompt.ActionForm | prompt.Unsupported | prompt.Ask | prompt.Question | prompt.Condition | prompt.Time
	if slices.ContainsFunc(words, func(it item) bool { return it.is(own) && !it.is(prompt.State) }) {
		return agent.Reply{}, false
	}
	if has(words, prompt.Negation|prompt.Cancel) {
		if len(content(words)) == 0 {
			return information("All right. Nothing was proposed."), true
		}
		return agent.Reply{}, false
	}
	if picked := t.pick(words, asked.Choices); len(picked) > 0 {
		var prompts []string
		for _, c := range picked {
			prompts = append(prompts, c.Prompt)
		}
		return t.interpret(strings.Join(prompts, " and ")), true
	}
	if len(numbers(words)) > 0 && len(asked.Choices) > 0 && len(names(words)) == 0 {
		return agent.Reply{Clarification: asked}, true // there is no such choice
	}
	if quiet(words) && !has(words, prompt.Yes|prompt.Kind) || has(words, prompt.Greeting) {
		return agent.Reply{}, false
	}
	if has(words, prompt.Yes) && len(content(words)) == 0 {
		return agent.Reply{Clarification: asked}, true
	}
	if asked.About != "" {
		return t.interpret(asked.About + " " + t.Prompt), true
	}
	return agent.Reply{}, false
}

// pick is the choices that an answer means; none when it does not fit.
func (t *turn) pick(words []item, choices []agent.Choice) []agent.Choice {
	picked := numbers(words)
	var rest []item
	everything, yes := false, false
	for _, it := range words {
		switch {
		case len(numbers([]item{it})) > 0:
		case it.word("both"):
			if len(choices) != 2 {
				return nil
			}
			everything = true
		case it.word("all", "every", "each", "everything"):
			everything = true
		case it.is(prompt.Yes):
			yes = true
		default:
			rest = append(rest, it)
		}
	}
	empty := len(rest) == 0 || quiet(rest) && !has(rest, prompt.Kind) || onlyPronouns(rest)
	switch {
	case len(picked) > 0:
		var out []agent.Choice
		for _, n := range picked {
			if n < 0 {
				n = len(choices)
			}
			if !empty || everything || n > len(choices) || n < 1 {
				return nil
			}
			out = append(out, choices[n-1])
		}
		return out
	case everything:
		if !empty || len(choices) >= mostChoices {
			return nil
		}
		return choices
	case yes && empty:
		if len(choices) != 1 {
			return nil
		}
		return choices
	case empty:
		return nil
	}
	return t.fitting(rest, choices)
}

// numbers are the choices that words count out; -1 is the last.
func numbers(words []item) []int {
	var out []int
	for _, it := range words {
		n, err := strconv.Atoi(strings.TrimPrefix(it.Lower, "#"))
		switch {
		case it.name != "" || it.Quoted:
		case err == nil && n > 0 && n < 100:
			out = append(out, n)
		case it.is(prompt.Ordinal):
			out = append(out, ordinals[it.Lower])
		}
	}
	return out
}

func names(words []item) []string {
	var out []string
	for _, it := range words {
		if it.name != "" {
			out = append(out, it.name)
		}
	}
	return out
}

func onlyPronouns(items []item) bool {
	return !slices.ContainsFunc(items, func(it item) bool {
		return !it.is(prompt.Pronoun | prompt.Polite | prompt.Preposition | prompt.Article)
	})
}

// fitting is the one choice whose resource an answer names or describes.
func (t *turn) fitting(rest []item, choices []agent.Choice) []agent.Choice {
	q := prompt.Read(plainWords(rest))
	named := len(names(rest)) > 0
	var out []agent.Choice
	for _, c := range choices {
		i := slices.IndexFunc(t.before, func(th thing) bool { return th.Canonical() == c.Resource })
		if i < 0 {
			for _, it := range rest {
				for _, th := range t.named[strings.ToLower(it.name)] {
					if it.name != "" && th.Canonical() == c.Resource && q.Match(th.Record) {
						out = append(out, c)
					}
				}
			}
			continue
		}
		fits := q.Match(t.before[i].Record)
		for _, it := range rest {
			if it.name != "" {
				fits = fits && slices.ContainsFunc(t.named[strings.ToLower(it.name)], func(th thing) bool { return th.Canonical() == c.Resource })
			}
		}
		if fits && (named || !q.Empty()) {
			out = append(out, c)
		}
	}
	if len(out) != 1 {
		return nil
	}
	return out
}
