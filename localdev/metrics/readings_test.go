package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/shared/store/sqlite"
)

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
		change func(*metrics.Sources)
		gone   []string
		logged string
		values map[string]float64
	}{
		{"a database server", func(c *metrics.Sources) { c.Store = nil }, []string{"bitville_store_"}, "", nil},
		{"not ready", func(c *metrics.Sources) { c.Ready = func(context.Context) error { return errors.New("locked") } },
			nil, "", map[string]float64{"bitville_ready": 0}},
		{"a failure", func(c *metrics.Sources) {
			c.Store = func(context.Context) (sqlite.Stats, error) { return sqlite.Stats{}, errors.New("the file is gone") }
		}, []string{"bitville_store_"}, "the file is gone", map[string]float64{"bitville_ready": 1}},
		{"an empty database", func(c *metrics.Sources) {
			c.Store = func(context.Context) (sqlite.Stats, error) { return sqlite.Stats{}, nil }
		}, []string{"bitville_store_oldest"}, "", map[string]float64{"bitville_store_wal_bytes": 0}},
		{"no certificate yet", func(c *metrics.Sources) {
			c.Certificate = func() metrics.Certificate { return metrics.Certificate{Failures: 1} }
		}, []string{"bitville_certificate_expiry"}, "", map[string]float64{"bitville_certificate_last_reload_successful": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			log.Reset()
			from := sources()
			c.change(&from)
			all := series(t, scrapeOf(t, metrics.New(config()).Handler(from, slog.New(slog.NewTextHandler(&log, nil)))))
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
	from := sources()
	from.Ready = func(ctx context.Context) error {
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		require.Less(t, time.Until(deadline), 5*time.Second)
		return errors.New("too late")
	}
	scrapeOf(t, metrics.New(config()).Handler(from, slog.New(slog.DiscardHandler)))
}
