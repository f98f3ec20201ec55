package rollup

import (
	"math"
	"math/bits"
	"slices"
)

// Cell is the figures of one key in one span. The zero value is that of no records. All are integers, so that cells which
// are merged in any order and grouping are equal.
type Cell struct {
	Count int64 // records
	Timed int64 // those with a duration; only they are in what follows
	Sum   int64 // of their durations: µs; it stays at the largest int64

	slowest [maxSlowest]Exemplar
	ranked  int   // how many of slowest there are
	bins    []bin // ascending, none of them empty
}

// maxSlowest is how many exemplars a cell has.
const maxSlowest = 5

// Exemplar is a record that was among the slowest.
type Exemplar struct {
	Micros int64
	ID     int64 // of two that took as long the lower id comes first
}

// before is the order of exemplars.
func (e Exemplar) before(other Exemplar) bool {
	return e.Micros > other.Micros || e.Micros == other.Micros && e.ID < other.ID
}

// bin is a bucket of the histogram: durations that differ by less than a sixteenth.
type bin struct {
	bucket int
	count  int64
}

// Buckets are 16 an octave; those below 32 hold one number each. The middle of one is at most a 32nd (3.1 %) away from
// whatever lies in it.
const (
	perOctave = 16
	logOctave = 4 // log2(perOctave)
)

var maxBucket = bucketOf(maxMicros)

func bucketOf(micros int64) int {
	if micros < perOctave {
		return int(micros)
	}
	octave := bits.Len64(uint64(micros)) - 1 - logOctave
	return octave*perOctave + int(micros>>octave) // the shifted number is 16 to 31
}

func middle(bucket int) int64 {
	if bucket < 2*perOctave {
		return int64(bucket)
	}
	octave := bucket/perOctave - 1
	low := int64(perOctave+bucket%perOctave) << octave
	return low + (1<<octave-1)/2
}

// Add counts a record in: its id, and how long it took in µs, negative when that is not known.
func (c *Cell) Add(id, micros int64) {
	c.Count = plus(c.Count, 1)
	if micros < 0 {
		return
	}
	micros = min(micros, maxMicros)
	c.rank(Exemplar{micros, id})
	c.Timed = plus(c.Timed, 1)
	c.Sum = plus(c.Sum, micros)
	bucket := bucketOf(micros)
	at, found := slices.BinarySearchFunc(c.bins, bucket, func(b bin, bucket int) int { return b.bucket - bucket })
	if !found {
		c.bins = slices.Insert(c.bins, at, bin{bucket: bucket})
	}
	c.bins[at].count = plus(c.bins[at].count, 1)
}

// Merge counts in what other has counted, which stays as it is. No record may be in both.
func (c *Cell) Merge(other *Cell) {
	for _, e := range other.Slowest() {
		c.rank(e)
	}
	c.Count = plus(c.Count, other.Count)
	c.Timed = plus(c.Timed, other.Timed)
	c.Sum = plus(c.Sum, other.Sum)
	c.mergeBins(other.bins)
}

// mergeBins adds bins, from the last to the first, so that none is moved twice.
func (c *Cell) mergeBins(more []bin) {
	missing := 0
	at := 0
	for _, b := range more {
		for at < len(c.bins) && c.bins[at].bucket < b.bucket {
			at++
		}
		if at == len(c.bins) || c.bins[at].bucket > b.bucket {
			missing++
		}
	}
	old := len(c.bins) - 1
	c.bins = slices.Grow(c.bins, missing)[:len(c.bins)+missing]
	for to := len(c.bins) - 1; len(more) > 0; to-- {
		b := more[len(more)-1]
		if old >= 0 && c.bins[old].bucket > b.bucket {
			c.bins[to] = c.bins[old]
			old--
			continue
		}
		if old >= 0 && c.bins[old].bucket == b.bucket {
			b.count = plus(b.count, c.bins[old].count)
			old--
		}
		c.bins[to] = b
		more = more[:len(more)-1]
	}
}

// Clone returns a cell that shares nothing with c.
func (c *Cell) Clone() Cell {
	clone := *c
	clone.bins = slices.Clone(c.bins)
	return clone
}

// Slowest returns the records that took longest, at most five, the slowest first.
func (c *Cell) Slowest() []Exemplar { return c.slowest[:c.ranked] }

// Max returns the longest duration in µs; ok is false when there is none.
func (c *Cell) Max() (micros int64, ok bool) { return c.slowest[0].Micros, c.ranked > 0 }

// Quantile returns the duration in µs that percent of the records with one took at most, 1 to 100; ok is false when there
// is none. It is exact among the five slowest and at most 3.1 % off below them.
func (c *Cell) Quantile(percent int64) (micros int64, ok bool) {
	if c.Timed == 0 {
		return 0, false
	}
	rank := c.Timed/100*percent + (c.Timed%100*percent+99)/100 // nearest rank, from 1
	if fromTop := c.Timed - rank; fromTop < int64(c.ranked) {
		return c.slowest[fromTop].Micros, true
	}
	most := c.slowest[c.ranked-1].Micros // the others took no longer
	for _, b := range c.bins {
		if rank -= b.count; rank <= 0 {
			return min(middle(b.bucket), most), true
		}
	}
	return most, true
}

// rank puts an exemplar in its place, if it has one.
func (c *Cell) rank(e Exemplar) {
	for i := range c.slowest {
		if i == c.ranked {
			c.slowest[i] = e
			c.ranked++
			return
		}
		if e.before(c.slowest[i]) {
			c.slowest[i], e = e, c.slowest[i]
		}
	}
}

// plus adds what is not negative and stays at the largest number. So it commutes.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
