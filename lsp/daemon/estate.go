package daemon

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
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

var EstateResolve = request(MethodEstateResolve, reads|forwarded, needStore|needScanner,
	"Says which tokens of a text name resources, from memory.", estateResolve)

// estateResolve answers hovers: from memory only.
func estateResolve(ctx context.Context, x *session, p *Parts, params ResolveParams) (ResolveResult, error) {
	// Read first: records may be newer than their generation, never older.
	generation := x.server.generation.Load()
	found := p.Store.Estate.Resolve(params.Tokens)
	r := ResolveResult{Generation: generation, Records: make(map[string][]storage.Record, len(found)), Gaps: p.Scanner.GapsOf(found)}
	for token, rs := range found {
		r.Records[token] = aged(p.Scanner, rs)
	}
	return r, nil
}

// aged copies records with the time that they were last known to be true.
func aged(sc *scanner.Scanner, rs []storage.Record) []storage.Record {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].LastSynced = sc.Age(rs[i])
	}
	return rs
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

var EstateSearch = request(MethodEstateSearch, reads|forwarded|command, needStore|needScanner,
	"Finds resources by words and filter, in memory.", estateSearch)

func estateSearch(ctx context.Context, x *session, p *Parts, params SearchParams) (SearchResult, error) {
	filter, err := p.Scanner.Filter(params.Filter)
	if err != nil {
		return SearchResult{}, err
	}
	found, total := p.Store.Estate.Search(params.Query, filter, params.Limit)
	r := SearchResult{Mode: "words", Total: total, Resources: aged(p.Scanner, found)}
	if total == 0 {
		r.Gaps = p.Scanner.GapsFor(params.Query, filter)
	}
	return r, nil
}

func (p GetParams) validate() error {
	if p.Identifier == "" || len(p.Identifier) > maxToken {
		return invalid(`"identifier" must have 1 to %d bytes`, maxToken)
	}
	return nil
}

var EstateGet = request(MethodEstateGet, reads|forwarded|command, needStore|needScanner,
	"Returns whole resources by any identifier, as stored or as AWS has them now.", estateGet)

// estateGet reads whole resources from the store or, live, from AWS.
func estateGet(ctx context.Context, x *session, p *Parts, params GetParams) (GetResult, error) {
	records := p.Store.Estate.Find(params.Identifier)
	if len(records) == 0 {
		return GetResult{}, absent(params.Identifier, unseen(p, params.Identifier))
	}
	env := x.environment()
	if params.Live {
		if err := p.Scanner.Check(env); err != nil {
			return GetResult{}, err
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
			return GetResult{}, err
		default:
			out.Resources = append(out.Resources, r)
		}
	}
	if len(out.Resources) == 0 {
		return GetResult{}, gone
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
	who, _ := p.Scanner.KnownIdentity(env, rec.AccountID)
	r.IAM = executor.IAM(r.Type, who)
	return r, nil
}

// unseen says where what carries an identifier that was not found could be.
func unseen(p *Parts, identifier string) []string {
	return p.Scanner.GapsOf(map[string][]storage.Record{identifier: nil})[identifier]
}

// absent tells what certainly does not exist from what was never seen.
func absent(identifier string, gaps []string) error {
	if len(gaps) == 0 {
		return refusef(CodeNotFound, "if it is new, scan again with: cloudops scan",
			"%q does not exist in the accounts and regions that were scanned", identifier)
	}
	return refusef(CodeNotFound, "scan with: cloudops scan",
		"%q is not known; it may be %s", identifier, render.Unseen(gaps))
}

var EstateStatus = request(MethodEstateStatus, reads|forwarded|command, needStore|needScanner,
	"Tells how much is known of the estate, how old it is, and what is wrong.", estateStatus)

func estateStatus(ctx context.Context, x *session, p *Parts, _ none) (StatusResult, error) {
	scanning, problems := x.server.scans.state()
	health := p.Store.Health()
	broken := ""
	if p.Executor != nil {
		broken = p.Executor.AuditProblem()
	}
	return StatusResult{Audit: broken, Resources: health.Resources, Scanning: scanning, Shards: p.Scanner.Ledger(), Problems: problems,
		Storage: health, Key: p.Key, EncryptionOff: p.Keys != nil && p.Keys.Off()}, nil
}
