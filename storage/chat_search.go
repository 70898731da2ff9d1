package storage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"
	"golang.org/x/text/unicode/norm"
)

const (
	// mostWords is how many words of a query count.
	mostWords = 32
	// hitsDefault is how many conversations are found unless told.
	hitsDefault = 20
	// snippetBefore and snippetAfter are how many characters of context a hit has.
	snippetBefore = 40
	snippetAfter  = 100
)

// ConversationHit is a conversation that a search found.
type ConversationHit struct {
	Conversation
	// MessageIndex and Role are of the message that has most of the words, the
	// newest of those; Role is empty where only the title or a label has any.
	MessageIndex int64     `json:"message_index"`
	Role         Role      `json:"role,omitempty"`
	Timestamp    time.Time `json:"timestamp"`
	// Snippet is the text around the first of the words, on one line.
	Snippet string `json:"snippet"`
}

// SearchConversations finds the conversations that have every word of a query in
// their messages, title or labels, the latest first. Words match the beginnings
// of words, whatever their case and accents. limit 0 means 20, below 0 no limit;
// total counts the matches before the limit. Messages are opened in memory, and
// those that cannot be read are passed over. ErrInvalid: the query has no word.
func (c *Chat) SearchConversations(ctx context.Context, query string, limit int) (found []ConversationHit, total int, err error) {
	words := queryWords(query)
	if len(words) == 0 {
		return nil, 0, fmt.Errorf("searching conversations: %w: the query has no word to look for", ErrInvalid)
	}
	heads, err := c.Conversations(ctx)
	if err != nil {
		return nil, 0, err
	}
	searched := make(map[string]*search, len(heads))
	for _, head := range heads {
		s := &search{words: words, hit: ConversationHit{Conversation: head, MessageIndex: -1}}
		s.look(Message{Index: -1, Timestamp: head.UpdatedAt}, head.Title)
		for _, l := range head.Labels {
			s.look(Message{Index: -1, Timestamp: head.UpdatedAt}, l)
		}
		searched[head.ID] = s
	}
	err = scroll(ctx, c.client, c.name, nil, func(p *qdrant.RetrievedPoint) {
		payload := p.GetPayload()
		s := searched[payload[fieldContext].GetStringValue()]
		if s == nil || payload[fieldRole].GetStringValue() == roleConversation {
			return
		}
		key, err := c.keys.Conversation(s.hit.ID)
		if err != nil {
			return // deleted meanwhile
		}
		for _, m := range c.open(nil, key, p) {
			s.look(m, m.Content)
		}
	})
	if err != nil {
		return nil, 0, wrap("searching conversations", err)
	}
	for _, s := range searched {
		if s.seen == 1<<len(words)-1 {
			s.hit.Snippet = snippet(s.text, s.from)
			found = append(found, s.hit)
		}
	}
	slices.SortFunc(found, func(a, b ConversationHit) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(a.ID, b.ID))
	})
	total = len(found)
	if limit == 0 {
		limit = hitsDefault
	}
	if limit > 0 {
		found = found[:min(limit, total)]
	}
	return found, total, nil
}

// search is what is known of one conversation while it is searched.
type search struct {
	words [][]byte
	// seen has a bit for each word that was found.
	seen uint64
	// best is how many words the text of the hit has; from is where the first is.
	best int
	text string
	from int
	hit  ConversationHit
}

func (s *search) look(m Message, text string) {
	f := fold(text)
	count, from := 0, -1
	for i, w := range s.words {
		if at := f.find(w); at >= 0 {
			s.seen |= 1 << i
			count++
			if from < 0 || at < from {
				from = at
			}
		}
	}
	if count == 0 || count < s.best || count == s.best && m.Index < s.hit.MessageIndex {
		return
	}
	s.best, s.text, s.from = count, text, from
	s.hit.MessageIndex, s.hit.Role, s.hit.Timestamp = m.Index, m.Role, m.Timestamp
}

// queryWords are the words of a query, folded.
func queryWords(query string) (words [][]byte) {
	for _, w := range strings.FieldsFunc(query, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		if f := fold(w).text; len(f) > 0 && len(words) < mostWords {
			words = append(words, f)
		}
	}
	return words
}

// folded is a text without case and accents.
type folded struct {
	text []byte
	// from is where each byte of it stands in the original.
	from []int
}

// struck are letters with a stroke, which Unicode does not take apart.
var struck = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ħ", "h", "ŧ", "t")

func fold(s string) folded {
	f := folded{text: make([]byte, 0, len(s)), from: make([]int, 0, len(s))}
	add := func(r rune, at int) {
		before := len(f.text)
		f.text = utf8.AppendRune(f.text, unicode.ToLower(unicode.ToUpper(r)))
		for range len(f.text) - before {
			f.from = append(f.from, at)
		}
	}
	for i, r := range s {
		if r < utf8.RuneSelf {
			add(r, i)
			continue
		}
		apart := norm.NFKD.String(string(r))
		for _, r := range struck.Replace(strings.ToLower(apart)) {
			if !unicode.Is(unicode.Mn, r) {
				add(r, i)
			}
		}
	}
	return f
}

// find returns where in the original a word begins a word; -1 where nowhere.
func (f folded) find(word []byte) int {
	first, _ := utf8.DecodeRune(word)
	for at := 0; ; {
		i := bytes.Index(f.text[at:], word)
		if i < 0 {
			return -1
		}
		at += i
		before, _ := utf8.DecodeLastRune(f.text[:at])
		if at == 0 || !unicode.IsLetter(before) && !unicode.IsDigit(before) || !unicode.IsLetter(first) && !unicode.IsDigit(first) || unspaced(first) {
			return f.from[at]
		}
		at++
	}
}

// unspaced says whether a letter is of a script that puts no spaces between words.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// snippet is the text around a byte of it, on one line.
func snippet(text string, at int) string {
	before, after := oneLine(text[:at]), oneLine(text[at:])
	cut := func(rs []rune, from, to int) string { return string(rs[from:to]) }
	var b strings.Builder
	if n := len(before); n > snippetBefore {
		b.WriteString("…" + cut(before, n-snippetBefore, n))
	} else {
		b.WriteString(string(before))
	}
	if b.Len() > 0 && unicode.IsSpace(lastRune(text[:at])) {
		b.WriteByte(' ')
	}
	if len(after) > snippetAfter {
		b.WriteString(cut(after, 0, snippetAfter) + "…")
	} else {
		b.WriteString(string(after))
	}
	return b.String()
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}
