package prompt

import (
	"strings"

	"github.com/cloudops/cloudops/storage/kind"
)

// Facet is a property that resources have or not, such as being encrypted.
type Facet struct {
	*kind.Property
	// Lacking asks for those that do not have it.
	Lacking bool
}

// wording is one way to ask for a facet.
type wording struct {
	words []string
	Facet
}

// wordings are the ways to ask for facets, by how many words they have; facetWords
// are those of one word.
var wordings, facetWords = func() (all [][]wording, words map[string]bool) {
	words = map[string]bool{}
	add := func(f Facet, phrases []string) {
		for _, p := range phrases {
			ws := strings.Fields(p)
			for len(all) <= len(ws) {
				all = append(all, nil)
			}
			all[len(ws)] = append(all[len(ws)], wording{ws, f})
			if len(ws) == 1 {
				words[p] = true
			}
		}
	}
	for _, p := range kind.Properties() {
		add(Facet{Property: p}, p.Words)
		add(Facet{Property: p, Lacking: true}, p.Not)
	}
	return all, words
}()

// facetAt is the facet that words ask for from a place on, and how many they are.
func facetAt(ws []Word, at int) (Facet, int) {
	for n := min(len(wordings)-1, len(ws)-at); n > 0; n-- {
		for _, w := range wordings[n] {
			if spells(ws[at:at+n], w.words) {
				return w.Facet, n
			}
		}
	}
	return Facet{}, 0
}

// spells reports whether words are these, in one part of a sentence.
func spells(ws []Word, words []string) bool {
	for i, w := range ws {
		if w.Quoted || w.Lower != words[i] || i < len(ws)-1 && w.After != 0 {
			return false
		}
	}
	return true
}
