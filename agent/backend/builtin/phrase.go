package builtin

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/storage/kind"
)

// phrase is one thing that a verb is to be done to.
type phrase struct {
	// name is a name found in the prompt.
	name string
	// refers: it, them, that one.
	refers, plural bool
	// ordinal picks from what was listed before: 1 is the first, -1 the last.
	ordinal int
	// all: everything of a kind.
	all bool
	// loose: "an instance", "any instance".
	loose bool
	// or: an alternative to the phrase before.
	or bool
	q  prompt.Qualifiers
	// left is what was not understood.
	left []string
	// said is the phrase as written.
	said string
}

func (p phrase) empty() bool {
	return p.name == "" && !p.refers && p.ordinal == 0 && !p.all && !p.loose && p.q.Empty() && len(p.left) == 0
}

var ordinals = map[string]int{
	"first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4, "fifth": 5, "5th": 5,
	"sixth": 6, "6th": 6, "seventh": 7, "7th": 7, "eighth": 8, "8th": 8, "ninth": 9, "9th": 9, "tenth": 10, "10th": 10, "last": -1,
}

// phrases reads the object of a verb.
func phrases(items []item) []phrase {
	var out []phrase
	var cur phrase
	var words []prompt.Word
	var said []string
	flush := func() {
		cur.q = prompt.Read(words)
		cur.said = strings.Join(said, " ")
		if !cur.empty() {
			out = append(out, cur)
		}
		cur, words, said = phrase{}, nil, nil
	}
	for i, it := range items {
		if it.joint != "" && i > 0 {
			// "web-1, the one in eu-west-1" goes on with web-1.
			if !(it.joint == "," && cur.name != "" && continues(items[i:])) {
				flush()
			}
			cur.or = cur.or || it.joint == "or"
		}
		relation := i > 0 && items[i-1].is(prompt.Preposition) && it.joint == ""
		switch {
		case it.name != "" && relation:
			cur.left = append(cur.left, items[i-1].Text+" "+it.Text)
		case it.name != "":
			if cur.name != "" {
				flush()
			}
			cur.name = it.name
		case it.Quoted:
			words = append(words, it.Word)
		case it.word("it", "itself"):
			cur.refers = true
		case it.word("them", "these", "those", "both", "themselves"):
			cur.refers, cur.plural = true, true
		case it.is(prompt.Pronoun):
			// "that instance" and "that one", but "the one in eu-west-1" only narrows.
			cur.refers = cur.refers || it.word("this", "that", "same", "former", "latter") || cur.name == ""
		case it.is(prompt.Ordinal):
			cur.ordinal = ordinals[it.Lower]
		case it.is(prompt.Quantifier):
			cur.all = cur.all || !it.word("any", "either", "anything", "whole", "entire")
			cur.loose = cur.loose || it.word("any", "either", "anything")
		case it.is(prompt.Indefinite):
			cur.loose = true
		case ceases(it, i):
			cur.left = append(cur.left, it.Text)
		case it.is(prompt.Kind), it.is(prompt.State) && !it.is(prompt.Particle):
			words = append(words, it.Word)
		case it.word("again", "back"):
		case it.word("on", "off", "up", "down", "out") && (i == len(items)-1 || items[i+1].joint != "" || items[i+1].word("again")):
			cur.left = append(cur.left, it.Text) // "turn web-1 off and on again" wants both
		case it.word("in", "from", "within", "inside", "account", "profile"):
			words = append(words, it.Word) // what stands beside may be an account
		case it.word("than"):
			cur.left = append(cur.left, it.Text) // "other than production" leaves out
		case it.is(prompt.Article|prompt.Preposition|prompt.Label|prompt.Now|prompt.Noun) && !it.is(prompt.Unsupported|prompt.Action|prompt.Ask):
		case it.is(prompt.Polite|prompt.Greeting|prompt.Yes) && !it.is(opening|prompt.Time):
		case it.word("is", "are") && i > 0 && items[i-1].word("that", "which"):
		case it.Plain():
			words = append(words, it.Word)
		case kind.IsRegion(it.Lower) || strings.Trim(it.Lower, "0123456789") == "":
			words = append(words, it.Word)
		default:
			cur.left = append(cur.left, it.Text)
		}
		said = append(said, it.said())
	}
	flush()
	return out
}

// said is a word or name so that it reads the same again.
func (it item) said() string {
	switch {
	case it.name != "":
		if q, ok := prompt.Quote(it.name); ok {
			return q
		}
	case it.Quoted:
		if q, ok := prompt.Quote(it.Text); ok {
			return q
		}
	}
	return it.Text
}

// ceases reports whether a word makes "stop rebooting web-1" of a verb: it
// asks for an activity to end, not for the resource to be stopped.
func ceases(it item, i int) bool {
	if !strings.HasSuffix(it.Lower, "ing") || it.word("running", "pending") {
		return false
	}
	return it.is(prompt.State) || i == 0 && it.Plain() && !it.Quoted && it.Lower != "staging"
}

// continues reports whether a part only says more about the name before it.
func continues(items []item) bool {
	for i, it := range items {
		if i > 0 && it.joint != "" {
			break
		}
		if it.name != "" {
			return false
		}
	}
	return slices.ContainsFunc(items, func(it item) bool { return it.word("one") }) || items[0].is(prompt.Preposition)
}
