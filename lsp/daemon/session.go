package daemon

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.lsp.dev/jsonrpc2"

	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/wire"
	aws "github.com/cloudops/cloudops/scanner/session"
)

// need is a set of the parts that a request uses.
type need uint8

const (
	needStore need = 1 << iota
	needScanner
	needExecutor
	needAgent
	needKeys
)

// dependencies are the parts in words, in the order in which they are looked at.
var dependencies = []struct {
	need    need
	words   string
	missing func(*Parts) bool
}{
	{needStore, "the store is", func(p *Parts) bool { return p.Store == nil || p.Store.Estate == nil || p.Store.Chat == nil }},
	{needScanner, "the scanner is", func(p *Parts) bool { return p.Scanner == nil }},
	{needExecutor, "the executor is", func(p *Parts) bool { return p.Executor == nil }},
	{needAgent, "the agent is", func(p *Parts) bool { return p.Agent == nil }},
	{needKeys, "the keys are", func(p *Parts) bool { return p.Keys == nil }},
}

// missing says which parts a request needs and the daemon has not.
func (n need) missing(p *Parts) (all []string) {
	for _, d := range dependencies {
		if n&d.need != 0 && d.missing(p) {
			all = append(all, d.words+" not available")
		}
	}
	return all
}

// session is one connection: who is at the other end, and the AWS side it
// brought. Its secrets live here and end with it.
type session struct {
	id     string
	server *server
	conn   *wire.Conn
	peer   peer
	// refusal is why nothing is served here, if so.
	refusal error
	// standing is what the person here is asked in a message.
	standing standing

	// mu guards what follows; hello sets it once, profile/select the profile.
	mu          sync.Mutex
	greeted     bool
	kind        string
	interactive bool
	cards       bool
	env         aws.Environment
	// exporting: the keys were handed over, and no file was told of yet.
	exporting bool
}

func newSession(s *server, nc net.Conn, who peer) *session {
	limits := wire.Limits{Message: maxRequest, Calls: maxInFlight, Patience: frameTime, Writing: s.writing, Half: &s.half}
	c := wire.New(context.Background(), nc, limits, s.log, known)
	return &session{id: uuid.NewString(), server: s, peer: who, conn: c}
}

// run serves the session until it ends and its requests have returned.
func (x *session) run() {
	patience := x.server.patience
	if x.refusal != nil {
		patience = min(patience, refusalTime)
	}
	late := time.AfterFunc(patience, func() {
		if !x.ready() {
			x.conn.Close()
		}
	})
	defer late.Stop()
	defer x.conn.Close()
	x.conn.Start(x.serve, nil)
	x.conn.Wait()
}

// ready: hello was answered.
func (x *session) ready() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.greeted
}

// serve answers one request and logs that it did: no parameters, no names.
func (x *session) serve(ctx context.Context, name string, params []byte) (result any, err error) {
	begin := time.Now()
	answered := false
	defer func() {
		code := 0
		if !answered {
			code = int(jsonrpc2.InternalError)
		} else if err != nil {
			wire := toWire(err)
			code, err = int(wire.Code), wire
		}
		x.server.log.Info("request", "method", known(name), "session", x.id,
			"ms", time.Since(begin).Milliseconds(), "code", code)
	}()
	result, err = x.dispatch(ctx, name, params)
	answered = true
	return result, err
}

func (x *session) dispatch(ctx context.Context, name string, params []byte) (any, error) {
	if x.refusal != nil {
		return nil, x.refusal
	}
	if name == Hello.Name {
		return x.hello(ctx, params)
	}
	if !x.ready() {
		return nil, jsonrpc2.Errorf(jsonrpc2.ServerNotInitialized, "the first request must be %s", Hello.Name)
	}
	d, ok := x.server.requests[name]
	if !ok {
		return nil, jsonrpc2.Errorf(jsonrpc2.MethodNotFound, "%s is not served here", known(name))
	}
	p, err := x.server.opened()
	if err != nil && d.needs != 0 {
		return nil, err
	}
	if parts := d.needs.missing(p); len(parts) > 0 {
		if p.Problem != nil {
			return nil, refusef(CodeDegraded, fromWire(toWire(p.Problem)).Hint, "the daemon is degraded: %v", p.Problem)
		}
		return nil, refusef(CodeDegraded, "see the problems that `cloudops status` lists", "the daemon is degraded: %s", parts[0])
	}
	return d.call(ctx, x, p, params)
}

// HelloParams opens a session.
type HelloParams struct {
	Protocol int   `json:"protocol"`
	Build    Build `json:"build"`
	// Kind is editor or terminal.
	Kind string `json:"kind"`
	// Interactive: a person can be asked here.
	Interactive bool `json:"interactive"`
	// Cards: the editor shows whole cards, and has a dialog of its own for what
	// is high or critical.
	Cards       bool            `json:"cards,omitempty"`
	Environment aws.Environment `json:"environment"`
}

// HelloResult is the daemon's side of the handshake.
type HelloResult struct {
	Protocol int    `json:"protocol"`
	Build    Build  `json:"build"`
	StoreID  string `json:"store_id,omitempty"`
	Session  string `json:"session"`
	PID      int    `json:"pid"`
	// Problems say why the daemon is degraded, and the mend; none when well.
	Problems []string `json:"problems,omitempty"`
	// Notices are worth telling once, such as where a new key was put.
	Notices []string `json:"notices,omitempty"`
}

// Hello is the first request of a session, and has no other.
var Hello = request[HelloParams, HelloResult]("cloudops/hello", 0, 0,
	"Opens the session: who is there, and of which build. It is the first request, and sent once.", nil,
	oneOf("kind", "editor", "terminal"), texts("environment/workspaces", MaxWorkspaces, maxPath))

// hello opens the session.
func (x *session) hello(ctx context.Context, raw []byte) (any, error) {
	s := x.server
	// A newer client may know more fields: its build is looked at first.
	newer, err := peekBuild(raw)
	if err != nil {
		return nil, err
	}
	if newer.Build.replaces(s.cfg.Build) {
		return nil, s.handOver(newer.Build)
	}
	if newer.Protocol != ProtocolVersion {
		return nil, refusef(CodeRefused, "use one version of cloudops everywhere, or end the running daemon",
			"the daemon (version %s) speaks protocol %d, this program %d", s.cfg.Build.Version, ProtocolVersion, newer.Protocol)
	}
	p, err := Hello.Decode(raw)
	if err != nil {
		return nil, err
	}
	if err := CheckHome(s.cfg.Home, p.Environment.Workspaces); err != nil {
		return nil, err
	}
	if err := s.checkKeys(); err != nil {
		return nil, err
	}
	outdated := s.outdated()
	if outdated {
		if err := s.renew(); err != nil {
			return nil, err
		}
	}
	select {
	case <-s.startOpening():
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(helloTime):
	}

	if err := x.greet(p); err != nil {
		return nil, err
	}
	r := HelloResult{Protocol: ProtocolVersion, Build: s.cfg.Build, Session: x.id, PID: os.Getpid()}
	parts, err := s.opened()
	if err != nil {
		r.Problems = []string{err.Error()}
		return r, nil
	}
	r.StoreID = parts.StoreID
	if parts.Problem != nil {
		r.Problems = append(r.Problems, parts.Problem.Error())
	}
	r.Problems = append(r.Problems, (^need(0)).missing(parts)...)
	s.mu.Lock()
	r.Notices, parts.Notices = parts.Notices, nil
	s.mu.Unlock()
	if parts.Executor != nil {
		if closed := parts.Executor.PolicyProblem(); closed != "" {
			r.Notices = append(r.Notices, closed)
		}
	}
	if outdated {
		r.Notices = append(r.Notices, "config.yaml was changed: but for the policy, it counts once what runs now has ended")
	}
	return r, nil
}

func (x *session) greet(p HelloParams) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.greeted {
		return jsonrpc2.Errorf(jsonrpc2.InvalidRequest, "this connection has shaken hands already")
	}
	x.greeted, x.kind, x.interactive, x.cards, x.env = true, p.Kind, p.Interactive, p.Cards, p.Environment
	return nil
}

// peekBuild reads what decides who may speak, from any version's hello.
func peekBuild(raw []byte) (HelloParams, error) {
	var p struct {
		Protocol int   `json:"protocol"`
		Build    Build `json:"build"`
	}
	if err := wire.DecodeLoosely(raw, &p); err != nil {
		return HelloParams{}, err
	}
	return HelloParams{Protocol: p.Protocol, Build: p.Build}, nil
}

// environment is the session's AWS side with the profile that it selected. AWS
// files are refused inside the workspaces of all sessions: what a repository
// that is open anywhere says about credentials does not count.
func (x *session) environment() aws.Environment {
	workspaces := x.server.workspaces()
	x.mu.Lock()
	defer x.mu.Unlock()
	env := x.env
	env.Workspaces = workspaces
	return env
}

// client is for requests that reach AWS: bad settings end here, with what to do,
// and spoil nothing that memory can answer.
func (x *session) client(p *Parts) (*aws.Client, error) {
	who := p.Scanner.Sessions.Client(x.environment())
	return who, who.Check()
}

// origin says where a command came from.
func (x *session) origin() executor.Origin {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := executor.Origin{Session: x.id, Kind: x.kind, PID: x.peer.pid, Executable: x.peer.executable}
	if len(x.env.Workspaces) > 0 {
		o.Workspace = x.env.Workspaces[0]
	}
	return o
}
