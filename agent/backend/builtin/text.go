package builtin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudops/cloudops/agent/prompt"
	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

var kinds = map[string][2]string{
	"ec2_instance": {"EC2 instance", "EC2 instances"},
	"rds_instance": {"RDS instance", "RDS instances"},
	"rds_cluster":  {"RDS cluster", "RDS clusters"},
	"s3_bucket":    {"S3 bucket", "S3 buckets"},
}

func kind(typ string, n int) string {
	k, ok := kinds[typ]
	switch {
	case !ok && n == 1:
		return strings.ReplaceAll(typ, "_", " ")
	case !ok:
		return strings.ReplaceAll(typ, "_", " ") + "s"
	case n == 1:
		return k[0]
	}
	return k[1]
}

func aKind(typ string) string {
	k := render.Markdown(kind(typ, 1))
	if strings.ContainsRune("AEIORS", rune(kind(typ, 1)[0])) {
		return "an " + k
	}
	return "a " + k
}

func title(verb string) string {
	if verb == "" {
		return ""
	}
	return strings.ToUpper(verb[:1]) + verb[1:]
}

func participle(verb string) string {
	switch verb {
	case "stop":
		return "stopped"
	case "describe":
		return "described"
	}
	return verb + "ed"
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
	return fmt.Sprintf("%s: %s in %s, %s, %s", id, kind(th.Type, 1), region(th), account(th), stateOf(th))
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
	return fmt.Sprintf("%s, %s in %s, %s,", called(th), aKind(th.Type), render.Markdown(region(th)), render.Markdown(account(th)))
}

func (t *turn) confirmed(th thing) string {
	if th.age.IsZero() {
		return "never confirmed"
	}
	return "confirmed " + ago(t.now.Sub(th.age))
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// line is a resource on one line, with all that has to be said of it.
func (t *turn) line(th thing) string {
	return fmt.Sprintf("%s: %s, %s, %s, %s, %s", called(th), render.Markdown(kind(th.Type, 1)), render.Markdown(stateOf(th)),
		render.Markdown(region(th)), render.Markdown(account(th)), t.confirmed(th))
}

// abilities lists what can be done to a type.
func abilities(typ string) string {
	verbs := slices.Clone(executor.Verbs(typ))
	slices.Sort(verbs)
	if len(verbs) == 0 {
		return fmt.Sprintf("It has no commands for %s yet; it only shows them.", render.Markdown(kind(typ, 2)))
	}
	return fmt.Sprintf("For %s it can %s.", render.Markdown(kind(typ, 2)), enumerate(verbs, "and"))
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
		out = append(out, fmt.Sprintf("%d %s", per[typ], render.Markdown(kind(typ, per[typ]))))
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
	if len(ths) > mostChoices {
		s += fmt.Sprintf(" The first %d are listed; say a region, account or id for another.", mostChoices)
	}
	return s
}

// wanted is a description in words, as Markdown.
func wanted(q prompt.Qualifiers) string {
	var parts []string
	if len(q.Types) == 0 {
		parts = append(parts, "resources")
	} else {
		var ks []string
		for _, typ := range q.Types {
			ks = append(ks, kind(typ, 2))
		}
		parts = append(parts, enumerate(ks, "or"))
	}
	if len(q.States) > 0 {
		parts = append(parts, "that are "+enumerate(q.States, "or"))
	}
	if len(q.Regions) > 0 {
		parts = append(parts, "in "+enumerate(q.Regions, "or"))
	}
	if len(q.Accounts) > 0 {
		parts = append(parts, "in account "+enumerate(q.Accounts, "or"))
	}
	s := render.Markdown(strings.Join(parts, " "))
	var tags []string
	for k, v := range q.Tags {
		tags = append(tags, render.Code(k+"="+v))
	}
	slices.Sort(tags)
	if len(tags) > 0 {
		s += " tagged " + strings.Join(tags, " and ")
	}
	for i, w := range q.Words {
		if i == 0 {
			s += " matching "
		} else {
			s += " and "
		}
		s += render.Code(w)
	}
	return s
}

// nothingFits says that a description fits nothing, as far as is known.
func (t *turn) nothingFits(q prompt.Qualifiers) string {
	return strings.TrimSpace(fmt.Sprintf("The estate has no %s. %s", wanted(q), t.complete(q)))
}

// notThere says that a name is not in the estate, as far as is known.
func (t *turn) notThere(name string) string {
	return strings.TrimSpace(fmt.Sprintf("%s is not in the estate. %s", render.Code(name), t.complete(prompt.Qualifiers{})))
}

// complete says how old and complete that part of the estate is that a
// description is about. Absence is only certain where all was listed.
func (t *turn) complete(q prompt.Qualifiers) string {
	if gaps := t.gaps(q); gaps != "" {
		return gaps
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
	return fmt.Sprintf("All of it was listed, the oldest part %s; `cloudops scan` brings it up to date.", ago(t.now.Sub(oldest)))
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
	const most = 5
	var gaps []string
	for _, s := range t.shards(q) {
		if s.State != "complete" {
			gaps = append(gaps, fmt.Sprintf("%s in %s, account %s: %s", kind(s.Type, 2), place(s), s.AccountID, s.State))
		}
	}
	if n := len(gaps); n > most {
		gaps = append(gaps[:most], fmt.Sprintf("%d more", n-most))
	}
	if len(gaps) == 0 {
		return ""
	}
	return "Unknown, because AWS did not let cloudops look: " + render.Markdown(strings.Join(gaps, "; ")) + "."
}

func place(s scanner.ShardState) string {
	if s.Region == "" {
		return "all regions"
	}
	return s.Region
}
