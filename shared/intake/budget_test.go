package intake

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"io"
	"strings"
	"testing"

	klauspost "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

// What is taken comes back, and a part of the budget is left to small bodies.
func TestBudget(t *testing.T) {
	b := budget{size: 1 << 20}
	large, small := share{of: &b}, share{of: &b}
	require.NoError(t, large.take(700<<10))
	require.ErrorIs(t, large.take(100<<10), errBusy, "that quarter is for small bodies")
	require.EqualValues(t, 700<<10, b.used.Load(), "what was not given is not counted")
	require.NoError(t, small.take(smallBody))
	require.NoError(t, small.take(perRequest))
	require.ErrorIs(t, small.take(1<<20), errBusy, "it is small no longer")
	large.give(100 << 10)
	require.NoError(t, large.take(50<<10))
	large.giveAll()
	large.giveAll()
	small.giveAll()
	require.Zero(t, b.used.Load())
}

// The largest body fits, whatever the limit on the wire is.
func TestBudgetOfTheLargestBody(t *testing.T) {
	for _, max := range []int64{1, 4 << 20, record.MaxBody} {
		s := share{of: &NewBodies(max).budget}
		require.NoError(t, s.take(perRequest+max+1))
		require.NoError(t, s.take(record.MaxBody+1))
	}
	require.EqualValues(t, 64<<20, NewBodies(4<<20).budget.size)
}

// However a body comes and whatever it opens to, it is read whole, and the share is what it holds.
func TestReadAll(t *testing.T) {
	text := []byte(strings.Repeat("0123456789", 30_000))
	for _, size := range []int{0, 1, 511, 512, 513, 8192, len(text)} {
		for _, expect := range []int64{0, 1, int64(size), int64(size) * 2} {
			s := share{of: &budget{size: 1 << 30}}
			got, err := readAll(iotest{bytes.NewReader(text[:size])}, expect, int64(size), &s)
			require.NoError(t, err)
			require.Equal(t, string(text[:size]), string(got))
			require.EqualValues(t, cap(got), s.n)
		}
	}
	s := share{of: &budget{size: 1 << 30}}
	_, err := readAll(bytes.NewReader(text), 10, int64(len(text))-1, &s)
	require.ErrorIs(t, err, errOverLimit)
	s = share{of: &budget{size: 1000}}
	_, err = readAll(bytes.NewReader(text), 10, int64(len(text)), &s)
	require.ErrorIs(t, err, errBusy)
}

// iotest reads a few bytes at a time, and tells the end with the last of them.
type iotest struct{ *bytes.Reader }

func (r iotest) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p[:min(len(p), 1000)])
	if err == nil && r.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// A body opens to what was compressed, whether its size stands in it or not, in one piece or in two; what there
// is no room for is refused before it is made.
func TestOpen(t *testing.T) {
	random := make([]byte, 300_000)
	_, _ = rand.Read(random)
	zstandard := func(options ...zstd.EOption) func(testing.TB, []byte) []byte {
		return func(t testing.TB, body []byte) []byte {
			e, err := zstd.NewWriter(nil, options...)
			require.NoError(t, err)
			defer e.Close()
			return e.EncodeAll(body, nil)
		}
	}
	stream := func(t testing.TB, body []byte) []byte {
		var out bytes.Buffer
		e, err := zstd.NewWriter(&out)
		require.NoError(t, err)
		_, err = e.Write(body) // its size is not known when the frame begins
		require.NoError(t, err)
		require.NoError(t, e.Close())
		return out.Bytes()
	}
	for name, c := range map[string]struct {
		encoding string
		encode   func(testing.TB, []byte) []byte
	}{
		"gzip": {"gzip", gzipped},
		"gzip in two": {"gzip", func(t testing.TB, b []byte) []byte {
			return append(gzipped(t, b[:len(b)/2]), gzipped(t, b[len(b)/2:])...)
		}},
		"zstd": {"zstd", zstandard()},
		"zstd in two": {"zstd", func(t testing.TB, b []byte) []byte {
			return append(zstandard()(t, b[:len(b)/2]), zstandard()(t, b[len(b)/2:])...)
		}},
		"zstd, streamed": {"zstd", stream},
	} {
		t.Run(name, func(t *testing.T) {
			o := &opener{}
			for _, body := range [][]byte{nil, []byte("{}"), random, bytes.Repeat([]byte("{}"), 1<<19), bytes.Repeat([]byte("{} "), 1<<20)} {
				s := share{of: &budget{size: 64 << 20}}
				got, err := o.open(c.encoding, c.encode(t, body), record.MaxBody, &s)
				require.NoError(t, err)
				require.True(t, bytes.Equal(body, got), "%d bytes", len(body))
				require.EqualValues(t, cap(got), s.n)
				if name == "gzip" {
					require.EqualValues(t, len(body)+1, s.n, "a body that says its size takes no more than it needs")
				}
			}
			s := share{of: &budget{size: 2 << 20}}
			_, err := o.open(c.encoding, c.encode(t, make([]byte, 4<<20)), record.MaxBody, &s)
			require.ErrorIs(t, err, errBusy)
		})
	}
}

// A bomb takes no more than the largest body.
func TestOpenBomb(t *testing.T) {
	for _, c := range []struct {
		size int
		err  error
	}{{record.MaxBody, nil}, {record.MaxBody + 1, errOverLimit}, {2 * record.MaxBody, errOverLimit}} {
		for _, announced := range []bool{true, false} {
			wire := gzipped(t, make([]byte, c.size))
			if !announced {
				wire = append(wire, gzipped(t, nil)...)
			}
			s := share{of: &budget{size: 64 << 20}}
			body, err := (&opener{}).open("gzip", wire, record.MaxBody, &s)
			require.ErrorIs(t, err, c.err)
			require.LessOrEqual(t, s.n, int64(record.MaxBody+1))
			if err == nil {
				require.Len(t, body, c.size)
			}
		}
	}
}

// A trailer that lies about the size costs nothing, and is not believed.
func TestOpenLies(t *testing.T) {
	small := gzipped(t, []byte("{}"))
	copy(small[len(small)-4:], "\xff\xff\xff\xff")
	s := share{of: &budget{size: 64 << 20}}
	_, err := (&opener{}).open("gzip", small, record.MaxBody, &s)
	require.ErrorIs(t, err, klauspost.ErrChecksum)
	require.LessOrEqual(t, s.n, int64(len(small)*maxRatio+1))
}

func gzipped(t testing.TB, body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}
