package sqlite

import (
	"context"
	"flag"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/view"
)

var (
	benchRecords = flag.Int("records", 200_000, "how many `records` the database of BenchmarkView has")
	benchDays    = flag.Float64("days", 7, "over how many `days`")
	benchPath    = flag.String("db", "", "the `file` of that database: made when it is missing, and kept")
)

// makeRecords fills a database as a busy site would: three projects (70, 20 and 10 %), three pages of 200 routes for seven
// statements of 2,000, some much more often than others. SQLite makes them, without the payloads that no list reads.
const makeRecords = `WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?2),
	dice (n, php, project, key, ms) AS MATERIALIZED (
		SELECT n, random() % 10 IN (-1, 0, 1), abs(random() % 10), abs(random() % 1000) / 1000.0, -20 * ln(abs(random() % 100000 + 0.5) / 100000) FROM numbers)
	INSERT INTO profiling_data (correlation_id, project, source, timestamp, duration_ms, name, attributes, payload, digest, created_at)
	SELECT format('%08x-0000-4000-8000-%012x', n / 10 * 2654435761 & 0xffffffff, n / 10),
		CASE project WHEN 0 THEN 'docs' WHEN 1 THEN 'blog' WHEN 2 THEN 'blog' ELSE 'shop' END, iif(php, 'php_agent', 'postgres_agent'), ?3 + n * ?4, ms,
		iif(php, '/shop/' || CAST(200 * key * key * key AS INTEGER) || '/' || n,
			'SELECT p.id, p.name, p.price FROM products_' || CAST(2000 * key * key * key AS INTEGER) || ' p WHERE p.category_id = ' || n || ' ORDER BY p.price LIMIT 20'),
		iif(php, json_object('method', 'GET', 'status', 200, 'route', 'shop.route_' || CAST(200 * key * key * key AS INTEGER), 'queries', 7, 'db_ms', ms / 2),
			json_object('database', 'shop', 'query_id', 1 + CAST(2000 * key * key * key AS INTEGER), 'session_id', format('%x', n / 10), 'log_line', n)),
		'{"Plan":{"Node Type":"Seq Scan","x":"' || hex(randomblob(50)) || '"}}', random(), ?3 + n * ?4
	FROM dice`

// bigDatabase opens the database of BenchmarkView. The last of its records began at end.
func bigDatabase(b *testing.B) (db *DB, end time.Time) {
	path := *benchPath
	if path == "" {
		path = filepath.Join(b.TempDir(), "bitville.db")
	}
	made, err := Open(b.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(b, err)
	var last int64
	require.NoError(b, made.pool.QueryRowContext(b.Context(), lastRecord).Scan(&last))
	require.NoError(b, made.Close())
	if last == 0 {
		step := int64(*benchDays * 24 * 3600 * 1e6 / float64(*benchRecords))
		pool := openPool(path, "rw", "", 1, "journal_mode(off)", "synchronous(off)", "cache_size(-200000)")
		for n := 0; n < *benchRecords; n += 100_000 {
			_, err := pool.ExecContext(b.Context(), makeRecords, n, min(n+100_000, *benchRecords), time.Now().UnixMicro()-step*int64(*benchRecords), step)
			require.NoError(b, err)
		}
		require.NoError(b, pool.Close())
	}
	db, err = Open(b.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now, Exclusive: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	begun, cpu := time.Now(), processTime(b)
	for !db.rollups.live() {
		time.Sleep(time.Millisecond)
	}
	b.Logf("caught up in %v, of which %v CPU time", time.Since(begun).Round(time.Millisecond), time.Duration(processTime(b)-cpu).Round(time.Millisecond))
	var micros int64
	require.NoError(b, db.Reader.pool.QueryRowContext(b.Context(), "SELECT max(timestamp) FROM profiling_data WHERE project = 'shop'").Scan(&micros))
	return db, time.UnixMicro(micros + 1)
}

// BenchmarkView is what each list reads, on a database of -records: the time of a read and, where other programs use the
// machine too, its CPU time.
func BenchmarkView(b *testing.B) {
	db, end := bigDatabase(b)
	ctx := context.Background()
	routes, statements := rollup.Series{Project: "shop", Source: view.PHP}, rollup.Series{Project: "shop", Source: view.Postgres}
	busiest := func(series rollup.Series) string {
		groups, err := db.Groups(ctx, series, end.Add(-24*time.Hour), end)
		require.NoError(b, err)
		return groups.Groups[0].Key
	}
	route, statement := busiest(routes), busiest(statements)
	var ids []string
	latest, err := db.Latest(ctx, "shop", end, 50)
	require.NoError(b, err)
	for _, e := range latest {
		ids = append(ids, e.CorrelationID)
	}
	type read func(from time.Time) (any, error)
	slowest := func(key string) read {
		return func(from time.Time) (any, error) { return db.Slowest(ctx, "shop", from, end, key, 50) }
	}
	groups := func(series rollup.Series) read {
		return func(from time.Time) (any, error) { return db.Groups(ctx, series, from, end) }
	}
	hours := func(series rollup.Series, key string) read {
		return func(from time.Time) (any, error) { return db.Hours(ctx, series, key, from, end) }
	}
	const minutes, hour, day, week = 59 * time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour
	for _, c := range []struct {
		name  string
		spans []time.Duration
		read  read
	}{
		{"projects", []time.Duration{day}, func(from time.Time) (any, error) { return db.Projects(ctx, from, end) }},
		{"minutes", []time.Duration{day}, func(from time.Time) (any, error) { return db.Minutes(ctx, statements, from, end) }},
		{"latest", []time.Duration{0}, func(time.Time) (any, error) { return db.Latest(ctx, "shop", end, 50) }},
		{"slowest", []time.Duration{hour, day, week}, slowest("")},
		{"slowest of a route", []time.Duration{hour, day, week}, slowest(route)},
		{"routes", []time.Duration{minutes, day, week}, groups(routes)},
		{"statements", []time.Duration{minutes, day, week}, groups(statements)},
		{"a route", []time.Duration{week}, hours(routes, route)},
		{"a statement", []time.Duration{week}, hours(statements, statement)},
		{"both halves of 50 requests", []time.Duration{0}, func(time.Time) (any, error) { return db.RecordsOf(ctx, "shop", ids) }},
	} {
		for _, span := range c.spans {
			b.Run(c.name+" "+span.String(), func(b *testing.B) {
				var took []time.Duration
				cpu := processTime(b)
				for b.Loop() {
					start := time.Now()
					_, err := c.read(end.Add(-span))
					require.NoError(b, err)
					took = append(took, time.Since(start))
				}
				b.ReportMetric(float64(processTime(b)-cpu)/1e6/float64(len(took)), "cpu-ms")
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2])/1e6, "median-ms")
				b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
			})
		}
	}
}

// processTime is the CPU time of this process: nanoseconds.
func processTime(b *testing.B) int64 {
	b.Helper()
	var now unix.Timespec
	require.NoError(b, unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now))
	return now.Nano()
}
