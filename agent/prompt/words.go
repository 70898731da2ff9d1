// Package prompt reads what a person wrote: its words, which of them name
// resources, and which narrow down what is meant.
//
// Its entries are Split, Names and Read.
//
// Invariants: words of plain English never name a resource unless they are
// quoted, so that no name can take the place of a "not" or a "stop"; a quoted
// text is one word and never anything but a name.
package prompt

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudops/cloudops/storage/kind"
)

// Word is one word of a prompt. A contraction makes two words of one place.
type Word struct {
	// Text is without quotes and punctuation; Lower is the same in lower case.
	Text, Lower string
	// Raw is the word as it was written, where Text is not: with the apostrophe
	// and the s that may belong to a name.
	Raw string
	// Start and End are byte offsets in the prompt, quotes included.
	Start, End int
	Quoted     bool
	// After is the strongest mark that follows: 0, ',', ':', '.', '!' or '?'.
	// A line's end and a semicolon count as '.'.
	After byte
}

// Is reports whether the word is a word of English of that class.
func (w Word) Is(c Class) bool { return !w.Quoted && classes[w.Lower]&c != 0 }

// Plain reports whether the word is not one of the grammar's.
func (w Word) Plain() bool {
	return w.Quoted || classes[w.Lower] == 0 && !kind.IsRegion(w.Lower) && !isAccount(w.Lower)
}

// Split returns the words of a text.
func Split(text string) []Word {
	s := splitter{text: text}
	for s.pos < len(text) {
		s.next()
	}
	return s.words
}

type splitter struct {
	text  string
	pos   int
	words []Word
}

func (s *splitter) next() {
	r, size := utf8.DecodeRuneInString(s.text[s.pos:])
	switch {
	case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
		s.mark('.')
		s.pos += size
	case unicode.IsSpace(r):
		s.pos += size
	case closer(r) != 0 && s.quoted(closer(r), size):
	case r == '&' || r == '+':
		s.words = append(s.words, Word{Text: string(r), Lower: string(r), Start: s.pos, End: s.pos + 1})
		s.pos++
	case r == '!' && !s.alone(size) && (s.text[s.pos+size] == '=' || unicode.IsLetter(rune(s.text[s.pos+size]))):
		s.plain() // "!=" and "!production" end no sentence
	case dash(r) && s.alone(size):
		s.mark(',')
		s.pos += size
	case separator(r):
		s.mark(markOf(r))
		s.pos += size
	default:
		s.plain()
	}
}

// mark notes punctuation behind the last word; the strongest stays.
func (s *splitter) mark(m byte) {
	const order = "\x00,:.!?"
	if n := len(s.words); n > 0 && strings.IndexByte(order, m) > strings.IndexByte(order, s.words[n-1].After) {
		s.words[n-1].After = m
	}
}

// closer is the quote that closes what r opens, or 0.
func closer(r rune) rune {
	switch r {
	case '"', '`', '\'':
		return r
	case '“', '„':
		return '”'
	case '‘':
		return '’'
	case '«':
		return '»'
	}
	return 0
}

// longestQuote is in bytes; names and tags are shorter.
const longestQuote = 1024

// quoted takes a quoted text; it must close on its line, before a word's end.
func (s *splitter) quoted(end rune, size int) bool {
	rest := s.text[s.pos+size:]
	inner := rest[:min(len(rest), longestQuote)]
	if i := strings.IndexAny(inner, "\r\n"); i >= 0 {
		inner = inner[:i]
	}
	from := 0
	for {
		i := strings.IndexRune(inner[from:], end)
		if i < 0 {
			return false
		}
		i += from
		after := i + utf8.RuneLen(end)
		next, _ := utf8.DecodeRuneInString(rest[after:])
		if after < len(rest) && (unicode.IsLetter(next) || unicode.IsDigit(next)) {
			from = after
			continue
		}
		t := strings.TrimSpace(inner[:i])
		start := s.pos
		s.pos += size + after
		if t != "" {
			s.words = append(s.words, Word{Text: t, Lower: strings.ToLower(t), Start: start, End: s.pos, Quoted: true})
		}
		return true
	}
}

// dash reports whether a rune stands between parts, or before one in a list.
func dash(r rune) bool { return strings.ContainsRune("-–—•·", r) }

// alone reports whether white space, or the end, follows.
func (s *splitter) alone(size int) bool {
	next, _ := utf8.DecodeRuneInString(s.text[s.pos+size:])
	return s.pos+size == len(s.text) || unicode.IsSpace(next)
}

func separator(r rune) bool {
	return strings.ContainsRune(",;:.!?()[]{}<>\"`“”„«»'’‘*|…", r)
}

func markOf(r rune) byte {
	switch r {
	case '!', '?', ',', ':':
		return byte(r)
	case ';', '.', '…':
		return '.'
	}
	return 0
}

// plain takes an unquoted word up to white space, a comma or the like.
func (s *splitter) plain() {
	rest := s.text[s.pos:]
	n := strings.IndexFunc(rest, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",;\"`“”„«»()[]{}<>|", r) || r == '\u2028' || r == '\u2029'
	})
	if n < 0 {
		n = len(rest)
	}
	start := s.pos
	t := strings.TrimRightFunc(rest[:n], separator)
	s.pos += len(t)
	parts := expand(ordinary.Replace(t))
	for _, part := range parts {
		w := Word{Text: part, Lower: strings.ToLower(part), Start: start, End: s.pos}
		if len(parts) == 1 && part != t {
			w.Raw = t
		}
		s.words = append(s.words, w)
	}
}

// ordinary turns what editors and web pages make of ' and - back.
var ordinary = strings.NewReplacer("’", "'", "‐", "-", "‑", "-")

// contractions that the rules of expand do not cover.
var contractions = map[string]string{
	"can't": "can not", "cant": "can not", "cannot": "can not", "won't": "will not", "wont": "will not",
	"shan't": "shall not", "ain't": "is not", "aint": "is not", "dont": "do not", "doesnt": "does not",
	"didnt": "did not", "isnt": "is not", "arent": "are not", "wasnt": "was not", "shouldnt": "should not",
	"wouldnt": "would not", "couldnt": "could not", "mustnt": "must not", "let's": "let us", "lets": "let us",
	"whats": "what is", "wheres": "where is", "hows": "how is", "whos": "who is",
	"id": "id", "im": "i am", "ive": "i have", "gonna": "going to", "wanna": "want to", "gotta": "got to",
	"lemme": "let me", "gimme": "give me", "y'all": "you",
}

var endings = []struct{ suffix, word string }{
	{"n't", "not"}, {"'ll", "will"}, {"'re", "are"}, {"'ve", "have"}, {"'d", "would"}, {"'m", "am"},
}

// expand takes contractions apart and drops the possessive.
func expand(t string) []string {
	low := strings.ToLower(t)
	if full, ok := contractions[low]; ok {
		return strings.Fields(full)
	}
	for _, e := range endings {
		if len(low) == len(t) && strings.HasSuffix(low, e.suffix) && len(low) > len(e.suffix) {
			return []string{t[:len(t)-len(e.suffix)], e.word}
		}
	}
	if base, ok := strings.CutSuffix(t, "'s"); ok && base != "" {
		if classes[strings.ToLower(base)]&(Question|Pronoun|Here) != 0 {
			return []string{base, "is"}
		}
		return []string{base}
	}
	if base, ok := strings.CutSuffix(t, "s'"); ok && base != "" {
		return []string{base + "s"}
	}
	if t == "" {
		return nil
	}
	return []string{t}
}
