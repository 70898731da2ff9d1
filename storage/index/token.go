package index

// Token is a part of a text that may name a resource.
type Token struct {
	Text string
	// Start and End are byte offsets in the text.
	Start, End int
}

// Tokens returns the distinct candidate tokens of a text: maximal runs and
// their parts. The count is bounded by max; 0 means no bound.
func Tokens(text string, max int) []string { return nil }

// At returns the candidates that cover a byte offset of a line, longest first.
func At(line string, offset int) []Token { return nil }
