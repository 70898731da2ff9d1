package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cloudops/cloudops/executor/catalog"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage"
)

const (
	// maxTokens bounds one resolve, maxToken one of its tokens in bytes.
	maxTokens = 10_000
	maxToken  = 2048
	// maxFound bounds one search.
	maxFound = 10_000
)

func (p ResolveParams) validate() error {
	if len(p.Tokens) > maxTokens {
		return invalid(`"tokens" has more than %d entries`, maxTokens)
	}
	for i, t := range p.Tokens {
		if len(t) > maxToken {
			return invalid(`"tokens/%d" is longer than %d bytes`, i, maxToken)
		}
	}
	return nil
}

// estateResolve answers hovers: from memory only.
func estateResolve(ctx context.Context, x *session, p *Parts, params ResolveParams) (any, error) {
	// Read first: records may be newer than their generation, never older.
	generation := x.server.generation.Load()
	found := p.Store.Estate.Resolve(params.Tokens)
	records := make(map[string][]storage.Record, len(found))
	for token, rs := range found {
		records[token] = aged(p.Scanner, rs)
	}
	return ResolveResult{Generation: generation, Records: records, Gaps: gaps(p.Scanner.Ledger())}, nil
}

// aged copies records with the time that they were last known to be true.
func aged(sc *scanner.Scanner, rs []storage.Record) []storage.Record {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].LastSynced = sc.Age(rs[i])
	}
	return rs
}

// gaps says where a resource could hide, a line for each account, region and
// state.
func gaps(ledger []scanner.ShardState) []string {
	if len(ledger) == 0 {
		return []string{"nothing was scanned yet"}
	}
	type place struct{ account, region, state string }
	types := make(map[place][]string)
	for _, s := range ledger {
		if s.State != "complete" {
			at := place{s.AccountID, s.Region, s.State}
			types[at] = append(types[at], s.Type)
		}
	}
	places := slices.SortedFunc(maps.Keys(types), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region), cmp.Compare(a.state, b.state))
	})
	var lines []string
	for _, at := range places {
		slices.Sort(types[at])
		lines = append(lines, fmt.Sprintf("%s in %s of %s: %s",
			strings.Join(types[at], ", "), cmp.Or(at.region, "all regions"), cmp.Or(at.account, "an unknown account"), at.state))
	}
	return lines
}

func (p SearchParams) validate() error {
	if len(p.Query) > maxToken {
		return invalid(`"query" is longer than %d bytes`, maxToken)
	}
	if p.Limit < 0 || p.Limit > maxFound {
		return invalid(`"limit" must be 0 to %d`, maxFound)
	}
	return nil
}

func estateSearch(ctx context.Context, x *session, p *Parts, params SearchParams) (any, error) {
	found, total := p.Store.Estate.Search(params.Query, params.Filter, params.Limit)
	return SearchResult{Mode: "words", Total: total, Resources: aged(p.Scanner, found)}, nil
}

func (p GetParams) validate() error {
	if p.Identifier == "" || len(p.Identifier) > maxToken {
		return invalid(`"identifier" must have 1 to %d bytes`, maxToken)
	}
	return nil
}

// estateGet reads whole resources from the store or, live, from AWS.
func estateGet(ctx context.Context, x *session, p *Parts, params GetParams) (any, error) {
	records := p.Store.Estate.Find(params.Identifier)
	if len(records) == 0 {
		return nil, absent(p, params.Identifier)
	}
	var env scanner.Environment
	if params.Live {
		var err error
		if env, err = x.checkedEnvironment(p); err != nil {
			return nil, err
		}
	}
	var out GetResult
	var gone error
	for _, rec := range records {
		r, err := readResource(ctx, p, env, rec, params.Live)
		switch {
		case errors.Is(err, scanner.ErrGone), errors.Is(err, storage.ErrNotFound):
			gone = err
		case err != nil:
			return nil, err
		default:
			out.Resources = append(out.Resources, r)
		}
	}
	if len(out.Resources) == 0 {
		return nil, gone
	}
	return out, nil
}

func readResource(ctx context.Context, p *Parts, env scanner.Environment, rec storage.Record, live bool) (storage.Resource, error) {
	var r storage.Resource
	var err error
	if live {
		r, err = p.Scanner.Refresh(ctx, env, rec.Key)
	} else if r, err = p.Store.Estate.Get(ctx, rec.Key); err == nil {
		r.LastSynced = p.Scanner.Age(rec)
	}
	if err != nil {
		return storage.Resource{}, err
	}
	r.IAM = permissions(r)
	return r, nil
}

// permissions lists what could be done to a resource; whether the caller may is
// not known before AWS was asked.
func permissions(r storage.Resource) *storage.IAM {
	return &storage.IAM{AllowedActions: []string{}, DeniedActions: []string{}, UnknownActions: actions(r)}
}

// actions are the IAM actions of the operations that the catalog has for a type.
func actions(r storage.Resource) []string {
	set := make(map[string]bool)
	for _, op := range catalog.All() {
		if op.Type == r.Type {
			for _, a := range op.Actions {
				set[a] = true
			}
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(set))...)
}

// absent tells what certainly does not exist from what was never seen.
func absent(p *Parts, identifier string) error {
	g := gaps(p.Scanner.Ledger())
	if len(g) == 0 {
		return refusef(CodeNotFound, "if it is new, scan again with: cloudops scan",
			"%q does not exist in the accounts and regions that were scanned", identifier)
	}
	return refusef(CodeNotFound, "scan with: cloudops scan",
		"%q is not known; it may be where cloudops could not look: %s", identifier, strings.Join(g, "; "))
}

func estateStatus(ctx context.Context, x *session, p *Parts, _ none) (any, error) {
	n, err := p.Store.Estate.Count(ctx)
	if err != nil {
		return nil, err
	}
	scanning, problems := x.server.scans.state()
	return StatusResult{Resources: n, Scanning: scanning, Shards: p.Scanner.Ledger(), Problems: problems}, nil
}
