package builtin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage"
)

// answerToQuestion reads a prompt as the answer to our question in the turn
// before: "2", "the one in eu-west-1", "both", an id. It reports false when
// the prompt is no such answer.
func (t *turn) answerToQuestion() (agent.Reply, bool) {
	asked := t.pending()
	if asked == nil {
		return agent.Reply{}, false
	}
	words := withoutFillers(items(prompt.Split(t.Prompt), t.known))
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
	if t.newRequest(words, asked.Choices) {
		return agent.Reply{}, false
	}
	picked, described := t.pick(words, asked.Choices)
	switch {
	case described && len(picked) == len(asked.Choices) && len(picked) > 1:
		return agent.Reply{Clarification: asked}, true // it tells none of them apart
	case described && len(picked) > 1:
		return t.narrower(asked, picked), true
	case len(picked) > 0:
		var prompts []string
		for _, c := range picked {
			prompts = append(prompts, c.Prompt)
		}
		return t.interpretOwn(strings.Join(prompts, " and ")), true
	}
	if n := numbers(words); len(n) > 0 && len(asked.Choices) > 0 && len(names(words)) == 0 {
		again := *asked
		if no := fmt.Sprintf("There are %d choices.\n\n", len(asked.Choices)); !strings.HasPrefix(again.Question, no) {
			again.Question = no + again.Question
		}
		return agent.Reply{Clarification: &again}, true
	}
	if quiet(words) && !has(words, prompt.Yes|prompt.Kind) || has(words, prompt.Greeting) {
		return agent.Reply{}, false
	}
	if has(words, prompt.Yes) && len(content(words)) == 0 {
		return agent.Reply{Clarification: asked}, true
	}
	if about := asked.About; about != "" {
		if len(names(words)) > 0 {
			about, _, _ = strings.Cut(about, " ") // what is named now takes the place of what was said
		}
		return t.interpret(about + " " + t.Prompt), true
	}
	return agent.Reply{}, false
}

// newRequest reports whether a prompt that follows a question holds a word that
// is no answer to it, such as a mistyped verb: "strat batch-1" asks for something
// else, whatever was asked about before.
func (t *turn) newRequest(words []item, choices []agent.Choice) bool {
	named := names(words)
	return slices.ContainsFunc(words, func(it item) bool {
		if it.name != "" || it.Quoted || !it.Plain() || len(numbers([]item{it})) > 0 || len(named) == 0 && len(slips(it)) == 0 {
			return false
		}
		fits := func(th thing) bool { return prompt.Mentions(th.Record, it.Text) }
		return !slices.ContainsFunc(named, func(n string) bool { return slices.ContainsFunc(t.named[strings.ToLower(n)], fits) }) &&
			!slices.ContainsFunc(t.before, func(th thing) bool {
				return fits(th) && slices.ContainsFunc(choices, func(c agent.Choice) bool { return c.Resource == th.Canonical() })
			})
	})
}

// theOther reads "and the other one": what our newest question let choose from,
// and no turn since then was about.
func (t *turn) theOther() (agent.Reply, bool) {
	verb, other := "", false
	for _, it := range withoutFillers(items(prompt.Split(t.Prompt), t.known)) {
		switch {
		case it.word("other", "others"):
			other = true
		case it.is(prompt.Action) && verbs[it.Lower] != "" && verb == "":
			verb = verbs[it.Lower]
		case !it.is(prompt.Polite|prompt.Article|prompt.Conjunction|prompt.Pronoun|prompt.Now) || it.is(prompt.Negation|prompt.Time|prompt.Condition):
			return agent.Reply{}, false
		}
	}
	if !other {
		return agent.Reply{}, false
	}
	var since []string
	for i := len(t.ChatHistory) - 1; i >= 0; i-- {
		h := t.ChatHistory[i]
		switch {
		case h.Role == storage.RoleUser:
			continue
		case h.Reply == nil || h.Reply.Clarification == nil:
			since = append(since, h.Resources...)
			continue
		case h.Reply.Clarification.About == "":
			return agent.Reply{}, false // its choices stand for more than themselves
		}
		var left []string
		for _, c := range h.Reply.Clarification.Choices {
			if c.Resource != "" && !slices.Contains(since, c.Resource) {
				text := c.Prompt
				if _, object, ok := strings.Cut(text, " "); ok && verb != "" {
					text = title(verb) + " " + object
				}
				left = append(left, text)
			}
		}
		if len(left) == 0 || len(left) == len(h.Reply.Clarification.Choices) {
			return agent.Reply{}, false
		}
		return t.interpretOwn(strings.Join(left, " and ")), true
	}
	return agent.Reply{}, false
}

// narrower asks again, about the choices that an answer leaves.
func (t *turn) narrower(asked *agent.Clarification, left []agent.Choice) agent.Reply {
	q := agent.Clarification{Question: fmt.Sprintf("That leaves %d. Which one?", len(left)), Choices: left}
	if asked.About != "" {
		q.About = asked.About + " " + t.Prompt
	}
	for _, r := range t.IdentifiedResources {
		th := identified(r)
		of := func(c agent.Choice) bool { return c.Resource == th.Canonical() }
		if slices.ContainsFunc(left, of) || !slices.ContainsFunc(asked.Choices, of) {
			t.mention(th)
		}
	}
	return agent.Reply{Clarification: &q}
}

// interpretOwn answers a prompt that we wrote, whose resources need not be
// among those identified in the person's.
func (t *turn) interpretOwn(text string) agent.Reply {
	for name, rs := range t.estate.Resolve(prompt.Candidates(prompt.Split(text))) {
		if low := strings.ToLower(name); len(t.named[low]) == 0 {
			t.named[low] = t.things(rs)
		}
	}
	return t.interpret(text)
}

// pick is the choices that an answer means; none when it does not fit. They are
// described where the answer says what they are, not which: several are then
// what it could mean.
func (t *turn) pick(words []item, choices []agent.Choice) (picked []agent.Choice, described bool) {
	counted := numbers(words)
	var rest []item
	everything, yes := false, false
	for _, it := range words {
		switch {
		case len(numbers([]item{it})) > 0:
		case it.word("both"):
			if len(choices) != 2 {
				return nil, false
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
	case len(counted) > 0:
		var out []agent.Choice
		for _, n := range counted {
			if n < 0 {
				n = len(choices)
			}
			if !empty || everything || n > len(choices) || n < 1 {
				return nil, false
			}
			out = append(out, choices[n-1])
		}
		return out, false
	case everything:
		if !empty || len(choices) >= mostChoices {
			return nil, false
		}
		return choices, false
	case yes && empty:
		if len(choices) != 1 {
			return nil, false
		}
		return choices, false
	case empty, !same(names(rest)):
		return nil, false
	}
	return t.fitting(rest, choices), true
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

// same reports whether texts are all the same.
func same(texts []string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return !strings.EqualFold(s, texts[0]) })
}

func onlyPronouns(items []item) bool {
	return !slices.ContainsFunc(items, func(it item) bool {
		return !it.is(prompt.Pronoun | prompt.Polite | prompt.Preposition | prompt.Article)
	})
}

// fitting is the choices whose resources an answer names or describes. Where
// not all could be shown, a description may mean others: it is looked up anew.
func (t *turn) fitting(rest []item, choices []agent.Choice) []agent.Choice {
	q := prompt.Read(plainWords(rest))
	named := len(names(rest)) > 0
	if !named && len(choices) >= mostChoices {
		return nil
	}
	var out []agent.Choice
	for _, c := range choices {
		fits := func(th thing) bool { return th.Canonical() == c.Resource && q.Match(th.Record) }
		switch {
		case named && slices.ContainsFunc(t.named[strings.ToLower(names(rest)[0])], fits),
			!named && !q.Empty() && slices.ContainsFunc(t.before, fits):
			out = append(out, c)
		}
	}
	return out
}
