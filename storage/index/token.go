package index

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What bounds the work on hostile text.
const (
	// maxIdentifier is the longest candidate in bytes; an ARN has at most 2048.
	maxIdentifier = 2048
	// maxQuoted is the longest quoted candidate; a tag value has 256 characters.
	maxQuoted = 1024
	// maxParts is how many places of one run a candidate may begin or end at.
	maxParts = 24
	// maxPairs is how many candidates such places make before only parts,
	// beginnings and ends are taken.
	maxPairs = 64
)

// Token is a part of a text that may name a resource.
type Token struct {
	Text string
	// Start and End are byte offsets in the text.
	Start, End int
}

// Tokens returns the distinct candidates of a text, in its order: the maximal
// runs of what identifiers are made of, their parts, beginnings and ends at
// : / @ = # +, whole ARNs wherever they stand, the quoted strings of a line,
// and what follows "key: ", "key = " or the dash of a list on it. At most max; 0 means no bound.
// The work is linear in the text.
func Tokens(text string, max int) []string {
	seen := make(map[string]struct{}, min(len(text)/16, 1<<14))
	var found []string
	Each(text, func(t Token) bool {
		if _, dup := seen[t.Text]; !dup {
			seen[t.Text] = struct{}{}
			found = append(found, t.Text)
		}
		return max <= 0 || len(found) < max
	})
	return found
}

// Each calls f with the candidates of a text wherever they stand, line by line,
// until it is false. See Tokens.
func Each(text string, f func(Token) bool) {
	var c cutter
	for start := 0; start < len(text); {
		end := start + lineEnd(text[start:])
		if !c.line(text, start, end, f) {
			break
		}
		start = end + 1
	}
}

// At returns the candidates around a byte offset of a line, longest first: those
// of Tokens whose bytes, or the place right after them, hold the offset. Only the
// surroundings of the offset are read, however long the line is.
func At(line string, offset int) []Token {
	if offset < 0 || offset > len(line) {
		return nil
	}
	lo, hi, whole := window(line, offset)
	var found []Token
	add := func(start, end int) {
		t := Token{line[start:end], start, end}
		if start <= offset && offset <= end && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	var c cutter
	if s, e := runAround(line, offset); s < e {
		c.run(line, s, e, func(s, e int) bool { add(s, e); return true })
	}
	if s, e := runAround(line, offset-1); s < e && e == offset {
		c.run(line, s, e, func(s, e int) bool { add(s, e); return true })
	}
	for _, q := range quotes {
		open := lastQuote(line, lo, offset, q)
		shut := nextQuote(line, offset, hi, q)
		if open >= 0 && shut >= 0 {
			c.quoted(line, open+1, shut, add)
		}
	}
	if whole && hi-lo <= maxIdentifier {
		c.value(line, lo, hi, add)
	}
	slices.SortStableFunc(found, func(a, b Token) int {
		if d := len(b.Text) - len(a.Text); d != 0 {
			return d
		}
		return a.Start - b.Start
	})
	return found
}

// What a byte is to a run.
const (
	other byte = iota
	letter
	joint     // - _ .
	separator // : / @ = # +
	wide      // part of a rune beyond ASCII
)

// classes is what each byte is.
var classes = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= utf8.RuneSelf:
			t[c] = wide
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			t[c] = letter
		case strings.IndexByte("-_.", byte(c)) >= 0:
			t[c] = joint
		case strings.IndexByte(":/@=#+", byte(c)) >= 0:
			t[c] = separator
		}
	}
	return t
}()

func class(c byte) byte { return classes[c] }

func isSeparator(c byte) bool { return class(c) == separator }

// inRun says whether a rune beyond ASCII belongs to a run.
func inRun(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// lineEnd is the length of a text's first line.
func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// runEnd is where the run at the beginning of s[from:to] ends; from if there is none.
func runEnd(s string, from, to int) int {
	i := from
	for i < to {
		switch class(s[i]) {
		case other:
			return i
		case wide:
			r, n := utf8.DecodeRuneInString(s[i:to])
			if !inRun(r) {
				return i
			}
			i += n
		default:
			i++
		}
	}
	return i
}

// runAround is the run that holds the byte at an offset. Of a longer one, only
// maxIdentifier+1 bytes to each side are read.
func runAround(s string, offset int) (start, end int) {
	if offset < 0 || offset >= len(s) {
		return 0, 0
	}
	for offset > 0 && !utf8.RuneStart(s[offset]) {
		offset--
	}
	end = runEnd(s, offset, min(len(s), offset+maxIdentifier+1))
	if end == offset {
		return 0, 0
	}
	start = offset
	for start > 0 && offset-start <= maxIdentifier {
		r, n := utf8.DecodeLastRuneInString(s[:start])
		if r < utf8.RuneSelf && class(byte(r)) == other || r >= utf8.RuneSelf && !inRun(r) {
			break
		}
		start -= n
	}
	return start, end
}

// window is the line around an offset, at most maxIdentifier bytes to each
// side; whole says whether that is all of it.
func window(s string, offset int) (lo, hi int, whole bool) {
	lo = max(0, offset-maxIdentifier)
	if i := strings.LastIndexByte(s[lo:offset], '\n'); i >= 0 {
		lo += i + 1
	}
	hi = min(len(s), offset+maxIdentifier)
	hi = offset + lineEnd(s[offset:hi])
	return lo, hi, (lo == 0 || s[lo-1] == '\n') && (hi == len(s) || s[hi] == '\n')
}

// cutter cuts lines and runs into candidates.
type cutter struct {
	starts, ends [maxParts]int
	ns, ne       int
}

// line cuts one line. It stops, and is false, once add is.
func (c *cutter) line(text string, start, end int, add func(Token) bool) bool {
	more := true
	emit := func(s, e int) bool {
		more = more && add(Token{text[s:e], s, e})
		return more
	}
	emitAll := func(s, e int) { emit(s, e) }
	var last [len(quotes)]int
	for i := range last {
		last[i] = -1
	}
	for i := start; i < end && more; {
		switch ch := text[i]; class(ch) {
		case other:
			for n, q := range quotes {
				if ch == q && isQuote(text, i) {
					if last[n] >= 0 {
						c.quoted(text, last[n]+1, i, emitAll)
					}
					last[n] = i
				}
			}
			i++
		default:
			e := runEnd(text, i, end)
			if e == i {
				_, n := utf8.DecodeRuneInString(text[i:end])
				i += n
				continue
			}
			c.run(text, i, e, emit)
			i = e
		}
	}
	if more && end-start <= maxIdentifier {
		c.value(text, start, end, emitAll)
	}
	return more
}

// quotes are what quotes names.
var quotes = [...]byte{'"', '\'', '`'}

// isQuote tells a quote from an apostrophe.
func isQuote(s string, i int) bool {
	return s[i] != '\'' || i == 0 || i == len(s)-1 || class(s[i-1]) == other || class(s[i-1]) == separator ||
		class(s[i+1]) == other
}

func lastQuote(s string, lo, before int, q byte) int {
	for i := before - 1; i >= lo; i-- {
		if s[i] == q && isQuote(s, i) {
			return i
		}
	}
	return -1
}

func nextQuote(s string, from, hi int, q byte) int {
	for i := from; i < hi; i++ {
		if s[i] == q && isQuote(s, i) {
			return i
		}
	}
	return -1
}

// quoted emits what stands between two quotes, unless runs give it anyway.
// What stands between two strings begins or ends with a space or punctuation.
func (c *cutter) quoted(s string, start, end int, emit func(start, end int)) {
	if end > start && s[end-1] == '\\' { // \"…\" inside a string
		end--
	}
	if end-start < 2 || end-start > maxQuoted {
		return
	}
	if strings.IndexByte(" \t,:=;", s[start]) >= 0 || strings.IndexByte(" \t,:=;", s[end-1]) >= 0 {
		return
	}
	if runEnd(s, start, end) < end && named(s[start:end]) {
		emit(start, end)
	}
}

// value emits what follows the first "key: " or "key = " of a line, or the dash
// of a list, unquoted.
func (c *cutter) value(s string, lo, hi int, emit func(start, end int)) {
	line := s[lo:hi]
	i := strings.Index(line, ": ")
	if j := strings.Index(line, "= "); j >= 0 && (i < 0 || j < i) {
		i = j
	}
	if i < 0 {
		if i = strings.Index(line, "- "); i < 0 || strings.Trim(line[:i], " \t") != "" {
			return
		}
	}
	start, end := lo+i+2, hi
	for start < end && (s[start] == ' ' || s[start] == '\t') {
		start++
	}
	if j := strings.Index(s[start:end], " #"); j >= 0 {
		end = start + j
	}
	for end > start && strings.IndexByte(" \t\r,;", s[end-1]) >= 0 {
		end--
	}
	if end-start < 2 || end-start > maxQuoted || strings.IndexByte("\"'`[{|>&*!$(", s[start]) >= 0 {
		return
	}
	if runEnd(s, start, end) < end && named(s[start:end]) {
		emit(start, end)
	}
}

// named says whether a candidate has a letter or digit at all.
func named(s string) bool {
	for i := 0; i < len(s); i++ {
		if k := class(s[i]); k == letter || k == wide {
			return true
		}
	}
	return false
}

// run emits the candidates of the run s[start:end] until emit is false.
func (c *cutter) run(s string, start, end int, emit func(start, end int) bool) {
	if end-start > maxIdentifier {
		c.parts(s, start, end, emit)
		return
	}
	if end-start < 2 {
		return
	}
	escape := escapeOf(s, start, end)
	plain := class(s[start]) == letter && class(s[end-1]) == letter && escape == 0
	for i := start + 1; plain && i < end-1; i++ {
		plain = class(s[i]) <= joint
	}
	if plain && !strings.Contains(s[start:end], awsHost) {
		emit(start, end)
		return
	}
	if !named(s[start:end]) {
		return
	}
	c.ns, c.ne = 0, 0
	arns, fits := c.places(s, start, end, escape)
	if !fits {
		if emit(start, end) {
			c.parts(s, start, end, emit)
		}
		return
	}
	c.pairs(s, start, end, arns, emit)
}

// parts emits only what stands between separators: of runs too long to name one thing.
func (c *cutter) parts(s string, start, end int, emit func(start, end int) bool) {
	for at := start; at < end; {
		e := at
		for e < end && !isSeparator(s[e]) {
			e++
		}
		if e-at > 1 && e-at <= maxIdentifier && named(s[at:e]) && !emit(at, e) {
			return
		}
		at = e + 1
	}
}

// escapeOf is how many bytes at the beginning of the run s[start:end] may belong
// to an escape that begins before it: the n of \n, the u0022 of \u0022, the 3A of
// a URL's %3A, the 253A of a colon that was encoded twice.
func escapeOf(s string, start, end int) int {
	if start == 0 {
		return 0
	}
	n := 0
	switch run := s[start:end]; {
	case s[start-1] == '\\' && strings.IndexByte("nrtbf", run[0]) >= 0:
		n = 1
	case s[start-1] == '\\' && run[0] == 'u':
		n = 5
	case s[start-1] == '%' && isHex(run):
		if n = 2; run[:2] == "25" && isHex(run[2:]) {
			n = 4
		}
	}
	if n >= end-start {
		return 0
	}
	return n
}

// isHex reports whether a text begins with two hexadecimal digits.
func isHex(s string) bool {
	const digits = "0123456789abcdefABCDEF"
	return len(s) > 1 && strings.IndexByte(digits, s[0]) >= 0 && strings.IndexByte(digits, s[1]) >= 0
}

// places notes where candidates may begin and end; escape is what escapeOf says
// of the run. arns tells, by a bit for each start, where an ARN begins; fits is
// false for too many places.
func (c *cutter) places(s string, start, end, escape int) (arns uint32, fits bool) {
	first, last := start, end
	for first < end && class(s[first]) != letter && class(s[first]) != wide {
		first++
	}
	for last > first && class(s[last-1]) != letter && class(s[last-1]) != wide {
		last--
	}
	fits = true
	begin := func(p int) {
		if c.ns > 0 && c.starts[c.ns-1] == p {
			return
		}
		if fits = fits && c.ns < maxParts; fits {
			c.starts[c.ns] = p
			c.ns++
		}
	}
	finish := func(p int) {
		if c.ne > 0 && c.ends[c.ne-1] == p {
			return
		}
		if fits = fits && c.ne < maxParts; fits {
			c.ends[c.ne] = p
			c.ne++
		}
	}
	begin(start)
	host := start
	aws := strings.Contains(s[start:end], awsHost)
	for p := start; p < end && fits; p++ {
		if p > start+5 && p != first && p+1 != last && class(s[p]) <= joint && class(s[p-1]) <= joint && !aws {
			continue // in the middle of a part
		}
		if escape > 0 && p == start+escape {
			begin(p)
		}
		if p == first || p > start && isSeparator(s[p-1]) && (!isSeparator(s[p]) || leads(s[p-1:end])) {
			begin(p)
			host = p
		}
		if fits && (p == start || p == first || isSeparator(s[p-1])) {
			if rest := arnResource(s[p:end]); rest > 0 {
				// Of the fields before the resource, none names one.
				arns |= 1 << (c.ns - 1)
				p += rest
				if !isSeparator(s[p]) || leads(s[p-1:end]) {
					begin(p)
				}
				continue
			}
		}
		if p > start && isSeparator(s[p]) && !isSeparator(s[p-1]) {
			finish(p)
		}
		if aws && s[p] == '.' && hostEnd(s[p:end], s[host:p]) {
			finish(p)
		}
		if class(s[p]) == wide && p > start && border(s, p) || p > start && class(s[p-1]) == wide && class(s[p]) == letter && border(s, p) {
			begin(p)
			finish(p)
		}
		if p+1 == last && last < end {
			finish(last)
		}
	}
	finish(end)
	slices.Sort(c.ends[:c.ne])
	return arns, fits
}

// awsHost is in the names of AWS endpoints.
const awsHost = ".amazonaws.com"

// leads says whether the second byte of s is a slash that a name begins with,
// as in "log-group:/aws/lambda/web", not one of "://".
func leads(s string) bool {
	return s[1] == '/' && s[0] != '/' && (len(s) == 2 || s[2] != '/')
}

// arnResource is where the resource of an ARN begins, 0 if s is no ARN.
func arnResource(s string) int {
	if len(s) < 8 || !strings.EqualFold(s[:4], "arn:") {
		return 0
	}
	at := 4
	for range 4 {
		i := strings.IndexByte(s[at:], ':')
		if i < 0 || i > 64 || strings.IndexByte(s[at:at+i], '/') >= 0 {
			return 0
		}
		at += i + 1
	}
	if at == len(s) {
		return 0
	}
	return at
}

// hostEnd says whether the name of a bucket or database ends at the dot that
// rest begins with, before being what precedes it in the host name.
func hostEnd(rest, before string) bool {
	if before == "" {
		return false
	}
	if strings.HasPrefix(rest, ".s3.") || strings.HasPrefix(rest, ".s3-") {
		return strings.Contains(rest, awsHost)
	}
	return strings.IndexByte(before, '.') < 0 && strings.Contains(rest, ".rds.amazonaws.com")
}

// border says whether the script changes at p between one that is written
// without spaces and another, as in "停止web-1".
func border(s string, p int) bool {
	if !utf8.RuneStart(s[p]) {
		return false
	}
	before, _ := utf8.DecodeLastRuneInString(s[:p])
	after, _ := utf8.DecodeRuneInString(s[p:])
	return spaceless(before) != spaceless(after)
}

func spaceless(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai)
}

// pairs emits the candidates between the noted places.
func (c *cutter) pairs(s string, start, end int, arns uint32, emit func(start, end int) bool) {
	if !emit(start, end) {
		return
	}
	all := c.ns*c.ne <= maxPairs
	for i, from := range c.starts[:c.ns] {
		nearest := true
		for j, to := range c.ends[:c.ne] {
			if to <= from+1 || from == start && to == end {
				continue
			}
			if to-from > 1 && (all || nearest || i == 0 || j == c.ne-1 || arns&(1<<i) != 0) {
				if isSeparator(s[to-1]) || !named(s[from:to]) {
					continue
				}
				nearest = false
				if !emit(from, to) {
					return
				}
			}
		}
	}
}
