package intake

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bitville/listener/shared/compression"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
)

// A body has to come at a rate, for each one that is awaited holds memory and a connection: from the
// beginning on this many bytes a second on average, after some patience with a slow start, and it must be
// there in the end.
const (
	bodyPatience = 5 * time.Second
	bodyRate     = 8 << 10 // bytes a second
	bodyTime     = 30 * time.Second
)

func tooLarge(format string, args ...any) error {
	return &web.Error{Status: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf(format, args...)}
}

var errOverLimit = errors.New("over the limit")

// Bodies reads request bodies. All handlers of a process share one, so that what they hold together is
// bounded.
type Bodies struct {
	max     int64 // of one on the wire
	budget  budget
	openers chan *opener // as many as can work at one time
}

// NewBodies returns what reads bodies of at most max bytes on the wire. What it holds at one time is bounded: by
// 64 MiB when max is 4 MiB, which is room for the largest body, compressed and opened, and for small ones at the same time. A
// body that there is no room for is answered 503.
func NewBodies(max int64) *Bodies {
	largest := max + record.MaxBody
	b := &Bodies{max: max, budget: budget{size: spare + largest*reserved/(reserved-1)}, openers: make(chan *opener, min(runtime.GOMAXPROCS(0), maxOpeners))}
	for range cap(b.openers) {
		b.openers <- &opener{}
	}
	return b
}

// read returns the decompressed body, of at most sent bytes on the wire (0: as the settings say) and opened bytes in the
// end. Its bytes are in the share until it is given back. Its errors are answers: 415, 413, 400, or 503 for a body that
// did not arrive or that there is no room for.
func (b *Bodies) read(w *web.Response, r *http.Request, sent, opened int64, s *share) ([]byte, error) {
	encoding := encodingOf(r)
	switch encoding {
	case "", "gzip", "zstd":
	default:
		return nil, &web.Error{
			Status: http.StatusUnsupportedMediaType,
			Text:   "Unsupported Content-Encoding: send gzip, zstd, or none",
			Header: http.Header{"Accept-Encoding": {"gzip, zstd"}},
		}
	}
	wire, err := b.wire(w, r, cmp.Or(sent, b.max), s)
	if err != nil {
		return nil, err
	}
	body := wire
	if encoding != "" {
		o := <-b.openers
		body, err = o.open(encoding, wire, opened, s)
		b.openers <- o
		s.give(int64(cap(wire)))
	} else if int64(len(wire)) > opened {
		err = errOverLimit
	}
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, errBusy):
		return nil, err
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, &web.Error{
			Status: http.StatusBadRequest,
			Text:   fmt.Sprintf("Invalid zstd: the frame asks for a window above %d bytes; compress without --long or --ultra", maxZstdWindow),
			Cause:  err,
		}
	case errors.Is(err, errOverLimit), errors.Is(err, zstd.ErrDecoderSizeExceeded): // the latter when a frame announces it
		return nil, tooLarge("The body is over %d bytes when decompressed; send fewer records at a time", opened)
	}
	return nil, &web.Error{Status: http.StatusBadRequest, Text: "Invalid " + encoding + ": " + notOpened(encoding, wire), Cause: err}
}

// encodingOf returns how the body is compressed, as far as it is by one encoding. Empty members of the list don't count
// (RFC 9110, section 5.6.1), identity alone is none, and x-gzip is gzip's other name (section 8.4.1.3).
func encodingOf(r *http.Request) string {
	var all []string
	for encoding := range strings.SplitSeq(strings.Join(r.Header.Values("Content-Encoding"), ","), ",") {
		switch encoding = strings.ToLower(strings.Trim(encoding, " \t")); encoding {
		case "":
		case "x-gzip":
			all = append(all, "gzip")
		default:
			all = append(all, encoding)
		}
	}
	if len(all) == 1 && all[0] == "identity" {
		return ""
	}
	return strings.Join(all, ", ")
}

// notOpened says what a body looks like that is not what its Content-Encoding says.
func notOpened(encoding string, wire []byte) string {
	text := bytes.TrimLeft(bytes.TrimPrefix(wire, []byte("\ufeff")), " \t\r\n")
	switch found := compression.Name(wire); {
	case len(wire) == 0:
		return "the body is empty"
	case found != "" && found != encoding:
		return compression.Remedy(found)
	case len(text) > 0 && (text[0] == '{' || text[0] == '['):
		return "the body is plain JSON; compress it, or leave the header Content-Encoding out"
	case found == "":
		return "the body does not begin as " + encoding + " does; PHP's gzencode makes gzip, and gzdeflate and gzcompress do not"
	}
	return "the body is damaged, ends early, or has something behind its end"
}

// wire returns the body as it was sent, of at most max bytes.
func (b *Bodies) wire(w *web.Response, r *http.Request, max int64, s *share) ([]byte, error) {
	over := tooLarge("The body is over %d bytes; send fewer records at a time, or compress it", max)
	if r.ContentLength > max {
		return nil, over
	}
	expect, most := r.ContentLength, r.ContentLength
	if expect <= 0 { // 0 too: that is what a function's event says of a base64 body
		expect, most = smallBody/8, max
	}
	in := &timedReader{Reader: r.Body, w: w, start: time.Now()}
	body, err := readAll(in, min(expect, maxWireRead), most, s)
	w.SetReadDeadline(time.Time{}) // what is read behind the body is not part of it
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, errBusy):
		return nil, err
	case errors.Is(err, errOverLimit):
		return nil, over
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &web.Error{
			Status: http.StatusServiceUnavailable,
			Text:   "The body did not arrive in time; send it again",
			Header: http.Header{"Retry-After": {"1"}},
			Cause:  err,
		}
	}
	return nil, cutOff(r, err)
}

// cutOff answers a body that could not be read to its end.
func cutOff(r *http.Request, err error) error {
	e := &web.Error{Status: http.StatusBadRequest, Text: "The body ended before its length; send it again", Cause: err}
	// The end of what an HTTP/1 client sends ends the context too, and yet it may wait for its answer.
	if _, broken := errors.AsType[net.Error](err); broken || r.ProtoMajor == 2 && r.Context().Err() != nil {
		e.Status, e.Text = web.StatusClientGone, "The client went away"
	} else if r.ProtoMajor == 1 && r.ContentLength < 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
		e.Text = "The body's chunked encoding is malformed; send a Content-Length, or chunks as in RFC 9112"
	}
	return e
}

// timedReader reads a body that has to come at bodyRate.
type timedReader struct {
	io.Reader
	w     *web.Response
	start time.Time
	n     int64 // bytes read
	until int64 // the deadline is that of so many bytes
}

func (t *timedReader) Read(p []byte) (int, error) {
	if t.n >= t.until {
		wait := bodyPatience + time.Duration(t.n)*time.Second/bodyRate
		t.w.SetReadDeadline(t.start.Add(min(wait, bodyTime)))
		t.until = t.n + bodyRate
	}
	n, err := t.Reader.Read(p)
	t.n += int64(n)
	return n, err
}

// readAll reads to the end, at most max bytes, and takes what it makes room for from the share. expect is a
// guess of how many there are. The share holds the new room alone while the old one is copied, which is garbage then.
func readAll(r io.Reader, expect, max int64, s *share) ([]byte, error) {
	size := min(expect, max) + 1 // so that the last read can find the end
	if err := s.take(size); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > max:
			return nil, errOverLimit
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) < cap(buf):
			continue
		}
		grown := min(2*int64(cap(buf)), max+1)
		if err := s.take(grown - int64(cap(buf))); err != nil {
			return nil, err
		}
		buf = append(make([]byte, 0, grown), buf...)
	}
}
