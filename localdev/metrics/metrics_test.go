package metrics_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/sqlite"
)

var now = time.UnixMilli(1_763_843_023_500)

// config is a listener's.
func config() metrics.Config {
	return metrics.Config{
		Version:     "v1.2.3",
		Paths:       []string{"/ingest/php", "/ingest/postgres", "/health", "/ready", "/traces/{project}"},
		Sources:     []record.Source{{ID: "php_agent", NameField: "request_uri"}, {ID: "postgres_agent", NameField: "query"}},
		Projects:    []string{"shop", "blog"},
		DropReasons: []string{"kernel", "queue_full", "store", "bad_mac"},
		Retention:   7 * 24 * time.Hour,
		Now:         func() time.Time { return now },
	}
}

// sources tell each series from the others.
func sources() metrics.Sources {
	return metrics.Sources{
		Ready: func(context.Context) error { return nil },
		Store: func(context.Context) (sqlite.Stats, error) {
			return sqlite.Stats{QueuedRequests: 3, QueuedBytes: 4096, WALBytes: 32 << 20, DatabaseBytes: 1 << 30,
				FreeBytes: 5 << 30, Oldest: now.Add(-time.Hour)}, nil
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
	return scrapeOf(t, m.Handler(sources(), slog.New(slog.DiscardHandler)))
}

func scrapeOf(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
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

func TestHandler(t *testing.T) {
	srv := httptest.NewServer(metrics.New(config()).Handler(sources(), slog.New(slog.DiscardHandler)))
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
		how := fmt.Sprintf("needs promtool: run 'sudo bash testdata/tools/install.sh promtool' (%v)", err)
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
