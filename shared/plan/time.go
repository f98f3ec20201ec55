package plan

import "strings"

// clampNote is how much time, as a share of the plan, must be lost to clamping before a note says so.
const clampNote = 0.01

// relate fills what a node has from those around it.
func (p *Plan) relate() {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.OwnTemp += n.TempWritten
		if n.Parent < 0 {
			continue
		}
		above := &p.Nodes[n.Parent]
		if n.workers = above.workers; above.Launched > 0 {
			n.workers = above.Launched
		}
		above.OwnTemp -= n.TempWritten
		if n.Type == "Hash" {
			above.hash = i
		}
	}
	for i := range p.Nodes {
		p.Nodes[i].OwnTemp = max(p.Nodes[i].OwnTemp, 0) // its children's sums may be more than its own
	}
}

// times computes TotalMS, ExclusiveMS and Share as pev2 does, so that the figures are those that people know:
//
//   - A plan gives means over loops; below a Gather the loops ran side by side in its workers and the leader.
//   - A node's exclusive time is its total less its children's.
//   - A CTE or an InitPlan is a child of the node that declares it but runs when it is first read, within the time of
//     the reader: its time is taken from the readers. Those of a CTE share it by their totals. An InitPlan ran in one of
//     the nodes that name it; the one with most time of its own is taken for it.
//
// Means are rounded, so a difference may come out below 0: it counts as 0.
func (p *Plan) times() {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.TotalMS = n.meanMS * n.Loops / (n.workers + 1)
		n.ExclusiveMS = n.TotalMS
		p.Timed = p.Timed || n.Timed
	}
	if !p.Timed {
		p.note("The plan has no times: it was made without ANALYZE, or without its timing.")
		return
	}
	for _, n := range p.Nodes {
		if n.Parent >= 0 && n.Relationship != "InitPlan" {
			p.Nodes[n.Parent].ExclusiveMS -= n.TotalMS
		}
	}
	p.takeFromReaders()

	p.TotalMS = max(p.ExecutionMS, p.Nodes[0].TotalMS)
	lost := 0.0
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.ExclusiveMS < 0 {
			lost -= n.ExclusiveMS
			n.ExclusiveMS = 0
		}
		if p.TotalMS > 0 {
			n.Share = min(n.ExclusiveMS/p.TotalMS, 1)
		}
	}
	if lost > clampNote*p.TotalMS && lost >= 1 {
		p.note("Some nodes took %s less than what is below them, since times are means over loops and workers; their own time counts as 0.", ms(lost))
	}
}

// takeFromReaders takes the time of each CTE and InitPlan from the nodes that waited for it.
func (p *Plan) takeFromReaders() {
	scans, users := map[string][]int{}, map[string][]int{}
	for i, n := range p.Nodes {
		if n.Type == "CTE Scan" {
			scans[n.CTE] = append(scans[n.CTE], i)
		}
		for _, name := range n.mentions {
			users[name] = append(users[name], i)
		}
	}
	for i, n := range p.Nodes {
		if n.Relationship != "InitPlan" {
			continue
		}
		outside := func(other int) bool { return other < i || other >= n.end }
		if name, ok := strings.CutPrefix(n.Subplan, "CTE "); ok {
			sum := 0.0
			for _, s := range scans[name] {
				if outside(s) {
					sum += p.Nodes[s].TotalMS
				}
			}
			for _, s := range scans[name] {
				if outside(s) && sum > 0 {
					p.Nodes[s].ExclusiveMS -= n.TotalMS * p.Nodes[s].TotalMS / sum
				}
			}
			delete(scans, name) // of two CTEs of one name, an inner one hides the outer: their readers cannot be told apart
			continue
		}
		user := -1
		for _, name := range results(n.Subplan) {
			for _, u := range users[name] {
				if outside(u) && (user < 0 || p.Nodes[u].ExclusiveMS > p.Nodes[user].ExclusiveMS) {
					user = u
				}
			}
			delete(users, name)
		}
		if user >= 0 {
			p.Nodes[user].ExclusiveMS -= n.TotalMS
		}
	}
}

// results returns what expressions name an InitPlan's results by: "$0" and "$1" for "InitPlan 1 (returns $0,$1)",
// "InitPlan 1" for that name alone.
func results(subplan string) []string {
	_, returns, ok := strings.Cut(subplan, "(returns ")
	if !ok {
		return []string{subplan}
	}
	return strings.Split(strings.TrimSuffix(returns, ")"), ",")
}
