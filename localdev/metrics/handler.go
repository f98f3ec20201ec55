package metrics

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof" // its init also fills http.DefaultServeMux, which nobody here serves

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const index = `Metrics and profiles of this process.

/metrics       for Prometheus
/debug/pprof/  for go tool pprof
`

// Handler answers /metrics and /debug/pprof/. It asks for no key. The log is told when a source fails.
func (m *Metrics) Handler(from Sources, log *slog.Logger) http.Handler {
	read := prometheus.NewRegistry()
	read.MustRegister(newReadings(from))
	return NewHandler(log, m.registry, read)
}

// NewHandler answers /metrics, with what the gatherers have, and /debug/pprof/ likewise.
func NewHandler(log *slog.Logger, from ...prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, index) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(prometheus.Gatherers(from), promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // what fails has no series, and the others are there
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	return mux
}
