package profile

import (
	"cmp"
	"slices"
)

// Span is a timed operation of OpenTelemetry.
type Span struct {
	Name       string  `json:"name"`
	Depth      int     `json:"depth"`       // 0 for a span whose parent is not in the profile
	StartMS    float64 `json:"start_ms"`    // since the first span's start
	DurationMS float64 `json:"duration_ms"` // at least 0
	SelfMS     float64 `json:"self_ms"`     // without its children; 0 when these overlap and fill it
	Database   bool    `json:"database,omitzero"`

	statement bool // it ran a statement
}

// spanNode is a span on its way into the tree.
type spanNode struct {
	Span
	id, parent  string
	start, end  uint64 // Unix ns
	first, next int32  // first child, next sibling: index + 1, 0 is none
}

// parseSpans reads spans as OTLP writes them in JSON; c stands at their array. A parent that is not among them makes a
// root; spans that are their own ancestors are left out.
func parseSpans(c cursor) *Profile {
	p := &Profile{Kind: Spans, KnownStacks: 1}
	var nodes []spanNode
	byID := make(map[string]int32)
	for range c.elements() {
		n, ok := readSpan(&c)
		if _, twice := byID[n.id]; !ok || twice && n.id != "" {
			p.Skipped++
			continue
		}
		byID[n.id] = int32(len(nodes))
		nodes = append(nodes, n)
	}

	// Siblings are linked in order of their start: the last first, each in front.
	byStart := make([]int32, len(nodes))
	for i := range byStart {
		byStart[i] = int32(i)
	}
	slices.SortFunc(byStart, func(a, b int32) int {
		return cmp.Or(cmp.Compare(nodes[a].start, nodes[b].start), cmp.Compare(a, b))
	})
	firstRoot := int32(0)
	for _, i := range slices.Backward(byStart) {
		n := &nodes[i]
		if parent, ok := byID[n.parent]; ok && n.parent != "" {
			n.next, nodes[parent].first = nodes[parent].first, i+1
			nodes[parent].SelfMS -= n.DurationMS
		} else {
			n.next, firstRoot = firstRoot, i+1
			p.TotalMS += n.DurationMS
		}
	}
	if len(nodes) > 0 {
		p.layOut(nodes, firstRoot, nodes[byStart[0]].start)
	}
	p.Skipped += len(nodes) - len(p.Spans)
	p.noteSkipped("Spans")
	p.joinSpans()
	return p
}

// layOut sets Spans in order of the tree, without recursion.
func (p *Profile) layOut(nodes []spanNode, firstRoot int32, start uint64) {
	p.Spans = make([]Span, 0, len(nodes))
	stack := []int32{firstRoot} // the next sibling at each depth
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		if at == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		n := &nodes[at-1]
		s := n.Span
		s.Depth, s.StartMS = len(stack)-1, ms(n.start-start)
		s.SelfMS = max(0, s.DurationMS+s.SelfMS)
		p.Spans = append(p.Spans, s)
		stack[len(stack)-1] = n.next
		stack = append(stack, n.first)
	}
}

func ms(ns uint64) float64 { return float64(ns) / 1e6 }

// joinSpans computes the functions: the spans by name.
func (p *Profile) joinSpans() {
	var names names
	ids := make([]int32, len(p.Spans))
	for i, s := range p.Spans {
		ids[i] = names.add(s.Name)
	}
	functions := names.functions()
	active := make([]int, len(functions))
	var stack []int32
	for i, s := range p.Spans {
		for len(stack) > s.Depth {
			active[stack[len(stack)-1]]--
			stack = stack[:len(stack)-1]
		}
		f := &functions[ids[i]]
		f.Calls++
		f.SelfMS += s.SelfMS
		if active[ids[i]] == 0 {
			f.TotalMS += s.DurationMS
		}
		active[ids[i]]++
		stack = append(stack, ids[i])
	}
	for i := range functions {
		f := &functions[i]
		f.TotalMS = min(f.TotalMS, p.TotalMS)
		f.SelfMS = min(f.SelfMS, f.TotalMS)
	}
	p.Functions, _ = order(functions, nil)
}

func readSpan(c *cursor) (n spanNode, ok bool) {
	if c.peek() != '{' {
		c.skip()
		return n, false
	}
	text, started, ended := false, false, false
	for field := range c.members() {
		switch string(field) {
		case "name":
			n.Name = c.string()
		case "spanId":
			n.id = c.string()
		case "parentSpanId":
			n.parent = c.string()
		case "startTimeUnixNano":
			n.start, started = c.nanoseconds()
		case "endTimeUnixNano":
			n.end, ended = c.nanoseconds()
		case "attributes":
			for range c.elements() {
				for member := range c.members() {
					if string(member) != "key" {
						continue
					}
					switch c.string() {
					case "db.system", "db.system.name":
						n.Database = true
					case "db.statement", "db.query.text":
						text = true
					}
				}
			}
		}
	}
	n.DurationMS = ms(n.end - n.start)
	// A statement has its text, but PDO::prepare has it too, and PDOStatement::execute has none.
	n.statement = n.Database && (runsStatement(n.Name) || text && !databaseFunction(n.Name))
	return n, started && ended && n.end >= n.start && n.DurationMS <= limit
}
