package profile

import (
	"cmp"
	"slices"
)

// Call is what one function called of another.
type Call struct {
	Name  string `json:"name"`           // the other function
	Calls int64  `json:"calls,omitzero"` // 0 for Samples
	// MS is the time in the callee while the caller had called it. With recursion between several functions the times
	// of Edges may overlap, and add up to more than the callee's total.
	MS float64 `json:"ms"`
}

// Butterfly returns the callers and the callees of a function, the longest first; calls of a function by itself are in
// neither. A profile of kind Spans has none: Spans are a tree already. Each call reads the whole profile, some µs to ms.
func (p *Profile) Butterfly(function string) (callers, callees []Call) {
	at := slices.IndexFunc(p.Functions, func(f Function) bool { return f.Name == function })
	if at < 0 {
		return nil, nil
	}
	f := int32(at)
	for _, e := range p.edges {
		switch {
		case e.to == f && e.from != outside:
			callers = append(callers, Call{p.Functions[e.from].Name, whole(e.calls), e.ms})
		case e.from == f:
			callees = append(callees, Call{p.Functions[e.to].Name, whole(e.calls), e.ms})
		}
	}
	if len(p.tree.nodes) > 0 {
		callers, callees = p.sampledButterfly(f)
	}
	for _, calls := range [][]Call{callers, callees} {
		slices.SortFunc(calls, func(a, b Call) int { return cmp.Or(cmp.Compare(b.MS, a.MS), cmp.Compare(a.Name, b.Name)) })
	}
	return callers, callees
}

// sampledButterfly counts each sample once for a pair of caller and callee, however often the pair is in its stack.
func (p *Profile) sampledButterfly(f int32) (callers, callees []Call) {
	type pair struct {
		ms     float64
		active int // how often it is on the way from the root
		seen   bool
	}
	from, to := make([]pair, len(p.Functions)), make([]pair, len(p.Functions))
	find := func(n int32) *pair {
		node := &p.tree.nodes[n]
		caller := p.tree.nodes[node.parent].function
		switch {
		case caller < 0 || caller == node.function:
			return nil
		case node.function == f:
			return &from[caller]
		case caller == f:
			return &to[node.function]
		}
		return nil
	}
	p.tree.walk(func(n int32) {
		if call := find(n); call != nil {
			if call.seen = true; call.active == 0 {
				call.ms += p.tree.nodes[n].total
			}
			call.active++
		}
	}, func(n int32) {
		if call := find(n); call != nil {
			call.active--
		}
	})
	for i := range p.Functions {
		if from[i].seen {
			callers = append(callers, Call{Name: p.Functions[i].Name, MS: from[i].ms})
		}
		if to[i].seen {
			callees = append(callees, Call{Name: p.Functions[i].Name, MS: to[i].ms})
		}
	}
	return callers, callees
}
