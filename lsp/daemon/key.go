package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudops/cloudops/lsp/wire"
	"github.com/cloudops/cloudops/scanner"
	"github.com/cloudops/cloudops/storage/seal"
)

// resealAgain is how long to wait before values that could not be sealed anew
// are looked at once more.
const resealAgain = 10 * time.Minute

// resealing seals everything anew in the background after a rotation, one job at
// a time.
type resealing struct {
	// mu guards what follows.
	mu    sync.Mutex
	job   *resealJob
	state Resealing
}

// resealJob is one attempt. Its passes go on whether or not somebody listens.
type resealJob struct {
	done      chan struct{}
	listeners map[*func(done, total int)]struct{}
}

// reseal starts the job, or joins the one under way.
func (s *server) reseal(p *Parts) *resealJob {
	s.resealing.mu.Lock()
	defer s.resealing.mu.Unlock()
	if s.resealing.job != nil {
		return s.resealing.job
	}
	job := &resealJob{done: make(chan struct{}), listeners: map[*func(int, int)]struct{}{}}
	s.resealing.job = job
	s.enter()
	s.users.Go(func() {
		err := s.resealAll(s.work, p)
		s.leave()
		s.resealing.mu.Lock()
		s.resealing.job = nil
		s.resealing.state.Problem = ""
		if err != nil {
			s.resealing.state.Problem = err.Error()
		}
		s.resealing.mu.Unlock()
		close(job.done)
		if err == nil || s.work.Err() != nil {
			return
		}
		s.log.Warn("sealing anew after a rotation", "code", int(toWire(err).Code))
		select {
		case <-s.work.Done():
		case <-time.After(resealAgain):
			s.reseal(p)
		}
	})
	return job
}

// resealAll passes over the store until nothing is left, then lets the earlier
// keys go.
func (s *server) resealAll(ctx context.Context, p *Parts) (err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("internal error while sealing anew (%T)", e)
		}
	}()
	if p.Store == nil || p.Executor == nil {
		return errors.New("the store or the audit log is not open")
	}
	for p.Keys.Rotating() {
		r, err := p.Store.Reseal(ctx, s.resealing.report)
		if err != nil {
			return err
		}
		if r.Done > 0 {
			continue
		}
		if r.Unreadable > 0 {
			return fmt.Errorf("%d values can't be read, so the earlier keys are kept: `cloudops scan` writes damaged resources again, `cloudops doctor` names what is damaged", r.Unreadable)
		}
		report, err := p.Executor.Verify()
		if err != nil {
			return err
		}
		if !report.OK {
			return errors.New("the audit log does not hold, so the earlier keys are kept; look with `cloudops audit verify`")
		}
		if err := p.Keys.Retire(uint64(report.Records)); err != nil {
			return err
		}
		if err := p.Executor.RecordLocal("everything is sealed anew under key " + p.Keys.Status().Keys[0].ID + "; earlier keys open audit records only"); err != nil {
			return err
		}
	}
	return nil
}

func (r *resealing) report(done, total int) {
	r.mu.Lock()
	r.state.Done, r.state.Total = done, total
	var to []*func(done, total int)
	if r.job != nil {
		for l := range r.job.listeners {
			to = append(to, l)
		}
	}
	r.mu.Unlock()
	for _, l := range to {
		(*l)(done, total)
	}
}

func (s *server) keyState(p *Parts) KeyStatusResult {
	r := KeyStatusResult{StoreID: p.StoreID, Status: p.Keys.Status()}
	if p.Keys.Rotating() {
		s.resealing.mu.Lock()
		state := s.resealing.state
		s.resealing.mu.Unlock()
		r.Resealing = &state
	}
	return r
}

// KeyStatusResult tells of the keys; nothing in it is secret.
type KeyStatusResult struct {
	StoreID string `json:"store_id"`
	seal.Status
	// Resealing is there while values of earlier keys are sealed anew.
	Resealing *Resealing `json:"resealing,omitempty"`
}

// Resealing is how far the sealing anew after a rotation is.
type Resealing struct {
	// Done of Total values were looked at in this pass.
	Done  int `json:"done"`
	Total int `json:"total"`
	// Problem is why earlier keys are kept for now.
	Problem string `json:"problem,omitempty"`
}

var KeyStatus = request("cloudops/key/status", reads, needKeys,
	"Tells of the keys; nothing in it is secret.", keyStatus)

func keyStatus(_ context.Context, x *session, p *Parts, _ none) (KeyStatusResult, error) {
	return x.server.keyState(p), nil
}

// KeyRotateParams asks for new keys. Token names the progress notes of sealing
// all anew; "" for none.
type KeyRotateParams struct {
	Token string `json:"token,omitempty"`
}

// KeyRotateResult is how the keys are when all is sealed anew, or cannot be.
type KeyRotateResult struct {
	// Renewed: the key-encryption key is a new one too.
	Renewed bool `json:"key_encryption_key_renewed"`
	KeyStatusResult
}

var KeyRotate = request("cloudops/key/rotate", 0, needKeys|needStore|needExecutor,
	"Makes new keys, once a person at the terminal confirmed it, and seals everything anew.", keyRotate,
	text("token", maxToken))

// keyRotate makes new keys, unless a rotation is under way, and waits until all
// is sealed anew. Who leaves before does not stop that.
func keyRotate(ctx context.Context, x *session, p *Parts, params KeyRotateParams) (KeyRotateResult, error) {
	s, renewed := x.server, false
	if !p.Keys.Rotating() {
		var err error
		if renewed, err = x.rotate(ctx, p); err != nil {
			return KeyRotateResult{}, err
		}
	}
	job := s.reseal(p)
	listen := func(done, total int) {
		x.progress(ctx, params.Token, scanner.Progress{Done: done, Total: total, Message: "sealing everything anew"})
	}
	s.resealing.mu.Lock()
	job.listeners[&listen] = struct{}{}
	s.resealing.mu.Unlock()
	select {
	case <-job.done:
	case <-ctx.Done():
		s.resealing.mu.Lock()
		delete(job.listeners, &listen)
		s.resealing.mu.Unlock()
		return KeyRotateResult{}, ctx.Err()
	}
	return KeyRotateResult{Renewed: renewed, KeyStatusResult: s.keyState(p)}, nil
}

// rotate makes new keys after a person at the terminal confirmed it.
func (x *session) rotate(ctx context.Context, p *Parts) (renewed bool, err error) {
	status := p.Keys.Status()
	exported := "No recovery file was made yet: without one, whoever loses the new key loses the store (cloudops key export FILE)."
	if !status.Exported.IsZero() {
		exported = "Your recovery file does not hold the new key: make another one afterwards (cloudops key export FILE)."
	}
	err = x.confirm(ctx, p.Executor, "Rotate the keys of this store", "rotate",
		"A new key seals from now on, and everything stored is sealed anew in the background.",
		"The key in "+status.Source+" is replaced too, unless only you can do that.",
		"Copies of this home made before open with the old key only, which is then gone.",
		exported)
	if err != nil {
		return false, err
	}
	if renewed, err = p.Keys.Rotate(); err != nil {
		return false, err
	}
	if err := p.Executor.RecordLocal("the keys were rotated: key " + p.Keys.Status().Keys[0].ID + " seals from now on"); err != nil {
		x.server.log.Error("recording a rotation", "code", int(toWire(err).Code))
	}
	return renewed, nil
}

// KeyExportParams names the one who can open the export; see seal.NewExport.
type KeyExportParams struct {
	Recipient string `json:"recipient"`
}

// KeyExportResult is what seal.Export makes a recovery file of.
type KeyExportResult struct {
	Parcel []byte `json:"parcel"`
}

var KeyExport = request("cloudops/key/export", 0, needKeys|needExecutor,
	"Hands the keys over to this terminal, encrypted for one recipient, once the person there confirmed it.", keyExport,
	needed("recipient", 200))

// keyExport hands the keys over, encrypted for the process that knows the
// passphrase, after a person at that very terminal confirmed it.
func keyExport(ctx context.Context, x *session, p *Parts, params KeyExportParams) (KeyExportResult, error) {
	err := x.confirm(ctx, p.Executor, "Export the keys of this store to a recovery file", "export",
		"Whoever has the file and its passphrase reads everything stored, in every copy of this home.",
		"Keep the file away from this machine, and the passphrase apart from the file.")
	if err != nil {
		return KeyExportResult{}, err
	}
	parcel, err := p.Keys.Export(params.Recipient)
	if err != nil {
		return KeyExportResult{}, wire.Invalid("%v", err)
	}
	x.mu.Lock()
	x.exporting = true
	x.mu.Unlock()
	return KeyExportResult{Parcel: parcel}, nil
}

var KeyExported = request("cloudops/key/exported", 0, needKeys|needExecutor,
	"Says that the recovery file of this session's export is written.", keyExported)

// keyExported notes that the recovery file of this session's export is written.
func keyExported(_ context.Context, x *session, p *Parts, _ none) (KeyStatusResult, error) {
	x.mu.Lock()
	exporting := x.exporting
	x.exporting = false
	x.mu.Unlock()
	if !exporting {
		return KeyStatusResult{}, refusef(CodeRefused, "export them with: cloudops key export FILE", "nothing was exported in this session")
	}
	status := p.Keys.Status()
	if err := p.Executor.RecordLocal("a recovery file was made with the keys up to " + status.Keys[0].ID); err != nil {
		return KeyStatusResult{}, err
	}
	if err := p.Keys.Exported(); err != nil {
		return KeyStatusResult{}, err
	}
	return x.server.keyState(p), nil
}
