package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bitville/listener/shared/store/sqlite"
)

// readyTimeout is how long a scrape waits for the store. Prometheus itself waits ten seconds, if nobody has set it.
const readyTimeout = 3 * time.Second

// Certificate is what an operator watches of the certificates.
type Certificate struct {
	NotAfter time.Time // when the first of them ends; zero while there is none
	Reloads  uint64    // since the start
	Failures uint64
	OK       bool // the last one was not a failure
}

// Connections counts the connections of the HTTPS listener.
type Connections struct {
	Open    int
	Closed  uint64 // by the listener: to make room, or because no request came in time
	Refused uint64 // because every other one was in use
}

// Sources are asked at each scrape.
type Sources struct {
	Ready       func(context.Context) error                 // why no record could be stored now
	Store       func(context.Context) (sqlite.Stats, error) // nil where a server has the records: it has no such series
	Certificate func() Certificate
	Connections func() Connections
}

// readings are the series whose values are asked for at a scrape, all those of one function at once.
type readings struct {
	from Sources

	ready *prometheus.Desc

	queuedRequests, queuedBytes, walBytes, databaseBytes, freeBytes, oldest *prometheus.Desc

	expiry, reloads, reloadFailures, reloadOK *prometheus.Desc

	open, closed, refused *prometheus.Desc
}

func newReadings(from Sources) *readings {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &readings{
		from: from,

		ready: desc("bitville_ready", "1 when a record could be stored at the time of the scrape; else 0. The scrape tries it."),

		queuedRequests: desc("bitville_store_queued_requests", "Requests that wait for their transaction."),
		queuedBytes:    desc("bitville_store_queued_bytes", "Bytes of records that wait or are being written, with 1 KiB a record added."),
		walBytes:       desc("bitville_store_wal_bytes", "Size of the WAL (write-ahead log); above 128 MiB ingest waits for its checkpoint."),
		databaseBytes:  desc("bitville_store_database_bytes", "Size of the database file, without its WAL."),
		freeBytes:      desc("bitville_store_free_bytes", "Free bytes on the disk of the database; ingest stops below the WAL's size plus 4 MiB."),
		oldest:         desc("bitville_store_oldest_record_timestamp_seconds", "The earliest timestamp of a record; absent while there is no record."),

		expiry:         desc("bitville_certificate_expiry_timestamp_seconds", "When the first certificate expires; absent while there is no certificate."),
		reloads:        desc("bitville_certificate_reloads_total", "Certificates put in force since the start."),
		reloadFailures: desc("bitville_certificate_reload_failures_total", "Certificates that could not be used, and failed tries to get one."),
		reloadOK:       desc("bitville_certificate_last_reload_successful", "1 when the last new certificate could be used; 0 when an older one stays in force."),

		open:    desc("bitville_connections_open", "HTTPS connections that are open."),
		closed:  desc("bitville_connections_closed_total", "Connections that the listener closed to make room, or because no request came in time."),
		refused: desc("bitville_connections_refused_total", "Connections that were refused because no open connection was idle long enough."),
	}
}

func (r *readings) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		r.ready,
		r.queuedRequests, r.queuedBytes, r.walBytes, r.databaseBytes, r.freeBytes, r.oldest,
		r.expiry, r.reloads, r.reloadFailures, r.reloadOK,
		r.open, r.closed, r.refused,
	} {
		to <- d
	}
}

func (r *readings) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	counter := func(d *prometheus.Desc, value uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value))
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if r.from.Store != nil {
		if s, err := r.from.Store(ctx); err != nil {
			to <- prometheus.NewInvalidMetric(r.databaseBytes, err) // the log has it, and the other series are there
		} else {
			gauge(r.queuedRequests, float64(s.QueuedRequests))
			gauge(r.queuedBytes, float64(s.QueuedBytes))
			gauge(r.walBytes, float64(s.WALBytes))
			gauge(r.databaseBytes, float64(s.DatabaseBytes))
			gauge(r.freeBytes, float64(s.FreeBytes))
			if !s.Oldest.IsZero() {
				gauge(r.oldest, timestamp(s.Oldest))
			}
		}
	}
	certificate := r.from.Certificate()
	if !certificate.NotAfter.IsZero() {
		gauge(r.expiry, timestamp(certificate.NotAfter))
	}
	counter(r.reloads, certificate.Reloads)
	counter(r.reloadFailures, certificate.Failures)
	gauge(r.reloadOK, oneIf(certificate.OK))
	connections := r.from.Connections()
	gauge(r.open, float64(connections.Open))
	counter(r.closed, connections.Closed)
	counter(r.refused, connections.Refused)
	gauge(r.ready, oneIf(r.from.Ready(ctx) == nil))
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// timestamp is a time in Unix seconds, to the millisecond.
func timestamp(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
