package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Line is one node as a page, JSON or a terminal draws it.
type Line struct {
	Node          int      `json:"node"`                     // index in Plan.Nodes
	Depth         int      `json:"depth"`                    // 0: the root
	Label         string   `json:"label,omitempty"`          // "CTE tree", "InitPlan 1 (returns $0)"
	Text          string   `json:"text"`                     // Node.Name
	ExclusiveMS   *float64 `json:"exclusive_ms,omitempty"`   // these four are missing where the plan does not give them
	Share         *float64 `json:"share,omitempty"`          // of the plan, 0 to 1
	EstimatedRows *float64 `json:"estimated_rows,omitempty"` // a loop
	ActualRows    *float64 `json:"actual_rows,omitempty"`    // a loop
	Loops         *float64 `json:"loops,omitempty"`          // 0: never executed
	Marks         []string `json:"marks,omitempty"`          // kinds of the findings at this node
	Conditions    []string `json:"conditions,omitempty"`     // "Filter: (a = ?)"
	Details       []string `json:"details,omitempty"`        // memory, workers, buffers
}

// Lines returns the tree, a line a node. Literals in conditions are masked unless values is true.
func (p *Plan) Lines(values bool) []Line {
	marks := map[int][]string{}
	for _, f := range p.Findings {
		if !slices.Contains(marks[f.Node], f.Kind) {
			marks[f.Node] = append(marks[f.Node], f.Kind)
		}
	}
	lines := make([]Line, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		l := Line{Node: i, Depth: n.Depth, Label: clip(n.Subplan, 300), Text: n.Name(), Marks: marks[i], Details: n.details()}
		if n.Timed {
			l.ExclusiveMS, l.Share = &n.ExclusiveMS, &n.Share
		}
		if n.Estimated {
			l.EstimatedRows = &n.EstimatedRows
		}
		if n.Analyzed {
			l.ActualRows, l.Loops = &n.ActualRows, &n.Loops
		}
		for _, c := range n.Conditions {
			text := c.Text
			if !values {
				text = masked(text)
			}
			l.Conditions = append(l.Conditions, c.Name+": "+clip(text, 2000))
		}
		lines[i] = l
	}
	return lines
}

// details are what a node says beside its rows and times.
func (n *Node) details() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if n.Analyzed && n.Loops == 0 {
		add("never executed")
	}
	if n.RemovedByFilter > 0 {
		add("%s rows removed by the filter", count(n.RemovedByFilter*n.Loops))
	}
	if n.SortMethod != "" {
		where := "in memory"
		if n.OnDisk {
			where = "on disk"
		}
		add("%s, %s kB %s", clip(n.SortMethod, 40), count(n.SortSpace), where)
	}
	if n.HashBatches > 1 {
		add("%s batches", count(n.HashBatches))
	}
	if n.Planned > 0 {
		add("%s of %s workers", count(n.Launched), count(n.Planned))
	}
	if n.HeapFetches > 0 {
		add("%s heap fetches", count(n.HeapFetches))
	}
	if n.Lossy > 0 {
		add("%s exact and %s lossy blocks", count(n.ExactBlocks), count(n.Lossy))
	}
	if hit, read := n.SharedHit, n.SharedRead; hit+read > 0 {
		add("buffers: %s hit, %s read", count(hit), count(read))
	}
	if n.OwnTemp > 0 {
		add("buffers: %s temporary written", count(n.OwnTemp))
	}
	return all
}

// String draws the line in at most 100 columns, for a terminal: own time, share, rows as estimated and as they came, the node, its marks.
func (l Line) String() string {
	var b strings.Builder
	cell := func(width int, x *float64, write func(float64) string) {
		text := ""
		if x != nil {
			text = write(*x)
		}
		fmt.Fprintf(&b, "%*s ", width, text)
	}
	cell(10, l.ExclusiveMS, ms)
	cell(5, l.Share, percent)
	cell(9, l.EstimatedRows, short)
	b.WriteString("→")
	cell(9, l.ActualRows, short)
	cell(6, l.Loops, func(x float64) string { return "×" + short(x) })
	name := l.Text
	if l.Label != "" {
		name = l.Label + ": " + name
	}
	if len(l.Marks) > 0 {
		name += "  ! " + strings.Join(l.Marks, ", ")
	}
	b.WriteString(strings.Repeat("  ", min(max(l.Depth, 0), 20)) + name)
	line := []rune(strings.Map(func(r rune) rune { // names may hold what a terminal obeys
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, b.String()))
	if len(line) > 100 {
		return string(line[:99]) + "…"
	}
	return string(line)
}

// short writes a number of rows in at most 7 characters or so: 13,939 and 1.2M.
func short(x float64) string {
	switch {
	case x >= 1e9:
		return fmt.Sprintf("%.3gG", x/1e9)
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	}
	return count(x)
}
