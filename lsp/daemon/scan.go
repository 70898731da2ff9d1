package daemon

import (
	"context"
	"reflect"
	"sync"

	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/scanner"
	aws "github.com/cloudops/cloudops/scanner/session"
)

// scans lets one scan run at a time, shared by those who ask for the same.
type scans struct {
	// mu guards what follows, and the listeners of the current scan.
	mu       sync.Mutex
	current  *scan
	problems []string
}

// scanFunc is Scanner.Scan.
type scanFunc = func(context.Context, *aws.Client, scanner.Options, func(scanner.Progress)) (scanner.Result, error)

// scan is one scan under way. It belongs to its listeners: when the last one
// leaves it is cancelled.
type scan struct {
	who       *aws.Client
	options   scanner.Options
	cancel    context.CancelFunc
	done      chan struct{}
	listeners map[*func(scanner.Progress)]struct{}

	// result and err are set when done is closed.
	result scanner.Result
	err    error
}

// ProgressNote is one step of what Token names.
type ProgressNote struct {
	Token string `json:"token"`
	scanner.Progress
}

var NoteProgress = note[ProgressNote]("cloudops/progress",
	"How far a request is that was sent with a token; of steps that wait to be read only the last comes.")

// progress tells of a step, unless the request has no token or has ended.
func (x *session) progress(ctx context.Context, token string, p scanner.Progress) {
	if token != "" && ctx.Err() == nil {
		NoteProgress.to(x.conn, NoteProgress.Name+" "+token, ProgressNote{Token: token, Progress: p})
	}
}

// ScanParams asks for a scan. Token names its progress notes; "" for none.
type ScanParams struct {
	scanner.Options
	Token string `json:"token,omitempty"`
}

var EstateScan = request("cloudops/estate/scan", proposes|forwarded|command, needScanner,
	"Reads the accounts, and keeps what it finds; progress notes come on the way.", estateScan,
	texts("profiles", 1000, maxToken), texts("regions", 1000, maxToken), texts("services", 1000, maxToken), text("token", maxToken))

// estateScan runs a scan for this session, or joins the one that others asked
// for with the same options; a different one waits for its turn.
func estateScan(ctx context.Context, x *session, p *Parts, params ScanParams) (scanner.Result, error) {
	who, err := x.client(p)
	if err != nil {
		return scanner.Result{}, err
	}
	return x.server.scan(ctx, p.Scanner.Scan, who, params.Options, func(pr scanner.Progress) {
		x.progress(ctx, params.Token, pr)
	})
}

func (s *server) scan(ctx context.Context, run scanFunc, who *aws.Client, o scanner.Options, report func(scanner.Progress)) (scanner.Result, error) {
	for {
		job, mine := s.joinScan(run, who, o, &report)
		if !mine {
			report(scanner.Progress{Message: "waiting for another scan to finish"})
		}
		select {
		case <-job.done:
		case <-ctx.Done():
			s.scans.quit(job, &report)
			return scanner.Result{}, ctx.Err()
		}
		if mine {
			return job.result, job.err
		}
	}
}

// joinScan starts a scan or joins the same one; false means that a different
// one has to end first.
func (s *server) joinScan(run scanFunc, who *aws.Client, o scanner.Options, report *func(scanner.Progress)) (job *scan, mine bool) {
	s.scans.mu.Lock()
	defer s.scans.mu.Unlock()
	if job := s.scans.current; job != nil {
		same := len(job.listeners) > 0 && job.who.Same(who) && reflect.DeepEqual(job.options, o)
		if same {
			job.listeners[report] = struct{}{}
		}
		return job, same
	}
	ctx, cancel := context.WithCancel(s.work)
	job = &scan{
		who: who, options: o, cancel: cancel, done: make(chan struct{}),
		listeners: map[*func(scanner.Progress)]struct{}{report: {}},
	}
	s.scans.current = job
	s.enter()
	s.users.Go(func() {
		defer s.leave()
		defer cancel()
		// That a scan runs, and what it could not read, is part of the estate's status.
		s.estateChanged()
		defer s.estateChanged()
		s.runScan(ctx, run, job)
	})
	return job, true
}

func (s *server) runScan(ctx context.Context, run scanFunc, job *scan) {
	defer func() {
		s.scans.mu.Lock()
		defer s.scans.mu.Unlock()
		s.scans.current = nil
		s.scans.problems = nil
		for _, problem := range job.result.Problems {
			s.scans.problems = append(s.scans.problems, problem.String())
		}
		close(job.done)
	}()
	_, job.err = wire.Guard(s.log, "the scan", func() (_ any, err error) {
		job.result, err = run(ctx, job.who, job.options, func(pr scanner.Progress) {
			s.scans.mu.Lock()
			to := make([]*func(scanner.Progress), 0, len(job.listeners))
			for l := range job.listeners {
				to = append(to, l)
			}
			s.scans.mu.Unlock()
			for _, l := range to {
				(*l)(pr)
			}
		})
		return nil, err
	})
}

// quit takes a listener off; the last one's leaving cancels the scan.
func (s *scans) quit(job *scan, report *func(scanner.Progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, was := job.listeners[report]; !was {
		return
	}
	delete(job.listeners, report)
	if len(job.listeners) == 0 {
		job.cancel()
	}
}

// state says whether a scan runs, and what did not work in the last one.
func (s *scans) state() (running bool, problems []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil, s.problems
}
