package rollup

import (
	"maps"
	"slices"
)

const (
	dueCells = 4096    // hours and minutes that are written as soon as may be, whatever the time
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
	series map[Series][]*Batch // the oldest first; only the last may not be closed
	last   int64               // id of the last record of all
	cells  int                 // of all batches
	text   int                 // bytes of their texts
}

// Start ends being behind: the store has rollups of all records up to the last id.
func (d *Deltas) Start(last int64) {
	d.Stop()
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
	batches := d.series[p.Series]
	if n := len(batches); n == 0 || batches[n-1].closed {
		batches = append(batches, newBatch(p.Series, id))
		d.series[p.Series] = batches
	}
	b := batches[len(batches)-1]
	d.cells -= b.cells()
	d.text -= b.text
	b.add(p, id)
	d.cells += b.cells()
	d.text += b.text
	if d.cells > overflow*dueCells || d.text > overflow*dueText {
		d.Stop()
	}
}

// Stop begins being behind: everything is forgotten. Who derives it again finds it in the store.
func (d *Deltas) Stop() { *d = Deltas{series: map[Series][]*Batch{}} }

// Due tells whether so much is held that it should be written now.
func (d *Deltas) Due() bool { return d.cells >= dueCells || d.text >= dueText }

// Floor returns the id up to which every record of every series is in the store's rollups, 0 when behind.
func (d *Deltas) Floor() int64 {
	floor := d.last
	for _, batches := range d.series {
		floor = min(floor, batches[0].first-1)
	}
	return floor
}

// Batches returns what there is to write, in the order in which it must be.
func (d *Deltas) Batches() []*Batch {
	return slices.Concat(slices.Collect(maps.Values(d.series))...)
}

// Take closes a batch that is to be written: until Done readers find it here, and Add counts beside it. It is false for one that is
// no longer known. After a transaction that has not committed it is taken again, before any other of its series.
func (d *Deltas) Take(b *Batch) bool {
	known := d.oldest(b)
	b.closed = b.closed || known
	return known
}

// Done ends a batch whose transaction has committed.
func (d *Deltas) Done(b *Batch) {
	if !d.oldest(b) {
		return
	}
	d.cells -= b.cells()
	d.text -= b.text
	if d.series[b.Series] = d.series[b.Series][1:]; len(d.series[b.Series]) == 0 {
		delete(d.series, b.Series)
	}
}

func (d *Deltas) oldest(b *Batch) bool {
	batches := d.series[b.Series]
	return len(batches) > 0 && batches[0] == b
}

// Hours returns copies of what the hours of a series gained that begin at from or later and before to, in no order. An hour
// of a key may come several times.
func (d *Deltas) Hours(series Series, from, to int64) []Delta {
	var found []Delta
	for _, b := range d.series[series] {
		for _, h := range b.hours {
			if from <= h.Hour && h.Hour < to {
				copied := *h
				copied.Cell = h.Clone()
				found = append(found, copied)
			}
		}
	}
	return found
}

// Minutes returns what the minutes of a series gained that begin at from or later and before to, in no order. A minute may
// come several times.
func (d *Deltas) Minutes(series Series, from, to int64) []Tally {
	var found []Tally
	for _, b := range d.series[series] {
		for _, t := range b.minutes {
			if from <= t.Minute && t.Minute < to {
				found = append(found, *t)
			}
		}
	}
	return found
}
