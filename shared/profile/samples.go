package profile

import (
	"bytes"
	"math"
	"strconv"
)

// parseCollapsed reads "a;b;c 12" lines, whose last number counts samples; c stands at the string that holds them.
func parseCollapsed(c cursor, periodMS float64) *Profile {
	known := periodMS > 0
	if !known {
		periodMS = 1
	}
	b := newTreeBuilder()
	skipped := 0
	var line []byte
	for rest := c.literal(); rest != nil; {
		line, rest = unescape(line[:0], rest, '\n')
		if stack := bytes.TrimSpace(line); len(stack) > 0 && !b.addLine(stack, periodMS) {
			skipped++
		}
	}
	p := b.profile()
	p.Skipped = skipped
	p.noteSkipped("Stacks")
	if !known {
		p.Notes = append(p.Notes, "The profile has no period_ms: a sample counts as 1 ms.")
	}
	return p
}

// addLine adds one line of collapsed stacks.
func (b *treeBuilder) addLine(line []byte, periodMS float64) bool {
	space := bytes.LastIndexByte(line, ' ')
	if space <= 0 {
		return false
	}
	count, ok := integer(line[space+1:])
	if !ok || count < 0 || count*periodMS > limit {
		return false
	}
	if count == 0 {
		return true
	}
	at, depth := int32(0), 0
	for stack, frame, more := line[:space], []byte(nil), true; more; depth++ {
		frame, stack, more = bytes.Cut(stack, []byte(";"))
		at = b.step(at, depth, b.function(frame))
	}
	b.nodes[at].self += count * periodMS
	return true
}

// speedscope reads a document of https://www.speedscope.app/file-format-schema.json. Several profiles in one, threads in other
// languages, are merged.
type speedscope struct {
	*treeBuilder
	frames  []int32 // names
	stack   []int32
	skipped int
}

// parseSpeedscope: shared stands at the object with the frames, profiles at the array.
func parseSpeedscope(shared, profiles cursor) *Profile {
	s := speedscope{treeBuilder: newTreeBuilder()}
	s.readFrames(&shared)
	counted := false
	for range profiles.elements() {
		var samples, weights, events *cursor
		unit, perMS := "none", 1.0 // units in a millisecond
		for name := range profiles.members() {
			value := profiles
			switch string(name) {
			case "unit":
				if profiles.peek() == '"' {
					unit = string(profiles.literal())
				}
			case "samples":
				samples = &value
			case "weights":
				weights = &value
			case "events":
				events = &value
			}
		}
		switch unit {
		case "nanoseconds":
			perMS = 1e6
		case "microseconds":
			perMS = 1e3
		case "milliseconds":
		case "seconds":
			perMS = 1e-3
		case "none":
			counted = true
		default:
			return unknown("The profile's unit is " + strconv.Quote(clip(unit)) + ", which is no time.")
		}
		switch {
		case events != nil:
			s.readEvents(events, perMS)
		case samples != nil && weights != nil:
			s.readSamples(samples, weights, perMS)
		default:
			s.skipped++
		}
	}
	p := s.profile()
	p.Skipped = s.skipped
	p.noteSkipped("Stacks")
	if counted {
		p.Notes = append(p.Notes, "The profile has no unit of time: a weight of 1 counts as 1 ms.")
	}
	return p
}

func clip(s string) string { return s[:min(len(s), 40)] }

func (s *speedscope) readFrames(shared *cursor) {
	for member := range shared.members() {
		if string(member) != "frames" {
			continue
		}
		for range shared.elements() {
			var name, file []byte
			line := 0.0
			for field := range shared.members() {
				isText := shared.peek() == '"'
				switch {
				case string(field) == "name" && isText:
					name = shared.literal()
				case string(field) == "file" && isText:
					file = shared.literal()
				case string(field) == "line":
					line, _ = shared.number()
				}
			}
			id := s.function(shared.text(name)) // a frame without a name is ""
			s.frames = append(s.frames, id)
			if file != nil && id != s.deeperID && (int(id) >= len(s.files) || s.files[id].file == "") {
				s.place(id, place{string(shared.text(file)), int(min(max(line, 0), math.MaxInt32))})
			}
		}
	}
}

// frame reads the number of a frame.
func (s *speedscope) frame(c *cursor) (name int32, ok bool) {
	n, ok := c.number()
	if !ok || n < 0 || n >= float64(len(s.frames)) || n != math.Trunc(n) {
		return 0, false
	}
	return s.frames[int(n)], true
}

// readSamples goes through both arrays at once.
func (s *speedscope) readSamples(samples, weights *cursor, perMS float64) {
	// The weights are read beside the samples; the second array ends with the first.
	if weights.peek() == '[' {
		weights.i++
	}
	for range samples.elements() {
		good := samples.peek() == '['
		s.stack = s.stack[:0]
		for range samples.elements() {
			frame, ok := s.frame(samples)
			good = good && ok
			if len(s.stack) <= maxDepth {
				s.stack = append(s.stack, frame)
			}
		}
		weight := 0.0
		switch weights.peek() {
		case ']', 0:
			good = false
		default:
			var ok bool
			weight, ok = weights.number()
			good = good && ok && weight >= 0 && weight/perMS <= limit
			if weights.peek() == ',' {
				weights.i++
			}
		}
		if !good || len(s.stack) == 0 {
			s.skipped++
			continue
		}
		if weight == 0 {
			continue
		}
		at := int32(0)
		for depth, frame := range s.stack {
			at = s.step(at, depth, frame)
		}
		s.nodes[at].self += weight / perMS
	}
}

// readEvents opens and closes frames; the time up to an event belongs to the frame that was open last.
func (s *speedscope) readEvents(events *cursor, perMS float64) {
	open := []int32{0} // nodes, from the root
	last, begun := 0.0, false
	for range events.elements() {
		var kind byte
		at, good := 0.0, events.peek() == '{'
		frame, known := int32(0), false
		for field := range events.members() {
			switch string(field) {
			case "type":
				if events.peek() == '"' {
					if text := events.literal(); len(text) == 1 {
						kind = text[0]
					}
				}
			case "at":
				var ok bool
				at, ok = events.number()
				good = good && ok
			case "frame":
				frame, known = s.frame(events)
			}
		}
		top := open[len(open)-1]
		closes := kind == 'C' && len(open) > 1 && s.closes(top, frame)
		if !good || !known || kind != 'O' && !closes || begun && at < last || (at-last)/perMS > limit {
			s.skipped++
			continue
		}
		if begun && len(open) > 1 {
			s.nodes[top].self += (at - last) / perMS
		}
		last, begun = at, true
		if closes {
			open = open[:len(open)-1]
		} else {
			open = append(open, s.step(top, len(open)-1, frame))
		}
	}
}

// closes tells whether frame ends node n; below the cut any may.
func (s *speedscope) closes(n, frame int32) bool {
	return s.nodes[n].function == frame || s.nodes[n].function == s.deeperID
}
