package daemon

import (
	"context"
	"errors"
	"slices"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/scanner"
	services "github.com/cloudops/cloudops/scanner/aws"
	aws "github.com/cloudops/cloudops/scanner/session"
	"github.com/cloudops/cloudops/storage"
	"github.com/cloudops/cloudops/storage/kind"
)

const (
	// maxTokens bounds one resolve, maxToken one of its tokens in bytes.
	maxTokens = 10_000
	maxToken  = 2048
	// maxFound bounds one search.
	maxFound = 10_000
)

var NoteEstateChanged = note[storage.Change]("cloudops/estate/changed",
	"The estate is another: what was remembered of what this names counts no more.")

// Doable is what a state means, whatever the type, and what may be done now.
type Doable struct {
	Phase   kind.Phase             `json:"phase,omitempty"`
	Actions []executor.Possibility `json:"actions,omitempty"`
}

func doable(p *Parts, typ string, v kind.View) Doable {
	k := services.Kinds().Of(typ)
	if k == nil {
		return Doable{}
	}
	if p.Executor == nil {
		return Doable{Phase: k.Phase(v.State)}
	}
	return Doable{k.Phase(v.State), p.Executor.Possible(typ, v)}
}

// Listed is a resource as memory knows it, and what its state means.
type Listed struct {
	storage.Record
	Phase kind.Phase `json:"phase,omitempty"`
}

// Whole is all that is known of a resource.
type Whole struct {
	storage.Resource
	Doable
}

// ResolveParams asks which tokens name resources.
type ResolveParams struct {
	Tokens []string `json:"tokens"`
	// Actions asks for what may be done to them as well.
	Actions bool `json:"actions,omitempty"`
}

// ResolveResult has no entry for tokens that name nothing.
type ResolveResult struct {
	Generation uint64                      `json:"generation"`
	Records    map[string][]storage.Record `json:"records"`
	// Gaps say of a token where others that it names could hide: shards denied,
	// failed or never listed. What is unique has none.
	Gaps map[string][]string `json:"gaps,omitempty"`
	// Doable has, where it was asked for, an entry for each resource by its ARN,
	// else account|region|type|id.
	Doable map[string]Doable `json:"doable,omitempty"`
}

var EstateResolve = request("cloudops/estate/resolve", reads|forwarded, needStore|needScanner,
	"Says which tokens of a text name resources, from memory.", estateResolve,
	texts("tokens", maxTokens, maxToken))

// estateResolve answers hovers: from memory only.
func estateResolve(ctx context.Context, x *session, p *Parts, params ResolveParams) (ResolveResult, error) {
	// Read first: records may be newer than their generation, never older.
	generation := x.server.generation.Load()
	found := p.Store.Estate.Resolve(params.Tokens)
	r := ResolveResult{Generation: generation, Records: make(map[string][]storage.Record, len(found)), Gaps: p.Scanner.GapsOf(found)}
	for token, rs := range found {
		r.Records[token] = aged(p.Scanner, rs)
		if !params.Actions {
			continue
		}
		if r.Doable == nil {
			r.Doable = map[string]Doable{}
		}
		for _, rec := range rs {
			r.Doable[rec.Canonical()] = doable(p, rec.Type, rec.View())
		}
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

// SearchParams asks for resources by words and filter.
type SearchParams struct {
	Query string `json:"query"`
	storage.Filter
	Limit int `json:"limit,omitempty"`
}

// SearchResult says how it searched; Mode is "words" until vectors come.
type SearchResult struct {
	Mode      string   `json:"mode"`
	Total     int      `json:"total"`
	Resources []Listed `json:"resources"`
	// Gaps say, when nothing was found, where it could hide.
	Gaps []string `json:"gaps,omitempty"`
}

var EstateSearch = request("cloudops/estate/search", reads|forwarded|command, needStore|needScanner,
	"Finds resources by words and filter, in memory.", estateSearch,
	text("query", maxToken), text("resource_type", maxToken), text("account_id", maxToken), text("region", maxToken),
	text("service", maxToken), text("state", maxToken), number("limit", maxFound))

func estateSearch(ctx context.Context, x *session, p *Parts, params SearchParams) (SearchResult, error) {
	filter, err := p.Scanner.Filter(params.Filter)
	if err != nil {
		return SearchResult{}, err
	}
	found, total := p.Store.Estate.Search(params.Query, filter, params.Limit)
	r := SearchResult{Mode: "words", Total: total, Resources: make([]Listed, len(found))}
	for i, rec := range aged(p.Scanner, found) {
		r.Resources[i] = Listed{Record: rec}
		if k := services.Kinds().Of(rec.Type); k != nil {
			r.Resources[i].Phase = k.Phase(rec.State)
		}
	}
	if total == 0 {
		r.Gaps = p.Scanner.GapsFor(params.Query, filter)
	}
	return r, nil
}

// GetParams asks for whole resources by any identifier.
type GetParams struct {
	Identifier string `json:"identifier"`
	// Live asks AWS instead of the store.
	Live bool `json:"live,omitempty"`
}

// GetResult holds every resource that carries the identifier.
type GetResult struct {
	Resources []Whole `json:"resources"`
}

var EstateGet = request("cloudops/estate/get", reads|forwarded|command, needStore|needScanner,
	"Returns whole resources by any identifier, as stored or as AWS has them now.", estateGet,
	needed("identifier", maxToken))

// estateGet reads whole resources from the store or, live, from AWS.
func estateGet(ctx context.Context, x *session, p *Parts, params GetParams) (GetResult, error) {
	records := p.Store.Estate.Find(params.Identifier)
	if len(records) == 0 {
		return GetResult{}, absent(params.Identifier, unseen(p, params.Identifier))
	}
	who := p.Scanner.Sessions.Client(x.environment())
	if params.Live {
		if err := who.Check(); err != nil {
			return GetResult{}, err
		}
	}
	var out GetResult
	var gone error
	for _, rec := range records {
		r, err := readResource(ctx, p, who, rec, params.Live)
		switch {
		case errors.Is(err, aws.ErrGone), errors.Is(err, storage.ErrNotFound):
			gone = err
		case err != nil:
			return GetResult{}, err
		default:
			out.Resources = append(out.Resources, Whole{r, doable(p, r.Type, r.View())})
		}
	}
	if len(out.Resources) == 0 {
		return GetResult{}, gone
	}
	return out, nil
}

func readResource(ctx context.Context, p *Parts, who *aws.Client, rec storage.Record, live bool) (storage.Resource, error) {
	var r storage.Resource
	var err error
	if live {
		var from *aws.Session
		if from, err = who.ForAccount(ctx, rec.AccountID); err == nil {
			r, err = p.Scanner.Refresh(ctx, from, rec.Key)
		}
	} else if r, err = p.Store.Estate.Get(ctx, rec.Key); err == nil {
		r.LastSynced = p.Scanner.Age(rec)
	}
	if err != nil {
		return storage.Resource{}, err
	}
	id, _ := who.Known(rec.AccountID)
	r.IAM = executor.IAM(r.Type, id)
	r.Constraints = executor.Constraints(r)
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

// StatusResult is the state of the estate.
type StatusResult struct {
	Resources int                  `json:"resources"`
	Scanning  bool                 `json:"scanning"`
	Shards    []scanner.ShardState `json:"shards"`
	Problems  []string             `json:"problems,omitempty"`
	Storage   storage.Health       `json:"storage"`
	// Key says in words where the key-encryption key is kept.
	Key string `json:"key"`
	// EncryptionOff: that key lies open beside what it seals.
	EncryptionOff bool `json:"encryption_off,omitempty"`
	// Audit is why the audit log does not hold, so that nothing runs; empty where
	// it holds.
	Audit string `json:"audit,omitempty"`
}

var EstateStatus = request("cloudops/estate/status", reads|forwarded|command, needStore|needScanner,
	"Tells how much is known of the estate, how old it is, and what is wrong.", estateStatus)

func estateStatus(ctx context.Context, x *session, p *Parts, _ none) (StatusResult, error) {
	scanning, problems := x.server.scans.state()
	health := p.Store.Health()
	broken := ""
	if p.Executor != nil {
		broken = p.Executor.AuditProblem()
		if closed := p.Executor.PolicyProblem(); closed != "" {
			problems = append(slices.Clip(problems), closed)
		}
	}
	return StatusResult{Audit: broken, Resources: health.Resources, Scanning: scanning, Shards: p.Scanner.Ledger(), Problems: problems,
		Storage: health, Key: p.Key, EncryptionOff: p.Keys != nil && p.Keys.Off()}, nil
}
