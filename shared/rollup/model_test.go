package rollup

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// table is a store of rollups in memory, with cells as bytes.
type table struct {
	Cells   map[Series]map[spot]string
	Names   map[Series]map[string]name
	Minutes map[Series]map[int64]Tally
	marks   Marks
}

// spot is where a cell stands.
type spot struct {
	span  Span
	start int64
	key   string
}

type name struct {
	Text string
	Last map[Span]int64
}

func newTable() *table {
	return &table{map[Series]map[spot]string{}, map[Series]map[string]name{}, map[Series]map[int64]Tally{}, Marks{Last: map[Series]int64{}}}
}

// rows are a transaction over a table, which has what was written when it is committed.
type rows struct {
	t       *testing.T
	table   *table
	series  Series
	writes  []func()
	written map[spot]bool
	fail    int // the call that fails, counted from 1; 0 for none
	calls   int
}

var errBroken = errors.New("the store is broken")

func (r *rows) call() error {
	if r.calls++; r.calls == r.fail {
		return errBroken
	}
	return nil
}

func (r *rows) Cells(span Span, start int64, keys []string, each func(key string, c *Cell)) error {
	for _, key := range keys {
		if encoded, ok := r.table.Cells[r.series][spot{span, start, key}]; ok {
			c := decode(r.t, encoded)
			each(key, &c)
		}
	}
	return r.call()
}

func (r *rows) Keys(span Span, start int64) (n int, err error) {
	for at := range r.table.Cells[r.series] {
		if at.span == span && at.start == start && at.key != Other {
			n++
		}
	}
	return n, r.call()
}

func (r *rows) Put(span Span, start int64, cells map[string]*Cell) error {
	for key, cell := range cells {
		at, encoded := spot{span, start, key}, string(cell.Append(nil))
		require.False(r.t, r.written[at], "a cell is written once in a batch")
		r.written[at] = true
		r.writes = append(r.writes, func() { of(r.table.Cells, r.series)[at] = encoded })
	}
	return r.call()
}

func (r *rows) Name(key, text string, hour, day int64) error {
	for span, start := range map[Span]int64{Hour: hour, Day: day} {
		if start != 0 {
			r.writes = append(r.writes, func() { r.table.name(r.series, span, start, key, text) })
		}
	}
	return r.call()
}

func (tb *table) name(s Series, span Span, start int64, key, text string) {
	n, ok := of(tb.Names, s)[key]
	if !ok {
		n = name{text, map[Span]int64{}}
	}
	n.Last[span] = max(n.Last[span], start)
	tb.Names[s][key] = n
}

func (r *rows) Count(t Tally) error {
	r.writes = append(r.writes, func() {
		minutes := of(r.table.Minutes, r.series)
		old := minutes[t.Minute]
		minutes[t.Minute] = Tally{t.Minute, old.Count + t.Count, plus(old.Sum, t.Sum)}
	})
	return r.call()
}

func (r *rows) Mark(last int64) error {
	r.writes = append(r.writes, func() { r.table.marks.Last[r.series] = last })
	return r.call()
}

func of[K comparable, V any](m map[Series]map[K]V, s Series) map[K]V {
	if m[s] == nil {
		m[s] = map[K]V{}
	}
	return m[s]
}

// apply writes a batch in a transaction whose n-th call fails, counted from 1; 0 is none.
func (tb *table) apply(t *testing.T, b *Batch, fail int) error {
	tx := &rows{t: t, table: tb, series: b.Series, written: map[spot]bool{}, fail: fail}
	if err := b.Apply(tx); err != nil {
		return err
	}
	for _, write := range tx.writes {
		write()
	}
	return nil
}

// flush writes everything that is pending.
func (tb *table) flush(t *testing.T, d *Deltas) {
	for _, b := range d.Batches() {
		require.True(t, d.Take(b))
		require.NoError(t, tb.apply(t, b, 0))
		d.Done(b)
	}
	tb.marks.Floor = max(tb.marks.Floor, d.Floor())
}

func decode(t *testing.T, encoded string) (c Cell) {
	t.Helper()
	require.NoError(t, c.Decode([]byte(encoded)))
	return c
}

// stored is a record of the model: its id is its index and one.
type stored []Point

// derive says what the rollups of records are, in the plainest way: record by record.
func (records stored) derive() *table {
	tb := newTable()
	cells := map[Series]map[spot]*Cell{}
	keys := map[Series]map[spot]int{}
	for i, p := range records {
		id := int64(i + 1)
		if p.Key == "" {
			continue
		}
		for _, span := range []Span{Hour, Day} {
			at := spot{span, p.Time / int64(span) * int64(span), p.Key}
			all := spot{at.span, at.start, ""}
			if of(cells, p.Series)[at] == nil {
				if of(keys, p.Series)[all] == MaxKeys {
					at.key = Other
				} else {
					keys[p.Series][all]++
					tb.name(p.Series, span, at.start, p.Key, p.Text)
				}
			}
			if cells[p.Series][at] == nil {
				cells[p.Series][at] = &Cell{}
			}
			cells[p.Series][at].Add(id, p.Micros)
		}
		minute := p.Time / 60 * 60
		old := of(tb.Minutes, p.Series)[minute]
		tb.Minutes[p.Series][minute] = Tally{minute, old.Count + 1, plus(old.Sum, max(0, p.Micros))}
	}
	for s, all := range cells {
		for at, c := range all {
			of(tb.Cells, s)[at] = string(c.Append(nil))
		}
	}
	return tb
}

// requireEqual holds a table against a fresh derive of the records.
func requireEqual(t *testing.T, records stored, got *table) {
	t.Helper()
	want := records.derive()
	require.Equal(t, want.Minutes, got.Minutes)
	require.Equal(t, want.Names, got.Names)
	require.Equal(t, want.Cells, got.Cells)
}

// randomPoint makes records of three days, half of them in the last two hours; where keys are many, all are of one series,
// so that an hour and a day have more than MaxKeys.
func randomPoint(rng *rand.Rand, keys int) Point {
	p := Point{
		Series: Series{[]string{"shop", "blog"}[rng.IntN(2)], []string{php, postgres}[rng.IntN(2)]},
		Key:    fmt.Sprint("k", rng.IntN(keys)),
		Text:   fmt.Sprint("text ", rng.IntN(1e6)),
		Time:   1_795_300_000 + rng.Int64N(3*86400),
		Micros: rng.Int64N(1 << rng.IntN(30)),
	}
	if rng.IntN(2) == 0 {
		p.Time = 1_795_500_000 + rng.Int64N(7200)
	}
	if keys > MaxKeys {
		p.Series = Series{"shop", php}
	}
	switch rng.IntN(20) {
	case 0:
		p.Micros = untimed
	case 1:
		p.Key, p.Text = "", ""
	case 2:
		p.Micros = maxMicros
	}
	return p
}

func shuffled[T any](rng *rand.Rand, s []T) []T {
	s = slices.Clone(s)
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}
