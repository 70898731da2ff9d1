package prompt

import "strings"

// Facet is a property that resources have or not, such as being encrypted.
type Facet struct {
	// Name is one of the constants below.
	Name string
	// Not asks for those that do not have it.
	Not bool
}

// The facets that questions may ask for.
const (
	Encrypted = "encrypted"
	Public    = "public"
	MultiAZ   = "multi-az"
	Protected = "protected"
	Spot      = "spot"
	Replica   = "replica"
	// HasReplicas is of what a Replica is made of.
	HasReplicas = "has-replicas"
	Versioned   = "versioned"
	Tagged      = "tagged"
)

// wording is one way to ask for a facet.
type wording struct {
	words []string
	Facet
}

// wordings are the ways to ask for facets, by how many words they have.
var wordings, facetWords = facetWordings([]struct {
	name    string
	is, not string
}{
	{Encrypted, "encrypted; encryption enabled; encryption on; encryption at rest; encrypted at rest; storage encryption; encryption",
		"unencrypted; non-encrypted; nonencrypted; unencrypted at rest; encryption disabled; encryption off; encryption turned off"},
	{Public, `public; public ip; public ips; public ip address; public ip addresses; public address; public addresses; public ipv4; public dns;
		publicly accessible; publicly reachable; publicly available; publicly exposed; public access; internet facing; internet-facing; publicly`,
		"private; non-public; nonpublic"},
	{MultiAZ, "multi-az; multi az; multiaz; multi-zone; multiple zones; multiple availability zones", "single-az; single az"},
	{Protected, `protected; protection; deletion protected; deletion-protected; deletion protection; delete protection; termination protected;
		termination protection; protected from deletion; protected against deletion; protected from termination; stop protection`,
		"unprotected; non-protected"},
	{Spot, "spot", "on-demand; on demand; ondemand"},
	{Replica, "read replica; read replicas; replica; replicas", ""},
	{Versioned, "versioned; versioning enabled; versioning on; versioning", "unversioned; versioning disabled; versioning off; versioning suspended"},
	{Tagged, "", "untagged"},
})

func facetWordings(table []struct{ name, is, not string }) (all [][]wording, words map[string]bool) {
	words = map[string]bool{}
	all = make([][]wording, 5)
	for _, f := range table {
		for i, list := range [...]string{f.is, f.not} {
			for phrase := range strings.SplitSeq(list, ";") {
				ws := strings.Fields(phrase)
				if len(ws) == 0 {
					continue
				}
				all[len(ws)] = append(all[len(ws)], wording{ws, Facet{Name: f.name, Not: i == 1}})
				if len(ws) == 1 {
					words[ws[0]] = true
				}
			}
		}
	}
	return all, words
}

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
