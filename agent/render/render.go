// Package render puts resources, plans and replies into words: it holds the
// one escaping function per surface, and nothing else may show foreign text.
//
// Foreign text is everything that AWS, a document, a model or a person other
// than the reader wrote. Command links, HTML, control and escape sequences,
// bidirectional and zero-width characters and newlines lose their power; ids
// are never shortened.
//
// What a surface cannot show safely is shown as a mark: a control picture such
// as ␤ and ␛, \u{202e} for a character that nobody would see, \xff for a byte
// that is no text.
package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks a character may bear; more would be
// drawn over other lines.
const maxMarks = 4

// hidden says whether a character has no look of its own: controls, format,
// bidirectional and zero-width characters, separators other than the space,
// variation selectors, fillers, private and unassigned characters.
func hidden(r rune) bool {
	if ' ' <= r && r < 0x7f {
		return false
	}
	return !unicode.IsPrint(r) || r == '\u2800' ||
		unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// visible turns foreign text into one line of characters that can be seen.
func visible(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	marks := maxMarks // one at the start would land on what stands before
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		mark := unicode.IsMark(r)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteRune('␤')
		case r < ' ':
			b.WriteRune('␀' + r)
		case r == 0x7f:
			b.WriteRune('␡')
		case hidden(r), mark && marks == maxMarks:
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
		switch {
		case !mark:
			marks = 0
		case marks < maxMarks:
			marks++
		}
	}
	return b.String()
}

// Plain makes foreign text safe for one line of a page that takes text as text.
func Plain(s string) string { return visible(s) }

// Terminal makes foreign text safe for one line of a terminal.
func Terminal(s string) string { return visible(s) }

// TerminalBlock makes foreign text of several lines safe for a terminal. Tabs
// become spaces.
func TerminalBlock(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(strings.ReplaceAll(strings.TrimSuffix(l, "\r"), "\t", "    "))
	}
	return strings.Join(lines, "\n")
}

// Notification makes foreign text safe for a window/showMessage line. Editors
// make links of [text](target) there, so the two are moved apart.
func Notification(s string) string {
	return strings.ReplaceAll(visible(s), "](", "] (")
}

// Markdown escapes foreign text for Markdown prose, wherever in a line it is
// put: a reader of Markdown sees the text and nothing else. What is harmless
// where it stands stays bare, since some editors show the backslashes.
func Markdown(s string) string {
	s = visible(s)
	var b strings.Builder
	b.Grow(len(s) + 8)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' '):
			b.WriteString("&#160;") // indentation, line break, or lost
		case isPunctuation(c) && !bare(s, i):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// bare reports whether punctuation means nothing to Markdown where it stands.
// Brackets are always escaped, so that parentheses enclose no target.
func bare(s string, i int) bool {
	inWord := i > 0 && i < len(s)-1 && isWord(s[i-1]) && isWord(s[i+1])
	switch s[i] {
	case ',', ';', '?', '%', '"', '\'':
		return true
	case '(':
		return i > 0
	case ')':
		return strings.Trim(s[:i], " 0123456789") != "" // 1) begins a list
	case '-', '_':
		return inWord
	case '.': // www. begins a link, 1. a list
		return inWord && !strings.HasSuffix(strings.ToLower(s[:i]), "www")
	case ':': // :// makes a link, and some make pictures of :words:
		return i > 0 && i < len(s)-1 && s[i+1] == ' '
	case '/':
		return inWord
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isPunctuation(c byte) bool { return ' ' < c && c < 0x7f && !isWord(c) }

// Code is foreign text as a Markdown code span. Its fence is longer than any
// run of backticks in the text.
func Code(s string) string {
	s = visible(s)
	if strings.IndexByte(s, '`') < 0 && strings.Trim(s, " ") == s && s != "" {
		return "`" + s + "`"
	}
	longest, run := 0, 0
	for i := 0; i < len(s); i++ {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	switch {
	case strings.Trim(s, " ") == "":
		s = strings.Repeat("\u00a0", max(1, len(s))) // or it would be no span
	case s[0] == '`', s[len(s)-1] == '`', s[0] == ' ' && s[len(s)-1] == ' ':
		s = " " + s + " " // which is taken off again
	}
	return fence + s + fence
}

// JSON escapes, in an encoded JSON text, what could disturb a terminal. The
// text means the same as before.
func JSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		c := b[i]
		if ' ' <= c && c < 0x7f || c == '\n' || c == '\t' || c == '\r' {
			out = append(out, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		i += n
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// TerminalMarkdown shows Markdown that this program wrote, with foreign text
// escaped in it, on a terminal: without the escapes, in lines.
func TerminalMarkdown(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch rest := s[i:]; {
		case rest[0] == '\\' && len(rest) > 1 && isPunctuation(rest[1]):
			b.WriteByte(rest[1])
			i += 2
		case strings.HasPrefix(rest, "&#160;"):
			b.WriteByte(' ')
			i += len("&#160;")
		case strings.HasPrefix(rest, "**"):
			i += 2
		case rest[0] == '`':
			fence := len(rest) - len(strings.TrimLeft(rest, "`"))
			text, _, found := strings.Cut(rest[fence:], rest[:fence])
			if !found {
				b.WriteString(rest[:fence])
				i += fence
				continue
			}
			i += 2*fence + len(text)
			if n := len(text); n > 2 && text[0] == ' ' && text[n-1] == ' ' {
				text = text[1 : n-1]
			}
			b.WriteString(strings.ReplaceAll(text, "\u00a0", " "))
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return TerminalBlock(b.String())
}
