package plan

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Name is the node as EXPLAIN's text form has it: "Parallel Seq Scan on events e".
func (n *Node) Name() string {
	name := n.Type
	switch {
	case name == "":
		name = "Node without a type"
	case name == "Aggregate":
		name = map[string]string{"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}[n.Strategy]
		if name == "" {
			name = "Aggregate"
		}
	case name == "ModifyTable" && n.Operation != "":
		name = n.Operation
	case n.Join != "" && n.Join != "Inner":
		name = strings.TrimSuffix(name, " Join") + " " + n.Join + " Join"
	}
	if n.PartialMode != "" && n.PartialMode != "Simple" {
		name = n.PartialMode + " " + name
	}
	if n.Parallel {
		name = "Parallel " + name
	}
	if n.Direction == "Backward" {
		name += " Backward"
	}
	on := " on "
	if n.Index != "" {
		if n.Type != "Bitmap Index Scan" {
			on = " using "
		}
		name += on + n.Index
		on = " on "
	}
	bare := n.Relation + n.CTE + n.Function // a node has one of them
	what := bare
	if n.Relation != "" && n.Schema != "" && n.Schema != "public" {
		what = n.Schema + "." + bare
	}
	if n.Alias != bare {
		what = strings.TrimSpace(what + " " + n.Alias)
	}
	if what != "" {
		name += on + what
	}
	return clip(name, 300)
}

// clip cuts a text for a sentence or a line. Names and values come from strangers and may be of any size.
func clip(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") + "…"
}

// ms writes milliseconds with three digits or so: 0.24 ms, 17.9 ms, 1,843 ms.
func ms(x float64) string {
	switch {
	case x >= 100:
		return count(x) + " ms"
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(x, 'f', 2, 64) + " ms"
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// count writes a whole number with commas: 600,000.
func count(x float64) string {
	digits := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
