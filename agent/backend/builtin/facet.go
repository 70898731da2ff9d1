package builtin

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// judge says whether a resource has a property, or lacks it, as asked. value is
// what else that tells, such as an address.
func judge(f prompt.Facet, r storage.Resource) (is kind.Answer, value string) {
	k := aws.Kinds().Of(r.Type)
	if k == nil {
		return kind.Unsure, ""
	}
	is, value = k.Has(f.Property, r.View())
	if f.Lacking {
		is = is.Turned()
	}
	return is, value
}

// tagsUnknown reports whether AWS did not let the tags be read.
func tagsUnknown(r storage.Resource) bool {
	unknown, _ := r.Metadata[kind.TagsUnknown].(bool)
	return unknown
}

// said is a property behind "that", of one or of many.
func said(f prompt.Facet, n int) string {
	switch {
	case n == 1 && f.Lacking:
		return f.Lacks
	case n == 1:
		return f.Has
	case f.Lacking:
		return f.Lack
	}
	return f.Have
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

// untagged are the resources that fit but for tags that could not be read.
func (t *turn) untagged(q prompt.Qualifiers) []thing {
	if len(q.Tags) == 0 {
		return nil
	}
	var apart []string
	for _, k := range aws.Kinds().All() {
		if k.TagsApart && (len(q.Types) == 0 || slices.Contains(q.Types, k.Type)) {
			apart = append(apart, k.Type)
		}
	}
	if len(apart) == 0 {
		return nil
	}
	q.Tags, q.Types = nil, apart
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
		verdicts := []kind.Answer{kind.Yes}
		if !read || tags && tagsUnknown(r) || q.Order != "" && r.CreatedAt == nil {
			verdicts = append(verdicts, kind.Unsure)
		}
		for _, f := range q.Facets {
			is, _ := judge(f, r)
			verdicts = append(verdicts, is)
		}
		switch {
		case slices.Contains(verdicts, kind.No):
		case slices.Contains(verdicts, kind.Unsure):
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
		is, value := kind.Unsure, ""
		if read {
			is, value = judge(f, r)
		}
		turned := prompt.Facet{Property: f.Property, Lacking: !f.Lacking}
		switch {
		case is == kind.Yes && value != "" && f.Told != "" && !f.Lacking:
			out = append(out, fmt.Sprintf("%s, %s %s (%s).", placed(th), f.Told, render.Code(value), t.confirmed(th)))
		case is == kind.Yes:
			out = append(out, fmt.Sprintf("Yes: %s, %s (%s).", placed(th), said(f, 1), t.confirmed(th)))
		case is == kind.No:
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
		what = append(what, "whether "+it+" "+said(prompt.Facet{Property: f.Property}, n))
	}
	if q.Order != "" {
		what = append(what, "when "+it+" "+[]string{"was", "were"}[min(n-1, 1)]+" made")
	}
	if len(what) == 0 {
		what = append(what, "the tags")
	}
	return fmt.Sprintf("Of %s cloudops does not know %s: that was not read, and %s not counted here.", count(n, doubtful), enumerate(what, "and"), []string{"it is", "they are"}[min(n-1, 1)])
}
