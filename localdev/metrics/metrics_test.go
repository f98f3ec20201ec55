package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/shared/api"
	"github.com/bitville/listener/shared/ingest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

var now = time.UnixMilli(1_763_843_023_500)

// config is a listener's with every function, in a state that tells each series from the others.
func config() metrics.Config {
	return metrics.Config{
		Version:     "v1.2.3",
		Paths:       []string{"/ingest/php", "/ingest/postgres", "/health", "/ready"},
		Sources:     []record.Source{{ID: "php_agent", NameField: "request_uri"}, {ID: "postgres_agent", NameField: "query"}},
		Projects:    []string{"shop", "blog"},
		DropReasons: []string{"kernel", "queue_full", "store", "bad_mac"},
		Retention:   7 * 24 * time.Hour,
		Log:         slog.New(slog.DiscardHandler),
		Now:         func() time.Time { return now },
		Ready:       func(context.Context) error { return nil },
		Store: func(context.Context) (sqlite.Stats, error) {
			return sqlite.Stats{QueuedRequests: 3, QueuedBytes: 4096, WALBytes: 32 << 20, DatabaseBytes: 1 << 30,
				FreeBytes: 5 << 30, Rows: 12345, Oldest: now.Add(-time.Hour)}, nil
		},
		Certificate: func() metrics.Certificate {
			return metrics.Certificate{NotAfter: now.Add(24 * time.Hour), Reloads: 7, Failures: 2, OK: true}
		},
		Connections: func() metrics.Connections { return metrics.Connections{Open: 11, Closed: 12, Refused: 13} },
	}
}

// scrape returns a page as Prometheus gets it.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	srv := httptest.NewServer(m.Handler())
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", page)
	require.Contains(t, resp.Header.Get("Content-Type"), "text/plain; version=0.0.4")
	return string(page)
}

// series returns the values of a page's series by their text, name{label="value"}.
func series(t *testing.T, page string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[space:]), 64)
		require.NoError(t, err)
		all[line[:space]] = value
	}
	return all
}

// changes returns what an event makes of the series that are there before it, and demands that no others come.
func changes(t *testing.T, m *metrics.Metrics, event func()) map[string]float64 {
	t.Helper()
	before := series(t, scrape(t, m))
	event()
	after := series(t, scrape(t, m))
	changed := map[string]float64{}
	for name, value := range after {
		old, ok := before[name]
		if !strings.HasPrefix(name, "bitville_") || strings.Contains(name, "_bucket{") {
			continue
		}
		require.True(t, ok, "%s was not there from the start", name)
		if value != old {
			changed[name] = value - old
		}
	}
	return changed
}

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
			m.Request(api.Observation{Path: "/ingest/php", Status: 200, Duration: time.Second / 4, Bytes: 2100})
		}, map[string]float64{
			`bitville_http_requests_total{route="/ingest/php",status="200"}`:                1,
			`bitville_http_received_bytes_total{route="/ingest/php"}`:                       2100,
			`bitville_http_request_duration_seconds_sum{class="2xx",route="/ingest/php"}`:   0.25,
			`bitville_http_request_duration_seconds_count{class="2xx",route="/ingest/php"}`: 1,
		}},
		{"no route", func(m *metrics.Metrics) {
			m.Request(api.Observation{Path: "", Status: 404, Duration: time.Second, Bytes: 1})
			m.Request(api.Observation{Path: "/new", Status: 404, Duration: time.Second, Bytes: 1})
		}, map[string]float64{
			`bitville_http_requests_total{route="other",status="404"}`:                2,
			`bitville_http_received_bytes_total{route="other"}`:                       2,
			`bitville_http_request_duration_seconds_sum{class="4xx",route="other"}`:   2,
			`bitville_http_request_duration_seconds_count{class="4xx",route="other"}`: 2,
		}},
		{"statuses that are not answered", func(m *metrics.Metrics) {
			for _, status := range []int{-100, 0, 101, 302, 600, 99999} {
				m.Request(api.Observation{Path: "/ready", Status: status})
			}
			m.Request(api.Observation{Path: "/ready", Status: 502, Duration: time.Second})
		}, map[string]float64{
			`bitville_http_requests_total{route="/ready",status="other"}`:              7,
			`bitville_http_request_duration_seconds_sum{class="5xx",route="/ready"}`:   1,
			`bitville_http_request_duration_seconds_count{class="5xx",route="/ready"}`: 1,
		}},
		{"wrong keys", func(m *metrics.Metrics) {
			m.Request(api.Observation{Path: "/ingest/php", Status: 401})
			m.Request(api.Observation{Path: "/ingest/php", Status: 429})
			m.Request(api.Observation{Path: "/ingest/php", Status: 429})
		}, map[string]float64{
			`bitville_auth_failures_total{answer="refused"}`:                                1,
			`bitville_auth_failures_total{answer="throttled"}`:                              2,
			`bitville_http_requests_total{route="/ingest/php",status="401"}`:                1,
			`bitville_http_requests_total{route="/ingest/php",status="429"}`:                2,
			`bitville_http_request_duration_seconds_count{class="4xx",route="/ingest/php"}`: 3,
		}},
		{"records", func(m *metrics.Metrics) {
			m.Records(ingest.Count{Source: "php_agent", Project: "shop", Stored: store.Result{Accepted: 5, Duplicates: 2},
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
			m.Records(ingest.Count{Source: "php_agent", Project: "blog", Rejected: chosen})
		}, map[string]float64{
			`bitville_records_rejected_total{project="blog",reason="record",source="php_agent"}`:     2,
			`bitville_records_rejected_total{project="blog",reason="attributes",source="php_agent"}`: 4,
		}},
		{"a project or a source without a key", func(m *metrics.Metrics) {
			m.Records(ingest.Count{Source: "php_agent", Project: "nobody", Stored: store.Result{Accepted: 1}, Rejected: rejections("")})
			m.Records(ingest.Count{Source: "ruby", Project: "shop", Stored: store.Result{Accepted: 1}, Rejected: rejections("")})
		}, map[string]float64{}},
		{"datagrams", func(m *metrics.Metrics) {
			m.Drop("kernel", 70)
			m.Drop("bad_mac", 1)
			m.Datagrams(ingest.Count{Source: "postgres_agent", Project: "shop", Stored: store.Result{Accepted: 4, Duplicates: 3}})
			m.Datagrams(ingest.Count{Source: "postgres_agent", Project: "shop", Rejected: rejections("query")})
		}, map[string]float64{
			`bitville_udp_dropped_total{reason="kernel"}`:                                            70,
			`bitville_udp_dropped_total{reason="bad_mac"}`:                                           1,
			`bitville_udp_accepted_total`:                                                            7,
			`bitville_records_accepted_total{project="shop",source="postgres_agent"}`:                4,
			`bitville_records_duplicate_total{project="shop",source="postgres_agent"}`:               3,
			`bitville_records_rejected_total{project="shop",reason="query",source="postgres_agent"}`: 1,
		}},
		{"transactions", func(m *metrics.Metrics) {
			m.Commit(sqlite.Commit{Requests: 4, Records: 100, Took: time.Second / 2})
			m.Commit(sqlite.Commit{Requests: 1, Records: 1, Took: time.Second / 2, Err: errors.New("disk full")})
		}, map[string]float64{
			`bitville_commit_duration_seconds_count`: 2,
			`bitville_commit_duration_seconds_sum`:   1,
			`bitville_commit_requests_count`:         2,
			`bitville_commit_requests_sum`:           5,
			`bitville_commit_records_count`:          2,
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

// What is read at a scrape is what the functions say.
func TestReadings(t *testing.T) {
	all := series(t, scrape(t, metrics.New(config())))
	for name, want := range map[string]float64{
		`bitville_ready`:                                 1,
		`bitville_store_queued_requests`:                 3,
		`bitville_store_queued_bytes`:                    4096,
		`bitville_store_wal_bytes`:                       32 << 20,
		`bitville_store_database_bytes`:                  1 << 30,
		`bitville_store_free_bytes`:                      5 << 30,
		`bitville_store_rows`:                            12345,
		`bitville_store_oldest_record_timestamp_seconds`: 1763839423.5,
		`bitville_certificate_expiry_timestamp_seconds`:  1763929423.5,
		`bitville_certificate_reloads_total`:             7,
		`bitville_certificate_reload_failures_total`:     2,
		`bitville_certificate_last_reload_successful`:    1,
		`bitville_connections_open`:                      11,
		`bitville_connections_closed_total`:              12,
		`bitville_connections_refused_total`:             13,
		`bitville_retention_seconds`:                     604800,
	} {
		got, ok := all[name]
		require.True(t, ok, name)
		require.Equal(t, want, got, name)
	}
	names := slices.Collect(maps.Keys(all))
	for _, start := range []string{`bitville_build_info{goversion="go1.`, "go_goroutines", "process_resident_memory_bytes", "process_start_time_seconds"} {
		require.True(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, start) }), start)
	}
}

// What is not known has no series, and what fails leaves the others in place and a line in the log.
func TestReadingsThatAreMissing(t *testing.T) {
	var log bytes.Buffer
	for _, c := range []struct {
		name   string
		change func(*metrics.Config)
		gone   []string
		logged string
		values map[string]float64
	}{
		{"a database server", func(c *metrics.Config) { c.Store = nil }, []string{"bitville_store_"}, "", nil},
		{"no functions", func(c *metrics.Config) { c.Store, c.Certificate, c.Connections, c.Ready = nil, nil, nil, nil },
			[]string{"bitville_store_", "bitville_certificate_", "bitville_connections_", "bitville_ready"}, "", nil},
		{"not ready", func(c *metrics.Config) { c.Ready = func(context.Context) error { return errors.New("locked") } },
			nil, "", map[string]float64{"bitville_ready": 0}},
		{"a failure", func(c *metrics.Config) {
			c.Store = func(context.Context) (sqlite.Stats, error) { return sqlite.Stats{}, errors.New("the file is gone") }
		}, []string{"bitville_store_"}, "the file is gone", map[string]float64{"bitville_ready": 1}},
		{"an empty database that is not counted", func(c *metrics.Config) {
			c.Store = func(context.Context) (sqlite.Stats, error) { return sqlite.Stats{Rows: -1}, nil }
		}, []string{"bitville_store_rows", "bitville_store_oldest"}, "", map[string]float64{"bitville_store_wal_bytes": 0}},
		{"an empty database", func(c *metrics.Config) {
			c.Store = func(context.Context) (sqlite.Stats, error) { return sqlite.Stats{}, nil }
		}, []string{"bitville_store_oldest"}, "", map[string]float64{"bitville_store_rows": 0}},
		{"no certificate yet", func(c *metrics.Config) {
			c.Certificate = func() metrics.Certificate { return metrics.Certificate{Failures: 1} }
		}, []string{"bitville_certificate_expiry"}, "", map[string]float64{"bitville_certificate_last_reload_successful": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			cfg := config()
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			c.change(&cfg)
			all := series(t, scrape(t, metrics.New(cfg)))
			for name := range all {
				for _, gone := range c.gone {
					require.False(t, strings.HasPrefix(name, gone), name)
				}
			}
			for name, value := range c.values {
				require.Contains(t, all, name)
				require.Equal(t, value, all[name], name)
			}
			require.Contains(t, all, "bitville_retention_seconds")
			require.Contains(t, log.String(), c.logged)
			if c.logged == "" {
				require.Empty(t, log.String())
			}
		})
	}
}

// A store that does not answer does not hold up a scrape for longer than Prometheus waits.
func TestReadingsHaveATime(t *testing.T) {
	cfg := config()
	cfg.Ready = func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.Less(t, time.Until(deadline), 5*time.Second)
		return errors.New("too late")
	}
	scrape(t, metrics.New(cfg))
}

func TestHandler(t *testing.T) {
	srv := httptest.NewServer(metrics.New(config()).Handler())
	defer srv.Close()
	for _, c := range []struct {
		method, path string
		status       int
		holds        string
	}{
		{"GET", "/", 200, "/metrics"},
		{"GET", "/metrics", 200, "bitville_ready 1"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile: total"},
		{"GET", "/debug/pprof/heap?debug=1", 200, "heap profile"},
		{"GET", "/debug/pprof/cmdline", 200, "metrics.test"},
		{"GET", "/debug/pprof/symbol", 200, "num_symbols"},
		{"GET", "/debug/pprof/trace?seconds=0.01", 200, "trace"},
		{"GET", "/debug/pprof/profile?seconds=1", 200, ""},
		{"GET", "/debug/pprof/none", 404, "Unknown profile"},
		{"GET", "/elsewhere", 404, ""},
		{"POST", "/metrics", 405, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, srv.URL+c.path, nil)
		require.NoError(t, err)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, c.status, resp.StatusCode, c.path)
		require.Contains(t, string(body), c.holds, c.path)
	}
}

// Prometheus's own tool finds nothing wrong with names, help texts and the format.
func TestPage(t *testing.T) {
	out, err := promtool(t, scrape(t, metrics.New(config())), "check", "metrics")
	require.NoError(t, err, out)
	require.Empty(t, out)
	out, err = promtool(t, "# HELP x_count wrong\n# TYPE x_count counter\nx_count 1\n", "check", "metrics")
	require.Error(t, err, "the tool would tell")
	require.Contains(t, out, "x_count")
}

// promtool runs Prometheus's tool in the repository's root.
func promtool(t *testing.T, stdin string, args ...string) (out string, err error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		how := fmt.Sprintf("needs promtool: run 'sudo bash testdata/prometheus/install.sh' (%v)", err)
		if os.Getenv("CI") == "true" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = root
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

const root = "../.."
