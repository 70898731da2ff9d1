package lsp

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.lsp.dev/protocol"

	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/index"
)

func TestPositions(t *testing.T) {
	d := newDocument("file:///a", 1, "a😀b\r\nµ\rlast\n")
	for _, c := range []struct {
		line, character uint32
		enc             encoding
		offset          int
	}{
		{0, 0, utf16, 0},
		{0, 1, utf16, 1},
		{0, 2, utf16, 1}, // within the surrogate pair
		{0, 3, utf16, 5},
		{0, 4, utf16, 6},
		{0, 5, utf16, 6}, // beyond the line
		{0, 4294967295, utf16, 6},
		{0, 3, utf8bytes, 1}, // within the character
		{0, 5, utf8bytes, 5},
		{0, 99, utf8bytes, 6},
		{1, 0, utf16, 8},
		{1, 1, utf16, 10},
		{1, 1, utf8bytes, 8},
		{1, 2, utf8bytes, 10},
		{2, 4, utf16, 15},
		{3, 0, utf16, 16},
		{4, 0, utf16, 16}, // beyond the text
		{4294967295, 7, utf8bytes, 16},
	} {
		if got := d.offset(position{c.line, c.character}, c.enc); got != c.offset {
			t.Errorf("offset(%d:%d, %v) = %d, want %d", c.line, c.character, c.enc, got, c.offset)
		}
	}
	for _, enc := range []encoding{utf16, utf8bytes} {
		for i := range len(d.text()) + 1 {
			if i < len(d.text()) && (!utf8.RuneStart(d.text()[i]) || d.text()[i] == '\n' && i > 0 && d.text()[i-1] == '\r') {
				continue
			}
			p := d.position(i, enc)
			if got := d.offset(fromPosition(p), enc); got != i {
				t.Errorf("offset(position(%d)) = %d by %v", i, got, p)
			}
		}
	}
}

func TestPositionEncoding(t *testing.T) {
	for _, c := range []struct {
		offered []protocol.PositionEncodingKind
		want    protocol.PositionEncodingKind
	}{
		{nil, "utf-16"},
		{[]protocol.PositionEncodingKind{"utf-16"}, "utf-16"},
		{[]protocol.PositionEncodingKind{"utf-16", "utf-8"}, "utf-8"},
		{[]protocol.PositionEncodingKind{"utf-32"}, "utf-16"},
	} {
		if got := encodingOf(c.offered).kind(); got != c.want {
			t.Errorf("offered %v: got %v, want %v", c.offered, got, c.want)
		}
	}
}

func TestEdits(t *testing.T) {
	type change = edit
	for _, c := range []struct {
		name, text string
		edits      []change
		want       string
	}{
		{"insert", "ab", []change{{start: position{0, 1}, end: position{0, 1}, text: "X"}}, "aXb"},
		{"replace over lines", "a\nb\nc", []change{{start: position{0, 1}, end: position{2, 0}, text: "-"}}, "a-c"},
		{"delete a line end", "a\r\nb", []change{{start: position{0, 1}, end: position{1, 0}}}, "ab"},
		{"each sees the one before", "", []change{{text: "one\n"}, {start: position{1, 0}, end: position{1, 0}, text: "two"}}, "one\ntwo"},
		{"whole", "abc", []change{{whole: true, text: "new"}}, "new"},
		{"beyond the text", "ab", []change{{start: position{9, 9}, end: position{99, 0}, text: "!"}}, "ab!"},
		{"backwards", "abcd", []change{{start: position{0, 3}, end: position{0, 1}, text: "-"}}, "a-d"},
		{"within a surrogate pair", "😀", []change{{start: position{0, 1}, end: position{0, 2}, text: ""}}, ""},
		{"none", "ab", nil, "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDocument("file:///a", 1, c.text).apply(2, c.edits, utf16)
			if d.text() != c.want || d.version != 2 {
				t.Errorf("got %q, want %q", d.text(), c.want)
			}
		})
	}
}

// FuzzEdits: no edit, however wrong, breaks the text or the order of lines.
func FuzzEdits(f *testing.F) {
	f.Add("a😀\r\nb", uint32(0), uint32(2), uint32(1), uint32(0), "x\n", false)
	f.Add("", uint32(9), uint32(9), uint32(0), uint32(0), "", true)
	f.Fuzz(func(t *testing.T, text string, l1, c1, l2, c2 uint32, with string, bytes bool) {
		enc := utf16
		if bytes {
			enc = utf8bytes
		}
		d := newDocument("u", 1, text)
		got := d.apply(2, []edit{{start: position{l1, c1}, end: position{l2, c2}, text: with}}, enc)
		if utf8.ValidString(text) && utf8.ValidString(with) && !utf8.ValidString(got.text()) {
			t.Errorf("an edit split a character: %q", got.text())
		}
		if !strings.Contains(got.text(), with) || len(got.text()) > len(text)+len(with) {
			t.Errorf("got %q", got.text())
		}
		got.at(len(got.text()))
		got.at(0)
	})
}

// someEdits makes edits of chance, many of them backwards or beyond the text,
// around the places where lines and pieces end.
func someEdits(rng *rand.Rand, n int) []edit {
	texts := []string{"", "", "x", "\r", "\n", "\r\n", "é", "😀", "line\nline\r\n", strings.Repeat("long 😀 ", 500), strings.Repeat("\r", 3000)}
	place := func() position {
		p := position{rng.Uint32N(40), rng.Uint32N(30)}
		switch rng.IntN(12) {
		case 0:
			p.line = math.MaxUint32
		case 1:
			p.character = math.MaxUint32
		case 2:
			p.character = rng.Uint32N(6 * pieceSize)
		case 3:
			p.line = rng.Uint32N(4 * pieceSize)
		}
		return p
	}
	edits := make([]edit, n)
	for i := range edits {
		e := edit{start: place(), text: texts[rng.IntN(len(texts))], whole: rng.IntN(200) == 0}
		if e.end = e.start; rng.IntN(2) == 0 {
			e.end = place()
		}
		edits[i] = e
	}
	return edits
}

func someText(rng *rand.Rand) string {
	parts := []string{"a", "bc", "\r", "\n", "\r\n", "µ", "😀", " = ", strings.Repeat("w", 40)}
	var b strings.Builder
	for range rng.IntN(300) {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	return b.String()
}

// naively is what an edit makes of a text, by the table of its lines.
func naively(text string, e edit, enc encoding) string {
	if e.whole {
		return e.text
	}
	d := newDocument("u", 1, text)
	start, end := d.offset(e.start, enc), d.offset(e.end, enc)
	return text[:min(start, end)] + e.text + text[max(start, end):]
}

// sameAsNaively compares edits, all at once and each alone, with what they make
// of the whole text; also in pieces so small that every place is near the end of
// one. What was before an edit stays as it was.
func sameAsNaively(t *testing.T, text string, edits []edit, enc encoding) {
	t.Helper()
	want, first := text, newDocument("u", 1, text)
	each, small := first, newRope(text, 6)
	for i, e := range edits {
		before, older := want, each
		want = naively(want, e, enc)
		each = each.apply(2, []edit{e}, enc)
		if e.whole {
			small = newRope(e.text, 6)
		} else {
			small = small.clone()
			small.replace(e, enc)
		}
		if small.String() != want {
			t.Fatalf("after %d edits by %v of %.200q in small pieces the text is not the same: %+v", i+1, enc, text, e)
		}
		// Most versions are read by nobody, as in an editor.
		if i%7 == 0 && (each.text() != want || older.text() != before) {
			t.Fatalf("after %d edits by %v of %.200q the text is not the same: %+v", i+1, enc, text, e)
		}
	}
	for _, got := range []*document{each, first.apply(2, edits, enc)} {
		if text, lines := got.content(); text != want || !slices.Equal(lines, lineStarts(want)) {
			t.Fatalf("after %d edits by %v of %.200q the text is not the same: %+v", len(edits), enc, text, edits)
		}
	}
	if first.text() != text {
		t.Fatal("an edit changed the version before it")
	}
}

func TestManyEditsAreTheSameAsNaively(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		for _, enc := range []encoding{utf16, utf8bytes} {
			sameAsNaively(t, someText(rng), someEdits(rng, 1+rng.IntN(120)), enc)
		}
	}
}

func FuzzManyEdits(f *testing.F) {
	f.Add("a\r\nb", uint64(1), uint8(9), false)
	f.Fuzz(func(t *testing.T, text string, seed uint64, n uint8, bytes bool) {
		if !utf8.ValidString(text) {
			return // counted otherwise where a character is not whole
		}
		enc := utf16
		if bytes {
			enc = utf8bytes
		}
		rng := rand.New(rand.NewPCG(seed, 2))
		sameAsNaively(t, strings.Repeat(text, 1+rng.IntN(2000)), someEdits(rng, 1+int(n)), enc)
	})
}

// replaceAll is what editors send for "replace all" in a text with many lines or
// with one: an edit for each place, from the last to the first or the reverse.
func replaceAll(lines, edits int, oneLine bool) (text string, all []edit) {
	const line = "resource i-0123456789abcdef0 = 1\n"
	text = strings.Repeat(line, lines)
	if oneLine {
		text = strings.ReplaceAll(text, "\n", " ")
	}
	for i := range edits {
		at := position{uint32((edits - 1 - i) * (lines / edits)), 9}
		if oneLine {
			at = position{0, at.line*uint32(len(line)) + 9}
		}
		end := at
		end.character += 19
		all = append(all, edit{start: at, end: end, text: "i-0fedcba9876543210"})
	}
	if oneLine {
		slices.Reverse(all)
	}
	return text, all
}

// allocated is how many bytes f takes, whether or not it keeps them.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Many edits of a large text copy about as much as they are long, not the text
// for each.
func TestManyEditsCopyLittle(t *testing.T) {
	for _, oneLine := range []bool{false, true} {
		text, edits := replaceAll((5<<20)/33, 5000, oneLine)
		d := newDocument("u", 1, text)
		var got *document
		if n := allocated(func() { got = d.apply(2, edits, utf16) }) / uint64(len(text)); n > 20 {
			t.Errorf("%d edits of a text copied it %d times (one line: %v)", len(edits), n, oneLine)
		}
		if strings.Count(got.text(), "i-0fedcba9876543210") != len(edits) || len(got.text()) != len(text) {
			t.Errorf("the text is not right (one line: %v)", oneLine)
		}
	}
}

// A long part mentions what stands at its end, and what is named within a longer
// name once.
func TestMentionsOfALongPart(t *testing.T) {
	const arn = "arn:aws:rds:eu-west-1:1:db:db-3"
	s := newServer(t.Context(), Config{In: strings.NewReader(""), Out: io.Discard})
	t.Cleanup(s.finish)
	s.records = newRecords(func(context.Context, []string, bool) (answers, error) {
		one := []storage.Record{{Key: storage.Key{ID: "db-3"}}}
		return answers{Records: map[string][]storage.Record{arn: one, "db-3": one}}, nil
	})
	text := strings.Repeat("nothing here\n", 10_000) + "x = \"" + arn + "\" # db-3\n"
	var got []string
	for _, m := range s.mentioned(t.Context(), newDocument("u", 1, text), 0, len(text), false) {
		got = append(got, text[m.Start:m.End])
	}
	if want := []string{arn, "db-3"}; !slices.Equal(got, want) {
		t.Errorf("it mentions %q, want %q", got, want)
	}
}

// In a line of any length a selection touches what is in it, at its end too.
func TestASelectionInALongLine(t *testing.T) {
	text := strings.Repeat(`"i-0123456789abcdef0", `, 100_000)
	d := newDocument("file:///a", 1, text)
	for _, at := range []int{0, 23 * 50_000, len(text) - 23} {
		got := map[string]bool{}
		d.within(at, at+20, func(t index.Token) bool { got[t.Text] = true; return true })
		if len(got) != 1 || !got["i-0123456789abcdef0"] {
			t.Errorf("at %d it touches %v", at, got)
		}
	}
}

// typed is a large text after one edit in each of many notifications.
func typed(d *document, edits []edit) *document {
	for i, e := range edits {
		d = d.apply(int32(i+2), []edit{e}, utf16)
	}
	return d
}

// A notification with a small edit costs about as much as the edit is long: what
// a thousand of them copy is as little as a few copies of the text.
func TestManyNotificationsCopyLittle(t *testing.T) {
	for _, oneLine := range []bool{false, true} {
		text, edits := replaceAll((5<<20)/33, 1000, oneLine)
		d := newDocument("u", 1, text)
		var got *document
		if n := allocated(func() { got = typed(d, edits) }) / uint64(len(text)); n > 40 {
			t.Errorf("%d notifications copied the text %d times (one line: %v)", len(edits), n, oneLine)
		}
		if strings.Count(got.text(), "i-0fedcba9876543210") != len(edits) || len(got.text()) != len(text) {
			t.Errorf("the text is not right (one line: %v)", oneLine)
		}
	}
}

// However long a document is typed in and deleted from, its pieces do not crumble.
func TestPiecesDoNotCrumble(t *testing.T) {
	d := newDocument("u", 1, strings.Repeat("a line of text\n", 5000))
	line := strings.Repeat("x", 3*pieceSize)
	for i := range 300 {
		at := position{uint32(i * 16), 3}
		end := at
		end.character += uint32(len(line))
		d = d.apply(2, []edit{{start: at, end: at, text: line}}, utf16)
		for from := end; from.character > at.character; { // backwards, a bit at a time
			to := from
			from.character -= min(pieceSize/3, from.character-at.character)
			d = d.apply(2, []edit{{start: from, end: to}}, utf16)
		}
	}
	if n, most := len(d.rope.pieces), 2*len(d.text())/pieceSize+300/16; d.text() != strings.Repeat("a line of text\n", 5000) || n > most {
		t.Errorf("%d pieces of %d bytes, want %d at most", n, len(d.text()), most)
	}
}

// BenchmarkManyNotifications compares 1,000 notifications of one edit each in
// 5 MB with reading and copying the text once.
func BenchmarkManyNotifications(b *testing.B) {
	text, edits := replaceAll((5<<20)/33, 1000, false)
	d := newDocument("u", 1, text)
	begun := time.Now()
	for b.Loop() {
		typed(d, edits).text()
	}
	each := time.Since(begun) / time.Duration(b.N)
	begun = time.Now()
	const rounds = 10
	for range rounds {
		newDocument("u", 1, strings.Clone(text)).text()
	}
	b.ReportMetric(float64(each)/float64(time.Since(begun)/rounds), "x-one-copy")
}

// BenchmarkManyEdits compares 5,000 edits of 5 MB with reading and copying the
// text once, which nothing can do without.
func BenchmarkManyEdits(b *testing.B) {
	text, edits := replaceAll((5<<20)/33, 5000, false)
	d := newDocument("u", 1, text)
	begun := time.Now()
	for b.Loop() {
		d.apply(2, edits, utf16).text()
	}
	each := time.Since(begun) / time.Duration(b.N)
	begun = time.Now()
	const rounds = 10
	for range rounds {
		newDocument("u", 1, strings.Clone(text)).text()
	}
	b.ReportMetric(float64(each)/float64(time.Since(begun)/rounds), "x-one-copy")
}

func TestLargeDocuments(t *testing.T) {
	const size = 5 << 20
	for name, text := range map[string]string{
		"many lines": strings.Repeat("resource i-0123456789abcdef0 = 1\n", size/33),
		"one line":   strings.Repeat("i-0123456789abcdef0 ", size/20),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocument("u", 1, text)
			looks := allocated(func() {
				for range 100 {
					d.at(len(text) / 2)
					d.at(len(text) - 1)
				}
			})
			if n := looks / 200; n > 64<<10 {
				t.Errorf("looking under the cursor takes %d bytes", n)
			}
			if n := allocated(func() {
				d = d.apply(2, []edit{{start: position{0, 5}, end: position{0, 6}, text: "x"}}, utf16)
			}); n > 3*uint64(len(text)) {
				t.Errorf("an edit takes %d bytes", n)
			}
			if len(d.text()) != len(text) {
				t.Errorf("the edit changed the length from %d to %d", len(text), len(d.text()))
			}
		})
	}
}

// A selection touches every name that it reaches into, and no other.
func TestASelectionTouchesTheNamesInIt(t *testing.T) {
	const text = "x = \"web-1 and web-2\"\n  id: db-1,db-2 # arn:aws:rds:eu-west-1:1:db:db-3\n"
	d := newDocument("file:///a", 1, text)
	names := []string{"web-1", "web-2", "db-1", "db-2", "arn:aws:rds:eu-west-1:1:db:db-3"}
	for selected, want := range map[string][]string{
		text:                     names,
		"web-1 and web-2":        {"web-1", "web-2"},
		"and web":                {"web-2"},
		" and ":                  {},
		"b-1 and":                {"web-1"},
		"db-1,db-2":              {"db-1", "db-2"},
		",":                      {},
		"# ":                     {},
		"west":                   {"arn:aws:rds:eu-west-1:1:db:db-3"},
		"web-2\"\n  id: db-1,db": {"web-2", "db-1", "db-2"},
	} {
		start := strings.Index(text, selected)
		got := map[string]bool{}
		d.within(start, start+len(selected), func(token index.Token) bool {
			if text[token.Start:token.End] != token.Text {
				t.Fatalf("%q is not at %d", token.Text, token.Start)
			}
			got[token.Text] = true
			return true
		})
		for _, name := range names {
			if slices.Contains(want, name) != got[name] {
				t.Errorf("%q: %q is touched: %v", selected, name, got[name])
			}
		}
	}
	n := 0
	d.within(0, len(text), func(index.Token) bool { n++; return n < 3 })
	if n != 3 {
		t.Errorf("%d tokens where 3 were wanted", n)
	}
}
