package render

import (
	"fmt"
	"time"
)

// Ago says how long ago t was: "just now", "3 min ago", "2 h ago", "5 days ago",
// "never" for the zero time.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return "at " + Clock(t) // a clock is wrong: say what was noted
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// span is a length of time in words, to the second.
func span(d time.Duration) string {
	if d = d.Round(time.Second); d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}

// Clock is a moment in full, the same for readers everywhere.
func Clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// confirmed says when AWS last told of a resource.
func confirmed(t, now time.Time) string {
	if t.IsZero() {
		return "never confirmed"
	}
	return "confirmed " + Ago(t, now)
}
