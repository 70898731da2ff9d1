package daemon

import (
	"context"
	"reflect"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/cloudops/cloudops/lsp/wire"
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

// Message is what the two ends say to each other.
type Message struct {
	// Name is its method.
	Name string
	// Doc says what it does.
	Doc string
	// Params and Result are its types; notifications have no result.
	Params, Result reflect.Type
}

// Descriptor is all that is known of a request: who serves, sends again,
// forwards, offers or documents requests reads it here.
type Descriptor struct {
	Message
	// Limits bound the parameters; docs and editors read them too.
	Limits []Limit

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
type Request[P, R any] struct {
	*Descriptor
	// Decode reads parameters, and refuses what the daemon would.
	Decode func(params []byte) (P, error)
}

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

// validator is implemented by parameters that limits don't say all of.
type validator interface{ validate() error }

// request declares a request, which serve answers. Add it to requests below.
func request[P, R any](
	name string, traits trait, needs need, doc string,
	serve func(ctx context.Context, x *session, p *Parts, params P) (R, error), limits ...Limit,
) Request[P, R] {
	bounds := bind(reflect.TypeFor[P](), limits)
	decode := func(raw []byte) (params P, err error) {
		if err := wire.DecodeParams(raw, &params); err != nil {
			return params, err
		}
		for _, b := range bounds {
			if err := b.check(b.Field, reflect.ValueOf(&params).Elem().FieldByIndex(b.index)); err != nil {
				return params, err
			}
		}
		if v, ok := any(params).(validator); ok {
			err = v.validate()
		}
		return params, err
	}
	return Request[P, R]{Decode: decode, Descriptor: &Descriptor{
		Message: Message{name, doc, reflect.TypeFor[P](), reflect.TypeFor[R]()}, Limits: limits, traits: traits, needs: needs,
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

// Find is the request of a name, or nil.
func Find(name string) *Descriptor { return byName[name] }

// Requests lists them, in the order of the documentation.
func Requests() []*Descriptor { return slices.Clone(requests) }

// Question is a request that the daemon sends: it asks the person at the client.
type Question[P, R any] struct{ Message }

func question[P, R any](name, doc string) Question[P, R] {
	return Question[P, R]{Message{name, doc, reflect.TypeFor[P](), reflect.TypeFor[R]()}}
}

// Call asks it.
func (q Question[P, R]) Call(ctx context.Context, to Caller, params P) (R, error) {
	var answer R
	err := to.Call(ctx, q.Name, params, &answer)
	return answer, err
}

// answer has ask answer it, at the client.
func (q Question[P, R]) answer(ctx context.Context, params []byte, ask func(context.Context, P) (R, error)) (any, error) {
	var p P
	if err := jsonv2.Unmarshal(params, &p); err != nil {
		return nil, wire.Invalid("the question is malformed")
	}
	return ask(ctx, p)
}

// Questions lists all that the daemon asks.
func Questions() []Message { return []Message{Prompt.Message, Confirm.Message} }

// Note is a notification of the daemon.
type Note[P any] struct{ Message }

func note[P any](name, doc string) Note[P] {
	return Note[P]{Message{Name: name, Doc: doc, Params: reflect.TypeFor[P]()}}
}

// to sends it. Of those with one topic that wait to be sent only the last is.
func (n Note[P]) to(c *wire.Conn, topic string, params P) { c.Notify(topic, n.Name, params) }

// Notes lists all that the daemon notifies of.
func Notes() []Message {
	return []Message{
		NoteEstateChanged.Message, NoteExecutionChanged.Message, NoteExecutionOutput.Message,
		NoteProgress.Message, NoteText.Message,
	}
}
