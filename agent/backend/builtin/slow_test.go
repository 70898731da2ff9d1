package builtin_test

import (
	"strings"
	"testing"
	"time"
)

// The longest prompts are answered at once, whatever they hold.
func TestLongPromptsAreQuick(t *testing.T) {
	c := newChat(t, estate)
	for _, part := range []string{"stop ", "turn ", "turn please ", "please ", "stop it. ", "stop web-1 and ", "stop nosuch\n", "don't ", "web-2 ", "web-1, ",
		"a ", "\"", "' ", "is web-1 up? ", "stop all ", "banana\n", "1 ", "=", "list instances. ", "if ", "power web-2 ", "describe nosuch. ", "the first ", "http://web-1:1/ "} {
		words := max(1, len(strings.Fields(part)))
		for _, n := range []int{(32 << 10) / len(part), 390 / words} {
			start := time.Now()
			c.ask(t, strings.Repeat(part, n))
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("%q %d times took %v", part, n, d)
			}
		}
	}
}
