package rollup

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func cellOf(micros ...int64) (c Cell) {
	for i, m := range micros {
		c.Add(int64(i+1), m)
	}
	return c
}

// TestMergeInAnyOrder counts records into any number of cells and merges these in any order.
func TestMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		type record struct{ id, micros int64 }
		var records []record
		for id := range int64(rng.IntN(300)) {
			m := rng.Int64N(1 << (1 + rng.IntN(50)))
			if rng.IntN(5) == 0 {
				m = rng.Int64N(4) - 1 // equal ones, and unknown
			}
			records = append(records, record{id + 1, m})
		}
		var want Cell
		for _, r := range records {
			want.Add(r.id, r.micros)
		}
		parts := make([]Cell, 1+rng.IntN(10))
		for _, r := range shuffled(rng, records) {
			parts[rng.IntN(len(parts))].Add(r.id, r.micros)
		}
		for len(parts) > 1 { // any two, the one into the other
			parts = shuffled(rng, parts)
			before := parts[1].Append(nil)
			parts[0].Merge(&parts[1])
			require.Equal(t, before, parts[1].Append(nil), "what is merged stays as it is")
			parts = slices.Delete(parts, 1, 2)
		}
		require.Equal(t, want.Append(nil), parts[0].Append(nil))
		decoded := decode(t, string(want.Append(nil)))
		require.Equal(t, want.Append(nil), decoded.Append(nil))
		require.Equal(t, want.Timed, decoded.Timed)
	}
}

func TestSlowest(t *testing.T) {
	c := cellOf(7, 9, -1, 7, 9, 3, 7, 8)
	require.Equal(t, []Exemplar{{9, 2}, {9, 5}, {8, 8}, {7, 1}, {7, 4}}, c.Slowest())
	require.EqualValues(t, 8, c.Count)
	require.EqualValues(t, 7, c.Timed)
	require.EqualValues(t, 50, c.Sum)
	slowest, ok := c.Max()
	require.True(t, ok)
	require.EqualValues(t, 9, slowest)

	clone := c.Clone()
	clone.Add(9, 100)
	clone.Add(10, 7)
	require.Equal(t, cellOf(7, 9, -1, 7, 9, 3, 7, 8), c)

	c = cellOf(-1)
	require.Empty(t, c.Slowest())
	_, ok = c.Max()
	require.False(t, ok)
	_, ok = c.Quantile(50)
	require.False(t, ok)
}

func TestBuckets(t *testing.T) {
	for micros := range int64(32) {
		require.Equal(t, micros, middle(bucketOf(micros)))
	}
	last := -1
	for bucket := range maxBucket + 1 {
		m := middle(bucket)
		require.Equal(t, bucket, bucketOf(m))
		require.Greater(t, bucket, last)
		last = bucket
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		micros := rng.Int64N(1 << (1 + rng.IntN(50)))
		off := math.Abs(float64(middle(bucketOf(micros))-micros)) / float64(max(1, micros))
		require.LessOrEqual(t, off, 1./32, micros)
	}
	require.Equal(t, 47*perOctave, maxBucket)
}

func TestQuantile(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var all []int64
		var c Cell
		for id := range int64(1 + rng.IntN(3000)) {
			m := int64(math.Exp(rng.NormFloat64()*2 + 8)) // as durations are
			all = append(all, m)
			c.Add(id, m)
			c.Add(-id-1, untimed)
		}
		slices.Sort(all)
		last := int64(0)
		for percent := int64(1); percent <= 100; percent++ {
			got, ok := c.Quantile(percent)
			require.True(t, ok)
			rank := int(math.Ceil(float64(len(all)) * float64(percent) / 100))
			exact := all[rank-1]
			if len(all)-rank < maxSlowest {
				require.Equal(t, exact, got)
			}
			require.LessOrEqual(t, math.Abs(float64(got-exact)), float64(exact)/32, "p%d of %d", percent, len(all))
			require.GreaterOrEqual(t, got, last, "no quantile is below a lower one")
			last = got
		}
	}
	for _, c := range []struct {
		micros  []int64
		percent int64
		want    int64
	}{
		{[]int64{1000}, 50, 1000}, {[]int64{1000, 2000}, 50, 1000}, {[]int64{1000, 2000}, 51, 2000},
		{[]int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1000}, 90, 1}, {[]int64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1000}, 91, 1000},
		{[]int64{0, 0, 0}, 99, 0}, {[]int64{2049, 2049, 2049, 2049, 2049, 2049}, 1, 2049}, // not the middle, 2,111
	} {
		cell := cellOf(c.micros...)
		got, _ := cell.Quantile(c.percent)
		require.Equal(t, c.want, got, c)
	}
}

func TestLargeNumbers(t *testing.T) {
	c := Cell{Count: math.MaxInt64, Timed: math.MaxInt64, Sum: math.MaxInt64 - 1, bins: []bin{{bucketOf(5), math.MaxInt64}}, ranked: 1}
	c.Add(1, 5)
	c.Merge(&c)
	require.EqualValues(t, math.MaxInt64, c.Count)
	require.EqualValues(t, math.MaxInt64, c.Timed)
	require.EqualValues(t, math.MaxInt64, c.Sum)
	require.EqualValues(t, math.MaxInt64, c.bins[0].count)
	c = cellOf(math.MaxInt64)
	require.Equal(t, []Exemplar{{maxMicros, 1}}, c.Slowest())
	require.EqualValues(t, maxMicros, c.Sum)
}

// TestEncoding holds the bytes: they are in databases.
func TestEncoding(t *testing.T) {
	for _, c := range []struct {
		cell Cell
		want string
	}{
		{Cell{}, "01" + "00" + "00" + "00"},
		{cellOf(-1, -1), "01" + "02" + "00" + "00"},
		{cellOf(5), "01" + "01" + "05" + "01" + "0501" + "0501"},
		{cellOf(1000, -1, 40, 1000), "01" + "04" + "f80f" + "03" + "e80701" + "0004" + "c00703" + "2401" + "4b02"},
		{cellOf(1, 1, 1, 1, 1, 1), "01" + "06" + "06" + "05" + "0101" + "0002" + "0003" + "0004" + "0005" + "0106"},
	} {
		require.Equal(t, c.want, hex.EncodeToString(c.cell.Append(nil)))
		b, err := hex.DecodeString(c.want)
		require.NoError(t, err)
		got := cellOf(1, 2, 3) // whose memory is used again
		require.NoError(t, got.Decode(b))
		require.Equal(t, c.cell.Append(nil), got.Append(nil))
		require.Equal(t, c.cell.Timed, got.Timed)
	}
	cell := cellOf(5)
	twice := cell.Clone()
	twice.Merge(&cell)
	require.Equal(t, []Exemplar{{5, 1}, {5, 1}}, twice.Slowest(), "an id that is used again")
	require.NoError(t, cell.Decode(twice.Append(nil)))
	require.Equal(t, "x", string(cell.Append([]byte("x"))[:1]))
}

func TestDecodeGarbage(t *testing.T) {
	const large = "ffffffffffffffffff01" // above the largest int64
	for _, c := range []struct{ bytes, problem string }{
		{"", "version"}, {"00", "version"}, {"02000000", "version"},
		{"01", "cut off"}, {"0101", "cut off"}, {"010100", "cut off"}, {"010180", "cut off"},
		{"01" + large + "0000", "out of range"}, {"01ffffffffffffffffffff0100", "cut off or too large"},
		{"01800000" + "00", "longer than it is"},
		{"01060606" + "01010002000300040005" + "0006" + "0106", "out of range"},     // six exemplars
		{"01010501" + "0501", "another number"},                                     // no bins
		{"01020502" + "05010601" + "0502", "out of order"},                          // an exemplar below 0
		{"01020a02" + "05020001" + "0502", "out of order"},                          // of equal ones the higher id first
		{"01010501" + "0501" + "0500", "empty bin"},                                 //
		{"01010501" + "0501" + "0501" + "0001", "out of order"},                     // one bucket twice
		{"01010501" + "0501" + "0502", "more durations"},                            // than records
		{"01020501" + "0501" + "0502", "another number"},                            // two durations, one exemplar
		{"01010501" + "0501" + "f10501", "out of range"},                            // a bucket beyond the last
		{"01010501" + "0501" + "05", "cut off"},                                     //
		{"01010501" + "81808080808080200" + "1" + "0501" + "0501", "out of range"},  // longer than the longest
		{"01010501" + "0501" + "05" + "ff" + large + "0000000000000000", "cut off"}, //
	} {
		b, err := hex.DecodeString(c.bytes)
		require.NoError(t, err, c.bytes)
		got := cellOf(1)
		require.ErrorContains(t, got.Decode(b), c.problem, c.bytes)
		require.Zero(t, got)
	}
}

// FuzzDecode holds that bytes of strangers are a cell or an error, and that a cell has one encoding.
func FuzzDecode(f *testing.F) {
	for _, c := range []Cell{{}, cellOf(-1), cellOf(5, 1000, 1000), cellOf(1, 2, 3, 4, 5, 6, 7, 100_000, maxMicros)} {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Cell
		if c.Decode(b) != nil {
			return
		}
		require.Equal(t, b, c.Append(nil))
		for percent := int64(1); percent <= 100; percent++ {
			c.Quantile(percent)
		}
		twice := c.Clone()
		twice.Merge(&c)
		twice.Add(1, 1)
		require.GreaterOrEqual(t, twice.Count, c.Count)
	})
}
