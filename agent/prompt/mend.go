package prompt

import (
	"slices"
	"strings"

	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage/kind"
)

// Correction is a word that was read as another.
type Correction struct{ Written, Read string }

// Mend reads misspelt words of questions as what they are a slip away from, such
// as "runing" as "running". known says what else means something: a word of the
// estate is none that was misspelt. No word becomes a verb that acts, and none
// its own opposite: "unavailable" is not "available".
func Mend(ws []Word, known func(string) bool) ([]Word, []Correction) {
	var made []Correction
	out := slices.Clone(ws)
	for i, w := range ws {
		if !w.Plain() || w.Quoted || !letters(w.Lower) || len(w.Lower) < 4 || means(w) || known(w.Text) {
			continue
		}
		if near := nearest(w.Lower); near != "" {
			out[i].Text, out[i].Lower, out[i].Raw = near, near, ""
			made = append(made, Correction{Written: w.Text, Read: near})
		}
	}
	return out, made
}

// means reports whether a word that is none of the grammar's says something.
func means(w Word) bool {
	types, _ := aws.Kinds().Called(w.Lower)
	return types != nil || facetWords[w.Lower] || kind.RegionIn(w.Lower) != "" || Vocabulary(w.Lower) ||
		slices.Contains(slices.Concat(formWords, oldest, newest), w.Lower)
}

// narrowing are the words that say in an answer how they were read; forming are
// those that an answer would drop, so that fewer slips make one.
var (
	narrowing = func() []string {
		var out []string
		for w, c := range classes {
			if c&(Kind|State) != 0 && c&(Action|Unsupported|Negation) == 0 && len(w) > 4 && !strings.HasPrefix(w, "un") {
				out = append(out, w)
			}
		}
		for w := range facetWords {
			out = append(out, w)
		}
		for _, w := range engines {
			if letters(w) && len(w) > 4 {
				out = append(out, w)
			}
		}
		out = append(out, kind.Places()...)
		out = append(out, "production", "staging", "development", "oldest", "newest", "account", "region")
		slices.Sort(out)
		return slices.Compact(out)
	}()
	forming = strings.Fields("which what where show list count many there that have with without tagged")
)

// nearest is the word that another is a slip away from; "" if there is none, or
// more than one that are not forms of each other.
func nearest(word string) string {
	limit := 1
	if len(word) > 8 {
		limit = 2
	}
	best, found := limit+1, ""
	for _, o := range narrowing {
		// Of a short word another letter makes another word.
		if o[0] != word[0] || len(o) < 6 && len(o) == len(word) && !swapped(word, o) {
			continue
		}
		switch d := Distance(word, o, limit); {
		case d < best:
			best, found = d, o
		case d > limit || d > best || found == "":
		case swapped(word, o):
			found = o
		case strings.TrimSuffix(o, "s") != strings.TrimSuffix(found, "s"):
			found = ""
		}
	}
	if best <= limit {
		return found
	}
	for _, o := range forming {
		if Distance(word, o, 1) == 1 && (len(o) != len(word) || swapped(word, o)) {
			return o
		}
	}
	return ""
}

// swapped reports whether texts have the same letters.
func swapped(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return string(x) == string(y)
}

// Slip lists the names of the verbs that a misspelt word could be:
// those that the fewest slips away are. A word of the grammar is no slip, and
// neither is a verb behind a prefix: "unstop" asks for something else.
func Slip(w Word) []string {
	if !w.Plain() || w.Quoted || len(w.Lower) < 4 || !letters(w.Lower) {
		return nil
	}
	limit := 1
	if len(w.Lower) > 5 {
		limit = 2
	}
	best := limit
	var out []string
	for _, v := range kind.Verbs() {
		for _, written := range v.Slips {
			if len(w.Lower) > len(written)+1 && strings.HasSuffix(w.Lower, written) {
				return nil
			}
			switch d := Distance(w.Lower, written, limit); {
			case d < best:
				best, out = d, []string{v.Is}
			case d == best && !slices.Contains(out, v.Is):
				out = append(out, v.Is)
			}
		}
	}
	return out
}

func letters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })
}

// Distance is how many letters must be changed, added, dropped or swapped with
// their neighbour; more than limit is limit+1.
func Distance(a, b string, limit int) int {
	const longest = 64
	if len(a) > longest || len(b) > longest || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][longest + 1]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, prev, older := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], older[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit {
			return limit + 1
		}
	}
	return min(rows[len(a)%3][len(b)], limit+1)
}
