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

// help says what can be asked for.
func help() string {
	objects := []string{"pg-main", "web-1 and web-2", "i-0123456789abcdef0 in us-west-2"}
	var acts []string
	for _, v := range verbsOfAny() {
		if v.Changes && len(acts) < len(objects) {
			acts = append(acts, fmt.Sprintf("“%s %s”", v.Is, objects[len(acts)]))
		}
	}
	return fmt.Sprintf(`I find the AWS resources that you name, tell what is known of them, and propose commands. Nothing runs until you approve it.

- **Act**: %s
- **Look**: “describe pg-main”, “is web-1 running?”
- **Find**: “how many running instances in us-west-2”, “list databases tagged env=production”
- **An AWS command line**: “%s”

A name with spaces, or one that is a plain word, goes in "quotes".`, strings.Join(acts, ", "), exampleLine())
}

// verbsOfAny are the verbs that can be done to resources of some type.
func verbsOfAny() []*kind.Verb {
	return slices.DeleteFunc(kind.Verbs(), func(v *kind.Verb) bool {
		return !slices.ContainsFunc(aws.Kinds().All(), func(k *kind.Kind) bool { _, ok := k.Action(v.Is); return ok })
	})
}

// exampleLine is a command line of the AWS CLI that changes something called pg-main.
func exampleLine() string {
	for _, k := range aws.Kinds().All() {
		for _, a := range k.Actions {
			if !a.Verb.Changes || k.Named == "" {
				continue // its identifiers are not chosen by people
			}
			if cmd, err := executor.For(a.Verb.Is, k.Type, "pg-main"); err == nil {
				return cmd.String()
			}
		}
	}
	return "aws ..."
}

// courtesy answers a prompt that only greets or thanks.
func (t *turn) courtesy(cs []clause) string {
	words := []item{}
	for _, c := range cs {
		words = append(words, c.items...)
	}
	said := func(ws ...string) bool {
		return slices.ContainsFunc(words, func(it item) bool { return it.word(ws...) })
	}
	switch {
	case said("thanks", "thank", "thx", "ty", "cheers"), strings.Contains(strings.ToLower(t.Prompt), "thank"):
		return "You're welcome."
	case has(words, prompt.Yes), said("do"):
		return "There is no question open. Plans are approved on their card; what is said in the chat never approves one."
	}
	return "Hello. Name a resource, such as “describe pg-main”, or ask “what can you do?”"
}

// other answers a clause that is no request. It returns the things that "it"
// means from here on.
func (t *turn) other(p *plan, c clause, earlier []thing) []thing {
	subjects := t.subjects(c, earlier)
	t.mention(subjects[:min(len(subjects), mostListed)]...)
	switch c.mode {
	case refusal:
		p.refused = append(p.refused, subjects...)
		if c.verb == "" {
			switch head := behindFillers(c.items); {
			case head[0].is(prompt.Kind):
				p.stop(c) // "instances except web-1"
			case len(subjects) == 0 || head[0].is(prompt.Negation) || c.joint == "but":
				p.leaveOut(c, len(subjects) > 0)
			}
			break
		}
		what := "anything"
		if len(subjects) > 0 {
			what = nameAll(subjects)
		}
		p.say("There is a “%s” in your message, so I did not propose to %s %s.", c.negation, c.verb, what)
	case conditional:
		p.say("I can't wait for a condition or a time, so nothing was proposed. Ask again without it when you want it done now.")
		p.about(t, subjects)
	case wish:
		t.wish(p, c, subjects)
	case unsupported:
		t.unsupported(p, c, subjects)
	case question:
		p.say("%s", t.answer(c, subjects))
	case ask:
		if foreign(c, subjects) {
			t.lost(p, c, subjects)
			break
		}
		p.say("%s", t.tell(c, subjects))
	default:
		if c.joint == "but" {
			p.stop(c)
			break
		}
		t.lost(p, c, subjects)
	}
	if len(subjects) > 0 {
		return subjects
	}
	return earlier
}

// leaveOut stops a plan unless all that a clause leaves out is named, as in
// "not web-1" and "don't touch web-1", or is "nothing else".
func (p *plan) leaveOut(c clause, named bool) {
	if slices.ContainsFunc(content(c.items), func(it item) bool {
		return it.name == "" && !it.word("touch", "include", "including", "else") && !(named && it.is(prompt.Kind))
	}) {
		p.stop(c)
	}
}

// foreign reports whether a clause that only names resources holds words that
// say nothing of them, such as a verb of another language.
func foreign(c clause, subjects []thing) bool {
	head := behindFillers(c.items)
	if len(subjects) == 0 || len(head) == 0 || head[0].is(prompt.Ask|prompt.Question) {
		return false
	}
	return slices.ContainsFunc(prompt.Read(plainWords(head)).Words, func(w string) bool {
		return !slices.ContainsFunc(subjects, func(th thing) bool { return prompt.Mentions(th.Record, w) })
	})
}

// subjects are the resources that a clause names, or refers back to.
func (t *turn) subjects(c clause, earlier []thing) []thing {
	var out []thing
	refers := false
	for _, it := range c.items {
		if it.name != "" {
			out = append(out, t.named[strings.ToLower(it.name)]...)
		}
		refers = refers || it.word("it", "its", "them", "they", "these", "those", "both", "this", "same", "itself") ||
			it.word("that") && c.mode != ask || it.is(prompt.Ordinal)
	}
	if len(out) > 1 {
		q := prompt.Read(plainWords(c.items))
		fit := slices.DeleteFunc(slices.Clone(out), func(th thing) bool {
			return !(prompt.Qualifiers{Regions: q.Regions, Accounts: q.Accounts, Types: q.Types}).Match(th.Record)
		})
		if len(fit) > 0 {
			out = fit
		}
	}
	if len(out) > 0 || !refers {
		return out
	}
	for _, it := range c.items {
		if n := ordinals[it.Lower]; n != 0 && it.is(prompt.Ordinal) {
			ths, _ := t.byOrdinal(phrase{ordinal: n})
			return ths
		}
	}
	if len(earlier) > 0 {
		return earlier
	}
	return t.before
}

func plainWords(items []item) []prompt.Word {
	var out []prompt.Word
	for _, it := range items {
		if it.name == "" {
			out = append(out, it.Word)
		}
	}
	return out
}

func nameAll(ths []thing) string {
	var out []string
	for _, th := range ths[:min(len(ths), mostChoices)] {
		out = append(out, called(th))
	}
	return enumerate(out, "and")
}

// about says how resources are.
func (p *plan) about(t *turn, ths []thing) {
	for _, th := range ths[:min(len(ths), mostChoices)] {
		p.say("%s.", t.line(th))
	}
}

// text is a clause as written.
func (c clause) text() string {
	var out []string
	for i, it := range c.items {
		if i > 0 && it.joint != "" && it.joint != "," {
			out = append(out, it.joint)
		}
		if it.name != "" {
			out = append(out, it.name)
			continue
		}
		out = append(out, it.Text)
	}
	return strings.Join(out, " ")
}

// wish asks back what was not asked for in so many words.
func (t *turn) wish(p *plan, c clause, subjects []thing) {
	verb := c.verb
	if verb == "" {
		verb = verbOfForm(c.items)
	}
	n := 0
	for _, th := range subjects {
		if why := t.cannot(verb, th, false); why != "" {
			p.say("%s", why)
		} else if n < mostChoices {
			p.wishes = append(p.wishes, step{verb, th})
			n++
		}
	}
	if len(subjects) == 0 {
		t.lost(p, c, nil)
	}
}

// verbOfForm is the verb of a form such as "stopped" or "turned off".
func verbOfForm(items []item) string {
	for _, it := range items {
		if !it.is(prompt.ActionForm) {
			continue
		}
		for _, v := range kind.Verbs() {
			if slices.Contains(v.Forms, it.Lower) {
				return v.Is
			}
		}
		for _, other := range items {
			for first, seconds := range particles {
				if v := seconds[other.Lower]; v != "" && other.word(other.Lower) && slices.Contains(kind.Bent(first), it.Lower) {
					return v
				}
			}
		}
	}
	return ""
}

func (t *turn) unsupported(p *plan, c clause, subjects []thing) {
	said := strings.ToLower(c.said)
	switch {
	case undoes(c):
		t.undo(p, c)
		return
	case len(subjects) == 0 && slices.Contains([]string{"approve", "run", "execute"}, said):
		p.say("Plans are approved on their card, never in the chat; `cloudops approvals` shows those that wait. Nothing was proposed.")
		return
	default:
		p.say("cloudops can't %s anything from here, so nothing was proposed.", render.Code(said))
	}
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		p.say("%s. %s", t.line(th), abilities(th.Type))
	}
	if len(subjects) == 0 {
		var verbs []string
		for _, v := range verbsOfAny() {
			verbs = append(verbs, v.Is)
		}
		p.say("It can %s %s.", enumerate(verbs, "and"), typesThat(func(k *kind.Kind) bool { return len(k.Actions) > 0 }))
	}
}

// lost says that a clause was not understood, and what it might have meant.
func (t *turn) lost(p *plan, c clause, subjects []thing) {
	if len(subjects) == 0 && asksAge(c.items) {
		p.say("%s", t.freshness())
		return
	}
	if len(subjects) == 0 {
		if r := t.understand(behindFillers(c.items)); len(r.unread) > 0 {
			p.say("%s", t.notUnderstood(c, understood{unread: r.unread}))
			return
		}
	}
	english := ""
	if notEnglish(c.items) {
		english = " I read English only."
	}
	p.say("I did not understand “%s”, so nothing was proposed for it.%s Ask “what can you do?” for what I understand.", render.Markdown(shorten(c.text())), english)
	p.about(t, subjects)
	head := behindFillers(c.items)
	if len(head) == 0 {
		return
	}
	switch verbs := slips(head[0]); len(verbs) {
	case 0:
	case 1:
		for _, th := range subjects {
			if t.cannot(verbs[0], th, false) == "" {
				p.wishes = append(p.wishes, step{verbs[0], th})
			}
		}
	default:
		p.say("%s could be meant as %s: say which.", render.Code(head[0].Text), enumerate(verbs, "or"))
	}
}

// slips are the verbs that a mistyped word could be.
func slips(it item) []string {
	if it.name != "" {
		return nil
	}
	return prompt.Slip(it.Word)
}

func shorten(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// answer answers a question. Whatever it says, it proposes nothing.
func (t *turn) answer(c clause, subjects []thing) string {
	head := behindFillers(c.items)
	verb := c.verb
	if verb == "" {
		verb = verbOfForm(c.items)
	}
	word := func(ws ...string) bool {
		return slices.ContainsFunc(head, func(it item) bool { return it.word(ws...) })
	}
	first := func(ws ...string) bool { return len(head) > 0 && head[0].word(ws...) }
	if isHelp(head) {
		return help()
	}
	if verb != "" && word("how") && !word("many", "much") {
		return t.howTo(verb, subjects, c)
	}
	q := prompt.Read(plainWords(head))
	if vague := vagueStates(head); len(vague) > 0 && len(subjects) > 0 {
		return t.unknownStates(vague, subjects)
	}
	if yesNo := first("is", "are", "does", "do", "has", "have"); yesNo && len(subjects) > 0 && len(q.Facets)+len(q.Not) > 0 {
		plain := head
		if head[1].word("not") {
			plain = slices.Delete(slices.Clone(head), 1, 2) // "isn't web-1 public?" asks whether it is
		}
		r := t.understand(plain)
		switch {
		case len(r.q.Facets)+len(r.q.States)+len(r.q.Not) > 1:
			return fmt.Sprintf("I can't answer “%s”: ask for one property or state at a time.", render.Markdown(shorten(c.text())))
		case len(r.lost) > 0 && len(r.q.Facets) > 0:
			return t.notUnderstood(c, r)
		}
		q = r.q
	}
	if len(subjects) > 0 && len(q.Facets) == 1 && first("is", "are", "does", "do", "has", "have", "check", "tell", "what") {
		return t.property(q.Facets[0], subjects)
	}
	if len(subjects) > 0 && len(q.States) == 1 && !slices.ContainsFunc(head, func(it item) bool { return it.joint == "or" }) && first("is", "are", "check", "tell", "whether") {
		return t.yesOrNo(q, subjects)
	}
	switch {
	case c.verb != "" && len(subjects) > 0 && first("why") && has(head, prompt.Negation):
		return t.whyNot(verb, subjects)
	case len(subjects) > 0 && verb != "" && (first("why", "who", "when", "did", "was", "were", "has", "have", "had") || word("did", "was", "who", "why")):
		return t.past(subjects)
	case len(subjects) > 0 && (c.verb != "" || verb != "" && word("if", "happens", "would", "should", "could", "can")):
		return t.consequences(verb, subjects)
	case verb != "" && c.verb != "" && word("if", "happens", "should", "would", "could"):
		return t.consequences(verb, t.phrasesOf(c))
	}
	return t.tell(c, subjects)
}

// vagueStates are the words of a question that ask for more than a state tells.
func vagueStates(head []item) []string {
	var out []string
	for _, it := range head {
		if it.word("healthy", "unhealthy", "health", "idle", "busy", "responding", "reachable", "slow", "broken", "working") {
			out = append(out, it.Lower)
		}
	}
	return out
}

// phrasesOf are the few resources that a question describes.
func (t *turn) phrasesOf(c clause) []thing {
	q := prompt.Read(plainWords(c.items))
	q.Words = nil
	if q.Empty() {
		return nil
	}
	ths := t.search(q)
	return ths[:min(len(ths), mostAtOnce)]
}

func isHelp(head []item) bool {
	switch {
	case len(head) == 0:
		return false
	case len(head) <= 2 && head[0].word("help", "usage", "commands"), starts(head, "help", "me"), starts(head, "help", "with"):
		return true
	case starts(head, "what", "can", "you"), starts(head, "what", "do", "you"), starts(head, "who", "are", "you"),
		starts(head, "what", "are", "you"), starts(head, "how", "do", "you", "work"), starts(head, "how", "does", "this", "work"),
		starts(head, "what", "can", "i"), starts(head, "how", "do", "i", "use"), starts(head, "what", "commands"):
		return true
	}
	return false
}

func (t *turn) howTo(verb string, subjects []thing, c clause) string {
	if len(subjects) == 0 {
		return fmt.Sprintf("Say “%s” and the name of the resource: the command is then shown for you to approve. Nothing was proposed now.", verb)
	}
	var out []string
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		cmd, err := executor.For(verb, th.Type, th.ID)
		if err != nil {
			out = append(out, t.cannot(verb, th, true))
			continue
		}
		cmd.Region = th.Region
		out = append(out, fmt.Sprintf("%s. This would %s it: %s. Nothing was proposed; say “%s” for that.",
			t.line(th), verb, render.Code(cmd.String()), render.Markdown(t.write([]part{{verb, t.target(th)}}))))
	}
	return strings.Join(out, "\n\n")
}

// yesOrNo answers a question about the state of named resources: by what AWS
// says now, else by what it said when it was last asked.
func (t *turn) yesOrNo(q prompt.Qualifiers, subjects []thing) string {
	var out []string
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		yes := "No"
		if (prompt.Qualifiers{States: q.States}).Match(th.Record) {
			yes = "Yes"
		}
		switch {
		case th.live && th.State == agent.StateGone:
			out = append(out, fmt.Sprintf("No: %s, is gone; AWS was asked just now.", placed(th)))
		case th.live:
			out = append(out, fmt.Sprintf("%s: %s, is %s; AWS was asked just now.", yes, placed(th), render.Markdown(stateOf(th))))
		default:
			out = append(out, t.dated(th))
		}
	}
	return strings.Join(out, "\n\n")
}

// dated says how a resource was when AWS was last asked, and why not now.
func (t *turn) dated(th thing) string {
	s := fmt.Sprintf("%s, was %s %s.", placed(th), render.Markdown(stateOf(th)), render.Ago(th.age, t.now))
	if th.age.IsZero() {
		s = fmt.Sprintf("%s, was %s when it was stored.", placed(th), render.Markdown(stateOf(th)))
	}
	if th.unasked != "" {
		s += " How it is now is not known: " + render.Markdown(shorten(th.unasked)) + "."
	}
	return s
}

// unknownStates answers "is web-1 healthy?": what is known is the state.
func (t *turn) unknownStates(words []string, subjects []thing) string {
	out := []string{fmt.Sprintf("Whether it is %s is not known: this version reads the state, not what runs inside.", enumerate(words, "or"))}
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		if th.live {
			out = append(out, fmt.Sprintf("%s, is %s; AWS was asked just now.", placed(th), render.Markdown(stateOf(th))))
		} else {
			out = append(out, t.dated(th))
		}
	}
	return strings.Join(out, "\n\n")
}

// whyNot answers "why can't I stop web-1?".
func (t *turn) whyNot(verb string, subjects []thing) string {
	var out []string
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		if why := t.cannot(verb, th, false); why != "" {
			out = append(out, why)
			continue
		}
		out = append(out, fmt.Sprintf("%s. Say “%s”: nothing runs before you approve it, and what AWS would refuse is said then.",
			t.line(th), render.Markdown(t.write([]part{{verb, t.target(th)}}))))
	}
	return strings.Join(out, "\n\n")
}

// past tells what this conversation knows of what was done.
func (t *turn) past(subjects []thing) string {
	var out []string
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		out = append(out, t.line(th)+".")
		here := t.ranHere([]thing{th})
		if len(here) == 0 {
			out = append(out, fmt.Sprintf("Nothing that ran in this conversation touched %s; who else changed it, and why, is not known here. `cloudops audit` lists what cloudops ever ran.", called(th)))
		}
		out = append(out, here...)
	}
	return strings.Join(out, "\n\n")
}

// consequences says what a verb would do.
func (t *turn) consequences(verb string, subjects []thing) string {
	var out []string
	for _, th := range subjects[:min(len(subjects), mostChoices)] {
		a, ok := aws.Kinds().Action(th.Type, verb)
		if !ok {
			out = append(out, t.cannot(verb, th, true))
			continue
		}
		s := fmt.Sprintf("%s. If you %s it: %s", t.line(th), verb, a.Effect)
		if env := kind.Environment(th.Tags); env != "" {
			s += fmt.Sprintf(" Its tags say that it is %s.", env)
		}
		out = append(out, s+" Nothing was proposed.")
	}
	if len(out) == 0 {
		return "Name the resource and I tell what is known. Nothing was proposed."
	}
	return strings.Join(out, "\n\n")
}
