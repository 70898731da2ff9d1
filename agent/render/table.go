package render

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// width is how many columns a text takes; it must not depend on the reader's locale.
func width(s string) int {
	return (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(s)
}

// wrap breaks a line at its spaces so that no line is longer than columns; all
// but the first are indented. What has no spaces stays whole; columns that are
// too few to wrap in leave it all as it is.
func wrap(s string, columns, indent int) string {
	const least = 20
	if columns < indent+least {
		return s
	}
	var b strings.Builder
	at := indent
	for i, word := range strings.Split(s, " ") {
		w := width(word)
		switch {
		case i == 0:
		case at+1+w > columns:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += w
	}
	return b.String()
}

// Rows is how many rows of a terminal of that many columns a text takes.
func Rows(text string, columns int) int {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if columns > 0 {
			n += max(0, width(line)-1) / columns
		}
	}
	return n
}

// Table aligns rows of foreign text under headings, for a terminal. Each row
// has as many cells as there are headings. Cells are never shortened.
func Table(headings []string, rows [][]string) string {
	all := append([][]string{headings}, rows...)
	widths := make([]int, len(headings))
	for r, row := range all {
		cells := make([]string, len(headings))
		for i := range cells {
			if i < len(row) {
				cells[i] = Terminal(row[i])
			}
			widths[i] = max(widths[i], width(cells[i]))
		}
		all[r] = cells
	}
	var b strings.Builder
	for _, cells := range all {
		var line strings.Builder
		for i, c := range cells {
			line.WriteString(c)
			if i < len(cells)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-width(c)+2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
