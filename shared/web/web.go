// Package web is what every handler has around it: exact routes, request ids, one access log line a
// request, and one place where errors become answers. It is part of each function's handler, so that all
// hosts answer alike.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// Handler answers a request, or returns an error that the caller makes an answer of: an *Error its own,
// any other a 500.
type Handler func(w *Response, r *http.Request) error

// Routes maps patterns of http.ServeMux, "METHOD /path", to handlers. GET answers HEAD too. A path that ends in a slash
// stands for itself alone.
type Routes map[string]Handler

// Error is an answer other than 200.
type Error struct {
	Status int
	Text   string         // for the client: what is wrong and what to do
	Fields map[string]any // what the answer holds beside "error"
	Header http.Header    // what the answer needs beside the usual
	Cause  error          // for the log alone
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Text
	}
	return e.Text + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// StatusClientGone is for the log and the metrics alone: the client went away before its request was whole. The
// number is nginx's.
const StatusClientGone = 499

// Config is what a handler's surroundings need.
type Config struct {
	Log     *slog.Logger
	Observe func(Observation) // told of each request that was answered
}

// Observation is what metrics are made of.
type Observation struct {
	Path     string // of the route's pattern; empty when the request met none
	Status   int
	Duration time.Duration
	Bytes    int64 // of the body, on the wire
}

// New returns the handler of routes, of one function or of all that a host has: two may not have the same pattern.
func New(cfg Config, routes ...Routes) http.Handler {
	router := newRouter(routes)
	repeats := &repeats{}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &Response{rw: rw, start: time.Now()}
		body := &countingBody{ReadCloser: r.Body}
		r = r.WithContext(r.Context()) // a copy: net/http looks at its own request's body to answer early
		r.Body = body
		id := requestID(r)
		path, handle := router.find(r)
		w.Header().Set("X-Request-Id", id)
		defer func() {
			if p := recover(); p != nil {
				w.panicked(p)
			}
			if w.after != nil {
				w.after()
			}
			w.logTo(cfg.Log, repeats, r, id, body.n)
			cfg.Observe(Observation{Path: path, Status: w.status, Duration: time.Since(w.start), Bytes: body.n})
		}()
		if err := handle(w, r); err != nil {
			refuse(w, r, body, err)
		}
	})
}

// answerTimeout is how long a client may take to read its answer.
const answerTimeout = 30 * time.Second

// Response is a request's answer, and what the access log will say of it. It is written once and whole, so
// that an answer that has begun is always a complete one.
type Response struct {
	rw     http.ResponseWriter
	start  time.Time
	status int // 0 until it is written
	attrs  []slog.Attr
	cause  error
	after  func()
}

// Header returns the headers that the answer will have.
func (w *Response) Header() http.Header { return w.rw.Header() }

// SetReadDeadline sets until when the body may be read; the zero time is no limit. A host that has read the body
// before it called knows no deadlines.
func (w *Response) SetReadDeadline(t time.Time) {
	_ = http.NewResponseController(w.rw).SetReadDeadline(t)
}

// After has f called when the answer is written, or the client has gone: also one that an error is made into.
func (w *Response) After(f func()) { w.after = f }

// Log adds attributes to the request's access log line: never a key, never a payload.
func (w *Response) Log(attrs ...slog.Attr) { w.attrs = append(w.attrs, attrs...) }

// JSON writes an answer. An error says that v cannot be encoded, and that nothing was written.
func (w *Response) JSON(status int, v any) error {
	var data bytes.Buffer
	e := json.NewEncoder(&data)
	e.SetEscapeHTML(false) // an answer is not for a page, and "<key>" should read so
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.write(status, "application/json", bytes.TrimSuffix(data.Bytes(), []byte("\n")))
	return nil
}

// Text writes an answer of plain text.
func (w *Response) Text(status int, text string) {
	w.write(status, "text/plain; charset=utf-8", []byte(text))
}

func (w *Response) write(status int, contentType string, data []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", fmt.Sprint(len(data)))
	w.status = status
	_ = http.NewResponseController(w.rw).SetWriteDeadline(time.Now().Add(answerTimeout)) // where the host can
	w.rw.WriteHeader(status)
	_, _ = w.rw.Write(data) // a client that has gone changes nothing of what was stored
}

// fail makes an answer of an error: the only place that does.
func (w *Response) fail(err error) {
	w.cause = err
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Status: http.StatusInternalServerError, Text: "Internal error: it is in the listener's log under this answer's X-Request-Id"}
	}
	answer := map[string]any{"error": e.Text}
	for name, value := range e.Fields {
		answer[name] = value
	}
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	if err := w.JSON(e.Status, answer); err != nil {
		panic(err)
	}
}

// panicked answers a request whose handler panicked. The process lives on, in every host.
func (w *Response) panicked(p any) {
	cause := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	if w.status != 0 {
		w.cause = cause
		return
	}
	w.fail(cause)
}

// RetryAfter is the header's value for a wait: whole seconds, 1 at the least.
func RetryAfter(wait time.Duration) string {
	return strconv.Itoa(int(max(1, math.Ceil(wait.Seconds()))))
}

// answerTime is what is left of a function's time to answer in, before the function is stopped.
const answerTime = time.Second

// TimeLeft is how long a request's work may take: at most most, and less when the request has a deadline.
func TimeLeft(ctx context.Context, most time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return most
	}
	return min(most, time.Until(deadline)-answerTime)
}
