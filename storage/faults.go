package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudops/cloudops/storage/endpoint"
	"github.com/cloudops/cloudops/storage/engine"
	inventory "github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

// Problem is stored data that was found damaged and passed over.
type Problem = engine.Problem

// faults collects damage found on the way. Safe for concurrent use.
type faults struct {
	endpoint *endpoint.Endpoint
	home     string
	// chat and estate are what the collections are called.
	chat, estate string

	mu sync.Mutex
	// found is by point id, or by what else it is about.
	found map[string]Problem
	// back are files that were lost and written back, by name.
	back map[string]Warning
}

func newFaults(e *endpoint.Endpoint, home string, cfg Config) *faults {
	return &faults{endpoint: e, home: home, chat: cfg.Collections.ChatHistory.Name, estate: cfg.Collections.AWSEstate.Name,
		found: map[string]Problem{}, back: map[string]Warning{}}
}

// writeBack has memory written back where a file of it was lost since.
func (f *faults) writeBack(keys *seal.Keys) {
	for _, m := range keys.Mend() {
		lost := fmt.Sprintf("%s was %s while the daemon ran", m.Name, m.Lost)
		about := "file " + m.Name
		if m.Err != nil {
			f.note(about, Problem{Message: fmt.Sprintf("%s, and could not be written back: %v", lost, m.Err),
				Mend: "the daemon goes on from memory: mend what is named, then look again with `cloudops status`"})
			continue
		}
		f.mended(about)
		f.mu.Lock()
		f.back[m.Name] = Warning{lost + "; it was written back from memory, and nothing of it is lost", "see to it that no other program changes the home"}
		f.mu.Unlock()
	}
}

// wroteBack lists the files that were.
func (f *faults) wroteBack() []Warning {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Warning, 0, len(f.back))
	for _, name := range slices.Sorted(maps.Keys(f.back)) {
		all = append(all, f.back[name])
	}
	return all
}

// add notes what is wrong with a point, and says whether that is new.
func (f *faults) add(collection, point string, err error) (fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.found[point]
	f.found[point] = Problem{Collection: collection, Point: point, Message: err.Error()}
	return !known
}

// note notes what is no point's.
func (f *faults) note(about string, p Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found[about] = p
}

// mended takes back what was said of points that were written again.
func (f *faults) mended(points ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range points {
		delete(f.found, p)
	}
}

// list is all damage known, what the endpoint found first.
func (f *faults) list() []Problem {
	all := append([]Problem{}, f.endpoint.Problems()...)
	f.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(f.found)) {
		if !slices.ContainsFunc(all, func(p Problem) bool { return p.Point == id }) {
			all = append(all, f.found[id])
		}
	}
	f.mu.Unlock()
	for _, k := range inventory.SetAside(f.home) {
		if strings.HasPrefix(k.Name, "data/qdrant/") { // the engine tells of its own
			continue
		}
		p := Problem{Message: fmt.Sprintf("%s was damaged and is made anew; the damaged one is kept as %s until you delete it", k.Name, k.Path), Mend: k.Mend}
		if k.Lost != "" {
			p.Message += ": " + k.Lost
		}
		all = append(all, p)
	}
	for i, p := range all {
		if p.Mend == "" {
			all[i].Mend = f.mend(p.Collection)
		}
	}
	return all
}

// mend is what to do about damage to a collection, which may go by its real name.
func (f *faults) mend(collection string) string {
	switch {
	case collection == "":
		return "look at the file; nothing else needs to be done"
	case strings.HasPrefix(collection, f.chat):
		return "what was said comes back from a backup of the home only; delete the conversation to be told no more"
	}
	return "read the accounts again: cloudops scan"
}

// points is the set of point ids that are damaged.
func (f *faults) points() map[string]bool {
	damaged := map[string]bool{}
	for _, p := range f.list() {
		damaged[p.Point] = true
	}
	return damaged
}

// wrap gives a client's error its meaning here.
func wrap(doing string, err error) error {
	var grpcErr interface{ GRPCStatus() *status.Status }
	if errors.As(err, &grpcErr) {
		s := grpcErr.GRPCStatus()
		switch s.Code() {
		case codes.DataLoss:
			text := strings.TrimPrefix(s.Message(), ErrCorrupt.Error()+": ")
			return fmt.Errorf("%s: %w: %s; restore the data folder from a backup, or move it away and scan again", doing, ErrCorrupt, text)
		case codes.Unavailable, codes.Aborted:
			text := strings.TrimPrefix(s.Message(), ErrUnavailable.Error()+": ")
			return fmt.Errorf("%s: %w: %s", doing, ErrUnavailable, text)
		case codes.Canceled:
			return fmt.Errorf("%s: %w", doing, context.Canceled)
		case codes.DeadlineExceeded:
			return fmt.Errorf("%s: %w", doing, context.DeadlineExceeded)
		}
		return fmt.Errorf("%s: Qdrant answered %s: %s", doing, s.Code(), s.Message())
	}
	return fmt.Errorf("%s: %w", doing, err)
}
