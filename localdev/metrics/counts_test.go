package metrics_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/web"
)

// Each event changes what it should, and nothing else.
func TestCounts(t *testing.T) {
	rejections := func(paths ...string) (all []record.Rejection) {
		for i, path := range paths {
			all = append(all, record.Rejection{Index: i, Details: []record.Detail{{Path: path}, {Path: "second"}}})
		}
		return all
	}
	for _, c := range []struct {
		name  string
		event func(*metrics.Metrics)
		want  map[string]float64
	}{
		{"a request", func(m *metrics.Metrics) {
			m.Request(web.Observation{Path: "/ingest/php", Status: 200, Duration: time.Second / 4, Bytes: 2100})
		}, map[string]float64{
			`bitville_http_requests_total{route="/ingest/php",status="200"}`:                1,
			`bitville_http_received_bytes_total{route="/ingest/php"}`:                       2100,
			`bitville_http_request_duration_seconds_sum{class="2xx",route="/ingest/php"}`:   0.25,
			`bitville_http_request_duration_seconds_count{class="2xx",route="/ingest/php"}`: 1,
		}},
		{"no route", func(m *metrics.Metrics) {
			m.Request(web.Observation{Path: "", Status: 404, Duration: time.Second, Bytes: 1})
			m.Request(web.Observation{Path: "/new", Status: 404, Duration: time.Second, Bytes: 1})
		}, map[string]float64{
			`bitville_http_requests_total{route="other",status="404"}`:                2,
			`bitville_http_received_bytes_total{route="other"}`:                       2,
			`bitville_http_request_duration_seconds_sum{class="4xx",route="other"}`:   2,
			`bitville_http_request_duration_seconds_count{class="4xx",route="other"}`: 2,
		}},
		{"statuses that are not answered", func(m *metrics.Metrics) {
			for _, status := range []int{-100, 0, 101, 302, 600, 99999} {
				m.Request(web.Observation{Path: "/ready", Status: status})
			}
			m.Request(web.Observation{Path: "/ready", Status: 502, Duration: time.Second})
		}, map[string]float64{
			`bitville_http_requests_total{route="/ready",status="other"}`:              7,
			`bitville_http_request_duration_seconds_sum{class="5xx",route="/ready"}`:   1,
			`bitville_http_request_duration_seconds_count{class="5xx",route="/ready"}`: 1,
		}},
		{"wrong keys", func(m *metrics.Metrics) {
			m.Request(web.Observation{Path: "/ingest/php", Status: 401})
			m.Request(web.Observation{Path: "/ingest/php", Status: 429})
			m.Request(web.Observation{Path: "/ingest/php", Status: 429})
		}, map[string]float64{
			`bitville_auth_failures_total{answer="refused"}`:                                1,
			`bitville_auth_failures_total{answer="throttled"}`:                              2,
			`bitville_http_requests_total{route="/ingest/php",status="401"}`:                1,
			`bitville_http_requests_total{route="/ingest/php",status="429"}`:                2,
			`bitville_http_request_duration_seconds_count{class="4xx",route="/ingest/php"}`: 3,
		}},
		{"records", func(m *metrics.Metrics) {
			m.Records(store.Count{Source: "php_agent", Project: "shop", Stored: store.Result{Accepted: 5, Duplicates: 2},
				Rejected: rejections("timestamp", "timestamp", "request_uri")})
		}, map[string]float64{
			`bitville_records_accepted_total{project="shop",source="php_agent"}`:                      5,
			`bitville_records_duplicate_total{project="shop",source="php_agent"}`:                     2,
			`bitville_records_rejected_total{project="shop",reason="timestamp",source="php_agent"}`:   2,
			`bitville_records_rejected_total{project="shop",reason="request_uri",source="php_agent"}`: 1,
		}},
		{"names that a sender chose", func(m *metrics.Metrics) {
			// A PHP record's field "query" is not the contract's.
			chosen := append(rejections("", "query", "attributes", "record", "x\n\xff\"}"), record.Rejection{})
			m.Records(store.Count{Source: "php_agent", Project: "blog", Rejected: chosen})
		}, map[string]float64{
			`bitville_records_rejected_total{project="blog",reason="record",source="php_agent"}`:     2,
			`bitville_records_rejected_total{project="blog",reason="attributes",source="php_agent"}`: 4,
		}},
		{"a project or a source without a key", func(m *metrics.Metrics) {
			m.Records(store.Count{Source: "php_agent", Project: "nobody", Stored: store.Result{Accepted: 1}, Rejected: rejections("")})
			m.Records(store.Count{Source: "ruby", Project: "shop", Stored: store.Result{Accepted: 1}, Rejected: rejections("")})
		}, map[string]float64{}},
		{"datagrams", func(m *metrics.Metrics) {
			m.Drop("kernel", 70)
			m.Drop("bad_mac", 1)
			m.Datagrams(store.Count{Source: "postgres_agent", Project: "shop", Stored: store.Result{Accepted: 4, Duplicates: 3}})
			m.Datagrams(store.Count{Source: "postgres_agent", Project: "shop", Rejected: rejections("query")})
		}, map[string]float64{
			`bitville_udp_dropped_total{reason="kernel"}`:                                            70,
			`bitville_udp_dropped_total{reason="bad_mac"}`:                                           1,
			`bitville_udp_accepted_total`:                                                            7,
			`bitville_records_accepted_total{project="shop",source="postgres_agent"}`:                4,
			`bitville_records_duplicate_total{project="shop",source="postgres_agent"}`:               3,
			`bitville_records_rejected_total{project="shop",reason="query",source="postgres_agent"}`: 1,
		}},
		{"transactions", func(m *metrics.Metrics) {
			m.Commit(sqlite.Commit{Requests: 4, Records: 100, Took: time.Second / 4})
			m.Commit(sqlite.Commit{Requests: 1, Records: 0, Took: time.Second / 4})
			m.Commit(sqlite.Commit{Requests: 1, Records: 1, Took: time.Second / 2, Err: errors.New("disk full")})
		}, map[string]float64{
			`bitville_commit_duration_seconds_count`: 3,
			`bitville_commit_duration_seconds_sum`:   1,
			`bitville_commit_requests_count`:         3,
			`bitville_commit_requests_sum`:           6,
			`bitville_commit_records_count`:          3,
			`bitville_commit_records_sum`:            101,
			`bitville_commit_failures_total`:         1,
		}},
		{"a purge", func(m *metrics.Metrics) { m.Purged(store.PurgeReport{Rows: 50, Pages: 2, Bytes: 8192}, nil) }, map[string]float64{
			`bitville_purge_last_success_timestamp_seconds`: 1763843023.5,
			`bitville_purge_last_deleted_rows`:              50,
			`bitville_purge_last_freed_bytes`:               8192,
		}},
		{"a purge that fails", func(m *metrics.Metrics) { m.Purged(store.PurgeReport{Rows: 5}, errors.New("locked")) }, map[string]float64{
			`bitville_purge_last_deleted_rows`: 5,
			`bitville_purge_failures_total`:    1,
		}},
		{"a purge that is stopped", func(m *metrics.Metrics) { m.Purged(store.PurgeReport{Rows: 5, Unfinished: true}, nil) }, map[string]float64{
			`bitville_purge_last_deleted_rows`: 5,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := metrics.New(config())
			require.Equal(t, c.want, changes(t, m, func() { c.event(m) }))
		})
	}
}
