package builtin

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/storage"
)

// facet is how a property is said, and read from what is stored of a type.
type facet struct {
	// have and lack follow "they", has and lacks "it".
	have, lack, has, lacks string
	of                     map[string]func(storage.Resource) verdict
}

// verdict is whether a resource has a property, as far as is known.
type verdict int

const (
	unsure verdict = iota
	yes
	no
)

func judged(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// flag reads a property that the API tells as true or false, where it told it.
func flag(key string) func(storage.Resource) verdict {
	return func(r storage.Resource) verdict {
		for _, m := range []map[string]any{r.Metadata, r.Constraints} {
			if b, told := m[key].(bool); told {
				return judged(b)
			}
		}
		return unsure
	}
}

// text reads a property that is there or not.
func text(key string) func(storage.Resource) verdict {
	return func(r storage.Resource) verdict { s, _ := r.Metadata[key].(string); return judged(s != "") }
}

func tagged(r storage.Resource) verdict {
	if tagsUnknown(r) {
		return unsure
	}
	return judged(len(r.Tags) > 0)
}

// tagsUnknown reports whether AWS did not let the tags be read.
func tagsUnknown(r storage.Resource) bool {
	unknown, _ := r.Metadata["tags_unknown"].(bool)
	return unknown
}

// facets are the properties that questions may ask for.
var facets = map[string]facet{
	prompt.Encrypted: {"are encrypted", "are not encrypted", "is encrypted", "is not encrypted", map[string]func(storage.Resource) verdict{
		"rds_instance": flag("storage_encrypted"), "rds_cluster": flag("storage_encrypted"),
	}},
	prompt.Public: {"have a public address", "have no public address", "has a public address", "has no public address", map[string]func(storage.Resource) verdict{
		"ec2_instance": text("public_ip"), "rds_instance": flag("publicly_accessible"), "rds_cluster": flag("publicly_accessible"),
	}},
	prompt.MultiAZ: {"are Multi-AZ", "are not Multi-AZ", "is Multi-AZ", "is not Multi-AZ", map[string]func(storage.Resource) verdict{
		"rds_instance": flag("multi_az"), "rds_cluster": flag("multi_az"),
	}},
	prompt.Protected: {"are protected from deletion or termination", "are not protected from deletion or termination",
		"is protected from deletion or termination", "is not protected from deletion or termination", map[string]func(storage.Resource) verdict{
			"rds_instance": flag("deletion_protection"), "rds_cluster": flag("deletion_protection"), "ec2_instance": flag("termination_protection"),
		}},
	prompt.Spot: {"are spot instances", "are not spot instances", "is a spot instance", "is no spot instance", map[string]func(storage.Resource) verdict{
		"ec2_instance": func(r storage.Resource) verdict { return judged(r.Metadata["lifecycle"] == "spot") },
	}},
	prompt.Replica: {"are read replicas", "are not read replicas", "is a read replica", "is no read replica", map[string]func(storage.Resource) verdict{
		"rds_instance": flag("is_read_replica"), "rds_cluster": flag("is_read_replica"),
	}},
	prompt.HasReplicas: {"have read replicas", "have no read replicas", "has read replicas", "has no read replicas", map[string]func(storage.Resource) verdict{
		"rds_instance": flag("has_read_replicas"), "rds_cluster": flag("has_read_replicas"),
	}},
	prompt.Versioned: {"keep versions", "keep no versions", "keeps versions", "keeps no versions", map[string]func(storage.Resource) verdict{
		"s3_bucket": func(r storage.Resource) verdict {
			state, known := r.Metadata["versioning"].(string)
			if !known {
				return unsure
			}
			return judged(state == "enabled")
		},
	}},
	prompt.Tagged: {"have tags", "have no tags", "has tags", "has no tags", map[string]func(storage.Resource) verdict{
		"ec2_instance": tagged, "rds_instance": tagged, "rds_cluster": tagged, "s3_bucket": tagged,
	}},
}

// judge says whether a resource has a property.
func judge(f prompt.Facet, r storage.Resource) verdict {
	of := facets[f.Name].of[r.Type]
	if of == nil {
		return unsure
	}
	v := of(r)
	switch {
	case v == unsure || !f.Not:
		return v
	case v == yes:
		return no
	}
	return yes
}

// said is a property behind "that", of one or of many.
func said(f prompt.Facet, n int) string {
	of := facets[f.Name]
	switch {
	case n == 1 && f.Not:
		return of.lacks
	case n == 1:
		return of.has
	case f.Not:
		return of.lack
	}
	return of.have
}

// search lists what a description fits, in a stable order.
func (t *turn) search(q prompt.Qualifiers) []thing {
	fit, _ := t.sift(q)
	return fit
}

// sift lists what a description fits, and what it may fit, for all that is known.
func (t *turn) sift(q prompt.Qualifiers) (fit, doubtful []thing) {
	q, _ = t.placed(q)
	types := q.Types
	if len(types) == 0 {
		types = []string{""}
	}
	var out []storage.Record
	for _, typ := range types {
		f := filter(q)
		f.Type = typ
		rs, _ := t.estate.Search("", f, math.MaxInt32)
		out = append(out, slices.DeleteFunc(rs, func(r storage.Record) bool { return !q.Match(r) })...)
	}
	out = q.Closest(out)
	slices.SortFunc(out, func(x, y storage.Record) int {
		return cmp.Or(strings.Compare(x.Type, y.Type), strings.Compare(x.AccountID, y.AccountID),
			strings.Compare(x.Region, y.Region), strings.Compare(x.Name, y.Name), strings.Compare(x.ID, y.ID))
	})
	fit = t.things(out)
	if q.Whole() {
		fit, doubtful = t.weigh(q, fit)
	}
	return fit, append(doubtful, t.untagged(q)...)
}

// tagsApart is the type whose tags are read apart, so that they can be unknown.
const tagsApart = "s3_bucket"

// untagged are the resources that fit but for tags that could not be read.
func (t *turn) untagged(q prompt.Qualifiers) []thing {
	if len(q.Tags) == 0 || len(q.Types) > 0 && !slices.Contains(q.Types, tagsApart) {
		return nil
	}
	q.Tags, q.Types = nil, []string{tagsApart}
	fit, _ := t.sift(q)
	whole := t.whole(fit)
	return slices.DeleteFunc(fit, func(th thing) bool { return !tagsUnknown(whole[th.Canonical()]) })
}

func filter(q prompt.Qualifiers) storage.Filter {
	var f storage.Filter
	if len(q.Regions) == 1 {
		f.Region = q.Regions[0]
	}
	if len(q.Accounts) == 1 {
		f.AccountID = q.Accounts[0]
	}
	return f
}

// weigh reads whole resources for what their records don't tell.
func (t *turn) weigh(q prompt.Qualifiers, ths []thing) (fit, doubtful []thing) {
	whole := t.whole(ths)
	tags := slices.ContainsFunc(q.Not, func(n prompt.Qualifiers) bool { return len(n.Tags) > 0 })
	for _, th := range ths {
		r, read := whole[th.Canonical()]
		verdicts := []verdict{yes}
		if !read || tags && tagsUnknown(r) || q.Order != "" && r.CreatedAt == nil {
			verdicts = append(verdicts, unsure)
		}
		for _, f := range q.Facets {
			verdicts = append(verdicts, judge(f, r))
		}
		switch {
		case slices.Contains(verdicts, no):
		case slices.Contains(verdicts, unsure):
			doubtful = append(doubtful, th)
		default:
			if q.Order != "" {
				th.made = *r.CreatedAt
			}
			fit = append(fit, th)
		}
	}
	if q.Order == "" {
		return fit, doubtful
	}
	slices.SortStableFunc(fit, func(x, y thing) int {
		if q.Order == prompt.Newest {
			x, y = y, x
		}
		return x.made.Compare(y.made)
	})
	most := q.Most
	if most == 0 && !q.Plural {
		most = 1
	}
	if most > 0 {
		fit = fit[:min(len(fit), most)]
	}
	return fit, doubtful
}

// whole reads all that is stored of resources, by their canonical keys; what
// can't be read is left out.
func (t *turn) whole(ths []thing) map[string]storage.Resource {
	const few = 50
	out := map[string]storage.Resource{}
	if len(ths) <= few {
		for _, th := range ths {
			if r, err := t.estate.Get(t.ctx, th.Key); err == nil {
				out[th.Canonical()] = r
			}
		}
		return out
	}
	types := map[string]bool{}
	for _, th := range ths {
		types[th.Type] = true
	}
	for typ := range types {
		rs, _ := t.estate.ByType(t.ctx, typ)
		for _, r := range rs {
			out[r.Key().Canonical()] = r
		}
	}
	return out
}

// property answers whether named resources have a property, or lack it, as asked.
func (t *turn) property(f prompt.Facet, ths []thing) string {
	whole := t.whole(ths)
	var out []string
	for _, th := range ths[:min(len(ths), mostChoices)] {
		r, read := whole[th.Canonical()]
		v := unsure
		if read {
			v = judge(f, r)
		}
		turned := prompt.Facet{Name: f.Name, Not: !f.Not}
		switch {
		case v == yes && f.Name == prompt.Public && !f.Not && r.Metadata["public_ip"] != nil:
			out = append(out, fmt.Sprintf("%s, has the public address %s (%s).", placed(th), render.Code(fmt.Sprint(r.Metadata["public_ip"])), t.confirmed(th)))
		case v == yes:
			out = append(out, fmt.Sprintf("Yes: %s, %s (%s).", placed(th), said(f, 1), t.confirmed(th)))
		case v == no:
			out = append(out, fmt.Sprintf("No: %s, %s (%s).", placed(th), said(turned, 1), t.confirmed(th)))
		default:
			out = append(out, fmt.Sprintf("Whether %s %s is not known: it was not read.", called(th), said(f, 1)))
		}
	}
	return strings.Join(out, "\n\n")
}

// doubt says of what a list could not tell whether it fits; "" for nothing.
func (t *turn) doubt(q prompt.Qualifiers, doubtful []thing) string {
	if len(doubtful) == 0 {
		return ""
	}
	n := len(doubtful)
	it := []string{"it", "they"}[min(n-1, 1)]
	var what []string
	for _, f := range q.Facets {
		what = append(what, "whether "+it+" "+said(prompt.Facet{Name: f.Name}, n))
	}
	if q.Order != "" {
		what = append(what, "when "+it+" "+[]string{"was", "were"}[min(n-1, 1)]+" made")
	}
	if len(what) == 0 {
		what = append(what, "the tags")
	}
	return fmt.Sprintf("Of %s cloudops does not know %s: that was not read, and %s not counted here.", count(n, doubtful), enumerate(what, "and"), []string{"it is", "they are"}[min(n-1, 1)])
}
