package intake

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http/httptest"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
)

// FuzzOpen: whatever is sent as compressed, what is given out is what compress/gzip gives, or for zstd what decoding it in
// one piece gives, never more than the limit. All else is an answer that blames the client: 413 exactly when there is more,
// or a zstd frame may have announced it. The budget holds what is given out, a small one changes no answer but to 503, and
// all of it comes back.
//
// An input is the compressed bytes, or what is compressed before one byte of it is changed, or none: a fuzzer would find
// no checksum.
func FuzzOpen(f *testing.F) {
	for _, zstandard := range []bool{false, true} {
		for _, body := range []string{"", "[]", profile(1, 1000)} {
			f.Add(zstandard, []byte(body), true, uint16(0), byte(0), uint32(1<<20))
			f.Add(zstandard, []byte(body), true, uint16(9), byte(1), uint32(1000))
			f.Add(zstandard, pressed(f, zstandard, []byte(body+body)), false, uint16(0), byte(0), uint32(100))
		}
		f.Add(zstandard, append(pressed(f, zstandard, []byte("[]")), "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xffname"...), false, uint16(0), byte(0), uint32(100)) // ends in the next header
		f.Add(zstandard, pressed(f, zstandard, make([]byte, 1<<20+1)), false, uint16(0), byte(0), uint32(2<<20))
	}
	b := NewBodies(4 << 20) // one for all, for what it keeps between two bodies must change nothing
	f.Fuzz(func(t *testing.T, zstandard bool, wire []byte, compress bool, at uint16, flip byte, room uint32) {
		if !compress {
			requireOpened(t, b, zstandard, wire, room)
			return
		}
		sent, wire := wire, pressed(t, zstandard, wire)
		wire[int(at)%len(wire)] ^= flip
		if got := requireOpened(t, b, zstandard, wire, room); flip == 0 {
			require.True(t, bytes.Equal(sent, got))
		}
	})
}

// The same about the limit, of which a fuzzer would try few.
func TestOpenAboutTheLimit(t *testing.T) {
	b := NewBodies(4 << 20)
	for _, zstandard := range []bool{false, true} {
		for _, size := range []int{1 << 20, record.MaxBody, record.MaxBody + 1} {
			requireOpened(t, b, zstandard, pressed(t, zstandard, make([]byte, size)), 16<<20)
		}
	}
	// A frame whose header announces 2^60 bytes.
	_, status := readWithin(t, b, "zstd", []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x10"))
	require.Equal(t, 413, status)
}

// requireOpened opens a body with room for the largest, and with so much room, and returns it.
func requireOpened(t *testing.T, b *Bodies, zstandard bool, wire []byte, room uint32) []byte {
	encoding, want, wantErr := "gzip", []byte(nil), error(nil)
	if zstandard {
		encoding = "zstd"
		want, wantErr = unzstd(wire)
	} else {
		want, wantErr = gunzip(wire)
	}
	got, status := readWithin(t, b, encoding, wire)
	switch {
	case errors.Is(wantErr, zstd.ErrDecoderSizeExceeded), errors.Is(wantErr, zstd.ErrWindowSizeExceeded):
		require.Contains(t, []int{400, 413}, status, "a frame announces too much, which may be a lie")
	case len(want) > record.MaxBody:
		require.Equal(t, 413, status)
	case wantErr != nil:
		require.Equal(t, 400, status, "%v", wantErr)
	default:
		require.Zero(t, status)
		require.True(t, bytes.Equal(want, got))
	}
	full := b.budget.size
	b.budget.size = int64(room)
	again, answer := readWithin(t, b, encoding, wire)
	b.budget.size = full
	if answer != 503 {
		require.Equal(t, status, answer)
		require.True(t, bytes.Equal(got, again))
	}
	return got
}

// readWithin returns the body, or the status of the answer.
func readWithin(t *testing.T, b *Bodies, encoding string, wire []byte) (body []byte, status int) {
	s := share{of: &b.budget}
	defer func() {
		s.giveAll()
		require.Zero(t, b.budget.used.Load())
	}()
	r := httptest.NewRequest("POST", "/ingest/php", bytes.NewReader(wire))
	r.Header.Set("Content-Encoding", encoding)
	body, err := b.read(&web.Response{}, r, 0, record.MaxBody, &s)
	require.Equal(t, s.n, b.budget.used.Load())
	if err != nil {
		var answer *web.Error
		require.ErrorAs(t, err, &answer)
		return nil, answer.Status
	}
	require.LessOrEqual(t, len(body), record.MaxBody)
	require.EqualValues(t, cap(body), s.n)
	return body, 0
}

func pressed(t testing.TB, zstandard bool, body []byte) []byte {
	if !zstandard {
		return gzipped(t, body)
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	return e.EncodeAll(body, nil)
}

// gunzip returns what bytes open to, at most one more than the limit, and what is wrong up to there. It goes from member to
// member for the sake of their flags.
func gunzip(wire []byte) (body []byte, err error) {
	in := bytes.NewReader(wire)
	for first := true; first || in.Len() > 0; first = false {
		if rest := wire[len(wire)-in.Len():]; len(rest) > 3 && rest[3] > 0x1f {
			return body, errors.New("compress/gzip passes over flags that RFC 1952 refuses")
		}
		r, err := gzip.NewReader(in)
		if err != nil {
			return body, err
		}
		r.Multistream(false)
		member, err := io.ReadAll(io.LimitReader(r, int64(record.MaxBody+1-len(body))))
		if body = append(body, member...); err != nil || len(body) > record.MaxBody {
			return body, err
		}
	}
	return body, nil
}

// unzstd is the same for zstd, and an error of its own tells more than the limit.
func unzstd(wire []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderMaxMemory(record.MaxBody))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(wire, nil)
}
