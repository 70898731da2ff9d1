package prompt

import (
	"cmp"
	"net"
	"slices"
	"strings"
)

// Span is a run of words, from From up to To, that names something.
type Span struct {
	From, To int
	// Name is what was looked up.
	Name string
}

// longest is the most words an unquoted name is taken to have.
const longest = 6

// Candidates lists the distinct texts of a prompt that could name a resource.
func Candidates(ws []Word) []string {
	var out []string
	seen := map[string]bool{}
	each(ws, func(s Span) bool {
		if !seen[s.Name] {
			seen[s.Name] = true
			out = append(out, s.Name)
		}
		return false
	})
	return out
}

// Names finds the names in a prompt, the longest first from the left; known
// says whether a candidate is one.
func Names(ws []Word, known func(name string) bool) []Span {
	var out []Span
	each(ws, func(s Span) bool {
		if !known(s.Name) {
			return false
		}
		out = append(out, s)
		return true
	})
	return out
}

// each yields candidate spans; when take says yes, it goes on behind the span.
func each(ws []Word, take func(Span) bool) {
	for i := 0; i < len(ws); {
		next := i + 1
		for n := min(longest, len(ws)-i); n >= 1; n-- {
			if slices.ContainsFunc(candidates(ws, i, i+n), func(name string) bool { return take(Span{From: i, To: i + n, Name: name}) }) {
				next = i + n
				break
			}
			if n == 1 {
				if host, ok := hostOf(ws[i]); ok && take(Span{From: i, To: i + 1, Name: host}) {
					break
				}
			}
		}
		i = next
	}
}

// never are the classes that no unquoted name may hold: whoever names a
// resource must not be able to hide them.
const never = Action | ActionForm | Negation | Condition | Question | Pronoun | Conjunction | Quantifier | Reason | Cancel

// candidates are the names that a span may be: as it was written first, since
// "O'Brien's box" has its apostrophes, and then without what grammar adds.
func candidates(ws []Word, from, to int) []string {
	name, ok := candidate(ws, from, to)
	if !ok {
		return nil
	}
	written, straight := name, name
	if slices.ContainsFunc(ws[from:to], func(w Word) bool { return w.Raw != "" }) {
		var raw []string
		for _, w := range ws[from:to] {
			raw = append(raw, cmp.Or(w.Raw, w.Text))
		}
		written = strings.Join(raw, " ")
		straight = ordinary.Replace(written)
	}
	return slices.Compact([]string{written, straight, name})
}

// candidate joins the words of a span, if they may be a name.
func candidate(ws []Word, from, to int) (string, bool) {
	if to-from == 1 {
		w := ws[from]
		if to < len(ws) && ws[to].Start == w.Start || from > 0 && ws[from-1].Start == w.Start {
			return "", false // half a contraction
		}
		return w.Text, w.Plain() || objectPosition(ws, from)
	}
	plain := false
	var b strings.Builder
	for i := from; i < to; i++ {
		w := ws[i]
		if w.Quoted || w.Is(never) || i < to-1 && w.After != 0 {
			return "", false
		}
		plain = plain || w.Plain()
		if i > from {
			b.WriteByte(' ')
		}
		b.WriteString(w.Text)
	}
	return b.String(), plain
}

// objectPosition reports whether a word such as "backup" stands where only a
// name makes sense: right behind a verb, at the end of its clause.
func objectPosition(ws []Word, i int) bool {
	if i == 0 || !ws[i].Is(Unsupported) || ws[i].Is(never|Kind|Noun|Polite) || ws[i-1].After != 0 {
		return false
	}
	before := ws[i-1]
	if before.Is(Article) && i > 1 && ws[i-2].After == 0 {
		before = ws[i-2]
	}
	if !before.Is(Action|Ask) || before.Is(Negation) {
		return false
	}
	return i == len(ws)-1 || ws[i].After != 0 || ws[i+1].Is(Conjunction|Preposition|Kind|Polite)
}

// hostOf is the host of an address with a scheme or a port.
func hostOf(w Word) (string, bool) {
	if w.Quoted || len(w.Text) > 512 {
		return "", false
	}
	t := w.Text
	if _, rest, ok := strings.Cut(t, "://"); ok {
		t, _, _ = strings.Cut(rest, "/")
	}
	if host, port, err := net.SplitHostPort(t); err == nil && port != "" && strings.Trim(port, "0123456789") == "" {
		t = host
	}
	return t, t != "" && t != w.Text
}

// Quote writes a name so that Split gives it back as one word that can only be
// a name; ok is false when no quotes can hold it.
func Quote(name string) (quoted string, ok bool) {
	ws := Split(name)
	if len(ws) == 1 && ws[0].Plain() && ws[0].Text == name {
		return name, true
	}
	for _, q := range []string{`"`, "`", "'"} {
		if ws := Split(q + name + q); len(ws) == 1 && ws[0].Quoted && ws[0].Text == name {
			return q + name + q, true
		}
	}
	return "", false
}
