package builtin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudops/cloudops/storage"
)

// hang is far more than any turn takes; work that grows with the square of the
// prompt or the estate exceeds it.
const hang = time.Minute

// Questions about a large estate are answered, whatever they ask.
func TestLargeEstatesAreAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	var rs []storage.Resource
	for i := range 10000 {
		rs = append(rs, instance(fmt.Sprintf("i-%017x", i), fmt.Sprintf("srv-%05d", i), prod, "us-west-2", "running", "production"))
	}
	c := newChat(t, rs)
	for _, text := range []string{"stop srv-00010", "how many running instances in us-west-2", "stop srv-0001x", "stop all instances", "stop", "overview",
		"stop everything", "list production instances", "stop " + strings.Repeat("srv-0001x, ", 50)} {
		start := time.Now()
		c.ask(t, text)
		if d := time.Since(start); d > hang {
			t.Errorf("%.40q took %v", text, d)
		}
	}
}

// The longest prompts are answered, whatever they hold.
func TestLongPromptsAreAnswered(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	c := newChat(t, estate)
	for _, part := range []string{"stop ", "turn ", "turn please ", "please ", "stop it. ", "stop web-1 and ", "stop nosuch\n", "don't ", "web-2 ", "web-1, ",
		"a ", "\"", "' ", "is web-1 up? ", "stop all ", "banana\n", "1 ", "=", "list instances. ", "if ", "power web-2 ", "describe nosuch. ", "the first ", "http://web-1:1/ "} {
		words := max(1, len(strings.Fields(part)))
		for _, n := range []int{(32 << 10) / len(part), 390 / words} {
			start := time.Now()
			c.ask(t, strings.Repeat(part, n))
			if d := time.Since(start); d > hang {
				t.Errorf("%q %d times took %v", part, n, d)
			}
		}
	}
}
