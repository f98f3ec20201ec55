package plan

import (
	"regexp"
	"strings"
)

// node reads the node at hand and what is below it.
func (p *Plan) node(r *reader, parent, depth int) {
	if len(p.Nodes) == MaxNodes || depth == MaxDepth {
		if len(p.Notes) == 0 {
			p.note("The plan is cut at %s nodes and %d levels; times of nodes whose children are cut include them.", count(MaxNodes), MaxDepth)
		}
		r.skip()
		return
	}
	i := len(p.Nodes)
	p.Nodes = append(p.Nodes, Node{}) // its place, before its children's
	n := Node{Parent: parent, Depth: depth}
	var rows, loops, timed bool
	for name := range r.members() {
		switch name {
		case "Plans":
			for range r.elements() {
				if r.peek() == '{' {
					p.node(r, i, depth+1)
				}
			}
		case "Node Type":
			n.Type = r.string()
		case "Parent Relationship":
			n.Relationship = r.string()
		case "Subplan Name":
			n.Subplan = r.string()
		case "Parallel Aware":
			n.Parallel = r.isTrue()
		case "Inner Unique":
			n.InnerUnique = r.isTrue()
		case "Join Type":
			n.Join = r.string()
		case "Strategy":
			n.Strategy = r.string()
		case "Partial Mode":
			n.PartialMode = r.string()
		case "Operation":
			n.Operation = r.string()
		case "Schema":
			n.Schema = r.string()
		case "Relation Name":
			n.Relation = r.string()
		case "Alias":
			n.Alias = r.string()
		case "Index Name":
			n.Index = r.string()
		case "Scan Direction":
			n.Direction = r.string()
		case "CTE Name":
			n.CTE = r.string()
		case "Function Name", "Table Function Name", "Tuplestore Name":
			n.Function = r.string()
		case "Plan Rows":
			n.EstimatedRows, n.Estimated = r.figure()
		case "Actual Rows":
			n.ActualRows, rows = r.figure()
		case "Actual Loops":
			n.Loops, loops = r.figure()
		case "Actual Total Time":
			n.meanMS, timed = r.figure()
		case "Rows Removed by Filter":
			n.RemovedByFilter = r.number()
		case "Rows Removed by Index Recheck":
			n.RemovedByRecheck = r.number()
		case "Heap Fetches":
			n.HeapFetches = r.number()
		case "Exact Heap Blocks":
			n.ExactBlocks = r.number()
		case "Lossy Heap Blocks":
			n.Lossy = r.number()
		case "Shared Hit Blocks":
			n.SharedHit = r.number()
		case "Shared Read Blocks":
			n.SharedRead = r.number()
		case "Shared Dirtied Blocks":
			n.SharedDirtied = r.number()
		case "Shared Written Blocks":
			n.SharedWritten = r.number()
		case "Temp Read Blocks":
			n.TempRead = r.number()
		case "Temp Written Blocks":
			n.TempWritten = r.number()
		case "Workers Planned":
			n.Planned = r.number()
		case "Workers Launched":
			n.Launched = r.number()
		case "Workers":
			for range r.elements() {
				for name := range r.members() {
					n.memory(r, name)
				}
			}
		default:
			if !n.memory(r, name) {
				n.expression(r, name)
			}
		}
	}
	n.Analyzed = rows && loops
	n.Timed = n.Analyzed && timed
	n.end = len(p.Nodes)
	p.Nodes[i] = n
}

// memory reads what a node, or one of its workers, says about memory and disk.
func (n *Node) memory(r *reader, name string) bool {
	switch name {
	case "Sort Method":
		n.SortMethod = r.string()
	case "Sort Space Used":
		n.SortSpace += r.number()
	case "Sort Space Type":
		n.OnDisk = r.string() == "Disk" || n.OnDisk
	case "Hash Batches", "HashAgg Batches":
		n.HashBatches = max(n.HashBatches, r.number())
	case "Disk Usage":
		n.DiskUsage += r.number()
	default:
		return false
	}
	return true
}

// expression reads a member that may hold expressions: one string, or an array of them.
func (n *Node) expression(r *reader, name string) {
	var texts []string
	switch r.peek() {
	case '"':
		texts = []string{r.string()}
	case '[':
		for range r.elements() {
			if r.peek() == '"' {
				texts = append(texts, r.string())
			}
		}
	default:
		return
	}
	for _, text := range texts {
		if strings.Contains(text, "$") || strings.Contains(text, "InitPlan") {
			n.mentions = append(n.mentions, initPlan.FindAllString(text, 100)...)
		}
	}
	if isCondition(name) && len(texts) > 0 {
		n.Conditions = append(n.Conditions, Condition{name, strings.Join(texts, ", ")})
	}
}

// initPlan finds what an expression names a result of an InitPlan by: $0, and since PostgreSQL 17 (InitPlan 1).col1.
var initPlan = regexp.MustCompile(`\$[0-9]+|InitPlan [0-9]+`)

// isCondition tells the expressions that a line shows. Output is not among them: it is long and says little.
func isCondition(name string) bool {
	switch name {
	case "Order By", "Remote SQL", "Run Condition":
		return true
	}
	for _, ending := range []string{"Cond", "Filter", "Key", "Call"} {
		if strings.HasSuffix(name, ending) {
			return true
		}
	}
	return false
}

// condition returns an expression of the node by its name.
func (n *Node) condition(name string) string {
	for _, c := range n.Conditions {
		if c.Name == name {
			return c.Text
		}
	}
	return ""
}

// children yields the indexes of the nodes right below node i.
func (p *Plan) children(i int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for c := i + 1; c < p.Nodes[i].end && yield(c); c = p.Nodes[c].end {
		}
	}
}
