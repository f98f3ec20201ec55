package pgagent

import (
	"maps"
	"slices"
	"time"

	"github.com/bitville/listener/localdev/agent/tail"
)

// holder keeps statements until the log has told all of them, by session: what ran inside of another statement is
// logged before it, without its comment, and a plan and a duration are two entries.
type holder struct {
	sessions map[string]*session
	bytes    int // of the plans and texts that are held

	ready []*executed // whose ids are settled, in order
}

type session struct {
	nested []*executed
	last   *executed // a plan or a duration whose other half may come; nil for none
}

const (
	forCaller   = time.Minute     // how long a nested statement waits
	forDuration = time.Second     // how long a plan waits for its duration, which is logged at once
	forPlan     = 5 * time.Second // how long a duration waits for its plan, which is logged when the portal is closed
	maxHeld     = 32 << 20        // bytes
)

func (x *executed) size() int { return len(x.raw) + len(x.plan.json) + len(x.plan.text) + 1024 }

// add takes what comes next in the log.
func (h *holder) add(x *executed, now time.Time) {
	if x.kind == none {
		return
	}
	x.since = now
	s := h.sessions[x.Session]
	if s == nil {
		s = &session{}
		h.sessions[x.Session] = s
	}
	if x.nested {
		// It belongs to a statement that is still to come, and says so by its query id.
		if len(s.nested) > 0 && s.nested[0].QueryID != x.QueryID {
			h.release(s, nil)
		}
		s.nested = append(s.nested, x)
		h.bytes += x.size()
		if h.bytes > maxHeld {
			h.release(s, nil)
		}
		return
	}
	h.release(s, x)
	if last := s.last; last != nil {
		s.last = nil
		h.bytes -= last.size()
		if both := joined(last, x); both != nil {
			h.ready = append(h.ready, both)
			return
		}
		h.ready = append(h.ready, last)
	}
	if x.kind == planned || x.extended {
		s.last = x
		h.bytes += x.size()
		return
	}
	h.ready = append(h.ready, x)
}

// release gives the nested statements of a session the id of their caller, if it is that. Those of another caller, which
// the log did not tell, keep what application_name told of them.
func (h *holder) release(s *session, caller *executed) {
	for _, n := range s.nested {
		if caller != nil && caller.calls(n) {
			n.id, n.caller = caller.id, caller
		}
		h.bytes -= n.size()
		h.ready = append(h.ready, n)
	}
	s.nested = nil
}

// expire ends the waits that have lasted too long. At the end of the log all of them end.
func (h *holder) expire(now time.Time, all bool) {
	for _, name := range slices.Sorted(maps.Keys(h.sessions)) {
		s := h.sessions[name]
		if s.last != nil {
			wait := forDuration
			if s.last.kind == timed {
				wait = forPlan
			}
			if all || now.Sub(s.last.since) >= wait {
				h.bytes -= s.last.size()
				h.ready = append(h.ready, s.last)
				s.last = nil
			}
		}
		if len(s.nested) > 0 && (all || now.Sub(s.nested[0].since) >= forCaller) {
			h.release(s, nil)
		}
		if s.last == nil && len(s.nested) == 0 {
			delete(h.sessions, name)
		}
	}
}

// held returns what is still waited for.
func (h *holder) held() (items []tail.Item) {
	for _, s := range h.sessions {
		for _, x := range s.nested {
			items = append(items, x.Item)
		}
		if s.last != nil {
			items = append(items, s.last.Item)
		}
	}
	slices.SortFunc(items, func(a, b tail.Item) int { return int(a.Offset - b.Offset) })
	return items
}
