package profile

// Step is one function on the hot path.
type Step struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"` // of its call by the step before, of the first step its total
	// Callers counts the functions that called this one, the levels of a recursion apart: 1 or more, where one is the root's
	// caller that nobody sees. It is 0 for Samples.
	Callers int `json:"callers,omitzero"`
	// Shared says that this function or one before it has several callers: from here on the time may belong to another path.
	Shared bool `json:"shared,omitzero"`
}

// sampledPath follows the heaviest node from the root of the tree to a leaf.
func sampledPath(t *tree, functions []Function) (path []Step) {
	for n := t.nodes[0].first; n != 0; n = t.nodes[n].first {
		path = append(path, Step{Name: functions[t.nodes[n].function].Name, MS: t.nodes[n].total})
	}
	return path
}

// hotPath follows the longest call from the longest root until a function calls nothing. It goes by vertices: a middleware that is called within itself is another vertex each time.
func hotPath(calls []call, vertices []vertex, functions []Function) (path []Step) {
	longest := make([]int32, len(vertices)) // call out of each vertex, its index + 1
	var start call
	for i, c := range calls {
		switch {
		case c.from == outside:
			if c.wall > start.wall {
				start = c
			}
		case longest[c.from] == 0 || c.wall > calls[longest[c.from]-1].wall:
			longest[c.from] = int32(i + 1)
		}
	}
	for i := range vertices { // a root may have no entry
		if v := &vertices[i]; v.isRoot() && v.in.wall > start.wall {
			start = call{from: outside, to: int32(i), figures: v.in}
		}
	}
	if start.wall == 0 {
		return nil
	}
	met := make([]bool, len(vertices))
	shared := false
	for c := start; !met[c.to] && len(path) < maxDepth; {
		v := &vertices[c.to]
		met[c.to] = true
		if !v.twin {
			shared = shared || v.callers > 1
			f := &functions[v.function]
			path = append(path, Step{Name: f.Name, MS: min(c.wall/1e3, f.TotalMS), Callers: max(1, v.callers), Shared: shared})
		}
		if longest[c.to] == 0 {
			break
		}
		c = calls[longest[c.to]-1]
	}
	return path
}
