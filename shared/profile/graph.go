package profile

import "strings"

// XHProf writes "caller==>callee" for an edge and "callee" alone for a function that nothing called. A call of f within
// f is f@1, within that f@2: a vertex here is such a name with its level, a function joins the levels.

// outside is the caller of a function that nothing called.
const outside = -1

// vertex is a function at one level of recursion.
type vertex struct {
	function int32
	level    int32
	in       figures // sum of the edges into it
	out      float64 // wall time of the edges out of it
	callers  int     // distinct, outside included
	caller   int32   // the last of them
	callees  int     // distinct
	twin     bool    // is a builtin's second entry
	root     bool    // has an entry without a caller
	outside  float64 // its wall time
}

// isRoot tells that nothing called the vertex, as far as the profile says.
func (v *vertex) isRoot() bool { return v.callers == 0 || v.callers == 1 && v.root }

// figures are what an edge measured: calls, µs and bytes.
type figures struct{ calls, wall, cpu, memory, peak float64 }

func (f *figures) add(g figures) {
	f.calls += g.calls
	f.wall += g.wall
	f.cpu += g.cpu
	f.memory += g.memory
	f.peak += g.peak
}

// call is an edge between vertices as it was sent.
type call struct {
	from, to int32
	place    int32 // in the text
	figures
}

// graph sums what goes into and out of each vertex, and names the functions.
func graph(sent []string, calls []call) ([]vertex, []Function) {
	vertices := make([]vertex, len(sent))
	var joined names
	for i, v := range sent {
		name, level := splitLevel(v)
		vertices[i] = vertex{function: joined.add(name), level: level, caller: outside}
	}
	for _, c := range calls {
		to := &vertices[c.to]
		to.in.add(c.figures)
		to.callers++
		to.caller = c.from
		if c.from == outside {
			to.root, to.outside = true, c.wall
			continue
		}
		from := &vertices[c.from]
		from.out += c.wall
		from.callees++
	}
	// Of a root whose own entry is missing or too short, the time is that of its callees.
	for i := range vertices {
		if v := &vertices[i]; v.isRoot() {
			v.in.wall = max(v.in.wall, v.out)
		}
	}
	// tideways lists each builtin twice: X==>strlen, and strlen==>strlen@1 as all that strlen does.
	for _, c := range calls {
		if c.from == outside || c.from == c.to {
			continue
		}
		from, to := &vertices[c.from], &vertices[c.to]
		to.twin = from.function == to.function && to.level == from.level+1 && from.callees == 1 && to.callers == 1 &&
			from.in.calls == c.calls && !strings.Contains(joined.list[to.function], "{closure")
	}
	return vertices, joined.functions()
}

// splitLevel cuts f@2 into f and 2.
func splitLevel(name string) (function string, level int32) {
	at := strings.LastIndexByte(name, '@')
	if at <= 0 || at == len(name)-1 || len(name)-at > 9 {
		return name, 0
	}
	for _, d := range name[at+1:] {
		if d < '0' || d > '9' {
			return name, 0
		}
		level = level*10 + d - '0'
	}
	return name[:at], level
}

// knownStacks tells which vertices have one caller all the way up, and their share of self time.
func knownStacks(vertices []vertex) (one []bool, share float64) {
	one = make([]bool, len(vertices))
	seen := make([]bool, len(vertices)) // a vertex that is seen and not yet known to have one stack is shared, or on a cycle
	var path []int32
	var sum, all float64
	for i := range vertices {
		at := int32(i)
		for path = path[:0]; at != outside && !seen[at]; {
			seen[at] = true
			path = append(path, at)
			if vertices[at].callers > 1 {
				break
			}
			at = vertices[at].caller
		}
		known := at == outside || one[at]
		for _, on := range path {
			one[on] = known
		}
		self := max(0, vertices[i].in.wall-vertices[i].out)
		all += self
		if one[i] {
			sum += self
		}
	}
	if all > 0 {
		share = sum / all
	}
	return one, share
}
