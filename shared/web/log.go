package web

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// maxLogged cuts what a client or an error puts into a log line, in bytes.
const maxLogged = 2048

// requestID returns the client's X-Request-Id when it is 1 to 128 printable ASCII characters, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if len(id) == 0 || len(id) > 128 {
		return rand.Text()
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return rand.Text()
		}
	}
	return id
}

// logTo writes the request's access log line. route is the path of its pattern, and bytes is how much of the body was read
// from the wire.
func (w *Response) logTo(log *slog.Logger, repeats *repeats, r *http.Request, route, id string, bytes int64) {
	level, others := w.level(repeats)
	if !log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", clip(r.Method)),
		slog.String("path", clip(withoutKey(r.URL.Path, route))),
		slog.Int("status", w.status),
		slog.Float64("duration_ms", float64(time.Since(w.start).Microseconds())/1000),
		slog.Int64("bytes", bytes),
		slog.String("request_id", id),
		slog.String("remote", r.RemoteAddr))
	attrs = append(append(attrs, w.attrs...), others...)
	if w.closed {
		attrs = append(attrs, slog.Bool("closed_without_answer", true))
	}
	if w.cause != nil {
		attrs = append(attrs, slog.String("error", clip(w.cause.Error())))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

// KeyPath begins the paths of routes whose requests have their key in the URL, for clients that can put it nowhere else.
const KeyPath = "/k/{key}"

// withoutKey returns a request's path without the key that it may hold: the route's own path, where one was met, and else
// what stands before the key. A query, which may hold one too, is never logged.
func withoutKey(path, route string) string {
	if strings.HasPrefix(route, KeyPath) {
		return route
	}
	for _, mark := range []string{"/k/", "token="} { // the latter as in a query whose question mark is missing or escaped
		if before, _, found := strings.Cut(path, mark); found {
			return before + mark + "[redacted]"
		}
	}
	return path
}

func clip(s string) string {
	if len(s) > maxLogged {
		return strings.ToValidUTF8(s[:maxLogged], "") + "…"
	}
	return s
}
