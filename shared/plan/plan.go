// Package plan reads the plans that PostgreSQL's auto_explain and EXPLAIN (FORMAT JSON) write: the tree and what each
// node cost, what is wrong with it in sentences, its shape, and its lines as a page or a terminal shows them.
//
// Plans come from strangers, with or without ANALYZE, from any version: Parse takes any bytes, and what it cannot
// read it says in a sentence. A figure that a plan does not give is missing, never 0.
package plan

import (
	"fmt"
)

// What is read of one plan. Sizes beyond them are cut, and a note says so.
const (
	MaxBytes = 4 << 20 // bytes of JSON; a record has no more
	MaxNodes = 10_000  // nodes, and so lines
	MaxDepth = 512     // levels of the tree
)

// A Plan is one statement's plan, as one execution used it.
type Plan struct {
	Nodes    []Node    // in the order of the text: each before its children; none: Notes say why
	Findings []Finding // what is wrong, most milliseconds first
	Notes    []string  // sentences: why there is no tree, what was cut
	Text     string    // a plan that the log cut off, as it was sent; Mask hides its literals
	Settings []Setting // what differed from the server's defaults

	Timed       bool    // there are times: ANALYZE ran, with TIMING
	TotalMS     float64 // the whole execution, if Timed: Execution Time where it is given, else the root's time
	ExecutionMS float64 // Execution Time; auto_explain gives none (0)
	PlanningMS  float64 // Planning Time; auto_explain gives none (0)
	JITMS       float64 // time to compile, part of the execution; 0 when there was none
	TriggersMS  float64 // time in triggers, part of the execution
}

// A Setting is one of Settings: "work_mem", "64kB".
type Setting struct{ Name, Value string }

// A Node is one step of a plan. Rows and times of the plan are means over its loops; TotalMS and ExclusiveMS are sums.
type Node struct {
	Parent, Depth int // index of the parent, -1 for the root; 0 for the root
	end           int // index behind the last node below this one
	hash          int // index of the Hash right below a Hash Join, 0 for none

	Type         string // "Seq Scan", "Hash Join"
	Relationship string // to the parent: "Outer", "Inner", "InitPlan", "SubPlan", "Member", "Subquery"
	Subplan      string // "CTE x", "InitPlan 1 (returns $0)"
	Parallel     bool   // Parallel Aware
	InnerUnique  bool   // the join stops at the first match
	Join         string // Join Type: "Inner", "Left", "Semi"
	Strategy     string // of Aggregate and SetOp: "Plain", "Sorted", "Hashed", "Mixed"
	PartialMode  string // "Simple", "Partial", "Finalize"
	Operation    string // of ModifyTable: "Insert"
	Schema       string
	Relation     string
	Alias        string
	Index        string
	Direction    string // Scan Direction: "Forward", "Backward"
	CTE          string
	Function     string
	Conditions   []Condition // Filter, Index Cond, Sort Key, …, with their literals

	Estimated     bool // EstimatedRows is given
	EstimatedRows float64

	Analyzed           bool // ActualRows and Loops are given
	ActualRows         float64
	Loops              float64 // over all workers; 0: never executed
	RemovedByFilter    float64 // rows a loop
	RemovedByRecheck   float64 // rows a loop
	HeapFetches        float64 // in all loops
	ExactBlocks, Lossy float64 // Exact and Lossy Heap Blocks

	Timed       bool    // TotalMS and ExclusiveMS are given
	meanMS      float64 // Actual Total Time
	TotalMS     float64 // mean × loops / (workers + 1): time on the clock, with what is below
	ExclusiveMS float64 // TotalMS less what is below and less the CTEs and InitPlans that this node waited for
	Share       float64 // of ExclusiveMS in the plan's TotalMS, 0 to 1

	SharedHit, SharedRead, SharedDirtied, SharedWritten float64 // blocks (of 8 kB by default), with what is below
	TempRead, TempWritten                               float64 // blocks, with what is below
	OwnTemp                                             float64 // blocks of TempWritten, less what is below

	Planned, Launched float64 // workers of a Gather
	workers           float64 // launched by the nearest Gather above
	SortMethod        string
	SortSpace         float64 // kB, all workers together
	OnDisk            bool    // the sort used SortSpace on disk
	HashBatches       float64 // of Hash and Aggregate; more than 1: it did not fit into memory
	DiskUsage         float64 // kB, of an Aggregate that did not fit, all workers together

	mentions []string // the InitPlans whose results its expressions name: "$0", "InitPlan 1"
}

// A Condition is an expression of a node: "Filter", "(a = 'x'::text)".
type Condition struct{ Name, Text string }

// Parse reads the profiling_data of a Postgres record: EXPLAIN's JSON object, {} for none, {"text": …} for a plan that
// was cut off. It never fails: a Plan without Nodes has a note that says why.
func Parse(payload []byte) *Plan {
	p := &Plan{}
	if len(payload) > MaxBytes {
		p.note("The plan is larger than 4 MiB and was not read.")
		return p
	}
	r := &reader{text: string(payload)}
	if c := r.peek(); c != '{' && c != '[' { // PHP writes [] for an empty object
		p.note("What came as the plan is not a JSON object.")
		return p
	}
	kind := "" // the member that tells what was sent
	empty := true
	for name := range r.members() {
		empty = false
		switch name {
		case "Plan":
			if r.peek() == '{' && len(p.Nodes) == 0 {
				p.node(r, -1, 0)
			}
		case "text":
			p.Text = r.string()
			kind = name
		case "spans":
			kind = name
		case "Settings":
			for name := range r.members() {
				p.Settings = append(p.Settings, Setting{name, r.string()})
			}
		case "Planning Time":
			p.PlanningMS = r.number()
		case "Execution Time":
			p.ExecutionMS = r.number()
		case "JIT":
			p.JITMS = r.jit()
		case "Triggers":
			p.TriggersMS = r.triggers()
		}
	}
	switch {
	case len(p.Nodes) > 0:
		p.relate()
		p.times()
		p.Findings = p.find()
	case kind == "text":
		p.note("The log cut this plan off; what is left of it is shown as text.")
	case kind == "spans":
		p.note("The plan came as spans, which are not drawn as a tree.")
	case empty:
		p.note("No plan was sent: auto_explain logs one only for statements above its threshold, and never for a statement that failed.")
	default:
		p.note("What came as the plan has no Plan in it.")
	}
	return p
}

func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// setting returns the value of a setting, "" when the plan does not name it.
func (p *Plan) setting(name string) string {
	for _, s := range p.Settings {
		if s.Name == name {
			return s.Value
		}
	}
	return ""
}

// jit reads the time that Just-in-Time compilation took, in ms.
func (r *reader) jit() (ms float64) {
	for name := range r.members() {
		if name != "Timing" {
			continue
		}
		for name := range r.members() {
			if name == "Total" {
				ms = r.number()
			}
		}
	}
	return ms
}

// triggers reads the time in all triggers, in ms.
func (r *reader) triggers() (ms float64) {
	for range r.elements() {
		for name := range r.members() {
			if name == "Time" {
				ms += r.number()
			}
		}
	}
	return ms
}
