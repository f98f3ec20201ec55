package rollup

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

const (
	dueCells = 4096    // that are written as soon as may be, whatever the time
	dueText  = 4 << 20 // bytes of texts, likewise

	overflow = 4 // times as much are not held
)

// Deltas are the figures of records that are stored and whose rollups are not. Its owner guards it.
//
// A process that starts, and one that could not write for so long that Deltas would grow too large, has records in the
// store that it does not know: it is behind. Add does nothing then; the owner derives the records from the store that
// Marks does not have, in the order of their ids, and calls Start.
type Deltas struct {
	live   bool
	series map[Series]*pending
	last   int64 // id of the last record of all
	cells  int   // hour cells that are held, taken ones too
	text   int   // bytes of their texts
}

// pending are the figures of one series.
type pending struct {
	hours   map[hourKey]*Delta
	minutes map[int64]*Tally // by their start
	first   int64            // the lowest id in them
	last    int64            // the highest
	taken   *Batch           // what is being written, nil when nothing is
}

type hourKey struct {
	hour int64
	key  string
}

// Delta is what one hour of a key gained.
type Delta struct {
	Hour  int64 // its start: Unix seconds
	Key   string
	Text  string // of the first record
	First int64  // the lowest id of its records
	Cell
}

// Tally is what one minute of a series gained.
type Tally struct {
	Minute int64 // its start: Unix seconds
	Count  int64 // records
	Sum    int64 // of their durations: µs; it stays at the largest int64
}

// Start ends being behind: the store has rollups of all records up to the last id.
func (d *Deltas) Start(last int64) {
	d.drop()
	d.live, d.last = true, last
}

// Behind tells whether there are records in the store that are neither here nor in its rollups.
func (d *Deltas) Behind() bool { return !d.live }

// Add counts in the record that was stored under an id. Ids ascend.
func (d *Deltas) Add(p *Point, id int64) {
	if !d.live {
		return
	}
	d.last = id
	if p.Key == "" {
		return
	}
	s := d.series[p.Series]
	if s == nil {
		s = &pending{}
		d.series[p.Series] = s
	}
	if s.hours == nil {
		s.hours, s.minutes, s.first = map[hourKey]*Delta{}, map[int64]*Tally{}, id
	}
	s.last = id

	at := hourKey{Hour.Start(p.Time), p.Key}
	delta := s.hours[at]
	if delta == nil {
		delta = &Delta{Hour: at.hour, Key: p.Key, Text: strings.Clone(p.Text), First: id} // a text may be the beginning of a much longer one
		s.hours[at] = delta
		d.cells++
		d.text += len(p.Text)
	}
	delta.Add(id, p.Micros)

	minute := Minute.Start(p.Time)
	t := s.minutes[minute]
	if t == nil {
		t = &Tally{Minute: minute}
		s.minutes[minute] = t
	}
	t.Count++
	t.Sum = plus(t.Sum, max(0, p.Micros))

	if d.cells > overflow*dueCells || d.text > overflow*dueText {
		d.drop()
	}
}

// drop forgets everything: who derives it again finds it in the store.
func (d *Deltas) drop() { *d = Deltas{series: map[Series]*pending{}} }

// Due tells whether so much is held that it should be written now.
func (d *Deltas) Due() bool { return d.cells >= dueCells || d.text >= dueText }

// Floor returns the id up to which every record of every series is in the store's rollups, 0 when behind.
func (d *Deltas) Floor() int64 {
	floor := d.last
	for _, s := range d.series {
		if s.hours != nil {
			floor = min(floor, s.first-1)
		}
		if s.taken != nil {
			floor = min(floor, s.taken.first-1)
		}
	}
	return floor
}

// Series returns the series that have something to write.
func (d *Deltas) Series() []Series {
	var found []Series
	for name, s := range d.series {
		if s.hours != nil {
			found = append(found, name)
		}
	}
	slices.SortFunc(found, func(a, b Series) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Source, b.Source))
	})
	return found
}

// Take hands out what a series has to write, nil when there is nothing or the batch before has not ended. The batch ends by
// Done or Undo; until then readers find it here, and Add counts beside it.
func (d *Deltas) Take(series Series) *Batch {
	s := d.series[series]
	if s == nil || s.hours == nil || s.taken != nil {
		return nil
	}
	s.taken = &Batch{
		Series:  series,
		Hours:   slices.SortedFunc(maps.Values(s.hours), func(a, b *Delta) int { return cmp.Compare(a.First, b.First) }),
		Minutes: slices.SortedFunc(maps.Values(s.minutes), func(a, b *Tally) int { return cmp.Compare(a.Minute, b.Minute) }),
		Last:    s.last,
		first:   s.first,
	}
	s.hours, s.minutes = nil, nil
	return s.taken
}

// Done ends a batch whose transaction has committed.
func (d *Deltas) Done(b *Batch) {
	s := d.taken(b)
	if s == nil {
		return
	}
	for _, h := range b.Hours {
		d.cells--
		d.text -= len(h.Text)
	}
	s.taken = nil
	if s.hours == nil {
		delete(d.series, b.Series)
	}
}

// Undo ends a batch whose transaction has not committed: what was in it is to be written again.
func (d *Deltas) Undo(b *Batch) {
	s := d.taken(b)
	if s == nil {
		return
	}
	newer := *s
	*s = pending{hours: map[hourKey]*Delta{}, minutes: map[int64]*Tally{}, first: b.first, last: max(b.Last, newer.last)}
	for _, h := range b.Hours {
		s.hours[hourKey{h.Hour, h.Key}] = h
	}
	for _, t := range b.Minutes {
		s.minutes[t.Minute] = t
	}
	for at, h := range newer.hours {
		if older := s.hours[at]; older != nil {
			older.Merge(&h.Cell)
			d.cells--
			d.text -= len(h.Text)
		} else {
			s.hours[at] = h
		}
	}
	for at, t := range newer.minutes {
		if older := s.minutes[at]; older != nil {
			t.Count += older.Count
			t.Sum = plus(t.Sum, older.Sum)
		}
		s.minutes[at] = t
	}
}

// taken returns the series that b was taken from, nil when b is no longer known.
func (d *Deltas) taken(b *Batch) *pending {
	if s := d.series[b.Series]; s != nil && s.taken == b {
		return s
	}
	return nil
}

// Hours returns copies of what the hours of a series gained that begin at from or later and before to, in no order. An hour
// of a key may come twice.
func (d *Deltas) Hours(series Series, from, to int64) []Delta {
	s := d.series[series]
	if s == nil {
		return nil
	}
	var found []Delta
	add := func(h *Delta) {
		if from <= h.Hour && h.Hour < to {
			copied := *h
			copied.Cell = h.Clone()
			found = append(found, copied)
		}
	}
	for _, h := range s.hours {
		add(h)
	}
	if s.taken != nil {
		for _, h := range s.taken.Hours {
			add(h)
		}
	}
	return found
}

// Minutes returns what the minutes of a series gained that begin at from or later and before to, in no order. A minute may
// come twice.
func (d *Deltas) Minutes(series Series, from, to int64) []Tally {
	s := d.series[series]
	if s == nil {
		return nil
	}
	var found []Tally
	add := func(t *Tally) {
		if from <= t.Minute && t.Minute < to {
			found = append(found, *t)
		}
	}
	for _, t := range s.minutes {
		add(t)
	}
	if s.taken != nil {
		for _, t := range s.taken.Minutes {
			add(t)
		}
	}
	return found
}
