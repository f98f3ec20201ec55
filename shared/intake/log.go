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

// logRejected writes a line for each rejected record, up to maxLogged, and one on the others.
func (h *handler) logRejected(w *web.Response, r *http.Request, rejected []record.Rejection) {
	if len(rejected) == 0 || !h.Log.Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	id := slog.String("request_id", w.Header().Get("X-Request-Id"))
	for _, one := range rejected[:min(len(rejected), maxLogged)] {
		h.Log.LogAttrs(r.Context(), slog.LevelDebug, "record rejected", append(one.Attrs(), id)...)
	}
	if more := len(rejected) - maxLogged; more > 0 {
		h.Log.LogAttrs(r.Context(), slog.LevelDebug, "more records rejected", slog.Int("records", more), id)
	}
}

// logRefusal writes a line on a body that the wire refuses as a whole.
func (h *handler) logRefusal(w *web.Response, r *http.Request, err error) {
	attrs := []slog.Attr{slog.String("message", err.Error())}
	if detailed, ok := errors.AsType[interface {
		error
		Attrs() []slog.Attr
	}](err); ok {
		attrs = detailed.Attrs()
	}
	attrs = append(attrs, slog.String("request_id", w.Header().Get("X-Request-Id")))
	h.Log.LogAttrs(r.Context(), slog.LevelDebug, "body refused", attrs...)
}
