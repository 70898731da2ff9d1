package lsp

import (
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// edit replaces a part of a text; whole replaces all of it.
type edit struct {
	whole      bool
	start, end position
	text       string
}

// apply returns the document after edits, each of which sees the one before.
// Ranges beyond the text, or backwards, are brought into it.
func (d *document) apply(version int32, edits []edit, enc encoding) *document {
	for i, e := range slices.Backward(edits) {
		if e.whole {
			d, edits = newDocument(d.uri, version, e.text), edits[i+1:]
			break
		}
	}
	next := &document{uri: d.uri, version: version, edited: d.edited, rope: d.rope, content: d.content}
	if len(edits) == 0 {
		return next
	}
	r := d.rope.clone()
	if r == nil {
		r = newRope(d.text(), pieceSize)
	}
	for _, e := range edits {
		r.replace(e, enc)
	}
	next.edited, next.rope = time.Now(), r
	next.content = sync.OnceValues(func() (string, []int) {
		text := r.String()
		return text, lineStarts(text)
	})
	return next
}

// pieceSize is how long the pieces of a rope are made, in bytes. An edit copies
// a few of them and walks over the others' sums, which each version has anew.
const pieceSize = 2 << 10

// rope is a text in pieces, so that many edits cost about as much as they are
// long, not as the text is. Pieces begin and end between characters, and never
// between CR and LF.
type rope struct {
	pieces []piece
	// size is how long pieces are made; one of twice that is cut up.
	size int
}

type piece struct {
	text string
	// units is its length as UTF-16 counts, breaks the number of line ends in it.
	units, breaks int
}

func newPiece(text string) piece {
	p := piece{text: text}
	for i, r := range text {
		p.units += int(utf16Units(r))
		if r == '\n' || r == '\r' && !strings.HasPrefix(text[i+1:], "\n") {
			p.breaks++
		}
	}
	return p
}

func newRope(text string, size int) *rope {
	r := &rope{size: size}
	r.pieces = r.cut(text)
	return r
}

// clone is a rope for the next version; the pieces themselves are shared.
func (r *rope) clone() *rope {
	if r == nil {
		return nil
	}
	return &rope{slices.Clone(r.pieces), r.size}
}

// cut makes pieces of a text.
func (r *rope) cut(text string) []piece {
	pieces := make([]piece, 0, len(text)/r.size+1)
	for len(text) > 2*r.size {
		n := r.size
		for n < 2*r.size && (!utf8.RuneStart(text[n]) || text[n] == '\n' && text[n-1] == '\r') {
			n++
		}
		pieces, text = append(pieces, newPiece(text[:n])), text[n:]
	}
	return append(pieces, newPiece(text))
}

func (r *rope) String() string {
	n := 0
	for _, p := range r.pieces {
		n += len(p.text)
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range r.pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// place is an offset in a piece, below its length but at the end of the text.
type place struct{ piece, offset int }

// replace applies an edit that is not of the whole.
func (r *rope) replace(e edit, enc encoding) {
	start, end := r.find(e.start, enc), r.find(e.end, enc)
	if end.piece < start.piece || end.piece == start.piece && end.offset < start.offset {
		start, end = end, start
	}
	text := r.pieces[start.piece].text[:start.offset] + e.text + r.pieces[end.piece].text[end.offset:]
	from, to := start.piece, end.piece+1
	// The end of a piece is found as the beginning of the next, so that only what
	// stands before can have come to be a CR whose LF this begins with.
	if from > 0 && strings.HasPrefix(text, "\n") && strings.HasSuffix(r.pieces[from-1].text, "\r") {
		from--
		text = r.pieces[from].text + text
	}
	// What deleting leaves must not crumble, however long a document is edited.
	if len(text) < r.size/2 && to < len(r.pieces) {
		text += r.pieces[to].text
		to++
	}
	r.pieces = slices.Replace(r.pieces, from, to, r.cut(text)...)
}

// find is document.offset in a rope.
func (r *rope) find(p position, enc encoding) place {
	at := place{}
	for left := uint64(p.line); left > 0; {
		if at.piece == len(r.pieces) {
			last := len(r.pieces) - 1
			return place{last, len(r.pieces[last].text)}
		}
		text := r.pieces[at.piece].text
		if breaks := uint64(r.pieces[at.piece].breaks); breaks < left {
			left -= breaks
			at.piece++
			continue
		}
		for ; left > 0; left-- {
			at.offset += strings.IndexAny(text[at.offset:], "\r\n") + 1
			if text[at.offset-1] == '\r' && strings.HasPrefix(text[at.offset:], "\n") {
				at.offset++
			}
		}
	}
	// Within the line: whole pieces by their sums, then the characters.
	for left := uint64(p.character); ; {
		text := r.pieces[at.piece].text[at.offset:]
		length := uint64(len(text))
		if enc == utf16 {
			length = uint64(r.pieces[at.piece].units)
		}
		if at.offset == 0 && r.pieces[at.piece].breaks == 0 && length <= left && at.piece+1 < len(r.pieces) {
			left -= length
			at.piece++
			continue
		}
		for i := 0; i < len(text); {
			c, size := utf8.DecodeRuneInString(text[i:])
			units := uint64(size)
			if enc == utf16 {
				units = utf16Units(c)
			}
			if c == '\n' || c == '\r' || left < units {
				return place{at.piece, at.offset + i}
			}
			left -= units
			i += size
		}
		if at.piece+1 == len(r.pieces) {
			return place{at.piece, at.offset + len(text)}
		}
		at = place{piece: at.piece + 1}
	}
}
