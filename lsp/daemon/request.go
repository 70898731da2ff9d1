package daemon

import (
	"context"
	"reflect"
	"slices"
)

// trait says what a request does, and who may send it.
type trait uint8

const (
	// reads: it changes nothing, so a client sends it again where the connection broke.
	reads trait = 1 << iota
	// repeatable: what it changes is the same after a second time.
	repeatable
	// proposes: it only adds, such as a plan that waits, a turn, or what a scan found.
	proposes
	// forwarded: an editor's plugin may send it, through the language server.
	forwarded
	// command: so may whatever can send workspace/executeCommand, such as a link
	// or a task. Only what reads or proposes is one.
	command
)

// Descriptor is all that is known of a request: who serves, sends again,
// forwards, offers or documents requests reads it here.
type Descriptor struct {
	// Name is its method.
	Name string
	// Doc says in a sentence what it does.
	Doc string
	// Params and Result are the types of both sides.
	Params, Result reflect.Type

	traits trait
	needs  need
	// check decodes parameters; call does as well, and serves the request.
	check func(params []byte) error
	call  func(ctx context.Context, x *session, p *Parts, params []byte) (any, error)
}

// Check refuses parameters as the daemon would before it does anything.
func (d *Descriptor) Check(params []byte) error { return d.check(params) }

// Reads reports whether it changes nothing.
func (d *Descriptor) Reads() bool { return d.traits&reads != 0 }

// Proposes reports whether it only adds.
func (d *Descriptor) Proposes() bool { return d.traits&proposes != 0 }

// Repeatable reports whether it may be sent twice.
func (d *Descriptor) Repeatable() bool { return d.traits&(reads|repeatable) != 0 }

// Forwarded reports whether an editor's plugin may send it.
func (d *Descriptor) Forwarded() bool { return d.traits&forwarded != 0 }

// Command reports whether workspace/executeCommand reaches it.
func (d *Descriptor) Command() bool { return d.traits&command != 0 }

// Request is a descriptor with its types, for callers in Go.
type Request[P, R any] struct{ *Descriptor }

// Caller sends requests: a Client, or what stands before one.
type Caller interface {
	Call(ctx context.Context, method string, params, result any) error
}

// Call sends the request.
func (r Request[P, R]) Call(ctx context.Context, to Caller, params P) (R, error) {
	var result R
	err := to.Call(ctx, r.Name, params, &result)
	return result, err
}

// none is the parameters of a request without any, or its empty result.
type none = struct{}

// validator is implemented by parameters with limits beyond their types.
type validator interface{ validate() error }

// request declares a request, which serve answers. Add it to requests below.
func request[P, R any](
	name string, traits trait, needs need, doc string,
	serve func(ctx context.Context, x *session, p *Parts, params P) (R, error),
) Request[P, R] {
	decode := func(raw []byte) (params P, err error) {
		if err := DecodeParams(raw, &params); err != nil {
			return params, err
		}
		if v, ok := any(params).(validator); ok {
			err = v.validate()
		}
		return params, err
	}
	return Request[P, R]{&Descriptor{
		Name: name, Doc: doc, Params: reflect.TypeFor[P](), Result: reflect.TypeFor[R](), traits: traits, needs: needs,
		check: func(raw []byte) error {
			_, err := decode(raw)
			return err
		},
		call: func(ctx context.Context, x *session, p *Parts, raw []byte) (any, error) {
			params, err := decode(raw)
			if err != nil {
				return nil, err
			}
			return serve(ctx, x, p, params)
		},
	}}
}

// requests are all that a session may ask, besides Hello.
var requests = []*Descriptor{
	Workspaces.Descriptor,
	ProfileList.Descriptor,
	ProfileSelect.Descriptor,
	ProfileIdentity.Descriptor,
	EstateScan.Descriptor,
	EstateStatus.Descriptor,
	EstateSearch.Descriptor,
	EstateGet.Descriptor,
	EstateResolve.Descriptor,
	ConversationCreate.Descriptor,
	ConversationList.Descriptor,
	ConversationMessages.Descriptor,
	ConversationSend.Descriptor,
	ConversationRename.Descriptor,
	ConversationLabel.Descriptor,
	ConversationSearch.Descriptor,
	ConversationExport.Descriptor,
	ConversationDelete.Descriptor,
	ExecutionPropose.Descriptor,
	ExecutionDecide.Descriptor,
	ExecutionPending.Descriptor,
	ExecutionList.Descriptor,
	ExecutionAudit.Descriptor,
	ExecutionVerify.Descriptor,
	StoreMigrate.Descriptor,
	KeyStatus.Descriptor,
	KeyRotate.Descriptor,
	KeyExport.Descriptor,
	KeyExported.Descriptor,
}

// byName has the requests by their names.
var byName = func() map[string]*Descriptor {
	m := make(map[string]*Descriptor, len(requests))
	for _, d := range requests {
		m[d.Name] = d
	}
	return m
}()

// Requests lists them, in the order of the documentation.
func Requests() []*Descriptor { return slices.Clone(requests) }
