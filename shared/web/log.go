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

// logTo writes the request's access log line. bytes is how much of the body was read from the wire.
func (w *Response) logTo(log *slog.Logger, repeats *repeats, r *http.Request, id string, bytes int64) {
	level, others := w.level(repeats)
	if !log.Enabled(r.Context(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("method", clip(r.Method)),
		slog.String("path", clip(r.URL.Path)),
		slog.Int("status", w.status),
		slog.Float64("duration_ms", float64(time.Since(w.start).Microseconds())/1000),
		slog.Int64("bytes", bytes),
		slog.String("request_id", id),
		slog.String("remote", r.RemoteAddr))
	attrs = append(append(attrs, w.attrs...), others...)
	if w.cause != nil {
		attrs = append(attrs, slog.String("error", clip(w.cause.Error())))
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}

func clip(s string) string {
	if len(s) > maxLogged {
		return strings.ToValidUTF8(s[:maxLogged], "") + "…"
	}
	return s
}
