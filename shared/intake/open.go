package intake

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	maxOpeners    = 4       // a decompressor may hold a window and more
	maxZstdWindow = 8 << 20 // bytes of history that a zstd frame may ask for: what RFC 8878 asks decoders to give
	maxRatio      = 1032    // deflate's limit; what a body says of its size is not believed beyond it
)

// opener decompresses bodies, one at a time. It keeps its decompressors.
type opener struct {
	gzip members
	zstd *zstd.Decoder
}

// open returns the decompressed body, of at most max bytes, which it takes from the share as the body grows. What the body
// says of its own size is where it begins, as far as that can be true.
func (o *opener) open(encoding string, wire []byte, max int64, s *share) ([]byte, error) {
	r, err := o.reader(encoding, wire)
	if err != nil {
		return nil, err
	}
	return readAll(r, guess(encoding, wire), max, s)
}

func (o *opener) reader(encoding string, wire []byte) (r io.Reader, err error) {
	if encoding == "gzip" {
		o.gzip.in.Reset(wire)
		return &o.gzip, o.gzip.next()
	}
	if o.zstd == nil {
		o.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			panic("zstd options: " + err.Error())
		}
	}
	return o.zstd, o.zstd.Reset(bytes.NewReader(wire))
}

// members reads the members of a gzip file. gzip.Reader itself takes an input that ends in the name or the comment of a
// later one's header for complete.
type members struct {
	gzip gzip.Reader
	in   bytes.Reader // no byte of it is read before its turn
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.gzip.Read(p)
	if err == io.EOF && m.in.Len() > 0 {
		err = m.next()
	}
	return n, err
}

// next begins a member.
func (m *members) next() error {
	err := m.gzip.Reset(&m.in)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	m.gzip.Multistream(false)
	return err
}

// guess tells how many bytes a body opens to, as far as it says so itself.
func guess(encoding string, wire []byte) int64 {
	most := int64(len(wire)) * maxRatio
	if encoding == "gzip" && len(wire) >= 4 {
		return min(int64(binary.LittleEndian.Uint32(wire[len(wire)-4:])), most)
	}
	var header zstd.Header
	if header.Decode(wire) == nil && header.HasFCS {
		return int64(min(header.FrameContentSize, uint64(most)))
	}
	return min(4*int64(len(wire)), most)
}
