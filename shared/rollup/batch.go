package rollup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Other is the key of what counts in no cell of its own.
const Other = "(other)"

// MaxKeys is how many keys an hour, and a day, of a series have cells of their own: those that came first, by the ids of
// their records. A site that has ids where routes or statements are expected makes no more rows than that.
const MaxKeys = 1000

// Batch is what one series has to write in one transaction: the figures of a range of its records.
type Batch struct {
	Series
	hours   map[hourKey]*Delta
	minutes map[int64]*Tally // by their start
	text    int              // bytes of the texts of hours
	first   int64            // the lowest id of its records
	last    int64            // the highest
	closed  bool             // it may be on its way to the store: nothing is added
}

// A batch is closed when it has so much. What waits for its transaction waits for some milliseconds.
const (
	maxCells = 512 // of hours, and minutes
	maxTexts = 256 << 10
)

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

func newBatch(series Series, first int64) *Batch {
	return &Batch{Series: series, hours: map[hourKey]*Delta{}, minutes: map[int64]*Tally{}, first: first}
}

// cells is how many hours and minutes it has.
func (b *Batch) cells() int { return len(b.hours) + len(b.minutes) }

// add counts in a record.
func (b *Batch) add(p *Point, id int64) {
	b.last = id
	at := hourKey{Hour.Start(p.Time), p.Key}
	delta := b.hours[at]
	if delta == nil {
		delta = &Delta{Hour: at.hour, Key: p.Key, Text: strings.Clone(p.Text), First: id} // a text may be the beginning of a much longer one
		b.hours[at] = delta
		b.text += len(p.Text)
	}
	delta.Add(id, p.Micros)

	minute := Minute.Start(p.Time)
	t := b.minutes[minute]
	if t == nil {
		t = &Tally{Minute: minute}
		b.minutes[minute] = t
	}
	t.Count++
	t.Sum = plus(t.Sum, max(0, p.Micros))
	b.closed = b.cells() >= maxCells || b.text >= maxTexts
}

// Rows are a series' rollups as a store has them, within one transaction.
type Rows interface {
	// Cell returns the cell of a key in the hour or day that begins at start, nil when there is none.
	Cell(span Span, start int64, key string) (*Cell, error)

	// Keys returns how many cells that hour or day has, without Other.
	Keys(span Span, start int64) (int, error)

	// Put makes the cell or replaces it.
	Put(span Span, start int64, key string, cell *Cell) error

	// Name remembers the text of a key that has got a cell in the hour or day that begins at start. The first text stays.
	Name(span Span, start int64, key, text string) error

	// Count adds to a minute.
	Count(t Tally) error

	// Mark says that all of the series' records up to an id are in its rollups.
	Mark(last int64) error
}

// Apply adds the batch to what a store has: to hours and to days, to minutes, and its mark.
func (b *Batch) Apply(rows Rows) error {
	m := merge{rows, map[place]*Cell{}, nil, map[place]int{}}
	for _, delta := range slices.SortedFunc(maps.Values(b.hours), func(a, b *Delta) int { return cmp.Compare(a.First, b.First) }) {
		for _, span := range []Span{Hour, Day} {
			if err := m.add(span, delta); err != nil {
				return fmt.Errorf("add to a cell: %w", err)
			}
		}
	}
	for _, at := range m.order {
		if err := rows.Put(at.span, at.start, at.key, m.cells[at]); err != nil {
			return fmt.Errorf("write a cell: %w", err)
		}
	}
	for _, t := range b.minutes {
		if err := rows.Count(*t); err != nil {
			return fmt.Errorf("add to a minute: %w", err)
		}
	}
	if err := rows.Mark(b.last); err != nil {
		return fmt.Errorf("mark what is in the rollups: %w", err)
	}
	return nil
}

// merge adds deltas to cells and reads each cell once.
type merge struct {
	rows  Rows
	cells map[place]*Cell
	order []place       // of cells, as they were met
	keys  map[place]int // of an hour or a day (no key) that met a new one: how many it has
}

// place is where a cell stands.
type place struct {
	span  Span
	start int64
	key   string
}

func (m *merge) add(span Span, delta *Delta) error {
	at := place{span, span.Start(delta.Hour), delta.Key}
	cell, err := m.cell(at)
	if err == nil && cell == nil {
		cell, err = m.admit(at, delta)
	}
	if err != nil {
		return err
	}
	cell.Merge(&delta.Cell)
	return nil
}

// cell returns the cell of a place, nil when there is none.
func (m *merge) cell(at place) (*Cell, error) {
	if cell := m.cells[at]; cell != nil {
		return cell, nil
	}
	cell, err := m.rows.Cell(at.span, at.start, at.key)
	if cell != nil && err == nil {
		m.put(at, cell)
	}
	return cell, err
}

func (m *merge) put(at place, cell *Cell) {
	m.cells[at] = cell
	m.order = append(m.order, at)
}

// admit returns a cell for a key that has none: a new one while there is room, else that of Other.
func (m *merge) admit(at place, delta *Delta) (cell *Cell, err error) {
	all := place{at.span, at.start, ""}
	n, known := m.keys[all]
	if !known {
		if n, err = m.rows.Keys(at.span, at.start); err != nil {
			return nil, err
		}
	}
	m.keys[all] = n
	if n < MaxKeys {
		m.keys[all]++
		if err := m.rows.Name(at.span, at.start, delta.Key, delta.Text); err != nil {
			return nil, err
		}
	} else {
		at.key = Other
		if cell, err = m.cell(at); cell != nil || err != nil {
			return cell, err
		}
	}
	cell = &Cell{}
	m.put(at, cell)
	return cell, nil
}

// Marks says which records the rollups of a store have.
type Marks struct {
	Floor int64            // every record up to this id; see Deltas.Floor
	Last  map[Series]int64 // every record of the series up to this id
}

// Has tells whether a record is in the rollups.
func (m Marks) Has(series Series, id int64) bool { return id <= max(m.Floor, m.Last[series]) }
