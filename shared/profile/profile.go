// Package profile computes what a page shows of one record's profiling_data: functions with their self and total
// times, who calls whom, the hot path, the time in the database, and a flame graph where the profile can tell one.
//
// Three kinds of profile come from PHP. XHProf's edges count the calls from one function to another. Excimer's samples
// are whole stacks with weights. OpenTelemetry's spans are timed operations with parents. Edges forget the stack, so
// that only samples have a flame graph.
//
// A profile comes from a stranger: Parse never fails and never panics. What makes no sense is left out and counted, and
// 0 <= self <= total <= the profile's total always holds. The package knows no HTTP and no store.
package profile

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
)

// Kind tells what a profile was made from.
type Kind string

const (
	Edges   Kind = "edges"   // XHProf, tideways_xhprof: calls and times of caller and callee
	Samples Kind = "samples" // Excimer: speedscope document or collapsed stacks
	Spans   Kind = "spans"   // OpenTelemetry: {"spans":[…]}
	None    Kind = "none"    // {}: the agent sent no profile
	Unknown Kind = "unknown" // none of the above; Notes say why
)

// NoFlameGraph tells the reader why a profile of kind Edges has no flame graph.
const NoFlameGraph = "XHProf records which function called which, not whole stacks: a flame graph of it would be invented. Excimer samples whole stacks."

// Profile does not change once parsed: several goroutines may read it. All times are milliseconds.
type Profile struct {
	Kind  Kind
	Notes []string // sentences for the reader: what is missing, left out, or assumed

	// TotalMS is the time of the whole profile: the sum of its samples, or of its roots for Edges and Spans. Of root spans
	// that overlap each counts.
	TotalMS float64

	// Functions have unique names. They are ordered by self time, largest first, then by name. For Spans they are the spans
	// joined by name.
	Functions []Function

	// HotPath follows the longest call from the longest root. Spans have none.
	HotPath []Step

	// Spans are there for that kind only. Each span stands before its children, and siblings are ordered by start.
	Spans []Span

	// KnownStacks is the share of self time, 0 to 1, that lies in functions with one known stack: one caller all the way
	// up. It is 1 for Samples and Spans.
	KnownStacks float64

	// Skipped counts the edges, stacks and spans that made no sense and are left out.
	Skipped int

	HasCPU, HasMemory, HasPeak bool // whether the profiler measured these

	edges []edge
	tree  tree // Samples
}

// Function is a function's part in a profile. Recursion is joined: f@1, which is XHProf's name for f called within f, counts as f.
type Function struct {
	Name string `json:"name"`
	// Calls is 0 for Samples, which do not count calls. Builtins that tideways lists twice count once.
	Calls int64 `json:"calls,omitzero"`
	// SelfMS is the time in the function itself, without the functions that it called.
	SelfMS float64 `json:"self_ms"`
	// TotalMS is the time from its start to its end. A call within a call of the same function counts once.
	TotalMS float64 `json:"total_ms"`

	// The next three are totals as well. Only Edges have them, and only when the profile's HasCPU, HasMemory or HasPeak is
	// set. Memory is what was allocated less what was freed, in bytes; it may be negative.
	CPUMS           float64 `json:"cpu_ms,omitzero"`
	MemoryBytes     int64   `json:"memory_bytes,omitzero"`
	PeakMemoryBytes int64   `json:"peak_memory_bytes,omitzero"`

	File   string `json:"file,omitzero"` // of Samples, when the profile names it
	Line   int    `json:"line,omitzero"`
	Origin Origin `json:"origin,omitzero"`
}

// Parse reads profiling_data, whose shape tells its kind. A text that is no profile has kind Unknown and a note.
// Parse keeps nothing of raw.
func Parse(raw []byte) *Profile {
	c := cursor{b: raw}
	var edges edgeReader
	var samples, spans func() *Profile
	var frames, members int
	periodMS := 0.0
	for name := range c.members() {
		members++
		value := c
		switch first := c.peek(); {
		case string(name) == "spans" && first == '[':
			spans = func() *Profile { return parseSpans(value) }
		case string(name) == "shared" && first == '{':
			frames = c.i
		case string(name) == "profiles" && first == '[':
			samples = func() *Profile { return parseSpeedscope(cursor{b: raw, i: frames}, value) }
		case (string(name) == "collapsed" || string(name) == "stacks") && first == '"':
			samples = func() *Profile { return parseCollapsed(value, periodMS) }
		case string(name) == "period_ms":
			periodMS, _ = c.number()
		default:
			edges.read(name, &c)
		}
	}
	c.bad = c.bad || c.peek() != 0 || c.i < len(c.b)
	switch {
	case c.bad:
		return unknown("The profile is not JSON that can be read.")
	case spans != nil:
		return spans()
	case samples != nil:
		return samples()
	case len(edges.calls) > 0:
		return edges.profile()
	case members == 0 && len(bytes.Trim(raw, " \n\r\t{}[]")) == 0:
		return &Profile{Kind: None, Notes: []string{"The agent sent no profile."}}
	}
	return unknown("The profile has no shape that the listener reads: XHProf edges, collapsed stacks, a speedscope document, or spans.")
}

func unknown(note string) *Profile { return &Profile{Kind: Unknown, Notes: []string{note}} }

// noteSkipped adds the sentence on what was skipped.
func (p *Profile) noteSkipped(what string) {
	if p.Skipped > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s that made no sense and are left out: %d.", what, p.Skipped))
	}
}

// names gives each name a number, in order of appearance.
type names struct {
	ids  map[string]int32
	list []string
}

func (n *names) id(name []byte) int32 {
	if id, ok := n.ids[string(name)]; ok {
		return id
	}
	return n.add(string(name))
}

func (n *names) add(name string) int32 {
	if id, ok := n.ids[name]; ok {
		return id
	}
	if n.ids == nil {
		n.ids = make(map[string]int32)
	}
	id := int32(len(n.list))
	n.ids[name] = id
	n.list = append(n.list, name)
	return id
}

// functions returns a function for each name, without times.
func (n *names) functions() []Function {
	functions := make([]Function, len(n.list))
	for i, name := range n.list {
		functions[i].Name = name
	}
	return functions
}

// whole is x as an integer that JSON and its readers hold exactly.
func whole(x float64) int64 { return int64(min(max(x, -limit), limit)) }

// order sorts the functions, those in used alone when it is not nil, for the reader. moved is each one's new index.
func order(functions []Function, used []bool) (sorted []Function, moved []int32) {
	by := make([]int32, 0, len(functions))
	for i := range functions {
		if used == nil || used[i] {
			by = append(by, int32(i))
		}
	}
	slices.SortFunc(by, func(a, b int32) int {
		f, g := &functions[a], &functions[b]
		return cmp.Or(cmp.Compare(g.SelfMS, f.SelfMS), cmp.Compare(f.Name, g.Name))
	})
	sorted, moved = make([]Function, len(by)), make([]int32, len(functions))
	for to, from := range by {
		sorted[to], moved[from] = functions[from], int32(to)
	}
	return sorted, moved
}
