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
	// Cells calls each with the cells that some keys have in the hour or day that begins at start. The cell is the callee's.
	Cells(span Span, start int64, keys []string, each func(key string, cell *Cell)) error

	// Keys returns how many cells that hour or day has, without Other.
	Keys(span Span, start int64) (int, error)

	// Put makes cells or replaces them.
	Put(span Span, start int64, cells map[string]*Cell) error

	// Name remembers the text of a key that has got a cell in an hour and a day; 0 for one in which it has not. The first text
	// stays.
	Name(key, text string, hour, day int64) error

	// Count adds to a minute.
	Count(t Tally) error

	// Mark says that all of the series' records up to an id are in its rollups.
	Mark(last int64) error
}

// Apply adds the batch to what a store has: to hours and to days, to minutes, and its mark.
func (b *Batch) Apply(rows Rows) error {
	deltas := slices.SortedFunc(maps.Values(b.hours), func(a, b *Delta) int { return cmp.Compare(a.First, b.First) })
	m := merge{rows, map[place]*group{}}
	if err := m.read(deltas); err != nil {
		return fmt.Errorf("read cells: %w", err)
	}
	for _, delta := range deltas {
		if err := m.add(delta); err != nil {
			return fmt.Errorf("add to a cell: %w", err)
		}
	}
	for at, g := range m.groups {
		if err := rows.Put(at.span, at.start, g.cells); err != nil {
			return fmt.Errorf("write cells: %w", err)
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

// merge adds deltas to cells.
type merge struct {
	rows   Rows
	groups map[place]*group
}

// place is an hour or a day.
type place struct {
	span  Span
	start int64
}

// group is what a batch changes in an hour or a day.
type group struct {
	cells map[string]*Cell // by key
	keys  int              // that the hour or day has, negative when that is not known
}

func (m *merge) group(span Span, delta *Delta) (place, *group) {
	at := place{span, span.Start(delta.Hour)}
	g := m.groups[at]
	if g == nil {
		g = &group{map[string]*Cell{}, -1}
		m.groups[at] = g
	}
	return at, g
}

// read reads what the deltas are added to, all cells of an hour or day at once.
func (m *merge) read(deltas []*Delta) error {
	keys := map[place][]string{}
	for _, delta := range deltas {
		for _, span := range []Span{Hour, Day} {
			at, _ := m.group(span, delta)
			keys[at] = append(keys[at], delta.Key)
		}
	}
	for at, g := range m.groups {
		slices.Sort(keys[at])
		if err := m.rows.Cells(at.span, at.start, slices.Compact(keys[at]), func(key string, c *Cell) { g.cells[key] = c }); err != nil {
			return err
		}
	}
	return nil
}

// add adds a delta to an hour and a day.
func (m *merge) add(delta *Delta) error {
	var named [2]int64
	for i, span := range []Span{Hour, Day} {
		at, g := m.group(span, delta)
		cell := g.cells[delta.Key]
		if cell == nil {
			key, err := m.admit(at, g, delta.Key)
			if err != nil {
				return err
			}
			if cell = g.cells[key]; cell == nil {
				cell = &Cell{}
				g.cells[key] = cell
			}
			if key != Other {
				named[i] = at.start
			}
		}
		cell.Merge(&delta.Cell)
	}
	if named == [2]int64{} {
		return nil
	}
	return m.rows.Name(delta.Key, delta.Text, named[0], named[1])
}

// admit returns where a key that has no cell is counted: its own while there is room, else Other.
func (m *merge) admit(at place, g *group, key string) (_ string, err error) {
	if g.keys < 0 {
		if g.keys, err = m.rows.Keys(at.span, at.start); err != nil {
			return "", err
		}
	}
	if g.keys < MaxKeys {
		g.keys++
		return key, nil
	}
	if g.cells[Other] == nil {
		err = m.rows.Cells(at.span, at.start, []string{Other}, func(_ string, c *Cell) { g.cells[Other] = c })
	}
	return Other, err
}

// Marks says which records the rollups of a store have.
type Marks struct {
	Floor int64            // every record up to this id; see Deltas.Floor
	Last  map[Series]int64 // every record of the series up to this id
}

// Has tells whether a record is in the rollups.
func (m Marks) Has(series Series, id int64) bool { return id <= max(m.Floor, m.Last[series]) }
