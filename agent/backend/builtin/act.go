package builtin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent"
	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// mostParts bounds the clauses and phrases of one prompt.
	mostParts = 60
	// mostAtOnce bounds the commands of one reply.
	mostAtOnce = 10
	// mostChoices bounds the choices of one question; "all" answers only a
	// question that shows all.
	mostChoices = 10
)

// step is a verb to be done to a resource.
type step struct {
	verb string
	thing
}

// plan collects what the requests of a prompt come to.
type plan struct {
	steps []step
	// meant are all steps that were asked for, also those that state forbids.
	meant []step
	// wishes are steps that were not asked for in so many words.
	wishes []step
	// texts are what has to be said: problems, and answers to other clauses.
	texts []string
	// ask is the first phrase that could mean several things.
	ask *choice
	// suggest are resources with names like one that is unknown.
	suggest []step
	// parts are the requests, to be written again with a choice filled in.
	parts []part
	// unknown counts the names that nothing has; how sure that is, is said once.
	unknown int
	// refused are the resources that the prompt says not to touch.
	refused []thing
	// stopped: the prompt leaves out something that was not understood, so that
	// nothing of it may be proposed.
	stopped bool
}

// part is one phrase of one request; text is how to write it again.
type part struct{ verb, text string }

// choice is a question about parts[at].
type choice struct {
	at      int
	verb    string
	options []thing
	text    string
}

func (p *plan) say(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(p.texts, s) {
		p.texts = append(p.texts, s)
	}
}

// stop proposes nothing, for what a clause leaves out was not understood.
func (p *plan) stop(c clause) {
	p.stopped = true
	text := c.text()
	if c.joint == "but" {
		text = "but " + text
	}
	p.say("I did not understand “%s”. Nothing was proposed: name each resource that is to be left out, or only those that you mean.", render.Markdown(shorten(text)))
}

// act turns clauses into a reply.
func (t *turn) act(cs []clause) agent.Reply {
	cancelled := false
	for i := len(cs) - 1; i >= 0; i-- {
		if cs[i].mode == cancel {
			cs, cancelled = cs[i+1:], true
			break
		}
	}
	things := 0
	for _, c := range cs {
		things += 1 + len(c.phrases)
	}
	if things > mostParts {
		return information(fmt.Sprintf("That is too much at once: I take up to %d commands in one message. Nothing was proposed.", mostAtOnce))
	}
	var p plan
	var earlier []thing
	spoken := false
	for i, c := range cs {
		if c.mode == social {
			continue
		}
		spoken = true
		if c.mode == request {
			if len(c.phrases) == 0 && i+1 < len(cs) && cs[i+1].mode == request && cs[i+1].joint != "" {
				c.phrases = cs[i+1].phrases // "stop and start web-1"
			}
			earlier = t.request(&p, c, earlier)
			continue
		}
		earlier = t.other(&p, c, earlier)
	}
	switch {
	case !spoken && cancelled:
		return information("All right. Nothing was proposed. A plan that already waits is rejected on its card.")
	case !spoken:
		return information(t.courtesy(cs))
	}
	return t.conclude(&p)
}

// conclude makes the one reply of a plan.
func (t *turn) conclude(p *plan) agent.Reply {
	if p.stopped {
		return information(strings.Join(p.texts, "\n\n"))
	}
	for _, s := range p.steps {
		if slices.ContainsFunc(p.refused, func(th thing) bool { return th.Canonical() == s.Canonical() }) {
			t.mention(s.thing)
			return t.askBack(fmt.Sprintf("Your message can be read as asking to %s %s, and as asking not to.", s.verb, called(s.thing)), p.steps, true)
		}
	}
	if p.unknown > 0 {
		p.say("%s", t.complete(prompt.Qualifiers{}))
	}
	texts := strings.Join(p.texts, "\n\n")
	if p.ask != nil {
		return t.askWhich(p, texts)
	}
	if reply, ok := t.contradiction(p); ok {
		return reply
	}
	for _, s := range slices.Concat(p.steps, p.wishes, p.suggest) {
		t.mention(s.thing)
	}
	switch {
	case len(p.steps) > mostAtOnce:
		return information(fmt.Sprintf("That would be %d commands; at most %d are proposed at once. Nothing was proposed: name fewer.", len(p.steps), mostAtOnce))
	case len(p.steps) > 0 && len(p.texts) == 0 && len(p.wishes) == 0:
		return t.commands(p.steps)
	case len(p.steps)+len(p.wishes) > 0:
		return t.askBack(texts, slices.Concat(p.steps, p.wishes), len(p.steps) > 0)
	case len(p.suggest) > 0:
		var choices []agent.Choice
		for _, s := range p.suggest {
			choices = append(choices, t.choice(s.verb, s.thing, t.write([]part{{s.verb, t.target(s.thing)}})))
		}
		return agent.Reply{Clarification: &agent.Clarification{Question: texts + "\n\nDid you mean one of these?", Choices: choices}}
	}
	if texts == "" {
		texts = "Nothing was proposed."
	}
	return information(texts)
}

func (t *turn) commands(steps []step) agent.Reply {
	var out []executor.Command
	for _, s := range steps {
		c, err := executor.For(s.verb, s.Type, s.ID)
		if err != nil {
			return information(fmt.Sprintf("Nothing was proposed for %s: %s.", called(s.thing), render.Markdown(err.Error())))
		}
		c.AccountID, c.Region = s.AccountID, s.Region
		out = append(out, c)
	}
	return agent.Reply{Commands: out}
}

// askBack puts what was understood before the person, to be said clearly.
func (t *turn) askBack(texts string, steps []step, rest bool) agent.Reply {
	var parts []part
	var lines []string
	for _, s := range steps[:min(len(steps), mostAtOnce)] {
		parts = append(parts, part{s.verb, t.target(s.thing)})
		lines = append(lines, fmt.Sprintf("%s %s", s.verb, called(s.thing)))
	}
	q := agent.Clarification{Question: strings.TrimSpace(fmt.Sprintf("%s\n\nDo you want to %s?", texts, strings.Join(lines, " and ")))}
	if rest {
		q.Question = strings.TrimSpace(fmt.Sprintf("%s\n\nNothing was proposed yet. Do you want to %s?", texts, strings.Join(lines, " and ")))
	}
	if len(parts) == 1 {
		q.Choices = []agent.Choice{t.choice(steps[0].verb, steps[0].thing, t.write(parts))}
	} else {
		q.Choices = []agent.Choice{{Label: t.write(parts), Prompt: t.write(parts)}}
	}
	return agent.Reply{Clarification: &q}
}

// askWhich asks which of several resources is meant.
func (t *turn) askWhich(p *plan, texts string) agent.Reply {
	a := p.ask
	a.options = slices.DeleteFunc(slices.Clone(a.options), func(th thing) bool {
		return slices.ContainsFunc(p.refused, func(no thing) bool { return no.Canonical() == th.Canonical() })
	})
	t.mention(a.options[:min(len(a.options), mostListed)]...)
	for _, s := range p.steps {
		t.mention(s.thing)
	}
	q := agent.Clarification{Question: strings.TrimSpace(texts + "\n\n" + a.text)}
	parts := slices.Clone(p.parts)
	for _, th := range a.options[:min(len(a.options), mostChoices)] {
		parts[a.at].text = t.target(th)
		q.Choices = append(q.Choices, t.choice(a.verb, th, t.write(parts)))
	}
	if len(p.parts) == 1 {
		q.About = t.write(p.parts)
	}
	return agent.Reply{Clarification: &q}
}

// contradiction asks which of two verbs for one resource is meant.
func (t *turn) contradiction(p *plan) (agent.Reply, bool) {
	for i, s := range p.meant {
		for _, other := range p.meant[:i] {
			if other.Canonical() != s.Canonical() || other.verb == s.verb {
				continue
			}
			t.mention(s.thing)
			q := agent.Clarification{Question: fmt.Sprintf("You ask to %s and to %s %s. Each command is proposed for the state that it finds, so only one can be proposed now. Which one?",
				other.verb, s.verb, called(s.thing))}
			for _, verb := range []string{other.verb, s.verb} {
				q.Choices = append(q.Choices, t.choice(verb, s.thing, t.write([]part{{verb, t.target(s.thing)}})))
			}
			return agent.Reply{Clarification: &q}, true
		}
	}
	return agent.Reply{}, false
}

// request looks up what a request is about. It returns the things that "it"
// means from here on.
func (t *turn) request(p *plan, c clause, earlier []thing) []thing {
	if len(c.phrases) == 0 && len(earlier) > 0 {
		t.wish(p, c, earlier) // "web-1: stop"
		return earlier
	}
	if len(c.phrases) == 0 {
		t.whichOne(p, c.verb, prompt.Qualifiers{})
		return earlier
	}
	anyway := slices.ContainsFunc(c.items, func(it item) bool { return it.word("anyway", "anyways", "regardless") })
	near := c.phrases[len(c.phrases)-1].q
	var now []thing
	if slices.ContainsFunc(c.phrases, func(ph phrase) bool { return ph.or }) {
		return t.alternatives(p, c, near, earlier)
	}
	for _, ph := range c.phrases {
		ths, out := t.look(ph, near, slices.Concat(earlier, now))
		if out == elsewhere && ph.q.Kind != "" {
			// "the postgres db" need not be the instance called postgres.
			word := ph.q
			word.Words = append(slices.Clone(word.Words), ph.name)
			if alike := t.search(word); len(alike) > 0 {
				ths, out, ph.name = alike, several, ""
			}
		}
		ths, out = able(c.verb, ths, out)
		p.parts = append(p.parts, part{c.verb, ph.said})
		at := &p.parts[len(p.parts)-1]
		if out != found {
			t.trouble(p, c.verb, ph, ths, out)
			continue
		}
		now = append(now, ths...)
		var texts []string
		for _, th := range ths {
			texts = append(texts, t.target(th))
			p.meant = append(p.meant, step{c.verb, th})
			if why := t.cannot(c.verb, th, anyway); why != "" {
				t.mention(th)
				p.say("%s", why)
				continue
			}
			p.add(step{c.verb, th})
		}
		at.text = strings.Join(texts, " and "+c.verb+" ")
	}
	if len(now) > 0 {
		return now
	}
	return earlier
}

func (p *plan) add(s step) {
	if !slices.ContainsFunc(p.steps, func(o step) bool { return o.verb == s.verb && o.Canonical() == s.Canonical() }) {
		p.steps = append(p.steps, s)
	}
}

// alternatives asks about "web-1 or web-2".
func (t *turn) alternatives(p *plan, c clause, near prompt.Qualifiers, earlier []thing) []thing {
	var options []thing
	for _, ph := range c.phrases {
		ths, out := t.look(ph, near, earlier)
		if out != found && out != several {
			t.trouble(p, c.verb, ph, ths, out)
			continue
		}
		options = append(options, living(ths)...)
	}
	p.parts = append(p.parts, part{verb: c.verb})
	if len(options) > 0 && p.ask == nil {
		p.ask = &choice{at: len(p.parts) - 1, verb: c.verb, options: options, text: fmt.Sprintf("Which one do you want to %s?", c.verb)}
	}
	return earlier
}

// able drops what the verb can't be done to, when something else remains.
func able(verb string, ths []thing, out outcome) ([]thing, outcome) {
	if out != several && out != all {
		return ths, out
	}
	can := slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { _, ok := aws.Kinds().Action(th.Type, verb); return !ok })
	if len(can) == 0 {
		return ths, out
	}
	if len(can) == 1 && out == several && len(ths) > 1 {
		return can, found
	}
	return can, out
}

// living leaves out what is gone or going, where anything else remains: a
// terminated namesake is never what is meant.
func living(ths []thing) []thing {
	out := slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return prompt.Gone(th.Record) })
	if len(out) == 0 {
		return ths
	}
	return out
}

// cannot says why a verb is not proposed for a resource, by what is known of it.
func (t *turn) cannot(verb string, th thing, anyway bool) string {
	p, ok := executor.CanDo(th.Type, verb, th.View())
	switch {
	case !ok:
		return fmt.Sprintf("%s is %s: cloudops can't %s it. %s", called(th), aKind(th.Type), verb, abilities(th.Type))
	case anyway || p.Can != executor.No:
		return ""
	}
	why := p.Why
	if p.Instead != "" {
		why += "; " + p.Instead
	}
	return fmt.Sprintf("%s, can't be %s: %s (%s). If that changed since, say “%s anyway” and AWS is asked.",
		placed(th), participle(verb), render.Markdown(why), t.confirmed(th), render.Markdown(t.write([]part{{verb, t.target(th)}})))
}

// ready keeps the resources that a verb can be done to, as far as is known.
func (t *turn) ready(verb string, ths []thing) []thing {
	return slices.DeleteFunc(slices.Clone(ths), func(th thing) bool { return t.cannot(verb, th, false) != "" })
}

// trouble says what is in the way of a phrase, or asks about it.
func (t *turn) trouble(p *plan, verb string, ph phrase, ths []thing, out outcome) {
	ask := func(text string) {
		if p.ask == nil {
			p.ask = &choice{at: len(p.parts) - 1, verb: verb, options: ths, text: text}
		}
	}
	switch out {
	case several:
		if ph.name == "" && len(t.ready(verb, ths)) > 0 {
			ths = t.ready(verb, ths)
		}
		if len(ths) == 1 {
			ask(fmt.Sprintf("Do you want to %s this one?", verb))
			return
		}
		ask(fmt.Sprintf("%s Which one do you want to %s?", t.severalText(ph, ths), verb))
	case all:
		if len(ths) == 0 {
			p.say("%s", t.nothingFits(ph.q))
			return
		}
		if _, ok := aws.Kinds().Action(ths[0].Type, verb); !ok {
			p.say("%s", t.cannot(verb, ths[0], false))
			return
		}
		if ths = t.ready(verb, ths); len(ths) == 0 {
			p.say("None of them can be %s now: see “list %s”.", participle(verb), render.Markdown(ph.said))
			return
		}
		text := fmt.Sprintf("That means %s. Whole groups are not proposed: pick one, or name those that you mean.", count(len(ths), ths))
		if len(ths) == 1 {
			text = fmt.Sprintf("That means one %s. Do you want to %s it?", render.Markdown(noun(ths[0].Type, 1)), verb)
		} else if len(ths) < mostChoices {
			text = fmt.Sprintf("That means %s. Which do you want to %s? Say “all of them” to have each proposed for your approval.", count(len(ths), ths), verb)
		}
		_, notes := t.placed(ph.q)
		ask(strings.Join(append([]string{text}, notes...), "\n\n"))
	case unknown:
		t.unknownName(p, verb, ph)
	case elsewhere:
		var lines []string
		for _, th := range ths {
			lines = append(lines, placed(th)+", "+render.Markdown(stateOf(th)))
		}
		if named := slices.Concat(ph.q.AccountNames, ph.q.Accounts); len(named) > 0 {
			p.say("%s is not in the account %s, so nothing was proposed. There is %s.", render.Code(ph.name), codes(named, "or"), strings.Join(lines, "; "))
			return
		}
		p.say("Nothing fits “%s”. There is %s.", render.Markdown(ph.said), strings.Join(lines, "; "))
		for _, th := range living(ths)[:min(len(living(ths)), mostChoices)] {
			if _, ok := aws.Kinds().Action(th.Type, verb); ok {
				p.suggest = append(p.suggest, step{verb, th})
			}
		}
	case missing:
		t.whichOne(p, verb, ph.q)
	case tooMany:
		p.say("Too many resources are meant by %s. Say its id, or its region and account.", render.Code(ph.name))
	case unclear:
		p.say("I did not understand “%s”, so nothing was proposed for it.", render.Markdown(ph.said))
		for _, th := range ths {
			if _, ok := aws.Kinds().Action(th.Type, verb); ok {
				p.wishes = append(p.wishes, step{verb, th})
			}
		}
	}
}

// unknownName says that a name is not in the estate, and what is close to it.
func (t *turn) unknownName(p *plan, verb string, ph phrase) {
	if len(ph.q.Words) == 0 || ph.q.Kind != "" {
		p.say("%s", t.nothingFits(ph.q))
		return
	}
	name := strings.Join(ph.q.Words, " ")
	p.say("%s", t.notThere(name))
	if p.unknown++; p.unknown > mostDescribed {
		return
	}
	near, parts := living(t.close(name)), living(t.search(ph.q)) // of which the name is a part
	if len(near) == 0 || len(ph.q.Words) == 1 && len(parts) > len(near) {
		near = parts
	}
	for _, th := range near[:min(len(near), mostChoices)] {
		if _, ok := aws.Kinds().Action(th.Type, verb); ok {
			p.suggest = append(p.suggest, step{verb, th})
		}
	}
}

// whichOne asks what a verb is to be done to; a small estate is listed.
func (t *turn) whichOne(p *plan, verb string, q prompt.Qualifiers) {
	if len(p.parts) == 0 {
		p.parts = append(p.parts, part{verb: verb})
	}
	options := t.ready(verb, t.search(q))
	text := fmt.Sprintf("Which resource do you want to %s? Say its name or id.", verb)
	if len(options) > mostChoices {
		text += fmt.Sprintf(" There are %d that could be meant.", len(options))
		options = nil
	}
	if p.ask == nil {
		p.ask = &choice{at: len(p.parts) - 1, verb: verb, options: options, text: text}
	}
}

// choice is one answer; its label is plain text.
func (t *turn) choice(verb string, th thing, prompt string) agent.Choice {
	return agent.Choice{Label: title(verb) + " " + label(th), Prompt: prompt, Resource: th.Canonical()}
}

// write says requests so that parse reads them the same.
func (t *turn) write(parts []part) string {
	var out []string
	for i, p := range parts {
		verb := p.verb
		if i == 0 {
			verb = title(verb)
		}
		out = append(out, strings.TrimSpace(verb+" "+p.text))
	}
	return strings.Join(out, " and ")
}

// target names a resource so that nothing else is meant.
func (t *turn) target(th thing) string {
	same := 0
	for _, r := range t.estate.Find(th.ID) {
		if r.Region == th.Region {
			same++
		}
	}
	if same > 1 && th.ARN != "" {
		if q, ok := prompt.Quote(th.ARN); ok {
			return q
		}
	}
	id, ok := prompt.Quote(th.ID)
	if !ok {
		id = th.ARN
	}
	if kind.IsRegion(th.Region) {
		return id + " in " + th.Region
	}
	return id
}

// commandLine takes an AWS CLI call as it is written.
func commandLine(text string) (agent.Reply, bool) {
	line := strings.TrimSpace(text)
	for _, lead := range []string{"please ", "run ", "execute ", "$ "} {
		if len(line) > len(lead) && strings.EqualFold(line[:len(lead)], lead) {
			line = strings.TrimSpace(line[len(lead):])
		}
	}
	if n := len(line); n > 2 && line[0] == '`' && line[n-1] == '`' {
		line = strings.Trim(line, "`")
	}
	if !strings.HasPrefix(line, "aws ") || strings.ContainsAny(line, "\r\n") {
		return agent.Reply{}, false
	}
	argv, err := executor.Words(line)
	var c executor.Command
	if err == nil {
		c, err = executor.Parse(argv)
	}
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), executor.ErrRefused.Error()+": ")
		return information("Nothing was proposed: " + render.Markdown(reason) + "."), true
	}
	return agent.Reply{Commands: []executor.Command{c}}, true
}
