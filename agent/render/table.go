package render

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Table aligns rows of foreign text under headings, for a terminal. Each row
// has as many cells as there are headings. Cells are never shortened.
func Table(headings []string, rows [][]string) string {
	// Widths must not depend on the reader's locale.
	width := (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth
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
