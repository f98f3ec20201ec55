package rollup

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFailuresAndCrashes stores records, writes rollups of them now and then, lets transactions fail at any of their
// calls, and kills the process at any point. What the store has in the end is what a fresh derive makes of the
// records, and what a reader sees in between is never more or less.
func TestFailuresAndCrashes(t *testing.T) {
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 15))
		keys := []int{3, 50, 9 * MaxKeys}[seed%3]
		var records stored
		tb, d := newTable(), &Deltas{}
		d.Start(0)
		for range 30 {
			switch rng.IntN(6) {
			case 0, 1, 2:
				for range rng.IntN(30 + keys/15) {
					records = append(records, randomPoint(rng, keys))
					d.Add(&records[len(records)-1], int64(len(records)))
				}
			case 3:
				flushSome(t, rng, tb, d, &records, keys)
			case 4:
				tb.marks.Floor = max(tb.marks.Floor, d.Floor())
			case 5: // killed: what is in memory is gone
				d = &Deltas{}
				require.True(t, d.Behind())
				catchUp(t, rng, tb, d, records)
			}
			requireSeen(t, records, tb, d)
		}
		tb.flush(t, d)
		requireEqual(t, records, tb)
		require.Equal(t, int64(len(records)), tb.marks.Floor, "with nothing pending all is written")
		require.Zero(t, d.cells+d.text+len(d.series), "nothing is held of what is written")
	}
}

// flushSome writes some batches, adds records meanwhile, and lets some transactions fail.
func flushSome(t *testing.T, rng *rand.Rand, tb *table, d *Deltas, records *stored, keys int) {
	for _, b := range d.Batches() {
		if rng.IntN(4) == 0 {
			continue
		}
		if !d.Take(b) { // one before it was left out
			continue
		}
		for range rng.IntN(20) {
			*records = append(*records, randomPoint(rng, keys))
			d.Add(&(*records)[len(*records)-1], int64(len(*records)))
		}
		requireSeen(t, *records, tb, d)
		fail := 0
		if rng.IntN(2) == 0 {
			fail = 1 + rng.IntN(len(b.hours)+10)
		}
		if err := tb.apply(t, b, fail); err != nil {
			require.ErrorIs(t, err, errBroken)
		} else {
			d.Done(b)
		}
	}
}

// catchUp derives what the marks do not have, in batches that may be cut off by another kill.
func catchUp(t *testing.T, rng *rand.Rand, tb *table, d *Deltas, records stored) {
	id := tb.marks.Floor
	for id < int64(len(records)) {
		var tail Deltas
		tail.Start(id)
		for range 1 + rng.IntN(200) {
			if id == int64(len(records)) {
				break
			}
			id++
			if p := &records[id-1]; !tb.marks.Has(p.Series, id) {
				tail.Add(p, id)
			}
		}
		tb.flush(t, &tail)
		if rng.IntN(3) == 0 { // killed again
			id = tb.marks.Floor
		}
	}
	d.Start(id)
}

// requireSeen holds that the store and the deltas together count each record once.
func requireSeen(t *testing.T, records stored, tb *table, d *Deltas) {
	t.Helper()
	type hour struct {
		Series
		start int64
	}
	want, got := map[hour]int64{}, map[hour]int64{}
	wantMinutes, gotMinutes := map[hour]Tally{}, map[hour]Tally{}
	series := map[Series]bool{}
	for _, p := range records {
		if p.Key == "" {
			continue
		}
		series[p.Series] = true
		want[hour{p.Series, Hour.Start(p.Time)}]++
		m := hour{p.Series, Minute.Start(p.Time)}
		wantMinutes[m] = Tally{m.start, wantMinutes[m].Count + 1, wantMinutes[m].Sum + max(0, p.Micros)}
	}
	for s := range series {
		for at, encoded := range tb.Cells[s] {
			if at.span == Hour {
				got[hour{s, at.start}] += decode(t, encoded).Count
			}
		}
		for _, h := range d.Hours(s, 0, 1<<60) {
			got[hour{s, h.Hour}] += h.Count
		}
		minutes := d.Minutes(s, 0, 1<<60)
		for _, m := range tb.Minutes[s] {
			minutes = append(minutes, m)
		}
		for _, m := range minutes {
			at := hour{s, m.Minute}
			gotMinutes[at] = Tally{m.Minute, gotMinutes[at].Count + m.Count, gotMinutes[at].Sum + m.Sum}
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, wantMinutes, gotMinutes)
}

func TestCap(t *testing.T) {
	shop := Series{"shop", php}
	tb, d := newTable(), &Deltas{}
	d.Start(0)
	const monday = 20_000 * int64(Day)
	id := int64(0)
	add := func(hour int, key int) {
		id++
		d.Add(&Point{shop, fmt.Sprint(key), "", monday + int64(hour)*int64(Hour), 1}, id)
	}
	keys := func(span Span, start int64) (n int, other int64) {
		for at, encoded := range tb.Cells[shop] {
			if at.span == span && at.start == start {
				if at.key == Other {
					other = decode(t, encoded).Count
				} else {
					n++
				}
			}
		}
		return n, other
	}
	for key := range MaxKeys + 5 {
		add(0, key)
	}
	tb.flush(t, d)
	for _, span := range []Span{Hour, Day} {
		n, other := keys(span, monday)
		require.Equal(t, MaxKeys, n)
		require.EqualValues(t, 5, other)
	}
	add(0, 3)           // has a cell
	add(0, MaxKeys+9)   // has none
	add(1, MaxKeys+9)   // this hour has room, the day has not
	add(24, MaxKeys+10) // so has the next day
	tb.flush(t, d)
	for _, c := range []struct {
		span  Span
		start int64
		n     int
		other int64
	}{
		{Hour, monday, MaxKeys, 6}, {Day, monday, MaxKeys, 7}, {Hour, monday + int64(Hour), 1, 0},
		{Hour, monday + int64(Day), 1, 0}, {Day, monday + int64(Day), 1, 0},
	} {
		n, other := keys(c.span, c.start)
		require.Equal(t, c.n, n, c)
		require.Equal(t, c.other, other, c)
	}
	require.Len(t, tb.Names[shop], MaxKeys+2, "what is only in (other) has no name")
}

func TestBounds(t *testing.T) {
	const ofKeys = dueCells - dueCells/maxCells // each batch has a minute too
	for _, c := range []struct {
		name           string
		text           string
		due, forgotten int // records of a key of their own
	}{
		{"cells", "", ofKeys, overflow*ofKeys + 1},
		{"texts", strings.Repeat("x", maxText), dueText / maxText, overflow*dueText/maxText + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Deltas
			d.Start(10)
			for i := 1; i < c.forgotten; i++ {
				require.Equal(t, i > c.due, d.Due(), i)
				d.Add(&Point{Series{"shop", php}, fmt.Sprint(i), c.text, 1, 1}, int64(10+i))
			}
			require.False(t, d.Behind())
			require.EqualValues(t, 10, d.Floor())
			b := d.Batches()[0]
			require.True(t, d.Take(b))
			d.Add(&Point{Series{"shop", php}, "one more", c.text, 1, 1}, int64(10+c.forgotten))
			require.True(t, d.Behind())
			require.Zero(t, d.Floor(), "nothing may be marked from here")
			d.Add(&Point{Series{"shop", php}, "not held", c.text, 1, 1}, int64(11+c.forgotten))
			require.Empty(t, d.Batches())
			require.False(t, d.Due())
			require.False(t, d.Take(b))
			d.Done(b)
			require.Equal(t, Deltas{series: map[Series][]*Batch{}}, d, "the end of a batch from before changes nothing")
		})
	}
}

func TestReaders(t *testing.T) {
	var d Deltas
	shop := Series{"shop", php}
	require.Empty(t, d.Hours(shop, 0, 1<<60))
	d.Start(0)
	long := strings.Repeat("x", 64<<10)
	for i, at := range []int64{3599, 3600, 3601, 7199, 7200} {
		d.Add(&Point{shop, "k", long[:10], at, 10}, int64(i+1))
	}
	taken := d.Batches()[0]
	require.True(t, d.Take(taken))
	require.Zero(t, d.Floor(), "what is being written is not written")
	d.Add(&Point{shop, "k", "later", 3600, 20}, 6)
	read := func(from, to int64) (got []string) {
		for _, h := range d.Hours(shop, from, to) {
			got = append(got, fmt.Sprint(h.Hour, " ", h.Key, " ", h.Text, " ", h.Count, " from ", h.First))
			h.Add(99, 99) // a copy
		}
		slices.Sort(got)
		return got
	}
	require.Equal(t, []string{"3600 k later 1 from 6", "3600 k xxxxxxxxxx 3 from 2"}, read(3600, 7200))
	require.Equal(t, []string{"3600 k later 1 from 6", "3600 k xxxxxxxxxx 3 from 2"}, read(3600, 7200))
	require.Len(t, read(0, 7201), 4)
	require.Empty(t, d.Hours(Series{"shop", postgres}, 0, 1<<60))
	minutes := d.Minutes(shop, 3540, 7140)
	slices.SortFunc(minutes, func(a, b Tally) int { return cmp.Or(cmp.Compare(a.Minute, b.Minute), cmp.Compare(a.Count, b.Count)) })
	require.Equal(t, []Tally{{3540, 1, 10}, {3600, 1, 20}, {3600, 2, 20}}, minutes)

	require.Len(t, d.Batches(), 2)
	require.False(t, d.Take(d.Batches()[1]), "the older is written first")
	d.Done(d.Batches()[1])
	require.Len(t, read(0, 7201), 4, "and is over first")
	require.True(t, d.Take(taken), "again, when its transaction failed")
	d.Done(taken)
	require.EqualValues(t, 5, d.Floor())
	require.Equal(t, []string{"3600 k later 1 from 6"}, read(0, 7201))
}

// What one transaction writes is bounded, whatever comes: so is what it has of a text, of an hour's keys and of minutes.
func TestBatchesAreSmall(t *testing.T) {
	for name, point := range map[string]func(n int) Point{
		"keys":    func(n int) Point { return Point{Key: fmt.Sprint(n), Text: "short"} },
		"minutes": func(n int) Point { return Point{Key: "one", Text: "short", Time: int64(n) * 60} },
		"texts":   func(n int) Point { return Point{Key: fmt.Sprint(n), Text: strings.Repeat("x", maxText)} },
	} {
		t.Run(name, func(t *testing.T) {
			var records stored
			tb, d := newTable(), &Deltas{}
			d.Start(0)
			for n := range 3000 {
				p := point(n)
				p.Series = Series{"shop", postgres}
				p.Time += 1_795_300_000
				records = append(records, p)
				d.Add(&p, int64(n+1))
			}
			batches := d.Batches()
			require.Greater(t, len(batches), 3)
			last := int64(0)
			for _, b := range batches {
				require.LessOrEqual(t, b.cells(), maxCells+1)
				require.LessOrEqual(t, b.text, maxTexts+maxText)
				require.True(t, d.Take(b))
				require.NoError(t, tb.apply(t, b, 0))
				require.Equal(t, last+1, b.first)
				require.Equal(t, b.last, tb.marks.Last[b.Series], "the mark is that of what its transaction wrote")
				last = b.last
				d.Done(b)
			}
			require.EqualValues(t, len(records), last)
			requireEqual(t, records, tb)
		})
	}
}

func TestMarks(t *testing.T) {
	shop, blog := Series{"shop", php}, Series{"blog", php}
	m := Marks{Floor: 10, Last: map[Series]int64{shop: 20, blog: 5}}
	for _, c := range []struct {
		series Series
		id     int64
		want   bool
	}{{shop, 20, true}, {shop, 21, false}, {blog, 10, true}, {blog, 11, false}, {Series{"new", php}, 10, true}, {Series{"new", php}, 11, false}} {
		require.Equal(t, c.want, m.Has(c.series, c.id), c)
	}
}
