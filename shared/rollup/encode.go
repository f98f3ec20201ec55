package rollup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// encodingVersion is the first byte of an encoded cell. Behind it stand uvarints: count, sum, how many exemplars, of each
// how much faster than the one before it was (of the first how long it took) and its id, and to the end of the
// bytes the bins: how far from the bucket before (of the first its bucket), and its count. The rest follows from these.
const encodingVersion = 1

// Append appends the encoded cell. Equal cells have equal bytes.
func (c *Cell) Append(to []byte) []byte {
	to = append(to, encodingVersion)
	put := func(n int64) { to = binary.AppendUvarint(to, uint64(n)) }
	put(c.Count)
	put(c.Sum)
	put(int64(c.ranked))
	last := int64(0)
	for i, e := range c.Slowest() {
		if i == 0 {
			put(e.Micros)
		} else {
			put(last - e.Micros)
		}
		put(e.ID)
		last = e.Micros
	}
	bucket := 0
	for _, b := range c.bins {
		put(int64(b.bucket - bucket))
		put(b.count)
		bucket = b.bucket
	}
	return to
}

// Decode makes c the cell that Append wrote, in the memory that c has. An error says that the bytes are of no cell, and c
// is that of no records then.
func (c *Cell) Decode(from []byte) error {
	reused := c.bins[:0]
	*c = Cell{}
	if len(from) == 0 || from[0] != encodingVersion {
		return errors.New("decode a cell: it does not begin with the version that is known")
	}
	d := decoder{from: from[1:]}
	c.Count, c.Sum = d.next(math.MaxInt64), d.next(math.MaxInt64)
	c.ranked = int(d.next(maxSlowest))
	for i := range c.ranked {
		e := Exemplar{Micros: d.next(maxMicros)}
		if i > 0 {
			e.Micros = c.slowest[i-1].Micros - e.Micros
		}
		e.ID = d.next(math.MaxInt64)
		d.check(e.Micros >= 0 && (i == 0 || !e.before(c.slowest[i-1])), "exemplars out of order")
		c.slowest[i] = e
	}
	c.bins = slices.Grow(reused, min(len(d.from)/2, maxBucket+1))
	for bucket := 0; len(d.from) > 0 && d.err == nil; {
		step, count := d.next(int64(maxBucket-bucket)), d.next(math.MaxInt64)
		d.check(step > 0 || len(c.bins) == 0, "bins out of order")
		d.check(count > 0, "an empty bin")
		bucket += int(step)
		c.bins = append(c.bins, bin{bucket, count})
		c.Timed = plus(c.Timed, count)
	}
	d.check(c.Timed <= c.Count, "more durations than records")
	d.check(int64(c.ranked) == min(c.Timed, maxSlowest), "another number of exemplars than of durations")
	if d.err != nil {
		*c = Cell{}
		return fmt.Errorf("decode a cell: %w", d.err)
	}
	return nil
}

// decoder reads numbers until the first that is wrong.
type decoder struct {
	from []byte
	err  error
}

// next returns a number of at most most, 0 after an error.
func (d *decoder) next(most int64) int64 {
	if d.err == nil && len(d.from) > 0 && d.from[0] < 0x80 && int64(d.from[0]) <= most { // one byte: nearly all are
		n := d.from[0]
		d.from = d.from[1:]
		return int64(n)
	}
	n, size := binary.Uvarint(d.from)
	d.check(size > 0, "a number is cut off or too large")
	d.check(n <= uint64(most), "a number is out of range")
	d.check(size <= 1 || d.from[size-1] != 0, "a number is written longer than it is")
	if d.err != nil {
		return 0
	}
	d.from = d.from[size:]
	return int64(n)
}

// check keeps the first problem.
func (d *decoder) check(ok bool, problem string) {
	if !ok && d.err == nil {
		d.err = errors.New(problem)
	}
}
