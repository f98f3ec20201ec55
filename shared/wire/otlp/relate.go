package otlp

import (
	"bytes"
	"cmp"
	"slices"
)

// relate finds out which request or statement each span is a part of.
//
// A plan's nodes are parts of the statement above them, up to the next statement. An SDK's spans are parts of the request
// above them, up to the next request; those below none are of the trace's first, for it is the request that a client's batch is
// about, and a parent may come in another body. So no span is in two requests, however many a trace has.
func (d *decoder) relate() {
	d.charge(len(d.spans) * 16) // order, path, and parts that grew
	if d.err != nil {
		return
	}
	d.order = make([]int32, len(d.spans))
	for i := range d.order {
		d.order[i] = int32(i)
		if s := &d.spans[i]; s.role.isServer() {
			s.role = roleIn(s.scope.name) // which may stand behind its spans
		}
	}
	slices.SortFunc(d.order, func(a, b int32) int {
		s, t := &d.spans[a], &d.spans[b]
		return cmp.Or(bytes.Compare(s.trace[:], t.trace[:]), bytes.Compare(s.id[:], t.id[:]), cmp.Compare(a, b))
	})
	for i := range d.spans {
		if s := &d.spans[i]; s.role == planOrRun {
			if p := d.parent(s); p != none {
				d.spans[p].ran = true
			}
		}
	}
	d.findOwners()
	for i, s := range slices.Backward(d.spans) {
		if s.owner != none && !s.role.owns() {
			owner := &d.spans[s.owner]
			d.spans[i].next, owner.first = owner.first, int32(i)
		}
	}
}

// find returns a span of the body.
func (d *decoder) find(trace [16]byte, id [8]byte) int32 {
	at, ok := slices.BinarySearchFunc(d.order, 0, func(i int32, _ int) int {
		s := &d.spans[i]
		return cmp.Or(bytes.Compare(s.trace[:], trace[:]), bytes.Compare(s.id[:], id[:]))
	})
	if !ok {
		return none
	}
	return d.order[at]
}

// parent returns a span's parent, if that is in the body and came from the same side.
func (d *decoder) parent(s *span) int32 {
	p := d.find(s.trace, s.parent)
	if p != none && d.spans[p].role.isServer() != s.role.isServer() {
		return none
	}
	return p
}

func (d *decoder) findOwners() {
	const visited, unknown = -2, -3
	for i := range d.spans {
		d.spans[i].owner = unknown
	}
	var path []int32
	for i := range d.spans {
		path = path[:0]
		var owner int32
		for at := int32(i); ; at = owner {
			s := &d.spans[at]
			if s.owner != unknown {
				owner = max(s.owner, none) // it was visited: spans that are their own ancestors have no owner
				break
			}
			s.owner = visited
			path = append(path, at)
			if owner = d.parent(s); owner == none || d.spans[owner].role.owns() {
				break
			}
		}
		for _, at := range path {
			d.spans[at].owner = owner
		}
	}
	// Those without one are the first request's.
	for from := 0; from < len(d.order); {
		to, first := from, int32(none)
		for ; to < len(d.order) && d.spans[d.order[to]].trace == d.spans[d.order[from]].trace; to++ {
			if i := d.order[to]; d.spans[i].role == request && (first == none || i < first) {
				first = i
			}
		}
		for _, i := range d.order[from:to] {
			if s := &d.spans[i]; s.owner == none && !s.role.isServer() && s.role != request {
				s.owner = first
			}
		}
		from = to
	}
}
