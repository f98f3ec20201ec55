package metrics

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/shared/web"
)

const other = "other"

// requests holds what is counted for each request. All of its series are made before the first, so that a request
// costs two look-ups in maps that nobody writes.
type requests struct {
	routes    map[string]route
	refused   prometheus.Counter
	throttled prometheus.Counter
}

type route struct {
	statuses map[int]prometheus.Counter // 0 is any that is not listed
	seconds  [6]prometheus.Observer     // by the first digit of the status; 1 and 3 are not answered
	bytes    prometheus.Counter
}

func newRequests(make promauto.Factory, cfg Config) requests {
	count := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_http_requests_total",
		Help: "Requests that were answered; 499: the client went away instead."}, []string{"route", "status"})
	duration := make.NewHistogramVec(prometheus.HistogramOpts{Name: "bitville_http_request_duration_seconds",
		Help: "From a request's headers to its answer.", Buckets: seconds()}, []string{"route", "class"})
	bytes := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_http_received_bytes_total",
		Help: "Bytes of request bodies as they came, compressed or not."}, []string{"route"})
	failures := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_auth_failures_total",
		Help: "Requests without a valid key: refused (401), or throttled (429) after too many from one address."}, []string{"answer"})

	r := requests{
		routes:    map[string]route{},
		refused:   failures.WithLabelValues("refused"),
		throttled: failures.WithLabelValues("throttled"),
	}
	for _, path := range append([]string{other}, cfg.Paths...) {
		one := route{statuses: map[int]prometheus.Counter{0: count.WithLabelValues(path, other)}, bytes: bytes.WithLabelValues(path)}
		for _, status := range []int{
			http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
			http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
			http.StatusTooManyRequests, web.StatusClientGone, http.StatusInternalServerError, http.StatusServiceUnavailable,
		} {
			one.statuses[status] = count.WithLabelValues(path, strconv.Itoa(status))
		}
		for _, class := range []int{2, 4, 5} {
			one.seconds[class] = duration.WithLabelValues(path, strconv.Itoa(class)+"xx")
		}
		r.routes[path] = one
	}
	return r
}

// Request counts an answered request.
func (m *Metrics) Request(o web.Observation) {
	route, ok := m.requests.routes[o.Path]
	if !ok {
		route = m.requests.routes[other]
	}
	count, ok := route.statuses[o.Status]
	if !ok {
		count = route.statuses[0]
	}
	count.Inc()
	if class := o.Status / 100; 0 <= class && class < len(route.seconds) && route.seconds[class] != nil {
		route.seconds[class].Observe(o.Duration.Seconds())
	}
	route.bytes.Add(float64(o.Bytes))
	switch o.Status {
	case http.StatusUnauthorized:
		m.requests.refused.Inc()
	case http.StatusTooManyRequests:
		m.requests.throttled.Inc()
	}
}
