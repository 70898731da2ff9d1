package daemon

import (
	"time"
)

const (
	// maxSessions bounds the connections at once, maxOfOne those of one process.
	maxSessions = 128
	maxOfOne    = 32
	// maxRefused bounds the connections that are told why they are refused, and
	// refusalTime how long each may take to ask.
	maxRefused  = 16
	refusalTime = 2 * time.Second
	// idleAge is how long a session has had nothing to do before it makes way for
	// one of another process, silentAge how long it may not have shaken hands.
	idleAge   = 10 * time.Second
	silentAge = time.Second
)

// admit takes a session in. Where there is no room, the one that has been idle
// for longest makes way: its client, if it still has one, comes back when it
// needs to. Where all are at work the new one is told so. False means that
// there is not even room for that.
func (s *server) admit(x *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	var open, own []*session
	for y := range s.sessions {
		if y.refusal != nil {
			continue
		}
		open = append(open, y)
		if x.peer.pid != 0 && y.peer.pid == x.peer.pid {
			own = append(own, y)
		}
	}
	var out *session
	switch {
	case len(own) >= maxOfOne:
		if out = idlest(own, s.now(), 0, 0); out == nil {
			x.refusal = refusef(CodeFull, "end what it no longer needs", "process %d has %d sessions open, and all of them are at work", x.peer.pid, len(own))
		}
	case len(open) >= maxSessions:
		if out = idlest(open, s.now(), idleAge, silentAge); out == nil {
			x.refusal = refusef(CodeFull, "try again in a moment, or close editors and programs that use cloudops", "%d sessions are open, and all of them are at work", len(open))
		}
	}
	if x.refusal != nil && len(s.sessions)-len(open) >= maxRefused {
		return false
	}
	if out != nil {
		delete(s.sessions, out)
		out.conn.Close()
		s.log.Info("a session makes way", "session", out.id)
	}
	s.sessions[x] = struct{}{}
	s.users.Add(1)
	return true
}

// idlest is the session that has had nothing to do for longest, and for at least
// an age; those that did not shake hands come first. Nil where there is none.
func idlest(sessions []*session, now time.Time, greeted, silent time.Duration) (found *session) {
	var since time.Time
	ready := true
	for _, x := range sessions {
		at, idle := x.conn.Idle()
		r, age := x.ready(), silent
		if r {
			age = greeted
		}
		if !idle || now.Sub(at) < age || r && !ready {
			continue
		}
		if found == nil || ready && !r || at.Before(since) {
			found, since, ready = x, at, r
		}
	}
	return found
}
