package engine

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// Sample is how long something took, many times.
type Sample []time.Duration

func (s *Sample) Time(f func()) {
	start := time.Now()
	f()
	*s = append(*s, time.Since(start))
}

func (s Sample) Median() time.Duration { return slices.Sorted(slices.Values(s))[len(s)/2] }

func (s Sample) Sum() (all time.Duration) {
	for _, d := range s {
		all += d
	}
	return all
}

// Ratios is what people read; the same figures are metrics for tools.
type Ratios struct {
	b *testing.B
	w *tabwriter.Writer
}

func NewRatios(b *testing.B, columns ...string) Ratios {
	r := Ratios{b, tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintf(r.w, "\n%s\t\n", strings.Join(columns, "\t"))
	b.ReportMetric(0, "ns/op")
	return r
}

// Line compares two times.
func (r Ratios) Line(name string, ours, theirs time.Duration, budget string) {
	x := float64(ours) / float64(max(theirs, 1))
	r.Row(name, ours.Round(time.Microsecond), theirs.Round(time.Microsecond), fmt.Sprintf("%.2fx", x), budget)
	r.b.ReportMetric(x, "x-"+strings.NewReplacer(" ", "-", ",", "").Replace(name))
}

func (r Ratios) Row(cells ...any) {
	for _, c := range cells {
		fmt.Fprintf(r.w, "%v\t", c)
	}
	fmt.Fprintln(r.w)
}

func (r Ratios) Print() { r.w.Flush() }
