package executor

import (
	"context"
	"time"
)

// AskTime is how long a person may think about a question.
const AskTime = 5 * time.Minute

// Reading is how long a person needs to see what a card of so many characters
// is about.
func Reading(characters int) time.Duration {
	const least, most, each = time.Second, 3 * time.Second, 500 * time.Microsecond
	return min(most, max(least, least/2+time.Duration(characters)*each))
}

// Question is one card before one person, wherever it is shown: an answer
// counts only once the card could be read, and until the question ends.
type Question struct {
	clock Clock
	// opened and armed are on the clock that nobody sets.
	opened  time.Duration
	reading time.Duration
	ends    instant
}

// Ask opens a question on a card of so many characters.
func (e *Executor) Ask(characters int) Question {
	return e.times.question(characters, e.times.clock.now().add(AskTime))
}

func (t times) question(characters int, ends instant) Question {
	// In whole milliseconds, as clients are told.
	reading := time.Duration(t.reading(characters).Milliseconds()) * time.Millisecond
	return Question{clock: t.clock, opened: t.clock.Boot(), reading: reading, ends: ends}
}

// Reading is how long the whole card has to be seen before an answer counts.
func (q Question) Reading() time.Duration { return q.reading }

// Early reports whether an answer that comes now is taken for type-ahead.
func (q Question) Early() bool { return q.clock.Boot() < q.opened+q.reading }

// Until is a context that ends with the question.
func (q Question) Until(ctx context.Context) (context.Context, context.CancelFunc) {
	return q.clock.until(ctx, q.ends)
}
