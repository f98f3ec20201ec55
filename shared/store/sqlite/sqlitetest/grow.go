package sqlitetest

import (
	"database/sql"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite"
)

// growRows is how many records a statement makes: what it sorts has room in memory.
const growRows = 1_000_000

// Grow adds n small records to the database in a file that nobody has open, evenly from one time to another: a million
// in seconds, for SQLite makes them. The file is made when it is missing.
func Grow(t testing.TB, path string, n int, from, to time.Time) {
	t.Helper()
	made, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, made.Close())

	// No journal: what is cut off in the middle is a failed test's.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=journal_mode(off)&_pragma=synchronous(off)&_pragma=cache_size(-200000)"}
	db, err := sql.Open("sqlite", dsn.String())
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(statement string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), statement, args...)
		require.NoError(t, err)
	}
	for done := 0; done < n; done += growRows {
		exec(`WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ?2)
			INSERT INTO profiling_data (correlation_id, project, source, timestamp, duration_ms, name, payload, digest, created_at)
			SELECT format('%08x-0000-4000-8000-%012x', random() & 0xffffffff, random() & 0xffffffffffff), 'shop',
				iif(n % 2, 'php_agent', 'postgres_agent'), ?3 + n * ?4 / ?5, n % 1500, '/page/of/old/' || n,
				'{"main()":{"ct":1,"wt":' || n || '},"path":"' || hex(randomblob(120)) || '"}', random(), ?3 + n * ?4 / ?5
			FROM numbers`, done, min(done+growRows, n), from.UnixMicro(), to.Sub(from).Microseconds(), n)
	}
}
