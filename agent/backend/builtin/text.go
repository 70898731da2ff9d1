package builtin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/scanner/aws"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

// noun is a type in words, not escaped.
func noun(typ string, n int) string {
	label := aws.Kinds().Label(typ)
	if n == 1 {
		return label.One
	}
	return label.Many
}

func aKind(typ string) string { return render.Markdown(aws.Kinds().Label(typ).Article()) }

// typesThat lists types in words, not more than can be read at once.
func typesThat(are func(*kind.Kind) bool) string {
	const most = 12
	var out []string
	for _, k := range aws.Kinds().All() {
		if are(k) {
			out = append(out, render.Markdown(k.Label.Many))
		}
	}
	if n := len(out) - most; n > 0 {
		out = append(out[:most], fmt.Sprintf("%d more types", n))
	}
	return enumerate(out, "and")
}

// title is the name of a verb at the beginning of a line.
func title(verb string) string {
	if v := kind.VerbNamed(verb); v != nil {
		return v.Title()
	}
	return verb
}

// participle is what the verb of that name was done to: stopped.
func participle(verb string) string {
	if v := kind.VerbNamed(verb); v != nil {
		return v.Past
	}
	return verb
}

func stateOf(th thing) string {
	if th.State == "" {
		return "state unknown"
	}
	return th.State
}

func account(th thing) string {
	if th.AccountName == "" || th.AccountName == th.AccountID {
		return "account " + th.AccountID
	}
	return fmt.Sprintf("account %s (%s)", th.AccountID, th.AccountName)
}

// accountMarkdown is the same as Markdown.
func accountMarkdown(th thing) string {
	if th.AccountName == "" || th.AccountName == th.AccountID {
		return "account " + render.Markdown(th.AccountID)
	}
	return fmt.Sprintf("account %s (%s)", render.Markdown(th.AccountID), render.Markdown(th.AccountName))
}

func region(th thing) string {
	if th.Region == "" {
		return "no region"
	}
	return th.Region
}

// label is a resource in plain text.
func label(th thing) string {
	id := th.ID
	if th.Name != "" && th.Name != th.ID {
		id = fmt.Sprintf("%s (%s)", th.Name, th.ID)
	}
	s := fmt.Sprintf("%s: %s in %s, %s", id, noun(th.Type, 1), region(th), account(th))
	if th.State != "" {
		s += ", " + th.State
	}
	return s
}

// called is a resource's name and id, as Markdown.
func called(th thing) string {
	if th.Name != "" && th.Name != th.ID {
		return fmt.Sprintf("%s (%s)", render.Code(th.Name), render.Code(th.ID))
	}
	return render.Code(th.ID)
}

// placed adds what and where it is.
func placed(th thing) string {
	return fmt.Sprintf("%s, %s in %s, %s", called(th), aKind(th.Type), render.Markdown(region(th)), accountMarkdown(th))
}

func (t *turn) confirmed(th thing) string {
	if th.live {
		return "AWS was asked just now"
	}
	if th.age.IsZero() {
		return "never confirmed"
	}
	return "confirmed " + render.Ago(th.age, t.now)
}

// line is a resource on one line, with all that has to be said of it.
func (t *turn) line(th thing) string {
	what := render.Markdown(noun(th.Type, 1))
	if th.State != "" {
		what += ", " + render.Markdown(th.State)
	}
	if !th.made.IsZero() {
		what += ", made " + render.Clock(th.made)
	}
	return fmt.Sprintf("%s: %s, %s, %s, %s", called(th), what, render.Markdown(region(th)), accountMarkdown(th), t.confirmed(th))
}

// abilities says what can be asked for.
func abilities(typ string) string {
	var verbs []string
	if k := aws.Kinds().Of(typ); k != nil {
		for _, a := range k.Actions {
			if a.Verb.Changes {
				verbs = append(verbs, a.Verb.Is)
			}
		}
	}
	slices.Sort(verbs)
	if len(verbs) == 0 {
		return fmt.Sprintf("cloudops has no commands for %s yet; it shows them.", render.Markdown(noun(typ, 2)))
	}
	return fmt.Sprintf("You can ask to %s it.", enumerate(verbs, "or"))
}

func enumerate(words []string, last string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
	return strings.Join(words, "")
}

// count says how many there are of each type: "3 EC2 instances and 1 RDS cluster".
func count(n int, ths []thing) string {
	per := map[string]int{}
	var types []string
	for _, th := range ths {
		if per[th.Type]++; per[th.Type] == 1 {
			types = append(types, th.Type)
		}
	}
	var out []string
	for _, typ := range types {
		out = append(out, fmt.Sprintf("%d %s", per[typ], render.Markdown(noun(typ, per[typ]))))
	}
	if n == 0 {
		return "nothing"
	}
	return enumerate(out, "and")
}

func (t *turn) severalText(ph phrase, ths []thing) string {
	what := "That"
	if ph.name != "" {
		what = render.Code(ph.name)
	}
	s := fmt.Sprintf("%s could be any of %d resources.", what, len(ths))
	if ph.name != "" {
		s = fmt.Sprintf("%d resources are called %s.", len(ths), what)
	}
	if len(ths) > mostChoices {
		s += fmt.Sprintf(" The first %d are listed; say a region, account or id for another.", mostChoices)
	}
	return s
}

// wanted is a description in words, as Markdown.
func (t *turn) wanted(q prompt.Qualifiers) string {
	what := "resources"
	if len(q.Types) > 0 {
		var ks []string
		for _, typ := range q.Types {
			ks = append(ks, render.Markdown(noun(typ, 2)))
		}
		what = enumerate(ks, "or")
	}
	return what + t.narrowing(q, 2)
}

// narrowing is what follows the type in a description of n resources.
func (t *turn) narrowing(q prompt.Qualifiers, n int) string {
	// These are words of the lexicon, codes of regions and digits: not foreign.
	var s string
	if len(q.States) > 0 {
		s += " in state " + enumerate(q.States, "or")
	}
	if len(q.Regions) > 0 {
		s += " in " + enumerate(q.Regions, "or")
	}
	if len(q.Accounts) > 0 {
		s += " in " + t.accountsSaid(q.Accounts)
	}
	if len(q.AccountNames) > 0 {
		s += " in the account " + codes(q.AccountNames, "or")
	}
	if len(q.Tags) > 0 {
		s += " tagged " + tagsSaid(q.Tags)
	}
	if len(q.Words) > 0 {
		s += " matching " + codes(q.Words, "and")
	}
	for i, f := range q.Facets {
		s += []string{" that ", " and "}[min(i, 1)] + said(f, n)
	}
	for _, not := range q.Not {
		if len(not.Tags) > 0 {
			s += " without a tag " + tagsSaid(not.Tags)
		} else {
			s += ", not" + t.narrowing(not, n)
		}
	}
	if q.Order != "" {
		s += ", the " + q.Order + " first"
	}
	return s
}

func tagsSaid(tags map[string]string) string {
	var out []string
	for k, v := range tags {
		if v != "" {
			k += "=" + v
		}
		out = append(out, render.Code(k))
	}
	slices.Sort(out)
	return enumerate(out, "and")
}

// accountsSaid are accounts with their names.
func (t *turn) accountsSaid(ids []string) string {
	var out []string
	for _, id := range ids {
		s := "account " + render.Markdown(id)
		for _, n := range t.calledAccounts[id] {
			if n != "" && n != id {
				s += " (" + render.Markdown(n) + ")"
				break
			}
		}
		out = append(out, s)
	}
	return enumerate(out, "or")
}

// nothingFits says that a description fits nothing, as far as is known.
func (t *turn) nothingFits(q prompt.Qualifiers) string {
	if strange := t.strange(q); len(strange) > 0 {
		return fmt.Sprintf("I don't know what %s %s here, and nothing in the estate is called so. %s", codes(strange, "and"), means(len(strange)), canList)
	}
	if _, doubtful := t.sift(q); len(doubtful) > 0 {
		return fmt.Sprintf("The estate has no %s that is known to be so. %s", t.wanted(q), t.doubt(q, doubtful))
	}
	return strings.TrimSpace(fmt.Sprintf("The estate has no %s. %s", t.wanted(q), t.complete(q)))
}

// strange are the words of a description that mean nothing here.
func (t *turn) strange(q prompt.Qualifiers) []string {
	if len(q.Words) == 0 {
		return nil
	}
	all := t.everything()
	return slices.DeleteFunc(slices.Clone(q.Words), func(w string) bool {
		return prompt.Vocabulary(w) || identifierLike(w) && !prompt.Negated(w) || len(t.accountsCalled(w)) > 0 ||
			slices.ContainsFunc(all, func(r storage.Record) bool { return prompt.Mentions(r, w) })
	})
}

// notThere says that a name is not in the estate; complete says how sure that is.
func (t *turn) notThere(name string) string {
	return render.Code(name) + " is not in the estate."
}

// complete says how old and complete that part of the estate is that a
// description is about. Absence is only certain where all was listed.
func (t *turn) complete(q prompt.Qualifiers) string {
	if len(t.ledger.Ledger()) == 0 {
		return "Nothing was scanned yet: run `cloudops scan`."
	}
	if gaps := t.gaps(q); gaps != "" {
		return "It may be " + gaps
	}
	var oldest time.Time
	for _, s := range t.shards(q) {
		if oldest.IsZero() || s.At.Before(oldest) {
			oldest = s.At
		}
	}
	if oldest.IsZero() {
		return "That part of AWS was never scanned: run `cloudops scan`."
	}
	return fmt.Sprintf("All of it was listed, the oldest part %s; `cloudops scan` brings it up to date.", render.Ago(oldest, t.now))
}

func (t *turn) shards(q prompt.Qualifiers) []scanner.ShardState {
	where := prompt.Qualifiers{Types: q.Types, Regions: q.Regions, Accounts: q.Accounts}
	var out []scanner.ShardState
	for _, s := range t.ledger.Ledger() {
		if where.Match(storage.Record{Key: storage.Key{Type: s.Type, Region: s.Region, AccountID: s.AccountID}}) {
			out = append(out, s)
		}
	}
	return out
}

// gaps says where resources could be that were never listed; "" for nowhere.
func (t *turn) gaps(q prompt.Qualifiers) string {
	any := func(list []string) []string {
		if len(list) == 0 {
			return []string{""}
		}
		return list
	}
	var gaps []string
	for _, typ := range any(q.Types) {
		for _, region := range any(q.Regions) {
			for _, account := range any(q.Accounts) {
				for _, g := range t.ledger.Gaps(storage.Filter{Type: typ, Region: region, AccountID: account}) {
					if !slices.Contains(gaps, g) {
						gaps = append(gaps, g)
					}
				}
			}
		}
	}
	if len(gaps) == 0 {
		return ""
	}
	return render.Markdown(render.Unseen(gaps)) + "."
}
