package intake

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
)

// maxLogged bounds the lines that one request adds to the log at debug, which are for whoever writes an agent.
const maxLogged = 20

// Logged are the attributes of a log line on a rejected record: its index, the path and the message of its first problem,
// and how many problems it has beside. They hold nothing that a field held.
func Logged(rejected record.Rejection) []slog.Attr {
	first := rejected.Details[0]
	attrs := []slog.Attr{slog.Int("index", rejected.Index), slog.String("path", first.Path), slog.String("message", first.Message)}
	if rejected.Offset != nil {
		attrs = append(attrs, slog.Int("offset", *rejected.Offset))
	}
	if more := len(rejected.Details) - 1; more > 0 {
		attrs = append(attrs, slog.Int("more", more))
	}
	return attrs
}

// logRejected writes a line for each rejected record, up to maxLogged, and one on the others.
func (h *handler) logRejected(w *web.Response, r *http.Request, rejected []record.Rejection) {
	if len(rejected) == 0 || !h.Config.Log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	id := slog.String("request_id", w.Header().Get("X-Request-Id"))
	for i := range rejected[:min(len(rejected), maxLogged)] {
		h.Config.Log.LogAttrs(r.Context(), slog.LevelDebug, "record rejected", append(Logged(rejected[i]), id)...)
	}
	if more := len(rejected) - maxLogged; more > 0 {
		h.Config.Log.LogAttrs(r.Context(), slog.LevelDebug, "more records rejected", slog.Int("records", more), id)
	}
}

// logRefusal writes a line on a body that is refused as a whole.
func (h *handler) logRefusal(w *web.Response, r *http.Request, err error) {
	attrs := []slog.Attr{slog.String("message", err.Error())}
	if syntax, ok := errors.AsType[*record.SyntaxError](err); ok {
		attrs = []slog.Attr{slog.Int("offset", syntax.Offset), slog.String("message", syntax.Message)}
	}
	if foreign, ok := errors.AsType[*record.ProjectError](err); ok {
		attrs = append(attrs, slog.Int("index", foreign.Index), slog.String("path", "project"))
	}
	attrs = append(attrs, slog.String("request_id", w.Header().Get("X-Request-Id")))
	h.Config.Log.LogAttrs(r.Context(), slog.LevelDebug, "body refused", attrs...)
}
