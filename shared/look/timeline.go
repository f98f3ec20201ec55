package look

import "math"

// Timeline draws what ran when. Times are milliseconds since the look's StartedAt.
type Timeline struct {
	FromMS       float64 `json:"from_ms"` // at most 0
	ToMS         float64 `json:"to_ms"`
	AccuracyMS   float64 `json:"accuracy_ms"` // of a statement's start: the log's stamps are cut to the millisecond
	Lanes        []Lane  `json:"lanes"`       // PHP's first, then by first start
	LanesLeftOut int     `json:"lanes_left_out,omitzero"`
	Cut          bool    `json:"cut,omitzero"` // later blocks are left out
}

// Lane is PHP, or all executions of one statement.
type Lane struct {
	Kind   string  `json:"kind"` // php, statement
	Key    string  `json:"key,omitzero"`
	Nested bool    `json:"nested,omitzero"`
	Blocks []Block `json:"blocks"`
}

// Block is one execution, or several of one statement that follow each other with no other between them.
type Block struct {
	StartMS    float64 `json:"start_ms"`
	DurationMS float64 `json:"duration_ms"` // from the first start to the last end
	BusyMS     float64 `json:"busy_ms"`     // of it, in Postgres
	Count      int     `json:"count"`
	N          int     `json:"n,omitzero"` // the first execution's
}

// since is a statement's start on the time line.
func (l *Look) since(h *half) float64 {
	ms := float64(h.Timestamp.UnixMicro()-l.StartedAt.UnixMicro()) / 1000
	return math.Round(max(min(ms, longest), -longest)*1000) / 1000
}

// timeline fills Timeline.
func (l *Look) timeline(r *request) {
	t := &l.Timeline
	t.AccuracyMS, t.Lanes = 1, []Lane{}
	if r.page != nil && r.page.ms != nil {
		t.Lanes = append(t.Lanes, Lane{Kind: "php", Blocks: []Block{{DurationMS: *r.page.ms, BusyMS: *r.page.ms, Count: 1}}})
		t.ToMS = *r.page.ms
	}
	lanes := make(map[group]int) // -1: left out
	var last [2]struct {         // the block before, of nested ones apart: a function that runs them is not between them
		group group
		block *Block
	}
	blocks := 0
	for _, h := range r.statements {
		at, ok := lanes[h.group]
		if !ok {
			if at = len(t.Lanes); at > maxLanes {
				at = -1
				t.LanesLeftOut++
			} else {
				t.Lanes = append(t.Lanes, Lane{Kind: "statement", Key: h.group.key, Nested: h.group.nested})
			}
			lanes[h.group] = at
		}
		before := &last[0]
		if h.group.nested {
			before = &last[1]
		}
		start, ms := l.since(h), max(value(h.ms), 0)
		t.FromMS, t.ToMS = min(t.FromMS, start), max(t.ToMS, start+ms)
		if at >= 0 && (before.block == nil || before.group != h.group) {
			if blocks++; blocks > maxBlocks {
				t.Cut = true
				break
			}
			lane := &t.Lanes[at]
			lane.Blocks = append(lane.Blocks, Block{StartMS: start, N: h.n})
			before.block = &lane.Blocks[len(lane.Blocks)-1]
		}
		before.group = h.group
		if at < 0 {
			before.block = nil
			continue
		}
		b := before.block
		end := max(b.StartMS+b.DurationMS, start+ms)
		b.StartMS = min(b.StartMS, start)
		b.DurationMS, b.BusyMS = *known(end - b.StartMS), *known(b.BusyMS + ms)
		b.Count++
	}
	t.ToMS = math.Round(t.ToMS*1000) / 1000
}
