package plan

import (
	"fmt"
	"strings"
)

// rowsOff finds nodes whose rows were estimated far off. Only the lowest counts: a wrong estimate goes up through all
// joins above it.
//
// Three of three real ones were false before these guards: rows of a node that was stopped early say nothing about
// its estimate, and a handful of rows harms nobody.
func (p *Plan) rowsOff(i int) (level int, text, advice string) {
	n := &p.Nodes[i]
	factor := p.factor(i)
	if factor <= rowsFactor || max(n.ActualRows*n.Loops, n.EstimatedRows) < rowsMany && n.ExclusiveMS < worstMS {
		return 0, "", ""
	}
	for c := range p.children(i) {
		if p.factor(c) > rowsFactor {
			return 0, "", ""
		}
	}
	for level = 1; level < 3 && factor > rowsFactor*10; level++ {
		factor /= 10
	}
	factor = p.factor(i)
	each := ""
	if n.Loops > 1 {
		each = fmt.Sprintf(", on average of %s loops", count(n.Loops))
	}
	if n.Relation != "" {
		advice = "ANALYZE of the table may mend the estimate; for columns that depend on each other, CREATE STATISTICS."
	}
	return level, fmt.Sprintf("%s: %s rows estimated, %s came (%s times off)%s.", n.Name(), count(n.EstimatedRows), count(n.ActualRows), count(factor), each), advice
}

// factor is how many times a node's rows were off, at least 1; 1 where the rows say nothing.
func (p *Plan) factor(i int) float64 {
	n := &p.Nodes[i]
	switch n.Type {
	case "BitmapAnd", "BitmapOr", "ModifyTable": // these count no rows
		return 1
	}
	if !n.Estimated || !n.Analyzed || n.Loops == 0 || p.endedEarly(i) {
		return 1
	}
	estimated, actual := max(n.EstimatedRows, 1), max(n.ActualRows, 1)
	return max(estimated/actual, actual/estimated)
}

// endedEarly tells whether a node may have been stopped before its last row: below a Limit, as a side of a join that
// had enough, or in a subquery. What a Sort, a Hash or a hashed Aggregate reads it reads whole, whatever stops above.
func (p *Plan) endedEarly(i int) bool {
	for p.Nodes[i].Parent >= 0 {
		n := &p.Nodes[i]
		above := &p.Nodes[n.Parent]
		switch n.Relationship {
		case "SubPlan":
			return true // EXISTS takes one row
		case "InitPlan":
			if !strings.HasPrefix(n.Subplan, "CTE ") {
				return true
			}
		}
		switch above.Type {
		case "Limit", "Merge Join":
			return true
		case "Nested Loop":
			if n.Relationship == "Inner" && (above.InnerUnique || above.Join == "Semi" || above.Join == "Anti") {
				return true
			}
		case "Hash Join":
			if n.Relationship == "Outer" && p.emptyHash(n.Parent) {
				return true
			}
		case "Sort", "Hash", "ModifyTable", "Bitmap Heap Scan", "BitmapAnd", "BitmapOr":
			return false
		case "Aggregate":
			if above.Strategy != "Sorted" {
				return false
			}
		}
		i = n.Parent
	}
	return false
}

// emptyHash tells whether the inner side of a Hash Join had no rows, when the outer side is not read to its end.
func (p *Plan) emptyHash(join int) bool {
	hash := p.Nodes[join].hash
	return hash > 0 && p.Nodes[hash].ActualRows == 0
}
