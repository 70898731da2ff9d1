package lsp

import (
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/cloudops/cloudops/storage/index"
)

// document is one version of an open file. It never changes. What an edit makes
// is kept in pieces, and joined for whoever reads it first: of a thousand edits
// in a row hardly any version is read.
type document struct {
	uri     string
	version int32
	// edited is when edits made it; zero where all of it was sent.
	edited time.Time
	// rope is nil until the first edit.
	rope *rope
	// content is the text, and the offsets at which its lines start.
	content func() (string, []int)
}

func newDocument(uri string, version int32, text string) *document {
	return &document{uri: uri, version: version, content: sync.OnceValues(func() (string, []int) { return text, lineStarts(text) })}
}

func (d *document) text() string {
	text, _ := d.content()
	return text
}

// lineStarts finds lines as LSP ends them: LF, CRLF or CR.
func lineStarts(text string) []int {
	starts := []int{0}
	if strings.IndexByte(text, '\r') < 0 {
		for i := 0; ; {
			n := strings.IndexByte(text[i:], '\n')
			if n < 0 {
				return starts
			}
			i += n + 1
			starts = append(starts, i)
		}
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\r':
			if i+1 < len(text) && text[i+1] == '\n' {
				i++
			}
			starts = append(starts, i+1)
		case '\n':
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line returns the bounds of a line without its end; one that does not exist
// is the empty end of the text.
func (d *document) line(n int) (start, end int) {
	text, lines := d.content()
	if n < 0 || n >= len(lines) {
		return len(text), len(text)
	}
	start, end = lines[n], len(text)
	if n+1 < len(lines) {
		end = lines[n+1]
	}
	return start, start + len(strings.TrimRight(text[start:end], "\r\n"))
}

// lineOf is the number of the line that an offset is on.
func (d *document) lineOf(offset int) int {
	_, lines := d.content()
	return sort.SearchInts(lines, offset+1) - 1
}

// at returns the tokens that cover an offset, longest first, with offsets in
// the document.
func (d *document) at(offset int) []index.Token {
	start, end := d.line(d.lineOf(offset))
	tokens := index.At(d.text()[start:end], min(offset, end)-start)
	for i := range tokens {
		tokens[i].Start += start
		tokens[i].End += start
	}
	return tokens
}

// surroundings is more than any token is long, in bytes.
const surroundings = 4 << 10

// within calls f with the tokens that a part of the text touches, line by line,
// until it is false.
func (d *document) within(start, end int, f func(index.Token) bool) {
	first, _ := d.line(d.lineOf(start))
	_, last := d.line(d.lineOf(end))
	// Of a long line no more is read than a token that reaches in can be long.
	first, last = max(first, start-surroundings), min(last, end+surroundings)
	index.Each(d.text()[first:last], func(t index.Token) bool {
		t.Start, t.End = t.Start+first, t.End+first
		return t.End <= start || t.Start >= end || f(t)
	})
}

// documents are the editor's open files. They live here alone, whatever
// becomes of the daemon.
type documents struct {
	mu   sync.Mutex // guards open
	open map[string]*document
}

func (ds *documents) get(uri string) *document {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.open[uri]
}

func (ds *documents) put(d *document) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.open == nil {
		ds.open = map[string]*document{}
	}
	ds.open[d.uri] = d
}

func (ds *documents) remove(uri string) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	delete(ds.open, uri)
}

func (ds *documents) all() []*document {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	all := make([]*document, 0, len(ds.open))
	for _, d := range ds.open {
		all = append(all, d)
	}
	return all
}
