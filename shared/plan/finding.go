package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// When something is a finding. The factors and shares are the field's conventions (pev2, pgAdmin, depesz).
const (
	worstShare   = 0.4    // of the plan, in one node
	worstMS      = 5      // and that much time
	rowsFactor   = 10     // rows and their estimate; 100 and 1,000 are louder
	rowsMany     = 1_000  // a wrong estimate of fewer rows matters only if the node took worstMS
	scanRows     = 10_000 // rows that a Seq Scan read
	removedShare = 0.9    // of the rows read, removed by a filter
	indexRows    = 1_000  // rows that an index gave
	fetchShare   = 0.4    // of the rows of an Index Only Scan, fetched from the table
	innerLoops   = 1_000  // runs of the inner side of a Nested Loop
	innerShare   = 0.4    // of the plan, in that inner side
	planShare    = 0.3    // of the statement, in planning or JIT
	blockKB      = 8      // a block, unless the server was built with another size
	maxFindings  = 100    // of one plan; the largest stay
	planMS       = 1      // and that much time: a statement of 0.1 ms is planned longer than it runs
)

// A Finding says one thing that is wrong with a plan.
type Finding struct {
	Kind       string   `json:"kind"`                  // worst_node, rows_off, seq_scan, index_filter, spilled, lossy_bitmap, nested_loop, workers, planning
	ExplainsMS *float64 `json:"explains_ms,omitempty"` // time that it may explain; nil where the plan has no times
	Text       string   `json:"text"`                  // what was seen, a sentence with its figures; no literals
	Advice     string   `json:"advice,omitempty"`      // what to do, one line
	Level      int      `json:"level"`                 // 1; 2 and 3: rows off by more than 100 and 1,000 times
	Node       int      `json:"node"`                  // index in Plan.Nodes; -1: the whole plan
}

// rules look at one node each; "" is no finding.
var rules = []struct {
	kind string
	find func(p *Plan, i int) (text, advice string)
}{
	{"seq_scan", (*Plan).seqScan},
	{"index_filter", (*Plan).indexFilter},
	{"spilled", (*Plan).spilled},
	{"lossy_bitmap", (*Plan).lossyBitmap},
}

// find returns what is wrong, most milliseconds first.
func (p *Plan) find() []Finding {
	var all []Finding
	add := func(kind, text, advice string, node, level int, explains float64) {
		f := Finding{Kind: kind, Text: text, Advice: advice, Level: level, Node: node}
		if p.Timed || node < 0 {
			f.ExplainsMS = &explains
		}
		all = append(all, f)
	}
	if i, text, advice := p.worst(); text != "" {
		add("worst_node", text, advice, i, 1, p.Nodes[i].ExclusiveMS)
	}
	for i, n := range p.Nodes {
		if level, text, advice := p.rowsOff(i); text != "" {
			add("rows_off", text, advice, i, level, n.ExclusiveMS)
		}
		for _, r := range rules {
			if text, advice := r.find(p, i); text != "" {
				add(r.kind, text, advice, i, 1, n.ExclusiveMS)
			}
		}
		if inner, text, advice := p.nestedLoop(i); text != "" {
			add("nested_loop", text, advice, i, 1, inner)
		}
		if lost, text, advice := p.fewWorkers(i); text != "" {
			add("workers", text, advice, i, 1, lost)
		}
	}
	for _, f := range p.planning() {
		add("planning", f.text, f.advice, -1, 1, f.ms)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(b.explains(), a.explains()) })
	if len(all) > maxFindings {
		p.note("%s smaller findings are left out.", count(float64(len(all)-maxFindings)))
		all = all[:maxFindings]
	}
	return all
}

func (f Finding) explains() float64 {
	if f.ExplainsMS == nil {
		return -1
	}
	return *f.ExplainsMS
}

// worst finds the node that most of the time went into.
func (p *Plan) worst() (node int, text, advice string) {
	for i, n := range p.Nodes {
		if n.ExclusiveMS > p.Nodes[node].ExclusiveMS {
			node = i
		}
	}
	n := &p.Nodes[node]
	if n.ExclusiveMS < worstMS || n.Share < worstShare {
		return 0, "", ""
	}
	return node, fmt.Sprintf("%s took %s by itself, %s of the plan.", n.Name(), ms(n.ExclusiveMS), percent(n.Share)),
		"Begin here: no other node of this plan can save as much."
}

// seqScan finds tables that were read row by row.
func (p *Plan) seqScan(i int) (text, advice string) {
	n := &p.Nodes[i]
	read := (n.ActualRows + n.RemovedByFilter) * n.Loops
	if n.Type != "Seq Scan" || read < scanRows {
		return "", ""
	}
	kept := n.ActualRows * n.Loops
	filter := n.condition("Filter")
	if filter != "" && read-kept >= removedShare*read {
		return fmt.Sprintf("%s read %s rows and its filter kept %s.", n.Name(), count(read), count(kept)),
			"An index that serves the filter may help: " + clip(masked(filter), 200)
	}
	text = fmt.Sprintf("%s reads the whole table: %s rows", n.Name(), count(read))
	if n.Loops > n.workers+1 {
		text += fmt.Sprintf(" in %s loops", count(n.Loops))
	}
	if p.endedEarly(i) {
		text = fmt.Sprintf("%s read %s rows before it was stopped", n.Name(), count(read))
	}
	if filter != "" {
		text += ", of which its filter kept " + count(kept)
	}
	return text + ".", ""
}

// indexFilter finds indexes that gave far more than was wanted, or that did not answer alone.
func (p *Plan) indexFilter(i int) (text, advice string) {
	n := &p.Nodes[i]
	switch n.Type {
	case "Index Scan", "Index Only Scan", "Bitmap Heap Scan":
	default:
		return "", ""
	}
	read := (n.ActualRows + n.RemovedByFilter) * n.Loops
	if read < indexRows {
		return "", ""
	}
	if removed := n.RemovedByFilter * n.Loops; removed >= removedShare*read {
		return fmt.Sprintf("%s gave %s rows, of which the filter removed %s.", n.Name(), count(read), count(removed)),
			"An index that also serves the filter may help: " + clip(masked(n.condition("Filter")), 200)
	}
	if n.Type == "Index Only Scan" && n.HeapFetches > fetchShare*read {
		return fmt.Sprintf("%s looked %s of %s rows up in the table.", n.Name(), count(n.HeapFetches), count(read)),
			"VACUUM of the table lets the index answer alone."
	}
	return "", ""
}

// spilled finds nodes that ran out of work_mem. A Hash Join writes its outer side when its Hash does not fit: that is
// one finding, of the Hash.
func (p *Plan) spilled(i int) (text, advice string) {
	n := &p.Nodes[i]
	blocks := n.OwnTemp
	if n.Type == "Hash" && n.Parent >= 0 && p.hashSpilled(n.Parent) {
		blocks += p.Nodes[n.Parent].OwnTemp
	}
	var how string
	switch {
	case n.Type == "Hash Join" && p.hashSpilled(i):
		return "", ""
	case n.OnDisk:
		how = fmt.Sprintf("sorted %s kB on disk (%s)", count(n.SortSpace), clip(n.SortMethod, 40))
	case n.HashBatches > 1 && n.DiskUsage > 0:
		how = fmt.Sprintf("wrote %s kB to disk in %s batches", count(n.DiskUsage), count(n.HashBatches))
	case n.HashBatches > 1:
		how = fmt.Sprintf("did not fit into memory and was split into %s batches", count(n.HashBatches))
	case blocks > 0:
		how = "wrote to disk what did not fit into memory"
	default:
		return "", ""
	}
	if blocks > 0 {
		how += fmt.Sprintf("; temporary files: %s kB written", count(blocks*blockKB))
	}
	if value := p.setting("work_mem"); value != "" {
		how += "; work_mem is " + clip(value, 20)
	}
	return n.Name() + " " + how + ".", "More work_mem for this statement (SET LOCAL work_mem) may keep it in memory."
}

// hashSpilled tells whether the Hash below a Hash Join did not fit.
func (p *Plan) hashSpilled(join int) bool {
	hash := p.Nodes[join].hash
	return hash > 0 && (p.Nodes[hash].HashBatches > 1 || p.Nodes[hash].OwnTemp > 0)
}

// lossyBitmap finds bitmaps that ran out of work_mem and kept pages instead of rows.
func (p *Plan) lossyBitmap(i int) (text, advice string) {
	n := &p.Nodes[i]
	if n.Lossy == 0 || n.RemovedByRecheck == 0 {
		return "", ""
	}
	return fmt.Sprintf("%s had only the pages of %s blocks, not their rows, and checked %s rows too many.", n.Name(), count(n.Lossy), count(n.RemovedByRecheck*max(n.Loops, 1))),
		"More work_mem for this statement (SET LOCAL work_mem) keeps the rows."
}

// nestedLoop finds inner sides that ran very often, and for long.
func (p *Plan) nestedLoop(i int) (innerMS float64, text, advice string) {
	if p.Nodes[i].Type != "Nested Loop" {
		return 0, "", ""
	}
	for c := range p.children(i) {
		n := &p.Nodes[c]
		if n.Relationship == "Inner" && n.Loops >= innerLoops && p.Timed && n.TotalMS > 0 && n.TotalMS >= innerShare*p.TotalMS {
			return n.TotalMS, fmt.Sprintf("%s ran its inner side %s times: %s, %s of the plan.", p.Nodes[i].Name(), count(n.Loops), ms(n.TotalMS), percent(n.TotalMS/p.TotalMS)),
				"An index for the inner side, or a better estimate of the outer one, may help: " + clip(n.Name(), 100)
		}
	}
	return 0, "", ""
}

// fewWorkers finds Gathers that got fewer workers than planned. The time that is explained takes the work below as evenly shared.
func (p *Plan) fewWorkers(i int) (lostMS float64, text, advice string) {
	n := &p.Nodes[i]
	if !strings.HasPrefix(n.Type, "Gather") || !n.Analyzed || n.Loops == 0 || n.Launched >= n.Planned {
		return 0, "", ""
	}
	for c := range p.children(i) {
		lostMS += p.Nodes[c].TotalMS
	}
	lostMS *= 1 - (n.Launched+1)/(n.Planned+1)
	return lostMS, fmt.Sprintf("%s got %s of %s workers.", n.Name(), count(n.Launched), count(n.Planned)),
		"Others had them at that time: max_parallel_workers and max_worker_processes bound all sessions together."
}

type costly struct {
	ms           float64
	text, advice string
}

// planning finds statements that were planned or compiled for long.
func (p *Plan) planning() (found []costly) {
	whole := p.PlanningMS + p.ExecutionMS
	if p.ExecutionMS > 0 && p.PlanningMS >= planMS && p.PlanningMS >= planShare*whole {
		found = append(found, costly{p.PlanningMS, fmt.Sprintf("Planning took %s, %s of the statement.", ms(p.PlanningMS), percent(p.PlanningMS/whole)),
			"A prepared statement that is used again is planned less often."})
	}
	if p.Timed && p.JITMS >= planMS && p.JITMS >= planShare*p.TotalMS {
		found = append(found, costly{p.JITMS, fmt.Sprintf("JIT compilation took %s, %s of the execution.", ms(p.JITMS), percent(min(p.JITMS/p.TotalMS, 1))),
			"jit_above_cost may be too low for statements like this one; SET LOCAL jit = off tells."})
	}
	return found
}
