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
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	locked := true
	unlock = func() {
		t.Helper()
		if !locked {
			return
		}
		locked = false
		require.NoError(t, conn.Close()) // rolls back
		require.NoError(t, db.Close())
	}
	t.Cleanup(unlock)
	return unlock
}
