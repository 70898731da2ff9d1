package agent

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage"
)

// How a resource came into a request.
const (
	FoundByName        = "name"
	FoundByDescription = "description"
	FoundByHistory     = "history"
)

// Bounds of what one request carries.
const (
	mostResources  = 20
	mostPerMention = 10
	// described resources are sent when the description is that narrow.
	mostDescribed = 10
	// recentTurns are looked through for what "it" means.
	recentTurns = 8
)

// identified is the outcome of step one: what the prompt is about.
type identified struct {
	resources []mention
	omitted   map[string]int
}

type mention struct {
	storage.Record
	text, by string
	// live: AWS was asked in this turn; unasked is why it could not be.
	live    bool
	unasked string
}

func (f *identified) add(by, text string, rs []storage.Record) {
	n, most := 0, mostPerMention
	if by == FoundByHistory {
		most = mostResources
	}
	for _, r := range rs {
		same := func(m mention) bool { return m.Canonical() == r.Canonical() }
		switch {
		case slices.ContainsFunc(f.resources, same):
		case n == most || len(f.resources) == mostResources:
			if f.omitted == nil {
				f.omitted = map[string]int{}
			}
			f.omitted[text]++
		default:
			f.resources = append(f.resources, mention{Record: r, text: text, by: by})
			n++
		}
	}
}

func (f *identified) keys() []string {
	var keys []string
	for _, m := range f.resources {
		keys = append(keys, m.Canonical())
	}
	return keys
}

// identify finds the resources that a prompt means, from memory: those that it
// names, else those that it refers back to, else those that it describes.
func (a *Agent) identify(text string, history []storage.Message) identified {
	var f identified
	words := prompt.Split(text)
	records := a.store.Estate.Resolve(prompt.Candidates(words))
	names := prompt.Names(words, func(name string) bool { return len(records[name]) > 0 })
	for _, s := range names {
		rs := ordered(records[s.Name])
		if len(rs) > mostPerMention {
			// What is gone takes no place from what is there.
			if there := slices.DeleteFunc(slices.Clone(rs), func(r storage.Record) bool { return prompt.Gone(r) }); len(there) > 0 {
				rs = there
			}
		}
		if len(rs) > 1 {
			q := prompt.Read(beside(words, names, s))
			q.States = nil // "is web-1 stopped?" is about the running one too
			rs = Narrow(rs, q)
		}
		f.add(FoundByName, s.Name, rs)
	}
	if word, ok := refersBack(words, names); ok || len(names) == 0 && awaitsAnswer(history) {
		f.add(FoundByHistory, word, a.mentioned(history))
		if low := strings.ToLower(word); low == "other" || low == "others" {
			f.add(FoundByHistory, word, a.offered(history))
		}
	}
	if len(f.resources) == 0 {
		if rs := a.described(words); len(rs) > 0 {
			f.add(FoundByDescription, strings.TrimSpace(text), rs)
		}
	}
	return f
}

// ordered sorts resources so that the same question always has the same order;
// those that are gone come last, so that they take no other's place.
func ordered(rs []storage.Record) []storage.Record {
	return slices.SortedFunc(slices.Values(rs), func(x, y storage.Record) int {
		if gone := prompt.Gone(x); gone != prompt.Gone(y) {
			if gone {
				return 1
			}
			return -1
		}
		return cmp.Or(strings.Compare(x.Type, y.Type), strings.Compare(x.AccountID, y.AccountID),
			strings.Compare(x.Region, y.Region), strings.Compare(x.ID, y.ID))
	})
}

// Narrow keeps the resources that fit the qualifiers, one after the other; a
// qualifier that fits none of them is left to the backend to object to.
func Narrow(rs []storage.Record, q prompt.Qualifiers) []storage.Record {
	keep := func(part prompt.Qualifiers) {
		fit := slices.DeleteFunc(slices.Clone(rs), func(r storage.Record) bool { return !part.Match(r) })
		if len(fit) > 0 {
			rs = fit
		}
	}
	keep(prompt.Qualifiers{Regions: q.Regions})
	keep(prompt.Qualifiers{Accounts: q.Accounts})
	keep(prompt.Qualifiers{Types: q.Types})
	keep(prompt.Qualifiers{Tags: q.Tags})
	for _, n := range q.AccountNames {
		keep(prompt.Qualifiers{AccountNames: []string{n}})
	}
	for _, w := range q.Words {
		keep(prompt.Qualifiers{Words: []string{w}})
	}
	keep(prompt.Qualifiers{States: q.States})
	return rs
}

// beside is the words of a name's own part of the prompt, without names: up to
// the next comma, sentence or conjunction.
func beside(words []prompt.Word, names []prompt.Span, at prompt.Span) []prompt.Word {
	from, to := at.From, at.To
	for from > 0 && words[from-1].After == 0 && !words[from-1].Is(prompt.Conjunction) {
		from--
	}
	for to < len(words) && words[to-1].After == 0 && !words[to].Is(prompt.Conjunction) {
		to++
	}
	return without(words, names, from, to)
}

func without(words []prompt.Word, names []prompt.Span, from, to int) []prompt.Word {
	var out []prompt.Word
	for i := from; i < to; i++ {
		if !slices.ContainsFunc(names, func(s prompt.Span) bool { return s.From <= i && i < s.To }) {
			out = append(out, words[i])
		}
	}
	return out
}

// refersBack finds a word such as "it", "both" or "again" with no name before it.
func refersBack(words []prompt.Word, names []prompt.Span) (string, bool) {
	end := len(words)
	if len(names) > 0 {
		end = names[0].From
	}
	for _, w := range words[:end] {
		if w.Is(prompt.Pronoun|prompt.Ordinal) || !w.Quoted && (w.Lower == "both" || w.Lower == "again" || w.Lower == "undo") {
			return w.Text, true
		}
	}
	return "", false
}

// awaitsAnswer reports whether the last turn was a question to the person.
func awaitsAnswer(history []storage.Message) bool {
	for _, m := range slices.Backward(history) {
		if m.Role == storage.RoleAssistant {
			r := decodeReply(m.Metadata.Reply)
			return r != nil && r.Clarification != nil
		}
		if m.Role == storage.RoleUser {
			return false
		}
	}
	return false
}

// mentioned is the resources of the newest turn that mentions any, in its order.
// Of what was decided since, that is what ran: a command that was rejected did
// nothing that one could go on with.
func (a *Agent) mentioned(history []storage.Message) []storage.Record {
	var ran []storage.Record
	for i := len(history) - 1; i >= max(0, len(history)-recentTurns); i-- {
		m := history[i]
		if m.Role != storage.RoleSystem && len(ran) > 0 {
			break
		}
		rs := a.byKeys(m.Metadata.ResourcesMentioned)
		switch {
		case m.Role != storage.RoleSystem && len(rs) > 0:
			return rs
		case m.Role == storage.RoleSystem && len(m.Metadata.CommandsExecuted) > 0:
			ran = append(rs, ran...)
		}
	}
	return ran
}

func (a *Agent) byKeys(keys []string) []storage.Record {
	var rs []storage.Record
	for _, key := range keys {
		if r, ok := a.byKey(key); ok {
			rs = append(rs, r)
		}
	}
	return rs
}

// offered is the resources that the newest question of ours let choose from.
func (a *Agent) offered(history []storage.Message) []storage.Record {
	for i := len(history) - 1; i >= max(0, len(history)-recentTurns); i-- {
		reply := decodeReply(history[i].Metadata.Reply)
		if reply == nil || reply.Clarification == nil {
			continue
		}
		var rs []storage.Record
		for _, c := range reply.Clarification.Choices {
			if r, ok := a.byKey(c.Resource); ok {
				rs = append(rs, r)
			}
		}
		return rs
	}
	return nil
}

// byKey finds the record of a canonical key.
func (a *Agent) byKey(key string) (storage.Record, bool) {
	id := key
	if i := strings.LastIndexByte(key, '|'); i >= 0 && !strings.HasPrefix(key, "arn:") {
		id = key[i+1:]
	}
	for _, r := range a.store.Estate.Find(id) {
		if r.Canonical() == key {
			return r, true
		}
	}
	return storage.Record{}, false
}

// described is the few resources that a description such as "the staging
// database" fits; a type alone is no description.
func (a *Agent) described(words []prompt.Word) []storage.Record {
	q := prompt.Read(words)
	rest := q
	rest.Kind, rest.Types = "", nil
	if q.Kind == "" || rest.Empty() {
		return nil
	}
	types := q.Types
	if len(types) == 0 {
		types = []string{""}
	}
	var out []storage.Record
	for _, t := range types {
		rs, _ := a.store.Estate.Search("", storage.Filter{Type: t}, math.MaxInt32)
		for _, r := range rs {
			if q.Match(r) {
				out = append(out, r)
			}
		}
	}
	if out = q.Closest(out); len(out) > mostDescribed {
		return nil
	}
	return out
}
