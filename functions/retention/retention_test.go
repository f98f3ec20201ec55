package retention_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

var (
	now  = time.Date(2026, 11, 22, 23, 0, 0, 123456000, time.UTC)
	keep = 7 * 24 * time.Hour
)

// config is a purge of a store, with a clock that moves 1.5 s whenever it is asked, and a log.
func config(s retention.Store) (retention.Config, *bytes.Buffer) {
	log := new(bytes.Buffer)
	clock := now.Add(-1500 * time.Millisecond)
	return retention.Config{
		Store:     s,
		Log:       slog.New(slog.NewJSONHandler(log, nil)),
		Now:       func() time.Time { clock = clock.Add(1500 * time.Millisecond); return clock },
		Retention: keep,
	}, log
}

// logLine decodes the only line of a log.
func logLine(t *testing.T, log *bytes.Buffer) map[string]any {
	t.Helper()
	require.Equal(t, 1, strings.Count(log.String(), "\n"), "one line: %s", log)
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	return line
}

// insert stores records that are named name and are of the given age.
func insert(t *testing.T, db *sqlite.DB, source, project, name string, age time.Duration, n int) {
	t.Helper()
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{
			CorrelationID: fmt.Sprintf("%08x-0000-4000-8000-%012x", hash.Sum32(), i),
			Project:       project,
			Source:        source,
			Timestamp:     now.Add(-age).UnixMicro(),
			Name:          name,
			Payload:       fmt.Appendf(nil, `{"n":%d,"text":%q}`, i, strings.Repeat("x", 2000)),
			Digest:        int64(hash.Sum32())<<32 | int64(i),
		}
	}
	result, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	require.Equal(t, n, result.Accepted)
}

func count(t *testing.T, path string) int {
	t.Helper()
	n, err := strconv.Atoi(sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data")[0][0])
	require.NoError(t, err)
	return n
}

func TestExactlyTheExpiredRecordsGo(t *testing.T) {
	db, path := sqlitetest.New(t)
	for _, source := range []string{"php_agent", "postgres_agent"} {
		for _, project := range []string{"blog", "shop"} {
			for _, c := range []struct {
				name string
				age  time.Duration
			}{
				{"keep: from the future", -time.Hour},
				{"keep: new", 0},
				{"keep: a day old", 24 * time.Hour},
				{"keep: a microsecond left", keep - time.Microsecond},
				{"keep: to the microsecond", keep},
				{"expired: by a microsecond", keep + time.Microsecond},
				{"expired: by an hour", keep + time.Hour},
				{"expired: by thirty years", keep + 30*365*24*time.Hour},
			} {
				insert(t, db, source, project, source+" "+project+" "+c.name, c.age, 1)
			}
		}
	}
	cfg, log := config(db)
	report, err := retention.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, 12, report.Rows)
	var left []string
	for _, row := range sqlitetest.Query(t, path, "SELECT name FROM profiling_data ORDER BY id") {
		left = append(left, row[0])
	}
	require.Len(t, left, 20)
	for _, name := range left {
		require.Contains(t, name, "keep: ")
	}
	require.Equal(t, now.Add(-keep).UnixMicro(), report.Oldest.UnixMicro())
	require.EqualValues(t, 12, logLine(t, log)["rows_deleted"])

	again, err := retention.Run(t.Context(), retention.Config{Store: db, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Retention: keep})
	require.NoError(t, err)
	require.Zero(t, again.Rows)
}

func TestReportAndLogLine(t *testing.T) {
	db, path := sqlitetest.New(t)
	insert(t, db, "php_agent", "shop", "expired", keep+time.Hour, 1000)
	insert(t, db, "php_agent", "shop", "kept", time.Hour, 10)
	before := pages(t, path)
	cfg, log := config(db)
	report, err := retention.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, 1000, report.Rows)
	require.Positive(t, report.Pages)
	require.Equal(t, before-report.Pages, pages(t, path), "what the report says is what the file lost")
	require.Equal(t, [][]string{{fmt.Sprint(report.Bytes / int64(report.Pages))}}, sqlitetest.Query(t, path, "PRAGMA page_size"))
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "PRAGMA freelist_count"), "nothing is left to give back")

	line := logLine(t, log)
	require.ElementsMatch(t, []string{"time", "level", "msg", "rows_deleted", "pages_given_back", "bytes_given_back", "duration_ms", "longest_step_ms", "oldest_record"}, slices.Collect(maps.Keys(line)))
	require.Equal(t, "INFO", line["level"])
	require.Equal(t, "purge", line["msg"])
	require.EqualValues(t, report.Rows, line["rows_deleted"])
	require.EqualValues(t, report.Pages, line["pages_given_back"])
	require.EqualValues(t, report.Bytes, line["bytes_given_back"])
	require.EqualValues(t, 1500, line["duration_ms"])
	require.InDelta(t, report.Longest.Seconds(), line["longest_step_ms"].(float64)/1000, 0.001)
	require.Positive(t, report.Longest)
	require.Equal(t, "2026-11-22T22:00:00.123456Z", line["oldest_record"])
}

func pages(t *testing.T, path string) int {
	t.Helper()
	n, err := strconv.Atoi(sqlitetest.Query(t, path, "PRAGMA page_count")[0][0])
	require.NoError(t, err)
	return n
}

func TestEmptyDatabase(t *testing.T) {
	db, _ := sqlitetest.New(t)
	cfg, log := config(db)
	report, err := retention.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, store.PurgeReport{Longest: report.Longest}, report)
	line := logLine(t, log)
	require.Equal(t, "INFO", line["level"])
	require.NotContains(t, line, "oldest_record", "there is none")
}

// storeFunc is a store that purges as a test needs it.
type storeFunc func(ctx context.Context, before time.Time) (store.PurgeReport, error)

func (f storeFunc) Purge(ctx context.Context, before time.Time) (store.PurgeReport, error) {
	return f(ctx, before)
}

func TestFailureIsLogged(t *testing.T) {
	cause := &store.Unavailable{Reason: "the disk failed to read or write", RetryAfter: 5 * time.Second, Err: errors.New("disk I/O error")}
	cfg, log := config(storeFunc(func(_ context.Context, before time.Time) (store.PurgeReport, error) {
		require.Equal(t, now.Add(-keep), before)
		return store.PurgeReport{Rows: 7, Pages: 2, Bytes: 8192}, fmt.Errorf("delete old records: %w", cause)
	}))
	report, err := retention.Run(t.Context(), cfg)
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "purge: delete old records: store unavailable: the disk failed to read or write: disk I/O error")
	require.Equal(t, 7, report.Rows, "what was done all the same")
	line := logLine(t, log)
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, "purge failed", line["msg"])
	require.EqualValues(t, 7, line["rows_deleted"])
	require.EqualValues(t, 2, line["pages_given_back"])
	require.EqualValues(t, 8192, line["bytes_given_back"])
	require.EqualValues(t, 1500, line["duration_ms"])
	require.Contains(t, line["error"], "disk I/O error")
}

// ctxOnceLess ends as soon as the database has fewer rows than it had: between two chunks of a purge.
type ctxOnceLess struct {
	context.Context
	cancel func()
	less   func() bool
}

func (c ctxOnceLess) Done() <-chan struct{} {
	if c.Err() == nil && c.less() {
		c.cancel()
		time.Sleep(10 * time.Millisecond) // whoever waits for the end sees it
	}
	return c.Context.Done()
}

func TestCancelledPartWay(t *testing.T) {
	const expired, kept = 3000, 10
	db, path := sqlitetest.New(t)
	insert(t, db, "php_agent", "shop", "expired", keep+time.Hour, expired)
	insert(t, db, "php_agent", "shop", "kept", 0, kept)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg, log := config(db)
	_, err := retention.Run(ctxOnceLess{ctx, cancel, func() bool { return count(t, path) < expired+kept }}, cfg)
	require.NoError(t, err, "to be stopped is no failure")
	require.Equal(t, true, logLine(t, log)["unfinished"])
	left := count(t, path) - kept
	require.Positive(t, left)
	require.Less(t, left, expired)

	cfg, _ = config(db)
	report, err := retention.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, left, report.Rows, "the next one does the rest")
	require.Equal(t, kept, count(t, path))
}

// The end may come at any moment of a chunk, also when its rows are gone and nobody has been told yet.
func TestReportOfACancelledPurge(t *testing.T) {
	const expired = 600
	db, path := sqlitetest.New(t)
	insert(t, db, "php_agent", "shop", "expired", keep+time.Hour, expired)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg, log := config(db)
	report, err := retention.Run(ctxOnceLess{ctx, cancel, func() bool { return count(t, path) < expired }}, cfg)
	require.NoError(t, err)
	require.True(t, report.Unfinished)
	require.Equal(t, expired-count(t, path), report.Rows, "what was deleted, no more and no less")
	require.EqualValues(t, report.Rows, logLine(t, log)["rows_deleted"])
}

func TestCancelledBefore(t *testing.T) {
	db, path := sqlitetest.New(t)
	insert(t, db, "php_agent", "shop", "expired", keep+time.Hour, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg, log := config(db)
	report, err := retention.Run(ctx, cfg)
	require.NoError(t, err)
	require.True(t, report.Unfinished)
	require.Equal(t, 5, count(t, path))
	require.Equal(t, "INFO", logLine(t, log)["level"])
}
