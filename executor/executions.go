package executor

import (
	"slices"
	"sync"
)

// view remembers where in the audit log each execution's newest record is. The
// log itself is the record; memory grows by a few words an execution.
type view struct {
	mu     sync.Mutex // guards what follows
	byID   map[string]*seen
	byPlan map[string]*seen
	order  []string // in the order they were planned
}

type seen struct {
	at           span
	kind         string
	conversation string
}

func newView() *view { return &view{byID: map[string]*seen{}, byPlan: map[string]*seen{}} }

// note takes in a record of the log.
func (v *view) note(e Entry, at span) {
	if e.Execution == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.byID[e.Execution.ID]
	if s == nil {
		s = &seen{}
		v.byID[e.Execution.ID], v.byPlan[e.Execution.PlanID] = s, s
		v.order = append(v.order, e.Execution.ID)
	}
	s.at, s.kind, s.conversation = at, e.Kind, e.Execution.Origin.Conversation
}

// open lists the executions whose outcome is not recorded.
func (v *view) open() []span {
	v.mu.Lock()
	defer v.mu.Unlock()
	var spans []span
	for _, id := range v.order {
		if s := v.byID[id]; slices.Contains([]string{"planned", "approved", "claimed", "started"}, s.kind) {
			spans = append(spans, s.at)
		}
	}
	return spans
}

// newest lists the executions of a conversation, newest first.
func (v *view) newest(conversation string, limit int) []span {
	v.mu.Lock()
	defer v.mu.Unlock()
	var spans []span
	for _, id := range slices.Backward(v.order) {
		if limit > 0 && len(spans) == limit {
			break
		}
		if s := v.byID[id]; conversation == "" || s.conversation == conversation {
			spans = append(spans, s.at)
		}
	}
	return spans
}

// find goes by the id of an execution or of its plan.
func (v *view) find(id string) (span, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.byID[id]
	if s == nil {
		s = v.byPlan[id]
	}
	if s == nil {
		return span{}, false
	}
	return s.at, true
}
