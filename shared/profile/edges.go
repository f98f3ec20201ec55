package profile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// maxEdges bounds what a stranger's profile may cost. Real ones of 4 MiB have some 30,000 edges.
const maxEdges = 1 << 16

// edge joins the calls from one function to another, at all levels. Calls of a function by itself are in none.
type edge struct {
	from, to int32
	calls    float64
	ms       float64 // µs while join sums it
}

// edgeReader gathers the edges of one profile.
type edgeReader struct {
	vertices names
	calls    []call
	skipped  int
	beyond   int // edges behind maxEdges
	cpu      bool
	memory   bool
	peak     bool
}

// read takes one member of the profile; c stands at its value.
func (r *edgeReader) read(name []byte, c *cursor) {
	var f figures
	good, timed := c.peek() == '{', false
	for field := range c.members() {
		var into *float64
		switch string(field) {
		case "ct":
			into = &f.calls
		case "wt":
			into, timed = &f.wall, true
		case "cpu":
			into, r.cpu = &f.cpu, true
		case "mu":
			into, r.memory = &f.memory, true
		case "pmu":
			into, r.peak = &f.peak, true
		default:
			continue
		}
		n, ok := c.number()
		*into, good = n, good && ok
	}
	// Edges may have counts alone. A clock that was set back gives a negative time; memory may well be negative.
	f.calls, f.wall, f.cpu = max(0, f.calls), max(0, f.wall), max(0, f.cpu)
	caller, callee, called := bytes.Cut(c.text(name), []byte("==>"))
	if !good || !timed && f.calls == 0 || len(caller) == 0 || called && len(callee) == 0 {
		r.skipped++
		return
	}
	if len(r.calls) == maxEdges {
		r.beyond++
		return
	}
	if r.calls == nil {
		r.calls = make([]call, 0, min(maxEdges, 2+bytes.Count(c.b, []byte("==>"))))
	}
	edge := call{from: outside, place: int32(len(r.calls)), figures: f}
	if called {
		edge.from = r.vertices.id(caller)
		edge.to = r.vertices.id(callee)
	} else {
		edge.to = r.vertices.id(caller)
	}
	r.calls = append(r.calls, edge)
}

// profile computes the functions. The order of the edges in the text makes no difference.
func (r *edgeReader) profile() *Profile {
	p := &Profile{Kind: Edges, HasCPU: r.cpu, HasMemory: r.memory, HasPeak: r.peak}
	r.dropDuplicates()
	p.Skipped = r.skipped
	p.noteSkipped("Edges")
	if r.beyond > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("The profile is larger than a page can show: its last %d edges are left out.", r.beyond))
	}
	vertices, functions := graph(r.vertices.list, r.calls)
	_, p.KnownStacks = knownStacks(vertices)

	lowest := make([]int32, len(functions)) // the vertex whose time holds that of the deeper ones
	for i := range lowest {
		lowest[i] = -1
	}
	calls, self := make([]float64, len(functions)), make([]float64, len(functions))
	total, twins := 0.0, false
	for i := range vertices {
		v := &vertices[i]
		self[v.function] += v.in.wall - v.out
		if !v.twin {
			calls[v.function] += v.in.calls
		} else {
			functions[v.function].Origin, twins = Builtin, true
		}
		if low := lowest[v.function]; low < 0 || v.level < vertices[low].level {
			lowest[v.function] = int32(i)
		}
		switch {
		case v.isRoot():
			total += v.in.wall
		case v.root:
			total += v.outside
		}
	}
	if total == 0 { // a cycle without a root
		for i := range functions {
			total = max(total, vertices[lowest[i]].in.wall)
		}
	}
	p.TotalMS = total / 1e3
	for i := range functions {
		f, in := &functions[i], vertices[lowest[i]].in
		f.TotalMS, f.CPUMS = min(in.wall, total)/1e3, in.cpu/1e3
		f.SelfMS = min(max(0, self[i]/1e3), f.TotalMS)
		f.Calls, f.MemoryBytes, f.PeakMemoryBytes = whole(calls[i]), whole(in.memory), whole(in.peak)
	}
	p.HotPath = hotPath(r.calls, vertices, functions)
	p.join(r.calls, vertices, functions)
	p.guessOrigins(twins)
	return p
}

// dropDuplicates keeps the last of each edge, as most JSON readers do, and leaves the edges in order.
func (r *edgeReader) dropDuplicates() {
	slices.SortFunc(r.calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.place, b.place))
	})
	kept := r.calls[:0]
	for _, c := range r.calls {
		if n := len(kept); n > 0 && kept[n-1].from == c.from && kept[n-1].to == c.to {
			kept[n-1] = c
			r.skipped++
			continue
		}
		kept = append(kept, c)
	}
	r.calls = kept
}

// join orders the functions and joins the calls between them.
func (p *Profile) join(calls []call, vertices []vertex, functions []Function) {
	var moved []int32
	p.Functions, moved = order(functions, nil)
	edges := make([]edge, 0, len(calls))
	for _, c := range calls {
		e := edge{from: outside, to: moved[vertices[c.to].function], calls: c.calls, ms: c.wall}
		if c.from != outside {
			e.from = moved[vertices[c.from].function]
		}
		if e.from != e.to {
			edges = append(edges, e)
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	kept := edges[:0]
	for _, e := range edges {
		if n := len(kept); n > 0 && kept[n-1].from == e.from && kept[n-1].to == e.to {
			kept[n-1].calls += e.calls
			kept[n-1].ms += e.ms
			continue
		}
		kept = append(kept, e)
	}
	// Calls within a recursion count their time twice; no more than the whole time was there.
	for i := range kept {
		kept[i].ms = min(kept[i].ms/1e3, p.Functions[kept[i].to].TotalMS)
	}
	p.edges = kept
}
