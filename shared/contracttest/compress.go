package contracttest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"

	"github.com/klauspost/compress/zstd"
)

// gzipped compresses a body as gzip does.
func gzipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("gzip into memory: " + err.Error())
	}
	return b.Bytes()
}

// zlibbed compresses a body as PHP's gzcompress does.
func zlibbed(body []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(body)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("zlib into memory: " + err.Error())
	}
	return b.Bytes()
}

// zstandard compresses a body as zstd does, with the checksum that its program adds.
func zstandard(body []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
	if err != nil {
		panic("zstd options: " + err.Error())
	}
	defer w.Close()
	return w.EncodeAll(body, nil)
}

// zstdWithWindow frames a body of up to 128 KB as it is, and asks the decoder for a window of 1 KiB << log
// (RFC 8878, section 3.1.1).
func zstdWithWindow(log int) func([]byte) []byte {
	return func(body []byte) []byte {
		const lastRawBlock = 1
		block := len(body)<<3 | lastRawBlock
		frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(log << 3), byte(block), byte(block >> 8), byte(block >> 16)}
		return append(frame, body...)
	}
}
