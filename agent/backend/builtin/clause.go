package builtin

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage/kind"
)

// mode is what a clause wants.
type mode int

const (
	// statement: nothing was understood.
	statement mode = iota
	// request asks, in so many words, for a verb to be done.
	request
	// wish sounds like it: it is asked back, never done.
	wish
	// refusal says not to do something.
	refusal
	// conditional makes a request depend on something, or schedules it.
	conditional
	question
	// ask wants to be told about resources.
	ask
	unsupported
	// cancel takes back what was said before.
	cancel
	// social is a greeting, thanks, or nothing at all.
	social
)

// item is a word of a prompt, or a name in it.
type item struct {
	prompt.Word
	// name is set for names, which are of no class.
	name string
	// joint is the conjunction before a part of a clause: and, or, but, then.
	joint string
}

func (it item) is(c prompt.Class) bool { return it.name == "" && it.Is(c) }

func (it item) word(words ...string) bool {
	return it.name == "" && !it.Quoted && slices.Contains(words, it.Lower)
}

// clause is one part of a prompt with a verb of its own.
type clause struct {
	mode mode
	// verb is the name of a verb; "" when there is none.
	verb string
	// said is the verb as written, where it is no known one.
	said  string
	items []item
	// phrases are what a request is to be done to.
	phrases []phrase
	// joint is the conjunction before it.
	joint string
	// sentence counts from 0.
	sentence int
	// negation is the word that makes it a refusal.
	negation string
	// asks: the sentence ends in a question mark.
	asks bool
}

// has reports whether a class occurs.
func has(items []item, c prompt.Class) bool {
	return slices.ContainsFunc(items, func(it item) bool { return it.is(c) })
}

// parse takes a prompt apart. known says which texts are names.
func parse(words []prompt.Word, known func(string) bool) []clause {
	var cs []clause
	sentence := 0
	var parts [][]item
	end := func(asks bool) {
		for _, c := range join(parts) {
			c.sentence, c.asks = sentence, asks
			c.read()
			cs = append(cs, c)
		}
		parts = nil
		sentence++
	}
	part := []item{}
	joint := ""
	flush := func() {
		if len(part) > 0 {
			part[0].joint = joint
			parts = append(parts, part)
			part, joint = []item{}, ""
		}
	}
	for _, it := range withoutFillers(items(words, known)) {
		if it.word("and", "&", "+", "or", "but", "then", "plus") {
			flush()
			if joint == "" || it.Lower == "or" || it.Lower == "but" {
				joint = it.Lower
			}
		} else {
			part = append(part, it)
		}
		switch it.After {
		case ',', ':':
			flush()
			if joint == "" {
				joint = ","
			}
		case '.', '!', '?':
			flush()
			end(it.After == '?')
			joint = ""
		}
	}
	flush()
	end(false)
	settle(cs)
	return whole(cs)
}

// whole takes a list apart by "and" together again: "stopped and open instances"
// lists, and opens nothing. What a list leaves out, as in "but not mysql", goes on
// with it; where that is said by a name or without a "not", the list is not understood.
func whole(cs []clause) []clause {
	var out []clause
	for _, c := range cs {
		n := len(out)
		lists := n > 0 && out[n-1].sentence == c.sentence && (out[n-1].mode == ask || out[n-1].mode == question)
		if lists && c.mode == unsupported && c.joint != "" && c.joint != "," && len(names(slices.Concat(out[n-1].items, c.items))) == 0 && has(c.items, prompt.Kind) {
			out[n-1].items = append(out[n-1].items, c.items...)
			continue
		}
		more := len(c.items) > 0 && c.items[0].word("is", "are", "has", "have") && (c.joint == "and" || c.joint == "but")
		if lists && more && len(names(slices.Concat(out[n-1].items, c.items))) == 0 && !has(c.items, prompt.Kind|prompt.Pronoun) {
			out[n-1].items = append(out[n-1].items, c.items...) // "that are not public and are encrypted"
			continue
		}
		if lists && c.verb == "" && (c.mode == refusal || c.mode == cancel && c.negation != "" || c.joint == "but") {
			refers := has(out[n-1].items, prompt.Pronoun) && !has(out[n-1].items, prompt.Kind) // "all of them"
			if refers || len(names(c.items)) > 0 || !has(c.items[:1], prompt.Negation) {
				out[n-1].mode = statement
			}
			out[n-1].items = append(out[n-1].items, c.items...)
			continue
		}
		out = append(out, c)
	}
	return out
}

func items(words []prompt.Word, known func(string) bool) []item {
	spans := prompt.Names(words, known)
	var out []item
	for i := 0; i < len(words); i++ {
		if len(spans) > 0 && spans[0].From == i {
			w := words[i]
			w.End, w.After = words[spans[0].To-1].End, words[spans[0].To-1].After
			out = append(out, item{Word: w, name: spans[0].Name})
			i = spans[0].To - 1
			spans = spans[1:]
			continue
		}
		out = append(out, item{Word: words[i]})
	}
	return out
}

// fillers are phrases that mean nothing here though their words could.
var fillers = phrasesOf(`
	if possible; if you can; if you could; if you would; if you please; if you do not mind; if you like; when you can;
	when you get a chance; when you have a moment; as soon as possible; right now; right away; at once; no rush; no hurry;
	do not worry; no problem; of course; for me; for us; thank you; thanks a lot; in aws; on aws; go ahead and; be so kind and;
	be so kind as to; at the moment; by the way; out of the box; good morning; good afternoon; good evening; how are you;
	straight away; go and; as well; as soon as you can; too please; and then; would you be so kind; in the cloud; on my behalf; in my account; in the estate`)

func phrasesOf(list string) [][]string {
	var out [][]string
	for p := range strings.SplitSeq(list, ";") {
		out = append(out, strings.Fields(p))
	}
	slices.SortStableFunc(out, func(a, b []string) int { return len(b) - len(a) })
	return out
}

func withoutFillers(in []item) []item {
	var out []item
	for i := 0; i < len(in); i++ {
		n := 0
		for _, f := range fillers {
			if starts(in[i:], f...) {
				n = len(f)
				break
			}
		}
		switch {
		case n == 0:
			out = append(out, in[i])
			continue
		case starts(in[i:], "and", "then"):
			out = append(out, in[i+1])
		case len(out) > 0 && in[i+n-1].After != 0:
			out[len(out)-1].After = max(out[len(out)-1].After, in[i+n-1].After)
		}
		i += n - 1
	}
	return out
}

// starts reports whether items begin with these words of one part.
func starts(items []item, words ...string) bool {
	if len(items) < len(words) {
		return false
	}
	for i, w := range words {
		if !items[i].word(w) || i < len(words)-1 && items[i].After != 0 {
			return false
		}
	}
	return true
}

// join puts the parts of a sentence together: one without a beginning of its
// own goes on with the clause before.
func join(parts [][]item) []clause {
	var cs []clause
	for _, p := range parts {
		if n := len(cs); n > 0 && !begins(p) && p[0].joint != "but" {
			cs[n-1].items = append(cs[n-1].items, p...)
			continue
		}
		cs = append(cs, clause{items: p, joint: p[0].joint})
	}
	return cs
}

const opening = prompt.Action | prompt.Unsupported | prompt.Ask | prompt.Question | prompt.Negation | prompt.Condition | prompt.Person | prompt.Want | prompt.Cancel

// begins reports whether a part has a verb or the like at its head.
func begins(p []item) bool {
	head := behindFillers(p)
	return len(head) == 0 || head[0].is(opening)
}

// behindFillers skips words that may stand before a verb without a meaning.
func behindFillers(p []item) []item {
	const skip = prompt.Polite | prompt.Greeting | prompt.Yes | prompt.Conjunction | prompt.Now
	for len(p) > 0 && p[0].is(skip) && !p[0].is(opening|prompt.Quantifier|prompt.Time) {
		p = p[1:]
	}
	return p
}

// read finds out what the clause wants.
func (c *clause) read() {
	if i := slices.IndexFunc(c.items, func(it item) bool { return it.is(prompt.Reason) }); i > 0 {
		c.items = c.items[:i] // why it is wanted changes nothing
	}
	head := behindFillers(c.items)
	if len(head) == 0 {
		c.mode = social
		return
	}
	c.verb, _, _ = verbIn(head)
	if c.joint == "but" && !begins(c.items) {
		c.except()
		return
	}
	interested := head[0].is(prompt.Question|prompt.Ask) && !starts(head, "help", "me") && !forbids(head)
	switch {
	case wonders(head):
		c.mode = question
	case head[0].word("do") && len(content(head)) == 0 && !has(head, prompt.Negation):
		c.mode = social
	case starts(head, "would", "you", "mind"), starts(head, "do", "you", "mind"), head[0].word("mind"):
		c.mode = wish
	case head[0].word("wait") && (c.joint == "and" || c.joint == "then"):
		c.mode = conditional
	case describes(head):
		c.mode = ask
	case head[0].is(prompt.Condition) && !(head[0].word("when") && len(head) > 1 && head[1].is(prompt.Question)):
		c.mode = conditional
	case has(head, prompt.Condition) && !interested:
		c.mode = conditional
	case has(head, prompt.Negation) && !interested:
		c.refuse(head)
	case politely(head) != nil:
		c.command(politely(head))
	case has(head, prompt.Negation) && starts(head[1:], "you"):
		c.refuse(head)
	case head[0].is(prompt.Question) || head[0].word("when"):
		c.mode = question
	case has(head, prompt.Time) && !interested:
		c.mode = conditional
	case head[0].is(prompt.Ask) && c.live(head):
	case head[0].is(prompt.Ask):
		c.mode = ask
		if has(head[1:], prompt.Action|prompt.Condition) || has(head[1:], prompt.Question) && !onlyBe(head[1:]) {
			c.mode = question
		}
	case head[0].is(prompt.Action):
		c.command(head)
		if c.asks && c.mode == request {
			c.mode = wish
		}
	case has(head, prompt.Want) && has(head, prompt.ActionForm), obliged(head) && !c.asks:
		c.mode = wish
	case head[0].is(prompt.Unsupported):
		c.mode, c.said = unsupported, head[0].Text
	case head[0].is(prompt.Cancel):
		c.mode = statement
		if !has(head, prompt.Action) && len(content(head[1:])) == 0 {
			c.mode = cancel
		}
	case c.verb != "", has(head, prompt.ActionForm) && !has(head, prompt.State):
		c.mode = wish
	case len(slips(head[0])) > 0:
		c.mode = statement
	case slices.ContainsFunc(head, func(it item) bool {
		return it.is(prompt.Person|prompt.Want|prompt.Unsupported) && !it.is(prompt.Label) // "instances with tag env"
	}):
		c.mode = statement
	case slices.ContainsFunc(head, func(it item) bool { return it.name != "" || it.is(prompt.Kind|prompt.Noun|prompt.State|prompt.Pronoun) }):
		c.mode = ask
	case narrows(head):
		c.mode = ask
	default:
		c.mode = statement
	}
}

// narrows reads "unencrypted" and "in prod", which say what is to be listed.
func narrows(head []item) bool {
	q := prompt.Read(plainWords(head))
	return len(q.Facets)+len(q.In)+len(q.Regions)+len(q.Accounts)+len(q.AccountNames)+len(q.Tags) > 0 || q.Order != ""
}

// describes reads "instances without a Name tag" and "databases older than a day":
// the "not" and the time are of what is to be listed, not of anything to be done.
func describes(head []item) bool {
	const acts = prompt.Action | prompt.Negation | prompt.Person | prompt.Condition | prompt.Question | prompt.Ask | prompt.Cancel | prompt.Time
	return has(head, prompt.Negation|prompt.Condition|prompt.Time) && has(head, prompt.Kind) && !head[0].is(acts) && !slices.ContainsFunc(head, func(it item) bool {
		return it.name != "" || it.is(prompt.Action) || (it.is(prompt.Unsupported) || it.is(prompt.ActionForm)) && !it.is(prompt.Label|prompt.State)
	})
}

// obliged reads "web-1 should be stopped", which says it without asking for it.
func obliged(head []item) bool {
	i := slices.IndexFunc(head, func(it item) bool { return it.word("should", "must", "needs", "has", "ought", "shall") })
	return i > 0 && slices.ContainsFunc(head[:i], func(it item) bool { return it.name != "" }) && verbOfForm(head[i:]) != ""
}

// live takes "describe web-1 live" as a request to ask AWS.
func (c *clause) live(head []item) bool {
	i := slices.IndexFunc(head, func(it item) bool { return it.word("live") })
	if i < 1 || has(head, never) {
		return false
	}
	ps := phrases(slices.Delete(slices.Clone(head[1:]), i-1, i))
	if len(ps) == 0 || ps[0].name == "" && !ps[0].refers {
		return false
	}
	c.mode, c.verb, c.phrases = request, kind.Describe.Is, ps
	return true
}

// never are the classes that no live read holds.
const never = prompt.Negation | prompt.Condition | prompt.Time | prompt.Question | prompt.Action

// forbids reports whether a part begins with "do not", and is not "don't you".
func forbids(head []item) bool {
	return starts(head, "do", "not") && (len(head) == 2 || !head[2].is(prompt.Person))
}

// onlyBe reports whether the only question words are forms of "be", as in
// "list all that are running".
func onlyBe(items []item) bool {
	return !slices.ContainsFunc(items, func(it item) bool {
		return it.is(prompt.Question) && !it.word("is", "are", "which", "what", "has", "have")
	})
}

// except reads "but web-2", which leaves that out, and "but only there", which
// is not understood.
func (c *clause) except() {
	c.mode = statement
	if slices.ContainsFunc(c.items, func(it item) bool { return it.name != "" }) {
		c.mode, c.negation = refusal, "but"
	}
}

// wonders reports whether a part says that one wants to know something.
func wonders(head []item) bool {
	for i, it := range head {
		if it.word("wonder", "wondering", "know", "curious", "unsure") || it.word("sure") && i > 0 && head[i-1].word("not") {
			return true
		}
	}
	return false
}

// refuse is a negation: of a verb, or of all that was said before.
func (c *clause) refuse(head []item) {
	c.mode = refusal
	for _, it := range head {
		if it.is(prompt.Negation) {
			c.negation = it.Lower
			break
		}
	}
	if c.verb == "" && len(content(head)) == 0 {
		c.mode = cancel
	}
}

// content is the words that mean something beyond a "no, don't do that".
func content(items []item) []item {
	const empty = prompt.Negation | prompt.Polite | prompt.Now | prompt.Pronoun | prompt.Article | prompt.Person | prompt.Cancel | prompt.Yes |
		prompt.Conjunction | prompt.Greeting | prompt.Preposition
	return slices.DeleteFunc(slices.Clone(items), func(it item) bool {
		return it.is(empty) || it.word("do", "can", "mind", "want", "would", "that's")
	})
}

// politely returns what is behind "can you please", "I want you to" and the
// like, if it is a verb, a word such as "show" or an unknown verb.
func politely(head []item) []item {
	rest := head
	skip := func(words ...string) bool {
		if len(rest) > 0 && rest[0].word(words...) {
			rest = rest[1:]
			return true
		}
		return false
	}
	fill := func() {
		for len(rest) > 0 && rest[0].is(prompt.Polite) && !rest[0].is(opening) {
			rest = rest[1:]
		}
	}
	switch {
	case skip("can", "could", "would", "will"):
		fill()
		if !skip("you", "u") {
			return nil
		}
		fill()
	case skip("i", "we"):
		fill()
		skip("would", "will", "really", "just")
		fill()
		if !skip("want", "need", "like", "love", "wish", "have") {
			return nil
		}
		skip("you")
		if !skip("to") {
			return nil
		}
		fill()
	case skip("let"):
		if !skip("us") {
			return nil
		}
		fill()
	case skip("try"), skip("make") && skip("sure"):
		if !skip("to") {
			return nil
		}
	case len(rest) > 1 && rest[0].word("help") && rest[1].word("me", "us"):
	default:
		return nil
	}
	if skip("help") {
		skip("me", "us")
		skip("to")
		fill()
	}
	if len(rest) > 0 && rest[0].is(prompt.Action|prompt.Ask|prompt.Unsupported) && !rest[0].word("help") {
		return rest
	}
	return nil
}

// command reads a clause from its verb on.
func (c *clause) command(rest []item) {
	tells := rest[0].is(prompt.Ask)
	switch {
	case has(rest, prompt.Negation) && !tells:
		c.refuse(rest)
	case has(rest, prompt.Condition|prompt.Time) && !tells:
		c.mode = conditional
	case rest[0].is(prompt.Action):
		verb, from, particle := verbIn(rest)
		if verb == "" || from != 0 {
			c.mode, c.said = unsupported, rest[0].Text
			return
		}
		c.mode, c.verb = request, verb
		object := slices.Clone(rest[1:])
		if particle > 0 {
			object = slices.Delete(object, particle-1, particle)
		}
		c.phrases = phrases(object)
	case tells:
		c.mode = ask
		if has(rest[1:], prompt.Action|prompt.Condition|prompt.ActionForm) && !has(rest, prompt.State) || has(rest[1:], prompt.Question) && !onlyBe(rest[1:]) {
			c.mode = question
		}
	default:
		c.mode, c.said = unsupported, rest[0].Text
	}
}

// verbs are the names of the verbs by the words that mean them alone, particles
// by the first word of a phrase and by its second, which completes it.
var verbs, particles = func() (map[string]string, map[string]map[string]string) {
	alone, phrases := map[string]string{}, map[string]map[string]string{}
	for _, v := range kind.Verbs() {
		for _, w := range v.Words {
			alone[w] = v.Is
		}
		for _, p := range v.Phrases {
			first, second, _ := strings.Cut(p, " ")
			if phrases[first] == nil {
				phrases[first] = map[string]string{}
			}
			phrases[first][second] = v.Is
		}
	}
	return alone, phrases
}()

// verbIn finds the first verb, where it stands, and where its particle does,
// which may be behind the object: "turn web-1 off". Positions are 0 for none.
func verbIn(items []item) (verb string, at, particle int) {
	for i, it := range items {
		if !it.is(prompt.Action) {
			continue
		}
		set := particles[it.Lower]
		for j := i + 1; j < len(items) && set != nil; j++ {
			v := ""
			if items[j].name == "" && !items[j].Quoted {
				v = set[items[j].Lower]
			}
			last := len(behindFillers(items[j+1:])) == 0
			if v != "" && (j == i+1 || last || !items[j].word("on")) {
				return v, i, j
			}
		}
		if v := verbs[it.Lower]; v != "" {
			return v, i, 0
		}
	}
	return "", 0, 0
}

// settle lets clauses weigh on one another: what follows a question or a "not"
// in its sentence is no request, a condition holds for its whole sentence, and
// a "no, wait" takes back all before it.
func settle(cs []clause) {
	for i := range cs {
		c := &cs[i]
		if i > 0 && cs[i-1].sentence == c.sentence && active(c.mode) {
			switch before := cs[i-1].mode; {
			case before == question || before == conditional:
				c.mode = before
			case before == refusal && c.joint != "but" && cs[i-1].verb != "":
				c.mode, c.negation = refusal, cs[i-1].negation
			case c.mode == request && (before == refusal && c.joint != "but" || before == cancel && cs[i-1].negation != "" && cs[i-1].negation != "no"):
				c.mode = wish // "please don't, stop web-1" can be read both ways
			}
		}
		later := c.mode == refusal && has(c.items, prompt.Condition|prompt.Time)
		if c.mode != conditional && !later {
			continue
		}
		for j := range i {
			if (cs[j].sentence == c.sentence || c.verb == "") && active(cs[j].mode) {
				cs[j].mode = conditional
			}
		}
	}
}

func active(m mode) bool { return m == request || m == wish || m == unsupported }
