package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/bitville/listener/shared/api"
	"github.com/bitville/listener/shared/record"
)

const (
	maxZstdWindow = 8 << 20  // bytes of history that a zstd frame may ask for: what RFC 8878 asks decoders to give
	firstRead     = 64 << 10 // bytes taken for a body before it arrives, whatever length it announces
)

// formatOf tells how records stand in the body by the Content-Type.
func formatOf(r *http.Request) (record.Format, error) {
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(contentType)) {
	case "", "application/json":
		return record.JSON, nil
	case "application/x-ndjson":
		return record.NDJSON, nil
	}
	return 0, &api.Error{
		Status: http.StatusUnsupportedMediaType,
		Text:   "Unsupported Content-Type: send application/json (an object or an array) or application/x-ndjson (an object a line)",
		Header: http.Header{"Accept": {"application/json, application/x-ndjson"}},
	}
}

func tooLarge(format string, args ...any) error {
	return &api.Error{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf(format, args...)}
}

// bodies reads request bodies. It keeps decompressors between requests.
type bodies struct {
	max   int64
	gzips sync.Pool // of *gzip.Reader
	zstds sync.Pool // of *zstd.Decoder
}

func newBodies(max int64) *bodies {
	return &bodies{
		max:   max,
		gzips: sync.Pool{New: func() any { return new(gzip.Reader) }},
		zstds: sync.Pool{New: func() any {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
			if err != nil {
				panic("zstd options: " + err.Error())
			}
			return d
		}},
	}
}

// read returns the decompressed body. Its errors are answers: 415, 413, 400, or 503 for a body that did
// not arrive.
func (b *bodies) read(r *http.Request) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header.Values("Content-Encoding"), ",")))
	switch encoding {
	case "", "identity", "gzip", "zstd":
	default:
		return nil, &api.Error{
			Status: http.StatusUnsupportedMediaType,
			Text:   "Unsupported Content-Encoding: send gzip, zstd, or none",
			Header: http.Header{"Accept-Encoding": {"gzip, zstd"}},
		}
	}
	wire, err := b.wire(r)
	if err != nil {
		return nil, err
	}
	var body []byte
	switch encoding {
	case "gzip":
		z := b.gzips.Get().(*gzip.Reader)
		defer b.gzips.Put(z)
		if err = z.Reset(bytes.NewReader(wire)); err == nil {
			body, err = readAll(z, record.MaxBody, 4*len(wire))
		}
	case "zstd":
		z := b.zstds.Get().(*zstd.Decoder)
		defer b.zstds.Put(z)
		if err = z.Reset(bytes.NewReader(wire)); err == nil {
			body, err = readAll(z, record.MaxBody, 4*len(wire))
		}
	default:
		if body = wire; len(wire) > record.MaxBody {
			err = errOverLimit
		}
	}
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, &api.Error{
			Status: http.StatusBadRequest,
			Text:   fmt.Sprintf("Invalid zstd: the frame asks for a window above %d bytes; compress without --long or --ultra", maxZstdWindow),
			Cause:  err,
		}
	case errors.Is(err, errOverLimit):
		return nil, tooLarge("The body is over %d bytes when decompressed; send fewer records at a time", record.MaxBody)
	case err != nil:
		return nil, &api.Error{
			Status: http.StatusBadRequest,
			Text:   fmt.Sprintf("Invalid %s: the body is damaged, ends early, or is not %[1]s at all", encoding),
			Cause:  err,
		}
	}
	return body, nil
}

// wire returns the body as it was sent.
func (b *bodies) wire(r *http.Request) ([]byte, error) {
	over := tooLarge("The body is over %d bytes; send fewer records at a time, or compress it", b.max)
	if r.ContentLength > b.max {
		return nil, over
	}
	body, err := readAll(r.Body, b.max, int(min(max(r.ContentLength, 0), firstRead)))
	switch {
	case errors.Is(err, errOverLimit):
		return nil, over
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &api.Error{
			Status: http.StatusServiceUnavailable,
			Text:   "The body did not arrive in time; send it again",
			Header: http.Header{"Retry-After": {"1"}},
			Cause:  err,
		}
	case err != nil:
		return nil, &api.Error{Status: http.StatusBadRequest, Text: "The body ended before its length; send it again", Cause: err}
	}
	return body, nil
}

var errOverLimit = errors.New("over the limit")

// readAll reads to the end, at most max bytes. expect is a guess of how many there are.
func readAll(r io.Reader, max int64, expect int) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(min(expect, int(max)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r, max+1))
	if n > max {
		return nil, errOverLimit
	}
	return buf.Bytes(), err
}
