// Package agent holds what the agents share that are commands of this program: what they count.
package agent

import (
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/localdev/metrics"
)

// Metrics counts. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	read     prometheus.Counter
	sent     *prometheus.CounterVec
	dropped  *prometheus.CounterVec
	posts    *prometheus.CounterVec
}

// NewMetrics returns counters that stand at 0. reasons are the agent's own for dropping records.
func NewMetrics(version string, reasons ...string) *Metrics {
	registry := prometheus.NewRegistry()
	make := promauto.With(registry)
	vector := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := make.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		return v
	}
	m := &Metrics{
		registry: registry,
		read: make.NewCounter(prometheus.CounterOpts{Name: "bitville_agent_records_read_total",
			Help: "Records that were taken, and are on disk until the listener has them."}),
		sent: vector("bitville_agent_records_sent_total",
			"Records that the listener has answered, by its answer; a rejected one is kept aside.", "answer", "accepted", "duplicate", "rejected"),
		dropped: vector("bitville_agent_records_dropped_total",
			"Records that were dropped, by reason.", "reason", append(reasons, ship.Reasons()...)...),
		posts: vector("bitville_agent_posts_total",
			"Requests to the listener, by the status of its answer; none: there was no answer.", "status", "200", "400", "401", "403", "413", "429", "503", "none"),
	}
	make.NewGaugeVec(prometheus.GaugeOpts{Name: "bitville_build_info", Help: "1, labelled with the program's version and Go's."},
		[]string{"version", "goversion"}).WithLabelValues(version, runtime.Version()).Set(1)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Read counts records that were taken.
func (m *Metrics) Read(records int) { m.read.Add(float64(records)) }

// Counts is what a Shipper tells.
func (m *Metrics) Counts() ship.Counts {
	return ship.Counts{
		Sent:    func(answer string, records int) { m.sent.WithLabelValues(answer).Add(float64(records)) },
		Dropped: func(reason string, records int) { m.dropped.WithLabelValues(reason).Add(float64(records)) },
		Posted:  func(status string) { m.posts.WithLabelValues(status).Inc() },
	}
}

// Handler answers /metrics and /debug/pprof/. behind returns how many bytes wait to be read.
func (m *Metrics) Handler(s *ship.Shipper, behind func() int64, log *slog.Logger) http.Handler {
	now := prometheus.NewRegistry()
	gauge := func(name, help string, value func() float64) {
		now.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("bitville_agent_spool_bytes", "What waits for the listener and what it has refused, as it is on disk.", func() float64 { return float64(s.Bytes()) })
	gauge("bitville_agent_log_behind_bytes", "Bytes that are not read yet: of the log, or of the PHP agents' files.", func() float64 { return float64(behind()) })
	gauge("bitville_agent_up", "1 when the listener answered last time; else 0.", func() float64 {
		if s.Up() {
			return 1
		}
		return 0
	})
	return metrics.NewHandler(log, m.registry, now)
}
