package web

import (
	"io"
	"net/http"
	"time"
)

// maxDrained is how many bytes are read behind an answer.
const maxDrained = 8 << 20

// refuse answers with an error, at once: also when the body has not been read, and may never come. A client
// that sends all of it before it reads would meet a closed connection and never learn why; so what still
// comes is taken for a while, behind the answer. HTTP/2 ends one stream and not the connection, but its end is a reset,
// for which some clients (curl 7.88) throw away the answer that they have not read yet.
func refuse(w *Response, r *http.Request, body *countingBody, err error) {
	const (
		grace    = 100 * time.Millisecond // for a small body that is on its way, so that the connection can be kept
		small    = 512 << 10              // to read it costs less than the handshake of another connection
		patience = 5 * time.Second
	)
	rc := http.NewResponseController(w.rw)
	// A client that asked before it sends (Expect) sends nothing now. A host that has read the body before it called
	// knows no deadlines.
	if body.ended || r.ContentLength == 0 || r.Header.Get("Expect") != "" {
		w.fail(err)
		return
	}
	if r.ProtoMajor == 2 {
		w.fail(err)
		if rc.Flush() == nil {
			drainStream(rc, r.Body)
		}
		return
	}
	if r.ProtoMajor != 1 || rc.SetReadDeadline(time.Now().Add(grace)) != nil {
		w.fail(err)
		return
	}
	if 0 < r.ContentLength && r.ContentLength <= small {
		if _, _ = io.Copy(io.Discard, r.Body); body.ended {
			w.fail(err)
			return
		}
	}
	w.Header().Set("Connection", "close") // what comes now must not be read as the next request
	_ = rc.EnableFullDuplex()             // or net/http reads of the body before it answers
	w.fail(err)
	if rc.Flush() == nil && rc.SetReadDeadline(time.Now().Add(patience)) == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	}
}

// drainStream reads what still comes of an HTTP/2 stream's body. Its client sees the end of the answer behind that, and many
// send no more when they see its beginning: so it waits for little, and not for long.
func drainStream(rc *http.ResponseController, body io.Reader) {
	const (
		quiet    = 100 * time.Millisecond
		patience = time.Second
	)
	end := time.Now().Add(patience)
	buf := make([]byte, 16<<10) // an HTTP/2 frame's
	for n := 0; n < maxDrained; {
		wait := min(quiet, time.Until(end))
		// Once a deadline has passed nothing of the stream can be read.
		if wait <= 0 || rc.SetReadDeadline(time.Now().Add(wait)) != nil {
			return
		}
		read, err := body.Read(buf[:min(len(buf), maxDrained-n)])
		if n += read; err != nil {
			return
		}
	}
}

// countingBody counts the bytes of a request's body as they are read.
type countingBody struct {
	io.ReadCloser
	n     int64
	ended bool // read to its end
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.ended = b.ended || err == io.EOF
	return n, err
}
