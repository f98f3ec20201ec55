package metrics

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/shared/web"
)

const other = "other"

// statuses are those that requests are counted by; any other counts as "other".
var statuses = []int{
	http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusTooManyRequests, web.StatusClientGone, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// requests counts requests. All of its series are made before the first.
type requests struct {
	count, bytes, failures *prometheus.CounterVec
	seconds                *prometheus.HistogramVec
}

func newRequests(make promauto.Factory, cfg Config) requests {
	r := requests{
		count: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_http_requests_total",
			Help: "Requests that were answered; 499: the client went away instead."}, []string{"route", "status"}),
		seconds: make.NewHistogramVec(prometheus.HistogramOpts{Name: "bitville_http_request_duration_seconds",
			Help: "From a request's headers to its answer.", Buckets: seconds()}, []string{"route", "class"}),
		bytes: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_http_received_bytes_total",
			Help: "Bytes of request bodies as they came, compressed or not."}, []string{"route"}),
		failures: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_auth_failures_total",
			Help: "Requests without a valid key: refused (401), or throttled (429) after too many from one address."}, []string{"answer"}),
	}
	r.failures.WithLabelValues("refused")
	r.failures.WithLabelValues("throttled")
	for _, path := range append([]string{other}, cfg.Paths...) {
		r.bytes.WithLabelValues(path)
		for _, status := range append([]int{0}, statuses...) {
			r.count.WithLabelValues(path, statusLabel(status))
		}
		for _, class := range []string{"2xx", "4xx", "5xx"} {
			r.seconds.WithLabelValues(path, class)
		}
	}
	return r
}

func statusLabel(status int) string {
	if slices.Contains(statuses, status) {
		return strconv.Itoa(status)
	}
	return other
}

// Request counts an answered request.
func (m *Metrics) Request(o web.Observation) {
	path := o.Path
	if !slices.Contains(m.cfg.Paths, path) {
		path = other
	}
	m.requests.count.WithLabelValues(path, statusLabel(o.Status)).Inc()
	if class := o.Status / 100; class == 2 || class == 4 || class == 5 { // 1 and 3 are not answered
		m.requests.seconds.WithLabelValues(path, strconv.Itoa(class)+"xx").Observe(o.Duration.Seconds())
	}
	m.requests.bytes.WithLabelValues(path).Add(float64(o.Bytes))
	switch o.Status {
	case http.StatusUnauthorized:
		m.requests.failures.WithLabelValues("refused").Inc()
	case http.StatusTooManyRequests:
		m.requests.failures.WithLabelValues("throttled").Inc()
	}
}
