package sqlitetest

import (
	"database/sql"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// Lock takes the write lock of a database file, as another process would, until unlock is called or the
// test ends.
func Lock(t testing.TB, path string) (unlock func()) {
	t.Helper()
	return hold(t, path, "BEGIN EXCLUSIVE")
}

// Read has a read transaction in a database file, as another process would, until end is called or the test ends: the log
// cannot begin anew meanwhile.
func Read(t testing.TB, path string) (end func()) {
	t.Helper()
	return hold(t, path, "BEGIN; SELECT count(*) FROM sqlite_schema")
}

func hold(t testing.TB, path, begin string) (end func()) {
	t.Helper()
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), begin)
	require.NoError(t, err)
	held := true
	end = func() {
		t.Helper()
		if !held {
			return
		}
		held = false
		require.NoError(t, conn.Close()) // rolls back
		require.NoError(t, db.Close())
	}
	t.Cleanup(end)
	return end
}
