package profile

import "slices"

// Flame is a flame graph laid out for drawing: the rows of boxes from the root down, and what is not drawn.
type Flame struct {
	Boxes []Box `json:"boxes"` // each stands behind the box above it; siblings from left to right, the widest first
	Rows  int   `json:"rows"`  // the deepest box's depth + 1

	// Cut counts the boxes that are left out, and CutMS is the sum of their self times. Their place in the graph stays blank:
	// the boxes that are drawn have the same figures with a cut and without.
	Cut   int     `json:"cut"`
	CutMS float64 `json:"cut_ms"`
}

// Box is one function in one stack.
type Box struct {
	X       float64 `json:"x"`     // left edge, a share of the whole profile, 0 to 1
	Width   float64 `json:"width"` // likewise
	Depth   int     `json:"depth"` // 0 is the first row
	Name    string  `json:"name"`
	SelfMS  float64 `json:"self_ms"`
	TotalMS float64 `json:"total_ms"`
	File    string  `json:"file,omitzero"`
	Line    int     `json:"line,omitzero"`
	Origin  Origin  `json:"origin,omitzero"`
}

// Flame lays out a profile of kind Samples; one of another kind has no boxes, see NoFlameGraph. Boxes narrower than
// minShare of the profile are cut, and the narrowest until there are at most maxBoxes.
func (p *Profile) Flame(minShare float64, maxBoxes int) Flame {
	var flame Flame
	if p.TotalMS <= 0 || len(p.tree.nodes) < 2 {
		return flame
	}
	least, ties := p.leastTotal(minShare, maxBoxes)
	next := []float64{0} // where the next box of each depth begins
	p.tree.walk(func(n int32) {
		node := &p.tree.nodes[n]
		depth := len(next) - 1
		x, width := next[depth], min(1, node.total/p.TotalMS)
		next[depth] += width
		next = append(next, x)
		if node.total < least || node.total == least && ties == 0 {
			flame.Cut++
			flame.CutMS += node.self
			return
		}
		if node.total == least {
			ties--
		}
		f := &p.Functions[node.function]
		flame.Boxes = append(flame.Boxes, Box{
			X: min(x, 1-width), Width: width, Depth: depth, Name: f.Name, SelfMS: node.self, TotalMS: node.total,
			File: f.File, Line: f.Line, Origin: f.Origin,
		})
		flame.Rows = max(flame.Rows, depth+1)
	}, func(int32) { next = next[:len(next)-1] })
	return flame
}

// leastTotal returns the weight that a node needs to be drawn, and how many of just that weight may be. A node above is never lighter,
// and is asked first: what is drawn is always a tree.
func (p *Profile) leastTotal(minShare float64, maxBoxes int) (least float64, ties int) {
	totals := make([]float64, 0, len(p.tree.nodes))
	for _, n := range p.tree.nodes[1:] {
		if n.total >= minShare*p.TotalMS {
			totals = append(totals, n.total)
		}
	}
	maxBoxes = max(0, maxBoxes)
	if len(totals) <= maxBoxes {
		return minShare * p.TotalMS, len(totals)
	}
	if maxBoxes == 0 {
		return p.TotalMS, 0
	}
	slices.Sort(totals)
	totals = totals[len(totals)-maxBoxes:]
	least = totals[0]
	for ties < len(totals) && totals[ties] == least {
		ties++
	}
	return least, ties
}
