// Package metrics counts what the listener does and shows it to Prometheus, and profiles of the process.
//
// Whatever is sent to the listener, the number of series stays what it is at the start: labels come from the
// configuration and from short lists. Their values are there with 0 at once, so that rates and alerts see the first
// event too.
package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

// Config says what there is to count.
type Config struct {
	Version     string
	Paths       []string        // that requests are counted by; any other counts as "other"
	Sources     []record.Source // of records
	Projects    []string        // that have a key
	DropReasons []string        // why datagrams are dropped
	Retention   time.Duration   // how long records are kept
	Now         func() time.Time
}

// Metrics counts. Its methods may be called from any goroutine.
type Metrics struct {
	cfg      Config
	registry *prometheus.Registry

	requests requests
	records  records

	commitSeconds  prometheus.Histogram
	commitRequests prometheus.Histogram
	commitRecords  prometheus.Histogram
	commitFailures prometheus.Counter

	purgeTime     prometheus.Gauge
	purgeRows     prometheus.Gauge
	purgeBytes    prometheus.Gauge
	purgeFailures prometheus.Counter

	datagrams prometheus.Counter
	drops     *prometheus.CounterVec
}

// New returns counters that stand at 0.
func New(cfg Config) *Metrics {
	registry := prometheus.NewRegistry()
	make := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return make.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return make.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return make.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	sizes := []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000}
	m := &Metrics{
		cfg:      cfg,
		registry: registry,
		requests: newRequests(make, cfg),
		records:  newRecords(make, cfg),

		commitSeconds:  histogram("bitville_commit_duration_seconds", "How long a transaction took, failed ones too, with the wait for another process's lock.", seconds()),
		commitRequests: histogram("bitville_commit_requests", "Requests that shared a transaction.", sizes),
		commitRecords:  histogram("bitville_commit_records", "Records of a transaction; 0 for one that only asks whether one could be stored.", sizes),
		commitFailures: counter("bitville_commit_failures_total", "Transactions that stored nothing; their requests were answered 503."),

		purgeTime:     gauge("bitville_purge_last_success_timestamp_seconds", "When the last purge that came to its end did so; 0 before the first."),
		purgeRows:     gauge("bitville_purge_last_deleted_rows", "Records that the last purge deleted."),
		purgeBytes:    gauge("bitville_purge_last_freed_bytes", "Bytes that the last purge gave back to the file system."),
		purgeFailures: counter("bitville_purge_failures_total", "Purges that failed; the next hour tries again."),

		datagrams: counter("bitville_udp_accepted_total", "Datagrams whose record is stored, or was before."),
		drops: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_udp_dropped_total",
			Help: "Datagrams that were dropped, by reason; kernel: its receive buffer was full."}, []string{"reason"}),
	}
	for _, reason := range cfg.DropReasons {
		m.drops.WithLabelValues(reason)
	}
	gauge("bitville_retention_seconds", "How long records are kept.").Set(cfg.Retention.Seconds())
	make.NewGaugeVec(prometheus.GaugeOpts{Name: "bitville_build_info", Help: "1, labelled with the listener's version and Go's."},
		[]string{"version", "goversion"}).WithLabelValues(cfg.Version, runtime.Version()).Set(1)
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// seconds are the bounds of histograms of durations, in seconds. What the listener promises is among them: 50 ms and a
// quarter for a refusal, one for an answer.
func seconds() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

// Commit counts a transaction.
func (m *Metrics) Commit(c sqlite.Commit) {
	m.commitSeconds.Observe(c.Took.Seconds())
	m.commitRequests.Observe(float64(c.Requests))
	m.commitRecords.Observe(float64(c.Records))
	if c.Err != nil {
		m.commitFailures.Inc()
	}
}

// Purged counts a purge that has just returned. One that was stopped, by the end of the process, is neither a success
// nor a failure.
func (m *Metrics) Purged(report store.PurgeReport, err error) {
	m.purgeRows.Set(float64(report.Rows))
	m.purgeBytes.Set(float64(report.Bytes))
	switch {
	case err != nil:
		m.purgeFailures.Inc()
	case !report.Unfinished:
		m.purgeTime.Set(timestamp(m.cfg.Now()))
	}
}

// Datagrams counts datagrams, one for each stored record, and their records.
func (m *Metrics) Datagrams(c store.Count) {
	m.datagrams.Add(float64(c.Stored.Accepted + c.Stored.Duplicates))
	m.Records(c)
}

// Drop counts dropped datagrams by one of the reasons in Config.
func (m *Metrics) Drop(reason string, n int) { m.drops.WithLabelValues(reason).Add(float64(n)) }
